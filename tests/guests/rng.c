/*
 * rng.c: the entropy device through its one queue: bytes come, differ, and
 * never more of them than there is room for. Run by rng.t on both transports.
 */
#include "lib/virtio.h"

static bool looks_random(const uint8_t *p, unsigned n)
{
	unsigned ones = 0;

	for (unsigned bit = 0; bit < n * 8; bit++)
		ones += p[bit / 8] >> bit % 8 & 1;
	return ones > n * 3 && ones < n * 5; /* of 8 bits each, 4 expected */
}

int main(void)
{
	struct virtio v;
	struct queue q;
	uint8_t *buffer = allocate(1 << 20);
	uint32_t length = 0;

	if (!ok(virtio_find(&v, VIRTIO_RNG, 0), "an entropy device"))
		return 0;
	note("transport %s", v.pci ? "pci" : "mmio");
	ok(virtio_negotiate(&v, ~0ull), "features negotiated");
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 0);
	virtio_driver_ok(&v);
	is(virtio_status(&v), 15, "driver ok");

	queue_add(&q, &(struct buffer){ buffer, 64 }, 0, 1);
	queue_kick(&q);
	is(queue_wait_irq(&q, &length), 0, "one buffer comes back, with an interrupt");
	ok(length > 0 && length <= 64, "holding %u bytes of 64", length);
	ok(looks_random(buffer, length), "which look random");
	bool clean = true;
	for (unsigned i = length; i < 4096; i++)
		clean &= !buffer[i];
	ok(clean, "and not a byte more was written");

	uint8_t first[64];
	memcpy(first, buffer, 64);
	queue_add(&q, &(struct buffer){ buffer, 64 }, 0, 1);
	queue_kick(&q);
	ok(queue_wait(&q, &length) >= 0 && memcmp(first, buffer, 64), "the next 64 differ");

	unsigned count = 0, good = 0;
	for (unsigned i = 0; i < q.num; i++)
		queue_add(&q, &(struct buffer){ buffer + 256 * i, 1 + i % 200 }, 0, 1);
	queue_kick(&q);
	for (; count < q.num && queue_wait(&q, &length) >= 0; count++)
		good += length >= 1 && length <= 200;
	is(count, q.num, "a whole ring of buffers comes back");
	is(good, q.num, "each with a length within bounds");

	queue_add(&q, &(struct buffer){ buffer, 1 << 20 }, 0, 1);
	queue_kick(&q);
	ok(queue_wait(&q, &length) >= 0, "a buffer of 1 MiB comes back");
	ok(length >= 1 && length <= 1 << 20, "with %u bytes", length);
	ok(looks_random(buffer, length), "which look random");

	struct buffer pieces[8];
	memset(buffer, 0, 4096);
	for (unsigned i = 0; i < 8; i++)
		pieces[i] = (struct buffer){ buffer + 512 * i, 16 };
	queue_add(&q, pieces, 0, 8);
	queue_kick(&q);
	ok(queue_wait(&q, &length) >= 0 && length <= 128, "eight scattered buffers");
	for (unsigned i = 0; i < 8; i++)
		memcpy(first + 8 * i, pieces[i].data, 8);
	ok(length < 128 || looks_random(first, 64), "every one of them filled");
	return 0;
}
