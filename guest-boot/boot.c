/*
 * boot.c: the steps from a kernel file to a guest that can start (tour 6).
 *
 * main calls boot_prepare() once RAM exists. The order matters only in that
 * the kernel says where the initrd may go and how long a command line it
 * can take.
 *
 * Next in the tour: bzimage.c and elf.c, the kernels.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"
#include "layout.h"
#include "log.h"

int boot_file_open(struct boot_file *file, const char *what, const char *name)
{
	struct stat st;

	*file = (struct boot_file){ .name = name };
	file->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &st) < 0) {
		log_error("%s: cannot open the %s: %m", name, what);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		log_error("%s: the %s must be a regular file", name, what);
		return -1;
	}
	if (st.st_size == 0) {
		log_error("%s: the %s is empty", name, what);
		return -1;
	}
	file->size = (uint64_t)st.st_size;
	return 0;
}

void boot_file_close(struct boot_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
}

int boot_file_read(const struct boot_file *file, uint64_t offset, void *to, uint64_t len)
{
	uint8_t *at = to;

	/* Asked first, because part of `to` may be filled before a short file ends. */
	if (offset > file->size || len > file->size - offset) {
		log_error("%s: truncated: %llu bytes at offset %llu are beyond its end", file->name,
			  (unsigned long long)len, (unsigned long long)offset);
		return -1;
	}
	while (len > 0) {
		ssize_t got = pread(file->fd, at, len, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			log_error("%s: cannot read: %m", file->name);
			return -1;
		}
		if (got == 0) {
			log_error("%s: became shorter while it was read", file->name);
			return -1;
		}
		at += got;
		offset += (uint64_t)got;
		len -= (uint64_t)got;
	}
	return 0;
}

uint8_t boot_checksum(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	while (len--)
		sum += *byte++;
	return (uint8_t)-sum;
}

static int load_kernel(const char *name, const struct memory *memory, struct kernel *kernel)
{
	struct boot_file file;
	uint8_t start[1024] = { 0 };
	int ret = -1;

	if (boot_file_open(&file, "kernel", name) == 0 &&
	    boot_file_read(&file, 0, start,
			   file.size < sizeof(start) ? file.size : sizeof(start)) == 0) {
		if (elf_matches(start, sizeof(start)))
			ret = elf_load(&file, memory, kernel);
		else if (bzimage_matches(start, sizeof(start)))
			ret = bzimage_load(&file, memory, kernel);
		else
			log_error("%s: neither a bzImage nor an ELF kernel", name);
	}
	boot_file_close(&file);
	return ret;
}

int boot_prepare(const struct machine *machine, const struct boot_options *options,
		 struct vcpu_entry *entry)
{
	struct kernel kernel = { 0 };
	struct initrd initrd = { 0 };

	if (load_kernel(options->kernel, machine->memory, &kernel) < 0)
		return -1;
	if (options->initrd && initrd_load(options->initrd, machine->memory, &kernel, &initrd) < 0)
		return -1;
	if (cmdline_write(machine, options, &kernel) < 0)
		return -1;

	/* A kernel that is told of its devices on the command line is one that
	 * knows no ACPI: it gets the older table of processors instead. */
	if (machine->transport == TRANSPORT_MMIO_CMDLINE)
		mptable_write(machine);
	else
		acpi_write(machine);

	if (kernel.entry.mode == VCPU_ENTRY_PROTECTED32)
		pvh_write(machine, &kernel, &initrd);
	else
		zeropage_write(machine, &kernel, &initrd);
	*entry = kernel.entry;
	return 0;
}
