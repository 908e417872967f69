/*
 * net-storms.c: resets in the middle of everything: of a network card and of single
 * queues, with packets on their way in both directions, over a flooded wire and over
 * one that takes next to nothing; and then nothing can be sent and nothing received,
 * until something can. storms.t boots it; storm.h says what is asked.
 */
#include "storm.h"

enum { LIVES = 24, FRAME = NET_HEADER + 1000, FRAME_BYTE = 2 };

static uint8_t *frame; /* FRAME bytes to send: two headers, then all FRAME_BYTE */
static unsigned room;  /* bytes of each receive buffer */

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

	while ((head = storm_collect(&t->q[0])) >= 0)
		sins.wrong += s->length[head] > room || s->length[head] == 0;
	while (storm_collect(&t->q[1]) >= 0)
		;
}

static void end_net(unsigned queue)
{
	struct stream *s = &streams[queue];

	storm_end(queue);
	if (queue == 1) {
		sins.wrong += !holds(frame + 24, FRAME - 24, FRAME_BYTE);
		return;
	}
	for (unsigned i = s->half * HALF; i < (s->half + 1) * HALF; i++)
		sins.written += !holds(slot_data(i) + room, ROOM - room, BAIT);
	storm_check_bait(!s->half);
	storm_lay_bait(s->half);
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
				storm_begin(t, queue);
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
				left += storm_left(queue);
				end_net(queue);
			}
		storm_check_canaries();
	}
	ok(left > LIVES, "net, %s wire: %u packets came, %u went, %u were on their way", wire,
	   streams[0].returned, streams[1].returned, left);
}

/* Nothing can be sent, nothing received: left so while we look at the process. */
static void get_stuck(struct target *t)
{
	host("stuck");
	for (unsigned queue = 0; queue < 2; queue++)
		storm_begin(t, queue);
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

static void attack(struct target *t)
{
	if (t->type != VIRTIO_NET)
		return;
	storm_reset();
	storm_net(t, "flooded");
	storm_net(t, "stuck");
	host("fast");
	host("calm");
	storm_report(t);
	host("flooded");
	get_stuck(t);
}

int main(void)
{
	frame = memset(guarded(4096), FRAME_BYTE, 4096);
	memset(frame, 0, NET_HEADER);
	memcpy(frame + NET_HEADER, "\2\0\0\0\0\5", 6); /* nobody's: the bridge knows no way */
	storm_prepare();
	targets_find();
	attack_twice(attack);
	for (unsigned i = 0; i < target_count; i++)
		if (targets[i].type == VIRTIO_NET)
			go_on(&targets[i]);
	return 0;
}
