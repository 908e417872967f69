/*
 * transport.c: the life of a virtio device before and around its queues:
 * negotiation that must fail, queue registers, reset, queue reset. Uses the
 * entropy device, the simplest; transport.t boots it on both transports.
 */
#include "lib/virtio.h"

static struct virtio v;
static uint8_t *buffer;

/* One request there and back; the proof that a queue is alive. */
static bool works(struct queue *q)
{
	uint32_t length = 0;

	queue_add(q, &(struct buffer){ buffer, 32 }, 0, 1);
	queue_kick(q);
	return queue_wait(q, &length) >= 0 && length >= 1 && length <= 32;
}

static bool accepts(uint64_t features)
{
	virtio_reset(&v);
	v.transport->set_status(&v, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	v.transport->set_features(&v, 0, features);
	v.transport->set_features(&v, 1, features >> 32);
	v.transport->set_status(&v, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return virtio_status(&v) & STATUS_FEATURES_OK;
}

static void check_negotiation(void)
{
	uint64_t offered = virtio_offered(&v), unknown = ~offered & ~-offered;

	note("offers %#lx", offered);
	ok(offered & F_VERSION_1, "offers VERSION_1");
	ok(offered & F_EVENT_IDX, "offers EVENT_IDX");
	ok(offered & F_INDIRECT_DESC, "offers INDIRECT_DESC");
	ok(offered & F_RING_RESET, "offers RING_RESET");
	is(v.transport->get_features(&v, 2), 0, "offers nothing above bit 63");
	ok(accepts(F_VERSION_1), "accepts VERSION_1 alone");
	ok(accepts(offered), "accepts all it offers");
	ok(!accepts(offered & ~F_VERSION_1), "refuses features without VERSION_1");
	ok(!accepts(0), "refuses no features at all");
	ok(!accepts(F_VERSION_1 | FEATURE(63)), "refuses an unknown high bit");
	ok(!accepts(F_VERSION_1 | (unknown & -unknown)), "refuses an unknown low bit");
	ok(accepts(F_VERSION_1), "and accepts again after that");
}

static void check_status(void)
{
	uint8_t steps[] = { 1, 3 };

	ok(virtio_reset(&v), "reset leads to status 0");
	for (unsigned i = 0; i < array_length(steps); i++) {
		v.transport->set_status(&v, steps[i]);
		is(virtio_status(&v), steps[i], "status %u is kept", steps[i]);
	}
	v.transport->set_status(&v, STATUS_ACKNOWLEDGE | STATUS_FAILED);
	ok(virtio_status(&v) & STATUS_FAILED, "FAILED is kept");
	ok(virtio_reset(&v), "and ended by a reset");
}

static void check_queues(void)
{
	unsigned max = v.transport->queue_max(&v, 0);
	struct queue q;

	ok(max >= 1 && max <= 256 && !(max & (max - 1)), "queue 0 has at most %u entries", max);
	is(v.transport->queue_max(&v, 1), 0, "there is no queue 1");
	is(v.transport->queue_max(&v, 0x8000), 0, "nor queue 32768");
	for (unsigned num = 1; num <= max; num *= 4) {
		bool enabled;

		virtio_negotiate(&v, ~0ull);
		v.transport->route(&v, 1);
		enabled = v.transport->queue_enabled(&v, 0);
		queue_open(&q, &v, 0, num);
		ok(!enabled && v.transport->queue_enabled(&v, 0),
		   "a queue of %u: off after reset, then on", num);
		virtio_driver_ok(&v);
		ok(works(&q) && works(&q) && works(&q), "a queue of %u: works around its end", num);
	}

	/* Offered before DRIVER_OK, noticed after. */
	virtio_negotiate(&v, ~0ull);
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 0);
	queue_add(&q, &(struct buffer){ buffer, 32 }, 0, 1);
	queue_publish(&q);
	virtio_driver_ok(&v);
	queue_notify(&q);
	is(queue_wait(&q, NULL), 0, "a buffer from before DRIVER_OK is served after it");
	virtio_reset(&v);
	is(v.transport->queue_enabled(&v, 0), 0, "reset turns the queue off");
}

static void check_many_lives(void)
{
	unsigned lives = 0;
	struct queue q;

	for (; lives < 50; lives++) {
		if (!virtio_negotiate(&v, ~0ull))
			break;
		v.transport->route(&v, 1);
		queue_open(&q, &v, 0, 4);
		virtio_driver_ok(&v);
		if (!works(&q))
			break;
	}
	is(lives, 50, "fifty times reset, set up and used");
}

/* One queue is reset, the device goes on (virtio 1.2, 2.6.1). */
static void check_queue_reset(void)
{
	struct queue q;

	ok(virtio_negotiate(&v, F_RING_RESET | F_EVENT_IDX), "RING_RESET negotiated");
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 8);
	virtio_driver_ok(&v);
	ok(works(&q), "the queue works before");
	is(v.transport->queue_resetting(&v, 0), 0, "no reset under way");
	ok(virtio_queue_reset(&v, 0), "the queue's reset is done");
	is(v.transport->queue_enabled(&v, 0), 0, "the queue is off");
	is(virtio_status(&v), 15, "the device still runs");
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 16);
	is(v.transport->queue_enabled(&v, 0), 1,
	   "the queue is on again, with another size elsewhere");
	ok(works(&q) && works(&q), "and works");
	queue_add(&q, &(struct buffer){ buffer, 32 }, 0, 1);
	queue_kick(&q);
	ok(queue_wait_irq(&q, NULL) >= 0, "and interrupts");
}

int main(void)
{
	buffer = allocate(4096);
	if (!ok(virtio_find(&v, VIRTIO_RNG, 0), "an entropy device"))
		return 0;
	check_status();
	check_negotiation();
	check_queues();
	check_many_lives();
	check_queue_reset();
	return 0;
}
