/*
 * acpi.c: the machine, as ACPI tables.
 *
 * boot.c calls acpi_write(). The namespace is guest-boot/dsdt.asl, compiled
 * by iasl at build time; what depends on the options (processors, devices
 * present) is written here. "Hardware-reduced" means: no PM timer, no SCI,
 * no legacy interrupt controllers to probe; power off and reset are single
 * registers.
 *
 *   RSDP -> XSDT -> FADT -> DSDT
 *                -> MADT   processors, I/O APIC
 *                -> MCFG   PCI configuration window
 *
 * Source: ACPI specification 6.4, chapter 5; PCI Firmware specification 3.2, 4.1.2 (MCFG).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "boot-arch.h"
#include "dsdt.hex"
#include "layout.h"
#include "log.h"

#define FACT_GPA 0xffff0 /* the dword that dsdt.asl calls VMIO */

#define FADT_WBINVD           (1u << 0)
#define FADT_PROC_C1          (1u << 2)
#define FADT_NO_POWER_BUTTON  (1u << 4)
#define FADT_NO_SLEEP_BUTTON  (1u << 5)
#define FADT_RESET_REGISTER   (1u << 10)
#define FADT_HARDWARE_REDUCED (1u << 20)
#define FADT_BOOT_NO_VGA      (1u << 2)
#define FADT_BOOT_NO_RTC      (1u << 5)

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_register {  /* generic address structure */
	uint8_t space;  /* 1: I/O port */
	uint8_t width;  /* bits */
	uint8_t offset; /* bits */
	uint8_t access; /* 1: byte */
	uint64_t address;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all of it */
	uint8_t reserved[3];
} __attribute__((packed));

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t tables[3];
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header header;
	uint32_t firmware_control;
	uint32_t dsdt;
	uint8_t unused1[109 - 44];
	uint16_t boot_flags;
	uint8_t unused2;
	uint32_t flags;
	struct acpi_register reset_register;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_version;
	uint64_t x_firmware_control;
	uint64_t x_dsdt;
	uint8_t unused3[244 - 148];
	struct acpi_register sleep_control;
	struct acpi_register sleep_status;
	char hypervisor[8];
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT revision 6 has 276 bytes");

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
	struct {
		uint8_t type, length; /* 1, 12 */
		uint8_t id, reserved;
		uint32_t address, gsi_base;
	} __attribute__((packed)) ioapic;
	struct {
		uint8_t type, length; /* 0, 8 */
		uint8_t uid, apic_id;
		uint32_t flags; /* 1: enabled */
	} __attribute__((packed)) cpus[VCPU_MAX];
} __attribute__((packed));

struct acpi_mcfg {
	struct acpi_header header;
	uint8_t reserved[8];
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint8_t reserved2[4];
} __attribute__((packed));

/* All of them, as they lie in guest memory. */
struct acpi_area {
	struct acpi_rsdp rsdp __attribute__((aligned(16)));
	struct acpi_xsdt xsdt __attribute__((aligned(16)));
	struct acpi_fadt fadt __attribute__((aligned(16)));
	struct acpi_madt madt __attribute__((aligned(16)));
	struct acpi_mcfg mcfg __attribute__((aligned(16)));
	uint8_t dsdt[sizeof(dsdt_aml_code)] __attribute__((aligned(16)));
};

_Static_assert(LAYOUT_ACPI + sizeof(struct acpi_area) <= FACT_GPA, "the tables fit below 1 MiB");

static void finish(struct acpi_header *header, const char *signature, uint8_t revision,
		   uint32_t length)
{
	memcpy(header->signature, signature, 4);
	header->length = length;
	header->revision = revision;
	memcpy(header->oem_id, "LODGE ", 6);
	memcpy(header->oem_table_id, "LODGE   ", 8);
	header->oem_revision = 1;
	memcpy(header->creator_id, "LODG", 4);
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = boot_checksum(header, length);
}

static struct acpi_register port_register(uint64_t port)
{
	return (struct acpi_register){ .space = 1, .width = 8, .access = 1, .address = port };
}

#define GPA_OF(member) (LAYOUT_ACPI + offsetof(struct acpi_area, member))

static void write_fadt(struct acpi_fadt *fadt)
{
	fadt->dsdt = (uint32_t)GPA_OF(dsdt);
	fadt->x_dsdt = GPA_OF(dsdt);
	fadt->boot_flags = FADT_BOOT_NO_VGA | FADT_BOOT_NO_RTC;
	fadt->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
		      FADT_RESET_REGISTER | FADT_HARDWARE_REDUCED;
	fadt->reset_register = port_register(LAYOUT_RESET);
	fadt->reset_value = 1;
	fadt->minor_version = 4;
	fadt->sleep_control = port_register(LAYOUT_SLEEP_CONTROL);
	fadt->sleep_status = port_register(LAYOUT_SLEEP_STATUS);
	memcpy(fadt->hypervisor, "LODGE\0\0\0", 8);
	finish(&fadt->header, "FACP", 6, sizeof(*fadt));
}

static void write_madt(struct acpi_madt *madt, unsigned cpus)
{
	size_t length = offsetof(struct acpi_madt, cpus) + cpus * sizeof(madt->cpus[0]);

	madt->lapic_address = LAYOUT_LAPIC;
	madt->ioapic.type = 1;
	madt->ioapic.length = sizeof(madt->ioapic);
	madt->ioapic.id = 0;
	madt->ioapic.address = LAYOUT_IOAPIC;
	for (unsigned i = 0; i < cpus; i++) {
		madt->cpus[i].type = 0;
		madt->cpus[i].length = sizeof(madt->cpus[i]);
		madt->cpus[i].uid = (uint8_t)i;
		madt->cpus[i].apic_id = (uint8_t)i;
		madt->cpus[i].flags = 1;
	}
	finish(&madt->header, "APIC", 5, (uint32_t)length);
}

static void write_mcfg(struct acpi_mcfg *mcfg)
{
	mcfg->base = LAYOUT_ECAM;
	mcfg->last_bus = 0;
	finish(&mcfg->header, "MCFG", 1, sizeof(*mcfg));
}

static void write_xsdt(struct acpi_xsdt *xsdt)
{
	xsdt->tables[0] = GPA_OF(fadt);
	xsdt->tables[1] = GPA_OF(madt);
	xsdt->tables[2] = GPA_OF(mcfg);
	finish(&xsdt->header, "XSDT", 1, sizeof(*xsdt));
}

static void write_rsdp(struct acpi_rsdp *rsdp)
{
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "LODGE ", 6);
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = GPA_OF(xsdt);
	rsdp->checksum = boot_checksum(rsdp, 20);
	rsdp->extended_checksum = boot_checksum(rsdp, sizeof(*rsdp));
}

void acpi_write(const struct machine *machine)
{
	struct acpi_area *area = memory_at(machine->memory, LAYOUT_ACPI, sizeof(*area));
	uint32_t *present = memory_at(machine->memory, FACT_GPA, sizeof(*present));

	memset(area, 0, sizeof(*area));
	memcpy(area->dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	write_fadt(&area->fadt);
	write_madt(&area->madt, machine->cpus);
	write_mcfg(&area->mcfg);
	write_xsdt(&area->xsdt);
	write_rsdp(&area->rsdp);
	*present = machine->transport == TRANSPORT_MMIO ? (1u << machine->devices) - 1 : 0;
}

static int dump_table(const char *directory, const char *name, const void *bytes, size_t len)
{
	char file[4096];

	snprintf(file, sizeof(file), "%s/%s.dat", directory, name);
	return boot_dump("--dump-acpi", file, bytes, len);
}

int acpi_dump(const struct machine *machine, const char *directory)
{
	const struct acpi_area *area = memory_at(machine->memory, LAYOUT_ACPI, sizeof(*area));
	const struct {
		const char *name;
		const void *table;
		size_t len;
	} tables[] = {
		{ "rsdp", &area->rsdp, sizeof(area->rsdp) },
		{ "xsdt", &area->xsdt, area->xsdt.header.length },
		{ "facp", &area->fadt, area->fadt.header.length },
		{ "apic", &area->madt, area->madt.header.length },
		{ "mcfg", &area->mcfg, area->mcfg.header.length },
		{ "dsdt", area->dsdt, sizeof(area->dsdt) },
	};

	if (mkdir(directory, 0777) < 0 && errno != EEXIST) {
		log_error("--dump-acpi: cannot make %s: %m", directory);
		return -1;
	}
	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (dump_table(directory, tables[i].name, tables[i].table, tables[i].len) < 0)
			return -1;
	return 0;
}
