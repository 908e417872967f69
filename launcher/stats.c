/*
 * stats.c: printing what others count.
 *
 * vCPUs and devices register their counters while the guest is built; main
 * prints them at the end (--stats), into a file (--stats=json:FILE) or when
 * asked by SIGUSR1. The list of groups is one of the few globals: it is
 * written before the guest runs and only read afterwards.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "output.h"
#include "stats.h"

#define GROUPS_MAX 576 /* every queue of as many devices as fit, and the vCPUs */

struct group {
	char name[32];
	const void *object;
	const struct stats_field *fields;
};

static struct group groups[GROUPS_MAX];
static unsigned group_count;

void stats_register(const char *name, const void *object, const struct stats_field *fields)
{
	struct group *group = &groups[group_count];

	if (group_count == GROUPS_MAX) {
		log_warning("no statistics for %s: too many groups", name);
		return;
	}
	snprintf(group->name, sizeof(group->name), "%s", name);
	group->object = object;
	group->fields = fields;
	group_count++;
}

static uint64_t value_of(const struct group *group, const struct stats_field *field)
{
	return counter_read(
		(const counter_t *)(const void *)((const char *)group->object + field->offset));
}

void stats_print(void)
{
	for (unsigned i = 0; i < group_count; i++) {
		const struct group *group = &groups[i];
		unsigned printed = 0;
		char line[512];
		size_t used = 0;

		for (const struct stats_field *field = group->fields; field->name; field++) {
			uint64_t value = value_of(group, field);

			if (value == 0 || used >= sizeof(line) - 64)
				continue;
			used += (size_t)snprintf(line + used, sizeof(line) - used, " %s %llu",
						 field->name, (unsigned long long)value);
			printed++;
		}
		if (printed)
			log_error("stats: %-18s%s", group->name, line);
	}
}

static void write_group(FILE *file, const struct group *group, bool last)
{
	fprintf(file, "  \"%s\": {", group->name);
	for (const struct stats_field *field = group->fields; field->name; field++)
		fprintf(file, "%s\"%s\": %llu", field == group->fields ? "" : ", ", field->name,
			(unsigned long long)value_of(group, field));
	fprintf(file, "}%s\n", last ? "" : ",");
}

FILE *stats_open_json(const char *name)
{
	int fd = output_open("--stats", name);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !file) {
		log_error("--stats: cannot write %s: %m", name);
		close(fd);
	}
	return file;
}

static bool write_groups(FILE *file)
{
	fprintf(file, "{\n");
	for (unsigned i = 0; i < group_count; i++)
		write_group(file, &groups[i], i + 1 == group_count);
	fprintf(file, "}\n");
	/* Both: the error may have been before the last bytes, which went well. */
	return fflush(file) == 0 && !ferror(file);
}

int stats_write_json(FILE *file, const char *name)
{
	bool written = output_empty(fileno(file)) == 0 && write_groups(file);

	if (!written) {
		log_error("--stats: cannot write %s: %m", name);
		/* Half an object is worse than none. */
		__fpurge(file);
		output_empty(fileno(file));
	}
	if (fclose(file) != 0 && written) {
		log_error("--stats: cannot write %s: %m", name);
		written = false;
	}
	return written ? 0 : -1;
}
