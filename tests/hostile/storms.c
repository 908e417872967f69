/*
 * storms.c: resets in the middle of everything: of a disk and of its queue, with a
 * ring full of requests on its way. storms.t boots it; storm.h says what is asked.
 */
#include "storm.h"

enum { LIVES = 24 };

/* What sectors of a slot hold, on the disk and in every buffer. */
static uint8_t pattern(unsigned slot)
{
	return slot % HALF * 37 + 11;
}

static uint64_t sector_of(unsigned slot)
{
	return slot % HALF * (ROOM / 512);
}

/* A ring full of requests, of all kinds or of one. */
static void offer_requests(struct target *t, unsigned life)
{
	static const unsigned types[] = { BLOCK_IN, BLOCK_OUT };
	struct stream *s = &streams[0];
	struct queue *q = &t->q[0];

	for (unsigned i = 0; i < HALF; i++) {
		unsigned slot = s->half * HALF + i, kind = life % 3 < 2 ? life % 3 : dice() % 2;
		struct block_request *r = &requests[slot];

		memset(slot_data(slot), kind ? pattern(slot) : BAIT, ROOM);
		/* Tables of their own, or as many as the ring's descriptors make. */
		if (!block_add(q, r, types[kind], sector_of(slot), slot_data(slot), ROOM,
			       life % 8 < 7))
			break;
		s->slot[r->head] = slot;
		s->offered[r->head] = true;
	}
	queue_kick(q);
}

static void check_request(int head)
{
	unsigned slot = streams[0].slot[head];
	struct block_request *r = &requests[slot];

	sins.wrong += r->status != BLOCK_OK || !holds(slot_data(slot), ROOM, pattern(slot)) ||
		      streams[0].length[head] != (block_reads(r->header.type) ? ROOM + 1 : 1);
}

static void check_unanswered_requests(void)
{
	struct stream *s = &streams[0];

	for (unsigned i = 0; i < RING_MAX; i++)
		if (s->offered[i] && requests[s->slot[i]].header.type == BLOCK_OUT)
			sins.wrong += !holds(slot_data(s->slot[i]), ROOM, pattern(s->slot[i]));
}

static void storm_block(struct target *t)
{
	/* Without FLUSH each write is synced, so it takes its time. */
	uint64_t features = ~FEATURE(F_FLUSH);
	unsigned works = 0, left = 0;
	struct queue *q = &t->q[0];

	for (unsigned life = 0; life < LIVES; life++) {
		unsigned wanted = life % 4 ? dice() % 64 : 0, got = 0;
		int head;

		storm_begin(t, 0);
		if (life % 3 == 0 || life == 1)
			target_open(t, life & 1 ? features : features & ~F_EVENT_IDX);
		else
			target_queue(t, 0, RING_MAX);
		offer_requests(t, life);
		while (got < wanted && poll_until((head = storm_collect(q)) >= 0)) {
			check_request(head);
			got++;
		}
		/* The next life begins as this one ends. */
		if ((life + 1) % 3 == 0 || life == 0)
			sins.unanswered += !virtio_reset(&t->v);
		else
			sins.unanswered += !virtio_queue_reset(&t->v, 0);
		while ((head = storm_collect(q)) >= 0) /* it was there before the answer */
			check_request(head);
		left += storm_left(0);
		check_unanswered_requests();
		storm_check_canaries();
		storm_end(0);
		storm_check_bait(!streams[0].half);
		storm_lay_bait(streams[0].half);
	}
	/* A last one, whose requests all come back. */
	storm_begin(t, 0);
	target_open(t, features);
	offer_requests(t, 0);
	for (int head; works < RING_MAX && poll_until((head = storm_collect(q)) >= 0); works++)
		check_request(head);
	is(works, RING_MAX, "block: after %u resets, %u requests unanswered, %u come back", LIVES,
	   left, works);
	ok(left > LIVES * 16, "block: there were requests in flight");
	virtio_reset(&t->v);
	storm_end(0);
	storm_check_bait(!streams[0].half);
	storm_lay_bait(streams[0].half);
}

static void attack(struct target *t)
{
	if (t->type != VIRTIO_BLOCK)
		return;
	storm_reset();
	storm_block(t);
	storm_report(t);
}

static void fill_disk(struct target *t)
{
	unsigned written = 0;

	target_open(t, ~0ull);
	for (unsigned i = 0; i < HALF; i++) {
		memset(slot_data(i), pattern(i), ROOM);
		written += block_do(&t->q[0], BLOCK_OUT, sector_of(i), slot_data(i), ROOM, NULL) ==
			   BLOCK_OK;
	}
	is(written, HALF, "%s: written full", t->name);
}

int main(void)
{
	storm_prepare();
	targets_find();
	for (unsigned i = 0; i < target_count; i++)
		if (targets[i].type == VIRTIO_BLOCK)
			fill_disk(&targets[i]);
	attack_twice(attack);
	return 0;
}
