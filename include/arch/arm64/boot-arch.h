/*
 * boot-arch.h: the steps of booting that only an arm64 guest needs (boot.h has
 * those every guest needs).
 *
 *      image.c --> struct kernel
 *      fdt.c       the description of the machine, and all else it is handed
 */
#ifndef LODGE_BOOT_ARCH_H
#define LODGE_BOOT_ARCH_H

#include "boot.h"

/* An Image, or one compressed by gzip: entries of boot_formats. */
bool image_matches(const uint8_t *start, size_t len);
int image_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel);
bool image_gzip_matches(const uint8_t *start, size_t len);
int image_gzip_load(const struct boot_file *file, const struct memory *memory,
		    struct kernel *kernel);

/*
 * Write the device tree at kernel->arch.fdt. Returns its length in bytes, or -1
 * after printing the reason.
 */
int fdt_write(const struct machine *machine, const struct kernel *kernel,
	      const struct initrd *initrd, const char *cmdline);

#endif
