/*
 * virtqueue-events.c: giving chains back, and the notifications of both
 * directions: who asks for a kick or an interrupt when, and the wrap of the
 * 16-bit indices, where most mistakes of this kind live.
 */
#include <string.h>

#include "lib/ring.h"

/* One descriptor that is always right, for chains nobody looks into. */
static void offer_byte(struct ring *ring)
{
	ring->desc[0] = (struct vring_desc){ RING_DATA, 1, WRITE, 0 };
	ring_offer(ring, 0);
}

static void take_and_finish(struct ring *ring, unsigned count)
{
	while (count--) {
		offer_byte(ring);
		assert_int_equal(ring_next(ring), 1);
		virtqueue_done(&ring->vq, ring->chain.head, 1);
	}
}

static uint16_t *used_event(struct ring *ring)
{
	return &ring->avail->ring[ring->vq.size];
}

static uint16_t *avail_event(struct ring *ring)
{
	return (uint16_t *)(void *)&ring->used->ring[ring->vq.size];
}

/* Bring both sides to `index`, as after that many chains. */
static void advance_to(struct ring *ring, uint16_t index)
{
	ring->vq.next_avail = ring->vq.next_used = ring->vq.shown = ring->vq.published = index;
	ring->avail->idx = ring->used->idx = index;
}

static void done_is_seen_after_publish(void **state)
{
	struct ring *ring = *state;

	ring->desc[5] = (struct vring_desc){ RING_DATA, 100, WRITE, 0 };
	ring->desc[2] = (struct vring_desc){ RING_DATA, 100, WRITE, 0 };
	ring_offer(ring, 5);
	ring_offer(ring, 2);
	assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring_next(ring), 1);
	virtqueue_done(&ring->vq, 2, 42); /* out of order: allowed */
	virtqueue_done(&ring->vq, 5, 0);
	assert_int_equal(ring->used->idx, 0);

	virtqueue_publish(&ring->vq);
	assert_int_equal(ring->used->idx, 2);
	assert_int_equal(ring->used->ring[0].id, 2);
	assert_int_equal(ring->used->ring[0].len, 42);
	assert_int_equal(ring->used->ring[1].id, 5);
	assert_int_equal(ring->used->ring[1].len, 0);
}

static void nothing_done_is_nothing_to_tell(void **state)
{
	struct ring *ring = *state;

	*used_event(ring) = 0xffff; /* would match an index of 0 */
	assert_false(virtqueue_publish(&ring->vq));
	ring_restart(ring, RING_SIZE, false, false);
	assert_false(virtqueue_publish(&ring->vq));
}

static const struct interrupt_case {
	uint16_t old, new, event;
	bool wanted;
} interrupt_cases[] = {
	/* One at a time: exactly the one the driver waits for, not before, not after. */
	{ 0, 1, 0, true },
	{ 0, 1, 1, false },
	{ 1, 2, 0, false },
	{ 1, 2, 1, true },
	{ 0, 1, 0xffff, false },
	/* Several at once: any among them. */
	{ 10, 14, 9, false },
	{ 10, 14, 10, true },
	{ 10, 14, 12, true },
	{ 10, 14, 13, true },
	{ 10, 14, 14, false },
	{ 10, 14, 10 + 0x8000, false },
	/* Around the end of the numbers. */
	{ 0xffff, 0, 0xffff, true },
	{ 0xffff, 0, 0, false },
	{ 0xffff, 0, 0xfffe, false },
	{ 0xfffd, 2, 0xfffc, false },
	{ 0xfffd, 2, 0xfffd, true },
	{ 0xfffd, 2, 0, true },
	{ 0xfffd, 2, 1, true },
	{ 0xfffd, 2, 2, false },
	/* The whole ring. */
	{ 0, RING_SIZE, 0, true },
	{ 0, RING_SIZE, RING_SIZE - 1, true },
	{ 0, RING_SIZE, RING_SIZE, false },
};

static void event_index_decides(void **state)
{
	struct ring *ring = *state;

	for (unsigned i = 0; i < COUNT_OF(interrupt_cases); i++) {
		const struct interrupt_case *c = &interrupt_cases[i];
		bool wanted;

		ring_restart(ring, RING_SIZE, true, true);
		advance_to(ring, c->old);
		*used_event(ring) = c->event;
		/* The flag means nothing once EVENT_IDX is negotiated (2.7.7). */
		ring->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
		take_and_finish(ring, (uint16_t)(c->new - c->old));
		wanted = virtqueue_publish(&ring->vq);
		assert_int_equal(ring->used->idx, c->new);
		if (wanted != c->wanted)
			fail_msg("from %u to %u, used_event %u: interrupt %d", c->old, c->new,
				 c->event, wanted);
	}
}

static void flag_decides_without_event_index(void **state)
{
	struct ring *ring = *state;

	ring_restart(ring, RING_SIZE, false, false);
	*used_event(ring) = 100; /* means nothing */
	take_and_finish(ring, 1);
	assert_true(virtqueue_publish(&ring->vq));
	ring->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	take_and_finish(ring, 3);
	assert_false(virtqueue_publish(&ring->vq));
	ring->avail->flags = 0;
	take_and_finish(ring, 1);
	assert_true(virtqueue_publish(&ring->vq));
}

/* 70000 chains: past 65536 for both indices, one interrupt each. */
static void indices_wrap(void **state)
{
	struct ring *ring = *state;

	for (unsigned i = 0; i < 70000; i++) {
		uint16_t head = (uint16_t)(i * 5 % RING_SIZE);

		ring->desc[head] = (struct vring_desc){ RING_DATA + i, 1, WRITE, 0 };
		ring_offer(ring, head);
		*used_event(ring) = (uint16_t)i;
		assert_int_equal(ring_next(ring), 1);
		assert_int_equal(ring->chain.head, head);
		virtqueue_done(&ring->vq, head, i);
		assert_true(virtqueue_publish(&ring->vq));
		assert_int_equal(ring->used->idx, (uint16_t)(i + 1));
		assert_int_equal(ring->used->ring[i % RING_SIZE].id, head);
		assert_int_equal(ring->used->ring[i % RING_SIZE].len, i);
		assert_int_equal(ring_next(ring), 0);
	}
}

/* A full ring across the wrap: what waits is counted modulo 65536. */
static void full_ring_across_the_wrap(void **state)
{
	struct ring *ring = *state;

	advance_to(ring, 0xfffc);
	for (unsigned i = 0; i < RING_SIZE; i++)
		offer_byte(ring);
	for (unsigned i = 0; i < RING_SIZE; i++)
		assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring_next(ring), 0);
	ring->avail->idx = (uint16_t)(4 + RING_SIZE + 1);
	assert_int_equal(ring_next(ring), -1);
}

static void kicks_by_flag(void **state)
{
	struct ring *ring = *state;

	ring_restart(ring, RING_SIZE, false, false);
	*avail_event(ring) = 0x5555;
	virtqueue_disable_kicks(&ring->vq);
	assert_int_equal(ring->used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(virtqueue_enable_kicks(&ring->vq));
	assert_int_equal(ring->used->flags, 0);
	assert_int_equal(*avail_event(ring), 0x5555);
}

static void kicks_by_event_index(void **state)
{
	struct ring *ring = *state;

	take_and_finish(ring, 3);
	virtqueue_disable_kicks(&ring->vq);
	assert_int_equal(ring->used->flags, 0); /* must stay zero with EVENT_IDX (2.7.10.1) */
	/* The next kick is due for chain number 3: that is, when idx goes from 3 to 4. */
	assert_false(virtqueue_enable_kicks(&ring->vq));
	assert_int_equal(*avail_event(ring), 3);
	assert_true(vring_need_event(*avail_event(ring), 4, 3));

	/* While kicks are off the driver passes our index without kicking. */
	offer_byte(ring);
	virtqueue_disable_kicks(&ring->vq);
	assert_int_equal(ring_next(ring), 1);
	assert_false(vring_need_event(*avail_event(ring), 5, 4));
}

/* A kick that was asked for is called off, and the driver passes without one. */
static void a_wanted_kick_is_called_off(void **state)
{
	struct ring *ring = *state;
	static const uint16_t starts[] = { 0, 3, 0xffff };

	for (unsigned i = 0; i < COUNT_OF(starts); i++) {
		uint16_t at = starts[i];

		ring_restart(ring, RING_SIZE, true, false);
		advance_to(ring, at);
		assert_false(virtqueue_enable_kicks(&ring->vq));
		assert_true(vring_need_event(*avail_event(ring), (uint16_t)(at + 1), at));
		virtqueue_disable_kicks(&ring->vq);
		for (uint16_t more = 1; more <= RING_SIZE; more++)
			assert_false(
				vring_need_event(*avail_event(ring), (uint16_t)(at + more), at));

		/* Not wanted twice is not wanted: nothing is written again. */
		*avail_event(ring) = 0x5555;
		virtqueue_disable_kicks(&ring->vq);
		assert_int_equal(*avail_event(ring), 0x5555);
	}
}

/* What the driver offered between our last look and our asking for kicks. */
static void enabling_kicks_looks_again(void **state)
{
	struct ring *ring = *state;

	for (int event_idx = 0; event_idx <= 1; event_idx++) {
		ring_restart(ring, RING_SIZE, event_idx, false);
		virtqueue_disable_kicks(&ring->vq);
		assert_int_equal(ring_next(ring), 0);
		offer_byte(ring);
		assert_true(virtqueue_enable_kicks(&ring->vq));
		assert_true(virtqueue_has_next(&ring->vq));
		assert_int_equal(ring_next(ring), 1);
		assert_false(virtqueue_has_next(&ring->vq));
		assert_false(virtqueue_enable_kicks(&ring->vq));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(done_is_seen_after_publish),
		RING_TEST(nothing_done_is_nothing_to_tell),
		RING_TEST(event_index_decides),
		RING_TEST(flag_decides_without_event_index),
		RING_TEST(indices_wrap),
		RING_TEST(full_ring_across_the_wrap),
		RING_TEST(kicks_by_flag),
		RING_TEST(kicks_by_event_index),
		RING_TEST(a_wanted_kick_is_called_off),
		RING_TEST(enabling_kicks_looks_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
