/*
 * hostile.c: finding the devices, opening them afresh, and asking how they
 * are after an attack.
 *
 * Unlike a well-behaved test guest this one resets each device hundreds of
 * times, so rings are made once and used again, with a canary on each side.
 */
#include "hostile.h"

enum { CANARY = 0xc5, PAGE = 4096, CANARIES_MAX = 128 };

struct target targets[4];
unsigned target_count;

static uint8_t *canaries[CANARIES_MAX];
static unsigned canary_count;

static void add_canary(void)
{
	if (canary_count == CANARIES_MAX) {
		ok(false, "too many canaries");
		triple_fault();
	}
	canaries[canary_count] = memset(allocate(PAGE), CANARY, PAGE);
	canary_count++;
}

uint8_t *guarded(size_t bytes)
{
	uint8_t *p;

	add_canary();
	p = allocate(bytes);
	add_canary();
	return p;
}

bool canaries_live(void)
{
	static const uint64_t alive = CANARY * 0x0101010101010101ull;
	uint64_t bad = 0;

	for (unsigned i = 0; i < canary_count; i++)
		for (unsigned j = 0; j < PAGE; j += 8)
			bad |= *(volatile uint64_t *)(canaries[i] + j) ^ alive;
	return !bad;
}

static uint64_t end_of_ram(uint64_t from, uint64_t to)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < boot.regions; i++) {
		const struct region *r = &boot.map[i];

		if (r->type == 1 && r->base >= from && r->base < to && r->base + r->size > end)
			end = r->base + r->size;
	}
	return end;
}

uint64_t low_end(void)
{
	return end_of_ram(0, 1ull << 32);
}

uint64_t high_end(void)
{
	return end_of_ram(1ull << 32, ~0ull);
}

uint32_t dice(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static void add_target(const char *name, unsigned type, unsigned queues)
{
	struct target *t = &targets[target_count];

	if (!virtio_find(&t->v, type, 0))
		return;
	t->name = name;
	t->type = type;
	t->queues = queues;
	t->wired = type == VIRTIO_CONSOLE && option("wired");
	t->data = guarded(DATA);
	for (unsigned i = 0; i < queues; i++) {
		t->rings[i].desc = (struct desc *)guarded(RING_MAX * sizeof(struct desc));
		t->rings[i].avail = (struct avail *)guarded(PAGE);
		t->rings[i].used = (struct used *)guarded(PAGE);
	}
	target_count++;
}

void targets_find(void)
{
	add_target("rng", VIRTIO_RNG, 1);
	add_target("block", VIRTIO_BLOCK, 1);
	add_target("console", VIRTIO_CONSOLE, 2);
	add_target("net", VIRTIO_NET, 3); /* the last one takes commands */
	ok(target_count > 0, "%u devices to attack", target_count);
}

bool target_negotiate(struct target *t, uint64_t features)
{
	if (!virtio_negotiate(&t->v, features))
		return false;
	t->v.transport->route(&t->v, t->queues);
	return true;
}

void target_queue(struct target *t, unsigned i, unsigned num)
{
	struct queue *q = &t->q[i];

	*q = (struct queue){ .v = &t->v,
			     .index = i,
			     .num = num,
			     .desc = memset(t->rings[i].desc, 0, RING_MAX * sizeof(*q->desc)),
			     .avail = memset(t->rings[i].avail, 0, PAGE),
			     .used = memset(t->rings[i].used, 0, PAGE),
			     .event_idx = t->v.features & F_EVENT_IDX,
			     .free_count = num,
			     .vector = t->v.vectors[i] };
	for (unsigned d = 0; d < num; d++)
		q->desc[d].next = d + 1;
	t->v.transport->queue_setup(&t->v, i, num, (uintptr_t)q->desc, (uintptr_t)q->avail,
				    (uintptr_t)q->used);
	t->v.transport->queue_enable(&t->v, i);
}

bool target_open(struct target *t, uint64_t features)
{
	if (!target_negotiate(t, features))
		return false;
	for (unsigned i = 0; i < t->queues; i++)
		target_queue(t, i, RING_MAX);
	virtio_driver_ok(&t->v);
	return true;
}

bool target_is_broken(struct target *t)
{
	return poll_until(virtio_status(&t->v) & STATUS_NEEDS_RESET);
}

void offer_raw(struct queue *q, uint16_t head)
{
	q->avail->ring[q->next_avail++ % q->num] = head;
	queue_publish(q);
	queue_notify(q);
}

/* --- Does it work? --- */

static bool one_way(struct queue *q, void *data, uint32_t length, bool out)
{
	int head = queue_add(q, &(struct buffer){ data, length }, out, !out);

	queue_kick(q);
	return head >= 0 && queue_wait(q, NULL) == head;
}

void make_arp(uint8_t *packet)
{
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	static const uint8_t ours[] = { 10, 9, 0, 2 }, theirs[] = { 10, 9, 0, 1 };
	static const uint8_t mac[] = { 2, 0, 0, 0, 0, 9 };
	uint8_t *frame = packet + NET_HEADER;

	memset(packet, 0, NET_HEADER + 60);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 28, ours, 4);
	memcpy(frame + 38, theirs, 4);
}

static bool net_works(struct target *t)
{
	uint8_t *request = t->data + DATA - 2048;
	struct queue *rx = &t->q[0];
	bool answered = false;

	while (rx->num - rx->free_count < 16)
		queue_add(rx, &(struct buffer){ t->data + rx->free % 16 * 2048, 2048 }, 0, 1);
	queue_kick(rx);
	make_arp(request);
	if (!one_way(&t->q[1], request, NET_HEADER + 60, true))
		return false;
	/* Whatever waits in front of the answer is passed over. */
	for (unsigned i = 0; i < 4096 && !answered; i++) {
		int head = queue_wait(rx, NULL);
		const uint8_t *frame;

		if (head < 0 || head >= RING_MAX)
			return false;
		frame = (uint8_t *)rx->desc[head].address + NET_HEADER;
		answered = frame[12] == 8 && frame[13] == 6 && frame[21] == 2 && frame[31] == 1;
		queue_add(rx, &(struct buffer){ (void *)(frame - NET_HEADER), 2048 }, 0, 1);
		queue_kick(rx);
	}
	return answered;
}

bool target_works(struct target *t)
{
	switch (t->type) {
	case VIRTIO_RNG:
		return one_way(&t->q[0], t->data, 32, false);
	case VIRTIO_BLOCK:
		return block_do(&t->q[0], BLOCK_IN, 1, t->data, 512, NULL) == BLOCK_OK;
	case VIRTIO_CONSOLE:
		t->data[0] = '\n';
		return one_way(&t->q[1], t->data, 1, true) &&
		       (!t->wired || one_way(&t->q[0], t->data, 1, false));
	default:
		return net_works(t);
	}
}

void expect_survival(struct target *t, bool breaks, const char *what)
{
	bool broken = !breaks || target_is_broken(t);
	bool works = target_open(t, ~0ull) && target_works(t), unhurt = canaries_live();

	ok(broken && works && unhurt, "%s: %s%s%s%s", t->name, what,
	   broken ? "" : " (no NEEDS_RESET)", works ? "" : " (dead after a reset)",
	   unhurt ? "" : " (a canary died)");
}

void attack_twice(void (*attack)(struct target *t))
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < target_count; i++)
			attack(&targets[i]);
		if (pass == 0)
			measure("begin");
	}
	measure("end");
	only_compute();
	measure("idle");
}
