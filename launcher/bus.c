/*
 * bus.c: from an address to a handler.
 *
 * A vCPU that left guest mode because of an access KVM could not serve comes
 * here. The tables are short and exits are what we avoid, so a linear search
 * is the right size of solution.
 */
#include <assert.h>
#include <string.h>

#include "bus.h"
#include "log.h"

void bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops,
	     void *context)
{
	assert(bus->count < BUS_REGIONS_MAX);
	bus->regions[bus->count++] =
		(struct bus_region){ .base = base, .size = size, .ops = ops, .context = context };
}

static const struct bus_region *bus_find(const struct bus *bus, uint64_t address, unsigned len)
{
	for (unsigned i = 0; i < bus->count; i++) {
		const struct bus_region *region = &bus->regions[i];

		if (address >= region->base && address - region->base < region->size &&
		    len <= region->size - (address - region->base))
			return region;
	}
	return NULL;
}

void bus_read(const struct bus *bus, uint64_t address, void *data, unsigned len)
{
	const struct bus_region *region = bus_find(bus, address, len);

	memset(data, 0xff, len);
	if (region)
		region->ops->read(region->context, address - region->base, data, len);
	else
		log_verbose("%s read of %u bytes at 0x%llx: nobody home", bus->name, len,
			    (unsigned long long)address);
}

void bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned len)
{
	const struct bus_region *region = bus_find(bus, address, len);

	if (region)
		region->ops->write(region->context, address - region->base, data, len);
	else
		log_verbose("%s write of %u bytes at 0x%llx: nobody home", bus->name, len,
			    (unsigned long long)address);
}
