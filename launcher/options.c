/*
 * options.c: from argv to struct options, and --help (tour 1c).
 *
 * main calls in once. Nothing is opened or created here: a wrong command
 * line has no effect but one line on stderr.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ablate.h"
#include "ending.h"
#include "layout.h"
#include "log.h"
#include "options.h"
#include "version.h"

#define MEMORY_DEFAULT (UINT64_C(512) << 20)
#define MEMORY_MIN     (UINT64_C(16) << 20)
#define MEMORY_MAX     (UINT64_C(1) << 40)
#define PAGE           4096

/* One of the launcher's own options. */
struct own_option {
	const char *name;
	char letter; /* 0: none */
	const char *syntax;
	const char *help;
	/* 0, or -1 after a line on stderr; NULL for those that options_parse() knows itself. */
	int (*take)(struct options *options, const char *value);
};

bool options_parse_size(const char *text, uint64_t *size)
{
	static const char suffixes[] = "KMG";
	unsigned long long number;
	unsigned shift = 0;
	const char *suffix;
	char *end;

	/* strtoull() would take a sign or spaces: we do not. */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || number == 0)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end >= 'a' ? *end - 32 : *end);
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (number > UINT64_MAX >> shift)
		return false;
	*size = (uint64_t)number << shift;
	return true;
}

static int take_memory(struct options *options, const char *value)
{
	if (!options_parse_size(value, &options->memory)) {
		log_error("--memory: '%s' is not a size; give a number with K, M or G, like 512M",
			  value);
		return -1;
	}
	if (options->memory < MEMORY_MIN || options->memory > MEMORY_MAX ||
	    options->memory % PAGE) {
		log_error("--memory: '%s' is out of range; give 16M to 1024G, in whole 4K pages",
			  value);
		return -1;
	}
	return 0;
}

static int take_cpus(struct options *options, const char *value)
{
	char *end;
	unsigned long count = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || count < 1 || count > VCPU_MAX) {
		log_error("--cpus: '%s' is not a number from 1 to %d", value, VCPU_MAX);
		return -1;
	}
	options->cpus = (unsigned)count;
	return 0;
}

static int take_initrd(struct options *options, const char *value)
{
	if (*value == '\0') {
		log_error("--initrd: '' names no file");
		return -1;
	}
	options->boot.initrd = value;
	return 0;
}

static int take_console(struct options *options, const char *value)
{
	options->boot.virtio_console = strcmp(value, "virtio") == 0;
	if (!options->boot.virtio_console && strcmp(value, "serial") != 0) {
		log_error("--console: '%s' is neither serial nor virtio", value);
		return -1;
	}
	return 0;
}

static int take_transport(struct options *options, const char *value)
{
	size_t len = strlen(value);
	unsigned number = 0;

	for (const char *name = ARCH_TRANSPORTS; name; number++) {
		const char *end = strchrnul(name, '|');

		if ((size_t)(end - name) == len && strncmp(name, value, len) == 0) {
			options->transport = (enum transport)number;
			options->transport_given = true;
			return 0;
		}
		name = *end ? end + 1 : NULL;
	}
	log_error("--transport: '%s' is none of " ARCH_TRANSPORTS, value);
	return -1;
}

static int take_dump(struct options *options, const char *value)
{
	options->boot.dump = value;
	return 0;
}

static int take_stats(struct options *options, const char *value)
{
	if (!value) {
		options->stats = true;
		return 0;
	}
	if (strncmp(value, "json:", 5) != 0 || value[5] == '\0') {
		log_error("--stats: '%s' is not json:FILE", value);
		return -1;
	}
	options->stats_file = value + 5;
	return 0;
}

static int take_ablate(struct options *options, const char *value)
{
	(void)options;
	return ablate_take(value) ? 0 : -1;
}

/* What options say together, in whatever order they came. */
static int settle_transport(struct options *options)
{
	/* Where there is this transport, what is dumped is ACPI's. */
	if (options->boot.dump && options->transport == TRANSPORT_MMIO_CMDLINE) {
		log_error("--dump-acpi: with --transport mmio-cmdline there are no ACPI tables");
		return -1;
	}
	if (!ablated(IDEA_MSIX))
		return 0;
	if (!options->transport_given)
		options->transport = TRANSPORT_MMIO;
	if (options->transport != TRANSPORT_PCI)
		return 0;
	log_error("--ablate: msix cannot be left out with --transport pci; leave one of them out");
	return -1;
}

static int take_sandbox(struct options *options, const char *value)
{
	options->sandbox = strcmp(value, "on") == 0;
	if (!options->sandbox && strcmp(value, "off") != 0) {
		log_error("--sandbox: '%s' is neither on nor off", value);
		return -1;
	}
	return 0;
}

static int take_user(struct options *options, const char *value)
{
	const char *colon = strchrnul(value, ':');

	if (colon == value || strcmp(colon, ":") == 0) {
		log_error("--user: '%s' is neither NAME nor NAME:GROUP", value);
		return -1;
	}
	options->user = value;
	return 0;
}

static int take_dump_memory(struct options *options, const char *value)
{
	(void)value;
	options->dump_memory = true;
	return 0;
}

static int take_verbose(struct options *options, const char *value)
{
	(void)value;
	options->verbose = true;
	return 0;
}

static const struct own_option own_options[] = {
	{ "memory", 'm', "SIZE", "guest memory, with K, M or G (default 512M)", take_memory },
	{ "cpus", 'c', "N", "vCPUs, 1 to 16 (default 1)", take_cpus },
	{ "initrd", 'i', "FILE", "initial RAM disk", take_initrd },
	{ "console", 0, "serial|virtio", "which console this terminal is wired to (default serial)",
	  take_console },
	{ "transport", 0, ARCH_TRANSPORTS, "how the guest finds its virtio devices (default pci)",
	  take_transport },
	{ ARCH_DUMP, take_dump },
	{ "stats", 0, "[=json:FILE]", "print statistics at the end, or write them to FILE",
	  take_stats },
	{ "ablate", 0, "NAME[,NAME]...", "leave an idea out, to measure it (see docs/network.md)",
	  take_ablate },
	{ "user", 0, "NAME[:GROUP]",
	  "become this user (name or id) once all files are open (as root)", take_user },
	{ "sandbox", 0, "on|off", "filter system calls while the guest runs (default on)",
	  take_sandbox },
	{ "dump-guest-memory", 0, NULL, "let core dumps of lodge hold the guest's memory",
	  take_dump_memory },
	{ "verbose", 'v', NULL, "say what is done", take_verbose },
	{ "help", 'h', NULL, "print this and exit", NULL },
	{ "version", 'V', NULL, "print the version and exit", NULL },
};

#define OWN_OPTIONS     (sizeof(own_options) / sizeof(own_options[0]))
#define ALL_OPTIONS_MAX 64

/* getopt's `val` of an option: its place in this numbering, whatever its letter. */
#define VALUE_OWN    256
#define VALUE_DEVICE (VALUE_OWN + (int)OWN_OPTIONS)

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
	for (unsigned i = 0; i < OWN_OPTIONS; i++)
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
	for (unsigned i = 0; i < OWN_OPTIONS; i++)
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
	for (unsigned i = 0; i < OWN_OPTIONS; i++)
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
	if (settle_transport(options) < 0)
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
