/*
 * virtio-pci.c: a virtio device as a PCI function (tour 10).
 *
 * One BAR holds everything; five vendor capabilities say where:
 *
 *   +0x0000 common configuration   +0x3000 notifications, 4 bytes a queue
 *   +0x1000 ISR status             +0x4000 MSI-X table
 *   +0x2000 device configuration   +0x5000 MSI-X pending bits
 *
 * A page each, so that a doorbell (an ioeventfd KVM answers by itself) never
 * shares its address with a register. With MSI-X there is no ISR to read and
 * nothing to acknowledge: an interrupt costs the guest no exit.
 *
 * The registers of the common configuration are in virtio-pci-common.c.
 *
 * Source: virtio 1.2, 4.1. Next in the tour: block.c and net.c, the devices.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "transport.h"
#include "virtio-pci.h"

#define BAR_SIZE      0x8000
#define COMMON_OFFSET 0x0000
#define ISR_OFFSET    0x1000
#define CONFIG_OFFSET 0x2000
#define NOTIFY_OFFSET 0x3000
#define TABLE_OFFSET  0x4000
#define PBA_OFFSET    0x5000
#define PART_SIZE     0x1000
#define NOTIFY_STEP   4

#define VENDOR_VIRTIO   0x1af4
#define DEVICE_BASE     0x1040
#define REVISION_MODERN 1

static struct virtio_pci *of_function(struct pci_function *function)
{
	return (struct virtio_pci *)(void *)((char *)function -
					     offsetof(struct virtio_pci, function));
}

/* --- Doorbells and interrupts --- */

static void place_doorbell(struct virtio_pci *pci, unsigned index)
{
	uint64_t bar = atomic_load_explicit(&pci->function.bar_gpa, memory_order_relaxed);
	uint64_t at = pci->wanted[index] && bar ? bar + NOTIFY_OFFSET + index * NOTIFY_STEP : 0;
	int fd = pci->device->queues[index].kick_fd, ret = 0;

	if (at == pci->connected_at[index])
		return;
	if (pci->connected_at[index])
		vm_detach_doorbell(pci->vm, pci->connected_at[index], 0, -1, fd);
	/* Length 0, any width: KVM need not decode the instruction to know. */
	if (at)
		ret = vm_attach_doorbell(pci->vm, at, 0, -1, fd);
	pci->connected_at[index] = ret < 0 ? 0 : at;
	/* Without it kicks still arrive, through notify_write(), but slowly. */
	if (ret < 0)
		log_warning("%s: no ioeventfd for queue %u: %s", pci->device->name, index,
			    strerror(-ret));
}

static void connect_doorbell(void *context, unsigned index, bool connected)
{
	struct virtio_pci *pci = context;

	pci->wanted[index] = connected;
	place_doorbell(pci, index);
}

static const struct irq *queue_irq(void *context, unsigned index)
{
	struct virtio_pci *pci = context;

	return msix_irq(&pci->msix, pci->queue_vector[index]);
}

static const struct virtio_transport pci_transport = {
	.queue_irq = queue_irq,
	.connect_doorbell = connect_doorbell,
};

static void bar_moved(struct pci_function *function, uint64_t gpa)
{
	struct virtio_pci *pci = of_function(function);

	(void)gpa;
	for (unsigned i = 0; i < pci->device->queue_count; i++)
		place_doorbell(pci, i);
}

/* --- The BAR --- */

static void bar_read(struct pci_function *function, uint64_t offset, void *data, unsigned len)
{
	struct virtio_pci *pci = of_function(function);
	uint64_t value = 0;

	switch (offset & ~(uint64_t)(PART_SIZE - 1)) {
	case COMMON_OFFSET:
		value = virtio_pci_read_common(pci, offset);
		break;
	case ISR_OFFSET:
		value = offset == ISR_OFFSET ? virtio_clear_isr(pci->device, 0xff) : 0;
		break;
	case CONFIG_OFFSET:
		virtio_read_config(pci->device, offset - CONFIG_OFFSET, data, len);
		return;
	case TABLE_OFFSET:
		msix_table_read(&pci->msix, offset - TABLE_OFFSET, data, len);
		return;
	case PBA_OFFSET:
		msix_pba_read(&pci->msix, offset - PBA_OFFSET, data, len);
		return;
	}
	memcpy(data, &value, len);
}

/* A kick KVM did not catch: from a driver that starts late, or an odd one. */
static void notify_write(struct virtio_pci *pci, uint64_t offset)
{
	struct virtio_queue *queue = virtio_queue(pci->device, (unsigned)(offset / NOTIFY_STEP));

	if (queue)
		virtio_kick(queue);
}

static void bar_write(struct pci_function *function, uint64_t offset, const void *data,
		      unsigned len)
{
	struct virtio_pci *pci = of_function(function);
	uint64_t value = 0;

	memcpy(&value, data, len);
	switch (offset & ~(uint64_t)(PART_SIZE - 1)) {
	case COMMON_OFFSET:
		virtio_pci_write_common(pci, offset, value, len);
		break;
	case NOTIFY_OFFSET:
		notify_write(pci, offset - NOTIFY_OFFSET);
		break;
	case TABLE_OFFSET:
		msix_table_write(&pci->msix, offset - TABLE_OFFSET, data, len);
		break;
	default: /* device configuration and the rest are read-only */
		break;
	}
}

/* --- Configuration space --- */

/* The window (4.1.4.9): bar, offset and length as the driver wrote them into
 * the capability; false unless that is an access of 1, 2 or 4 bytes in the BAR. */
static bool window_access(struct virtio_pci *pci, unsigned offset, unsigned len, uint32_t *at,
			  unsigned *width)
{
	unsigned capability = pci->cfg_capability;
	unsigned data = capability + sizeof(struct virtio_pci_cap);

	if (offset + len <= data || offset >= data + 4)
		return false;
	*at = pci_config_get(&pci->function, capability + VIRTIO_PCI_CAP_OFFSET, 4);
	*width = pci_config_get(&pci->function, capability + VIRTIO_PCI_CAP_LENGTH, 4);
	return pci->function.config[capability + VIRTIO_PCI_CAP_BAR] == 0 &&
	       (*width == 1 || *width == 2 || *width == 4) && *at % *width == 0 &&
	       *at <= BAR_SIZE - *width;
}

static void config_read(struct pci_function *function, unsigned offset, unsigned len)
{
	struct virtio_pci *pci = of_function(function);
	unsigned width;
	uint32_t at;

	if (window_access(pci, offset, len, &at, &width))
		bar_read(function, at,
			 function->config + pci->cfg_capability + sizeof(struct virtio_pci_cap),
			 width);
}

static void config_written(struct pci_function *function, unsigned offset, unsigned len)
{
	struct virtio_pci *pci = of_function(function);
	unsigned width;
	uint32_t at;

	if (window_access(pci, offset, len, &at, &width))
		bar_write(function, at,
			  function->config + pci->cfg_capability + sizeof(struct virtio_pci_cap),
			  width);
	if (msix_config_written(&pci->msix, function)) {
		atomic_store(&pci->device->uses_isr, !pci->msix.enabled);
		virtio_pci_update_config_irq(pci);
		virtio_update_irqs(pci->device);
	}
}

static const struct pci_function_ops function_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.bar_moved = bar_moved,
	.config_read = config_read,
	.config_written = config_written,
};

/* Returns the capability's offset. `extra`: bytes after the common part. */
static unsigned add_capability(struct pci_function *function, uint8_t type, uint32_t offset,
			       uint32_t length, unsigned extra)
{
	unsigned len = (unsigned)sizeof(struct virtio_pci_cap) + extra;
	unsigned at = pci_add_capability(function, PCI_CAP_ID_VNDR, len);

	pci_config_set(function, at + VIRTIO_PCI_CAP_LEN, 1, len);
	pci_config_set(function, at + VIRTIO_PCI_CAP_CFG_TYPE, 1, type);
	pci_config_set(function, at + VIRTIO_PCI_CAP_OFFSET, 4, offset);
	pci_config_set(function, at + VIRTIO_PCI_CAP_LENGTH, 4, length);
	return at;
}

static void add_capabilities(struct virtio_pci *pci)
{
	struct pci_function *function = &pci->function;
	unsigned at;

	add_capability(function, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_OFFSET, VIRTIO_PCI_COMMON_LENGTH,
		       0);
	at = add_capability(function, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_OFFSET,
			    pci->device->queue_count * NOTIFY_STEP, 4);
	pci_config_set(function, at + VIRTIO_PCI_NOTIFY_CAP_MULT, 4, NOTIFY_STEP);
	add_capability(function, VIRTIO_PCI_CAP_ISR_CFG, ISR_OFFSET, 1, 0);
	if (pci->device->class->config_size)
		add_capability(function, VIRTIO_PCI_CAP_DEVICE_CFG, CONFIG_OFFSET,
			       pci->device->class->config_size, 0);
	at = add_capability(function, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 4);
	pci_config_allow(function, at + VIRTIO_PCI_CAP_BAR, 1, 0xff);
	pci_config_allow(function, at + VIRTIO_PCI_CAP_OFFSET, 4, 0xffffffff);
	pci_config_allow(function, at + VIRTIO_PCI_CAP_LENGTH, 4, 0xffffffff);
	pci_config_allow(function, at + (unsigned)sizeof(struct virtio_pci_cap), 4, 0xffffffff);
	pci->cfg_capability = at;
}

struct virtio_pci *virtio_pci_attach(struct virtio_device *device, struct vm *vm,
				     struct pci_root *root)
{
	struct pci_identity identity = {
		.vendor = VENDOR_VIRTIO,
		.device = DEVICE_BASE + device->class->id,
		.subsystem_vendor = VENDOR_VIRTIO,
		.subsystem = DEVICE_BASE + device->class->id,
		.class = device->class->pci_class,
		.revision = REVISION_MODERN,
	};
	struct virtio_pci *pci = calloc(1, sizeof(*pci));
	int ret = -ENOMEM;

	if (pci) {
		pci->device = device;
		pci->vm = vm;
		pci_function_init(&pci->function, &identity, BAR_SIZE, &function_ops,
				  &device->lock);
		add_capabilities(pci);
		ret = msix_init(&pci->msix, vm, &pci->function, device->queue_count + 1,
				TABLE_OFFSET, PBA_OFFSET);
	}
	if (ret < 0) {
		log_error("%s: cannot attach it to the PCI bus: %s", device->name, strerror(-ret));
		free(pci);
		return NULL;
	}
	device->transport = &pci_transport;
	device->transport_context = pci;
	atomic_store(&device->uses_isr, true);
	virtio_pci_forget_vectors(pci);
	pci_root_add(root, &pci->function);
	return pci;
}

void virtio_pci_detach(struct virtio_pci *pci)
{
	msix_destroy(&pci->msix);
	free(pci);
}
