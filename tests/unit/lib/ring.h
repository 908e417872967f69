/*
 * ring.h: a virtqueue and the driver's side of it, in plain memory.
 *
 * The three virtqueue programs play the driver: they write descriptors and
 * indices as a guest would, and look at what the device's side makes of them.
 */
#ifndef UNIT_RING_H
#define UNIT_RING_H

#include <linux/virtio_ring.h>

#include "layout.h"
#include "unit.h"
#include "virtqueue.h"

/* Where the fixture puts things; all of it in the low RAM of RING_MEMORY bytes. */
#define RING_MEMORY (UINT64_C(0xc0000000) + MIB) /* on x86, 1 MiB of it above the hole */
#define RING_EDGE   (LAYOUT_LOW_RAM_MAX < RING_MEMORY ? LAYOUT_LOW_RAM_MAX : LAYOUT_RAM + RING_MEMORY)
#define RING_DESC   (LAYOUT_RAM + UINT64_C(0x10000))
#define RING_DRIVER (LAYOUT_RAM + UINT64_C(0x20000))
#define RING_DEVICE (LAYOUT_RAM + UINT64_C(0x30000))
#define RING_TABLE  (LAYOUT_RAM + UINT64_C(0x40000)) /* room for indirect tables */
#define RING_DATA   (LAYOUT_RAM + UINT64_C(0x100000))
#define RING_SIZE   8

#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

struct ring {
	struct memory memory;
	struct virtqueue vq;
	struct vring_desc *desc, *table;
	struct vring_avail *avail;
	struct vring_used *used;
	struct iovec iov[VIRTQUEUE_CHAIN_MAX];
	struct chain chain;
};

/* A test with a fixture: *state is a fresh ring, with EVENT_IDX and INDIRECT. */
int ring_setup(void **state);
int ring_teardown(void **state);
#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, ring_setup, ring_teardown)

/* Begin again, all of it zero, with `size` descriptors. */
void ring_restart(struct ring *ring, uint16_t size, bool event_idx, bool indirect);

/* The driver offers the chain that begins at descriptor `head`. */
void ring_offer(struct ring *ring, uint16_t head);

/* virtqueue_next() into ring->chain. */
int ring_next(struct ring *ring);

#endif
