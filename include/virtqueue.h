/*
 * virtqueue.h: one queue of a virtio device, as the device sees it.
 *
 * The driver hands us chains of buffers in the available ring; we hand them
 * back, with a length, in the used ring (virtio 1.2, 2.7):
 *
 *      driver writes                          device writes
 *   avail: flags idx [head head head ...]    used: flags idx [{id len} ...]
 *                  \___ used_event                        \___ avail_event
 *   desc:  {addr len flags next} x size      (shared, driver writes)
 *
 * All of that lies in guest memory, so all of it is hostile: a number is read
 * once into a local, checked, and only then used. What we remember ourselves
 * (next_avail, next_used) is never read back from the guest.
 *
 * A queue belongs to its device's thread. No other thread calls anything here
 * while the queue runs; that is why there is no lock in this file.
 */
#ifndef LODGE_VIRTQUEUE_H
#define LODGE_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory.h"

#define VIRTQUEUE_SIZE_MAX  256 /* descriptors: the largest queue we offer */
#define VIRTQUEUE_CHAIN_MAX 256 /* buffers in one chain, indirect or not */

/* What a driver tells of a queue before it enables it. Addresses are guest-physical. */
struct virtqueue_layout {
	uint16_t size; /* descriptors; a power of two */
	uint64_t desc, driver, device;
};

/* What virtqueue_next() found: buffers of the guest, checked to lie in its RAM. */
struct chain {
	uint16_t head;         /* to give back with virtqueue_done() */
	unsigned readable;     /* iov[0 .. readable): the device reads these */
	unsigned writable;     /* the next `writable` ones: the device writes these */
	uint64_t readable_len; /* bytes; cannot overflow: 256 buffers of 4 GiB at most */
	uint64_t writable_len;
	struct iovec *iov; /* the caller's, VIRTQUEUE_CHAIN_MAX entries */
};

struct vring_desc;
struct vring_avail;
struct vring_used;

struct virtqueue {
	const struct memory *memory;
	bool event_idx;    /* VIRTIO_F_EVENT_IDX was negotiated */
	bool indirect;     /* VIRTIO_F_INDIRECT_DESC was negotiated */
	bool kicks_wanted; /* the driver was told so, and not yet the contrary */
	const char *fault; /* what the driver did wrong; NULL: nothing */

	/* The rings, in our address space; checked to lie in RAM when the queue started. */
	uint16_t size;
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;

	uint16_t next_avail; /* the next entry of the available ring to take */
	uint16_t next_used;  /* the next entry of the used ring to fill */
	uint16_t shown;      /* used->idx as the driver sees it */
	uint16_t published;  /* up to where it was asked whether it wants an interrupt */
};

/*
 * Begin with fresh rings at these addresses. Returns 0, or -1 with
 * vq->fault set if the driver's numbers make no queue. Source: 2.7, 4.1.4.3.
 * Thread: the device's own.
 */
int virtqueue_start(struct virtqueue *vq, const struct memory *memory,
		    const struct virtqueue_layout *layout, bool event_idx, bool indirect);

/*
 * Take the next available chain; chain->iov must point to room for
 * VIRTQUEUE_CHAIN_MAX entries.
 *
 * Returns 1 and fills *chain; 0 if the driver has offered nothing more; -1
 * if what it offered breaks the rules (2.7.5: a loop, a buffer outside its
 * RAM, a readable buffer after a writable one, ...), with the reason in
 * vq->fault. After -1 the queue stays broken until the driver resets it.
 */
int virtqueue_next(struct virtqueue *vq, struct chain *chain);

/* Has the driver offered more than we have taken? */
bool virtqueue_has_next(const struct virtqueue *vq);

/*
 * Give a chain back, `len` bytes of its writable part having been written
 * from its start. Seen by the driver after virtqueue_publish().
 */
void virtqueue_done(struct virtqueue *vq, uint16_t head, uint32_t len);

/*
 * Show the driver all that is done, with one store, without asking whether it
 * waits for that: it is for a driver that looks by itself, in the middle of
 * more that is to come. virtqueue_publish() must follow before the thread rests.
 */
void virtqueue_show(struct virtqueue *vq);

/*
 * Show the driver all that is done. Returns whether it wants an interrupt for
 * what came since the last time (2.7.7).
 */
bool virtqueue_publish(struct virtqueue *vq);

/* Ask the driver not to kick while we are looking anyway. */
void virtqueue_disable_kicks(struct virtqueue *vq);

/*
 * Ask it to kick for the next chain. Returns true if there is one already:
 * then no kick may come for it, and the caller must look again.
 */
bool virtqueue_enable_kicks(struct virtqueue *vq);

/* --- Pieces of iovecs, for devices that parse what a chain holds --- */

/* Copy up to `len` bytes out of / into the buffers; returns how many there were. */
size_t iov_read(const struct iovec *iov, unsigned count, void *to, size_t len);
size_t iov_write(const struct iovec *iov, unsigned count, const void *from, size_t len);

/* The same, `at` bytes behind the start of the buffers. */
size_t iov_write_at(const struct iovec *iov, unsigned count, size_t at, const void *from,
		    size_t len);

/*
 * Drop `len` bytes from the front: adjusts *iov and *count, and the first
 * remaining entry in place. The buffers must hold at least `len` bytes.
 */
void iov_skip(struct iovec **iov, unsigned *count, size_t len);

/* Cut down to `len` bytes; returns the number of entries that remain. */
unsigned iov_truncate(struct iovec *iov, unsigned count, size_t len);

#endif
