/*
 * kernel.h: small kernel files to load, right ones, for the loader programs
 * to bend.
 */
#ifndef UNIT_KERNEL_H
#define UNIT_KERNEL_H

#include "boot.h"
#include "unit.h"

/* What a loader said and did with a file. */
struct load {
	int result;
	struct kernel kernel;
	const char *said;
};

typedef int (*loader)(const struct boot_file *, const struct memory *, struct kernel *);

/* Put these bytes into a file and load it; fresh memory for each. */
struct load load_bytes(loader load, const struct memory *memory, const void *bytes, size_t len);

/* The file must be refused, with one line that has `part` in it. */
void assert_refused(const struct load *load, const char *part);

#endif
