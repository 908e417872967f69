/*
 * reset.c: devices are reset while they work, again and again. After a reset
 * has been acknowledged nothing of the old life may reach memory; the next
 * life must work. reset.t boots it on both transports with a disk; with
 * end=poweroff the machine ends with requests in flight.
 */
#include "lib/block.h"

enum { REQUESTS = 64, SIZE = 65536, LIVES = 40 };

static struct virtio v;
static struct queue q;
static struct block_request requests[REQUESTS];
static uint8_t *data;

static void open(void)
{
	virtio_negotiate(&v, F_EVENT_IDX | F_INDIRECT_DESC | F_RING_RESET);
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 0);
	virtio_driver_ok(&v);
}

/* Fill the queue with large reads and kick; wait for none. */
static void start_reads(void)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		block_add(&q, &requests[i], BLOCK_IN, 0, data + i * SIZE, SIZE, true);
	queue_kick(&q);
}

/* What a late answer would change. */
static void lay_bait(void)
{
	memset(data, 0x5c, REQUESTS * SIZE);
	for (unsigned i = 0; i < REQUESTS; i++)
		requests[i].status = 0x5c;
}

static bool bait_untouched(void)
{
	uint64_t *p = (uint64_t *)data, bad = 0;

	for (unsigned i = 0; i < REQUESTS * SIZE / 8; i++)
		bad |= p[i] ^ 0x5c5c5c5c5c5c5c5c;
	for (unsigned i = 0; i < REQUESTS; i++)
		bad |= requests[i].status ^ 0x5c;
	return !bad;
}

static void check_device_reset(void)
{
	static uint8_t sector[512];
	unsigned acknowledged = 0, works = 0, quiet = 0;

	for (unsigned life = 0; life < LIVES; life++) {
		struct used *old;

		open();
		old = q.used;
		start_reads();
		/* Sometimes after a few of them, sometimes at once. */
		for (unsigned i = 0; i < life % 4 * 3; i++)
			queue_wait(&q, NULL);
		acknowledged += virtio_reset(&v);
		lay_bait();
		memset(old, 0x5c, sizeof(*old));
		open();
		works += block_do(&q, BLOCK_IN, 1, sector, 512, NULL) == BLOCK_OK;
		quiet += bait_untouched() && old->index == 0x5c5c;
	}
	is(acknowledged, LIVES, "%u resets with reads in flight are acknowledged", LIVES);
	is(works, LIVES, "the device works after each");
	is(quiet, LIVES, "and nothing of the old life reaches memory");
}

static void check_queue_reset(void)
{
	static uint8_t sector[512];
	unsigned acknowledged = 0, works = 0, quiet = 0;

	open();
	for (unsigned life = 0; life < LIVES; life++) {
		start_reads();
		for (unsigned i = 0; i < life % 4 * 3; i++)
			queue_wait(&q, NULL);
		acknowledged += virtio_queue_reset(&v, 0);
		lay_bait();
		v.transport->route(&v, 1);
		queue_open(&q, &v, 0, 0);
		works += block_do(&q, BLOCK_IN, 1, sector, 512, NULL) == BLOCK_OK;
		quiet += bait_untouched();
	}
	is(acknowledged, LIVES, "%u queue resets with reads in flight are acknowledged", LIVES);
	is(works, LIVES, "the queue works after each");
	is(quiet, LIVES, "and nothing of before reaches memory");
}

int main(void)
{
	data = allocate(REQUESTS * SIZE);
	if (!ok(virtio_find(&v, VIRTIO_BLOCK, 0), "a block device"))
		return 0;
	if (option("end")) {
		open();
		plan();
		start_reads();
		power_off();
	}
	check_device_reset();
	check_queue_reset();
	return 0;
}
