/*
 * rng.c: virtio-rng: the host's random numbers for the guest.
 *
 * getrandom() does not block once the host is up, so there is nothing
 * asynchronous about it. A buffer gets REQUEST_MAX bytes at most, whatever
 * its size: a guest that offers gigabytes must not keep the thread, or the
 * host's generator, to itself.
 *
 * Source: virtio 1.2, 5.4.
 */
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "device.h"

#define REQUEST_MAX 4096 /* bytes */
#define ROUND_MAX   64   /* buffers before the loop gets its turn */

#define PCI_CLASS_OTHER 0xff0000

struct rng {
	struct virtio_device device;
	struct loop_op again;
	struct iovec iov[VIRTQUEUE_CHAIN_MAX];
};

static struct rng *of(struct virtio_device *device)
{
	return loop_op_owner(device, struct rng, device);
}

static uint32_t fill(const struct chain *chain)
{
	uint8_t bytes[REQUEST_MAX];
	size_t want = chain->writable_len < sizeof(bytes) ? chain->writable_len : sizeof(bytes);
	ssize_t got = want ? getrandom(bytes, want, 0) : 0;

	if (got <= 0)
		return 0;
	return (uint32_t)iov_write(chain->iov + chain->readable, chain->writable, bytes,
				   (size_t)got);
}

static void serve(struct virtio_device *device, unsigned index)
{
	struct virtio_queue *queue = &device->queues[index];
	struct rng *rng = of(device);
	struct chain chain = { .iov = rng->iov };
	unsigned round = 0;

	if (rng->again.busy)
		return;
	virtio_ignore_kicks(queue);
	do {
		while (round < ROUND_MAX && virtio_next(queue, &chain)) {
			uint32_t filled = fill(&chain);

			virtio_done(queue, chain.head, filled, filled);
			round++;
		}
		if (round == ROUND_MAX) {
			loop_again(virtio_loop(queue), &rng->again);
			return;
		}
	} while (virtio_want_kicks(queue));
}

static void serve_again(struct loop_op *op, int result)
{
	struct rng *rng = loop_op_owner(op, struct rng, again);

	(void)result;
	if (rng->device.queues[0].running)
		serve(&rng->device, 0);
}

static void queue_stop(struct virtio_device *device, unsigned index)
{
	device->queues[index].running = false; /* so that `again` ends */
	loop_await(virtio_loop(&device->queues[index]), &of(device)->again);
}

static const struct virtio_class rng_class = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.pci_class = PCI_CLASS_OTHER,
	.kick = serve,
	.queue_stop = queue_stop,
};

static struct virtio_device *create(unsigned index, const void *options,
				    const struct memory *memory, struct stream *terminal)
{
	struct virtio_setup setup = { .index = index, .memory = memory, .queues = 1, .threads = 1 };
	struct rng *rng = device_allocate("rng", sizeof(*rng));

	(void)options;
	(void)terminal;
	if (!rng)
		return NULL;
	rng->again.done = serve_again;
	if (virtio_init(&rng->device, &rng_class, &setup) < 0) {
		free(rng);
		return NULL;
	}
	return &rng->device;
}

static const struct sandbox_rule needs[] = {
	SANDBOX_CALL(getrandom),
	SANDBOX_END,
};

const struct device_type rng_device = {
	.name = "rng",
	.by_default = true,
	.option = "no-rng",
	.help = "leave out the entropy device",
	.create = create,
	.needs = needs,
};
