/*
 * initrd.c: where the initial RAM disk goes, and when it does not fit; and
 * boot_prepare() with files that cannot be a kernel or an initrd.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "lib/unit.h"

#define PAGE 4096u

static struct memory memory;
static struct initrd initrd;
static const char *said;
static uint8_t bytes[3 * PAGE];

static int set_up(void **state)
{
	(void)state;
	memory = unit_memory(64 * MIB);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 13 + 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_free(&memory);
	return 0;
}

static int load_name(const char *name, uint64_t end, uint64_t max)
{
	struct kernel kernel = { .end = end, .initrd_max = max };
	int ret;

	initrd = (struct initrd){ 0 };
	capture_start(STDERR_FILENO);
	ret = initrd_load(name, &memory, &kernel, &initrd);
	said = capture_end();
	return ret;
}

static int load(size_t len, uint64_t end, uint64_t max)
{
	return load_name(unit_file("initrd", bytes, len), end, max);
}

static void assert_placed(size_t len, uint64_t end, uint64_t max, uint64_t gpa)
{
	assert_int_equal(load(len, end, max), 0);
	assert_silent(said);
	assert_int_equal(initrd.gpa, gpa);
	assert_int_equal(initrd.size, len);
	assert_memory_equal(memory_at(&memory, gpa, len), bytes, len);
}

static void refuse(size_t len, uint64_t end, uint64_t max)
{
	assert_int_equal(load(len, end, max), -1);
	assert_one_line_with(said, "does not fit");
}

static void as_high_as_it_may_be(void **state)
{
	(void)state;
	assert_placed(PAGE, 16 * MIB, UINT64_MAX, 64 * MIB - PAGE);
	assert_placed(1, 16 * MIB, UINT64_MAX, 64 * MIB - PAGE);
	assert_placed(PAGE + 1, 16 * MIB, UINT64_MAX, 64 * MIB - 2 * PAGE);
	/* The kernel's limit names the last byte. */
	assert_placed(PAGE, 16 * MIB, 32 * MIB - 1, 32 * MIB - PAGE);
	assert_placed(PAGE, 16 * MIB, 32 * MIB, 32 * MIB - PAGE);
	assert_placed(PAGE, 16 * MIB, 32 * MIB - 2, 32 * MIB - 2 * PAGE);
	assert_placed(PAGE, 16 * MIB, 64 * MIB - 1, 64 * MIB - PAGE);
	assert_placed(PAGE, 16 * MIB, 64 * MIB, 64 * MIB - PAGE);
}

static void below_the_hole(void **state)
{
	tear_down(state);
	memory = unit_memory(8 * GIB);
	assert_placed(PAGE, 16 * MIB, UINT64_MAX, 3 * GIB - PAGE);
	assert_placed(PAGE, 16 * MIB, 0x7fffffff, 2 * GIB - PAGE);
}

static void just_above_the_kernel(void **state)
{
	(void)state;
	assert_placed(2 * PAGE, 64 * MIB - 2 * PAGE, UINT64_MAX, 64 * MIB - 2 * PAGE);
	refuse(2 * PAGE + 1, 64 * MIB - 2 * PAGE, UINT64_MAX);
	refuse(2 * PAGE, 64 * MIB - 2 * PAGE + 1, UINT64_MAX);
	assert_placed(PAGE, 64 * MIB - 2 * PAGE + 1, UINT64_MAX, 64 * MIB - PAGE);
	refuse(1, 64 * MIB, UINT64_MAX);
	refuse(1, 64 * MIB - 1, UINT64_MAX);
	refuse(1, 5 * GIB, UINT64_MAX);
	refuse(1, 16 * MIB, 16 * MIB - 1);
	refuse(1, 16 * MIB, 0);
	refuse(2, 16 * MIB, 16 * MIB);
	assert_placed(1, 16 * MIB, 16 * MIB, 16 * MIB);
}

/* A sparse file costs nothing and may be of any size. */
static void larger_than_memory(void **state)
{
	const char *name = unit_file("initrd", bytes, 1);

	(void)state;
	assert_int_equal(truncate(name, (off_t)(64 * MIB)), 0);
	assert_int_equal(load_name(name, 2 * MIB, UINT64_MAX), -1);
	assert_one_line_with(said, "64 MiB");
	assert_int_equal(truncate(name, (off_t)(1000 * GIB)), 0);
	assert_int_equal(load_name(name, 2 * MIB, UINT64_MAX), -1);
	assert_one_line_with(said, "does not fit");
}

static void files_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(load(0, 2 * MIB, UINT64_MAX), -1);
	assert_one_line_with(said, "empty");
	assert_int_equal(load_name(unit_path("absent"), 2 * MIB, UINT64_MAX), -1);
	assert_one_line_with(said, "No such file");
	assert_int_equal(load_name(unit_path(""), 2 * MIB, UINT64_MAX), -1);
	assert_one_line_with(said, "regular file");
	assert_int_equal(load_name("/dev/zero", 2 * MIB, UINT64_MAX), -1);
	assert_one_line_with(said, "regular file");
}

/* --- boot_prepare(): the kernel's file --- */

static void refuse_kernel(const char *name, const char *part)
{
	struct machine machine = { .memory = &memory, .cpus = 1 };
	struct boot_options options = { .kernel = name };
	struct vcpu_entry entry;
	int ret;

	capture_start(STDERR_FILENO);
	ret = boot_prepare(&machine, &options, &entry);
	said = capture_end();
	assert_int_equal(ret, -1);
	assert_one_line_with(said, part);
}

static void files_that_are_no_kernels(void **state)
{
	char name[10000];

	(void)state;
	refuse_kernel(unit_path("absent"), "No such file");
	refuse_kernel(unit_path(""), "regular file");
	refuse_kernel("/dev/zero", "regular file");
	refuse_kernel(unit_file("kernel", bytes, 0), "empty");
	refuse_kernel(unit_file("kernel", bytes, 1), "neither a bzImage nor an ELF kernel");
	refuse_kernel(unit_file("kernel", bytes, sizeof(bytes)), "neither");
	refuse_kernel(unit_file("kernel", "\177ELF", 4), "truncated");
	refuse_kernel(unit_file("kernel", "\177EL", 3), "neither");
	/* What a file is called stays within the line that names it. */
	refuse_kernel("/no/\n\033[2Jsuch", "/no/??[2Jsuch");
	/* However long it is, the line says what it is about and why. */
	for (size_t len = 900; len < sizeof(name); len += len < 1100 ? 1 : 1000) {
		memset(name, 'x', len);
		name[len] = '\0';
		refuse_kernel(name, "lodge: xxxx");
		assert_contains(said, "xxxx: cannot open the kernel: File name too long\n");
		assert_true(strlen(said) < 1024);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_high_as_it_may_be),  TEST(below_the_hole),
		TEST(just_above_the_kernel), TEST(larger_than_memory),
		TEST(files_that_are_none),   TEST(files_that_are_no_kernels),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
