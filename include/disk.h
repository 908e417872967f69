/*
 * disk.h: a disk image or block device, opened, and what it can do.
 *
 * The file side of virtio-blk: devices/block.c speaks virtio, devices/disk.c
 * knows files. Nothing here runs after the guest has started but the file
 * descriptors themselves.
 */
#ifndef LODGE_DISK_H
#define LODGE_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct disk_options {
	char *file; /* owned with the struct: one allocation */
	bool read_only, direct;
	char serial[20]; /* as the guest gets it: padded with NUL, not terminated */
};

struct disk {
	int fd;          /* O_DIRECT if `direct` was asked for */
	int buffered_fd; /* the same file without it, for what O_DIRECT cannot take; or -1 */
	uint64_t size;   /* bytes, a multiple of 512 */
	bool read_only;
	uint32_t block_size;    /* logical, bytes: requests should be multiples of it */
	uint32_t physical_size; /* bytes */
	uint32_t memory_align;  /* of buffers for O_DIRECT, bytes */
};

/* "FILE[,ro][,direct][,serial=ID]"; as device_type.parse. */
void *disk_parse(const char *text);

/* Open the file. Prints the reason; 0 or -1. Main. */
int disk_open(struct disk *disk, const struct disk_options *options);
void disk_close(struct disk *disk);

#endif
