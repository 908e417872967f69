/*
 * litmus.c: the two store-load pairs of a virtqueue, by two threads that play
 * driver and device on one ring; linked with devices/virtqueue.c as it is, and
 * with copies that lack one fence each (rules.mk).
 *
 *      kick:       device  "I want kicks"; anything left?
 *                  driver  another chain; does it want a kick?
 *      interrupt:  device  another chain is used; does it want an interrupt?
 *                  driver  "I want interrupts"; anything used?
 *
 * Each side stores, then loads. If either load passes the store, both may see
 * the old value: neither notifies, and both go to sleep. A round is one such
 * encounter, from a common start, and the answers are compared at once, so that
 * a loss is counted instead of being a hang.
 *
 *      litmus PAIR MODE ROUNDS [STOP]      kick|interrupt event|flags
 *
 * prints "lost N of ROUNDS"; with STOP it ends at the first loss.
 */
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "virtqueue.h"

#define MIB        (1u << 20)
#define DESC       (LAYOUT_RAM + 0x10000)
#define DRIVER     (LAYOUT_RAM + 0x20000)
#define DEVICE     (LAYOUT_RAM + 0x30000)
#define DATA       (LAYOUT_RAM + 0x40000)
#define QUEUE_SIZE 16
#define SPINS_MAX  1000 /* then the other thread may need our CPU */

struct side {
	_Alignas(128) atomic_ulong arrived;
	bool noticed; /* it saw what the other side had stored, or will be told */
	uint32_t dice;
};

static struct side driver, device;
static struct virtqueue vq;
static struct vring_avail *avail;
static struct vring_used *used;
static bool kick, event_idx, stop_at_loss;
static unsigned long rounds, lost;
static atomic_bool over;

/* Wait for the other side to get here too. */
static void meet(struct side *self, struct side *other)
{
	unsigned long turn = atomic_load_explicit(&self->arrived, memory_order_relaxed) + 1;

	atomic_store_explicit(&self->arrived, turn, memory_order_release);
	for (unsigned i = 0; atomic_load_explicit(&other->arrived, memory_order_acquire) < turn;
	     i++) {
		PAUSE; /* rules.mk: what this processor has for it */
		if (i == SPINS_MAX) {
			sched_yield();
			i = 0;
		}
	}
}

/*
 * A few cycles more or less, now below 8 and now below 1024 turns, so that the stores
 * meet in every way however far apart the two leave meet().
 */
static void stagger(struct side *self)
{
	uint32_t mask;

	self->dice = self->dice * 1664525 + 1013904223;
	mask = (8u << (self->dice >> 29)) - 1;
	for (unsigned i = self->dice >> 16 & mask; i > 0; i--)
		atomic_signal_fence(memory_order_seq_cst);
}

/* --- The driver's side: written here, from the specification --- */

static uint16_t *used_event(void)
{
	return &avail->ring[QUEUE_SIZE];
}

static uint16_t *avail_event(void)
{
	return (uint16_t *)(void *)&used->ring[QUEUE_SIZE];
}

/* Another chain; will it hear of it? */
static bool offer(uint16_t idx)
{
	avail->ring[idx % QUEUE_SIZE] = 0;
	__atomic_store_n(&avail->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
	atomic_thread_fence(memory_order_seq_cst);
	if (event_idx)
		return vring_need_event(__atomic_load_n(avail_event(), __ATOMIC_RELAXED),
					(uint16_t)(idx + 1), idx);
	return !(__atomic_load_n(&used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

/* "Tell me of the next one"; is it there already? */
static bool ask(uint16_t idx)
{
	if (event_idx)
		__atomic_store_n(used_event(), idx, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&avail->flags, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != idx;
}

static void be_driver(void)
{
	for (unsigned long i = 0; i < rounds && !atomic_load(&over); i++) {
		uint16_t idx = (uint16_t)i;

		/* Before they meet: what the other side will find if it looks too early. */
		if (!kick) {
			offer(idx);
			if (!event_idx)
				__atomic_store_n(&avail->flags, VRING_AVAIL_F_NO_INTERRUPT,
						 __ATOMIC_RELAXED);
		}
		meet(&driver, &device);
		/* In between the device takes the chain that is to be used. */
		meet(&driver, &device);
		stagger(&driver);
		driver.noticed = kick ? offer(idx) : ask(idx);
		meet(&driver, &device);
		if (!driver.noticed && !device.noticed) {
			lost++;
			if (stop_at_loss)
				atomic_store(&over, true);
		}
		meet(&driver, &device);
	}
}

/* --- The device's side: devices/virtqueue.c --- */

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	printf("broken: %s: %s\n", what, vq.fault ? vq.fault : "no fault");
	exit(1);
}

static void take(void)
{
	struct iovec iov[VIRTQUEUE_CHAIN_MAX];
	struct chain chain = { .iov = iov };

	must(virtqueue_next(&vq, &chain) == 1, "a chain that was offered is there");
	virtqueue_done(&vq, chain.head, 0);
}

static void *be_device(void *arg)
{
	(void)arg;
	for (unsigned long i = 0; i < rounds && !atomic_load(&over); i++) {
		if (kick)
			virtqueue_disable_kicks(&vq);
		meet(&device, &driver);
		if (!kick)
			take();
		meet(&device, &driver);
		stagger(&device);
		device.noticed = kick ? virtqueue_enable_kicks(&vq) : virtqueue_publish(&vq);
		meet(&device, &driver);
		if (kick) {
			take();
			virtqueue_publish(&vq);
		}
		meet(&device, &driver);
	}
	return NULL;
}

static void set_up(void)
{
	static struct memory memory;
	struct virtqueue_layout layout = { QUEUE_SIZE, DESC, DRIVER, DEVICE };
	struct vring_desc *desc;

	must(memory_create(&memory, MIB, LAYOUT_LOW_RAM_MAX) == 0, "memory");
	desc = memory_at(&memory, DESC, sizeof(*desc));
	*desc = (struct vring_desc){ DATA, 64, VRING_DESC_F_WRITE, 0 };
	avail = memory_at(&memory, DRIVER, 64);
	used = memory_at(&memory, DEVICE, 256);
	must(virtqueue_start(&vq, &memory, &layout, event_idx, false) == 0, "a queue");
	/* Events of long ago: nobody has asked yet. */
	*used_event() = UINT16_MAX;
	*avail_event() = UINT16_MAX;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 4) {
		fprintf(stderr, "usage: litmus kick|interrupt event|flags ROUNDS [STOP]\n");
		return 2;
	}
	kick = strcmp(argv[1], "kick") == 0;
	event_idx = strcmp(argv[2], "event") == 0;
	rounds = strtoul(argv[3], NULL, 10);
	stop_at_loss = argc > 4;
	driver.dice = 1;
	device.dice = 2;
	set_up();
	must(pthread_create(&thread, NULL, be_device, NULL) == 0, "a thread");
	be_driver();
	pthread_join(thread, NULL);
	printf("lost %lu of %lu\n", lost, rounds);
	return 0;
}
