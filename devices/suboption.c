/*
 * suboption.c: "FILE,ro,serial=X" into its parts.
 *
 * The parse() of each device type walks its option's argument with this.
 * File names may hold commas: they are written doubled.
 */
#include <string.h>

#include "device.h"

bool suboption_next(char **text, struct suboption *part)
{
	char *in = *text, *out = *text;

	if (!in)
		return false;
	part->key = out;
	part->value = NULL;
	while (*in && !(in[0] == ',' && in[1] != ',')) {
		if (*in == ',')
			in++; /* the first of two */
		*out++ = *in++;
	}
	*text = *in ? in + 1 : NULL;
	*out = '\0';
	part->value = strchr(part->key, '=');
	if (part->value)
		*part->value++ = '\0';
	return true;
}
