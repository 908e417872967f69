/*
 * block.h: requests of a virtio block device, for the guests that make them.
 */
#ifndef BLOCK_H
#define BLOCK_H

#include "virtio.h"

enum {
	BLOCK_IN,
	BLOCK_OUT,
	BLOCK_FLUSH = 4,
	BLOCK_GET_ID = 8,
	BLOCK_DISCARD = 11,
	BLOCK_ZEROES = 13
};
enum { BLOCK_OK, BLOCK_IOERR, BLOCK_UNSUPP, BLOCK_NO_ANSWER = 0xee };

enum {
	F_SEG_MAX = 2,
	F_READ_ONLY = 5,
	F_BLK_SIZE = 6,
	F_FLUSH = 9,
	F_TOPOLOGY = 10,
	F_DISCARD = 13,
	F_WRITE_ZEROES = 14
};

struct block_header {
	uint32_t type, reserved;
	uint64_t sector;
};
struct block_range {
	uint64_t sector;
	uint32_t sectors, flags;
};

/* A request on its way: the header and the status must stay where they are. */
struct block_request {
	struct block_header header;
	volatile uint8_t status;
	int head;
};

/* Add a request to the queue, not yet visible to the device. */
bool block_add(struct queue *q, struct block_request *r, unsigned type, uint64_t sector, void *data,
	       uint32_t length, bool indirect);

/* One request from start to end; its status, and the used length if wanted. */
uint8_t block_do(struct queue *q, unsigned type, uint64_t sector, void *data, uint32_t length,
		 uint32_t *used);

static inline bool block_reads(unsigned type)
{
	return type == BLOCK_IN || type == BLOCK_GET_ID;
}

#endif
