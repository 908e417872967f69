/*
 * process.h: what lodge does about being a process of this system, before it
 * is a machine: its standard files, its heap, its signals.
 *
 * main calls in, and nobody else.
 */
#ifndef LODGE_PROCESS_H
#define LODGE_PROCESS_H

#include <stdbool.h>

/*
 * At the very start: standard files that are none of our own, one heap for all threads,
 * and no signal that only tells something (SIGUSR1, ...) ends the process.
 */
void process_prepare(void);

/*
 * Block the signals that end a process, in this thread and those it will make,
 * except those that were ignored when we were started, and ignore those that only
 * say that a write failed.
 * Returns a signalfd(2) that reads all that are blocked, owned by the caller, or -errno.
 * Before any thread that could receive them.
 */
int process_receive_signals(void);

/*
 * The guest is over: forget what has come meanwhile; from here on the signals that
 * end a process end this one.
 */
void process_accept_signals(int signal_fd);

/* Is all on its way that was printed instead of running a guest? Prints the reason if not. */
bool process_has_printed(void);

#endif
