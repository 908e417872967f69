/*
 * irq.c: interrupts out of Lodge and into the guest.
 *
 * A device thread writes eight bytes; KVM, listening on the other side of
 * the eventfd, injects. Transports (devices/msix.c, virtio-mmio.c) and the
 * UART own the struct irqs. Masking is detaching: the eventfd keeps count
 * meanwhile, so nothing is lost and the device thread takes no lock.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "vm.h"

#define ROUTES_MAX 1024

static int irq_init(struct irq *irq, struct vm *vm, uint32_t gsi)
{
	*irq = (struct irq){ .vm = vm, .gsi = gsi };
	irq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return irq->fd < 0 ? -errno : 0;
}

int irq_init_line(struct irq *irq, struct vm *vm, uint32_t gsi)
{
	int ret = irq_init(irq, vm, gsi);

	return ret < 0 ? ret : irq_attach(irq);
}

int irq_init_msi(struct irq *irq, struct vm *vm)
{
	return irq_init(irq, vm, vm->next_msi_gsi++);
}

static int irq_assign(struct irq *irq, uint32_t flags)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)irq->fd, .gsi = irq->gsi, .flags = flags };

	return ioctl(irq->vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

int irq_attach(struct irq *irq)
{
	int ret = irq->attached ? 0 : irq_assign(irq, 0);

	if (ret == 0)
		irq->attached = true;
	return ret;
}

int irq_detach(struct irq *irq)
{
	int ret = irq->attached ? irq_assign(irq, KVM_IRQFD_FLAG_DEASSIGN) : 0;

	if (ret == 0)
		irq->attached = false;
	return ret;
}

bool irq_is_pending(const struct irq *irq)
{
	uint64_t count;

	/* While it is detached we are the only reader: take the count and put
	 * it back. A raise in between only adds to it. */
	if (irq->attached || read(irq->fd, &count, sizeof(count)) != sizeof(count))
		return false;
	irq_raise(irq);
	return true;
}

void irq_raise(const struct irq *irq)
{
	uint64_t one = 1;

	/* EAGAIN would mean 2^64 - 2 interrupts pending: one more adds nothing. */
	if (write(irq->fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("cannot raise an interrupt: %m");
}

void irq_destroy(struct irq *irq)
{
	irq_detach(irq);
	close(irq->fd);
}

/* The entry of this GSI, a new one if it has none; NULL when the table is full. */
static struct kvm_irq_routing_entry *route_of(struct kvm_irq_routing *routing, uint32_t gsi)
{
	struct kvm_irq_routing_entry *entry;

	for (unsigned i = 0; i < routing->nr; i++)
		if (routing->entries[i].gsi == gsi)
			return &routing->entries[i];
	if (routing->nr == ROUTES_MAX)
		return NULL;
	entry = &routing->entries[routing->nr++];
	memset(entry, 0, sizeof(*entry));
	entry->gsi = gsi;
	return entry;
}

static int set_route(struct vm *vm, uint32_t gsi, uint32_t requester, uint64_t address,
		     uint32_t data)
{
	struct kvm_irq_routing_entry *entry;

	if (!vm->routing) {
		vm->routing = calloc(1, sizeof(*vm->routing) +
						ROUTES_MAX * sizeof(struct kvm_irq_routing_entry));
		if (!vm->routing)
			return -ENOMEM;
		vm_arch_default_routing(vm->routing);
	}
	entry = route_of(vm->routing, gsi);
	if (!entry)
		return -ENOSPC;
	entry->type = KVM_IRQ_ROUTING_MSI;
	entry->u.msi.address_lo = (uint32_t)address;
	entry->u.msi.address_hi = (uint32_t)(address >> 32);
	entry->u.msi.data = data;
	vm_arch_route_msi(entry, requester);
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, vm->routing) < 0 ? -errno : 0;
}

int irq_set_message(struct irq *irq, uint32_t requester, uint64_t address, uint32_t data)
{
	int ret;

	pthread_mutex_lock(&irq->vm->routing_lock);
	ret = set_route(irq->vm, irq->gsi, requester, address, data);
	pthread_mutex_unlock(&irq->vm->routing_lock);
	return ret;
}
