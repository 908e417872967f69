/*
 * errand.c: see errand.h. vm's architecture and the sandbox send one each,
 * before the guest runs; nothing of it is left afterwards. Only main calls in,
 * so the list of those that are out, a global, needs no lock.
 *
 * They take turns. Two at once would be two threads beside main, on the two
 * processors that a small host has: main would wait for its own errands.
 */
#include <errno.h>
#include <signal.h>

#include "errand.h"

static struct errand *out;

/* Whoever waits for the same one later finds it done as well. */
static void wait_until_done(struct errand *errand)
{
	while (sem_wait(&errand->done) < 0 && errno == EINTR)
		;
	sem_post(&errand->done);
}

static void *run(void *arg)
{
	struct errand *errand = arg;

	if (errand->sooner)
		wait_until_done(errand->sooner);
	errand->fn(errand->arg);
	sem_post(&errand->done);
	return NULL;
}

void errand_begin(struct errand *errand, void (*fn)(void *arg), void *arg)
{
	sigset_t all, before;

	*errand = (struct errand){ .fn = fn, .arg = arg, .sooner = out };
	sem_init(&errand->done, 0, 0);
	/* Signals are for main, also those that come before it has blocked them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errand->running = pthread_create(&errand->thread, NULL, run, errand) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!errand->running) {
		fn(arg);
		return;
	}
	errand->next = out;
	out = errand;
}

void errand_finish(struct errand *errand)
{
	struct errand **link = &out;

	if (!errand->running)
		return;
	while (*link != errand)
		link = &(*link)->next;
	*link = errand->next;
	pthread_join(errand->thread, NULL);
	errand->running = false;
}

void errand_finish_all(void)
{
	while (out)
		errand_finish(out);
}
