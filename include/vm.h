/*
 * vm.h: the KVM virtual machine: its memory, its interrupts, its doorbells.
 *
 * The only module besides vcpu.c and the architecture file that speaks to
 * /dev/kvm. Devices never see it; their transports use three things of it:
 *
 *      doorbell   guest writes here -> an eventfd is signalled (ioeventfd)
 *      irq        an eventfd is written -> the guest is interrupted (irqfd)
 *      message    which MSI an irq means (GSI routing)
 *
 * Both directions stay inside the kernel: no exit to us on the way in, no
 * ioctl on the way out. Kernel document: Documentation/virt/kvm/api.rst.
 */
#ifndef LODGE_VM_H
#define LODGE_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch.h"
#include "bus.h"
#include "memory.h"

struct kvm_irq_routing;
struct kvm_irq_routing_entry;

struct vm {
	int kvm_fd; /* /dev/kvm */
	int fd;     /* the machine */
	const struct memory *memory;
	unsigned cpus; /* vCPUs it will have */
	struct bus mmio;

	/* The GSI routing table is replaced as a whole by KVM_SET_GSI_ROUTING;
	 * two vCPUs may program MSIs of two devices at once. */
	pthread_mutex_t routing_lock;
	struct kvm_irq_routing *routing;
	unsigned next_msi_gsi;

	/* What the architecture found; constant after vm_arch_equip(). */
	bool msi; /* there is something to send messages to */
	bool pmu; /* arm64: vCPUs have a performance monitoring unit */

	/* The guest's kernel was told to reset itself in a way of its own when it
	 * panics (guest-boot/cmdline.c). Main, before vCPUs. */
	bool panics_are_warm;

	struct vm_arch arch;
};

/*
 * Open /dev/kvm, create the machine for `cpus` vCPUs and show it `memory`. Prints
 * the reason when it fails. Returns 0 or -1. Main, before threads.
 */
int vm_create(struct vm *vm, const struct memory *memory, unsigned cpus);
void vm_destroy(struct vm *vm);

/* --- Provided by the architecture: launcher/x86_64.c or launcher/arm64.c --- */

/* What KVM_CREATE_VM wants to be told. */
unsigned long vm_arch_type(int kvm_fd);

/* Called by vm_create(): what can be asked of /dev/kvm meanwhile. */
void vm_arch_begin(struct vm *vm);

/*
 * Give the machine its interrupt controllers: before its vCPUs and its irqs. `legacy`
 * adds what a kernel without ACPI expects (on x86 the 8254 timer). Prints the
 * reason; 0 or -1. Main.
 */
int vm_arch_equip(struct vm *vm, bool legacy);

/*
 * Complete the interrupt controllers: after all vCPUs have been created, for on
 * arm64 each has a part in them, and before the first irq. Main. Prints the
 * reason; 0 or -1.
 */
int vm_arch_init_irqs(struct vm *vm);
void vm_arch_destroy(struct vm *vm);

/* The routing entries that must stay when MSIs are added. */
void vm_arch_default_routing(struct kvm_irq_routing *routing);

/* What else KVM must know of an MSI that PCI function `requester` (bus, slot, function) sends. */
void vm_arch_route_msi(struct kvm_irq_routing_entry *entry, uint32_t requester);

/*
 * From now on a guest's write of `len` bytes at guest-physical `gpa` signals
 * `eventfd` instead of leaving the guest. `len` 0 means a write of any
 * length, which KVM may answer before it has decoded the instruction; with
 * `match` >= 0 only writes of that value count (then `len` is 1, 2, 4 or 8).
 * Any thread. 0 or -errno.
 */
int vm_attach_doorbell(struct vm *vm, uint64_t gpa, unsigned len, int64_t match, int eventfd);
int vm_detach_doorbell(struct vm *vm, uint64_t gpa, unsigned len, int64_t match, int eventfd);

/*
 * An interrupt of the guest. While `attached`, KVM listens to the eventfd
 * and injects; while detached (masked), what is written to the eventfd stays
 * in its counter, which thereby *is* the pending bit, and is injected at the
 * moment of attaching. The raising thread never needs to know which.
 */
struct irq {
	struct vm *vm;
	int fd; /* eventfd, owned */
	uint32_t gsi;
	bool attached;
};

/* An edge-triggered line of the interrupt controller, attached. Main. 0 or -errno. */
int irq_init_line(struct irq *irq, struct vm *vm, uint32_t gsi);

/* A message-signalled interrupt: reserves a GSI; detached, no message yet. Main. 0 or -errno. */
int irq_init_msi(struct irq *irq, struct vm *vm);

/*
 * What this MSI writes, and where; `requester` is the PCI function it comes from (bus in
 * 15:8, slot in 7:3). Takes effect at once. vCPU threads, irq's owner locked. 0 or -errno.
 */
int irq_set_message(struct irq *irq, uint32_t requester, uint64_t address, uint32_t data);

/* Masking; see above. vCPU threads, with the irq's owner locked. 0 or -errno. */
int irq_attach(struct irq *irq);
int irq_detach(struct irq *irq);

/* Raised while detached and not delivered yet? Same threads as irq_attach(). */
bool irq_is_pending(const struct irq *irq);

/* Interrupt the guest. Any thread, never blocks. */
void irq_raise(const struct irq *irq);

void irq_destroy(struct irq *irq);

#endif
