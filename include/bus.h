/*
 * bus.h: who answers at an address.
 *
 * Two of these exist: memory-mapped I/O (guest-physical addresses outside
 * RAM) and x86 I/O ports. A table is filled by main before the guest starts
 * and never changes afterwards, so vCPU threads read it without a lock. What
 * can move while the guest runs (PCI base address registers) is looked up
 * inside the one region the PCI root owns.
 */
#ifndef LODGE_BUS_H
#define LODGE_BUS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Handlers run on the vCPU thread that made the access. `offset` is in bytes
 * from the region's base; `len` is 1, 2, 4 or 8 bytes and the access lies
 * inside the region. A read fills `data` completely (it arrives all ones).
 */
struct bus_ops {
	void (*read)(void *context, uint64_t offset, void *data, unsigned len);
	void (*write)(void *context, uint64_t offset, const void *data, unsigned len);
};

#define BUS_REGIONS_MAX 48

struct bus {
	const char *name; /* "mmio" or "port", for messages */
	unsigned count;
	struct bus_region {
		uint64_t base, size;
		const struct bus_ops *ops;
		void *context;
	} regions[BUS_REGIONS_MAX];
};

/* Give [base, base+size) to a handler; the regions must not overlap. Main, before vCPUs. */
void bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops,
	     void *context);

/* A guest's access. Nobody home: reads give all ones, writes vanish. vCPU threads. */
void bus_read(const struct bus *bus, uint64_t address, void *data, unsigned len);
void bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned len);

#endif
