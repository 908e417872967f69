/*
 * virtio.h: what all virtio devices have in common (virtio 1.2, chapters 2 and 3).
 *
 * Three parties meet here, and each keeps to its side:
 *
 *      transport (vCPU threads)     device core         device (its own thread)
 *      virtio-pci, virtio-mmio  ->  this module    ->   net, block, console, rng
 *      registers, under `lock`      start, stop         queues, its backend
 *
 * A transport changes a device only through the virtio_*() calls below, with
 * the device's lock held; whatever concerns a running queue becomes a
 * loop_call() to the device's thread. The device's thread never takes the
 * lock. What both sides look at without it is atomic and marked so.
 */
#ifndef LODGE_VIRTIO_H
#define LODGE_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "sandbox.h"
#include "stats.h"
#include "virtqueue.h"
#include "vm.h"

/* virtio 1.2, 6: newer than the kernel headers of Debian 12. */
#ifndef VIRTIO_F_RING_RESET
#define VIRTIO_F_RING_RESET 40
#endif

#define BIT(n) (UINT64_C(1) << (n))

#define VIRTIO_QUEUES_MAX  17 /* eight pairs and a control queue */
#define VIRTIO_THREADS_MAX 8
#define VIRTIO_CONFIG_MAX  64 /* bytes of device configuration */

struct virtio_device;

/* What a kind of device is. One static const of these per file in devices/. */
struct virtio_class {
	const char *name;     /* "net": for the thread's name and messages */
	uint16_t id;          /* device type, virtio 1.2 chapter 5 */
	uint32_t pci_class;   /* class code, subclass and programming interface */
	unsigned config_size; /* bytes of device configuration */

	/* All on the device's thread; those a device has no use for are NULL. */

	/* The driver is ready: device->accepted is final. Queues start after this. */
	void (*start)(struct virtio_device *device);
	/* Queue `index` is usable; nothing of it is in flight. */
	void (*queue_start)(struct virtio_device *device, unsigned index);
	/* The driver kicked queue `index`, or it has just started: take what is there. */
	void (*kick)(struct virtio_device *device, unsigned index);
	/* When this returns, no I/O of queue `index` is in flight, none of its chains held. */
	void (*queue_stop)(struct virtio_device *device, unsigned index);
	/* Running queue `index` has another queue->irq, or none. */
	void (*irq_changed)(struct virtio_device *device, unsigned index);
	/* All queues have stopped. */
	void (*stop)(struct virtio_device *device);
	/* The process ends: let go of the backend, on the device's thread. */
	void (*release)(struct virtio_device *device);
};

/*
 * A thread of a device. Most devices have one; one with several queues that
 * should not wait for each other has one per queue, or pair of queues.
 */
struct virtio_thread {
	struct virtio_device *device;
	char name[20]; /* "lodge-net0", "lodge-net0.1", ...; 15 bytes are all a thread may have */
	struct loop loop;
	int sandboxed; /* how entering went, 0 or -errno: main's, between begin and end */
};

/* What is counted for every queue, by its thread. */
struct virtio_queue_stats {
	counter_t kicks;       /* the doorbell rang */
	counter_t empty_kicks; /* and there was nothing new */
	counter_t chains;      /* given back to the driver */
	counter_t bytes;       /* in their used lengths, or sent from them */
	counter_t unkicked;    /* chains found without a kick: kicks that were suppressed */
	counter_t batches;     /* publications of the used ring */
	counter_t batch_1, batch_2_3, batch_4_7, batch_8_15, batch_16_31, batch_32_63, batch_64_up;
	counter_t interrupts;   /* sent */
	counter_t quiet;        /* publications the driver wanted no interrupt for */
	counter_t starved;      /* the driver's ring was empty when we needed a buffer */
	counter_t spins;        /* looks at the ring of busy-poll */
	counter_t spin_hits;    /* that found something */
	counter_t backend_full; /* the tap, or what is behind it, took no more */
	counter_t dropped;      /* packets lost, whatever the reason: */
	counter_t dropped_down, dropped_invalid, dropped_no_memory, dropped_too_long;
};
extern const struct stats_field virtio_queue_fields[];

struct virtio_queue {
	struct virtio_device *device;
	struct virtio_thread *thread; /* whose the running queue is */
	unsigned index;
	int kick_fd; /* the doorbell's eventfd; owned */

	/* The driver's registers: vCPU threads, under the lock; frozen while enabled. */
	struct virtqueue_layout layout;
	bool enabled;

	/* The device's thread. */
	struct loop_watch kick_watch;
	struct virtqueue vq;
	bool running;
	const struct irq *irq;  /* raised for used buffers; NULL: the driver wants none */
	bool kicked;            /* and nothing has been taken since */
	unsigned busy_poll;     /* looks at an empty ring before asking for kicks; constant */
	unsigned vain_spins;    /* runs of looks left out after the last one in vain; grows */
	unsigned spins_to_skip; /* of these, still to be left out; both the thread's */

	/* On cache lines of its own, so that counting disturbs no other thread;
	 * kept until the process ends, because statistics are printed last. */
	struct virtio_queue_stats *stats;
};

/* What a transport offers to the core. Called on vCPU threads with the lock held. */
struct virtio_transport {
	/* The interrupt of queue `index` as its registers now say; NULL: none. */
	const struct irq *(*queue_irq)(void *context, unsigned index);
	/* Connect or disconnect the doorbell of queue `index` to its kick_fd. */
	void (*connect_doorbell)(void *context, unsigned index, bool connected);
};

struct virtio_device {
	const struct virtio_class *class;
	const struct memory *memory;
	char name[16]; /* "net0" */
	unsigned queue_count, thread_count;
	struct virtio_queue queues[VIRTIO_QUEUES_MAX];
	struct virtio_thread threads[VIRTIO_THREADS_MAX];
	uint64_t offered; /* feature bits; constant once the guest runs */
	const struct sandbox *sandbox;

	/* vCPU threads, under the lock. */
	pthread_mutex_t lock;
	const struct virtio_transport *transport;
	void *transport_context;
	bool started; /* DRIVER_OK was acted on */

	/* Written under the lock while the device is stopped, read by its thread
	 * afterwards; the loop_call() that starts it orders the two. */
	uint64_t accepted;

	/* Both sides, without the lock. */
	atomic_uchar status;                  /* vCPUs write; the device only adds NEEDS_RESET */
	atomic_uchar isr;                     /* bit 0: used buffers, bit 1: configuration */
	atomic_bool uses_isr;                 /* the guest needs `isr`: it has no MSI-X */
	const struct irq *_Atomic config_irq; /* for configuration changes; may be NULL */

	/* The configuration and its generation change together. Never held for
	 * longer than a copy, and never while waiting for anybody. */
	pthread_mutex_t config_lock;
	uint32_t generation;
	uint8_t config[VIRTIO_CONFIG_MAX];

	/* The device's threads: the driver broke the rules; idle until it resets us. */
	atomic_bool broken;
};

static inline bool virtio_has(const struct virtio_device *device, unsigned feature)
{
	return device->accepted >> feature & 1;
}

/* --- For devices --- */

/* What virtio_init() wants to know about one device of a class. */
struct virtio_setup {
	unsigned index; /* among the devices of this class */
	const struct memory *memory;
	uint64_t features; /* of the class; the common ones are added */
	unsigned queues;   /* at most VIRTIO_QUEUES_MAX */
	unsigned threads;  /* at most VIRTIO_THREADS_MAX */
	/* Which thread serves queue `index`; NULL: the only one. */
	unsigned (*thread_of)(unsigned index, unsigned threads);
};

/* Set up the common part and start the device's threads. Main. 0 or -1, printing the reason. */
int virtio_init(struct virtio_device *device, const struct virtio_class *class,
		const struct virtio_setup *setup);

/* The loop of a queue's thread. */
static inline struct loop *virtio_loop(struct virtio_queue *queue)
{
	return &queue->thread->loop;
}

/* Change bytes of the configuration without telling the guest. Main, or the device's thread. */
void virtio_config_set(struct virtio_device *device, unsigned offset, const void *bytes,
		       unsigned len);

/* Clear and set bits of a 16-bit field of it; returns what it was. The device's threads. */
uint16_t virtio_config_flip(struct virtio_device *device, unsigned offset, uint16_t clear,
			    uint16_t set);

/* Tell the guest that the configuration changed (2.5). The device's thread. */
void virtio_config_changed(struct virtio_device *device);

/*
 * The driver broke the rules: say so once in the log, set NEEDS_RESET and
 * rest until it resets us (2.1.2). The device's thread.
 */
void virtio_break(struct virtio_device *device, const char *fault);

/* Is the device waiting for a reset? Its threads. */
static inline bool virtio_is_broken(const struct virtio_device *device)
{
	/* Relaxed: all it forbids is more work on queues that are lost anyway. */
	return atomic_load_explicit(&device->broken, memory_order_relaxed);
}

/*
 * Take the next chain of a running queue; 0 when there is none, or when the
 * queue is broken, which has then been reported. The device's thread.
 */
int virtio_next(struct virtio_queue *queue, struct chain *chain);

/*
 * Give a chain back, `written` bytes of it written; `bytes` are what it moved
 * either way, for the statistics. The device's thread.
 */
void virtio_done(struct virtio_queue *queue, uint16_t head, uint32_t written, uint64_t bytes);

/* Kicks are pointless while we look at the ring anyway. The device's thread. */
void virtio_ignore_kicks(struct virtio_queue *queue);

/*
 * Ask for a kick when there is more. Returns true if there is some already,
 * and then no kick may come for it: look again. The device's thread.
 */
bool virtio_want_kicks(struct virtio_queue *queue);

/*
 * For a device that has somebody else serve a running queue: kicks do not
 * reach us until it watches the doorbell again, as it must before queue_stop()
 * returns. The device's thread.
 */
void virtio_ignore_doorbell(struct virtio_queue *queue);
void virtio_watch_doorbell(struct virtio_queue *queue);

/* Interrupt the driver for used buffers that are not ours to publish. The device's thread. */
void virtio_interrupt(struct virtio_queue *queue);

/* Let a driver that looks by itself have what is done so far. The device's thread. */
void virtio_show(struct virtio_queue *queue);

/* Publish what is done on this queue, and interrupt if the driver wants it. Device's thread. */
void virtio_publish(struct virtio_queue *queue);

/* The device's threads, from virtio.c: the queue has been enabled, or is taken back. */
void virtio_run_queue(struct virtio_queue *queue);
void virtio_halt_queue(struct virtio_queue *queue);
/* The end of a batch of the thread's loop. */
void virtio_after_batch(void *thread);

/*
 * Put its threads into the sandbox: begin for all devices, so that they enter
 * at the same time, then wait for each. Main, before the guest runs. 0 or -errno.
 */
void virtio_begin_sandbox(struct virtio_device *device, const struct sandbox *sandbox);
int virtio_end_sandbox(struct virtio_device *device);

/* Stop all queues, release the backend, end the threads. Main, after the vCPUs have stopped. */
void virtio_destroy(struct virtio_device *device);

/* --- For transports: vCPU threads, with device->lock held --- */

uint8_t virtio_status(const struct virtio_device *device);

/* The driver writes the status register: 0 resets, FEATURES_OK and DRIVER_OK act (3.1.1). */
void virtio_write_status(struct virtio_device *device, uint8_t value);

/* The driver accepts features: the low (word 0) or high 32 bits. Ignored after FEATURES_OK. */
void virtio_accept_features(struct virtio_device *device, unsigned word, uint32_t bits);

/* Queue `index`, or NULL if the device has none such. */
struct virtio_queue *virtio_queue(struct virtio_device *device, unsigned index);

/* May the driver change this queue's registers? Not once it is enabled. */
bool virtio_queue_is_frozen(const struct virtio_queue *queue);

/* The driver enables a queue; or takes it back, whatever is in flight (2.6.1). */
void virtio_enable_queue(struct virtio_queue *queue);
void virtio_reset_queue(struct virtio_queue *queue);

/* A kick that came as a register write instead of through the doorbell's eventfd. Any thread. */
void virtio_kick(struct virtio_queue *queue);

/* Device configuration; bytes beyond its end read as zero. */
void virtio_read_config(struct virtio_device *device, uint64_t offset, void *data, unsigned len);

/* Changes whenever the configuration does (2.5.1). */
uint32_t virtio_config_generation(struct virtio_device *device);

/* Clear these bits of the ISR status; returns what it was before. Needs no lock. */
uint8_t virtio_clear_isr(struct virtio_device *device, uint8_t bits);

/* Give every queue its interrupt afresh (the MSI-X state changed). */
void virtio_update_irqs(struct virtio_device *device);

#endif
