/*
 * storm.c: the rings and buffers of one life after the other, and what is asked
 * about them; see storm.h.
 */
#include "storm.h"

enum { PAGE = 4096, STRIDE = ROOM + PAGE, CANARY = 0xc5, SETS = 3 };

struct sins sins;
struct stream streams[TARGET_QUEUES];
struct block_request requests[SLOTS];

static uint8_t *arena; /* SLOTS times ROOM bytes and a canary page */
static struct {
	struct desc *desc;
	struct avail *avail;
	struct used *used;
} sets[TARGET_QUEUES][SETS];

uint8_t *slot_data(unsigned slot)
{
	return arena + slot * STRIDE;
}

bool holds(const void *p, unsigned bytes, uint8_t what)
{
	const volatile uint64_t *word = p;
	uint64_t bad = 0;

	for (unsigned i = 0; i < bytes / 8; i++)
		bad |= word[i] ^ what * 0x0101010101010101ull;
	return !bad;
}

void storm_prepare(void)
{
	arena = guarded(SLOTS * STRIDE);
	for (unsigned i = 0; i < SLOTS; i++)
		memset(slot_data(i) + ROOM, CANARY, PAGE);
	for (unsigned queue = 0; queue < TARGET_QUEUES; queue++)
		for (unsigned i = 0; i < SETS; i++) {
			sets[queue][i].desc = (struct desc *)guarded(PAGE);
			sets[queue][i].avail = (struct avail *)guarded(PAGE);
			sets[queue][i].used = (struct used *)guarded(PAGE);
		}
}

void storm_reset(void)
{
	memset(streams, 0, sizeof(streams));
	for (unsigned queue = 0; queue < TARGET_QUEUES; queue++)
		for (unsigned i = 0; i < SETS; i++)
			memset(sets[queue][i].used, BAIT, PAGE);
	storm_lay_bait(0);
	storm_lay_bait(1);
}

void storm_lay_bait(unsigned half)
{
	for (unsigned i = half * HALF; i < (half + 1) * HALF; i++) {
		memset(slot_data(i), BAIT, ROOM);
		requests[i].status = BAIT;
	}
}

void storm_check_bait(unsigned half)
{
	for (unsigned i = half * HALF; i < (half + 1) * HALF; i++)
		sins.late += !holds(slot_data(i), ROOM, BAIT) || requests[i].status != BAIT;
}

void storm_check_canaries(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		sins.written += !holds(slot_data(i) + ROOM, PAGE, CANARY);
	sins.written += !canaries_live();
}

void storm_begin(struct target *t, unsigned queue)
{
	struct stream *s = &streams[queue];

	s->set = (s->set + 1) % SETS;
	s->half ^= 1;
	memset(s->offered, 0, sizeof(s->offered));
	t->rings[queue].desc = sets[queue][s->set].desc;
	t->rings[queue].avail = sets[queue][s->set].avail;
	t->rings[queue].used = sets[queue][s->set].used;
}

void storm_end(unsigned queue)
{
	struct stream *s = &streams[queue];

	for (unsigned i = 0; i < SETS; i++)
		if (i != s->set)
			sins.late += !holds(sets[queue][i].used, PAGE, BAIT);
	memset(sets[queue][s->set].used, BAIT, PAGE);
}

int storm_collect(struct queue *q)
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

unsigned storm_left(unsigned queue)
{
	unsigned left = 0;

	for (unsigned i = 0; i < RING_MAX; i++)
		left += streams[queue].offered[i];
	return left;
}

void storm_report(struct target *t)
{
	is(sins.unanswered, 0, "%s: every reset is answered", t->name);
	is(sins.strangers, 0, "%s: nothing comes back that this life has not offered", t->name);
	is(sins.wrong, 0, "%s: what comes back is right and complete", t->name);
	is(sins.late, 0, "%s: nothing of an old life reaches memory", t->name);
	is(sins.written, 0, "%s: nothing is written outside the buffers", t->name);
	memset(&sins, 0, sizeof(sins));
	expect_survival(t, false, "storms of resets");
}
