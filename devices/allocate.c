/*
 * allocate.c: memory for a device, or a line that says there is none.
 *
 * Options and devices are made of it, on main, before the guest runs;
 * afterwards nothing is allocated.
 */
#include <stdlib.h>

#include "device.h"
#include "log.h"

void *device_allocate(const char *who, size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		log_error("%s: no memory left for it (%zu bytes)", who, size);
	return memory;
}
