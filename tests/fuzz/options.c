/*
 * options.c: the command line: the input's lines are its words.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *words[WORDS_MAX + 2] = { "lodge" };
	struct options options;
	int count = 1;

	memcpy(text, data, size);
	text[size] = '\0';
	while (count < WORDS_MAX && (words[count] = strsep(&rest, "\n")))
		count++;
	words[count] = NULL;
	if (options_parse(&options, count, words) == OPTIONS_RUN &&
	    (!options.boot.kernel || options.cpus < 1 || options.cpus > VCPU_MAX ||
	     options.device_count > OPTIONS_DEVICES_MAX))
		__builtin_trap();
	options_free(&options);
	free(text);
	return 0;
}
