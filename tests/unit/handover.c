/*
 * handover.c: the two pages by which a kernel is told of its machine: Linux's
 * boot_params and PVH's start_info, read back as the kernel would.
 */
#include <string.h>

#include "boot-arch.h"
#include "layout.h"
#include "lib/unit.h"

static struct memory memory;
static struct machine machine;
static struct kernel kernel;
static const struct initrd no_initrd, some_initrd = { .gpa = 0x3000000, .size = 0x12345 };

static int set_up(void **state)
{
	(void)state;
	memory = unit_memory(3 * GIB + 64 * MIB);
	machine = (struct machine){ .memory = &memory, .cpus = 1 };
	kernel = (struct kernel){ 0 };
	/* A page that is not empty: what is not written must be cleared. */
	memset(memory_at(&memory, LAYOUT_ZERO_PAGE, 4096), 0xa5, 4096);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_free(&memory);
	return 0;
}

static struct boot_params *write_zeropage(const struct initrd *initrd)
{
	zeropage_write(&machine, &kernel, initrd);
	assert_int_equal(kernel.entry.param, LAYOUT_ZERO_PAGE);
	return memory_at(&memory, LAYOUT_ZERO_PAGE, sizeof(struct boot_params));
}

static void zeropage(void **state)
{
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = memory_map(&memory, map);
	struct boot_params *params;

	(void)state;
	kernel.arch.setup.kernel_alignment = 0x200000; /* the file's own: kept */
	kernel.arch.setup.code32_start = 0x1000000;
	params = write_zeropage(&some_initrd);
	assert_int_equal(params->hdr.kernel_alignment, 0x200000);
	assert_int_equal(params->hdr.code32_start, 0x1000000);
	assert_int_equal(params->hdr.boot_flag, 0xaa55);
	assert_int_equal(params->hdr.header, 0x53726448);
	assert_int_equal(params->hdr.type_of_loader, 0xff);
	assert_true(params->hdr.loadflags & LOADED_HIGH);
	assert_int_equal(params->hdr.cmd_line_ptr, LAYOUT_CMDLINE);
	assert_int_equal(params->ext_cmd_line_ptr, 0);
	assert_int_equal(params->hdr.ramdisk_image, some_initrd.gpa);
	assert_int_equal(params->hdr.ramdisk_size, some_initrd.size);
	assert_int_equal(params->ext_ramdisk_image, 0);
	assert_int_equal(params->ext_ramdisk_size, 0);
	assert_int_equal(params->acpi_rsdp_addr, LAYOUT_ACPI);
	assert_int_equal(params->sentinel, 0);
	assert_int_equal(params->e820_entries, count);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(params->e820_table[i].addr, map[i].gpa);
		assert_int_equal(params->e820_table[i].size, map[i].size);
		assert_int_equal(params->e820_table[i].type, map[i].type);
	}
	assert_int_equal(params->e820_table[count].size, 0);
}

static void zeropage_without_the_rest(void **state)
{
	const struct boot_params *params;

	(void)state;
	machine.transport = TRANSPORT_MMIO_CMDLINE; /* no ACPI tables were written */
	params = write_zeropage(&no_initrd);
	assert_int_equal(params->hdr.ramdisk_image, 0);
	assert_int_equal(params->hdr.ramdisk_size, 0);
	assert_int_equal(params->acpi_rsdp_addr, 0);
}

/* As xen/include/public/arch-x86/hvm/start_info.h has it, by offsets. */
static uint64_t number(uint64_t gpa, unsigned len)
{
	uint64_t value = 0;

	memcpy(&value, memory_at(&memory, gpa, len), len);
	return value;
}

static void check_pvh_map(uint64_t info)
{
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = memory_map(&memory, map);
	uint64_t entry = number(info + 40, 8);

	assert_int_equal(number(info + 48, 4), count);
	for (unsigned i = 0; i < count; i++, entry += 24) {
		assert_int_equal(number(entry, 8), map[i].gpa);
		assert_int_equal(number(entry + 8, 8), map[i].size);
		assert_int_equal(number(entry + 16, 4), map[i].type);
		assert_int_equal(number(entry + 20, 4), 0);
	}
}

static void pvh(void **state)
{
	uint64_t info, module;

	(void)state;
	pvh_write(&machine, &kernel, &some_initrd);
	info = kernel.entry.param;
	assert_int_equal(number(info, 4), 0x336ec578);
	assert_int_equal(number(info + 4, 4), 1);
	assert_int_equal(number(info + 8, 4), 0);
	assert_int_equal(number(info + 12, 4), 1);
	assert_int_equal(number(info + 24, 8), LAYOUT_CMDLINE);
	assert_int_equal(number(info + 32, 8), LAYOUT_ACPI);
	module = number(info + 16, 8);
	assert_int_equal(number(module, 8), some_initrd.gpa);
	assert_int_equal(number(module + 8, 8), some_initrd.size);
	assert_int_equal(number(module + 16, 8), 0);
	check_pvh_map(info);
}

static void pvh_without_the_rest(void **state)
{
	(void)state;
	machine.transport = TRANSPORT_MMIO_CMDLINE;
	pvh_write(&machine, &kernel, &no_initrd);
	assert_int_equal(number(kernel.entry.param + 12, 4), 0);
	assert_int_equal(number(kernel.entry.param + 16, 8), 0);
	assert_int_equal(number(kernel.entry.param + 32, 8), 0);
	check_pvh_map(kernel.entry.param);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(zeropage),
		TEST(zeropage_without_the_rest),
		TEST(pvh),
		TEST(pvh_without_the_rest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
