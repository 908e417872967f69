/*
 * ablate.c: what a guest sees of an idea left out (--ablate): the features that
 * are gone, and, from ablate.t, how what it sends is published.
 */
#include "lib/virtio.h"

enum { F_MRG_RXBUF = 15, ROUNDS = 20, TOGETHER = 32, FRAME = 12 + 60 };

static struct virtio v;
static struct queue receive, transmit;

int main(void)
{
	uint8_t *frame = allocate(FRAME);
	unsigned good = 0;

	if (!ok(virtio_find(&v, VIRTIO_NET, 0), "a network device"))
		return 0;
	note("transport %s", v.pci ? "pci" : "mmio");
	note("event-idx %u", (unsigned)!!(virtio_offered(&v) & F_EVENT_IDX));
	note("mrg-rxbuf %u", (unsigned)!!(virtio_offered(&v) & FEATURE(F_MRG_RXBUF)));
	virtio_negotiate(&v, ~0ull);
	queue_open(&receive, &v, 0, 0);
	queue_open(&transmit, &v, 1, 0);
	virtio_driver_ok(&v);
	memset(frame + 12, 0xff, 6);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct buffer b = { frame, FRAME };

		for (unsigned j = 0; j < TOGETHER; j++)
			queue_add(&transmit, &b, 1, 0);
		queue_kick(&transmit);
		for (unsigned j = 0; j < TOGETHER; j++)
			good += queue_wait(&transmit, NULL) >= 0;
	}
	is(good, ROUNDS * TOGETHER, "every frame is given back");
	note("kicks %u", transmit.kicks);
	return 0;
}
