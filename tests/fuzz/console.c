/*
 * console.c: the console, wired to nothing, fed steps; see lib/device.c.
 */
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_device(&console_device, NULL, data, size);
}
