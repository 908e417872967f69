/*
 * mmio.c: the registers of virtio-mmio: any access anywhere.
 */
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_bus(false, data, size);
}
