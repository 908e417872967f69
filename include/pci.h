/*
 * pci.h: one PCI bus with its root, and the functions on it.
 *
 * Configuration space is reached through a memory window (ECAM) and, on x86,
 * also through the port pair 0xcf8/0xcfc (pci-ports.c). Each function has
 * one memory BAR; the root owns the whole window in which BARs may lie and
 * finds the function by its current address, because the guest may move it.
 *
 * Sources: PCI Local Bus specification 3.0, chapter 6; PCI Express Base
 * specification, 7.2.2 (ECAM).
 */
#ifndef LODGE_PCI_H
#define LODGE_PCI_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "vm.h"

#define PCI_CONFIG_SIZE 256
#define PCI_SLOTS       32

struct pci_function;

/* What a function does beyond having configuration space. vCPU threads, with the lock held. */
struct pci_function_ops {
	/* Accesses inside the BAR; offset and len (1, 2, 4, 8) lie within it. */
	void (*bar_read)(struct pci_function *function, uint64_t offset, void *data, unsigned len);
	void (*bar_write)(struct pci_function *function, uint64_t offset, const void *data,
			  unsigned len);
	/* The BAR begins to answer at a new address, or (0) stops answering. */
	void (*bar_moved)(struct pci_function *function, uint64_t gpa);
	/* Before bytes of configuration space are read; after they were written. */
	void (*config_read)(struct pci_function *function, unsigned offset, unsigned len);
	void (*config_written)(struct pci_function *function, unsigned offset, unsigned len);
};

struct pci_function {
	const struct pci_function_ops *ops; /* NULL: configuration space only */
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE]; /* which bits a guest may change */
	uint32_t bar_size;                 /* bytes, a power of two; 0: no BAR */
	unsigned slot;                     /* on the bus, once it is there */
	unsigned next_capability;          /* free space in `config` */
	uint8_t last_capability;           /* 0: none yet */
	/* Guest-physical address at which BAR 0 answers, 0 while it does not.
	 * Written with the lock held, read by any vCPU to find the function. */
	_Atomic uint64_t bar_gpa;
	pthread_mutex_t *lock; /* the device's: guards all of the above */
};

struct pci_root {
	struct pci_function *slots[PCI_SLOTS]; /* constant once the guest runs */
	struct pci_function bridge;            /* the root's own entry, slot 0 */
	pthread_mutex_t bridge_lock;
	atomic_uint address; /* the last write to 0xcf8 */
};

/* Put the bus into the machine, with the host bridge in slot 0. Main. */
void pci_root_init(struct pci_root *root, struct vm *vm);

/* x86: answer at the port pair as well. Main. */
void pci_ports_init(struct pci_root *root, struct vm *vm);

/* An access to configuration space, at slot << 15 | function << 12 | offset. vCPU threads. */
void pci_root_read(struct pci_root *root, uint64_t ecam, void *data, unsigned len);
void pci_root_write(struct pci_root *root, uint64_t ecam, const void *data, unsigned len);

/* Fill the header of a function and give it to the next free slot; its BAR, if it has
 * one, gets an address but does not answer yet. Main. */
struct pci_identity {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class; /* class, subclass, programming interface */
	uint8_t revision;
};
void pci_function_init(struct pci_function *function, const struct pci_identity *identity,
		       uint32_t bar_size, const struct pci_function_ops *ops,
		       pthread_mutex_t *lock);
void pci_root_add(struct pci_root *root, struct pci_function *function);

/* Append a capability of `len` bytes, id and link included; returns its offset. Main. */
unsigned pci_add_capability(struct pci_function *function, uint8_t id, unsigned len);

/* Little-endian numbers in configuration space. */
void pci_config_set(struct pci_function *function, unsigned offset, unsigned len, uint32_t value);
uint32_t pci_config_get(const struct pci_function *function, unsigned offset, unsigned len);

/* Let the guest change these bits. Main. */
void pci_config_allow(struct pci_function *function, unsigned offset, unsigned len, uint32_t mask);

#endif
