/*
 * pci.c: configuration space, its ports, and the registers behind a BAR: any access anywhere.
 */
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_bus(true, data, size);
}
