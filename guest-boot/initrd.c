/*
 * initrd.c: the initial RAM disk.
 *
 * boot.c calls in once the kernel has said where it may lie. As high as
 * possible, so that the kernel can unpack itself without treading on it, but
 * below the hole: every kernel can read it there.
 */
#include "boot.h"
#include "log.h"

#define PAGE UINT64_C(4096)

int initrd_load(const char *name, const struct memory *memory, const struct kernel *kernel,
		struct initrd *initrd)
{
	uint64_t top = memory->low.gpa + memory->low.size;
	uint64_t bottom = (kernel->end + PAGE - 1) & ~(PAGE - 1);
	struct boot_file file;
	int ret = -1;

	if (boot_file_open(&file, "initrd", name) < 0)
		goto out;
	if (kernel->initrd_max < top)
		top = kernel->initrd_max + 1;
	if (bottom >= top || file.size > top - bottom) {
		log_error("%s: the initrd (%llu MiB) does not fit between the kernel's end at %llu "
			  "MiB and %llu MiB; give the guest more memory with -m",
			  name, (unsigned long long)((file.size + 0xfffff) >> 20),
			  (unsigned long long)(bottom >> 20), (unsigned long long)(top >> 20));
		goto out;
	}
	initrd->gpa = (top - file.size) & ~(PAGE - 1);
	initrd->size = file.size;
	ret = boot_file_read(&file, 0, memory_at(memory, initrd->gpa, file.size), file.size);
out:
	boot_file_close(&file);
	return ret;
}
