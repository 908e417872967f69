/*
 * rng.c: the entropy device, fed steps; see lib/device.c.
 */
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_device(&rng_device, NULL, data, size);
}
