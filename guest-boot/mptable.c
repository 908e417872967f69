/*
 * mptable.c: the processors and the I/O APIC, for kernels without ACPI.
 *
 * boot.c writes this instead of ACPI tables with --transport mmio-cmdline.
 * Without it such a kernel would see one processor and no I/O APIC. It is
 * found by its signature in the last KiB of conventional memory.
 *
 * Source: Intel MultiProcessor Specification 1.4, chapter 4.
 */
#include <string.h>

#include "boot-arch.h"
#include "layout.h"

#define ENTRY_PROCESSOR       0
#define ENTRY_BUS             1
#define ENTRY_IOAPIC          2
#define ENTRY_INTERRUPT       3
#define ENTRY_LOCAL_INTERRUPT 4

#define CPU_ENABLED           1
#define CPU_BOOTSTRAP         2
#define CPU_FEATURES_FPU_APIC 0x201
#define APIC_VERSION          0x14

#define INTERRUPT_NORMAL   0
#define INTERRUPT_NMI      1
#define INTERRUPT_EXTERNAL 3
#define ALL_LAPICS         0xff

struct mp_floating {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16-byte units */
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5];
} __attribute__((packed));

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[8];
	char product[12];
	uint32_t oem_table;
	uint16_t oem_length;
	uint16_t entries;
	uint32_t lapic;
	uint32_t reserved;
} __attribute__((packed));

struct mp_processor {
	uint8_t type, apic_id, apic_version, flags;
	uint32_t signature, features;
	uint8_t reserved[8];
} __attribute__((packed));

struct mp_bus {
	uint8_t type, id;
	char name[6];
} __attribute__((packed));

struct mp_ioapic {
	uint8_t type, id, version, flags;
	uint32_t address;
} __attribute__((packed));

struct mp_interrupt {
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, bus_irq, apic, pin;
} __attribute__((packed));

struct mp_area {
	struct mp_floating floating;
	struct mp_header header;
	struct mp_processor cpus[VCPU_MAX];
	struct mp_bus isa;
	struct mp_ioapic ioapic;
	struct mp_interrupt lines[LAYOUT_IOAPIC_PINS];
	struct mp_interrupt local[2];
} __attribute__((packed));

_Static_assert(LAYOUT_EBDA + sizeof(struct mp_area) <= 0xa0000, "the MP table fits its KiB");

/* Entries follow each other without gaps, so they are appended, not indexed. */
static uint8_t *append(uint8_t *at, struct mp_header *header, const void *entry, size_t len)
{
	memcpy(at, entry, len);
	header->entries++;
	return at + len;
}

static uint8_t *append_interrupts(uint8_t *at, struct mp_header *header, uint8_t ioapic)
{
	struct mp_interrupt extint = {
		ENTRY_LOCAL_INTERRUPT, INTERRUPT_EXTERNAL, 0, 0, 0, ALL_LAPICS, 0
	};
	struct mp_interrupt nmi = { ENTRY_LOCAL_INTERRUPT, INTERRUPT_NMI, 0, 0, 0, ALL_LAPICS, 1 };

	/* ISA interrupt n is pin n; the bus's default is edge, active high. */
	for (uint8_t pin = 0; pin < LAYOUT_IOAPIC_PINS; pin++) {
		struct mp_interrupt line = {
			ENTRY_INTERRUPT, INTERRUPT_NORMAL, 0, 0, pin, ioapic, pin
		};

		at = append(at, header, &line, sizeof(line));
	}
	at = append(at, header, &extint, sizeof(extint));
	return append(at, header, &nmi, sizeof(nmi));
}

void mptable_write(const struct machine *machine)
{
	struct mp_area *area = memory_at(machine->memory, LAYOUT_EBDA, sizeof(*area));
	struct mp_header *header = &area->header;
	struct mp_bus isa = { ENTRY_BUS, 0, "ISA   " };
	struct mp_ioapic ioapic = { ENTRY_IOAPIC, (uint8_t)machine->cpus, 0x11, 1, LAYOUT_IOAPIC };
	uint8_t *at = (uint8_t *)area + offsetof(struct mp_area, cpus);

	memset(area, 0, sizeof(*area));
	for (unsigned i = 0; i < machine->cpus; i++) {
		struct mp_processor cpu = { .type = ENTRY_PROCESSOR,
					    .apic_id = (uint8_t)i,
					    .apic_version = APIC_VERSION,
					    .flags = CPU_ENABLED | (i == 0 ? CPU_BOOTSTRAP : 0),
					    .features = CPU_FEATURES_FPU_APIC };

		at = append(at, header, &cpu, sizeof(cpu));
	}
	at = append(at, header, &isa, sizeof(isa));
	at = append(at, header, &ioapic, sizeof(ioapic));
	at = append_interrupts(at, header, ioapic.id);

	memcpy(header->signature, "PCMP", 4);
	header->length = (uint16_t)(at - (uint8_t *)header);
	header->revision = 4;
	memcpy(header->oem, "LODGE   ", 8);
	memcpy(header->product, "LODGE       ", 12);
	header->lapic = LAYOUT_LAPIC;
	header->checksum = boot_checksum(header, header->length);

	memcpy(area->floating.signature, "_MP_", 4);
	area->floating.table = LAYOUT_EBDA + offsetof(struct mp_area, header);
	area->floating.length = 1;
	area->floating.revision = 4;
	area->floating.checksum = boot_checksum(&area->floating, sizeof(area->floating));
}
