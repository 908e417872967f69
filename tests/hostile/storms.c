/*
 * storms.c: resets in the middle of everything, of whole devices and of single
 * queues, with a ring full of disk requests or packets on its way. storms.t boots
 * it with a disk, and with a network card whose wire is flooded and full.
 *
 * Each life has rings and buffers of its own, at other addresses than the one
 * before. When a reset has been answered, what that life had is filled with bait,
 * which must still be there a life later. What comes back must be what this life
 * has offered, each thing once. Behind every buffer lies a page nobody may write.
 */
#include "hostile.h"

enum { LIVES = 24, SLOTS = 512, HALF = 256, ROOM = 8192, PAGE = 4096, STRIDE = ROOM + PAGE };
enum { BAIT = 0x5c, CANARY = 0xc5, SETS = 3 };
enum { FRAME = NET_HEADER + 1000, FRAME_BYTE = 2 };

/* What has gone wrong, in all lives of a target. */
static struct {
	unsigned unanswered, strangers, wrong, late, written;
} sins;

/* A queue of the life that is, and what it has offered. */
struct stream {
	unsigned set, half;
	uint16_t slot[RING_MAX]; /* by head */
	uint32_t length[RING_MAX];
	bool offered[RING_MAX];
	unsigned returned;
};
static struct stream streams[TARGET_QUEUES];
static struct {
	struct desc *desc;
	struct avail *avail;
	struct used *used;
} sets[TARGET_QUEUES][SETS];

static uint8_t *arena; /* SLOTS times ROOM bytes and a canary page */
static struct block_request requests[SLOTS];
static uint8_t *frame; /* FRAME bytes to send: two headers, then all FRAME_BYTE */

static uint8_t *slot_data(unsigned i)
{
	return arena + i * STRIDE;
}

static bool holds(const void *p, unsigned bytes, uint8_t what)
{
	const volatile uint64_t *word = p;
	uint64_t bad = 0;

	for (unsigned i = 0; i < bytes / 8; i++)
		bad |= word[i] ^ what * 0x0101010101010101ull;
	return !bad;
}

/* What sectors of a slot hold, on the disk and in every buffer. */
static uint8_t pattern(unsigned slot)
{
	return slot % HALF * 37 + 11;
}

static uint64_t sector_of(unsigned slot)
{
	return slot % HALF * (ROOM / 512);
}

static void lay_bait(unsigned half)
{
	for (unsigned i = half * HALF; i < (half + 1) * HALF; i++) {
		memset(slot_data(i), BAIT, ROOM);
		requests[i].status = BAIT;
	}
}

static void check_bait(unsigned half)
{
	for (unsigned i = half * HALF; i < (half + 1) * HALF; i++)
		sins.late += !holds(slot_data(i), ROOM, BAIT) || requests[i].status != BAIT;
}

static void check_canaries(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		sins.written += !holds(slot_data(i) + ROOM, PAGE, CANARY);
	sins.written += !canaries_live();
}

/* --- One life of a queue --- */

static void begin(struct target *t, unsigned queue)
{
	struct stream *s = &streams[queue];

	s->set = (s->set + 1) % SETS;
	s->half ^= 1;
	memset(s->offered, 0, sizeof(s->offered));
	t->rings[queue].desc = sets[queue][s->set].desc;
	t->rings[queue].avail = sets[queue][s->set].avail;
	t->rings[queue].used = sets[queue][s->set].used;
}

/* Its reset has been answered: nothing of it may stir any more. */
static void end(unsigned queue)
{
	struct stream *s = &streams[queue];

	for (unsigned i = 0; i < SETS; i++)
		if (i != s->set)
			sins.late += !holds(sets[queue][i].used, PAGE, BAIT);
	memset(sets[queue][s->set].used, BAIT, PAGE);
}

/* Has something come back, and is it ours? Returns its head, or -1. */
static int collect(struct queue *q)
{
	struct stream *s = &streams[q->index];
	struct used_element *e = &q->used->ring[q->next_used % q->num];
	int head;

	if (__atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE) == q->next_used)
		return -1;
	if (e->id >= q->num || !s->offered[e->id]) {
		sins.strangers++;
		q->next_used++;
		return -1;
	}
	s->length[e->id] = e->length;
	head = queue_take(q, NULL);
	s->offered[head] = false;
	s->returned++;
	return head;
}

/* --- Disk --- */

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

		begin(t, 0);
		if (life % 3 == 0 || life == 1)
			target_open(t, life & 1 ? features : features & ~F_EVENT_IDX);
		else
			target_queue(t, 0, RING_MAX);
		offer_requests(t, life);
		while (got < wanted && poll_until((head = collect(q)) >= 0)) {
			check_request(head);
			got++;
		}
		/* The next life begins as this one ends. */
		if ((life + 1) % 3 == 0 || life == 0)
			sins.unanswered += !virtio_reset(&t->v);
		else
			sins.unanswered += !virtio_queue_reset(&t->v, 0);
		while ((head = collect(q)) >= 0) /* it was there before the answer */
			check_request(head);
		for (unsigned i = 0; i < RING_MAX; i++)
			left += streams[0].offered[i];
		check_unanswered_requests();
		check_canaries();
		end(0);
		check_bait(!streams[0].half);
		lay_bait(streams[0].half);
	}
	/* A last one, whose requests all come back. */
	begin(t, 0);
	target_open(t, features);
	offer_requests(t, 0);
	for (int head; works < RING_MAX && poll_until((head = collect(q)) >= 0); works++)
		check_request(head);
	is(works, RING_MAX, "block: after %u resets, %u requests unanswered, %u come back", LIVES,
	   left, works);
	ok(left > LIVES * 16, "block: there were requests in flight");
	virtio_reset(&t->v);
	end(0);
	check_bait(!streams[0].half);
	lay_bait(streams[0].half);
}

/* --- Network --- */

static unsigned room; /* bytes of each receive buffer */

static void offer_room(struct target *t, unsigned bytes)
{
	struct stream *s = &streams[0];
	struct queue *q = &t->q[0];
	int head;

	room = bytes;
	for (unsigned i = 0; i < HALF; i++) {
		unsigned slot = s->half * HALF + i;

		head = queue_add(q, &(struct buffer){ slot_data(slot), bytes }, 0, 1);
		s->slot[head] = slot;
		s->offered[head] = true;
	}
	queue_kick(q);
}

static void offer_frames(struct target *t)
{
	struct queue *q = &t->q[1];
	int head;

	while ((head = queue_add(q, &(struct buffer){ frame, FRAME }, 1, 0)) >= 0)
		streams[1].offered[head] = true;
	queue_kick(q);
}

static void begin_net(struct target *t, unsigned queue, unsigned life)
{
	/* Some buffers take a packet, others a part of one. */
	if (queue == 0)
		offer_room(t, life & 1 ? 2048 : 256);
	else
		offer_frames(t);
}

static void collect_net(struct target *t)
{
	struct stream *s = &streams[0];
	int head;

	while ((head = collect(&t->q[0])) >= 0)
		sins.wrong += s->length[head] > room || s->length[head] == 0;
	while (collect(&t->q[1]) >= 0)
		;
}

static void end_net(unsigned queue)
{
	struct stream *s = &streams[queue];

	end(queue);
	if (queue == 1) {
		sins.wrong += !holds(frame + 24, FRAME - 24, FRAME_BYTE);
		return;
	}
	for (unsigned i = s->half * HALF; i < (s->half + 1) * HALF; i++)
		sins.written += !holds(slot_data(i) + room, ROOM - room, BAIT);
	check_bait(!s->half);
	lay_bait(s->half);
}

/* Which queues the reset after this life is of: one of them, or all. */
static bool is_reset(unsigned queue, unsigned life)
{
	return life % 3 == 2 || life % 3 == queue;
}

static void storm_net(struct target *t, const char *wire)
{
	unsigned left = 0;

	host(wire);
	streams[0].returned = streams[1].returned = 0;
	for (unsigned life = 0; life < LIVES; life++) {
		bool all = life % 3 == 0; /* they come first, too */

		for (unsigned queue = 0; queue < 2; queue++)
			if (all || is_reset(queue, life - 1))
				begin(t, queue);
		if (all)
			target_open(t, (life & 1 ? ~0ull : ~F_EVENT_IDX) &
					       (life & 2 ? ~0ull : ~FEATURE(NET_F_MRG_RXBUF)));
		for (unsigned queue = 0; queue < 2; queue++)
			if (all || is_reset(queue, life - 1)) {
				if (!all)
					target_queue(t, queue, RING_MAX);
				begin_net(t, queue, life);
			}
		for (unsigned looks = dice() % 2000; looks; looks--)
			collect_net(t);
		if (life % 3 == 2)
			sins.unanswered += !virtio_reset(&t->v);
		else
			sins.unanswered += !virtio_queue_reset(&t->v, life % 3);
		collect_net(t); /* it was there before the answer */
		for (unsigned queue = 0; queue < 2; queue++)
			if (is_reset(queue, life)) {
				for (unsigned i = 0; i < RING_MAX; i++)
					left += streams[queue].offered[i];
				end_net(queue);
			}
		check_canaries();
	}
	ok(left > LIVES, "net, %s wire: %u packets came, %u went, %u were on their way", wire,
	   streams[0].returned, streams[1].returned, left);
}

/* Nothing can be sent, nothing received: left so while we look at the process. */
static void get_stuck(struct target *t)
{
	host("stuck");
	for (unsigned queue = 0; queue < 2; queue++)
		begin(t, queue);
	target_open(t, ~0ull);
	streams[0].returned = streams[1].returned = 0;
	offer_frames(t);
	collect_net(t);
	host("calm"); /* what the flood has left in the tap stays there */
}

static void go_on(struct target *t)
{
	collect_net(t);
	ok(streams[1].returned < RING_MAX && streams[0].returned == 0,
	   "net: of %u packets %u could be sent, and none received", RING_MAX, streams[1].returned);
	host("fast");
	ok(poll_until((collect_net(t), streams[1].returned == RING_MAX)),
	   "net: with room made, all are sent");
	offer_room(t, 2048);
	ok(poll_until((collect_net(t), streams[0].returned == RING_MAX)),
	   "net: with buffers, a ring full is received");
	is(sins.strangers + sins.wrong, 0, "net: all as they should be");
	expect_survival(t, false, "stuck in both directions");
}

static void report(struct target *t)
{
	is(sins.unanswered, 0, "%s: every reset is answered", t->name);
	is(sins.strangers, 0, "%s: nothing comes back that this life has not offered", t->name);
	is(sins.wrong, 0, "%s: what comes back is right and complete", t->name);
	is(sins.late, 0, "%s: nothing of an old life reaches memory", t->name);
	is(sins.written, 0, "%s: nothing is written outside the buffers", t->name);
	memset(&sins, 0, sizeof(sins));
	expect_survival(t, false, "storms of resets");
}

static void attack(struct target *t)
{
	for (unsigned i = 0; i < TARGET_QUEUES; i++)
		streams[i] = (struct stream){ 0 };
	for (unsigned queue = 0; queue < t->queues; queue++)
		for (unsigned i = 0; i < SETS; i++)
			memset(sets[queue][i].used, BAIT, PAGE);
	lay_bait(0);
	lay_bait(1);
	if (t->type == VIRTIO_BLOCK) {
		storm_block(t);
		report(t);
	} else if (t->type == VIRTIO_NET) {
		storm_net(t, "flooded");
		storm_net(t, "stuck");
		host("fast");
		host("calm");
		report(t);
		host("flooded");
		get_stuck(t);
	}
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
	frame = memset(guarded(PAGE), FRAME_BYTE, PAGE);
	memset(frame, 0, NET_HEADER);
	memcpy(frame + NET_HEADER, "\2\0\0\0\0\5", 6); /* nobody's: the bridge knows no way */
	arena = guarded(SLOTS * STRIDE);
	for (unsigned i = 0; i < SLOTS; i++)
		memset(slot_data(i) + ROOM, CANARY, PAGE);
	for (unsigned queue = 0; queue < TARGET_QUEUES; queue++)
		for (unsigned i = 0; i < SETS; i++) {
			sets[queue][i].desc = (struct desc *)guarded(PAGE);
			sets[queue][i].avail = (struct avail *)guarded(PAGE);
			sets[queue][i].used = (struct used *)guarded(PAGE);
		}
	targets_find();
	for (unsigned i = 0; i < target_count; i++)
		if (targets[i].type == VIRTIO_BLOCK)
			fill_disk(&targets[i]);
	attack_twice(attack);
	for (unsigned i = 0; i < target_count; i++)
		if (targets[i].type == VIRTIO_NET)
			go_on(&targets[i]);
	return 0;
}
