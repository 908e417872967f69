/*
 * bzimage.c: a small bzImage, right, and then with one lie at a time in its
 * setup header, and cut off at every length.
 */
#include <string.h>

#include "boot-arch.h"
#include "layout.h"
#include "lib/kernel.h"

#define SETUP_SECTS 2 /* and the boot sector */
#define PAYLOAD_AT  ((SETUP_SECTS + 1) * 512)
#define PAYLOAD     4096
#define HEADER_AT   0x1f1

static struct {
	struct memory memory;
	uint8_t bytes[PAYLOAD_AT + PAYLOAD];
	struct setup_header header;
	struct load load;
} t;

/* A kernel that wants 4 MiB at 16 MiB, in a guest of 64 MiB. */
static int set_up(void **state)
{
	(void)state;
	t.memory = unit_memory(64 * MIB);
	t.header = (struct setup_header){
		.setup_sects = SETUP_SECTS,
		.syssize = PAYLOAD / 16,
		.boot_flag = 0xaa55,
		/* A jump over the header, whose second byte tells where it ends. */
		.jump = (uint16_t)(0xeb | (HEADER_AT + sizeof(t.header) - 0x202) << 8),
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.xloadflags = XLF_KERNEL_64,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.cmdline_size = 2047,
		.pref_address = 0x1000000,
		.init_size = 0x400000,
	};
	for (unsigned i = 0; i < sizeof(t.bytes); i++)
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
	memcpy(t.bytes + HEADER_AT, &t.header, sizeof(t.header));
	t.load = load_bytes(bzimage_load, &t.memory, t.bytes, len);
}

static void assert_loaded_at(uint64_t gpa)
{
	load_length(sizeof(t.bytes));
	assert_silent(t.load.said);
	assert_int_equal(t.load.result, 0);
	assert_int_equal(t.load.kernel.entry.rip, gpa + 0x200);
	assert_memory_equal(memory_at(&t.memory, gpa, PAYLOAD), t.bytes + PAYLOAD_AT, PAYLOAD);
	assert_int_equal(t.load.kernel.end, gpa + t.header.init_size);
}

static void refuse(const char *part)
{
	load_length(sizeof(t.bytes));
	assert_refused(&t.load, part);
}

static void a_right_one(void **state)
{
	(void)state;
	assert_loaded_at(0x1000000);
	assert_int_equal(t.load.kernel.entry.mode, VCPU_ENTRY_LONG64);
	assert_int_equal(t.load.kernel.initrd_max, 0x7fffffff);
	assert_int_equal(t.load.kernel.cmdline_max, 2047);
	assert_int_equal(t.load.kernel.arch.setup.code32_start, 0x1000000);
	assert_int_equal(t.load.kernel.arch.setup.version, 0x020f);
	assert_true(bzimage_matches(t.bytes, sizeof(t.bytes)));
	assert_false(elf_matches(t.bytes, sizeof(t.bytes)));
}

static void what_is_none(void **state)
{
	static const uint8_t zeros[1024];

	(void)state;
	assert_false(bzimage_matches(zeros, sizeof(zeros)));
	load_length(sizeof(t.bytes)); /* writes the header */
	assert_false(bzimage_matches(t.bytes, HEADER_AT + sizeof(t.header) - 1));
	t.bytes[0x1fe] ^= 1;
	assert_false(bzimage_matches(t.bytes, sizeof(t.bytes)));
	t.bytes[0x1fe] ^= 1;
	t.bytes[0x202] ^= 1;
	assert_false(bzimage_matches(t.bytes, sizeof(t.bytes)));
}

static void protocols_without_a_64_bit_entry(void **state)
{
	(void)state;
	t.header.version = 0x020b;
	refuse("2.11");
	t.header.version = 0x0200;
	refuse("2.00");
	t.header.version = 0;
	refuse("0.00");
	t.header.version = 0x020c;
	t.header.xloadflags = 0;
	refuse("64-bit");
	t.header.xloadflags = (uint16_t)~XLF_KERNEL_64;
	refuse("64-bit");
	t.header.xloadflags = XLF_KERNEL_64;
	assert_loaded_at(0x1000000);
}

/* What lies behind the header's own end is code, not fields. */
static void short_header(void **state)
{
	(void)state;
	t.header.jump = 0xeb;
	refuse("0.00");
	/* Up to and including cmdline_size: no address, no init_size, so it goes low. */
	t.header.jump = (uint16_t)(0xeb | (0x23c - 0x202) << 8);
	load_length(sizeof(t.bytes));
	assert_int_equal(t.load.result, 0);
	assert_int_equal(t.load.kernel.arch.setup.pref_address, 0);
	assert_int_equal(t.load.kernel.entry.rip, 0x200200);
	t.header.jump = 0xffeb;
	assert_loaded_at(0x1000000);
}

static void lies_about_the_setup(void **state)
{
	(void)state;
	t.header.setup_sects = 255;
	refuse("truncated");
	t.header.setup_sects = (uint8_t)(sizeof(t.bytes) / 512); /* the payload is gone */
	refuse("truncated");
	t.header.setup_sects = 0; /* means four: one sector less of payload, so it is short */
	refuse("truncated");
	t.header.syssize = (uint32_t)(sizeof(t.bytes) - 5 * 512) / 16;
	load_length(sizeof(t.bytes));
	assert_int_equal(t.load.result, 0);
	assert_memory_equal(memory_at(&t.memory, 0x1000000, 512), t.bytes + 5 * 512, 512);
}

static void lies_about_the_size(void **state)
{
	(void)state;
	t.header.syssize = PAYLOAD / 16 + 1;
	refuse("truncated");
	t.header.syssize = UINT32_MAX;
	refuse("truncated");
	t.header.syssize = UINT32_MAX / 16 + 2; /* a small number if it wrapped at 32 bits */
	refuse("truncated");
	/* Less than the file has: signatures are appended like that. */
	t.header.syssize = PAYLOAD / 32;
	assert_loaded_at(0x1000000);
	/* Too short to hold its own entry. */
	t.header.syssize = 1;
	load_length(PAYLOAD_AT + 0x200);
	assert_refused(&t.load, "too short");
}

static void more_memory_than_there_is(void **state)
{
	(void)state;
	/* From 16 MiB on: loaded below it would move itself there, and over the end. */
	t.header.init_size = 48 * MIB;
	assert_loaded_at(0x1000000);
	t.header.init_size = 48 * MIB + 1;
	refuse("needs 49 MiB of memory from address 0x1000000 on");
	t.header.init_size = UINT32_MAX;
	refuse("needs 4096 MiB");
}

static void odd_alignments(void **state)
{
	static const uint32_t alignments[] = { 0, 3, 0x200001, UINT32_MAX, 0x80000000 };

	(void)state;
	t.header.pref_address = 0; /* anywhere, but aligned */
	for (unsigned i = 0; i < COUNT_OF(alignments); i++) {
		t.header.kernel_alignment = alignments[i];
		refuse("needs 4 MiB");
	}
	t.header.kernel_alignment = 1;
	assert_loaded_at(LAYOUT_HIGH_RAM);
	t.header.kernel_alignment = 0x1000000;
	assert_loaded_at(0x1000000);
}

static void low_addresses(void **state)
{
	static const uint64_t addresses[] = { 0, 0x7000, LAYOUT_HIGH_RAM - 1 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(addresses); i++) {
		t.header.pref_address = addresses[i];
		t.header.relocatable_kernel = 1;
		assert_loaded_at(0x200000);
		t.header.relocatable_kernel = 0;
		refuse("needs 4 MiB");
	}
}

static void addresses_without_memory(void **state)
{
	static const uint64_t addresses[] = { 0xd0000000, 4 * GIB, UINT64_MAX,
					      UINT64_MAX - 0x3fffff, 64 * MIB - PAYLOAD };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(addresses); i++) {
		t.header.pref_address = addresses[i];
		refuse("needs 4 MiB");
	}
}

static void smaller_than_its_file(void **state)
{
	(void)state;
	t.header.init_size = 0; /* then at least the file must fit */
	t.header.pref_address = 64 * MIB - PAYLOAD;
	t.header.relocatable_kernel = 0;
	load_length(sizeof(t.bytes));
	assert_int_equal(t.load.result, 0);
	assert_int_equal(t.load.kernel.end, 64 * MIB);
	t.header.pref_address += 16;
	refuse("needs 1 MiB");
}

/* The header counts in paragraphs of 16 bytes, of which the last may be cut. */
static void truncated_anywhere(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(t.bytes); len++) {
		load_length(len);
		if (len == 0)
			assert_refused(&t.load, "empty");
		else if (len + 15 < sizeof(t.bytes))
			assert_refused(&t.load, "truncated");
		else
			assert_int_equal(t.load.result, 0);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_right_one),
		TEST(what_is_none),
		TEST(protocols_without_a_64_bit_entry),
		TEST(short_header),
		TEST(lies_about_the_setup),
		TEST(lies_about_the_size),
		TEST(more_memory_than_there_is),
		TEST(odd_alignments),
		TEST(low_addresses),
		TEST(addresses_without_memory),
		TEST(smaller_than_its_file),
		TEST(truncated_anywhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
