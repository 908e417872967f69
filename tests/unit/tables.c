/*
 * tables.c: what the guest is told of its machine, read back as a guest
 * would: ACPI from the RSDP on, the MP table from its signature on. Every
 * length and checksum is looked at, for one processor and for sixteen.
 */
#include <string.h>

#include "boot-arch.h"
#include "layout.h"
#include "lib/unit.h"

static struct memory memory;

static int set_up(void **state)
{
	(void)state;
	memory = unit_memory(16 * MIB);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_free(&memory);
	return 0;
}

static struct machine machine_with(unsigned cpus, enum transport transport, unsigned devices)
{
	return (struct machine){
		.memory = &memory, .transport = transport, .cpus = cpus, .devices = devices
	};
}

static const uint8_t *at(uint64_t gpa)
{
	const uint8_t *bytes = memory_at(&memory, gpa, 1);

	assert_non_null(bytes);
	return bytes;
}

static uint64_t number(uint64_t gpa, unsigned len)
{
	uint64_t value = 0;

	memcpy(&value, at(gpa), len);
	return value;
}

static void assert_sums_to_zero(uint64_t gpa, uint64_t len)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + *at(gpa + i));
	assert_int_equal(sum, 0);
}

static void checksum(void **state)
{
	static const uint8_t bytes[] = { 0xff, 0x02, 0x80, 0x7e };

	(void)state;
	assert_int_equal(boot_checksum(bytes, 0), 0);
	assert_int_equal(boot_checksum(bytes, 1), 1);
	assert_int_equal(boot_checksum(bytes, 2), 0xff);
	assert_int_equal(boot_checksum(bytes, 4), 1);
}

/* --- ACPI --- */

#define ACPI_HEADER 36

/* Check the table at gpa; returns its length. */
static uint32_t check_table(uint64_t gpa, const char *signature)
{
	uint32_t len = (uint32_t)number(gpa + 4, 4);

	assert_memory_equal(at(gpa), signature, 4);
	assert_true(len >= ACPI_HEADER);
	assert_in_range(gpa, LAYOUT_ACPI, LAYOUT_ACPI_END - len);
	assert_sums_to_zero(gpa, len);
	return len;
}

/* The table with this signature, through RSDP and XSDT. */
static uint64_t find_table(const char *signature)
{
	uint64_t xsdt = number(LAYOUT_ACPI + 24, 8);
	uint32_t len = check_table(xsdt, "XSDT");

	for (uint32_t i = ACPI_HEADER; i < len; i += 8)
		if (memcmp(at(number(xsdt + i, 8)), signature, 4) == 0)
			return number(xsdt + i, 8);
	fail_msg("no table %s", signature);
	return 0;
}

static void check_rsdp(void)
{
	assert_memory_equal(at(LAYOUT_ACPI), "RSD PTR ", 8);
	assert_sums_to_zero(LAYOUT_ACPI, 20);
	assert_int_equal(number(LAYOUT_ACPI + 15, 1), 2); /* revision: there is an XSDT */
	assert_int_equal(number(LAYOUT_ACPI + 20, 4), 36);
	assert_sums_to_zero(LAYOUT_ACPI, 36);
}

/* A generic address structure: the I/O port it names. */
static uint64_t port_register(uint64_t gpa)
{
	assert_int_equal(number(gpa, 1), 1);     /* system I/O */
	assert_int_equal(number(gpa + 1, 1), 8); /* bits */
	assert_int_equal(number(gpa + 2, 1), 0);
	return number(gpa + 4, 8);
}

static void check_fadt(void)
{
	uint64_t fadt = find_table("FACP"), dsdt = number(fadt + 140, 8);

	assert_int_equal(check_table(fadt, "FACP"), 276);
	assert_int_equal(number(fadt + 8, 1), 6);
	assert_true(number(fadt + 112, 4) & 1u << 20); /* hardware-reduced */
	assert_true(number(fadt + 112, 4) & 1u << 10); /* has a reset register */
	assert_int_equal(port_register(fadt + 116), LAYOUT_RESET);
	assert_int_equal(number(fadt + 128, 1), 1);
	assert_int_equal(port_register(fadt + 244), LAYOUT_SLEEP_CONTROL);
	assert_int_equal(port_register(fadt + 256), LAYOUT_SLEEP_STATUS);
	assert_int_equal(number(fadt + 40, 4), dsdt);
	check_table(dsdt, "DSDT");
}

static void check_madt(unsigned cpus)
{
	uint64_t madt = find_table("APIC"), entry = madt + 44;
	uint32_t len = check_table(madt, "APIC");
	unsigned ioapics = 0, found = 0;

	assert_int_equal(number(madt + 36, 4), LAYOUT_LAPIC);
	while (entry < madt + len) {
		uint64_t size = number(entry + 1, 1);

		if (number(entry, 1) == 1) {
			assert_int_equal(size, 12);
			assert_int_equal(number(entry + 4, 4), LAYOUT_IOAPIC);
			assert_int_equal(number(entry + 8, 4), 0);
			ioapics++;
		} else {
			assert_int_equal(number(entry, 1), 0);
			assert_int_equal(size, 8);
			assert_int_equal(number(entry + 2, 1), found);
			assert_int_equal(number(entry + 3, 1), found);
			assert_int_equal(number(entry + 4, 4), 1);
			found++;
		}
		entry += size;
	}
	assert_int_equal(entry, madt + len);
	assert_int_equal(ioapics, 1);
	assert_int_equal(found, cpus);
}

static void check_mcfg(void)
{
	uint64_t mcfg = find_table("MCFG");

	assert_int_equal(check_table(mcfg, "MCFG"), 60);
	assert_int_equal(number(mcfg + 44, 8), LAYOUT_ECAM);
	assert_int_equal(number(mcfg + 52, 2), 0);
	assert_int_equal(number(mcfg + 54, 1), 0);
	assert_int_equal(number(mcfg + 55, 1), 0);
}

static void acpi_tables(void **state)
{
	/* Sixteen before one: nothing of the first must be left in the second. */
	static const unsigned cpus[] = { 1, 16, 1, 2 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(cpus); i++) {
		struct machine machine = machine_with(cpus[i], TRANSPORT_PCI, 3);

		acpi_write(&machine);
		check_rsdp();
		check_fadt();
		check_madt(cpus[i]);
		check_mcfg();
	}
}

/* No two tables share a byte: each is a hole in what the others may use. */
static void acpi_tables_do_not_overlap(void **state)
{
	struct machine machine = machine_with(16, TRANSPORT_PCI, 3);
	uint64_t fadt, tables[5];

	(void)state;
	acpi_write(&machine);
	fadt = find_table("FACP");
	tables[0] = fadt;
	tables[1] = find_table("APIC");
	tables[2] = find_table("MCFG");
	tables[3] = number(fadt + 140, 8);
	tables[4] = number(LAYOUT_ACPI + 24, 8);
	for (unsigned i = 0; i < COUNT_OF(tables); i++) {
		uint64_t end = tables[i] + number(tables[i] + 4, 4);

		assert_true(tables[i] >= LAYOUT_ACPI + 36);
		for (unsigned j = 0; j < COUNT_OF(tables); j++)
			assert_true(j == i || tables[j] >= end || tables[j] < tables[i]);
	}
}

/* The dword by which the DSDT knows which virtio-mmio devices there are. */
static void acpi_names_mmio_devices(void **state)
{
	struct machine machine = machine_with(1, TRANSPORT_MMIO, 3);

	(void)state;
	acpi_write(&machine);
	assert_int_equal(number(0xffff0, 4), 7);
	machine.devices = LAYOUT_VIRTIO_MMIO_MAX;
	acpi_write(&machine);
	assert_int_equal(number(0xffff0, 4), 0x1ffff);
	machine.devices = MACHINE_PCI_MAX;
	machine.transport = TRANSPORT_PCI;
	acpi_write(&machine);
	assert_int_equal(number(0xffff0, 4), 0);
}

/* --- The MP table --- */

/* As a kernel looks for it: on 16-byte boundaries in the last KiB. */
static uint64_t find_floating_pointer(void)
{
	for (uint64_t gpa = LAYOUT_EBDA; gpa < 0xa0000; gpa += 16)
		if (memcmp(at(gpa), "_MP_", 4) == 0)
			return gpa;
	fail_msg("no _MP_");
	return 0;
}

static void check_mptable(unsigned cpus)
{
	uint64_t pointer = find_floating_pointer(), table = number(pointer + 4, 4), entry;
	unsigned counts[5] = { 0 }, entries = 0;
	uint64_t len = number(table + 4, 2), ioapic_id = 0;

	assert_sums_to_zero(pointer, 16 * number(pointer + 8, 1));
	assert_memory_equal(at(table), "PCMP", 4);
	assert_sums_to_zero(table, len);
	assert_true(table + len <= 0xa0000);
	assert_int_equal(number(table + 36, 4), LAYOUT_LAPIC);

	for (entry = table + 44; entry < table + len; entries++) {
		uint64_t type = number(entry, 1);

		assert_in_range(type, 0, 4);
		counts[type]++;
		if (type == 0) {
			/* Enabled; the first is the one that boots. */
			assert_int_equal(number(entry + 1, 1), counts[0] - 1);
			assert_int_equal(number(entry + 3, 1), counts[0] == 1 ? 3 : 1);
		} else if (type == 2) {
			ioapic_id = number(entry + 1, 1);
			assert_int_equal(number(entry + 3, 1) & 1, 1);
			assert_int_equal(number(entry + 4, 4), LAYOUT_IOAPIC);
		} else if (type == 3) {
			assert_int_equal(number(entry + 6, 1), ioapic_id);
			assert_int_equal(number(entry + 7, 1), number(entry + 5, 1));
		}
		entry += type == 0 ? 20 : 8;
	}
	assert_int_equal(entry, table + len);
	assert_int_equal(entries, number(table + 34, 2));
	assert_int_equal(counts[0], cpus);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 1);
	assert_int_equal(counts[3], LAYOUT_IOAPIC_PINS);
	assert_int_equal(counts[4], 2);
	assert_true(ioapic_id >= cpus); /* an id of its own */
}

static void mp_table(void **state)
{
	static const unsigned cpus[] = { 1, 16, 1, 2 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(cpus); i++) {
		struct machine machine = machine_with(cpus[i], TRANSPORT_MMIO_CMDLINE, 3);

		mptable_write(&machine);
		check_mptable(cpus[i]);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(checksum),
		TEST(acpi_tables),
		TEST(acpi_tables_do_not_overlap),
		TEST(acpi_names_mmio_devices),
		TEST(mp_table),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
