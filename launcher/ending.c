/*
 * ending.c: the first report of an ending wins, and main reads it last.
 *
 * A process ends once, so this is one of the few things kept in a global. It
 * is written by whichever thread wins the exchange on `reported`, and read by
 * main only after the eventfd said so; the write to that eventfd and main's
 * read of it order the two.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ending.h"
#include "log.h"

const struct ending_meaning ending_meanings[] = {
	{ "0", "the guest powered off" },
	{ "1", "host error" },
	{ "2", "usage: an option or argument is wrong" },
	{ "3", "the guest reset itself (reboot)" },
	{ "4", "the guest crashed (triple fault, reported panic)" },
	{ "5", "KVM could not run the guest (internal error, entry failure)" },
	{ "6", "the sandbox ended lodge: a thread tried a forbidden system call" },
	{ "124", "kept for a timeout: never used by lodge itself" },
	{ "128+N", "ended by signal N" },
	{ NULL, NULL },
};

static struct {
	atomic_bool reported;
	int fd;
	int code;
	char line[256];
} ending = { .fd = -1 };

int ending_init(void)
{
	ending.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return ending.fd < 0 ? -errno : 0;
}

int ending_fd(void)
{
	return ending.fd;
}

bool ending_is_reported(void)
{
	return atomic_load_explicit(&ending.reported, memory_order_relaxed);
}

void ending_report(int code, const char *format, ...)
{
	uint64_t one = 1;
	va_list args;

	/* Relaxed would do for electing a winner: what the winner writes below
	 * is published by the system call, not by this flag. */
	if (atomic_exchange(&ending.reported, true))
		return;
	ending.code = code;
	va_start(args, format);
	vsnprintf(ending.line, sizeof(ending.line), format, args);
	va_end(args);
	if (write(ending.fd, &one, sizeof(one)) != sizeof(one))
		log_error("cannot announce the ending: %m");
}

int ending_announce(void)
{
	if (ending.code == ENDING_POWEROFF)
		log_verbose("%s", ending.line);
	else
		log_error("%s", ending.line);
	return ending.code;
}
