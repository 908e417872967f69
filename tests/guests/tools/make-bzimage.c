/*
 * make-bzimage.c: wrap a test guest's ELF as a bzImage, to test the Linux/x86
 * boot protocol (2.15) without a Linux kernel. `make-bzimage IN.elf OUT`.
 *
 *   sector 0     setup header at 0x1f1
 *   sector 1-4   real-mode set-up code would be here; a 64-bit boot skips it
 *   +0x000       32-bit entry: halts, nobody may come this way
 *   +0x200       64-bit entry: copies the guest below it to where it was
 *                linked, as a decompressor would, and jumps to it
 */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, SETUP_SECTORS = 4, ENTRY64 = 0x200, BODY = 0x240 };

static uint8_t file[1 << 20], flat[1 << 20], setup[(1 + SETUP_SECTORS) * SECTOR], loader[BODY];

static void fail(const char *what)
{
	fprintf(stderr, "make-bzimage: %s\n", what);
	exit(1);
}

#define put(at, type, value)                                                                       \
	do {                                                                                       \
		type v_ = (value);                                                                 \
		memcpy(at, &v_, sizeof(v_));                                                       \
	} while (0)

/* Lay the loadable segments out as they will lie in memory; zeros where the
 * file says nothing. */
static uint32_t flatten(const Elf64_Ehdr *elf, size_t size, uint64_t *base)
{
	const Elf64_Phdr *p = (const void *)(file + elf->e_phoff);
	uint64_t end = 0;

	*base = UINT64_MAX;
	for (int i = 0; i < elf->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_paddr < *base)
			*base = p[i].p_paddr;
	for (int i = 0; i < elf->e_phnum; i++) {
		uint64_t at = p[i].p_paddr - *base;

		if (p[i].p_type != PT_LOAD)
			continue;
		if (p[i].p_offset + p[i].p_filesz > size || at + p[i].p_memsz > sizeof(flat))
			fail("a segment is too large");
		memcpy(flat + at, file + p[i].p_offset, p[i].p_filesz);
		if (at + p[i].p_memsz > end)
			end = at + p[i].p_memsz;
	}
	return (end + 15) & ~15u;
}

/* lea BODY(start), %rsi; mov $base, %edi; mov $length/8, %ecx; rep movsq;
 * mov $entry, %eax; jmp *%rax, with rsi, the zero page, kept in rdx. */
static void write_stub(uint64_t base, uint32_t length, uint64_t entry)
{
	uint8_t *p = loader + ENTRY64;

	memcpy(p, "\x48\x89\xf2", 3);
	memcpy(p + 3, "\x48\x8d\x35", 3);
	put(p + 6, uint32_t, BODY - (ENTRY64 + 10));
	p[10] = 0xbf;
	put(p + 11, uint32_t, base);
	p[15] = 0xb9;
	put(p + 16, uint32_t, length / 8);
	memcpy(p + 20, "\xf3\x48\xa5", 3);
	memcpy(p + 23, "\x48\x89\xd6", 3);
	p[26] = 0xb8;
	put(p + 27, uint32_t, entry);
	memcpy(p + 31, "\xff\xe0", 2);
	memcpy(loader, "\xfa\xf4\xeb\xfd", 4); /* cli; hlt; again */
}

static void write_header(uint32_t length)
{
	uint32_t image = BODY + length;

	setup[0x1f1] = SETUP_SECTORS;
	put(setup + 0x1f4, uint32_t, (image + 15) / 16); /* syssize */
	put(setup + 0x1fe, uint16_t, 0xaa55);
	memcpy(setup + 0x200, "\xeb\x6a", 2); /* over the header */
	memcpy(setup + 0x202, "HdrS", 4);
	put(setup + 0x206, uint16_t, 0x020f);
	setup[0x211] = 1;                                             /* LOADED_HIGH */
	put(setup + 0x214, uint32_t, 0x100000);                       /* code32_start */
	put(setup + 0x22c, uint32_t, 0x7fffffff);                     /* initrd_addr_max */
	put(setup + 0x230, uint32_t, 0x200000);                       /* kernel_alignment */
	setup[0x234] = 1;                                             /* relocatable */
	setup[0x235] = 21;                                            /* min_alignment */
	put(setup + 0x236, uint16_t, 1);                              /* XLF_KERNEL_64 */
	put(setup + 0x238, uint32_t, 2047);                           /* cmdline_size */
	put(setup + 0x258, uint64_t, 0x1000000);                      /* pref_address */
	put(setup + 0x260, uint32_t, (image + 0x1fffff) & ~0x1fffff); /* init_size */
}

int main(int argc, char **argv)
{
	const Elf64_Ehdr *elf = (const void *)file;
	uint64_t base;
	uint32_t length;
	size_t size;
	FILE *f;

	if (argc != 3)
		fail("usage: make-bzimage IN.elf OUT");
	f = fopen(argv[1], "rb");
	size = f ? fread(file, 1, sizeof(file), f) : 0;
	if (size < sizeof(*elf) || memcmp(file, ELFMAG, SELFMAG))
		fail("the input is no ELF file");
	fclose(f);
	length = flatten(elf, size, &base);
	write_stub(base, length, elf->e_entry);
	write_header(length);
	f = fopen(argv[2], "wb");
	if (!f || fwrite(setup, sizeof(setup), 1, f) != 1 || fwrite(loader, BODY, 1, f) != 1 ||
	    fwrite(flat, length, 1, f) != 1 || fclose(f))
		fail("cannot write the output");
	return 0;
}
