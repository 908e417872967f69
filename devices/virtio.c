/*
 * virtio.c: the life of a virtio device (tour 8): negotiated, started,
 * stopped, reset.
 *
 * Transports call in from vCPU threads with the device's lock held. What
 * concerns a running queue is done by the queue's thread (virtio-queue.c);
 * the bridge is loop_call(): the vCPU waits until it is done, so after a
 * reset has been answered no I/O of the old life can touch guest memory.
 *
 * Next in the tour: virtio-pci.c, how the guest finds all this.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ablate.h"
#include "log.h"
#include "virtio.h"

/* --- On the device's threads, called by vCPUs --- */

static void start_device_call(void *arg)
{
	struct virtio_device *device = arg;

	if (device->class->start)
		device->class->start(device);
}

static void start_thread_call(void *arg)
{
	struct virtio_thread *thread = arg;
	struct virtio_device *device = thread->device;

	for (unsigned i = 0; i < device->queue_count; i++)
		if (device->queues[i].thread == thread && device->queues[i].enabled)
			virtio_run_queue(&device->queues[i]);
}

static void stop_thread_call(void *arg)
{
	struct virtio_thread *thread = arg;
	struct virtio_device *device = thread->device;

	for (unsigned i = 0; i < device->queue_count; i++)
		if (device->queues[i].thread == thread)
			virtio_halt_queue(&device->queues[i]);
}

static void stop_device_call(void *arg)
{
	struct virtio_device *device = arg;

	if (device->class->stop)
		device->class->stop(device);
	atomic_store(&device->broken, false);
}

static void run_queue_call(void *arg)
{
	virtio_run_queue(arg);
}

static void halt_queue_call(void *arg)
{
	virtio_halt_queue(arg);
}

/* Each thread in turn; the first one is the device's own. */
static void call_threads(struct virtio_device *device, void (*fn)(void *arg))
{
	for (unsigned i = 0; i < device->thread_count; i++)
		loop_call(&device->threads[i].loop, fn, &device->threads[i]);
}

static void stop(struct virtio_device *device)
{
	call_threads(device, stop_thread_call);
	loop_call(&device->threads[0].loop, stop_device_call, device);
}

/* --- On vCPU threads, with the lock held --- */

uint8_t virtio_status(const struct virtio_device *device)
{
	return atomic_load(&device->status);
}

struct virtio_queue *virtio_queue(struct virtio_device *device, unsigned index)
{
	return index < device->queue_count ? &device->queues[index] : NULL;
}

bool virtio_queue_is_frozen(const struct virtio_queue *queue)
{
	return queue->enabled;
}

static void connect_queue(struct virtio_queue *queue, bool connected)
{
	struct virtio_device *device = queue->device;

	if (connected)
		queue->irq = device->transport->queue_irq(device->transport_context, queue->index);
	device->transport->connect_doorbell(device->transport_context, queue->index, connected);
}

static void start(struct virtio_device *device)
{
	for (unsigned i = 0; i < device->queue_count; i++)
		if (device->queues[i].enabled)
			connect_queue(&device->queues[i], true);
	device->started = true;
	loop_call(&device->threads[0].loop, start_device_call, device);
	call_threads(device, start_thread_call);
}

static void forget_queue(struct virtio_queue *queue)
{
	queue->enabled = false;
	queue->layout = (struct virtqueue_layout){ .size = VIRTQUEUE_SIZE_MAX };
}

static void reset(struct virtio_device *device)
{
	if (device->started) {
		stop(device);
		for (unsigned i = 0; i < device->queue_count; i++)
			if (device->queues[i].enabled)
				connect_queue(&device->queues[i], false);
	}
	for (unsigned i = 0; i < device->queue_count; i++)
		forget_queue(&device->queues[i]);
	device->started = false;
	device->accepted = 0;
	atomic_store(&device->isr, 0);
	atomic_store(&device->status, 0);
}

static bool features_are_ok(const struct virtio_device *device)
{
	return !(device->accepted & ~device->offered) &&
	       (device->accepted & BIT(VIRTIO_F_VERSION_1));
}

void virtio_write_status(struct virtio_device *device, uint8_t value)
{
	uint8_t old = atomic_load(&device->status), fresh;

	if (value == 0) {
		reset(device);
		return;
	}
	fresh = value & ~old & ~VIRTIO_CONFIG_S_NEEDS_RESET;

	/* Refused features leave the bit clear: that is how the driver hears of it. */
	if ((fresh & VIRTIO_CONFIG_S_FEATURES_OK) && !features_are_ok(device))
		fresh &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	if ((fresh & VIRTIO_CONFIG_S_DRIVER_OK) && !((old | fresh) & VIRTIO_CONFIG_S_FEATURES_OK))
		fresh &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;

	/* Set before the device starts, which may add NEEDS_RESET at once. */
	atomic_fetch_or(&device->status, fresh);
	if (fresh & VIRTIO_CONFIG_S_DRIVER_OK)
		start(device);
}

void virtio_accept_features(struct virtio_device *device, unsigned word, uint32_t bits)
{
	if (word > 1 || (atomic_load(&device->status) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	device->accepted &= ~((uint64_t)UINT32_MAX << (32 * word));
	device->accepted |= (uint64_t)bits << (32 * word);
}

void virtio_enable_queue(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;

	if (queue->enabled)
		return;
	queue->enabled = true;
	if (!device->started)
		return;
	connect_queue(queue, true);
	loop_call(virtio_loop(queue), run_queue_call, queue);
}

void virtio_reset_queue(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;

	if (!queue->enabled)
		return;
	if (device->started) {
		loop_call(virtio_loop(queue), halt_queue_call, queue);
		connect_queue(queue, false);
	}
	forget_queue(queue);
}

static void update_irqs_call(void *arg)
{
	struct virtio_thread *thread = arg;
	struct virtio_device *device = thread->device;

	for (unsigned i = 0; i < device->queue_count; i++) {
		struct virtio_queue *queue = &device->queues[i];

		if (queue->thread != thread || !queue->enabled)
			continue;
		queue->irq = device->transport->queue_irq(device->transport_context, i);
		if (queue->running && device->class->irq_changed)
			device->class->irq_changed(device, i);
	}
}

void virtio_update_irqs(struct virtio_device *device)
{
	/* The vCPU holds the lock and waits, so the thread may read registers. */
	if (device->started)
		call_threads(device, update_irqs_call);
}

void virtio_kick(struct virtio_queue *queue)
{
	uint64_t one = 1;

	if (write(queue->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("%s: cannot kick: %m", queue->device->name);
}

void virtio_read_config(struct virtio_device *device, uint64_t offset, void *data, unsigned len)
{
	uint8_t *bytes = data;

	pthread_mutex_lock(&device->config_lock);
	for (unsigned i = 0; i < len; i++)
		bytes[i] = offset + i < device->class->config_size ? device->config[offset + i] : 0;
	pthread_mutex_unlock(&device->config_lock);
}

uint32_t virtio_config_generation(struct virtio_device *device)
{
	uint32_t generation;

	pthread_mutex_lock(&device->config_lock);
	generation = device->generation;
	pthread_mutex_unlock(&device->config_lock);
	return generation;
}

uint8_t virtio_clear_isr(struct virtio_device *device, uint8_t bits)
{
	return atomic_fetch_and_explicit(&device->isr, (uint8_t)~bits, memory_order_acquire);
}

void virtio_config_set(struct virtio_device *device, unsigned offset, const void *bytes,
		       unsigned len)
{
	/* The driver reads the generation before and after it reads fields in
	 * several accesses; both change under one lock, so it notices. */
	pthread_mutex_lock(&device->config_lock);
	device->generation++;
	memcpy(device->config + offset, bytes, len);
	pthread_mutex_unlock(&device->config_lock);
}

uint16_t virtio_config_flip(struct virtio_device *device, unsigned offset, uint16_t clear,
			    uint16_t set)
{
	uint16_t old, new;

	pthread_mutex_lock(&device->config_lock);
	memcpy(&old, device->config + offset, sizeof(old));
	new = htole16((uint16_t)((le16toh(old) & ~clear) | set));
	device->generation++;
	memcpy(device->config + offset, &new, sizeof(new));
	pthread_mutex_unlock(&device->config_lock);
	return le16toh(old);
}

/* --- On main --- */

static int init_queue(struct virtio_device *device, unsigned index, unsigned thread)
{
	struct virtio_queue *queue = &device->queues[index];
	char name[40];

	queue->device = device;
	queue->thread = &device->threads[thread];
	queue->index = index;
	forget_queue(queue);
	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->kick_fd < 0)
		return -errno;
	queue->stats = aligned_alloc(64, (sizeof(*queue->stats) + 63) & ~63u);
	if (!queue->stats)
		return -ENOMEM;
	memset(queue->stats, 0, sizeof(*queue->stats));
	snprintf(name, sizeof(name), "%s queue %u", device->name, index);
	stats_register(name, queue->stats, virtio_queue_fields);
	return 0;
}

static int start_thread(struct virtio_device *device, unsigned index)
{
	struct virtio_thread *thread = &device->threads[index];
	char suffix[16] = "";

	thread->device = device;
	if (index > 0)
		snprintf(suffix, sizeof(suffix), ".%u", index);
	snprintf(thread->name, sizeof(thread->name), "lodge-%.8s%.2s", device->name, suffix);
	return loop_start(&thread->loop, thread->name, virtio_after_batch, thread);
}

int virtio_init(struct virtio_device *device, const struct virtio_class *class,
		const struct virtio_setup *setup)
{
	int ret = 0;

	device->class = class;
	device->memory = setup->memory;
	device->queue_count = setup->queues;
	device->thread_count = setup->threads;
	device->offered = setup->features | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) |
			  BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_F_RING_RESET);
	if (ablated(IDEA_EVENT_IDX))
		device->offered &= ~BIT(VIRTIO_RING_F_EVENT_IDX);
	pthread_mutex_init(&device->lock, NULL);
	pthread_mutex_init(&device->config_lock, NULL);
	snprintf(device->name, sizeof(device->name), "%s%u", class->name, setup->index % 1000);

	for (unsigned i = 0; i < setup->queues && ret == 0; i++)
		ret = init_queue(device, i,
				 setup->thread_of ? setup->thread_of(i, setup->threads) : 0);
	for (unsigned i = 0; i < setup->threads && ret == 0; i++)
		ret = start_thread(device, i);
	if (ret < 0) {
		log_error("%s: cannot start its threads: %s", device->name, strerror(-ret));
		return -1;
	}
	return 0;
}

static void enter_sandbox_call(void *arg)
{
	struct virtio_thread *thread = arg;

	thread->sandboxed = sandbox_enter(thread->device->sandbox, SANDBOX_DEVICE);
}

void virtio_begin_sandbox(struct virtio_device *device, const struct sandbox *sandbox)
{
	device->sandbox = sandbox;
	for (unsigned i = 0; i < device->thread_count; i++)
		loop_call_begin(&device->threads[i].loop, enter_sandbox_call, &device->threads[i]);
}

int virtio_end_sandbox(struct virtio_device *device)
{
	int ret = 0;

	for (unsigned i = 0; i < device->thread_count; i++) {
		loop_call_end(&device->threads[i].loop);
		if (device->threads[i].sandboxed < 0)
			ret = device->threads[i].sandboxed;
	}
	return ret;
}

static void release_call(void *arg)
{
	struct virtio_device *device = arg;

	if (device->class->release)
		device->class->release(device);
}

void virtio_destroy(struct virtio_device *device)
{
	stop(device);
	loop_call(&device->threads[0].loop, release_call, device);
	for (unsigned i = 0; i < device->thread_count; i++)
		loop_stop(&device->threads[i].loop);
	for (unsigned i = 0; i < device->queue_count; i++)
		close(device->queues[i].kick_fd);
	pthread_mutex_destroy(&device->lock);
	pthread_mutex_destroy(&device->config_lock);
}
