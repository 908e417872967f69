/*
 * bzimage.c: the loader, given the input as a kernel file.
 */
#include <string.h>

#include "boot-arch.h"
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory *memory = fuzz_memory(4 << 20, 1 << 20);
	struct boot_file file = fuzz_file(data, size);
	struct kernel kernel = { 0 };

	if (bzimage_load(&file, memory, &kernel) == 0 && kernel.entry.rip < 0x100000)
		__builtin_trap();
	boot_file_close(&file);
	return 0;
}
