/*
 * elf.c: uncompressed kernels: vmlinux, and small guests of our own.
 *
 * boot.c calls in. If a note of type XEN_ELFNOTE_PHYS32_ENTRY is there, the
 * kernel begins in 32-bit mode with a PVH start_info; otherwise at e_entry
 * in 64-bit mode with the zero page, as the kernel's startup_64 expects.
 *
 * Sources: elf(5); Xen's docs/misc/pvh.pandoc and xen/include/public/elfnote.h.
 */
#include <elf.h>
#include <string.h>

#include "boot-arch.h"
#include "layout.h"
#include "log.h"

#define SEGMENTS_MAX   64
#define NOTES_MAX      65536 /* bytes of notes we are willing to search */
#define NOTE_PVH_ENTRY 18

struct elf_notes {
	uint8_t bytes[NOTES_MAX];
};

bool elf_matches(const uint8_t *start, size_t len)
{
	return len >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0;
}

static int check_header(const struct boot_file *file, const Elf64_Ehdr *header)
{
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64) {
		log_error("%s: not an x86-64 ELF file", file->name);
		return -1;
	}
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN) {
		log_error("%s: not an ELF program (type %u)", file->name, header->e_type);
		return -1;
	}
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    header->e_phnum > SEGMENTS_MAX) {
		log_error("%s: %u program headers of %u bytes; can take 1 to %d of %zu", file->name,
			  header->e_phnum, header->e_phentsize, SEGMENTS_MAX, sizeof(Elf64_Phdr));
		return -1;
	}
	return 0;
}

static bool overlaps(const Elf64_Phdr *a, const Elf64_Phdr *b)
{
	return a->p_paddr < b->p_paddr + b->p_memsz && b->p_paddr < a->p_paddr + a->p_memsz;
}

/* Load segment `index`; those before it have been checked. */
static int load_segment(const struct boot_file *file, const struct memory *memory,
			const Elf64_Phdr *segments, unsigned index, struct kernel *kernel)
{
	const Elf64_Phdr *segment = &segments[index];
	uint8_t *to;

	if (segment->p_memsz == 0)
		return 0;
	if (segment->p_paddr < LAYOUT_HIGH_RAM) {
		log_error("%s: not a kernel: its segment %u belongs to 0x%llx, and kernels begin "
			  "at 1 MiB",
			  file->name, index, (unsigned long long)segment->p_paddr);
		return -1;
	}
	to = memory_at(memory, segment->p_paddr, segment->p_memsz);
	if (!to) {
		log_error("%s: segment %u (0x%llx bytes at 0x%llx) is not in the guest's memory; "
			  "give it more with -m",
			  file->name, index, (unsigned long long)segment->p_memsz,
			  (unsigned long long)segment->p_paddr);
		return -1;
	}
	if (segment->p_filesz > segment->p_memsz) {
		log_error("%s: segment %u is larger in the file than in memory", file->name, index);
		return -1;
	}
	for (unsigned i = 0; i < index; i++) {
		if (segments[i].p_type == PT_LOAD && segments[i].p_memsz > 0 &&
		    overlaps(segment, &segments[i])) {
			log_error("%s: segments %u and %u overlap", file->name, i, index);
			return -1;
		}
	}
	if (segment->p_filesz > 0 &&
	    boot_file_read(file, segment->p_offset, to, segment->p_filesz) < 0)
		return -1;
	if (segment->p_paddr + segment->p_memsz > kernel->end)
		kernel->end = segment->p_paddr + segment->p_memsz;
	return 0;
}

static uint64_t align4(uint64_t value)
{
	return (value + 3) & ~UINT64_C(3);
}

/* The PVH entry among `len` bytes of notes, or 0. */
static uint64_t find_pvh_entry(const uint8_t *notes, uint64_t len)
{
	uint64_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, desc, entry = 0;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		desc = name + align4(note.n_namesz);
		/* Sums of 32-bit numbers in 64 bits: no wrap-around to fear. */
		if (desc + note.n_descsz > len)
			return 0;
		if (note.n_type == NOTE_PVH_ENTRY && note.n_namesz == sizeof("Xen") &&
		    memcmp(notes + name, "Xen", sizeof("Xen")) == 0 &&
		    (note.n_descsz == 4 || note.n_descsz == 8)) {
			memcpy(&entry, notes + desc, note.n_descsz);
			return entry;
		}
		at = desc + align4(note.n_descsz);
		if (at > len)
			return 0;
	}
	return 0;
}

static int read_notes(const struct boot_file *file, const Elf64_Phdr *segment, uint64_t *pvh_entry)
{
	static struct elf_notes notes; /* too large for a stack, wanted once */
	uint64_t len = segment->p_filesz < NOTES_MAX ? segment->p_filesz : NOTES_MAX;

	if (len == 0)
		return 0;
	if (boot_file_read(file, segment->p_offset, notes.bytes, len) < 0)
		return -1;
	if (*pvh_entry == 0)
		*pvh_entry = find_pvh_entry(notes.bytes, len);
	return 0;
}

int elf_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel)
{
	Elf64_Phdr segments[SEGMENTS_MAX];
	uint64_t pvh_entry = 0;
	Elf64_Ehdr header;

	if (boot_file_read(file, 0, &header, sizeof(header)) < 0 ||
	    check_header(file, &header) < 0 ||
	    boot_file_read(file, header.e_phoff, segments, header.e_phnum * sizeof(*segments)) < 0)
		return -1;

	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD &&
		    load_segment(file, memory, segments, i, kernel) < 0)
			return -1;
		if (segments[i].p_type == PT_NOTE && read_notes(file, &segments[i], &pvh_entry) < 0)
			return -1;
	}
	if (pvh_entry)
		kernel->entry =
			(struct vcpu_entry){ .mode = VCPU_ENTRY_PROTECTED32, .rip = pvh_entry };
	else
		kernel->entry =
			(struct vcpu_entry){ .mode = VCPU_ENTRY_LONG64, .rip = header.e_entry };
	if (kernel->entry.rip < LAYOUT_HIGH_RAM || kernel->entry.rip >= kernel->end) {
		log_error("%s: nothing to run at its entry 0x%llx", file->name,
			  (unsigned long long)kernel->entry.rip);
		return -1;
	}
	/* Of 32-bit mode, and of the tables with which a kernel is entered in 64-bit mode. */
	if (kernel->entry.rip > UINT32_MAX) {
		log_error("%s: its entry 0x%llx is out of reach: kernels begin below 4 GiB",
			  file->name, (unsigned long long)kernel->entry.rip);
		return -1;
	}
	kernel->initrd_max = UINT64_MAX;
	kernel->cmdline_max = LAYOUT_CMDLINE_MAX - 1;
	return 0;
}
