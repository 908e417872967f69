/*
 * elf.c: a small ELF kernel, right, and then with one lie at a time in its
 * headers and notes, and cut off at every length.
 */
#include <elf.h>
#include <string.h>

#include "boot-arch.h"
#include "layout.h"
#include "lib/kernel.h"

#define NOTE_PVH_ENTRY 18
#define TEXT_GPA       0x1000000u
#define DATA_GPA       0x1400000u

/* The file, in the order in which it lies on disk. */
static struct file {
	Elf64_Ehdr header;
	Elf64_Phdr text, data, notes; /* program headers */
	struct note {
		Elf64_Nhdr header;
		char name[4];
		uint8_t desc[8];
	} other, pvh;
	uint8_t text_bytes[64], data_bytes[40];
} file;

static struct memory memory;
static struct load load;

/* Text, data with zeros behind it, and two notes of which the second is PVH's, 4 bytes. */
static int set_up(void **state)
{
	uint32_t entry = TEXT_GPA + 0x10;

	(void)state;
	memory = unit_memory(64 * MIB);
	file = (struct file){
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = TEXT_GPA + 0x20,
			.e_phoff = offsetof(struct file, text),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3,
		},
		.text = {
			.p_type = PT_LOAD,
			.p_offset = offsetof(struct file, text_bytes),
			.p_vaddr = 0xffffffff81000000,
			.p_paddr = TEXT_GPA,
			.p_filesz = sizeof(file.text_bytes),
			.p_memsz = sizeof(file.text_bytes),
		},
		.data = {
			.p_type = PT_LOAD,
			.p_offset = offsetof(struct file, data_bytes),
			.p_paddr = DATA_GPA,
			.p_filesz = sizeof(file.data_bytes),
			.p_memsz = 0x10000,
		},
		.notes = {
			.p_type = PT_NOTE,
			.p_offset = offsetof(struct file, other),
			.p_filesz = 2 * sizeof(struct note),
		},
		.other = { { 4, 8, 6 }, "Xen", "abcdefg" },
		.pvh = { { 4, 4, NOTE_PVH_ENTRY }, "Xen", "" },
	};
	memcpy(file.pvh.desc, &entry, sizeof(entry));
	for (unsigned i = 0; i < sizeof(file.text_bytes); i++)
		file.text_bytes[i] = (uint8_t)(i + 1);
	for (unsigned i = 0; i < sizeof(file.data_bytes); i++)
		file.data_bytes[i] = (uint8_t)(0x80 + i);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_free(&memory);
	return 0;
}

static void load_file(void)
{
	load = load_bytes(elf_load, &memory, &file, sizeof(file));
}

static void refuse(const char *part)
{
	load_file();
	assert_refused(&load, part);
}

static void assert_loaded(int mode, uint64_t rip)
{
	load_file();
	assert_silent(load.said);
	assert_int_equal(load.result, 0);
	assert_int_equal(load.kernel.entry.mode, mode);
	assert_int_equal(load.kernel.entry.rip, rip);
}

static void no_note(void)
{
	file.notes.p_type = PT_NULL;
}

/* --- Right ones --- */

static void with_a_pvh_note(void **state)
{
	(void)state;
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
	assert_memory_equal(memory_at(&memory, TEXT_GPA, 64), file.text_bytes, 64);
	assert_memory_equal(memory_at(&memory, DATA_GPA, 40), file.data_bytes, 40);
	assert_int_equal(*(uint8_t *)memory_at(&memory, DATA_GPA + 40, 1), 0);
	assert_int_equal(load.kernel.end, DATA_GPA + 0x10000);
	assert_true(load.kernel.initrd_max >= 64 * MIB - 1);
	assert_int_equal(load.kernel.cmdline_max, LAYOUT_CMDLINE_MAX - 1);
	assert_true(elf_matches((const uint8_t *)&file, sizeof(file)));
	assert_false(elf_matches((const uint8_t *)&file, 3));
	assert_false(bzimage_matches((const uint8_t *)&file, sizeof(file)));
}

static void with_a_pvh_note_of_8_bytes(void **state)
{
	(void)state;
	file.pvh.header.n_descsz = 8;
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
}

static void without_a_pvh_note(void **state)
{
	(void)state;
	no_note();
	assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
	file.header.e_type = ET_DYN;
	assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
}

static void segments_that_touch(void **state)
{
	(void)state;
	file.data.p_paddr = TEXT_GPA + sizeof(file.text_bytes);
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
	file.data.p_memsz = 64 * MIB - file.data.p_paddr; /* up to the last byte of RAM */
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
	assert_int_equal(load.kernel.end, 64 * MIB);
}

static void segments_of_nothing(void **state)
{
	(void)state;
	file.data.p_memsz = file.data.p_filesz = 0; /* wherever it claims to be */
	file.data.p_paddr = file.data.p_offset = UINT64_MAX;
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
	assert_int_equal(load.kernel.end, TEXT_GPA + sizeof(file.text_bytes));
	file.text.p_filesz = 0; /* zeros only */
	file.text.p_offset = UINT64_MAX;
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
}

/* --- The header --- */

static void not_for_this_machine(void **state)
{
	(void)state;
	file.header.e_ident[EI_CLASS] = ELFCLASS32;
	refuse("not an x86-64 ELF file");
	set_up(state);
	file.header.e_ident[EI_DATA] = ELFDATA2MSB;
	refuse("not an x86-64 ELF file");
	set_up(state);
	file.header.e_machine = EM_AARCH64;
	refuse("not an x86-64 ELF file");
	set_up(state);
	file.header.e_machine = EM_386;
	refuse("not an x86-64 ELF file");
	set_up(state);
	file.header.e_type = ET_REL;
	refuse("not an ELF program (type 1)");
	file.header.e_type = ET_CORE;
	refuse("not an ELF program (type 4)");
}

static void program_headers_in_number(void **state)
{
	static const uint16_t numbers[] = { 0, 65, 0x7fff, 65535 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(numbers); i++) {
		file.header.e_phnum = numbers[i];
		refuse("program headers");
	}
	file.header.e_phnum = 64; /* allowed, but not there */
	refuse("truncated");
}

static void program_headers_of_another_size(void **state)
{
	static const uint16_t sizes[] = { 0, 1, 32, 55, 57, 65535 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
		file.header.e_phentsize = sizes[i];
		refuse("program headers");
	}
}

static void program_headers_elsewhere(void **state)
{
	static const uint64_t offsets[] = { sizeof(file), sizeof(file) - 3 * 56 + 1,
					    UINT32_MAX,   INT64_MAX,
					    UINT64_MAX,   UINT64_MAX - 167 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(offsets); i++) {
		file.header.e_phoff = offsets[i];
		refuse("truncated");
	}
}

static void nothing_to_load(void **state)
{
	(void)state;
	file.text.p_type = file.data.p_type = PT_NULL;
	refuse("nothing to run");
}

/* --- Segments --- */

static void segments_outside_memory(void **state)
{
	static const struct {
		uint64_t gpa, size;
	} cases[] = {
		{ 64 * MIB, 4096 },
		{ 64 * MIB - 40, 41 },
		{ 0, 4096 },
		{ 0x7000, 40 },
		{ LAYOUT_HIGH_RAM - 1, 40 },
		{ LAYOUT_ACPI, 0x100000 },
		{ 0xd0000000, 40 },
		{ 4 * GIB, 40 },
		{ UINT64_MAX, 40 },
		{ UINT64_MAX - 39, 40 },
		{ DATA_GPA, UINT64_MAX },
		{ DATA_GPA, UINT64_MAX - DATA_GPA + 1 },
		{ 0xffffffff81000000, 40 },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		file.data.p_paddr = cases[i].gpa;
		file.data.p_memsz = cases[i].size;
		refuse("segment 1");
		/* More memory would not help what wants to be where a kernel cannot. */
		refuse(cases[i].gpa < LAYOUT_HIGH_RAM ? "not a kernel: " : "with -m");
	}
}

static void segments_that_overlap(void **state)
{
	(void)state;
	file.data.p_paddr = TEXT_GPA + sizeof(file.text_bytes) - 1;
	refuse("segments 0 and 1 overlap");
	file.data.p_paddr = TEXT_GPA;
	refuse("segments 0 and 1 overlap");
	file.data.p_paddr = TEXT_GPA - 0x8000; /* around all of the other */
	refuse("segments 0 and 1 overlap");
	file.data.p_paddr = TEXT_GPA - 0x10000 + 1;
	refuse("segments 0 and 1 overlap");
	file.data.p_paddr = TEXT_GPA - 0x10000;
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
}

static void more_file_than_memory(void **state)
{
	(void)state;
	file.data.p_memsz = file.data.p_filesz - 1;
	refuse("larger in the file");
	file.data.p_filesz = UINT64_MAX;
	refuse("larger in the file");
}

static void bytes_that_are_not_there(void **state)
{
	static const uint64_t offsets[] = { sizeof(file) - 39, sizeof(file),    INT64_MAX,
					    UINT64_MAX,        UINT64_MAX - 39, UINT64_MAX - 3 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(offsets); i++) {
		file.data.p_offset = offsets[i];
		refuse("truncated");
	}
	file.data.p_offset = 0;
	file.data.p_filesz = sizeof(file) + 1;
	refuse("truncated");
}

/* --- Notes --- */

static void lying_notes(void **state)
{
	static const uint32_t sizes[] = { 49, 0x7fffffff, 0x80000000, 0xfffffffc, UINT32_MAX };

	(void)state;
	/* No entry is found behind a lie, and the kernel starts without one. */
	for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
		set_up(state);
		file.other.header.n_namesz = sizes[i];
		assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
		set_up(state);
		file.other.header.n_descsz = sizes[i];
		assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
		set_up(state);
		file.pvh.header.n_descsz = sizes[i];
		assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
		set_up(state);
		file.pvh.header.n_namesz = sizes[i];
		assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
	}
}

static void notes_that_are_not_the_one(void **state)
{
	(void)state;
	file.pvh.header.n_descsz = 5;
	assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
	file.pvh.header.n_descsz = 0;
	assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
	file.pvh.header.n_descsz = 4;
	file.pvh.header.n_namesz = 3;
	assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
	file.pvh.header.n_namesz = 4;
	memcpy(file.pvh.name, "GNU", 4);
	assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
	memcpy(file.pvh.name, "Xen", 4);
	file.pvh.header.n_type = 17;
	assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
}

/* The segment of notes cut anywhere: only a whole note counts. */
static void notes_cut_short(void **state)
{
	size_t whole = offsetof(struct note, desc) + sizeof(struct note) + 4;

	(void)state;
	for (size_t len = 0; len <= 2 * sizeof(struct note); len++) {
		file.notes.p_filesz = len;
		if (len < whole)
			assert_loaded(VCPU_ENTRY_LONG64, TEXT_GPA + 0x20);
		else
			assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
	}
}

static void notes_that_are_not_there(void **state)
{
	static const uint64_t offsets[] = { sizeof(file) - 1, sizeof(file), INT64_MAX, UINT64_MAX,
					    UINT64_MAX - 1 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(offsets); i++) {
		file.notes.p_offset = offsets[i];
		refuse("truncated");
	}
	file.notes.p_offset = 0;
	file.notes.p_filesz = UINT64_MAX;
	refuse("truncated");
}

/* --- Entries --- */

static void set_pvh_entry(uint64_t entry)
{
	file.pvh.header.n_descsz = 8;
	memcpy(file.pvh.desc, &entry, sizeof(entry));
}

static void entries_outside_memory(void **state)
{
	static const uint64_t entries[] = { 64 * MIB, 0xd0000000, 4 * GIB, UINT64_MAX,
					    0xffffffff81000000 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(entries); i++) {
		set_up(state);
		set_pvh_entry(entries[i]);
		refuse("nothing to run at its entry");
		set_up(state);
		no_note();
		file.header.e_entry = entries[i];
		refuse("nothing to run at its entry");
	}
}

/* RAM above 4 GiB is no place to begin: not in 32-bit mode, as PVH does, and what 64-bit
 * mode is entered with maps 4 GiB. */
static void entries_above_4_gib(void **state)
{
	tear_down(state);
	memory = unit_memory(3 * GIB + 64 * MIB);
	file.text.p_paddr = 4 * GIB;
	set_pvh_entry(4 * GIB + 0x10);
	refuse("entry 0x100000010 is out of reach");
	no_note();
	file.header.e_entry = 4 * GIB + 0x10;
	refuse("entry 0x100000010 is out of reach");
}

/* --- Truncation --- */

static void truncated_anywhere(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(file); len++) {
		load = load_bytes(elf_load, &memory, &file, len);
		assert_refused(&load, len == 0 ? "empty" : "truncated");
	}
	assert_loaded(VCPU_ENTRY_PROTECTED32, TEXT_GPA + 0x10);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(with_a_pvh_note),
		TEST(with_a_pvh_note_of_8_bytes),
		TEST(without_a_pvh_note),
		TEST(segments_that_touch),
		TEST(segments_of_nothing),
		TEST(not_for_this_machine),
		TEST(program_headers_in_number),
		TEST(program_headers_of_another_size),
		TEST(program_headers_elsewhere),
		TEST(nothing_to_load),
		TEST(segments_outside_memory),
		TEST(segments_that_overlap),
		TEST(more_file_than_memory),
		TEST(bytes_that_are_not_there),
		TEST(lying_notes),
		TEST(notes_that_are_not_the_one),
		TEST(notes_cut_short),
		TEST(notes_that_are_not_there),
		TEST(entries_outside_memory),
		TEST(entries_above_4_gib),
		TEST(truncated_anywhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
