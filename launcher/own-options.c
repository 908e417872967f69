/*
 * own-options.c: what each of the launcher's own options means; those of devices are
 * theirs (tour 1c).
 *
 * options.c calls in, for each use of one on the command line, and reads the table.
 * Nothing is opened or created here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ablate.h"
#include "layout.h"
#include "log.h"
#include "own-options.h"

#define MEMORY_MIN (UINT64_C(16) << 20)
#define MEMORY_MAX (UINT64_C(1) << 40)
#define PAGE       4096

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

const struct own_option own_options[] = {
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
	{ NULL, 0, NULL, NULL, NULL },
};

int own_options_settle(struct options *options)
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
