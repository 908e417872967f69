/*
 * storm.h: lives of a queue that end in a reset, for storms.c and net-storms.c.
 *
 * Each life has rings and buffers of its own, at other addresses than the one
 * before. When a reset has been answered, what that life had is filled with bait,
 * which must still be there a life later. What comes back must be what this life
 * has offered, each thing once. Behind every buffer lies a page nobody may write.
 */
#ifndef STORM_H
#define STORM_H

#include "hostile.h"

/* Two halves of slots, used in turn: ROOM bytes of buffer each, and a canary page. */
enum { SLOTS = 512, HALF = SLOTS / 2, ROOM = 8192, BAIT = 0x5c };

/* What has gone wrong, in all lives of a target. */
struct sins {
	unsigned unanswered; /* resets */
	unsigned strangers;  /* came back, and nobody had offered it */
	unsigned wrong;      /* what came back, or what was only to be read */
	unsigned late;       /* an old life's memory changed */
	unsigned written;    /* outside all buffers */
};
extern struct sins sins;

/* A queue of the life that is, and what it has offered. */
struct stream {
	unsigned set, half;      /* of rings, of slots */
	uint16_t slot[RING_MAX]; /* by head, as are the others */
	uint32_t length[RING_MAX];
	bool offered[RING_MAX];
	unsigned returned;
};
extern struct stream streams[TARGET_QUEUES];

extern struct block_request requests[SLOTS];
uint8_t *slot_data(unsigned slot);

/* Are all of these bytes `what`? In whole words. */
bool holds(const void *p, unsigned bytes, uint8_t what);

void storm_prepare(void); /* once */
void storm_reset(void);   /* before the first life of a target: bait everywhere */

/* A life of this queue: the rings that target_open() or target_queue() are to use. */
void storm_begin(struct target *t, unsigned queue);
/* Its reset has been answered: nothing of it may stir any more. */
void storm_end(unsigned queue);
/* Has something come back, and is it ours? Returns its head, or -1. */
int storm_collect(struct queue *q);
/* How much has not come back. */
unsigned storm_left(unsigned queue);

void storm_lay_bait(unsigned half);
void storm_check_bait(unsigned half);
void storm_check_canaries(void);

/* One check for each kind of sin, and whether the device works. */
void storm_report(struct target *t);

#endif
