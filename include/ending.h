/*
 * ending.h: how a guest's life ends, and what the shell is told.
 *
 * Many threads may see an end coming (a vCPU, a device, a signal); the first
 * to report decides. Main waits for the report, stops everything and leaves
 * with the code. One table (ending.c) gives each code its meaning, for
 * --help, the README and the tests.
 */
#ifndef LODGE_ENDING_H
#define LODGE_ENDING_H

#include <stdbool.h>

enum ending_code {
	ENDING_POWEROFF = 0,  /* the guest powered off */
	ENDING_HOST = 1,      /* an error on the host's side */
	ENDING_USAGE = 2,     /* the command line is wrong */
	ENDING_RESET = 3,     /* the guest reset itself (reboot) */
	ENDING_CRASH = 4,     /* the guest crashed (triple fault, reported panic) */
	ENDING_KVM = 5,       /* KVM could not run the guest */
	ENDING_SANDBOX = 6,   /* a thread tried what its sandbox forbids */
	ENDING_TIMEOUT = 124, /* what timeout(1) uses; Lodge never returns it */
	ENDING_SIGNAL = 128,  /* plus N: ended by signal N */
};

struct ending_meaning {
	const char *code; /* as printed: "0", "128+N" */
	const char *meaning;
};

/* The table, for --help; ends with a NULL code. Any thread. */
extern const struct ending_meaning ending_meanings[];

/* Make the eventfd that ending_fd() returns. Main, before threads. 0 or -errno. */
int ending_init(void);

/* Becomes readable when somebody has reported an ending. */
int ending_fd(void);

/*
 * Report that the guest's life is over. The first report counts, later ones
 * are ignored. `format` says what happened, in one line without "lodge:"; it
 * is printed by ending_announce(), after the terminal has been restored.
 * Any thread; does not stop the caller.
 */
void ending_report(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Has anybody reported an ending? A vCPU asks after each exit it served, so
 * that a guest does nothing more after the access that ended it. Any thread.
 */
bool ending_is_reported(void);

/* Print the final line (nothing for a power-off) and return the exit status. Main, at the end. */
int ending_announce(void);

#endif
