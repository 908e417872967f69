/*
 * racing.c: rings attacked while they run. A second vCPU rewrites descriptors,
 * indirect tables, indices and request headers as fast as it can; the first
 * kicks, and starts the device anew whenever it has had enough. What is checked
 * and then read again has changed in between: that is the class of faults this
 * is for. racing.t boots it with two vCPUs.
 *
 * Every address and length it writes is harmless in any combination: what the
 * guest allows to be written is never a canary.
 */
#include "hostile.h"

enum { LIVES = 30, KICKS = 40, DESCS = 16, LONG = 256, SENTINEL = 0x5e5e5e5e };

static struct target *volatile victim; /* whose rings to rewrite; NULL: none */
static volatile unsigned victim_queue;
static volatile bool resting, filling; /* the other vCPU: keeps still, keeps the ring full */
static volatile bool fresh;            /* which begins anew */
static struct desc *table, *long_table;
static volatile uint64_t rewrites, filled;

static uint64_t address(struct target *t, uint32_t n)
{
	switch (n % 8) {
	case 0:
		return (uintptr_t)table;
	case 1:
		return low_end() - 16; /* with a length of 64: over the edge */
	case 2:
		return 0xc0000000;
	case 3:
		return ~0ull - 63;
	default:
		return (uintptr_t)t->data + n / 8 % (DATA / 4096) * 4096;
	}
}

static void rewrite_desc(struct target *t, struct desc *d)
{
	static const uint32_t lengths[] = { 1, 16, 32, 64, 512, 4096, 0, 0xffffffff };
	static const uint16_t flags[] = { 0, 1, 2, 3, 4, 0, 2, 1 };
	uint32_t n = dice();

	switch (n % 4) {
	case 0:
		*(volatile uint64_t *)&d->address = address(t, n >> 2);
		break;
	case 1:
		*(volatile uint32_t *)&d->length = lengths[n >> 2 & 7];
		break;
	case 2:
		*(volatile uint16_t *)&d->flags = flags[n >> 2 & 7];
		break;
	default:
		*(volatile uint16_t *)&d->next = n >> 2 & 255 ? (n >> 10) % DESCS : 0xffff;
	}
}

static void rewrite_header(struct target *t)
{
	static const uint32_t types[] = { BLOCK_IN,      BLOCK_OUT,    BLOCK_FLUSH, BLOCK_GET_ID,
					  BLOCK_DISCARD, BLOCK_ZEROES, 99,          ~0u };
	uint32_t n = dice();
	volatile struct block_header *header = (void *)(t->data + n % 4 * 4096);

	header->type = types[n >> 2 & 7];
	header->sector = n & 32 ? n >> 6 & 0xfff : ~0ull >> (n >> 6 & 31);
}

static void rewrite(struct target *t, struct queue *q)
{
	uint32_t n = dice();

	rewrite_desc(t, &q->desc[n % DESCS]);
	rewrite_desc(t, &table[(n >> 4) % DESCS]);
	if (t->type == VIRTIO_BLOCK)
		rewrite_header(t);
	*(volatile uint16_t *)&q->avail->ring[(n >> 8) % RING_MAX] =
		n >> 28 ? (n >> 16) % DESCS : n >> 12;
	if (n % 64 == 0)
		*(volatile uint16_t *)&used_event(q) = n >> 16;
	if (n % 512 == 1) /* sometimes further than the ring is long */
		*(volatile uint16_t *)&q->avail->index += n >> 20 & 0x1ff;
}

/* Always one more chain, of which the device can make no use. */
static void keep_full(struct queue *q)
{
	static uint16_t done;
	volatile uint32_t *id = &q->used->ring[done % RING_MAX].id;

	if (fresh) {
		done = 0;
		fresh = false;
	} else if (*id != SENTINEL) {
		*id = SENTINEL;
		done++;
		filled++;
	} else {
		return;
	}
	__atomic_store_n(&q->avail->index, (uint16_t)(done + RING_MAX), __ATOMIC_RELEASE);
}

static void other_cpu(void *argument)
{
	(void)argument;
	for (;;) {
		struct target *t = victim;

		resting = !t;
		if (!t)
			asm volatile("pause");
		else if (filling)
			keep_full(&t->q[victim_queue]);
		else
			rewrite(t, &t->q[victim_queue]), rewrites++;
	}
}

static void let_go(void)
{
	victim = NULL;
	barrier();
	resting = false;
	if (!poll_until(resting))
		ok(false, "the other vCPU is gone");
}

static void set_on(struct target *t, unsigned queue)
{
	victim_queue = queue;
	barrier();
	victim = t;
}

static void race(struct target *t, unsigned queue)
{
	unsigned broken = 0, reset = 0;
	struct queue *q = &t->q[queue];

	for (unsigned life = 0; life < LIVES; life++) {
		reset += target_open(t, life & 1 ? ~0ull : ~F_EVENT_IDX);
		for (unsigned i = 0; i < DESCS; i++)
			q->desc[i] = (struct desc){ (uintptr_t)t->data + i * 4096, 64,
						    queue_reads(t, queue) ? 0 : DESC_WRITE, 0 };
		set_on(t, queue);
		for (unsigned i = 0; i < KICKS; i++) {
			*(volatile uint16_t *)&q->avail->index += 1 + i % 5;
			queue_notify(q);
			if (virtio_status(&t->v) & STATUS_NEEDS_RESET) {
				broken++;
				break;
			}
		}
	}
	let_go();
	is(reset, LIVES, "%s: queue %u rewritten while it runs: %u resets, it broke in %u lives",
	   t->name, queue, LIVES, broken);
	expect_survival(t, false, "its rings rewritten while they run");
}

/* Work without end: for a console that has input, chains that are no room for it; for
 * another, what the guest prints. A reset ends it. */
static void race_without_end(struct target *t, unsigned queue)
{
	struct queue *q = &t->q[queue];
	unsigned reset = 0, going = 0;

	for (unsigned life = 0; life < LIVES; life++) {
		filled = 0;
		target_open(t, F_INDIRECT_DESC);
		/* Long ones, so that the device is slower than we. */
		for (unsigned i = 0; i < LONG; i++)
			long_table[i] = (struct desc){ (uintptr_t)t->data, 1, i + 1 < LONG, i + 1 };
		q->desc[0] = (struct desc){ (uintptr_t)long_table, LONG * 16, DESC_INDIRECT, 0 };
		for (unsigned i = 0; i < RING_MAX; i++)
			q->used->ring[i].id = SENTINEL;
		filling = fresh = true;
		set_on(t, queue);
		going += poll_until((queue_notify(q), filled > 2 * RING_MAX));
		reset += virtio_reset(&t->v);
		let_go();
	}
	filling = false;
	is(going, LIVES, "console: queue %u: a ring always full is worked on", queue);
	is(reset, LIVES, "console: queue %u: %u resets meanwhile", queue, LIVES);
	expect_survival(t, false, "work without end");
}

static void attack(struct target *t)
{
	for (unsigned queue = 0; queue < t->queues; queue++)
		race(t, queue);
	if (t->type == VIRTIO_CONSOLE && !t->wired)
		race_without_end(t, 1);
}

int main(void)
{
	voice_keep();
	table = (struct desc *)guarded(DESCS * sizeof(*table));
	long_table = (struct desc *)guarded(LONG * sizeof(*long_table));
	targets_find();
	cpu_start(1, other_cpu, NULL);
	if (option("wired")) {
		for (unsigned i = 0; i < target_count; i++)
			if (targets[i].wired) {
				attack(&targets[i]);
				race_without_end(&targets[i], 0);
				voice_release(&targets[i]);
			}
		return 0;
	}
	attack_twice(attack);
	ok(rewrites > 100000, "the other vCPU rewrote %lu times", rewrites);
	return 0;
}
