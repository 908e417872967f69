/*
 * msix.h: the MSI-X table of a PCI function, and the interrupts behind it.
 *
 * Each vector is a struct irq. It is attached while it may fire (MSI-X on,
 * neither the function nor the vector masked) and detached otherwise: a
 * detached irq keeps what is raised in its eventfd, which therefore *is* the
 * pending bit, and delivers it when attached again.
 *
 * All calls on vCPU threads with the function's lock held, but for init.
 * Source: PCI Local Bus specification 3.0, 6.8.2.
 */
#ifndef LODGE_MSIX_H
#define LODGE_MSIX_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"
#include "vm.h"

#define MSIX_VECTORS_MAX 18 /* one per queue, one for configuration changes */
#define MSIX_ENTRY_SIZE  16 /* bytes of a table entry */

struct msix {
	const struct pci_function *function;
	unsigned vectors;
	unsigned capability;  /* its offset in configuration space */
	bool enabled, masked; /* message control, as the guest wrote it */
	struct msix_vector {
		struct irq irq;
		uint32_t words[4]; /* address low, address high, data, vector control */
		uint64_t routed_address;
		uint32_t routed_data; /* what KVM was last told */
	} vector[MSIX_VECTORS_MAX];
};

/* Add the capability: table and pending bits at these offsets in BAR 0. Main. 0 or -errno. */
int msix_init(struct msix *msix, struct vm *vm, struct pci_function *function, unsigned vectors,
	      uint32_t table_offset, uint32_t pba_offset);
void msix_destroy(struct msix *msix);

/* The guest may have written message control. Returns whether `enabled` changed. */
bool msix_config_written(struct msix *msix, const struct pci_function *function);

/* Accesses to the table and the pending bits; offsets from their starts. */
void msix_table_read(const struct msix *msix, uint64_t offset, void *data, unsigned len);
void msix_table_write(struct msix *msix, uint64_t offset, const void *data, unsigned len);
void msix_pba_read(const struct msix *msix, uint64_t offset, void *data, unsigned len);

/* The interrupt of this vector, or NULL if there is none such or MSI-X is off. */
const struct irq *msix_irq(const struct msix *msix, uint16_t vector);

#endif
