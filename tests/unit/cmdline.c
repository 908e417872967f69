/*
 * cmdline.c: the guest's command line: the user's words as they are, what is
 * added to them, and the limit of the kernel.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "layout.h"
#include "lib/unit.h"

#define DEFAULTS "console=ttyS0 panic=-1 reboot=panic_warm"

static struct {
	struct memory memory;
	struct machine machine;
	struct boot_options options;
	struct kernel kernel;
	const char *said;
} t;

static int set_up(void **state)
{
	(void)state;
	t.memory = unit_memory(16 * MIB);
	t.machine = (struct machine){ .memory = &t.memory, .cpus = 1, .devices = 3 };
	t.options = (struct boot_options){ .kernel = "vmlinuz" };
	t.kernel = (struct kernel){ .cmdline_max = 2047 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_free(&t.memory);
	return 0;
}

/* Write with these words of the user's; the result of cmdline_write(). */
static int write_words(const char *const *words, unsigned count)
{
	int ret;

	t.options.words = words;
	t.options.word_count = count;
	capture_start(STDERR_FILENO);
	ret = cmdline_write(&t.machine, &t.options, &t.kernel,
			    memory_at(&t.memory, LAYOUT_CMDLINE, LAYOUT_CMDLINE_MAX));
	t.said = capture_end();
	return ret;
}

static const char *line(void)
{
	return memory_at(&t.memory, LAYOUT_CMDLINE, LAYOUT_CMDLINE_MAX);
}

#define ASSERT_LINE(expected, ...)                                                                 \
	do {                                                                                       \
		const char *const words[] = { __VA_ARGS__ };                                       \
		assert_int_equal(write_words(words, COUNT_OF(words)), 0);                          \
		assert_string_equal(line(), expected);                                             \
	} while (0)

static void additions(void **state)
{
	(void)state;
	assert_int_equal(write_words(NULL, 0), 0);
	assert_string_equal(line(), DEFAULTS);
	ASSERT_LINE("quiet init=/bin/sh " DEFAULTS, "quiet", "init=/bin/sh");
	t.options.virtio_console = true;
	ASSERT_LINE("quiet console=ttyS0 console=hvc0 panic=-1 reboot=panic_warm", "quiet");
}

static void keys_the_user_names(void **state)
{
	(void)state;
	ASSERT_LINE("console=tty0 panic=-1 reboot=panic_warm", "console=tty0");
	ASSERT_LINE("panic=5 console=ttyS0 reboot=panic_warm", "panic=5");
	ASSERT_LINE("reboot=t console=ttyS0 panic=-1", "reboot=t");
	ASSERT_LINE("reboot= panic= console=", "reboot=", "panic=", "console=");
	t.options.virtio_console = true;
	ASSERT_LINE("console=ttyS0 panic=-1 reboot=panic_warm", "console=ttyS0");
}

static void one_argument_with_several_words(void **state)
{
	(void)state;
	ASSERT_LINE("quiet panic=1 console=hvc0 reboot=panic_warm", "quiet panic=1 console=hvc0");
}

static void words_for_init(void **state)
{
	(void)state;
	ASSERT_LINE("quiet " DEFAULTS " -- single panic=1", "quiet", "--", "single", "panic=1");
	ASSERT_LINE(DEFAULTS " --", "--");
	ASSERT_LINE("quiet " DEFAULTS " -- a b c", "quiet  -- a b", "c");
	ASSERT_LINE("panic=2 console=ttyS0 reboot=panic_warm -- console=x", "panic=2 -- console=x");
	ASSERT_LINE("a--b --c d-- " DEFAULTS, "a--b --c", "d--");
	t.machine.transport = TRANSPORT_MMIO_CMDLINE;
	t.machine.devices = 1;
	ASSERT_LINE(DEFAULTS " virtio_mmio.device=0x200@0xfeb00000:5 -- x", "--", "x");
}

static void words_that_only_look_like_keys(void **state)
{
	(void)state;
	ASSERT_LINE("netconsole=1 " DEFAULTS, "netconsole=1");
	ASSERT_LINE("console " DEFAULTS, "console");
	ASSERT_LINE("consoleblank=0 " DEFAULTS, "consoleblank=0");
	ASSERT_LINE("x=console=y " DEFAULTS, "x=console=y");
	ASSERT_LINE("panic_print=1 hung_task_panic=1 " DEFAULTS, "panic_print=1",
		    "hung_task_panic=1");
	/* The second try within one word must not be missed. */
	ASSERT_LINE("xpanic panic=2 console=ttyS0 reboot=panic_warm", "xpanic panic=2");
}

static void mmio_devices(void **state)
{
	(void)state;
	t.machine.transport = TRANSPORT_MMIO_CMDLINE;
	ASSERT_LINE("quiet " DEFAULTS " virtio_mmio.device=0x200@0xfeb00000:5"
		    " virtio_mmio.device=0x200@0xfeb01000:6"
		    " virtio_mmio.device=0x200@0xfeb02000:7",
		    "quiet");

	/* All there can be: the last one's line is the I/O APIC's last pin. */
	t.machine.devices = LAYOUT_VIRTIO_MMIO_MAX;
	assert_int_equal(write_words(NULL, 0), 0);
	assert_contains(line(), " virtio_mmio.device=0x200@0xfeb03000:10 ");
	assert_contains(line(), " virtio_mmio.device=0x200@0xfeb10000:23");
	assert_null(strstr(line(), ":8"));
	assert_null(strstr(line(), ":9"));

	t.machine.transport = TRANSPORT_MMIO; /* in ACPI instead */
	ASSERT_LINE("quiet " DEFAULTS, "quiet");
}

static void as_long_as_the_kernel_takes(void **state)
{
	const char *words[] = { "console=c", "panic=0", "reboot=t", NULL };
	size_t fixed = strlen("console=c panic=0 reboot=t ");
	char word[2048];

	(void)state;
	memset(word, 'x', sizeof(word));
	word[t.kernel.cmdline_max - fixed] = '\0';
	words[3] = word;
	assert_int_equal(write_words(words, 4), 0);
	assert_int_equal(strlen(line()), t.kernel.cmdline_max);
	assert_silent(t.said);

	/* One byte more, whoever's it is. */
	word[t.kernel.cmdline_max - fixed] = 'x';
	word[t.kernel.cmdline_max - fixed + 1] = '\0';
	assert_int_equal(write_words(words, 4), -1);
	assert_one_line_with(t.said, "2047");

	word[t.kernel.cmdline_max - fixed] = '\0';
	words[2] = "reboot-"; /* so that ours is added */
	assert_int_equal(write_words(words, 4), -1);
	assert_one_line_with(t.said, "too long");
}

static void never_beyond_its_room(void **state)
{
	static char word[2 * LAYOUT_CMDLINE_MAX];
	const char *words[] = { word };
	const uint8_t *after = memory_at(&t.memory, LAYOUT_CMDLINE + LAYOUT_CMDLINE_MAX, 1);

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	for (unsigned i = 0; i < 3; i++) {
		const uint32_t limits[] = { 0, LAYOUT_CMDLINE_MAX, UINT32_MAX };

		t.kernel.cmdline_max = limits[i];
		assert_int_equal(write_words(words, 1), -1);
		assert_int_equal(*after, 0);
	}
	/* A kernel that would take 4 GiB gets what there is room for. */
	word[LAYOUT_CMDLINE_MAX - 1 - strlen(" " DEFAULTS)] = '\0';
	assert_int_equal(write_words(words, 1), 0);
	assert_int_equal(strlen(line()), LAYOUT_CMDLINE_MAX - 1);
	assert_int_equal(*after, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(additions),
		TEST(keys_the_user_names),
		TEST(one_argument_with_several_words),
		TEST(words_for_init),
		TEST(words_that_only_look_like_keys),
		TEST(mmio_devices),
		TEST(as_long_as_the_kernel_takes),
		TEST(never_beyond_its_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
