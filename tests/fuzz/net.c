/*
 * net.c: a network card on the tap fuzz0, fed steps; see lib/device.c.
 */
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_device(&net_device, "tap=fuzz0,mac=02:00:00:00:00:09", data, size);
}
