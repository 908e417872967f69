/*
 * options.c: the command line: defaults, every option, the order of devices,
 * and for everything malformed one line that names the option and the part
 * that is wrong.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ending.h"
#include "lib/unit.h"
#include "options.h"

#define WORDS_MAX 128

static struct options options;
static enum options_result result;
static const char *said; /* on standard error */

/* The words of `line`, cut at spaces; "''" stands for an empty one. */
static void parse(const char *line)
{
	static char text[4096];
	static char *argv[WORDS_MAX + 1];
	int argc = 0;

	options_free(&options);
	snprintf(text, sizeof(text), "lodge %s", line);
	for (char *word = strtok(text, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "''") == 0 ? strchr(word, '\0') : word;
	argv[argc] = NULL;
	capture_start(STDERR_FILENO);
	result = options_parse(&options, argc, argv);
	said = capture_end();
}

static void parse_well(const char *line)
{
	parse(line);
	assert_silent(said);
	assert_int_equal(result, OPTIONS_RUN);
}

static void parse_badly(const char *line, const char *option, const char *part)
{
	parse(line);
	if (result != OPTIONS_BAD)
		fail_msg("'%s' was taken", line);
	assert_one_line_with(said, option);
	assert_contains(said, part);
}

static int release(void **state)
{
	(void)state;
	options_free(&options);
	memset(&options, 0, sizeof(options));
	return 0;
}

static void assert_devices(const char *expected)
{
	char names[256] = "";

	for (unsigned i = 0; i < options.device_count; i++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%s%s%u", i ? " " : "",
			 options.devices[i].type->name, options.devices[i].index);
	}
	assert_string_equal(names, expected);
}

static void defaults(void **state)
{
	(void)state;
	parse_well("vmlinuz");
	assert_int_equal(options.memory, 512 * MIB);
	assert_int_equal(options.cpus, 1);
	assert_int_equal(options.transport, TRANSPORT_PCI);
	assert_false(options.transport_given);
	assert_null(options.boot.dump);
	assert_false(options.verbose);
	assert_string_equal(options.boot.kernel, "vmlinuz");
	assert_null(options.boot.initrd);
	assert_int_equal(options.boot.word_count, 0);
	assert_false(options.boot.virtio_console);
	assert_devices("console0 rng0");
}

static void every_option(void **state)
{
	(void)state;
	parse_well("--memory 2G --cpus 4 --initrd i --console virtio --transport mmio --verbose "
		   "--no-rng --disk a,ro --net tap=t0,mac=02:00:00:00:00:01 vmlinuz");
	assert_int_equal(options.memory, 2 * GIB);
	assert_int_equal(options.cpus, 4);
	assert_string_equal(options.boot.initrd, "i");
	assert_true(options.boot.virtio_console);
	assert_int_equal(options.transport, TRANSPORT_MMIO);
	assert_true(options.verbose);
	assert_devices("console0 block0 net0");

	parse_well("-m64M -c2 -ii -v -da -ntap --transport=mmio-cmdline --console=serial vmlinuz");
	assert_int_equal(options.memory, 64 * MIB);
	assert_int_equal(options.cpus, 2);
	assert_string_equal(options.boot.initrd, "i");
	assert_true(options.verbose);
	assert_int_equal(options.transport, TRANSPORT_MMIO_CMDLINE);
	assert_true(options.transport_given);
	assert_false(options.boot.virtio_console);
	assert_devices("console0 rng0 block0 net0");

	parse_well("--dump-acpi tables vmlinuz");
	assert_string_equal(options.boot.dump, "tables");
	parse_well("--transport=pci -m 64M -m 128M vmlinuz"); /* the last word counts */
	assert_int_equal(options.transport, TRANSPORT_PCI);
	assert_int_equal(options.memory, 128 * MIB);
}

static void device_order(void **state)
{
	char line[640];

	(void)state;
	parse_well("--net tap=x --disk a --net tap=y --disk b --disk c vmlinuz");
	assert_devices("console0 rng0 block0 block1 block2 net0 net1");
	for (unsigned i = 2; i <= 4; i++) {
		const struct disk_name { /* the first field of struct disk_options */
			const char *file;
		} *disk = options.devices[i].options;
		const char *expected[] = { "a", "b", "c" };

		assert_string_equal(disk->file, expected[i - 2]);
	}
	parse_well("--no-rng --no-rng vmlinuz");
	assert_devices("console0");
	snprintf(line, sizeof(line), "%-600s vmlinuz", "");
	for (unsigned i = 0; i < 60; i++)
		memcpy(line + 10 * i, "--no-rng", 8);
	parse_well(line);
	assert_devices("console0");
}

static void words_after_the_kernel(void **state)
{
	(void)state;
	parse_well("-m 64M vmlinuz -m 128M --help quiet");
	assert_int_equal(options.memory, 64 * MIB);
	assert_int_equal(options.boot.word_count, 4);
	assert_string_equal(options.boot.words[0], "-m");
	assert_string_equal(options.boot.words[1], "128M");
	assert_string_equal(options.boot.words[2], "--help");
	assert_string_equal(options.boot.words[3], "quiet");

	/* "--" ends our options; after the kernel it is the guest's, for its init. */
	parse_well("-v -- -kernel -v");
	assert_string_equal(options.boot.kernel, "-kernel");
	assert_int_equal(options.boot.word_count, 1);
	assert_string_equal(options.boot.words[0], "-v");
	parse_well("vmlinuz quiet -- single");
	assert_int_equal(options.boot.word_count, 3);
	assert_string_equal(options.boot.words[1], "--");
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t size; /* 0: refused */
	} cases[] = {
		{ "1", 1 },
		{ "512M", 512 * MIB },
		{ "512m", 512 * MIB },
		{ "4k", 4096 },
		{ "8G", 8 * GIB },
		{ "18446744073709551615", UINT64_MAX },
		{ "18446744073709551616", 0 },
		{ "17179869183G", UINT64_C(17179869183) << 30 },
		{ "17179869184G", 0 },
		{ "99999999999999999999999", 0 },
		{ "0", 0 },
		{ "0M", 0 },
		{ "", 0 },
		{ "M", 0 },
		{ "-1", 0 },
		{ "+1", 0 },
		{ " 1", 0 },
		{ "1 ", 0 },
		{ "1T", 0 },
		{ "1MB", 0 },
		{ "1MM", 0 },
		{ "0x10", 0 },
		{ "1.5G", 0 },
		{ "1\x8d", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		uint64_t size = 0;
		bool good = options_parse_size(cases[i].text, &size);

		if (good != (cases[i].size != 0) || (good && size != cases[i].size))
			fail_msg("'%s' is %d, %llu", cases[i].text, good, (unsigned long long)size);
	}
}

static void wrong_memory(void **state)
{
	static const char *const values[] = { "''",    "x",      "0",           "-1", "512X",
					      "512MM", "1T",     "15M",         "1",  "1025G",
					      "2000G", "16385K", "17179869184G" };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(values); i++) {
		char line[64], part[64];

		snprintf(line, sizeof(line), "-m %s vmlinuz", values[i]);
		snprintf(part, sizeof(part), "'%s'", strcmp(values[i], "''") ? values[i] : "");
		parse_badly(line, "--memory", part);
	}
	parse_well("-m 16M vmlinuz");
	parse_well("-m 16388K vmlinuz");
	parse_well("-m 1024G vmlinuz");
}

static void wrong_cpus(void **state)
{
	static const char *const values[] = { "0",         "17", "''", "-1",
					      "+1",        "1x", "x",  "99999999999999999999",
					      "4294967297" };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(values); i++) {
		char line[64];

		snprintf(line, sizeof(line), "--cpus %s vmlinuz", values[i]);
		parse_badly(line, "--cpus", strcmp(values[i], "''") ? values[i] : "''");
	}
	parse_well("-c 16 vmlinuz");
	assert_int_equal(options.cpus, 16);
	parse_well("-c 1 vmlinuz");
}

static void wrong_values(void **state)
{
	(void)state;
	parse_badly("--console serialx vmlinuz", "--console", "'serialx'");
	parse_badly("--console '' vmlinuz", "--console", "''");
	parse_badly("--console VIRTIO vmlinuz", "--console", "'VIRTIO'");
	parse_badly("--transport isa vmlinuz", "--transport", "'isa'");
	parse_badly("--transport '' vmlinuz", "--transport", "''");
	parse_badly("--transport mmio- vmlinuz", "--transport", "'mmio-'");
	parse_badly("--ablate interrupts vmlinuz", "--ablate", "'interrupts'");
	parse_badly("--ablate batch, vmlinuz", "--ablate", "''");
	parse_badly("--ablate batch,event vmlinuz", "--ablate", "'event'");
	parse_badly("--dump-acpi d --transport mmio-cmdline vmlinuz", "--dump-acpi", "no ACPI");
	parse_badly("--transport mmio-cmdline --dump-acpi d vmlinuz", "--dump-acpi", "no ACPI");
	parse_badly("--user '' vmlinuz", "--user", "''");
	parse_badly("--user : vmlinuz", "--user", "':'");
	parse_badly("--user :daemon vmlinuz", "--user", "':daemon'");
	parse_badly("--user nobody: vmlinuz", "--user", "'nobody:'");
	parse_badly("--disk a,rw vmlinuz", "--disk", "'rw'");
	parse_badly("--net user vmlinuz", "--net", "'user'");
}

static void wrong_options(void **state)
{
	(void)state;
	parse_badly("--bogus vmlinuz", "--bogus", "no such option");
	parse_badly("--bogus=1 vmlinuz", "--bogus", "no such option");
	parse_badly("-Z vmlinuz", "-Z", "no such option");
	parse_badly("-vZ vmlinuz", "-Z", "no such option");
	parse_badly("-\xc3\xa9 vmlinuz", "-\xc3\xa9:", "no such option");
	parse_badly("-v\xc3\xa9 vmlinuz", "-v\xc3\xa9:", "no such option");
	parse_badly("-c 2 -v\xc3", "-v\xc3:", "no such option");
	parse_badly("-c 2 -v --bogus -v vmlinuz", "--bogus", "no such option");
	parse_badly("--ver vmlinuz", "--ver", ""); /* --verbose or --version */
	parse_badly("--no-rng=1 vmlinuz", "--no-rng", "no argument");
	parse_badly("--verbose=yes vmlinuz", "--verbose", "no argument");
	parse_badly("-m", "-m", "needs an argument");
	parse_badly("--memory", "--memory", "needs an argument");
	parse_badly("-v --disk", "--disk", "needs an argument");
	parse_badly("-vd", "-d", "needs an argument");
	parse_badly("", "no kernel", "");
	parse_badly("-v -m 64M", "no kernel", "");
	parse_badly("''", "no kernel", "");
	parse_badly("-v '' quiet", "no kernel", "");
	parse_badly("-i '' vmlinuz", "--initrd", "names no file");
	parse_badly("-v --", "no kernel", "");
}

/* A line with `count` disks. */
static const char *disks(const char *before, unsigned count)
{
	static char line[1024];
	size_t used = (size_t)snprintf(line, sizeof(line), "%s", before);

	while (count--)
		used += (size_t)snprintf(line + used, sizeof(line) - used, " -d a");
	snprintf(line + used, sizeof(line) - used, " vmlinuz");
	return line;
}

static void as_many_devices_as_there_is_room_for(void **state)
{
	(void)state;
	/* PCI: 31 slots beside the host bridge. mmio: 17 interrupt lines. */
	parse_well(disks("", 29));
	assert_int_equal(options.device_count, 31);
	parse_badly(disks("", 30), "--disk", "too many");
	parse_well(disks("--no-rng", 30));
	parse_badly(disks("--no-rng -n tap", 30), "--net", "too many");
	parse_well(disks("--transport mmio", 15));
	parse_badly(disks("--transport mmio", 16), "--disk", "too many");
	parse_well(disks("--transport mmio-cmdline", 15));
	parse_badly(disks("--transport mmio-cmdline", 16), "--disk", "too many");
	parse_badly(disks("", 60), "--disk", "too many");
}

static void help_tells_everything(void **state)
{
	static const char *const parts[] = {
		"--memory",     "-m,",       "--cpus", "-c,",    "--initrd",  "-i,",
		"--disk",       "-d,",       "--net",  "-n,",    "--console", "--no-rng",
		"--transport",  "--verbose", "-v,",    "--help", "--version", "512M",
		"mmio-cmdline", "serial=ID", "mac=",   "Ctrl-A", "a,,b",
	};
	char *argv[] = { (char *)"lodge", (char *)"--help", NULL };
	const char *text;

	(void)state;
	capture_start(STDOUT_FILENO);
	result = options_parse(&options, 2, argv);
	text = capture_end();
	assert_int_equal(result, OPTIONS_DONE);
	for (unsigned i = 0; i < COUNT_OF(parts); i++)
		assert_contains(text, parts[i]);
	for (unsigned i = 0; ending_meanings[i].code; i++)
		assert_contains(text, ending_meanings[i].meaning);
}

static void version_is_one_line(void **state)
{
	char *argv[] = { (char *)"lodge", (char *)"-V", NULL };
	const char *text;

	(void)state;
	capture_start(STDOUT_FILENO);
	result = options_parse(&options, 2, argv);
	text = capture_end();
	assert_int_equal(result, OPTIONS_DONE);
	assert_memory_equal(text, "lodge ", 6);
	assert_ptr_equal(strchr(text, '\n') + 1, strchr(text, '\0'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_option),
		cmocka_unit_test(device_order),
		cmocka_unit_test(words_after_the_kernel),
		cmocka_unit_test(sizes),
		cmocka_unit_test(wrong_memory),
		cmocka_unit_test(wrong_cpus),
		cmocka_unit_test(wrong_values),
		cmocka_unit_test(wrong_options),
		cmocka_unit_test(as_many_devices_as_there_is_room_for),
		cmocka_unit_test(help_tells_everything),
		cmocka_unit_test(version_is_one_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, release);
}
