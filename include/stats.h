/*
 * stats.h: what happened, counted.
 *
 * Every counter has one writer, the thread that owns what is counted, so
 * counting is a plain addition to a line of its own cache: no atomic
 * read-modify-write, nothing shared. Main reads at any moment, for --stats
 * and SIGUSR1, and gets each counter as it was at some instant.
 *
 * Who has something to count describes it by a table (name, offset) and
 * registers one group per object; printing, as a table or as JSON, knows
 * nothing else.
 */
#ifndef LODGE_STATS_H
#define LODGE_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
	uint64_t value;
} counter_t;

/* The counter's own thread. */
static inline void counter_add(counter_t *counter, uint64_t n)
{
	/* Relaxed, and not a read-modify-write: nobody else writes, and a reader
	 * only needs the number whole. */
	__atomic_store_n(&counter->value, counter->value + n, __ATOMIC_RELAXED);
}

/* Any thread. */
static inline uint64_t counter_read(const counter_t *counter)
{
	return __atomic_load_n(&counter->value, __ATOMIC_RELAXED);
}

/* A counter inside the object a group stands for. */
struct stats_field {
	const char *name; /* as in JSON: lower case, words joined by "_"; NULL ends a table */
	size_t offset;
};

/*
 * Add a group to what is printed: `name` ("net0 queue 0") is copied, the
 * object and the table must outlive the process's last print. Main, before
 * the guest runs.
 */
void stats_register(const char *name, const void *object, const struct stats_field *fields);

/* Print the counters that are not zero, as a table on standard error. Main. */
void stats_print(void);

/*
 * Open, or create, the file that stats_write_json() will write: while files
 * can still be opened. What is in it stays until then. Prints the reason; NULL if it cannot be.
 * Main.
 */
FILE *stats_open_json(const char *name);

/*
 * Write all counters as one JSON object in place of what the file holds, and close.
 * 0, or -1 after printing the reason; the file is empty then. Main.
 */
int stats_write_json(FILE *file, const char *name);

#endif
