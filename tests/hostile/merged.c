/*
 * merged.c: num_buffers, which says how many receive buffers a packet came in, is
 * in the first of them before the driver can see it in the used ring, and does not
 * change afterwards. A second vCPU reads it the moment the index has moved; the
 * first makes bait of it and offers the buffer again. merged.t floods the card.
 */
#include "hostile.h"

enum { PACKETS = 8000, BYTES = 256, SHORTEST = 60 + NET_HEADER, LONGEST = 1514 + NET_HEADER };
enum { BAIT = 0x5c5c };

static struct target *volatile watched; /* NULL: nothing to see yet */
static volatile uint16_t looked_at;     /* used entries the second vCPU is done with */
static uint16_t first_count[RING_MAX];  /* num_buffers, by used entry; 0: a later buffer */
static uint8_t *buffers;
static volatile unsigned packets, late, wrong;

static volatile uint16_t *count_in(const struct used_element *e)
{
	return (volatile uint16_t *)(buffers + e->id % RING_MAX * BYTES + 10);
}

/* One buffer of a packet; `left` are to come, `total` are the bytes of those before. */
static void look(const struct used_element *e, uint16_t at)
{
	static unsigned left, count, total;

	first_count[at % RING_MAX] = 0;
	if (left == 0) {
		count = *count_in(e);
		first_count[at % RING_MAX] = count;
		late += count == BAIT || count == 0;
		left = count && count < RING_MAX ? count : 1;
		total = 0;
		packets++;
	}
	left--;
	total += e->length;
	wrong += e->length > BYTES || (left && e->length != BYTES);
	if (left == 0)
		wrong +=
			total < SHORTEST || total > LONGEST || count != (total + BYTES - 1) / BYTES;
}

static void other_cpu(void *argument)
{
	uint16_t seen = 0, index;
	struct queue *q;

	(void)argument;
	while (!watched)
		asm volatile("pause");
	for (q = &watched->q[0];;) {
		index = __atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE);
		for (; seen != index; seen++)
			look(&q->used->ring[seen % RING_MAX], seen);
		__atomic_store_n(&looked_at, seen, __ATOMIC_RELEASE);
	}
}

static void offer(struct queue *q)
{
	uint8_t *p = buffers + q->free * BYTES;

	*(volatile uint16_t *)(p + 10) = BAIT;
	queue_add(q, &(struct buffer){ p, BYTES }, 0, 1);
}

static void attack(struct target *t)
{
	unsigned changed = 0;
	struct queue *q = &t->q[0];

	target_open(t, FEATURE(NET_F_MRG_RXBUF) | F_EVENT_IDX);
	while (q->free_count)
		offer(q);
	host("flood");
	watched = t;
	queue_kick(q);
	while (packets < PACKETS && poll_until(looked_at != q->next_used)) {
		while (looked_at != q->next_used) {
			uint16_t at = q->next_used % RING_MAX, count = first_count[at];

			changed += count && count != *count_in(&q->used->ring[at]);
			queue_take(q, NULL);
			offer(q);
		}
		queue_kick(q);
	}
	host("calm");
	ok(packets >= PACKETS, "net: %u packets in buffers of %u bytes", packets, BYTES);
	is(late, 0, "net: none was to be seen before its number of buffers");
	is(changed, 0, "net: and no such number changed afterwards");
	is(wrong, 0, "net: all were right, and so were the lengths");
	expect_survival(t, false, "a flood in small buffers");
}

int main(void)
{
	buffers = guarded(RING_MAX * BYTES);
	targets_find();
	cpu_start(1, other_cpu, NULL);
	for (unsigned i = 0; i < target_count; i++)
		if (targets[i].type == VIRTIO_NET)
			attack(&targets[i]);
	return 0;
}
