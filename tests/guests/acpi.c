/*
 * acpi.c: the ACPI tables as an operating system reads them: checksums,
 * lengths, and that they describe the machine the guest runs on. Dumps every
 * table in hex for acpi.t, which disassembles them with iasl.
 */
#include "lib/guest.h"

static uint64_t field(const void *table, unsigned offset, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, (const uint8_t *)table + offset, bytes);
	return v;
}

/* A generic address structure: space, width, and address. */
static void check_register(const void *fadt, unsigned offset, uint64_t port, const char *name)
{
	is(field(fadt, offset, 1), 1, "FADT: %s register is a port", name);
	is(field(fadt, offset + 4, 8), port, "FADT: %s register is %#lx", name, port);
}

static void check_fadt(const struct acpi_header *t)
{
	uint32_t flags = field(t, 112, 4);

	ok(t->revision >= 5 && t->length >= 268, "FADT: of ACPI 5 or later");
	ok(flags >> 20 & 1, "FADT: hardware-reduced");
	ok(flags >> 10 & 1, "FADT: has a reset register");
	check_register(t, 116, 0x602, "reset");
	is(field(t, 128, 1), 1, "FADT: reset value");
	check_register(t, 244, 0x600, "sleep control");
	check_register(t, 256, 0x601, "sleep status");
}

static void check_madt(const struct acpi_header *t, unsigned cpus)
{
	unsigned lapics = 0, ioapics = 0, wrong = 0;

	is(field(t, 36, 4), LAPIC, "MADT: local APICs at %#x", LAPIC);
	for (unsigned at = 44; at + 2 <= t->length && field(t, at + 1, 1);
	     at += field(t, at + 1, 1)) {
		switch (field(t, at, 1)) {
		case 0:
			wrong += field(t, at + 3, 1) != lapics || !(field(t, at + 4, 4) & 1);
			lapics++;
			break;
		case 1:
			ioapics++;
			is(field(t, at + 4, 4), IOAPIC, "MADT: the I/O APIC's address");
			is(field(t, at + 8, 4), 0, "MADT: its first GSI");
			break;
		}
	}
	is(lapics, cpus, "MADT: %u CPUs", cpus);
	is(wrong, 0, "MADT: enabled, with APIC ids counted from 0");
	is(ioapics, 1, "MADT: one I/O APIC");
}

static void check_mcfg(const struct acpi_header *t)
{
	is(t->length, 60, "MCFG: one entry");
	is(field(t, 44, 8), 0xe0000000, "MCFG: ECAM's address");
	is(field(t, 54, 1), 0, "MCFG: from bus 0");
	is(field(t, 55, 1), 0, "MCFG: to bus 0");
	is(read32(0xe0000000), pci_read(0, 0, 4), "ECAM shows the host bridge there");
}

/* "@NAME 0123abc..." per table. */
static void dump(const char *name, const void *table, unsigned length)
{
	print("@%s ", name);
	for (unsigned i = 0; i < length; i++)
		print("%02x", (unsigned)field(table, i, 1));
	print("\n");
}

static void check_table(const struct acpi_header *t)
{
	char name[5] = "";

	memcpy(name, t->signature, 4);
	is(acpi_sum(t, t->length), 0, "%s: checksum", name);
	ok((uint64_t)t >= 0xe0000 && (uint64_t)t + t->length <= 0x100000,
	   "%s: lies in the reserved region", name);
	dump(name, t, t->length);
}

int main(void)
{
	uint64_t rsdp = acpi_rsdp();
	const struct acpi_header *t, *dsdt = acpi_find("DSDT", 0);

	if (!ok(rsdp, "an RSDP"))
		return 0;
	is(rsdp, 0xe0000, "where a scan finds it first");
	ok(field((void *)rsdp, 15, 1) >= 2, "RSDP: revision 2");
	is(acpi_sum((void *)rsdp, 20), 0, "RSDP: checksum");
	is(acpi_sum((void *)rsdp, 36), 0, "RSDP: extended checksum");
	check_table((const void *)field((void *)rsdp, 24, 8));
	for (unsigned i = 0; (t = acpi_table(i)); i++)
		check_table(t);
	if (ok(dsdt, "a DSDT"))
		check_table(dsdt);
	t = acpi_find("FACP", 0);
	if (ok(t, "a FADT"))
		check_fadt(t);
	t = acpi_find("APIC", 0);
	if (ok(t, "a MADT"))
		check_madt(t, option_number("cpus", 1));
	t = acpi_find("MCFG", 0);
	if (ok(t, "an MCFG"))
		check_mcfg(t);
	if (option("mmio")) /* dsdt.asl: one bit per virtio-mmio device */
		is(read32(0xffff0), option_number("mmio", 0), "the virtio-mmio devices that exist");
	return 0;
}
