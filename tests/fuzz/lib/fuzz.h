/*
 * fuzz.h: what the fuzz targets share: a machine without KVM, whose buses
 * and devices are the real ones.
 *
 * The seam is launcher/vm.c and irq.c, the only files a device's transport
 * needs of KVM: machine.c stands in for them with the same eventfds, to which
 * nobody listens. A kick then reaches the transport as a register write, which
 * rings the same doorbell. RAM is two pieces from malloc(), so that the address
 * sanitizer knows its ends to the byte.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "vm.h"

#define FUZZ_LOW  0x20000u /* bytes of RAM from address 0 */
#define FUZZ_HIGH 0x8000u  /* and from 4 GiB */

/* The input, taken from its front; zeroes once it is used up. */
struct input {
	const uint8_t *at;
	size_t left;
};
uint64_t input_take(struct input *input, unsigned bytes);

/* Exactly this much RAM, zeroed, made once and used again. */
struct memory *fuzz_memory(uint64_t low, uint64_t high);

/* Feed a device of this type, made once with these options, on either transport. */
int fuzz_device(const struct device_type *type, const char *options, const uint8_t *data,
		size_t size);

/* Only the bus: accesses of any width anywhere, to an entropy device on it. */
int fuzz_bus(bool pci, const uint8_t *data, size_t size);

/* A file with these bytes, as a loader takes it; it is closed by boot_file_close(). */
struct boot_file;
struct boot_file fuzz_file(const uint8_t *data, size_t size);

#endif
