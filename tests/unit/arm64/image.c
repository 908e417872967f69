/*
 * image.c: a small arm64 Image, right, and then with one lie at a time in its
 * header; and the same packed by gzip, cut off at every length and with every
 * byte turned.
 */
#include <endian.h>
#include <string.h>
#include <zlib.h>

#include "boot-arch.h"
#include "layout.h"
#include "../lib/kernel.h"

#define IMAGE      8192
#define IMAGE_SIZE 0x600000

static struct {
	struct memory memory;
	struct {
		uint32_t code[2];
		uint64_t text_offset, image_size, flags, reserved[3];
		uint32_t magic, pe_offset;
	} header;
	uint8_t bytes[IMAGE];
	uint8_t packed[2 * IMAGE];
	size_t packed_len;
	struct load load;
} t;

/* A kernel that wants 6 MiB, in a guest of 16 MiB. */
static int set_up(void **state)
{
	(void)state;
	t.memory = unit_memory(16 * MIB);
	memset(&t.header, 0, sizeof(t.header));
	t.header.image_size = htole64(IMAGE_SIZE);
	t.header.flags = htole64(0xa); /* little-endian, 4 KiB pages, anywhere */
	t.header.magic = htole32(0x644d5241);
	for (unsigned i = 0; i < IMAGE; i++)
		t.bytes[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_free(&t.memory);
	return 0;
}

static void load_length(size_t len)
{
	memcpy(t.bytes, &t.header, sizeof(t.header));
	t.load = load_bytes(image_load, &t.memory, t.bytes, len);
}

static void pack(size_t len)
{
	z_stream gzip = { 0 };

	memcpy(t.bytes, &t.header, sizeof(t.header));
	assert_int_equal(deflateInit2(&gzip, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	gzip.next_in = t.bytes;
	gzip.avail_in = (uInt)len;
	gzip.next_out = t.packed;
	gzip.avail_out = sizeof(t.packed);
	assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
	t.packed_len = sizeof(t.packed) - gzip.avail_out;
	deflateEnd(&gzip);
}

static void load_packed(size_t len)
{
	t.load = load_bytes(image_gzip_load, &t.memory, t.packed, len);
}

static void assert_loaded_at(uint64_t gpa)
{
	assert_silent(t.load.said);
	assert_int_equal(t.load.result, 0);
	assert_int_equal(t.load.kernel.entry.pc, gpa);
	assert_memory_equal(memory_at(&t.memory, gpa, IMAGE), t.bytes, IMAGE);
}

static void refuse(const char *part)
{
	load_length(IMAGE);
	assert_refused(&t.load, part);
}

static void a_right_one(void **state)
{
	uint64_t fdt;

	(void)state;
	load_length(IMAGE);
	assert_loaded_at(LAYOUT_RAM);
	fdt = t.load.kernel.arch.fdt;
	assert_true(fdt >= LAYOUT_RAM + IMAGE_SIZE);
	assert_int_equal(fdt % 0x200000, 0);
	assert_int_equal(t.load.kernel.end, fdt + LAYOUT_FDT_MAX);
	assert_non_null(memory_at(&t.memory, fdt, LAYOUT_FDT_MAX));
	assert_int_equal(t.load.kernel.cmdline_max, 2047);
	assert_int_equal(t.load.kernel.initrd_max, 0x7fffffff);
	assert_true(image_matches(t.bytes, sizeof(t.bytes)));
	assert_false(image_gzip_matches(t.bytes, sizeof(t.bytes)));
}

static void text_offset_is_kept(void **state)
{
	(void)state;
	t.header.text_offset = htole64(0x80000);
	load_length(IMAGE);
	assert_loaded_at(LAYOUT_RAM + 0x80000);
	t.header.text_offset = htole64(0x1fffff);
	load_length(IMAGE);
	assert_loaded_at(LAYOUT_RAM + 0x1fffff);
	t.header.text_offset = htole64(0x200000);
	refuse("make no sense");
	t.header.text_offset = UINT64_MAX;
	refuse("make no sense");
}

static void page_sizes(void **state)
{
	const unsigned shifts[] = { 0, 12, 14, 16 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		t.header.flags = htole64(i << 1);
		load_length(IMAGE);
		assert_loaded_at(LAYOUT_RAM);
		assert_int_equal(t.load.kernel.entry.page_shift, shifts[i]);
	}
}

static void what_is_none(void **state)
{
	static const uint8_t zeros[1024];

	(void)state;
	assert_false(image_matches(zeros, sizeof(zeros)));
	memcpy(t.bytes, &t.header, sizeof(t.header));
	assert_true(image_matches(t.bytes, 64));
	assert_false(image_matches(t.bytes, 63));
	t.bytes[56] ^= 1;
	assert_false(image_matches(t.bytes, sizeof(t.bytes)));
	load_length(63);
	assert_refused(&t.load, "no arm64 Image");
	t.header.flags = htole64(1);
	refuse("big-endian");
}

static void image_sizes(void **state)
{
	(void)state;
	t.header.image_size = 0;
	refuse("does not say how large");
	t.header.image_size = htole64(UINT64_MAX);
	refuse("make no sense");
	t.header.image_size = htole64(MIB << 10 | 1);
	refuse("make no sense");
	t.header.image_size = htole64(16 * MIB);
	refuse("needs 17 MiB of memory; give the guest more with -m");
	t.header.image_size = htole64(IMAGE - 1);
	refuse("longer than its header says");
	t.header.image_size = htole64(IMAGE);
	load_length(IMAGE);
	assert_loaded_at(LAYOUT_RAM);
	/* Less than the header: what it leaves room for is less than nothing. */
	t.header.image_size = htole64(63);
	refuse("make no sense");
}

static void packed(void **state)
{
	(void)state;
	pack(IMAGE);
	assert_true(image_gzip_matches(t.packed, t.packed_len));
	load_packed(t.packed_len);
	assert_loaded_at(LAYOUT_RAM);
	assert_int_equal(t.load.kernel.entry.page_shift, 12);
}

static void packed_lies(void **state)
{
	(void)state;
	pack(63);
	load_packed(t.packed_len);
	assert_refused(&t.load, "no arm64 Image");
	t.header.image_size = htole64(IMAGE - 1);
	pack(IMAGE);
	load_packed(t.packed_len);
	assert_refused(&t.load, "longer than its header says");
	t.header.magic = 0;
	pack(IMAGE);
	load_packed(t.packed_len);
	assert_refused(&t.load, "no arm64 Image");
}

static void packed_and_cut_off(void **state)
{
	(void)state;
	pack(IMAGE);
	for (size_t len = 1; len < t.packed_len; len++) {
		load_packed(len);
		assert_refused(&t.load, "truncated");
	}
}

/* Some bits of a gzip header mean nothing; any other that is turned must be noticed. */
static void packed_and_damaged(void **state)
{
	unsigned refused = 0;

	(void)state;
	pack(IMAGE);
	for (size_t i = 0; i < t.packed_len; i++) {
		t.packed[i] ^= 0x55;
		memset(memory_at(&t.memory, LAYOUT_RAM, IMAGE), 0, IMAGE);
		load_packed(t.packed_len);
		if (t.load.result == 0)
			assert_loaded_at(LAYOUT_RAM);
		else
			assert_refused(&t.load, "");
		refused += t.load.result != 0;
		t.packed[i] ^= 0x55;
	}
	assert_in_range(refused, t.packed_len - 10, t.packed_len);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_right_one),  TEST(text_offset_is_kept), TEST(page_sizes),
		TEST(what_is_none), TEST(image_sizes),         TEST(packed),
		TEST(packed_lies),  TEST(packed_and_cut_off),  TEST(packed_and_damaged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
