/*
 * floods.c: more than a device should be asked for: rings filled again and
 * again without waiting, chains of gigabytes, receive buffers that can hold
 * nothing, headers that promise what is not there, sectors beyond all disks.
 * The device may refuse, but not for long, and is then as idle as before.
 */
#include "hostile.h"

enum { TABLES = 64, ENTRIES = 256 };

static struct desc *tables;
static uint8_t *bait; /* a page behind the first bytes of huge buffers */

/* `count` entries that all are the same buffer. */
static void fill_table(unsigned n, uint64_t address, uint32_t length, unsigned count,
		       uint16_t flags)
{
	struct desc *table = tables + n * ENTRIES;

	for (unsigned i = 0; i < count; i++)
		table[i] = (struct desc){ address, length, flags | (i + 1 < count ? DESC_NEXT : 0),
					  i + 1 };
}

static void put_table(struct queue *q, unsigned i, unsigned n, unsigned count)
{
	q->desc[i] = (struct desc){ (uintptr_t)(tables + n * ENTRIES), count * sizeof(struct desc),
				    DESC_INDIRECT, 0 };
}

/* --- Rings filled without waiting --- */

/* The same 64 chains offered over and over, kicked each time, never collected. */
static void flood(struct target *t, unsigned queue)
{
	uint16_t w = queue_reads(t, queue) ? 0 : DESC_WRITE;
	static struct block_header header = { BLOCK_GET_ID, 0, 0 };
	struct queue *q = &t->q[queue];

	target_open(t, queue ? F_EVENT_IDX : 0);
	for (unsigned i = 0; i < 64; i++)
		q->desc[i] = (struct desc){ (uintptr_t)t->data + i * 64, 64, w, 0 };
	if (t->type == VIRTIO_BLOCK)
		for (unsigned i = 0; i < 64; i++) {
			q->desc[i] = (struct desc){ (uintptr_t)&header, 16, DESC_NEXT, 64 };
			q->desc[64] = (struct desc){ (uintptr_t)t->data, 21, DESC_WRITE, 0 };
		}
	for (unsigned i = 0; i < 2000 && !(virtio_status(&t->v) & STATUS_NEEDS_RESET); i++)
		offer_raw(q, i % 64);
	expect_survival(t, false, "2000 chains without waiting for one");
}

/* --- Gigabytes --- */

static void gigabytes(struct target *t, unsigned queue)
{
	uint16_t w = queue_reads(t, queue) ? 0 : DESC_WRITE;
	uint64_t room = low_end() - (uintptr_t)bait;
	struct queue *q = &t->q[queue];

	/* A receive queue that is offered gigabytes just has them. */
	target_open(t, ~0ull);
	memset(bait, 0x5c, 8192);
	for (unsigned i = 0; i < 16; i++) {
		fill_table(i, (uintptr_t)bait, room < 1 << 30 ? room : 1 << 30, ENTRIES, w);
		put_table(q, i, i, ENTRIES);
		offer_raw(q, i);
	}
	if (t->type == VIRTIO_RNG) {
		unsigned most = 0, beyond = 0;

		poll_until(used_index(q) == 16);
		for (unsigned i = 0; i < 16; i++)
			most = q->used->ring[i].length > most ? q->used->ring[i].length : most;
		for (unsigned i = 4096; i < 8192; i++)
			beyond += bait[i] != 0x5c;
		ok(used_index(q) == 16 && most >= 1 && most <= 4096,
		   "rng: 16 chains of 256 GiB get %u bytes each", most);
		is(beyond, 0, "rng: and memory behind them nothing");
	} else if (queue == 1) {
		ok(poll_until(used_index(q) == 16), "%s: 16 chains of 256 GiB are taken", t->name);
	}
	/* A request, or a command, has room for an answer. */
	expect_survival(t, t->type == VIRTIO_BLOCK || queue == 2, "16 chains of 256 GiB");
}

/* Sectors and lengths whose product, or sum, is no number any more. */
static void block_arithmetic(struct target *t)
{
	static const uint64_t sectors[] = {
		8192,       8191 + 2,   1ull << 54, 1ull << 55, (1ull << 55) - 1,
		1ull << 56, 1ull << 63, ~0ull,      ~0ull - 7
	};
	static const unsigned types[] = { BLOCK_IN, BLOCK_OUT };
	unsigned failed = 0, tried = 0;
	struct queue *q = &t->q[0];

	target_open(t, ~0ull);
	for (unsigned i = 0; i < array_length(sectors); i++) {
		struct block_range range = { sectors[i], 0xffffffff, 0 };

		for (unsigned k = 0; k < array_length(types); k++, tried++)
			failed += block_do(q, types[k], sectors[i], t->data, 4096, NULL) ==
				  BLOCK_IOERR;
		failed += block_do(q, BLOCK_DISCARD, 0, &range, 16, NULL) == BLOCK_IOERR;
		range.sectors = 1;
		failed += block_do(q, BLOCK_ZEROES, 0, &range, 16, NULL) == BLOCK_IOERR;
		tried += 2;
	}
	is(failed, tried, "block: %u requests beyond the end fail", tried);
	/* A gigabyte, 256 times, from sector 0: longer than the disk. */
	fill_table(0, (uintptr_t)bait, 1 << 30, ENTRIES, DESC_WRITE);
	tables[0] = (struct desc){ (uintptr_t)t->data, 16, DESC_NEXT, 1 };
	*(struct block_header *)t->data = (struct block_header){ BLOCK_IN, 0, 0 };
	put_table(q, q->free, 0, ENTRIES);
	offer_raw(q, q->free);
	ok(poll_until(used_index(q) == q->next_used + 1 || q->used->ring[0].length == 0) &&
		   !(virtio_status(&t->v) & STATUS_NEEDS_RESET),
	   "block: a read of 255 GiB is answered");
	expect_survival(t, false, "sector arithmetic");
}

/* --- Network --- */

/* Headers that speak of checksums and segments where there is no packet. */
static void net_headers(struct target *t)
{
	static const uint16_t offsets[] = { 0, 13, 59, 60, 1000, 0x7fff, 0xfffe, 0xffff };
	static const uint8_t types[] = { 0, 1, 3, 4, 5, 0x80, 0x81, 0xff };
	unsigned sent = 0, tried = 0;
	uint16_t *header = (uint16_t *)t->data;
	struct queue *q = &t->q[1];

	target_open(t, ~0ull);
	for (unsigned i = 0; i < array_length(offsets); i++)
		for (unsigned k = 0; k < array_length(types); k++, tried++) {
			struct buffer b = { t->data, NET_HEADER + 60 };

			memset(t->data, 0xff, NET_HEADER + 60);
			t->data[0] = 1; /* a checksum is missing */
			t->data[1] = types[k];
			header[1] = offsets[(i + k) % array_length(offsets)];
			header[2] = offsets[i];
			header[3] = offsets[i];
			header[4] = offsets[(i * 3 + k) % array_length(offsets)];
			queue_add(q, &b, 1, 0);
			queue_kick(q);
			sent += queue_wait(q, NULL) >= 0;
		}
	is(sent, tried, "net: %u headers of nonsense come back", tried);
	expect_survival(t, false, "checksums and segments out of range");
}

/*
 * Receive chains of many tiny buffers: as many as one readv() takes, and still
 * not enough for a packet. Nothing can be received, and nobody may try forever.
 */
static void net_tiny_buffers(struct target *t, uint64_t features)
{
	struct queue *q = &t->q[0];

	target_open(t, features);
	for (unsigned i = 0; i < TABLES; i++) {
		fill_table(i, (uintptr_t)t->data + i, 1, ENTRIES, DESC_WRITE);
		put_table(q, i, i, ENTRIES);
		offer_raw(q, i);
	}
	/* Something for them to receive: the answer to a question. */
	for (unsigned i = 0; i < 32; i++) {
		make_arp(t->data + 4096);
		queue_add(&t->q[1], &(struct buffer){ t->data + 4096, NET_HEADER + 60 }, 1, 0);
		queue_kick(&t->q[1]);
		queue_wait(&t->q[1], NULL);
	}
	/* Left so while we look at the process: it is the last thing done. */
	ok(!(virtio_status(&t->v) & STATUS_NEEDS_RESET), "net: %u receive chains of tiny buffers",
	   TABLES);
}

static void attack(struct target *t)
{
	for (unsigned queue = 0; queue < t->queues; queue++) {
		flood(t, queue);
		gigabytes(t, queue);
	}
	if (t->type == VIRTIO_BLOCK)
		block_arithmetic(t);
	if (t->type != VIRTIO_NET)
		return;
	net_headers(t);
	net_tiny_buffers(t, F_INDIRECT_DESC);
	expect_survival(t, false, "tiny receive buffers");
	net_tiny_buffers(t, F_INDIRECT_DESC | FEATURE(NET_F_MRG_RXBUF));
}

int main(void)
{
	bait = guarded(8192);
	tables = (struct desc *)guarded(TABLES * ENTRIES * sizeof(*tables));
	targets_find();
	attack_twice(attack);
	for (unsigned i = 0; i < target_count; i++)
		expect_survival(&targets[i], false, "all of that");
	return 0;
}
