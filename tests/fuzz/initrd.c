/*
 * initrd.c: an initrd of any size, above a kernel of any size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "boot.h"
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first bytes say what the kernel wants; the rest is the file, made longer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory *memory = fuzz_memory(4 << 20, 1 << 20);
	struct input input = { data, size };
	struct kernel kernel = { .end = input_take(&input, 8),
				 .initrd_max = input_take(&input, 8) };
	off_t grown = (off_t)(input_take(&input, 4) % (8 << 20));
	struct boot_file file = fuzz_file(input.at, input.left);
	struct initrd initrd = { 0 };
	char name[64];

	/* A kernel ends in RAM, low or high: its loader saw to it. And numbers
	 * near those that matter come up more often than by chance. */
	kernel.end = (kernel.end & 1) << 32 | (kernel.end >> 1 & 0x3fffff);
	if (kernel.initrd_max & 1)
		kernel.initrd_max &= 0x7fffff;
	if (ftruncate(file.fd, (off_t)input.left + grown) < 0)
		abort();
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file.fd);
	if (initrd_load(name, memory, &kernel, &initrd) == 0 &&
	    (initrd.gpa < kernel.end || initrd.gpa + initrd.size - 1 > kernel.initrd_max))
		__builtin_trap();
	boot_file_close(&file);
	return 0;
}
