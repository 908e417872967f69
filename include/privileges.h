/*
 * privileges.h: what Lodge gives up before the guest runs.
 */
#ifndef LODGE_PRIVILEGES_H
#define LODGE_PRIVILEGES_H

/*
 * Never gain any: no_new_privs, for this thread and all it creates (prctl(2)).
 * Main, before there are other threads. Prints the reason; 0 or -1.
 */
int privileges_gain_none(void);

/*
 * Become "NAME" or "NAME:GROUP", names or numbers, on all threads and for good: user and group
 * ids, no supplementary groups, no capabilities. Only root can. Main, when
 * everything is open. Prints the reason; 0 or -1.
 */
int privileges_drop(const char *user);

#endif
