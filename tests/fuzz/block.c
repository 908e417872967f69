/*
 * block.c: a disk of 1 MiB in memory, fed steps; see lib/device.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[64];

	if (!*name) {
		int fd = memfd_create("disk", MFD_CLOEXEC);

		if (fd < 0 || ftruncate(fd, 1 << 20) < 0)
			abort();
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	}
	return fuzz_device(&block_device, name, data, size);
}
