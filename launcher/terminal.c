/*
 * terminal.c: raw while the guest runs, as it was afterwards.
 *
 * main enters and leaves; a crash of ours restores too, in a signal handler,
 * because a shell left in raw mode is a poor way to hear of a bug. The saved
 * settings are one of the few globals: a process has one terminal.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "log.h"
#include "terminal.h"

static struct termios saved;
static atomic_bool raw;

void terminal_restore_at_once(void)
{
	/* tcsetattr() is async-signal-safe. */
	if (atomic_load(&raw))
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void restore_and_die(int signal)
{
	/* The handler was reset when it was entered, so this raise is the end. */
	terminal_restore_at_once();
	raise(signal);
}

static void watch_for_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct sigaction action = { .sa_handler = restore_and_die, .sa_flags = (int)SA_RESETHAND };

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* In the background it belongs to somebody else, and who reads or sets it is stopped. */
static bool is_in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void set_raw(bool is_raw)
{
	atomic_store(&raw, is_raw);
	log_set_raw(is_raw);
}

void terminal_enter(void)
{
	static bool known;
	struct termios mode;

	if (!isatty(STDIN_FILENO))
		return;
	if (!is_in_foreground()) {
		set_raw(false);
		return;
	}
	/* Once: a shell may give it back later as we had set it. */
	if (!known) {
		if (tcgetattr(STDIN_FILENO, &saved) < 0)
			return;
		watch_for_crashes();
		known = true;
	}
	mode = saved;
	cfmakeraw(&mode);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &mode) < 0) {
		log_warning("cannot make the terminal raw: %s", strerror(errno));
		return;
	}
	set_raw(true);
}

void terminal_restore(void)
{
	if (!atomic_load(&raw))
		return;
	set_raw(false);
	/* DRAIN: what the guest printed last leaves while "\n" is still its own. */
	if (is_in_foreground())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

bool terminal_is_raw(void)
{
	return atomic_load(&raw);
}

void terminal_size(uint16_t *columns, uint16_t *rows)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){ 0 };
	*columns = size.ws_col;
	*rows = size.ws_row;
}
