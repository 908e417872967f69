/*
 * virtio-queue.c: a running queue, on its device's thread (tour 8b).
 *
 * Devices take chains, give them back and publish through this file, which
 * adds to virtqueue.c what concerns the device as a whole: who to interrupt,
 * what happens when the driver breaks the rules, and counting.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <string.h>

#include "ablate.h"
#include "log.h"
#include "virtio.h"

#define ISR_QUEUE  1
#define ISR_CONFIG 2

#define SPINS_SKIPPED 63 /* at most, after one in vain: one less than a power of two */

#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct virtio_queue_stats, name)                                   \
	}
const struct stats_field virtio_queue_fields[] = {
	FIELD(kicks),
	FIELD(empty_kicks),
	FIELD(chains),
	FIELD(bytes),
	FIELD(unkicked),
	FIELD(batches),
	FIELD(batch_1),
	FIELD(batch_2_3),
	FIELD(batch_4_7),
	FIELD(batch_8_15),
	FIELD(batch_16_31),
	FIELD(batch_32_63),
	FIELD(batch_64_up),
	FIELD(interrupts),
	FIELD(quiet),
	FIELD(starved),
	FIELD(spins),
	FIELD(spin_hits),
	FIELD(backend_full),
	FIELD(dropped),
	FIELD(dropped_down),
	FIELD(dropped_invalid),
	FIELD(dropped_no_memory),
	FIELD(dropped_too_long),
	{ NULL, 0 },
};

static void interrupt(struct virtio_device *device, const struct irq *irq, uint8_t reason)
{
	/* The reason is there before the interrupt is: the write to the irqfd
	 * is a system call, and the guest reads the ISR after it came. */
	if (atomic_load_explicit(&device->uses_isr, memory_order_relaxed))
		atomic_fetch_or_explicit(&device->isr, reason, memory_order_release);
	if (irq)
		irq_raise(irq);
}

void virtio_config_changed(struct virtio_device *device)
{
	if (atomic_load(&device->status) & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(device, atomic_load(&device->config_irq), ISR_CONFIG);
}

void virtio_break(struct virtio_device *device, const char *fault)
{
	if (atomic_exchange(&device->broken, true))
		return;
	log_warning("%s: the guest's driver broke the rules: %s; the device waits for a reset",
		    device->name, fault);
	atomic_fetch_or(&device->status, VIRTIO_CONFIG_S_NEEDS_RESET);
	virtio_config_changed(device);
}

int virtio_next(struct virtio_queue *queue, struct chain *chain)
{
	int ret;

	if (!queue->running || virtio_is_broken(queue->device))
		return 0;
	ret = virtqueue_next(&queue->vq, chain);
	if (ret < 0) {
		virtio_break(queue->device, queue->vq.fault);
		return 0;
	}
	if (ret > 0 && !queue->kicked)
		counter_add(&queue->stats->unkicked, 1);
	if (ret > 0)
		queue->kicked = false;
	if (ret > 0 && ablated(IDEA_KICK_SUPPRESSION))
		virtqueue_enable_kicks(&queue->vq);
	return ret;
}

void virtio_done(struct virtio_queue *queue, uint16_t head, uint32_t written, uint64_t bytes)
{
	virtqueue_done(&queue->vq, head, written);
	counter_add(&queue->stats->chains, 1);
	counter_add(&queue->stats->bytes, bytes);
}

void virtio_ignore_kicks(struct virtio_queue *queue)
{
	if (!ablated(IDEA_KICK_SUPPRESSION))
		virtqueue_disable_kicks(&queue->vq);
}

/*
 * Look at the ring a few times more before asking for a kick: a kick saved, if the driver is
 * quick, for a bounded count of looks, if it is not. They are over when the loop has something
 * else for us. Each run of looks in vain has twice as many after it left out, until one is not.
 */
static bool spin(struct virtio_queue *queue)
{
	virtio_publish(queue); /* nobody answers to what they have not seen */
	if (queue->spins_to_skip > 0) {
		queue->spins_to_skip--;
		return false;
	}
	for (unsigned i = 0; i < queue->busy_poll; i++) {
		counter_add(&queue->stats->spins, 1);
		if (virtqueue_has_next(&queue->vq)) {
			counter_add(&queue->stats->spin_hits, 1);
			queue->vain_spins = 0;
			return true;
		}
		if (loop_has_more(virtio_loop(queue)))
			return false;
	}
	queue->vain_spins =
		queue->vain_spins < SPINS_SKIPPED ? 2 * queue->vain_spins + 1 : SPINS_SKIPPED;
	queue->spins_to_skip = queue->vain_spins;
	return false;
}

bool virtio_want_kicks(struct virtio_queue *queue)
{
	if (virtio_is_broken(queue->device))
		return false;
	if (queue->busy_poll > 0 && spin(queue))
		return true;
	return virtqueue_enable_kicks(&queue->vq);
}

static void count_batch(struct virtio_queue_stats *stats, unsigned size)
{
	counter_add(&stats->batches, 1);
	counter_add(size < 2    ? &stats->batch_1
		    : size < 4  ? &stats->batch_2_3
		    : size < 8  ? &stats->batch_4_7
		    : size < 16 ? &stats->batch_8_15
		    : size < 32 ? &stats->batch_16_31
		    : size < 64 ? &stats->batch_32_63
				: &stats->batch_64_up,
		    1);
}

void virtio_show(struct virtio_queue *queue)
{
	virtqueue_show(&queue->vq);
}

void virtio_publish(struct virtio_queue *queue)
{
	uint16_t size = (uint16_t)(queue->vq.next_used - queue->vq.published);

	if (size == 0)
		return;
	count_batch(queue->stats, size);
	if (virtqueue_publish(&queue->vq)) {
		virtio_interrupt(queue);
	} else {
		counter_add(&queue->stats->quiet, 1);
	}
}

void virtio_after_batch(void *context)
{
	struct virtio_thread *thread = context;
	struct virtio_device *device = thread->device;

	for (unsigned i = 0; i < device->queue_count; i++) {
		struct virtio_queue *queue = &device->queues[i];

		if (queue->thread == thread && queue->running && !virtio_is_broken(device))
			virtio_publish(queue);
	}
}

void virtio_interrupt(struct virtio_queue *queue)
{
	counter_add(&queue->stats->interrupts, 1);
	interrupt(queue->device, queue->irq, ISR_QUEUE);
}

static void on_kick(void *context)
{
	struct virtio_queue *queue = context;

	if (!queue->running || virtio_is_broken(queue->device))
		return;
	counter_add(&queue->stats->kicks, 1);
	if (!virtqueue_has_next(&queue->vq))
		counter_add(&queue->stats->empty_kicks, 1);
	queue->kicked = true;
	queue->device->class->kick(queue->device, queue->index);
}

void virtio_ignore_doorbell(struct virtio_queue *queue)
{
	loop_unwatch(&queue->kick_watch);
}

void virtio_watch_doorbell(struct virtio_queue *queue)
{
	loop_watch(virtio_loop(queue), &queue->kick_watch, queue->kick_fd, POLLIN, on_kick, queue);
}

void virtio_run_queue(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;

	if (virtqueue_start(&queue->vq, device->memory, &queue->layout,
			    virtio_has(device, VIRTIO_RING_F_EVENT_IDX),
			    virtio_has(device, VIRTIO_RING_F_INDIRECT_DESC)) < 0) {
		virtio_break(device, queue->vq.fault);
		return;
	}
	queue->running = true;
	queue->kicked = false;
	if (!queue->kick_watch.wanted)
		virtio_watch_doorbell(queue);
	if (device->class->queue_start)
		device->class->queue_start(device, queue->index);
	/* Buffers may have been made available before there was anybody to kick. */
	if (!virtio_is_broken(device))
		device->class->kick(device, queue->index);
}

void virtio_halt_queue(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;

	if (!queue->running)
		return;
	if (device->class->queue_stop)
		device->class->queue_stop(device, queue->index);
	queue->running = false;
}
