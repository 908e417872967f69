/*
 * virtqueue-chains.c: what virtqueue_start() and virtqueue_next() take, and
 * everything they must refuse. The program plays a driver that lies.
 */
#include <string.h>

#include "lib/ring.h"

static void *at(struct ring *ring, uint64_t gpa)
{
	return memory_at(&ring->memory, gpa, 1);
}

/* --- Chains that are right --- */

static void direct_chain(void **state)
{
	struct ring *ring = *state;

	ring->desc[3] = (struct vring_desc){ RING_DATA, 16, NEXT, 5 };
	ring->desc[5] = (struct vring_desc){ RING_DATA + 0x1000, 100, NEXT | WRITE, 0 };
	ring->desc[0] = (struct vring_desc){ RING_DATA + 0x2000, 1, WRITE, 3 /* not followed */ };
	ring_offer(ring, 3);

	assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring->chain.head, 3);
	assert_int_equal(ring->chain.readable, 1);
	assert_int_equal(ring->chain.writable, 2);
	assert_int_equal(ring->chain.readable_len, 16);
	assert_int_equal(ring->chain.writable_len, 101);
	assert_ptr_equal(ring->iov[0].iov_base, at(ring, RING_DATA));
	assert_int_equal(ring->iov[0].iov_len, 16);
	assert_ptr_equal(ring->iov[1].iov_base, at(ring, RING_DATA + 0x1000));
	assert_ptr_equal(ring->iov[2].iov_base, at(ring, RING_DATA + 0x2000));
	assert_int_equal(ring->iov[2].iov_len, 1);
	assert_int_equal(ring_next(ring), 0);
}

static void indirect_chain(void **state)
{
	struct ring *ring = *state;

	/* Out of order in its table, and the outer WRITE flag means nothing (2.7.5.3.2). */
	ring->desc[1] = (struct vring_desc){ RING_TABLE, 3 * 16, INDIRECT | WRITE, 0 };
	ring->table[0] = (struct vring_desc){ RING_DATA, 4, NEXT, 2 };
	ring->table[2] = (struct vring_desc){ RING_DATA + 64, 5, NEXT | WRITE, 1 };
	ring->table[1] = (struct vring_desc){ RING_DATA + 128, 6, WRITE, 0 };
	ring_offer(ring, 1);

	assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring->chain.head, 1);
	assert_int_equal(ring->chain.readable_len, 4);
	assert_int_equal(ring->chain.writable_len, 11);
	assert_ptr_equal(ring->iov[2].iov_base, at(ring, RING_DATA + 128));
}

/* "Zero or more normal chained descriptors followed by a single" indirect one (2.7.5.3.2). */
static void direct_then_indirect(void **state)
{
	struct ring *ring = *state;

	ring->desc[0] = (struct vring_desc){ RING_DATA, 7, NEXT, 1 };
	ring->desc[1] = (struct vring_desc){ RING_TABLE, 16, INDIRECT, 0 };
	ring->table[0] = (struct vring_desc){ RING_DATA + 64, 9, WRITE, 0 };
	ring_offer(ring, 0);

	assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring->chain.readable_len, 7);
	assert_int_equal(ring->chain.writable_len, 9);
}

static void longest_chain(void **state)
{
	struct ring *ring = *state;

	for (unsigned i = 0; i < VIRTQUEUE_CHAIN_MAX; i++)
		ring->table[i] = (struct vring_desc){ RING_DATA, 1, NEXT, (uint16_t)(i + 1) };
	ring->table[VIRTQUEUE_CHAIN_MAX - 1].flags = 0;
	ring->desc[0] = (struct vring_desc){ RING_TABLE, VIRTQUEUE_CHAIN_MAX * 16, INDIRECT, 0 };
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring->chain.readable, VIRTQUEUE_CHAIN_MAX);

	/* One more is too many, although its table is in order. */
	ring->table[VIRTQUEUE_CHAIN_MAX - 1].flags = NEXT;
	ring->table[VIRTQUEUE_CHAIN_MAX] = (struct vring_desc){ RING_DATA, 1, 0, 0 };
	ring->desc[0].len += 16;
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), -1);
	assert_string_equal(ring->vq.fault, "chain too long, or a loop");
}

static void whole_ram_in_two_buffers(void **state)
{
	struct ring *ring = *state;

	ring->desc[0] = (struct vring_desc){ 0, 0xc0000000, NEXT, 1 };
	ring->desc[1] = (struct vring_desc){ 4 * GIB, MIB, 0, 0 };
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring->chain.readable_len, RING_MEMORY);
}

/* 256 buffers of nearly 4 GiB: the sum needs more than 32 bits. */
static void total_does_not_overflow(void **state)
{
	struct ring *ring = *state;

	ring_restart(ring, VIRTQUEUE_SIZE_MAX, false, false);
	for (unsigned i = 0; i < VIRTQUEUE_SIZE_MAX; i++)
		ring->desc[i] =
			(struct vring_desc){ 0, 0xc0000000, NEXT | WRITE, (uint16_t)(i + 1) };
	ring->desc[VIRTQUEUE_SIZE_MAX - 1].flags = WRITE;
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), 1);
	assert_int_equal(ring->chain.writable_len, UINT64_C(0xc0000000) * VIRTQUEUE_SIZE_MAX);
}

/* --- Chains that are wrong --- */

#define LAST_LOW UINT64_C(0xbfffffff) /* the last byte below the hole */

static const struct wrong_chain {
	const char *what, *fault;
	struct vring_desc desc[3];  /* the chain begins at 0 */
	struct vring_desc table[2]; /* at RING_TABLE */
} wrong_chains[] = {
	{ "no length", "buffer of no length", { { RING_DATA, 0, 0, 0 } }, { { 0 } } },
	{ "no length, second",
	  "buffer of no length",
	  { { RING_DATA, 1, NEXT, 1 }, { RING_DATA, 0, 0, 0 } },
	  { { 0 } } },
	{ "in the hole", "buffer outside RAM", { { 0xd0000000, 1, 0, 0 } }, { { 0 } } },
	{ "into the hole", "buffer outside RAM", { { LAST_LOW, 2, 0, 0 } }, { { 0 } } },
	{ "across the hole", "buffer outside RAM", { { LAST_LOW, 0x40000002, 0, 0 } }, { { 0 } } },
	{ "above RAM", "buffer outside RAM", { { 4 * GIB + MIB, 1, 0, 0 } }, { { 0 } } },
	{ "over the end", "buffer outside RAM", { { 4 * GIB + MIB - 1, 2, 0, 0 } }, { { 0 } } },
	{ "wraps around", "buffer outside RAM", { { UINT64_MAX, 2, 0, 0 } }, { { 0 } } },
	{ "wraps to 0",
	  "buffer outside RAM",
	  { { UINT64_MAX - 0xfff, 0x2000, WRITE, 0 } },
	  { { 0 } } },
	{ "4 GiB long", "buffer outside RAM", { { 0, UINT32_MAX, 0, 0 } }, { { 0 } } },
	{ "reads after writes",
	  "readable buffer after a writable one",
	  { { RING_DATA, 1, NEXT | WRITE, 1 }, { RING_DATA, 1, 0, 0 } },
	  { { 0 } } },
	{ "loop of one", "chain too long, or a loop", { { RING_DATA, 1, NEXT, 0 } }, { { 0 } } },
	{ "loop of two",
	  "chain too long, or a loop",
	  { { RING_DATA, 1, NEXT, 1 }, { RING_DATA, 1, NEXT, 0 } },
	  { { 0 } } },
	{ "next beyond the ring",
	  "descriptor index out of range",
	  { { RING_DATA, 1, NEXT, RING_SIZE } },
	  { { 0 } } },
	{ "next far beyond",
	  "descriptor index out of range",
	  { { RING_DATA, 1, NEXT, 0xffff } },
	  { { 0 } } },
	{ "table of 0 bytes",
	  "indirect table of an odd length",
	  { { RING_TABLE, 0, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table of 15 bytes",
	  "indirect table of an odd length",
	  { { RING_TABLE, 15, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table of 17 bytes",
	  "indirect table of an odd length",
	  { { RING_TABLE, 17, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table in the hole",
	  "indirect table outside RAM",
	  { { 0xd0000000, 16, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table over the edge",
	  "indirect table outside RAM",
	  { { 0xbffffff8, 16, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table wraps around",
	  "indirect table outside RAM",
	  { { UINT64_MAX - 7, 16, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table of 4 GiB",
	  "indirect table outside RAM",
	  { { 0, 0xfffffff0, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table at an odd address",
	  "indirect table is not aligned",
	  { { RING_TABLE + 1, 16, INDIRECT, 0 } },
	  { { 0 } } },
	{ "table across its own numbers",
	  "indirect table is not aligned",
	  { { RING_TABLE + 4, 16, INDIRECT, 0 } },
	  { { 0 } } },
	{ "indirect with next",
	  "indirect descriptor that has a next one",
	  { { RING_TABLE, 16, INDIRECT | NEXT, 1 }, { RING_DATA, 1, 0, 0 } },
	  { { 0 } } },
	{ "indirect in indirect",
	  "indirect table inside an indirect table",
	  { { RING_TABLE, 16, INDIRECT, 0 } },
	  { { RING_TABLE, 16, INDIRECT, 0 } } },
	{ "next beyond the table",
	  "indirect chain leaves its table",
	  { { RING_TABLE, 16, INDIRECT, 0 } },
	  { { RING_DATA, 1, NEXT, 1 } } },
	{ "loop in the table",
	  "chain too long, or a loop",
	  { { RING_TABLE, 32, INDIRECT, 0 } },
	  { { RING_DATA, 1, NEXT, 1 }, { RING_DATA, 1, NEXT, 0 } } },
	{ "order across the table",
	  "readable buffer after a writable one",
	  { { RING_DATA, 1, NEXT | WRITE, 1 }, { RING_TABLE, 16, INDIRECT, 0 } },
	  { { RING_DATA, 1, 0, 0 } } },
	{ "no length in the table",
	  "buffer of no length",
	  { { RING_TABLE, 16, INDIRECT, 0 } },
	  { { RING_DATA, 0, 0, 0 } } },
};

static void wrong_chains_are_refused(void **state)
{
	struct ring *ring = *state;

	for (unsigned i = 0; i < COUNT_OF(wrong_chains); i++) {
		const struct wrong_chain *wrong = &wrong_chains[i];

		ring_restart(ring, RING_SIZE, true, true);
		memcpy(ring->desc, wrong->desc, sizeof(wrong->desc));
		memcpy(ring->table, wrong->table, sizeof(wrong->table));
		ring_offer(ring, 0);
		if (ring_next(ring) != -1 || strcmp(ring->vq.fault, wrong->fault) != 0)
			fail_msg("%s: fault is '%s', not '%s'", wrong->what,
				 ring->vq.fault ? ring->vq.fault : "none", wrong->fault);
	}
}

static void head_out_of_range(void **state)
{
	static const uint16_t heads[] = { RING_SIZE, RING_SIZE + 1, 0xffff };
	struct ring *ring = *state;

	for (unsigned i = 0; i < COUNT_OF(heads); i++) {
		ring_restart(ring, RING_SIZE, false, false);
		ring_offer(ring, heads[i]);
		assert_int_equal(ring_next(ring), -1);
		assert_string_equal(ring->vq.fault, "descriptor index out of range");
	}
}

static void indirect_needs_the_feature(void **state)
{
	struct ring *ring = *state;

	ring_restart(ring, RING_SIZE, true, false);
	ring->desc[0] = (struct vring_desc){ RING_TABLE, 16, INDIRECT, 0 };
	ring->table[0] = (struct vring_desc){ RING_DATA, 1, 0, 0 };
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), -1);
	assert_string_equal(ring->vq.fault, "indirect descriptor without the feature");
}

static void index_jumps(void **state)
{
	struct ring *ring = *state;

	/* A whole ring at once is allowed... */
	for (unsigned i = 0; i < RING_SIZE; i++)
		ring->desc[i] = (struct vring_desc){ RING_DATA, 1, 0, 0 };
	ring->avail->idx = RING_SIZE;
	assert_int_equal(ring_next(ring), 1);

	/* ... one more than that is not, nor is going back. */
	ring->avail->idx = RING_SIZE + 2;
	assert_int_equal(ring_next(ring), -1);
	assert_string_equal(ring->vq.fault, "available index jumped past the queue size");

	ring_restart(ring, RING_SIZE, true, true);
	ring->avail->idx = 0xffff;
	/* Somebody must come and find the fault: a broken ring is not an empty one. */
	assert_true(virtqueue_has_next(&ring->vq));
	assert_true(virtqueue_enable_kicks(&ring->vq));
	assert_int_equal(ring_next(ring), -1);
}

static void stays_broken(void **state)
{
	struct ring *ring = *state;

	ring->desc[0] = (struct vring_desc){ RING_DATA, 0, 0, 0 };
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), -1);

	/* The driver thinks better of it: only a reset helps. */
	ring->desc[0].len = 1;
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), -1);
	assert_string_equal(ring->vq.fault, "buffer of no length");
	assert_false(virtqueue_has_next(&ring->vq));

	ring_restart(ring, RING_SIZE, true, true);
	ring->desc[0] = (struct vring_desc){ RING_DATA, 1, 0, 0 };
	ring_offer(ring, 0);
	assert_int_equal(ring_next(ring), 1);
}

/* --- Queues that are wrong --- */

#define LAYOUT(size, desc, driver, device)                                                         \
	{                                                                                          \
		size, desc, driver, device                                                         \
	}

static const struct wrong_queue {
	const char *fault;
	struct virtqueue_layout layout;
} wrong_queues[] = {
	{ "queue size is not a power of two in range",
	  LAYOUT(0, RING_DESC, RING_DRIVER, RING_DEVICE) },
	{ "queue size is not a power of two in range",
	  LAYOUT(3, RING_DESC, RING_DRIVER, RING_DEVICE) },
	{ "queue size is not a power of two in range",
	  LAYOUT(255, RING_DESC, RING_DRIVER, RING_DEVICE) },
	{ "queue size is not a power of two in range",
	  LAYOUT(512, RING_DESC, RING_DRIVER, RING_DEVICE) },
	{ "queue size is not a power of two in range",
	  LAYOUT(0x8000, RING_DESC, RING_DRIVER, RING_DEVICE) },
	{ "rings are not aligned", LAYOUT(8, RING_DESC + 8, RING_DRIVER, RING_DEVICE) },
	{ "rings are not aligned", LAYOUT(8, RING_DESC, RING_DRIVER + 1, RING_DEVICE) },
	{ "rings are not aligned", LAYOUT(8, RING_DESC, RING_DRIVER, RING_DEVICE + 2) },
	{ "rings are not in RAM", LAYOUT(8, 0xd0000000, RING_DRIVER, RING_DEVICE) },
	{ "rings are not in RAM", LAYOUT(8, RING_DESC, 0xd0000000, RING_DEVICE) },
	{ "rings are not in RAM", LAYOUT(8, RING_DESC, RING_DRIVER, 0xd0000000) },
	/* One alignment step too far up to fit below the hole. */
	{ "rings are not in RAM", LAYOUT(8, 0xc0000000 - 8 * 16 + 16, RING_DRIVER, RING_DEVICE) },
	{ "rings are not in RAM", LAYOUT(8, RING_DESC, 0xc0000000 - 22 + 2, RING_DEVICE) },
	{ "rings are not in RAM", LAYOUT(8, RING_DESC, RING_DRIVER, 0xc0000000 - 70 + 2) },
	{ "rings are not in RAM", LAYOUT(8, UINT64_MAX - 15, RING_DRIVER, RING_DEVICE) },
	{ "rings are not in RAM", LAYOUT(8, RING_DESC, UINT64_MAX - 1, RING_DEVICE) },
	{ "rings are not in RAM", LAYOUT(8, RING_DESC, RING_DRIVER, UINT64_MAX - 3) },
};

static void wrong_queues_are_refused(void **state)
{
	struct ring *ring = *state;

	for (unsigned i = 0; i < COUNT_OF(wrong_queues); i++) {
		const struct wrong_queue *wrong = &wrong_queues[i];

		if (virtqueue_start(&ring->vq, &ring->memory, &wrong->layout, true, true) != -1)
			fail_msg("queue %u was taken", i);
		assert_string_equal(ring->vq.fault, wrong->fault);
		assert_int_equal(ring_next(ring), -1);
		assert_false(virtqueue_has_next(&ring->vq));
	}
}

/* The tightest places that do hold a ring: event indices included, nothing more. */
static void rings_at_the_edge(void **state)
{
	static const struct virtqueue_layout layouts[] = {
		LAYOUT(8, 0xc0000000 - 8 * 16, RING_DRIVER, RING_DEVICE),
		LAYOUT(8, RING_DESC, 0xc0000000 - 22, RING_DEVICE),
		LAYOUT(8, RING_DESC, RING_DRIVER, 0xc0000000 - 72),
		LAYOUT(256, RING_DESC, RING_DRIVER, RING_DEVICE),
		LAYOUT(1, 4 * GIB, 4 * GIB + 16, 4 * GIB + 24),
	};
	struct ring *ring = *state;

	for (unsigned i = 0; i < COUNT_OF(layouts); i++)
		assert_int_equal(virtqueue_start(&ring->vq, &ring->memory, &layouts[i], true, true),
				 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(direct_chain),
		RING_TEST(indirect_chain),
		RING_TEST(direct_then_indirect),
		RING_TEST(longest_chain),
		RING_TEST(whole_ram_in_two_buffers),
		RING_TEST(total_does_not_overflow),
		RING_TEST(wrong_chains_are_refused),
		RING_TEST(head_out_of_range),
		RING_TEST(indirect_needs_the_feature),
		RING_TEST(index_jumps),
		RING_TEST(stays_broken),
		RING_TEST(wrong_queues_are_refused),
		RING_TEST(rings_at_the_edge),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
