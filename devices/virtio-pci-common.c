/*
 * virtio-pci-common.c: the common configuration of a virtio-pci device: what
 * a driver reads and writes to negotiate, set up queues and start.
 *
 * virtio-pci.c calls in for accesses to that part of the BAR. Registers are
 * known by their offsets; the 64-bit addresses may be accessed in halves. An
 * access that begins inside a register reads as zero and writes nothing.
 *
 * Source: virtio 1.2, 4.1.4.3.
 */
#include "virtio-pci.h"

void virtio_pci_update_config_irq(struct virtio_pci *pci)
{
	atomic_store(&pci->device->config_irq, msix_irq(&pci->msix, pci->config_vector));
}

/* The 64-bit queue addresses may be accessed in halves; `high` is 0 or 32. */
static uint64_t *queue_address(struct virtio_queue *queue, uint64_t offset, unsigned *high)
{
	*high = offset & 4 ? 32 : 0;
	switch (offset & ~UINT64_C(7)) {
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return &queue->layout.desc;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return &queue->layout.driver;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return &queue->layout.device;
	default:
		return NULL;
	}
}

static uint64_t read_queue(struct virtio_pci *pci, struct virtio_queue *queue, uint64_t offset)
{
	const uint64_t *address;
	unsigned high;

	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return queue->layout.size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return pci->queue_vector[queue->index];
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return queue->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return queue->index;
	default:
		address = queue_address(queue, offset, &high);
		return address ? *address >> high : 0;
	}
}

uint64_t virtio_pci_read_common(struct virtio_pci *pci, uint64_t offset)
{
	struct virtio_device *device = pci->device;
	struct virtio_queue *queue = virtio_queue(device, pci->queue_select);

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return pci->device_feature_select;
	case VIRTIO_PCI_COMMON_DF:
		return pci->device_feature_select < 2
			       ? (uint32_t)(device->offered >> (32 * pci->device_feature_select))
			       : 0;
	case VIRTIO_PCI_COMMON_GFSELECT:
		return pci->driver_feature_select;
	case VIRTIO_PCI_COMMON_GF:
		return pci->driver_feature_select < 2
			       ? (uint32_t)(device->accepted >> (32 * pci->driver_feature_select))
			       : 0;
	case VIRTIO_PCI_COMMON_MSIX:
		return pci->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return device->queue_count;
	case VIRTIO_PCI_COMMON_STATUS:
		return virtio_status(device);
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return virtio_config_generation(device) & 0xff;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return pci->queue_select;
	default: /* a queue that does not exist reads as zero: size 0 says so */
		return queue ? read_queue(pci, queue, offset) : 0;
	}
}

/* A vector that does not exist is answered with NO_VECTOR (4.1.5.1.2). */
static uint16_t known_vector(const struct virtio_pci *pci, uint64_t value)
{
	return value < pci->msix.vectors ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

static void write_queue(struct virtio_pci *pci, struct virtio_queue *queue, uint64_t offset,
			uint64_t value, unsigned len)
{
	uint64_t *address;
	unsigned high;

	if (offset == VIRTIO_PCI_COMMON_Q_RESET) {
		if (value == 1 && virtio_has(pci->device, VIRTIO_F_RING_RESET))
			virtio_reset_queue(queue);
		return;
	}
	/* At any time (4.1.5.1.2.1): NetBSD enables its queues first. */
	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		pci->queue_vector[queue->index] = known_vector(pci, value);
		virtio_update_irqs(pci->device);
		return;
	}
	if (virtio_queue_is_frozen(queue))
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		queue->layout.size = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1)
			virtio_enable_queue(queue);
		break;
	default:
		address = queue_address(queue, offset, &high);
		if (address && len == 8)
			*address = value;
		else if (address && len == 4)
			*address = (*address & ~((uint64_t)UINT32_MAX << high)) | value << high;
	}
}

void virtio_pci_forget_vectors(struct virtio_pci *pci)
{
	pci->config_vector = VIRTIO_MSI_NO_VECTOR;
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		pci->queue_vector[i] = VIRTIO_MSI_NO_VECTOR;
	virtio_pci_update_config_irq(pci);
}

static void write_status(struct virtio_pci *pci, uint8_t value)
{
	virtio_write_status(pci->device, value);
	if (value == 0)
		virtio_pci_forget_vectors(pci);
}

void virtio_pci_write_common(struct virtio_pci *pci, uint64_t offset, uint64_t value, unsigned len)
{
	struct virtio_queue *queue = virtio_queue(pci->device, pci->queue_select);

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		pci->device_feature_select = (uint32_t)value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		pci->driver_feature_select = (uint32_t)value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		virtio_accept_features(pci->device, pci->driver_feature_select, (uint32_t)value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		pci->config_vector = known_vector(pci, value);
		virtio_pci_update_config_irq(pci);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		write_status(pci, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		pci->queue_select = (uint16_t)value;
		break;
	default:
		if (queue)
			write_queue(pci, queue, offset, value, len);
	}
}
