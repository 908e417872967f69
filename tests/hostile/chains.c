/*
 * chains.c: descriptor chains that break the rules, on every queue of every
 * device: loops, indices out of range, buffers of no length, of 4 GiB, outside
 * RAM, around the end of the numbers, over the edge of the hole; indirect
 * tables of all wrong kinds; an available index that jumps; and what each kind
 * of device refuses besides. chains.t boots it on both transports.
 */
#include "hostile.h"

enum { NEXT = DESC_NEXT, WRITE = DESC_WRITE, INDIRECT = DESC_INDIRECT, TABLE = 300 };

static struct target *t;
static struct queue *q;
static uint16_t w; /* DESC_WRITE where the device writes */
static struct desc *table;

static void put(unsigned i, const void *p, uint32_t length, uint16_t flags, uint16_t next)
{
	q->desc[i] = (struct desc){ (uintptr_t)p, length, flags, next };
}

static void put_at(uint64_t address, uint32_t length)
{
	q->desc[0] = (struct desc){ address, length, w, 0 };
}

static void put_table(unsigned entries)
{
	q->desc[0] = (struct desc){ (uintptr_t)table, entries * sizeof(*table), INDIRECT, 0 };
	for (unsigned i = 0; i < TABLE; i++)
		table[i] = (struct desc){ (uintptr_t)t->data, 16, w | NEXT, i + 1 };
}

static void loop_of_one(void)
{
	put(0, t->data, 64, w | NEXT, 0);
}
static void loop_of_two(void)
{
	put(0, t->data, 64, w | NEXT, 1);
	put(1, t->data, 64, w | NEXT, 0);
}
static void next_out_of_range(void)
{
	put(0, t->data, 64, w | NEXT, q->num);
}
static void next_far_out_of_range(void)
{
	put(0, t->data, 64, w | NEXT, 0xffff);
}
static void no_length(void)
{
	put(0, t->data, 0, w, 0);
}
static void no_length_at_the_end(void)
{
	put(0, t->data, 64, w | NEXT, 1);
	put(1, t->data, 0, w, 0);
}
static void wraps_around(void)
{
	put_at(~0ull - 15, 64);
}
static void wraps_around_far(void)
{
	put_at(0xffffffff00000000, 0xffffffff);
}
static void four_gib(void)
{
	put_at((uintptr_t)t->data, 0xffffffff);
}
static void over_the_edge(void)
{
	put_at(low_end() - 16, 17);
}
static void behind_low_ram(void)
{
	put_at(low_end(), 1);
}
static void on_a_device(void)
{
	put_at(0xfee00000, 64);
}
static void on_the_pci_window(void)
{
	put_at(0xc0000000, 64);
}
static void across_the_hole(void)
{
	put_at(low_end() - 4096, 0x40002000);
}
static void behind_high_ram(void)
{
	put_at(high_end() - 8, 16);
}
static void below_high_ram(void)
{
	put_at((1ull << 32) - 8, 16);
}
static void readable_after_writable(void)
{
	put(0, t->data, 64, WRITE | NEXT, 1);
	put(1, t->data, 64, 0, 0);
}
static void indirect_in_indirect(void)
{
	put_table(4);
	table[1].flags = INDIRECT;
}
static void indirect_of_no_length(void)
{
	put_table(0);
}
static void indirect_of_odd_length(void)
{
	put_table(4);
	q->desc[0].length = 4 * 16 - 1;
}
static void indirect_shorter_than_one(void)
{
	put_table(1);
	q->desc[0].length = 15;
}
static void indirect_outside(void)
{
	put_table(4);
	q->desc[0].address = low_end() - 16;
}
static void indirect_of_four_gib(void)
{
	put_table(4);
	q->desc[0].length = 0xfffffff0;
}
static void indirect_at_odd_address(void)
{
	put_table(4);
	q->desc[0].address++;
}
static void indirect_across_its_numbers(void)
{
	put_table(4);
	q->desc[0].address += 4;
}
static void indirect_with_next(void)
{
	put_table(4);
	q->desc[0].flags |= NEXT;
	q->desc[0].next = 1;
}
static void indirect_loop(void)
{
	put_table(4);
	table[3].next = 0;
}
static void indirect_leaves_its_table(void)
{
	put_table(4);
	table[2].next = 4;
	table[4].flags = w; /* what is there looks as if it belonged to it */
}
static void indirect_leaves_it_far(void)
{
	put_table(4);
	table[2].next = 0xffff;
}
static void chain_too_long(void)
{
	put_table(257);
	table[256].flags = w;
}
static void indirect_behind_a_buffer(void)
{
	put(0, t->data, 64, w | NEXT, 1);
	q->desc[1] = (struct desc){ (uintptr_t)table, 17, INDIRECT, 0 };
}

static const struct {
	bool needs_high; /* RAM above 4 GiB */
	const char *name;
	void (*put)(void);
} attacks[] = {
	{ false, "a loop of one", loop_of_one },
	{ false, "a loop of two", loop_of_two },
	{ false, "next out of range", next_out_of_range },
	{ false, "next far out of range", next_far_out_of_range },
	{ false, "a buffer of no length", no_length },
	{ false, "one at the end", no_length_at_the_end },
	{ false, "an address that wraps around", wraps_around },
	{ false, "one of 4 GiB that wraps around", wraps_around_far },
	{ false, "a buffer of 4 GiB", four_gib },
	{ false, "a byte over the edge of low RAM", over_the_edge },
	{ false, "a byte behind low RAM", behind_low_ram },
	{ false, "a buffer on the local APIC", on_a_device },
	{ false, "a buffer on the PCI window", on_the_pci_window },
	{ true, "a buffer from low to high RAM", across_the_hole },
	{ true, "a buffer over the end of high RAM", behind_high_ram },
	{ true, "a buffer over the start of high RAM", below_high_ram },
	{ false, "a readable buffer after a writable", readable_after_writable },
	{ false, "an indirect table inside another", indirect_in_indirect },
	{ false, "an indirect table of no length", indirect_of_no_length },
	{ false, "of an odd length", indirect_of_odd_length },
	{ false, "shorter than one descriptor", indirect_shorter_than_one },
	{ false, "over the end of RAM", indirect_outside },
	{ false, "of 4 GiB", indirect_of_four_gib },
	{ false, "at an odd address", indirect_at_odd_address },
	{ false, "at one of 4 modulo 8", indirect_across_its_numbers },
	{ false, "with a next one", indirect_with_next },
	{ false, "with a loop", indirect_loop },
	{ false, "a chain that leaves its table", indirect_leaves_its_table },
	{ false, "and leaves it far", indirect_leaves_it_far },
	{ false, "a chain of 257 buffers", chain_too_long },
	{ false, "a bad table behind a buffer", indirect_behind_a_buffer },
};

static void begin(unsigned queue, uint64_t features)
{
	target_open(t, features);
	q = &t->q[queue];
	w = queue_reads(t, queue) ? 0 : WRITE;
}

static void attack_ring(unsigned queue)
{
	static const uint16_t jumps[] = { RING_MAX + 1, 0x8000, 0xffff };
	static const uint16_t heads[] = { RING_MAX, 0x7fff, 0xffff };

	for (unsigned i = 0; i < array_length(jumps); i++) {
		begin(queue, ~0ull);
		put(0, t->data, 64, w, 0);
		q->next_avail += jumps[i] - 1;
		offer_raw(q, 0);
		expect_survival(t, true, "the available index jumps");
	}
	for (unsigned i = 0; i < array_length(heads); i++) {
		begin(queue, ~0ull);
		offer_raw(q, heads[i]);
		expect_survival(t, true, "a head out of range");
	}
	/* What lies behind a ring looks as if it belonged to it. */
	target_negotiate(t, ~0ull);
	for (unsigned i = 0; i < t->queues; i++)
		target_queue(t, i, i == queue ? RING_MAX / 2 : RING_MAX);
	virtio_driver_ok(&t->v);
	q = &t->q[queue];
	put(RING_MAX / 2, t->data, 64, w, 0);
	offer_raw(q, RING_MAX / 2);
	expect_survival(t, true, "a head behind the ring's end");
	begin(queue, ~F_INDIRECT_DESC);
	put_table(2);
	table[1].flags = w;
	offer_raw(q, 0);
	expect_survival(t, true, "an indirect table without the feature");
}

/* --- What a kind of device refuses besides --- */

static void attack_block(void)
{
	static struct block_header header = { BLOCK_IN, 0, 0 };

	begin(0, ~0ull);
	put(0, &header, 15, NEXT, 1);
	put(1, t->data, 513, WRITE, 0);
	offer_raw(q, 0);
	expect_survival(t, true, "a header of 15 bytes");
	begin(0, ~0ull);
	put(0, &header, 16, 0, 0);
	offer_raw(q, 0);
	expect_survival(t, true, "a request without room for its status");
	begin(0, ~0ull);
	put(0, t->data, 512, WRITE, 0);
	offer_raw(q, 0);
	expect_survival(t, true, "a request without header");
}

static void attack_net(void)
{
	begin(0, ~0ull);
	put(0, t->data, 11, WRITE, 0);
	offer_raw(q, 0);
	expect_survival(t, true, "a receive buffer of 11 bytes");
	begin(0, ~0ull);
	put(0, t->data, 64, 0, 0);
	offer_raw(q, 0);
	expect_survival(t, true, "a readable receive buffer");
	begin(2, ~0ull);
	put(0, t->data, 1, NEXT, 1);
	put(1, t->data + 64, 1, WRITE, 0);
	offer_raw(q, 0);
	expect_survival(t, true, "a command of one byte");
	begin(2, ~0ull);
	put(0, t->data, 64, 0, 0);
	offer_raw(q, 0);
	expect_survival(t, true, "a command without room for an answer");
}

/* Chains that are legal and useless: given back, and nothing else happens. */
static void attack_harmlessly(unsigned queue)
{
	unsigned back = 0;

	begin(queue, ~0ull);
	for (unsigned i = 0; i < 64; i++) {
		put(i, t->data, 1 + i, w ? 0 : WRITE, 0);
		offer_raw(q, i);
	}
	poll_until(used_index(q) == 64);
	for (unsigned i = 0; i < used_index(q) && i < 64; i++)
		back += q->used->ring[i].length == 0;
	ok(back == 64, "%s: %u buffers of the wrong direction come back empty", t->name, back);
	expect_survival(t, false, "and hurt nothing");
}

static void attack(struct target *target)
{
	t = target;
	for (unsigned queue = 0; queue < t->queues; queue++) {
		/* A console that leads nowhere does not look at what waits for input. */
		if (t->type == VIRTIO_CONSOLE && queue == 0 && !t->wired)
			continue;
		for (unsigned i = 0; i < array_length(attacks); i++) {
			if (attacks[i].needs_high && !high_end())
				continue;
			begin(queue, ~0ull);
			attacks[i].put();
			offer_raw(q, 0);
			expect_survival(t, true, attacks[i].name);
		}
		attack_ring(queue);
	}
	if (t->type == VIRTIO_BLOCK)
		attack_block();
	else if (t->type == VIRTIO_NET)
		attack_net();
	if (t->type != VIRTIO_BLOCK)
		attack_harmlessly(t->type == VIRTIO_RNG ? 0 : 1);
}

int main(void)
{
	voice_keep();
	table = (struct desc *)guarded(TABLE * sizeof(*table));
	targets_find();
	if (option("wired")) {
		for (unsigned i = 0; i < target_count; i++)
			if (targets[i].wired) {
				attack(&targets[i]);
				voice_release(&targets[i]);
			}
		return 0;
	}
	attack_twice(attack);
	return 0;
}
