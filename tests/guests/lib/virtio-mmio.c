/*
 * virtio-mmio.c: the memory-mapped transport (virtio 1.2, 4.2). Devices are
 * declared either by `virtio_mmio.device=SIZE@BASE:IRQ` words or in ACPI as
 * LNRO0005, whose resources are read off the DSDT's bytes without interpreting
 * AML (Linux does that; see the boot tests). One interrupt line for all queues, through the I/O
 * APIC.
 */
#include "virtio.h"

enum {
	MAGIC = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_NUM_MAX = 0x034,
	QUEUE_NUM = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC = 0x080,
	QUEUE_DRIVER = 0x090,
	QUEUE_DEVICE = 0x0a0,
	QUEUE_RESET = 0x0c0,
	GENERATION = 0x0fc,
	CONFIG = 0x100,
};

static uint32_t get_features(struct virtio *v, unsigned sel)
{
	write32(v->base + DEVICE_FEATURES_SEL, sel);
	return read32(v->base + DEVICE_FEATURES);
}

static void set_features(struct virtio *v, unsigned sel, uint32_t bits)
{
	write32(v->base + DRIVER_FEATURES_SEL, sel);
	write32(v->base + DRIVER_FEATURES, bits);
}

static uint8_t get_status(struct virtio *v)
{
	return read32(v->base + STATUS);
}

static void set_status(struct virtio *v, uint8_t status)
{
	write32(v->base + STATUS, status);
}

static unsigned queue_max(struct virtio *v, unsigned queue)
{
	write32(v->base + QUEUE_SEL, queue);
	return read32(v->base + QUEUE_NUM_MAX);
}

static void write_address(uintptr_t at, uint64_t value)
{
	write32(at, value);
	write32(at + 4, value >> 32);
}

static void queue_setup(struct virtio *v, unsigned queue, unsigned num, uint64_t desc,
			uint64_t avail, uint64_t used)
{
	write32(v->base + QUEUE_SEL, queue);
	write32(v->base + QUEUE_NUM, num);
	write_address(v->base + QUEUE_DESC, desc);
	write_address(v->base + QUEUE_DRIVER, avail);
	write_address(v->base + QUEUE_DEVICE, used);
}

static void queue_enable(struct virtio *v, unsigned queue)
{
	write32(v->base + QUEUE_SEL, queue);
	write32(v->base + QUEUE_READY, 1);
}

static bool queue_enabled(struct virtio *v, unsigned queue)
{
	write32(v->base + QUEUE_SEL, queue);
	return read32(v->base + QUEUE_READY);
}

static void queue_reset(struct virtio *v, unsigned queue)
{
	write32(v->base + QUEUE_SEL, queue);
	write32(v->base + QUEUE_RESET, 1);
}

static bool queue_resetting(struct virtio *v, unsigned queue)
{
	write32(v->base + QUEUE_SEL, queue);
	return read32(v->base + QUEUE_RESET);
}

static void route(struct virtio *v, unsigned queues)
{
	if (!v->vectors[0]) {
		unsigned vector = irq_vector();

		for (unsigned i = 0; i <= MAX_QUEUES; i++)
			v->vectors[i] = vector;
		ioapic_route(v->gsi, vector, 0);
	}
	(void)queues;
}

static void notify(struct virtio *v, unsigned queue)
{
	write32(v->base + QUEUE_NOTIFY, queue);
}

static uint8_t acknowledge(struct virtio *v)
{
	uint32_t status = read32(v->base + INTERRUPT_STATUS);

	write32(v->base + INTERRUPT_ACK, status);
	return status;
}

static uint32_t generation(struct virtio *v)
{
	return read32(v->base + GENERATION);
}

static const struct virtio_transport mmio_transport = {
	get_features, set_features, get_status,    set_status,  queue_max,
	queue_setup,  queue_enable, queue_enabled, queue_reset, queue_resetting,
	route,        notify,       acknowledge,   generation,
};

static uint64_t parse_number(const char **s)
{
	uint64_t v = 0;
	unsigned base = starts_with(*s, "0x") ? 16 : 10, digit;

	if (base == 16)
		*s += 2;
	for (;; (*s)++) {
		char c = **s;

		digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' ? (c | 32) - 'a' + 10 : 99;
		if (digit >= base)
			return v;
		v = v * base + digit;
	}
}

/* The nth `virtio_mmio.device=` word. */
static bool declared_by_word(unsigned n, uintptr_t *base, unsigned *gsi)
{
	static const char word[] = "virtio_mmio.device=";

	for (const char *s = boot.command_line; *s; s++) {
		if (!starts_with(s, word) || n--)
			continue;
		while (*s != '@')
			s++;
		s++;
		*base = parse_number(&s);
		s++;
		*gsi = parse_number(&s);
		return true;
	}
	return false;
}

/* The nth LNRO0005 of the DSDT. Its resources are made by a method called with
 * a dword (AML 0C) above 0xFE000000, the base, and a byte (0A), the GSI: take
 * them from the call. Whether the device exists it says itself. */
static bool declared_by_acpi(unsigned n, uintptr_t *base, unsigned *gsi)
{
	const struct acpi_header *dsdt = acpi_find("DSDT", 0);
	const uint8_t *p = (const uint8_t *)dsdt, *end;

	if (!dsdt)
		return false;
	for (end = p + dsdt->length - 8; p < end; p++) {
		uint32_t word;

		if (!starts_with((const char *)p, "LNRO0005") || n--)
			continue;
		while (p < end && (p[0] != 0x0c || p[4] != 0xfe || p[5] != 0x0a))
			p++;
		memcpy(&word, p + 1, 4);
		*base = word;
		*gsi = p[6];
		return true;
	}
	return false;
}

bool virtio_find_mmio(struct virtio *v, unsigned type, unsigned n)
{
	uintptr_t base;
	unsigned gsi;

	for (unsigned i = 0; declared_by_word(i, &base, &gsi) || declared_by_acpi(i, &base, &gsi);
	     i++) {
		if (read32(base + MAGIC) != 0x74726976 || read32(base + VERSION) != 2 ||
		    read32(base + DEVICE_ID) != type || n--)
			continue;
		*v = (struct virtio){ .transport = &mmio_transport,
				      .type = type,
				      .base = base,
				      .config = base + CONFIG,
				      .gsi = gsi };
		return true;
	}
	return false;
}
