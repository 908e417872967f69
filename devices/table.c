/*
 * table.c: every kind of device there is. Adding one means one line here.
 *
 * options.c parses and explains from this table, main.c creates from it, in
 * this order, which is also the order of their slots.
 */
#include <stddef.h>

#include "device.h"

const struct device_type *const device_types[] = {
	&console_device, &rng_device, &block_device, &net_device, NULL,
};
