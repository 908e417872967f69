/*
 * cmdline.c: what the kernel is told in words.
 *
 * The user's words come first and as they are, up to a "--": what follows that is
 * not for the kernel but for init. We add only what he did not name himself:
 *
 *   console=ttyS0      so that there is something to see (and hvc0 as well
 *                      when the terminal is wired to virtio-console)
 *   panic=-1           a panic ends the guest instead of leaving it hanging
 *   reboot=panic_warm  so that it can be told from a reboot: devices/power.c on
 *                      x86, launcher/arm64.c on arm64
 *
 * and, for kernels that find devices this way, one virtio_mmio.device= each.
 *
 * Source: Documentation/admin-guide/kernel-parameters.txt.
 */
#include <stdio.h>
#include <string.h>

#include "boot.h"
#include "layout.h"
#include "log.h"

struct line {
	char *text;
	size_t used, room; /* bytes, room for the NUL included */
	bool full;
};

static void line_add_part(struct line *line, const char *word, size_t len)
{
	size_t gap = line->used > 0;

	if (line->full || len + gap >= line->room - line->used) {
		line->full = true;
		return;
	}
	if (gap)
		line->text[line->used++] = ' ';
	memcpy(line->text + line->used, word, len);
	line->used += len;
	line->text[line->used] = '\0';
}

static void line_add(struct line *line, const char *word)
{
	line_add_part(line, word, strlen(word));
}

/* How much of an argument of ours, which may hold several words of theirs, is for the kernel. */
static size_t kernel_part(const char *argument)
{
	const char *at = argument;

	while ((at = strstr(at, "--"))) {
		if ((at == argument || at[-1] == ' ') && (at[2] == ' ' || at[2] == '\0'))
			return (size_t)(at - argument);
		at += 2;
	}
	return strlen(argument);
}

bool cmdline_names_key(const char *const *words, unsigned count, const char *key)
{
	size_t len = strlen(key);

	for (unsigned i = 0; i < count; i++) {
		size_t part = kernel_part(words[i]);
		const char *at = words[i];

		while ((at = strstr(at, key)) && at < words[i] + part) {
			if ((at == words[i] || at[-1] == ' ') && at[len] == '=')
				return true;
			at += len;
		}
		if (words[i][part])
			break;
	}
	return false;
}

/* The user's words for the kernel. `rest` is the "--" with what follows it in its argument
 * (or empty), and the result the number of the argument after it. */
static unsigned add_kernel_words(struct line *line, const struct boot_options *options,
				 const char **rest)
{
	unsigned i;

	*rest = "";
	for (i = 0; i < options->word_count && !**rest; i++) {
		size_t part = kernel_part(options->words[i]);

		*rest = options->words[i] + part;
		while (part > 0 && **rest && options->words[i][part - 1] == ' ')
			part--;
		if (part > 0 || !**rest)
			line_add_part(line, options->words[i], part);
	}
	return i;
}

static void add_defaults(struct line *line, const struct boot_options *options)
{
	const char *const *words = options->words;
	unsigned count = options->word_count;

	if (!cmdline_names_key(words, count, "console")) {
		line_add(line, "console=ttyS0");
		if (options->virtio_console)
			line_add(line, "console=hvc0");
	}
	if (!cmdline_names_key(words, count, "panic"))
		line_add(line, "panic=-1");
	if (!cmdline_names_key(words, count, "reboot"))
		line_add(line, "reboot=panic_warm");
}

static void add_mmio_devices(struct line *line, const struct machine *machine)
{
	char word[64];

	for (unsigned i = 0; i < machine->devices; i++) {
		snprintf(word, sizeof(word), "virtio_mmio.device=0x%x@0x%llx:%u",
			 LAYOUT_VIRTIO_MMIO_SIZE, (unsigned long long)machine_mmio_gpa(i),
			 machine_mmio_gsi(i));
		line_add(line, word);
	}
}

int cmdline_write(const struct machine *machine, const struct boot_options *options,
		  const struct kernel *kernel, char *text)
{
	size_t room = LAYOUT_CMDLINE_MAX;
	struct line line = { 0 };
	const char *rest;
	unsigned next;

	if (kernel->cmdline_max < room)
		room = (size_t)kernel->cmdline_max + 1;
	line.room = room;
	line.text = text;
	line.text[0] = '\0';

	next = add_kernel_words(&line, options, &rest);
	add_defaults(&line, options);
	if (machine->transport == TRANSPORT_MMIO_CMDLINE)
		add_mmio_devices(&line, machine);
	if (*rest)
		line_add(&line, rest);
	for (; next < options->word_count; next++)
		line_add(&line, options->words[next]);
	if (line.full) {
		log_error("the guest's command line is too long: this kernel takes %zu bytes",
			  room - 1);
		return -1;
	}
	log_verbose("guest command line: %s", line.text);
	return 0;
}
