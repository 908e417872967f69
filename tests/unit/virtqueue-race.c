/*
 * virtqueue-race.c: a driver that changes descriptors while they are read.
 *
 * A second thread changes every field of every descriptor as fast as it can. Whatever
 * virtqueue_next() returns must still be made of what it has checked: every buffer inside RAM, the
 * lengths adding up, the order right. (virtqueue-reads.c counts the reads; this is the real thing.)
 */
#include <pthread.h>
#include <stdatomic.h>

#include "lib/ring.h"

#define ROUNDS     200000
#define ROUNDS_MAX (100 * ROUNDS) /* until the scheduler let both threads run */

#define EDGE (RING_EDGE - 64) /* 64 bytes before the hole, or the end of RAM */

/* What each field changes between. Alone each is harmless; together some are not. */
static const uint64_t addresses[] = { RING_DATA, EDGE, RING_TABLE };
static const uint32_t lengths[] = { 64, 4096 };
static const uint16_t flags[] = { 0, NEXT, WRITE, 0, NEXT | WRITE, INDIRECT };
static const uint16_t nexts[] = { 1, 2, 3, 2, 0xffff };

static atomic_bool over;

static void change(struct vring_desc *desc, unsigned turn)
{
	__atomic_store_n(&desc->addr, addresses[turn % COUNT_OF(addresses)], __ATOMIC_RELAXED);
	__atomic_store_n(&desc->len, lengths[turn % COUNT_OF(lengths)], __ATOMIC_RELAXED);
	__atomic_store_n(&desc->flags, flags[turn % COUNT_OF(flags)], __ATOMIC_RELAXED);
	__atomic_store_n(&desc->next, nexts[turn % COUNT_OF(nexts)], __ATOMIC_RELAXED);
}

static void *rewrite(void *arg)
{
	struct ring *ring = arg;

	for (unsigned turn = 0; !atomic_load(&over); turn++)
		for (unsigned i = 0; i < 4; i++) {
			change(&ring->desc[i], turn + i);
			change(&ring->table[i], turn / 3 + 5 * i);
		}
	return NULL;
}

static bool lies_in(const struct memory_region *region, const struct iovec *iov)
{
	const uint8_t *base = iov->iov_base;

	return base >= region->host && iov->iov_len <= region->size &&
	       (uint64_t)(base - region->host) <= region->size - iov->iov_len;
}

static void check_chain(const struct ring *ring)
{
	const struct chain *chain = &ring->chain;
	uint64_t readable = 0, writable = 0;

	assert_in_range(chain->readable + chain->writable, 1, VIRTQUEUE_CHAIN_MAX);
	for (unsigned i = 0; i < chain->readable + chain->writable; i++) {
		const struct iovec *iov = &chain->iov[i];

		assert_true(lies_in(&ring->memory.low, iov) || lies_in(&ring->memory.high, iov));
		assert_true(iov->iov_len > 0);
		*(i < chain->readable ? &readable : &writable) += iov->iov_len;
	}
	assert_int_equal(readable, chain->readable_len);
	assert_int_equal(writable, chain->writable_len);
}

static void rewritten_descriptors(void **state)
{
	struct ring *ring = *state;
	unsigned good = 0, bad = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, rewrite, ring), 0);
	for (unsigned i = 0; i < ROUNDS || ((!good || !bad) && i < ROUNDS_MAX); i++) {
		int ret;

		ring_offer(ring, (uint16_t)(i % 4));
		ret = ring_next(ring);
		if (ret == 1) {
			check_chain(ring);
			good++;
		} else {
			/* Broken, as it must be: a driver would reset, so do we, but
			 * leave the rings where they are and the rewriter at work. */
			assert_int_equal(ret, -1);
			assert_non_null(ring->vq.fault);
			ring->vq.fault = NULL;
			ring->vq.next_avail++;
			bad++;
		}
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);

	/* The race was one: both kinds came up. */
	assert_true(good > 0);
	assert_true(bad > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(rewritten_descriptors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
