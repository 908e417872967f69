/*
 * boot-arch.h: the steps of booting that only an x86 guest needs (boot.h has
 * those every guest needs).
 *
 *      bzimage.c or elf.c --> struct kernel
 *      acpi.c or mptable.c    (the description of the machine)
 *      zeropage.c or pvh.c    (the hand-over)
 */
#ifndef LODGE_BOOT_ARCH_H
#define LODGE_BOOT_ARCH_H

#include "boot.h"

/* Does it look like one; and load it: entries of boot_formats. */
bool bzimage_matches(const uint8_t *start, size_t len);
int bzimage_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel);
bool elf_matches(const uint8_t *start, size_t len);
int elf_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel);

/* The byte that makes these bytes, it included as zero, sum up to zero: ACPI, MP table. */
uint8_t boot_checksum(const void *bytes, size_t len);

/* Build the ACPI tables; the RSDP's guest-physical address is LAYOUT_ACPI. */
void acpi_write(const struct machine *machine);

/*
 * Write the tables in guest memory to files in `directory`, made if it is not there:
 * "rsdp.dat", "facp.dat" and so on, as iasl -d takes them. 0 or -1, printing
 * the reason.
 */
int acpi_dump(const struct machine *machine, const char *directory);

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
