/*
 * boot.h: getting a kernel into the guest's memory, ready to run.
 *
 * boot_prepare() is all that main calls; each architecture has its own
 * (boot-x86_64.c, boot-arm64.c). Behind it, one file per step:
 *
 *      kernel file --> bzimage.c, elf.c or image.c --> struct kernel
 *      initrd.c, cmdline.c                    (what goes with it)
 *      acpi.c or fdt.c                        (the description of the machine)
 *      zeropage.c or pvh.c                    (the hand-over on x86)
 *
 * What only one architecture needs is declared in its boot-arch.h.
 *
 * Everything here runs on main before the first vCPU exists, prints one line
 * about what is wrong with which file, and returns -1. The files are not
 * trusted more than the guest: every number in them is checked before use.
 */
#ifndef LODGE_BOOT_H
#define LODGE_BOOT_H

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
	const char *dump;    /* where to write the description of the machine; NULL: nowhere */
};

/* A file being loaded. */
struct boot_file {
	const char *name;
	int fd;
	uint64_t size; /* bytes */
};

/* A kernel in guest memory. Addresses are guest-physical. */
struct kernel {
	struct vcpu_entry entry; /* its parameter is filled by the hand-over */
	uint64_t end;            /* the kernel may use memory up to here before it looks around */
	uint64_t initrd_max;     /* the initrd's last byte lies at or below this */
	uint32_t cmdline_max;    /* bytes without the NUL */
	struct kernel_arch arch;
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

/* Read [offset, offset+len) into `to`; a file that ends earlier is an error. */
int boot_file_read(const struct boot_file *file, uint64_t offset, void *to, uint64_t len);

/* Write a description of the machine to a file, because `option` asks for it. */
int boot_dump(const char *option, const char *name, const void *bytes, size_t len);

/* A kind of kernel file: does it look like one, by its first `len` bytes; and load it. */
struct boot_format {
	bool (*matches)(const uint8_t *start, size_t len);
	int (*load)(const struct boot_file *file, const struct memory *memory,
		    struct kernel *kernel);
};

/* Load the kernel, by the first of `count` formats that matches; `kinds` names them all. */
int boot_load_kernel(const char *name, const struct boot_format *formats, unsigned count,
		     const char *kinds, const struct memory *memory, struct kernel *kernel);

/* Place the initrd as high as it may be, above the kernel. */
int initrd_load(const char *name, const struct memory *memory, const struct kernel *kernel,
		struct initrd *initrd);

/* Write the command line to `text`, which has LAYOUT_CMDLINE_MAX bytes. */
int cmdline_write(const struct machine *machine, const struct boot_options *options,
		  const struct kernel *kernel, char *text);

/* Does `word` name this key: "console=ttyS0" the key "console"? */
bool cmdline_names_key(const char *const *words, unsigned count, const char *key);

#endif
