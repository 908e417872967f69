/*
 * memory.h: the guest's RAM, and the one way from its addresses to ours.
 *
 * RAM is one anonymous mapping of ours, shown to the guest in at most two
 * pieces, because PCI and the interrupt controllers of a PC live below 4 GiB:
 *
 *      guest-physical                        our mapping
 *      0 ........... 3 GiB   (low)           [0 ........ low)
 *      3 GiB ....... 4 GiB   hole: devices
 *      4 GiB ....... end     (high)          [low ...... size)
 *
 * On arm64 there is one piece, which begins above the devices, at 1 GiB.
 *
 * memory_at() is the only function that turns a guest address into a
 * pointer. Whatever a guest says goes through it.
 */
#ifndef LODGE_MEMORY_H
#define LODGE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_region {
	uint64_t gpa;  /* guest-physical address of the first byte */
	uint64_t size; /* bytes; 0 if there is no such region */
	uint8_t *host; /* where those bytes are in our address space */
};

struct memory {
	struct memory_region low;  /* from LAYOUT_RAM */
	struct memory_region high; /* from 4 GiB */
};

/*
 * Map `size` bytes of RAM (a multiple of the page size) of which at most
 * `low_max` lie below the hole. The pages are not touched. The mapping
 * belongs to *memory until memory_free().
 * Returns 0 or -errno. Main, before threads.
 */
int memory_create(struct memory *memory, uint64_t size, uint64_t low_max);

void memory_free(struct memory *memory);

/* Warn if our control group has less memory than `size` bytes (limits.c). Main. */
void memory_warn_of_limit(uint64_t size);

/* Keep it out of core dumps of ours (madvise(2), MADV_DONTDUMP). Main. 0 or -errno. */
int memory_hide(const struct memory *memory);

/* All of the guest's RAM, in bytes. Any thread. */
uint64_t memory_size(const struct memory *memory);

/*
 * The host address of `len` bytes at guest-physical address `gpa`, or NULL
 * if any of them is not RAM. A range never spans the hole. `len` 0 is
 * refused: nothing has no address. Any thread, no side effects.
 */
void *memory_at(const struct memory *memory, uint64_t gpa, uint64_t len);

#endif
