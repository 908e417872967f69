/*
 * memory.c: the guest's RAM.
 *
 * Main creates it; vCPUs, devices and the loaders look addresses up. Nothing
 * here changes after the guest starts, so no thread needs a lock.
 */
#include <errno.h>
#include <sys/mman.h>

#include "layout.h"
#include "memory.h"

#define HIGH_START (UINT64_C(1) << 32)

int memory_create(struct memory *memory, uint64_t size, uint64_t low_max)
{
	uint64_t low = size < low_max ? size : low_max;
	uint8_t *host;

	/* NORESERVE: a test guest is given much and uses little. */
	host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (host == MAP_FAILED)
		return -errno;
	memory->low = (struct memory_region){ .gpa = LAYOUT_RAM, .size = low, .host = host };
	memory->high =
		(struct memory_region){ .gpa = HIGH_START, .size = size - low, .host = host + low };
	return 0;
}

void memory_free(struct memory *memory)
{
	munmap(memory->low.host, memory_size(memory));
}

int memory_hide(const struct memory *memory)
{
	return madvise(memory->low.host, memory_size(memory), MADV_DONTDUMP) < 0 ? -errno : 0;
}

uint64_t memory_size(const struct memory *memory)
{
	return memory->low.size + memory->high.size;
}

static bool region_holds(const struct memory_region *region, uint64_t gpa, uint64_t len)
{
	/* Subtractions only: gpa + len may wrap around, these cannot. */
	return gpa >= region->gpa && gpa - region->gpa < region->size &&
	       len <= region->size - (gpa - region->gpa);
}

void *memory_at(const struct memory *memory, uint64_t gpa, uint64_t len)
{
	if (len == 0)
		return NULL;
	if (region_holds(&memory->low, gpa, len))
		return memory->low.host + (gpa - memory->low.gpa);
	if (region_holds(&memory->high, gpa, len))
		return memory->high.host + (gpa - memory->high.gpa);
	return NULL;
}
