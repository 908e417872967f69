/*
 * options.h: the command line, parsed.
 *
 *      lodge [OPTION]... KERNEL [GUEST-CMDLINE-WORD]...
 *
 * One table of the launcher's own options and the table of devices; parsing
 * and --help both walk them, so they cannot disagree.
 */
#ifndef LODGE_OPTIONS_H
#define LODGE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "boot.h"
#include "device.h"
#include "machine.h"

#define OPTIONS_DEVICES_MAX 32

struct options {
	uint64_t memory; /* bytes */
	unsigned cpus;
	enum transport transport;
	bool transport_given; /* by the user: not to be changed */
	bool verbose;
	bool stats;             /* print statistics at the end */
	const char *stats_file; /* and write them here as JSON; NULL: no */
	bool sandbox;
	bool dump_memory;         /* core dumps hold the guest's memory */
	const char *user;         /* to become once everything is open; NULL: nobody else */
	struct boot_options boot; /* points into argv */

	/* In the order of their slots. */
	unsigned device_count;
	struct device_request {
		const struct device_type *type;
		unsigned index; /* among its type */
		void *options;  /* from type->parse(), owned; may be NULL */
	} devices[OPTIONS_DEVICES_MAX];
};

enum options_result {
	OPTIONS_RUN,  /* go on */
	OPTIONS_DONE, /* --help or --version was printed */
	OPTIONS_BAD,  /* a line said what is wrong */
};

/* Main. What is allocated is freed by options_free(), whatever the result. */
enum options_result options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);

/* "512M" into bytes; false if it is not a positive number with an optional K, M or G. */
bool options_parse_size(const char *text, uint64_t *size);

#endif
