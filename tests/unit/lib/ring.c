/*
 * ring.c: the driver's side of a virtqueue, for the virtqueue programs.
 */
#include <stdlib.h>
#include <string.h>

#include "ring.h"

int ring_setup(void **state)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	ring->memory = unit_memory(RING_MEMORY);
	ring_restart(ring, RING_SIZE, true, true);
	*state = ring;
	return 0;
}

int ring_teardown(void **state)
{
	struct ring *ring = *state;

	memory_free(&ring->memory);
	free(ring);
	return 0;
}

void ring_restart(struct ring *ring, uint16_t size, bool event_idx, bool indirect)
{
	struct virtqueue_layout layout = {
		.size = size, .desc = RING_DESC, .driver = RING_DRIVER, .device = RING_DEVICE
	};

	memset(memory_at(&ring->memory, RING_DESC, RING_DATA - RING_DESC), 0,
	       RING_DATA - RING_DESC);
	ring->desc = memory_at(&ring->memory, RING_DESC, 1);
	ring->avail = memory_at(&ring->memory, RING_DRIVER, 1);
	ring->used = memory_at(&ring->memory, RING_DEVICE, 1);
	ring->table = memory_at(&ring->memory, RING_TABLE, 1);
	assert_int_equal(virtqueue_start(&ring->vq, &ring->memory, &layout, event_idx, indirect),
			 0);
}

void ring_offer(struct ring *ring, uint16_t head)
{
	ring->avail->ring[ring->avail->idx & (ring->vq.size - 1)] = head;
	__atomic_store_n(&ring->avail->idx, (uint16_t)(ring->avail->idx + 1), __ATOMIC_RELEASE);
}

int ring_next(struct ring *ring)
{
	ring->chain = (struct chain){ .iov = ring->iov };
	return virtqueue_next(&ring->vq, &ring->chain);
}
