/*
 * own-options.h: the table of the launcher's own options, from which options.c parses
 * and prints the help.
 */
#ifndef LODGE_OWN_OPTIONS_H
#define LODGE_OWN_OPTIONS_H

#include "options.h"

struct own_option {
	const char *name;
	char letter; /* 0: none */
	const char *syntax;
	const char *help;
	/* 0, or -1 after a line on stderr; NULL for those that options_parse() knows itself. */
	int (*take)(struct options *options, const char *value);
};

/* In the order of the help; the last one has no name. */
extern const struct own_option own_options[];

/*
 * What options say together, in whatever order they came: once all are taken. Main.
 * 0, or -1 after a line that names what contradicts what.
 */
int own_options_settle(struct options *options);

#endif
