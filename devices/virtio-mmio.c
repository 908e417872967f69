/*
 * virtio-mmio.c: a virtio device as a window of registers.
 *
 * For kernels without PCI, and to show what MSI-X saves: every interrupt
 * here costs the guest two exits, one to ask for the reason and one to
 * acknowledge it. Kicks are ioeventfds as with PCI, told apart by the value
 * written.
 *
 * Source: virtio 1.2, 4.2.
 */
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "log.h"
#include "machine.h"
#include "transport.h"

#define MAGIC       0x74726976 /* "virt" */
#define VERSION     2
#define VENDOR      0x45474f4c /* "LOGE" */
#define QUEUE_RESET 0x0c0      /* 1.2; newer than the kernel's header */

struct virtio_mmio {
	struct virtio_device *device;
	struct vm *vm;
	uint64_t gpa;
	struct irq irq;
	uint32_t device_feature_select, driver_feature_select, queue_select;
};

static void connect_doorbell(void *context, unsigned index, bool connected)
{
	struct virtio_mmio *mmio = context;
	uint64_t gpa = mmio->gpa + VIRTIO_MMIO_QUEUE_NOTIFY;
	int fd = mmio->device->queues[index].kick_fd, ret;

	if (connected)
		ret = vm_attach_doorbell(mmio->vm, gpa, 4, index, fd);
	else
		ret = vm_detach_doorbell(mmio->vm, gpa, 4, index, fd);
	/* Without it kicks still arrive, through mmio_write(), but slowly. */
	if (ret < 0 && connected)
		log_warning("%s: no ioeventfd for queue %u: %s", mmio->device->name, index,
			    strerror(-ret));
}

static const struct irq *queue_irq(void *context, unsigned index)
{
	struct virtio_mmio *mmio = context;

	(void)index;
	return &mmio->irq;
}

static const struct virtio_transport mmio_transport = {
	.queue_irq = queue_irq,
	.connect_doorbell = connect_doorbell,
};

static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static uint32_t read_register(struct virtio_mmio *mmio, uint64_t offset)
{
	struct virtio_device *device = mmio->device;
	struct virtio_queue *queue = virtio_queue(device, mmio->queue_select);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return device->class->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return feature_word(device->offered, mmio->device_feature_select);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? VIRTQUEUE_SIZE_MAX : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && queue->enabled;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return virtio_clear_isr(device, 0);
	case VIRTIO_MMIO_STATUS:
		return virtio_status(device);
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* no shared memory regions (4.2.2.1) */
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return virtio_config_generation(device);
	default:
		return 0;
	}
}

static void mmio_read(void *context, uint64_t offset, void *data, unsigned len)
{
	struct virtio_mmio *mmio = context;
	uint32_t value;

	memset(data, 0, len);
	pthread_mutex_lock(&mmio->device->lock);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		virtio_read_config(mmio->device, offset - VIRTIO_MMIO_CONFIG, data, len);
	} else if (len == 4 && offset % 4 == 0) { /* nothing else is allowed (4.2.2.2) */
		value = read_register(mmio, offset);
		memcpy(data, &value, 4);
	}
	pthread_mutex_unlock(&mmio->device->lock);
}

static void set_low(uint64_t *address, uint32_t value)
{
	*address = (*address & ~(uint64_t)UINT32_MAX) | value;
}

static void set_high(uint64_t *address, uint32_t value)
{
	*address = (*address & UINT32_MAX) | (uint64_t)value << 32;
}

static void write_queue(struct virtio_mmio *mmio, struct virtio_queue *queue, uint64_t offset,
			uint32_t value)
{
	struct virtqueue_layout *layout = &queue->layout;

	/* Either way of taking a queue back; the second needs its feature. */
	if ((offset == VIRTIO_MMIO_QUEUE_READY && value == 0) ||
	    (offset == QUEUE_RESET && value == 1 && virtio_has(mmio->device, VIRTIO_F_RING_RESET)))
		virtio_reset_queue(queue);
	if (virtio_queue_is_frozen(queue))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		/* Too large for the register's 16 bits must not become small. */
		layout->size = value > UINT16_MAX ? 0 : (uint16_t)value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (value == 1)
			virtio_enable_queue(queue);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&layout->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&layout->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&layout->driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&layout->driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&layout->device, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&layout->device, value);
		break;
	}
}

static void write_register(struct virtio_mmio *mmio, uint64_t offset, uint32_t value)
{
	struct virtio_device *device = mmio->device;
	struct virtio_queue *queue;

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		mmio->device_feature_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		mmio->driver_feature_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		virtio_accept_features(device, mmio->driver_feature_select, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		mmio->queue_select = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: /* a kick KVM did not catch */
		queue = virtio_queue(device, value);
		if (queue)
			virtio_kick(queue);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		virtio_clear_isr(device, (uint8_t)value);
		break;
	case VIRTIO_MMIO_STATUS:
		virtio_write_status(device, (uint8_t)value);
		break;
	default:
		queue = virtio_queue(device, mmio->queue_select);
		if (queue)
			write_queue(mmio, queue, offset, value);
	}
}

static void mmio_write(void *context, uint64_t offset, const void *data, unsigned len)
{
	struct virtio_mmio *mmio = context;
	uint32_t value;

	/* Configuration is read-only, and registers are 32 bits wide. */
	if (offset >= VIRTIO_MMIO_CONFIG || len != 4 || offset % 4)
		return;
	memcpy(&value, data, 4);
	pthread_mutex_lock(&mmio->device->lock);
	write_register(mmio, offset, value);
	pthread_mutex_unlock(&mmio->device->lock);
}

static const struct bus_ops mmio_ops = { .read = mmio_read, .write = mmio_write };

struct virtio_mmio *virtio_mmio_attach(struct virtio_device *device, struct vm *vm, unsigned index)
{
	struct virtio_mmio *mmio = calloc(1, sizeof(*mmio));
	int ret = -ENOMEM;

	if (mmio) {
		mmio->device = device;
		mmio->vm = vm;
		mmio->gpa = machine_mmio_gpa(index);
		ret = irq_init_line(&mmio->irq, vm, machine_mmio_gsi(index));
	}
	if (ret < 0) {
		log_error("%s: cannot attach it: %s", device->name, strerror(-ret));
		free(mmio);
		return NULL;
	}
	device->transport = &mmio_transport;
	device->transport_context = mmio;
	atomic_store(&device->uses_isr, true);
	atomic_store(&device->config_irq, &mmio->irq);
	bus_add(&vm->mmio, mmio->gpa, LAYOUT_VIRTIO_MMIO_SIZE, &mmio_ops, mmio);
	return mmio;
}

void virtio_mmio_detach(struct virtio_mmio *mmio)
{
	irq_destroy(&mmio->irq);
	free(mmio);
}
