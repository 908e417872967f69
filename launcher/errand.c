/*
 * errand.c: see errand.h. vm's architecture and the sandbox send one each,
 * before the guest runs; nothing of it is left afterwards. Only main calls in,
 * so the list of those that are out, a global, needs no lock.
 */
#include <signal.h>

#include "errand.h"

static struct errand *out;

static void *run(void *arg)
{
	const struct errand *errand = arg;

	errand->fn(errand->arg);
	return NULL;
}

void errand_begin(struct errand *errand, void (*fn)(void *arg), void *arg)
{
	sigset_t all, before;

	*errand = (struct errand){ .fn = fn, .arg = arg };
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
