/*
 * options.c: from argv to struct options, and --help (tour 1c).
 *
 * main calls in once. Nothing is opened or created here: a wrong command
 * line has no effect but one line on stderr.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ending.h"
#include "layout.h"
#include "log.h"
#include "options.h"
#include "own-options.h"
#include "version.h"

#define MEMORY_DEFAULT (UINT64_C(512) << 20)

#define ALL_OPTIONS_MAX 64

/* getopt's `val` of an option: its place in this numbering, whatever its letter. */
#define VALUE_OWN    256
#define VALUE_DEVICE (VALUE_OWN + ALL_OPTIONS_MAX)

static void print_option(char letter, const char *name, const char *syntax, const char *help)
{
	char left[80];

	snprintf(left, sizeof(left), "%s%c%s --%s%s%s", letter ? "-" : " ", letter ? letter : ' ',
		 letter ? "," : " ", name, !syntax || *syntax == '[' ? "" : " ",
		 syntax ? syntax : "");
	if (strlen(left) < 32)
		printf("  %-32s %s\n", left, help);
	else
		printf("  %s\n  %-32s %s\n", left, "", help);
}

static void print_device_option(const struct device_type *type)
{
	const char *syntax, *help;

	print_option(type->letter, type->option, type->syntax, type->help);
	for (unsigned i = 0; type->choice && type->choice(i, &syntax, &help); i++)
		printf("  %-32s   %-16s %s\n", "", syntax, help);
}

static void print_help(void)
{
	printf("Usage: lodge [OPTION]... KERNEL [GUEST-CMDLINE-WORD]...\n"
	       "Boot a Linux kernel (" ARCH_KERNELS ") as a KVM guest, its console here.\n\n"
	       "Options:\n");
	for (unsigned i = 0; own_options[i].name; i++)
		print_option(own_options[i].letter, own_options[i].name, own_options[i].syntax,
			     own_options[i].help);
	printf("\nDevices:\n");
	for (unsigned i = 0; device_types[i]; i++)
		if (device_types[i]->option)
			print_device_option(device_types[i]);
	printf("  A comma in the name of a file or socket is written twice: a,,b\n");
	printf("\nConsole keys, at a terminal: Ctrl-A x ends the guest (status 130), Ctrl-A "
	       "Ctrl-A\n"
	       "sends one Ctrl-A.\n\nExit status:\n");
	for (unsigned i = 0; ending_meanings[i].code; i++)
		printf("  %-6s %s\n", ending_meanings[i].code, ending_meanings[i].meaning);
}

/* What getopt_long() wants to know, from both tables. */
struct getopt_tables {
	char letters[2 + 2 * ALL_OPTIONS_MAX + 1];
	struct option longs[ALL_OPTIONS_MAX + 1];
};

static void add_to_getopt(struct getopt_tables *tables, unsigned *count, const char *name,
			  char letter, const char *syntax, int value)
{
	size_t end = strlen(tables->letters);

	tables->longs[(*count)++] = (struct option){
		.name = name,
		.has_arg = !syntax          ? no_argument
			   : *syntax == '[' ? optional_argument
					    : required_argument,
		.val = value,
	};
	if (letter)
		snprintf(tables->letters + end, sizeof(tables->letters) - end, "%c%s", letter,
			 syntax ? ":" : "");
}

static void build_getopt_tables(struct getopt_tables *tables)
{
	unsigned count = 0;

	memset(tables, 0, sizeof(*tables));
	/* "+": stop at the kernel, what follows is the guest's. ":": errors are ours. */
	strcpy(tables->letters, "+:");
	for (unsigned i = 0; own_options[i].name; i++)
		add_to_getopt(tables, &count, own_options[i].name, own_options[i].letter,
			      own_options[i].syntax, VALUE_OWN + (int)i);
	for (unsigned i = 0; device_types[i]; i++)
		if (device_types[i]->option)
			add_to_getopt(tables, &count, device_types[i]->option,
				      device_types[i]->letter, device_types[i]->syntax,
				      VALUE_DEVICE + (int)i);
}

/* A letter as getopt_long() returns it, into the option's number. */
static int value_of_letter(int letter)
{
	for (unsigned i = 0; own_options[i].name; i++)
		if (own_options[i].letter == letter)
			return VALUE_OWN + (int)i;
	for (unsigned i = 0; device_types[i]; i++)
		if (device_types[i]->letter == letter)
			return VALUE_DEVICE + (int)i;
	return letter;
}

static int add_device(struct options *options, const struct device_type *type, const char *argument)
{
	struct device_request *request = &options->devices[options->device_count];
	unsigned max =
		options->transport == TRANSPORT_PCI ? MACHINE_PCI_MAX : LAYOUT_VIRTIO_MMIO_MAX;

	if (options->device_count == max) {
		log_error("--%s: too many devices: this transport has room for %u",
			  type->option ? type->option : type->name, max);
		return -1;
	}
	*request = (struct device_request){ .type = type };
	for (unsigned i = 0; i < options->device_count; i++)
		request->index += options->devices[i].type == type;
	if (argument) {
		request->options = type->parse(argument);
		if (!request->options)
			return -1;
	}
	options->device_count++;
	return 0;
}

/* The uses of device options, as they came: the table's order decides later. */
struct device_uses {
	unsigned count;
	struct {
		int type;
		const char *argument;
	} use[OPTIONS_DEVICES_MAX + 8];
};

/* Slots follow the order of the table, and within a type that of the command line. */
static int add_devices(struct options *options, const struct device_uses *uses)
{
	for (int type = 0; device_types[type]; type++) {
		bool present = device_types[type]->by_default;

		for (unsigned i = 0; i < uses->count; i++) {
			if (uses->use[i].type != type)
				continue;
			present = false;
			if (!device_types[type]->by_default &&
			    add_device(options, device_types[type], uses->use[i].argument) < 0)
				return -1;
		}
		if (present && add_device(options, device_types[type], NULL) < 0)
			return -1;
	}
	return 0;
}

/* Name the option as the user wrote it in this word, long or short. */
static void report_bad_option(int found, const char *word)
{
	char letter[3] = { '-', (char)optopt, '\0' };
	/* What is not ASCII is a part of a character only. */
	const char *name = optopt > ' ' && optopt <= '~' ? letter : word;

	if (found == ':')
		log_error("%s: needs an argument; see --help", name);
	else if (optopt >= VALUE_OWN)
		log_error("%s: takes no argument; see --help", word);
	else
		log_error("%s: no such option; see --help", name);
}

static bool is_used(const struct device_uses *uses, int type)
{
	for (unsigned i = 0; i < uses->count; i++)
		if (uses->use[i].type == type)
			return true;
	return false;
}

static enum options_result take_device(struct device_uses *uses, int type)
{
	/* What takes a device away can be said more than once. */
	if (device_types[type]->by_default && is_used(uses, type))
		return OPTIONS_RUN;
	if (uses->count == sizeof(uses->use) / sizeof(uses->use[0])) {
		log_error("--%s: too many devices", device_types[type]->option);
		return OPTIONS_BAD;
	}
	uses->use[uses->count].type = type;
	uses->use[uses->count++].argument = optarg;
	return OPTIONS_RUN;
}

static enum options_result take_option(struct options *options, struct device_uses *uses, int value)
{
	const struct own_option *own;

	if (value >= VALUE_DEVICE)
		return take_device(uses, value - VALUE_DEVICE);
	own = &own_options[value - VALUE_OWN];
	if (own->take)
		return own->take(options, optarg) < 0 ? OPTIONS_BAD : OPTIONS_RUN;
	if (own->letter == 'h')
		print_help();
	else
		printf("lodge %s\n", LODGE_VERSION);
	return OPTIONS_DONE;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	struct device_uses uses = { 0 };
	struct getopt_tables tables;
	int found, at = 1;

	*options = (struct options){ .memory = MEMORY_DEFAULT, .cpus = 1, .sandbox = true };
	build_getopt_tables(&tables);
	optind = 0; /* start afresh, also when tests parse more than once */

	while ((found = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
		enum options_result result;

		if (found == '?' || found == ':') {
			report_bad_option(found, argv[at]);
			return OPTIONS_BAD;
		}
		at = optind; /* of the word that the next option is in */
		result = take_option(options, &uses, value_of_letter(found));
		if (result != OPTIONS_RUN)
			return result;
	}
	/* A script's variable that is not set makes a word of nothing. */
	if (optind >= argc || *argv[optind] == '\0') {
		log_error("no kernel given; usage: lodge [OPTION]... KERNEL [WORD]..., see --help");
		return OPTIONS_BAD;
	}
	if (own_options_settle(options) < 0)
		return OPTIONS_BAD;
	options->boot.kernel = argv[optind];
	options->boot.words = (const char *const *)&argv[optind + 1];
	options->boot.word_count = (unsigned)(argc - optind - 1);
	return add_devices(options, &uses) < 0 ? OPTIONS_BAD : OPTIONS_RUN;
}

void options_free(struct options *options)
{
	for (unsigned i = 0; i < options->device_count; i++)
		free(options->devices[i].options);
}
