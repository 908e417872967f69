/*
 * boot.h: getting a kernel into the guest's memory, ready to run.
 *
 * boot_prepare() is all that main calls. Behind it, one file per step:
 *
 *      kernel file --> bzimage.c or elf.c --> struct kernel
 *      initrd.c, cmdline.c, acpi.c            (what goes with it)
 *      zeropage.c or pvh.c                    (the hand-over)
 *
 * Everything here runs on main before the first vCPU exists, prints one line
 * about what is wrong with which file, and returns -1. The files are not
 * trusted more than the guest: every number in them is checked before use.
 */
#ifndef LODGE_BOOT_H
#define LODGE_BOOT_H

#include <asm/bootparam.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"
#include "vcpu.h"

struct boot_options {
	const char *kernel;       /* file names */
	const char *initrd;       /* NULL: none */
	const char *const *words; /* the user's part of the command line */
	unsigned word_count;
	bool virtio_console; /* the terminal is wired to virtio-console */
};

/* A file being loaded. */
struct boot_file {
	const char *name;
	int fd;
	uint64_t size; /* bytes */
};

/* A kernel in guest memory. Addresses are guest-physical. */
struct kernel {
	struct vcpu_entry entry;   /* `param` is filled by the hand-over */
	uint64_t end;              /* the kernel may use memory up to here before it looks around */
	uint64_t initrd_max;       /* the initrd's last byte lies at or below this */
	uint32_t cmdline_max;      /* bytes without the NUL */
	struct setup_header setup; /* a bzImage's own; zero for ELF */
};

struct initrd {
	uint64_t gpa, size; /* size 0: none */
};

/*
 * Load the kernel, everything it needs, and the description of *machine;
 * tell in *entry where vCPU 0 begins. 0 or -1.
 */
int boot_prepare(const struct machine *machine, const struct boot_options *options,
		 struct vcpu_entry *entry);

/* --- The steps; each returns 0, or prints why not and returns -1. --- */

/* Open a regular, readable, non-empty file. `what` names it in messages ("kernel"). */
int boot_file_open(struct boot_file *file, const char *what, const char *name);
void boot_file_close(struct boot_file *file);

/* The byte that makes these bytes, it included as zero, sum up to zero: ACPI, MP table. */
uint8_t boot_checksum(const void *bytes, size_t len);

/* Read [offset, offset+len) into `to`; a file that ends earlier is an error. */
int boot_file_read(const struct boot_file *file, uint64_t offset, void *to, uint64_t len);

/* Does it look like one; and load it. */
bool bzimage_matches(const uint8_t *start, size_t len);
int bzimage_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel);
bool elf_matches(const uint8_t *start, size_t len);
int elf_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel);

/* Place the initrd as high as it may be, above the kernel. */
int initrd_load(const char *name, const struct memory *memory, const struct kernel *kernel,
		struct initrd *initrd);

/* Write the command line at LAYOUT_CMDLINE. */
int cmdline_write(const struct machine *machine, const struct boot_options *options,
		  const struct kernel *kernel);

/* Does `word` name this key: "console=ttyS0" the key "console"? */
bool cmdline_names_key(const char *const *words, unsigned count, const char *key);

/* Build the ACPI tables; the RSDP's guest-physical address is LAYOUT_ACPI. */
void acpi_write(const struct machine *machine);

/* An MP table for kernels without ACPI, in the last KiB of conventional memory. */
void mptable_write(const struct machine *machine);

/* The two hand-overs; each fills kernel->entry.param. */
void zeropage_write(const struct machine *machine, struct kernel *kernel,
		    const struct initrd *initrd);
void pvh_write(const struct machine *machine, struct kernel *kernel, const struct initrd *initrd);

/* The memory map, as both hand-overs tell it. */
struct memory_map_entry {
	uint64_t gpa, size;
	uint32_t type; /* E820_RAM or E820_RESERVED, the same in PVH */
};
#define MEMORY_MAP_MAX      8
#define MEMORY_MAP_RAM      1
#define MEMORY_MAP_RESERVED 2

/* Fill `map`, in ascending order; returns the number of entries. */
unsigned memory_map(const struct memory *memory, struct memory_map_entry map[MEMORY_MAP_MAX]);

#endif
