/*
 * memory.c: memory_at(), the one way from a guest's address to a pointer, at
 * every edge there is; and the memory map that tells the guest of the same.
 */
#include <errno.h>

#include "boot-arch.h"
#include "layout.h"
#include "lib/unit.h"

#define LOW_END UINT64_C(0xc0000000)

/* Where in our mapping gpa lies, or NULL. */
#define LOW(memory, gpa)  ((memory).low.host + (gpa))
#define HIGH(memory, gpa) ((memory).high.host + ((gpa)-4 * GIB))

static void small(void **state)
{
	struct memory m = unit_memory(64 * MIB);

	(void)state;
	assert_int_equal(memory_size(&m), 64 * MIB);
	assert_int_equal(m.high.size, 0);
	assert_ptr_equal(memory_at(&m, 0, 1), LOW(m, 0));
	assert_ptr_equal(memory_at(&m, 0, 64 * MIB), LOW(m, 0));
	assert_null(memory_at(&m, 0, 64 * MIB + 1));
	assert_ptr_equal(memory_at(&m, 64 * MIB - 1, 1), LOW(m, 64 * MIB - 1));
	assert_null(memory_at(&m, 64 * MIB - 1, 2));
	assert_null(memory_at(&m, 64 * MIB, 1));
	/* There is no high region, not even an empty one that begins somewhere. */
	assert_null(memory_at(&m, 4 * GIB, 1));
	assert_null(memory_at(&m, 4 * GIB - 1, 1));
	memory_free(&m);
}

static void around_the_hole(void **state)
{
	struct memory m = unit_memory(3 * GIB + MIB);

	(void)state;
	assert_int_equal(m.low.size, LOW_END);
	assert_int_equal(m.high.size, MIB);
	assert_ptr_equal(memory_at(&m, LOW_END - 1, 1), LOW(m, LOW_END - 1));
	/* On our side the two regions touch; on the guest's they do not. */
	assert_null(memory_at(&m, LOW_END - 1, 2));
	assert_null(memory_at(&m, LOW_END, 1));
	assert_null(memory_at(&m, 4 * GIB - 1, 1));
	assert_null(memory_at(&m, 4 * GIB - 1, 2));
	assert_ptr_equal(memory_at(&m, 4 * GIB, 1), HIGH(m, 4 * GIB));
	assert_ptr_equal(memory_at(&m, 4 * GIB, MIB), HIGH(m, 4 * GIB));
	assert_null(memory_at(&m, 4 * GIB, MIB + 1));
	assert_ptr_equal(memory_at(&m, 4 * GIB + MIB - 1, 1), HIGH(m, 4 * GIB + MIB - 1));
	assert_null(memory_at(&m, 4 * GIB + MIB - 1, 2));
	assert_null(memory_at(&m, 4 * GIB + MIB, 1));
	assert_null(memory_at(&m, 0, 3 * GIB + MIB));
	memory_free(&m);
}

static void no_length_has_no_address(void **state)
{
	static const uint64_t gpas[] = { 0, 4096, LOW_END - 1, LOW_END, 4 * GIB, UINT64_MAX };
	struct memory m = unit_memory(3 * GIB + MIB);

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(gpas); i++)
		assert_null(memory_at(&m, gpas[i], 0));
	memory_free(&m);
}

static void sums_that_wrap(void **state)
{
	struct memory m = unit_memory(3 * GIB + MIB);

	(void)state;
	assert_null(memory_at(&m, UINT64_MAX, 1));
	assert_null(memory_at(&m, UINT64_MAX, UINT64_MAX));
	assert_null(memory_at(&m, 1, UINT64_MAX));
	assert_null(memory_at(&m, 0, UINT64_MAX));
	assert_null(memory_at(&m, 4096, UINT64_MAX - 4095)); /* gpa + len == 0 */
	assert_null(memory_at(&m, 4 * GIB, UINT64_MAX - 4 * GIB + 1));
	assert_null(memory_at(&m, 4 * GIB + 4096, UINT64_MAX));
	assert_null(memory_at(&m, UINT64_MAX - 4095, 8192));
	memory_free(&m);
}

static void more_than_there_is(void **state)
{
	struct memory m;

	(void)state;
	assert_int_equal(memory_create(&m, UINT64_C(1) << 60, LOW_END), -ENOMEM);
}

/* Untouched RAM costs nothing: 8 GiB can be had anywhere, and is zero. */
static void large(void **state)
{
	struct memory m = unit_memory(8 * GIB);
	uint64_t end = 9 * GIB;

	(void)state;
	assert_int_equal(memory_size(&m), 8 * GIB);
	assert_ptr_equal(memory_at(&m, end - 8, 8), HIGH(m, end - 8));
	assert_null(memory_at(&m, end - 8, 9));
	*(uint64_t *)memory_at(&m, end - 8, 8) = 1;
	assert_int_equal(*(uint64_t *)memory_at(&m, 4 * GIB, 8), 0);
	memory_free(&m);
}

/* --- The memory map --- */

static void check_map(uint64_t size)
{
	struct memory m = unit_memory(size);
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = memory_map(&m, map);
	uint64_t ram = 0, end = 0;

	assert_in_range(count, 1, MEMORY_MAP_MAX);
	for (unsigned i = 0; i < count; i++) {
		assert_true(map[i].size > 0);
		assert_true(map[i].gpa >= end); /* ascending, no overlap */
		end = map[i].gpa + map[i].size;
		if (map[i].type == MEMORY_MAP_RAM) {
			/* Every byte promised is there. */
			assert_non_null(memory_at(&m, map[i].gpa, map[i].size));
			ram += map[i].size;
		} else {
			assert_int_equal(map[i].type, MEMORY_MAP_RESERVED);
		}
	}
	/* Nothing is held back but what lies between the EBDA and 1 MiB. */
	assert_int_equal(ram, size - (LAYOUT_HIGH_RAM - LAYOUT_EBDA));
	memory_free(&m);
}

static void map_of_any_size(void **state)
{
	static const uint64_t sizes[] = { 16 * MIB,      64 * MIB, 3 * GIB - 4096, 3 * GIB,
					  3 * GIB + MIB, 4 * GIB,  8 * GIB };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(sizes); i++)
		check_map(sizes[i]);
}

/* Type of the byte at gpa in the map of a guest with `size` bytes; 0: not in it. */
static uint32_t type_at(uint64_t size, uint64_t gpa)
{
	struct memory m = unit_memory(size);
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = memory_map(&m, map);

	memory_free(&m);
	for (unsigned i = 0; i < count; i++)
		if (gpa >= map[i].gpa && gpa - map[i].gpa < map[i].size)
			return map[i].type;
	return 0;
}

static void map_of_known_places(void **state)
{
	(void)state;
	assert_int_equal(type_at(64 * MIB, 0), MEMORY_MAP_RAM);
	assert_int_equal(type_at(64 * MIB, LAYOUT_EBDA - 1), MEMORY_MAP_RAM);
	assert_int_equal(type_at(64 * MIB, LAYOUT_EBDA), MEMORY_MAP_RESERVED);
	assert_int_equal(type_at(64 * MIB, LAYOUT_ACPI), MEMORY_MAP_RESERVED);
	assert_int_equal(type_at(64 * MIB, LAYOUT_HIGH_RAM - 1), MEMORY_MAP_RESERVED);
	assert_int_equal(type_at(64 * MIB, LAYOUT_HIGH_RAM), MEMORY_MAP_RAM);
	assert_int_equal(type_at(64 * MIB, 64 * MIB - 1), MEMORY_MAP_RAM);
	assert_int_equal(type_at(64 * MIB, 64 * MIB), 0);
	assert_int_equal(type_at(8 * GIB, LAYOUT_ECAM), MEMORY_MAP_RESERVED);
	assert_int_equal(type_at(8 * GIB, LAYOUT_PCI_WINDOW), 0);
	assert_int_equal(type_at(8 * GIB, LAYOUT_LAPIC), 0);
	assert_int_equal(type_at(3 * GIB, 4 * GIB), 0);
	assert_int_equal(type_at(3 * GIB + MIB, 4 * GIB), MEMORY_MAP_RAM);
	assert_int_equal(type_at(3 * GIB + MIB, 4 * GIB + MIB), 0);
	assert_int_equal(type_at(8 * GIB, 9 * GIB - 1), MEMORY_MAP_RAM);
	assert_int_equal(type_at(8 * GIB, 9 * GIB), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small),
		cmocka_unit_test(around_the_hole),
		cmocka_unit_test(no_length_has_no_address),
		cmocka_unit_test(sums_that_wrap),
		cmocka_unit_test(more_than_there_is),
		cmocka_unit_test(large),
		cmocka_unit_test(map_of_any_size),
		cmocka_unit_test(map_of_known_places),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
