/*
 * hostile.h: what the attacking guests share: the devices they find, rings
 * with canaries around them, and the questions asked after each attack.
 *
 * An attack writes into rings and registers what no driver would. Afterwards
 * the device must have said NEEDS_RESET (or have failed the request), must
 * work again after a reset, and must not have written where it was not told.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "block.h"

enum { TARGET_QUEUES = 3, RING_MAX = 256, DATA = 65536 };
enum { NET_F_MAC = 5, NET_F_MRG_RXBUF = 15, NET_HEADER = 12 };

struct target {
	const char *name;
	unsigned type, queues;
	bool wired; /* a console that has input for us */
	struct virtio v;
	struct queue q[TARGET_QUEUES];
	struct {
		struct desc *desc;
		struct avail *avail;
		struct used *used;
	} rings[TARGET_QUEUES];
	uint8_t *data; /* DATA bytes, a canary before and behind */
};

/* The devices this machine has, in the order rng, block, console, net. */
extern struct target targets[4];
extern unsigned target_count;
void targets_find(void);

/* Reset it, negotiate what it offers of `features`, enable its queues at their
 * usual place (all zero again), and say DRIVER_OK. False if it refuses. */
bool target_open(struct target *t, uint64_t features);
/* The same up to the queues, which are not enabled, nor DRIVER_OK said. */
bool target_negotiate(struct target *t, uint64_t features);
/* Tell the device where queue `i` is, with `num` entries, and enable it. */
void target_queue(struct target *t, unsigned i, unsigned num);

/* One request on every queue, there and back, as a good driver makes it. */
bool target_works(struct target *t);

/* Ask for the address of 10.9.0.1, as a host on the same cable would: a packet of
 * NET_HEADER + 60 bytes, which is answered. */
void make_arp(uint8_t *packet);

/* It has said NEEDS_RESET, or does so soon. */
bool target_is_broken(struct target *t);

/* One check: after the attack `what` the device is broken (if `breaks`), and
 * in any case works after a reset, and no canary changed. */
void expect_survival(struct target *t, bool breaks, const char *what);

/* Does the device read the buffers of this queue (or write them)? */
static inline bool queue_reads(const struct target *t, unsigned i)
{
	return t->type == VIRTIO_BLOCK || (t->type != VIRTIO_RNG && i > 0);
}

/* Offer the chain at `head` and ring the bell, wanted or not. */
void offer_raw(struct queue *q, uint16_t head);

/* Pages that nobody may write. */
uint8_t *guarded(size_t bytes); /* zeroed, with a canary page before and behind */
bool canaries_live(void);

/* Where RAM below the hole ends; and RAM above 4 GiB, 0 if there is none. */
uint64_t low_end(void);
uint64_t high_end(void);

/* Numbers that look random and are the same in every run. */
uint32_t dice(void);

/* Tell the script to look at the process now, and wait until it has. */
void measure(const char *when);
/* Tell it to do something, and wait likewise: `what` is for its do_step(). */
void host(const char *what);
/* From now on a packet in this queue is its answer, not a byte of input. */
void listen_at(struct queue *receive);
/* Work for the CPU alone: devices have no reason to do anything. */
void only_compute(void);

/* A guest whose console is wired (see voice.c): keep what it prints, and let go of it. */
void voice_keep(void);
void voice_release(struct target *console);

/* Every check of a guest twice: first to warm up, then watched from outside. */
void attack_twice(void (*attack)(struct target *t));

#endif
