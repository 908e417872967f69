/*
 * process.h: what lodge does about being a process of this system, before it
 * is a machine: its standard files, its heap, its signals.
 *
 * main calls in, in this order, and nobody else.
 */
#ifndef LODGE_PROCESS_H
#define LODGE_PROCESS_H

/* At the very start: standard files that are none of our own, one heap for all threads. */
void process_prepare(void);

/*
 * Block the signals that end a process or tell it something, in this thread and
 * those it will make, and ignore those that only say that a write failed.
 * Returns a signalfd(2) that reads the blocked ones, owned by the caller, or -errno.
 * Before any thread that could receive them.
 */
int process_receive_signals(void);

/* The guest is over: from here on these signals do what they do to any process. */
void process_accept_signals(void);

#endif
