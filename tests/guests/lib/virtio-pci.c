/*
 * virtio-pci.c: the modern PCI transport (virtio 1.2, 4.1): structures found
 * through vendor capabilities, interrupts by MSI-X, entry n+1 for queue n and
 * entry 0 for configuration changes.
 */
#include "virtio.h"

enum { /* struct virtio_pci_common_cfg */
       DEVICE_FEATURE_SELECT = 0x00,
       DEVICE_FEATURE = 0x04,
       DRIVER_FEATURE_SELECT = 0x08,
       DRIVER_FEATURE = 0x0c,
       CONFIG_VECTOR = 0x10,
       NUM_QUEUES = 0x12,
       DEVICE_STATUS = 0x14,
       GENERATION = 0x15,
       QUEUE_SELECT = 0x16,
       QUEUE_SIZE = 0x18,
       QUEUE_VECTOR = 0x1a,
       QUEUE_ENABLE = 0x1c,
       QUEUE_NOTIFY_OFF = 0x1e,
       QUEUE_DESC = 0x20,
       QUEUE_DRIVER = 0x28,
       QUEUE_DEVICE = 0x30,
       QUEUE_RESET = 0x3a,
};

static uint32_t get_features(struct virtio *v, unsigned sel)
{
	write32(v->common + DEVICE_FEATURE_SELECT, sel);
	return read32(v->common + DEVICE_FEATURE);
}

static void set_features(struct virtio *v, unsigned sel, uint32_t bits)
{
	write32(v->common + DRIVER_FEATURE_SELECT, sel);
	write32(v->common + DRIVER_FEATURE, bits);
}

static uint8_t get_status(struct virtio *v)
{
	return read8(v->common + DEVICE_STATUS);
}

static void set_status(struct virtio *v, uint8_t status)
{
	write8(v->common + DEVICE_STATUS, status);
}

static unsigned queue_max(struct virtio *v, unsigned queue)
{
	write16(v->common + QUEUE_SELECT, queue);
	return read16(v->common + QUEUE_SIZE);
}

static void write_address(uintptr_t at, uint64_t value)
{
	write32(at, value);
	write32(at + 4, value >> 32);
}

static void queue_setup(struct virtio *v, unsigned queue, unsigned num, uint64_t desc,
			uint64_t avail, uint64_t used)
{
	write16(v->common + QUEUE_SELECT, queue);
	write16(v->common + QUEUE_SIZE, num);
	write_address(v->common + QUEUE_DESC, desc);
	write_address(v->common + QUEUE_DRIVER, avail);
	write_address(v->common + QUEUE_DEVICE, used);
}

static void queue_enable(struct virtio *v, unsigned queue)
{
	write16(v->common + QUEUE_SELECT, queue);
	write16(v->common + QUEUE_ENABLE, 1);
}

static bool queue_enabled(struct virtio *v, unsigned queue)
{
	write16(v->common + QUEUE_SELECT, queue);
	return read16(v->common + QUEUE_ENABLE);
}

static void queue_reset(struct virtio *v, unsigned queue)
{
	write16(v->common + QUEUE_SELECT, queue);
	write16(v->common + QUEUE_RESET, 1);
}

static bool queue_resetting(struct virtio *v, unsigned queue)
{
	write16(v->common + QUEUE_SELECT, queue);
	return read16(v->common + QUEUE_RESET);
}

void msix_route(struct virtio *v, unsigned entry, unsigned vector, unsigned lapic)
{
	uintptr_t at = v->msix_table + 16 * entry;

	write32(at, LAPIC | lapic << 12);
	write32(at + 4, 0);
	write32(at + 8, vector);
	write32(at + 12, 0);
}

void msix_mask(struct virtio *v, unsigned entry, bool masked)
{
	write32(v->msix_table + 16 * entry + 12, masked);
}

void msix_control(struct virtio *v, bool enable, bool function_mask)
{
	pci_write(v->function, v->msix + 2, 2, enable << 15 | function_mask << 14);
}

bool msix_pending(struct virtio *v, unsigned entry)
{
	return read32(v->msix_pba + entry / 32 * 4) >> entry % 32 & 1;
}

/* Vectors survive a reset of the device, what it knows of them does not: so
 * tell it again each time. */
static void route(struct virtio *v, unsigned queues)
{
	msix_control(v, true, false);
	for (unsigned i = 0; i <= queues && i < v->msix_entries; i++) {
		unsigned *vector = i ? &v->vectors[i - 1] : &v->vectors[MAX_QUEUES];

		if (!*vector)
			*vector = irq_vector();
		msix_route(v, i, *vector, 0);
		if (i) {
			write16(v->common + QUEUE_SELECT, i - 1);
			write16(v->common + QUEUE_VECTOR, i);
		} else {
			write16(v->common + CONFIG_VECTOR, 0);
		}
	}
}

/* The queue's own number is its notify offset: transport.c checks that it is. */
static void notify(struct virtio *v, unsigned queue)
{
	write16(v->notify + queue * v->notify_multiplier, queue);
}

static uint8_t acknowledge(struct virtio *v)
{
	return read8(v->isr);
}

static uint32_t generation(struct virtio *v)
{
	return read8(v->common + GENERATION);
}

static const struct virtio_transport pci_transport = {
	get_features, set_features, get_status,    set_status,  queue_max,
	queue_setup,  queue_enable, queue_enabled, queue_reset, queue_resetting,
	route,        notify,       acknowledge,   generation,
};

/* Where a structure that lies in a BAR starts: the bar and offset fields. */
static uintptr_t in_bar(unsigned function, unsigned bar, uint32_t offset)
{
	return pci_bar(function, bar) + offset;
}

bool virtio_find_pci(struct virtio *v, unsigned type, unsigned n)
{
	unsigned f, at;

	for (f = 0; f < 256; f += 8)
		if (pci_read(f, 0, 4) == (0x1af4 | (0x1040 + type) << 16) && !n--)
			break;
	if (f == 256)
		return false;
	*v = (struct virtio){
		.transport = &pci_transport, .pci = true, .type = type, .function = f
	};
	pci_write(f, 4, 2, 0x6); /* memory decoding, bus mastering */
	for (at = 0; (at = pci_capability(f, 0x09, at));) {
		uintptr_t address = in_bar(f, pci_read(f, at + 4, 1), pci_read(f, at + 8, 4));

		switch (pci_read(f, at + 3, 1)) {
		case 1:
			v->common = address;
			break;
		case 2:
			v->notify = address;
			v->notify_multiplier = pci_read(f, at + 16, 4);
			break;
		case 3:
			v->isr = address;
			break;
		case 4:
			v->config = address;
			break;
		}
	}
	at = v->msix = pci_capability(f, 0x11, 0);
	if (at) {
		uint32_t table = pci_read(f, at + 4, 4), pba = pci_read(f, at + 8, 4);

		v->msix_entries = (pci_read(f, at + 2, 2) & 0x7ff) + 1;
		v->msix_table = in_bar(f, table & 7, table & ~7);
		v->msix_pba = in_bar(f, pba & 7, pba & ~7);
	}
	return v->common && v->notify && v->isr && v->msix;
}
