/*
 * errand.h: something that main has done for it while it goes on building.
 *
 * A start takes a few milliseconds, and two of its parts depend on nothing
 * else: asking KVM for its CPUID, and compiling the sandbox's filters. Each is
 * an errand: a short-lived thread that main waits for when it needs the result.
 * They are done one after the other.
 */
#ifndef LODGE_ERRAND_H
#define LODGE_ERRAND_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

struct errand {
	struct errand *next;   /* of those that are out: main's */
	struct errand *sooner; /* whose turn is before this one's; NULL: nobody's */
	sem_t done;
	pthread_t thread;
	bool running;
	void (*fn)(void *arg);
	void *arg;
};

/*
 * Have fn(arg) done on another thread; what it writes is its own until
 * errand_finish(). If there is no thread to be had, it is done at once. The struct
 * must stay until errand_finish() of those that began later. Main.
 */
void errand_begin(struct errand *errand, void (*fn)(void *arg), void *arg);

/* Wait until it is done. May be called again, and for one that never began (all zero). Main. */
void errand_finish(struct errand *errand);

/* Wait for all that are out, whose results nobody will need. Main. */
void errand_finish_all(void);

#endif
