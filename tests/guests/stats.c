/*
 * stats.c: block requests that are counted here as well, for stats.t to compare
 * with what lodge counted: one at a time, then many with one kick, and, with
 * wait=, the rest only after a byte has come from the serial port.
 */
#include "lib/block.h"

enum { ALONE = 9, TOGETHER = 37 };

static struct virtio v;
static struct queue q;
static uint8_t *data;
static unsigned chains, bytes;

static uint32_t length_of(unsigned i)
{
	return 512 * (1 + i % 3);
}

/* Reads and writes in turn; header, data and status are what a request moves. */
static void one_at_a_time(unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++, chains++) {
		good += block_do(&q, i % 2 ? BLOCK_IN : BLOCK_OUT, 8 * i, data, length_of(i),
				 NULL) == BLOCK_OK;
		bytes += sizeof(struct block_header) + length_of(i) + 1;
	}
	is(good, n, "%u requests, one at a time", n);
}

static void many(void)
{
	static struct block_request r[TOGETHER];
	unsigned good = 0;

	for (unsigned i = 0; i < TOGETHER; i++, chains++) {
		block_add(&q, &r[i], BLOCK_IN, 8 * i, data + 4096 * i, length_of(i), false);
		bytes += sizeof(struct block_header) + length_of(i) + 1;
	}
	queue_kick(&q);
	for (unsigned i = 0; i < TOGETHER; i++)
		good += queue_wait(&q, NULL) >= 0;
	is(good, TOGETHER, "%u requests with one kick", TOGETHER);
}

int main(void)
{
	data = allocate(TOGETHER * 4096);
	if (!ok(virtio_find(&v, VIRTIO_BLOCK, 0), "a block device"))
		return 0;
	virtio_negotiate(&v, ~0ull);
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 0);
	virtio_driver_ok(&v);
	one_at_a_time(ALONE);
	if (option("wait")) {
		print("ready\n");
		while (!(inb(COM1 + 5) & 1))
			asm volatile("pause");
	}
	many();
	note("chains %u bytes %u kicks %u", chains, bytes, q.kicks);
	if (option("crash"))
		outb(0x64, 0xfe);
	return 0;
}
