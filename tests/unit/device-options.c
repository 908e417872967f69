/*
 * device-options.c: the arguments of --disk and --net, part by part, and
 * what disk_open() makes of files that are no disks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "disk.h"
#include "lib/unit.h"

/* --- suboption_next() --- */

static void assert_parts(const char *text, const char *const (*expected)[2], unsigned count)
{
	char copy[64], *rest = strcpy(copy, text);
	struct suboption part;

	for (unsigned i = 0; i < count; i++) {
		assert_true(suboption_next(&rest, &part));
		assert_string_equal(part.key, expected[i][0]);
		if (expected[i][1])
			assert_string_equal(part.value, expected[i][1]);
		else
			assert_null(part.value);
	}
	assert_false(suboption_next(&rest, &part));
	assert_false(suboption_next(&rest, &part));
}

#define PARTS(text, ...)                                                                           \
	do {                                                                                       \
		static const char *const parts[][2] = { __VA_ARGS__ };                             \
		assert_parts(text, parts, COUNT_OF(parts));                                        \
	} while (0)

static void parts_of_an_argument(void **state)
{
	(void)state;
	PARTS("a", { "a", NULL });
	PARTS("a,b=c,d", { "a", NULL }, { "b", "c" }, { "d", NULL });
	PARTS("a=b=c", { "a", "b=c" });
	PARTS("a=", { "a", "" });
	PARTS("=a", { "", "a" });
	PARTS("", { "", NULL });
	PARTS("a,", { "a", NULL }, { "", NULL });
	PARTS(",a", { "", NULL }, { "a", NULL });
}

static void doubled_commas(void **state)
{
	(void)state;
	PARTS("a,,b", { "a,b", NULL });
	PARTS("a,,b,c", { "a,b", NULL }, { "c", NULL });
	PARTS("a,,,b", { "a,", NULL }, { "b", NULL });
	PARTS("a,,,,b", { "a,,b", NULL });
	PARTS(",,", { ",", NULL });
	PARTS("k=a,,b,c", { "k", "a,b" }, { "c", NULL });
}

/* --- --disk --- */

static struct disk_options *parse_disk(const char *text)
{
	struct disk_options *options;

	capture_start(STDERR_FILENO);
	options = disk_parse(text);
	assert_silent(capture_end());
	assert_non_null(options);
	return options;
}

static void assert_disk(const char *text, const char *file, bool read_only, bool direct,
			const char *serial)
{
	struct disk_options *options = parse_disk(text);
	char padded[sizeof(options->serial)] = { 0 };

	memcpy(padded, serial, strlen(serial));
	assert_string_equal(options->file, file);
	assert_int_equal(options->read_only, read_only);
	assert_int_equal(options->direct, direct);
	assert_memory_equal(options->serial, padded, sizeof(padded));
	free(options);
}

static void disks(void **state)
{
	(void)state;
	assert_disk("a.img", "a.img", false, false, "");
	assert_disk("a.img,ro", "a.img", true, false, "");
	assert_disk("a.img,direct,serial=X,ro", "a.img", true, true, "X");
	assert_disk("a,serial=12345678901234567890", "a", false, false, "12345678901234567890");
	assert_disk("a,serial=", "a", false, false, "");
	assert_disk("a,serial=a,,b=c", "a", false, false, "a,b=c");
	assert_disk("with,,comma,ro", "with,comma", true, false, "");
	assert_disk("with=sign=twice,ro", "with=sign=twice", true, false, "");
	assert_disk("/dev/disk/by-id/x=y", "/dev/disk/by-id/x=y", false, false, "");
}

static void refuse(const struct device_type *type, const char *text, const char *part)
{
	void *options;
	const char *said;
	char option[16] = "--";

	capture_start(STDERR_FILENO);
	options = type->parse(text);
	said = capture_end();
	if (options)
		fail_msg("--%s %s was taken", type->option, text);
	assert_one_line_with(said, strcat(option, type->option));
	assert_contains(said, part);
}

static void wrong_disks(void **state)
{
	(void)state;
	refuse(&block_device, "", "names no file");
	refuse(&block_device, ",ro", "names no file");
	refuse(&block_device, "a,rw", "'rw'");
	refuse(&block_device, "a,", "''");
	refuse(&block_device, "a,ro,", "''");
	refuse(&block_device, "a,RO", "'RO'");
	refuse(&block_device, "a,ro=1", "'ro'");
	refuse(&block_device, "a,direct=on", "'direct'");
	refuse(&block_device, "a,serial", "'serial'");
	refuse(&block_device, "a,serial=123456789012345678901", "'123456789012345678901'");
	refuse(&block_device, "a,ro,bogus=1", "'bogus'");
}

/* --- --net --- */

static void parse_net(const char *text)
{
	void *options;

	capture_start(STDERR_FILENO);
	options = net_device.parse(text);
	assert_silent(capture_end());
	assert_non_null(options);
	free(options);
}

static void nets(void **state)
{
	static const char *const good[] = {
		"tap",
		"tap=t0",
		"tap=fifteen-letters",
		"tap=..a",
		"tap=vm%d",
		"tap,mac=02:00:00:00:00:01",
		"tap=t0,mac=fE:dc:BA:98:76:54",
		"tap,mac=00:00:00:00:00:01",
		"tap,queues=8",
		"packet=eth0",
		"passt",
		"passt=/run/user/1000/passt,,1.socket,mac=02:00:00:00:00:01",
		"vhost",
		"vhost=t0,queues=4",
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(good); i++)
		parse_net(good[i]);
}

#define PASSED 17 /* a descriptor that a supervisor would have passed */

static void descriptors(void **state)
{
	(void)state;
	assert_int_equal(dup2(STDERR_FILENO, PASSED), PASSED);
	parse_net("fd=17,queues=1,mac=02:00:00:00:00:01");
	refuse(&net_device, "fd=17", "fd 17: given twice");
	assert_int_equal(dup2(STDERR_FILENO, PASSED), PASSED);
	refuse(&net_device, "fd=17,queues=2", "fd=N has only one");
	close(PASSED);
	refuse(&net_device, "fd=17", "fd 17: Bad file descriptor");
}

/* What Linux itself would give no interface as a name. */
static void names_no_interface_can_have(void **state)
{
	static const char *const names[] = {
		"", "sixteen-letters-", ".", "..", "a/b", "a b", " a", "a\t", "a\v", "a:0", "a\240",
	};
	static const char *const words[] = { "tap", "vhost", "packet" };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(names); i++)
		for (unsigned j = 0; j < COUNT_OF(words); j++) {
			char text[64];

			snprintf(text, sizeof(text), "%s=%s", words[j], names[i]);
			refuse(&net_device, text, "not an interface name");
		}
}

static void wrong_nets(void **state)
{
	(void)state;
	refuse(&net_device, "", "''");
	refuse(&net_device, "user", "'user'");
	refuse(&net_device, "tap,queues=0", "'0'");
	refuse(&net_device, "tap,queues=9", "'9'");
	refuse(&net_device, "fd", "''");
	refuse(&net_device, "fd=", "''");
	refuse(&net_device, "fd=x", "'x'");
	refuse(&net_device, "fd=1x", "'1x'");
	refuse(&net_device, "fd=-1", "'-1'");
	refuse(&net_device, "fd=99999999999999999999", "'99999999999999999999'");
	refuse(&net_device, "packet", "'' is not an interface name");
	refuse(&net_device, "packet=eth0,queues=2", "packet=IFNAME has only one");
	refuse(&net_device, "passt=", "''");
	refuse(&net_device,
	       "passt=/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
	       "0123456789/0123456789/0123456789/012345678",
	       "1 to 107 characters");
	refuse(&net_device, "passt,queues=2", "passt[=SOCKET] has only one");
	refuse(&net_device, "vhost,queues=9", "'9'");
	refuse(&net_device, "tap,bogus", "'bogus'");
	refuse(&net_device, "tap,mac", "'mac'");
	refuse(&net_device, "tap,busy-poll", "'busy-poll'");
	refuse(&net_device, "tap,busy-poll=", "''");
	refuse(&net_device, "tap,busy-poll=-1", "'-1'");
	refuse(&net_device, "tap,busy-poll=1000001", "'1000001'");
	refuse(&net_device, "tap,mac=", "''");
	refuse(&net_device, "tap,mac=02:00:00:00:00", "'02:00:00:00:00'");
	refuse(&net_device, "tap,mac=02:00:00:00:00:1", "'02:00:00:00:00:1'");
	refuse(&net_device, "tap,mac=02:00:00:00:00:001", "'02:00:00:00:00:001'");
	refuse(&net_device, "tap,mac=2:000:00:00:00:01", "'2:000:00:00:00:01'");
	refuse(&net_device, "tap,mac=02:00:00:00:00:0g", "'02:00:00:00:00:0g'");
	refuse(&net_device, "tap,mac=02-00-00-00-00-01", "'02-00-00-00-00-01'");
	refuse(&net_device, "tap,mac=02:00:00:00:00:01:", "'02:00:00:00:00:01:'");
	refuse(&net_device, "tap,mac=0x:00:00:00:00:01", "'0x:00:00:00:00:01'");
	refuse(&net_device, "tap,mac=01:00:00:00:00:01", "'01:00:00:00:00:01'"); /* a group's */
	refuse(&net_device, "tap,mac=ff:ff:ff:ff:ff:ff", "'ff:ff:ff:ff:ff:ff'");
	refuse(&net_device, "tap,mac=00:00:00:00:00:00", "'00:00:00:00:00:00'"); /* nobody's */
}

/* --- Opening disks --- */

static int open_disk(struct disk *disk, const char *path, bool read_only, const char **said)
{
	struct disk_options options = { .file = (char *)path, .read_only = read_only };
	int ret;

	capture_start(STDERR_FILENO);
	ret = disk_open(disk, &options);
	*said = capture_end();
	return ret;
}

static void whole_sectors_only(void **state)
{
	static const uint8_t bytes[1100];
	struct disk disk;
	const char *said;

	(void)state;
	assert_int_equal(open_disk(&disk, unit_file("disk", bytes, 1024), false, &said), 0);
	assert_silent(said);
	assert_int_equal(disk.size, 1024);
	assert_int_equal(disk.block_size, 512);
	assert_false(disk.read_only);
	disk_close(&disk);

	assert_int_equal(open_disk(&disk, unit_file("disk", bytes, 1100), true, &said), 0);
	assert_one_line_with(said, "last 76 bytes");
	assert_int_equal(disk.size, 1024);
	assert_true(disk.read_only);
	assert_int_equal(write(disk.fd, "x", 1), -1);
	disk_close(&disk);
}

static void files_that_are_no_disks(void **state)
{
	static const uint8_t bytes[511];
	struct disk disk;
	const char *said;

	(void)state;
	assert_int_equal(open_disk(&disk, unit_file("disk", bytes, 0), false, &said), -1);
	assert_one_line_with(said, "empty");
	assert_int_equal(open_disk(&disk, unit_file("disk", bytes, 511), false, &said), -1);
	assert_one_line_with(said, "--disk");
	assert_contains(said, "smaller than a sector of 512 bytes");
	assert_int_equal(open_disk(&disk, unit_path("absent"), false, &said), -1);
	assert_one_line_with(said, "No such file");
	assert_int_equal(open_disk(&disk, "/dev/null", false, &said), -1);
	assert_one_line_with(said, "regular file or a block device");
	assert_int_equal(open_disk(&disk, unit_path(""), true, &said), -1);
	assert_one_line_with(said, "regular file or a block device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_an_argument),
		cmocka_unit_test(doubled_commas),
		cmocka_unit_test(disks),
		cmocka_unit_test(wrong_disks),
		cmocka_unit_test(nets),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(names_no_interface_can_have),
		cmocka_unit_test(wrong_nets),
		cmocka_unit_test(whole_sectors_only),
		cmocka_unit_test(files_that_are_no_disks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
