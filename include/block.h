/*
 * block.h: what the two files of virtio-blk share: block.c (the device, its
 * queue, taking requests) and block-request.c (carrying them out).
 *
 * Everything belongs to the device's thread once the guest runs.
 */
#ifndef LODGE_BLOCK_H
#define LODGE_BLOCK_H

#include <linux/virtio_blk.h>

#include "disk.h"
#include "virtio.h"

#define BLOCK_SECTOR            512
#define BLOCK_REQUESTS          VIRTQUEUE_SIZE_MAX
#define BLOCK_RANGE_SECTORS_MAX (1u << 22) /* of one discard or write-zeroes: 2 GiB */

struct block;

struct request {
	struct loop_op op;
	struct block *block;
	struct chain chain;
	uint8_t *status; /* where the driver expects it */
	uint32_t type;   /* VIRTIO_BLK_T_* */
	int fd;

	/* What is still to be done. */
	struct iovec *iov;
	unsigned iov_count;
	uint64_t offset;    /* in the file, bytes */
	uint64_t remaining; /* bytes */
	bool is_range;      /* these bytes are in no buffer: to be discarded, or zeroes */
	int mode;           /* of a range: what fallocate() is to do */

	/* What of it the kernel has been asked for. */
	struct iovec *last; /* the last buffer of it, */
	size_t cut;         /* which is that much shorter than the driver's, meanwhile */
	uint64_t piece;     /* bytes of a range */

	struct iovec buffers[VIRTQUEUE_CHAIN_MAX];
};

struct block {
	struct virtio_device device;
	struct disk disk;
	char serial[VIRTIO_BLK_ID_BYTES];
	int write_flags;                    /* RWF_DSYNC, when the driver cannot flush */
	bool read_may_wait, write_may_wait; /* the file knows no RWF_NOWAIT */

	struct request *requests; /* BLOCK_REQUESTS of them; pages touched as the depth grows */
	uint16_t
		free[BLOCK_REQUESTS]; /* a stack of indices, so that the same ones are used again */
	unsigned free_count;
	unsigned in_flight;
	uint64_t copied; /* bytes, at once, in all: for serve(), which must not go on for ever */
	unsigned errors; /* that were reported */
	struct loop_op again;
};

/*
 * Carry out a request whose header, status and data block_take() has found:
 * at once if nothing has to be waited for, else by the loop. `sector` is the
 * header's. It ends in block_finish(), with the status the driver sees.
 */
void block_start_request(struct request *request, uint64_t sector);

/* The request is over: write its status, give back the chain and the request. */
void block_finish(struct request *request, uint8_t status);

/* A request came back when all had been in use: look at the ring again. */
void block_resume(struct block *block);

#endif
