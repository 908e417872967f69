/*
 * boot.c: the kernel's file: opened, read with care, and given to the loader
 * that knows its kind.
 *
 * boot-x86_64.c and boot-arm64.c call in, and the loaders for the bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"
#include "log.h"
#include "output.h"

int boot_file_open(struct boot_file *file, const char *what, const char *name)
{
	struct stat st;

	*file = (struct boot_file){ .name = name };
	/* Not waiting matters for a named pipe without a writer, and for no file below. */
	file->fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
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

int boot_load_kernel(const char *name, const struct boot_format *formats, unsigned count,
		     const char *kinds, const struct memory *memory, struct kernel *kernel)
{
	struct boot_file file;
	uint8_t start[1024] = { 0 };
	unsigned i = 0;
	int ret = -1;

	if (boot_file_open(&file, "kernel", name) == 0 &&
	    boot_file_read(&file, 0, start,
			   file.size < sizeof(start) ? file.size : sizeof(start)) == 0) {
		while (i < count && !formats[i].matches(start, sizeof(start)))
			i++;
		if (i < count)
			ret = formats[i].load(&file, memory, kernel);
		else
			log_error("%s: %s", name, kinds);
	}
	boot_file_close(&file);
	return ret;
}

int boot_dump(const char *option, const char *name, const void *bytes, size_t len)
{
	int fd = output_open(option, name);
	const uint8_t *at = bytes;
	bool failed;

	if (fd < 0)
		return -1;
	failed = output_empty(fd) < 0;
	while (!failed && len > 0) {
		ssize_t done = write(fd, at, len);

		if (done < 0) {
			failed = errno != EINTR;
			continue;
		}
		at += done;
		len -= (size_t)done;
	}
	/* One that succeeds leaves errno alone. */
	failed = close(fd) < 0 || failed;
	if (failed)
		log_error("%s: cannot write %s: %m", option, name);
	return failed ? -1 : 0;
}
