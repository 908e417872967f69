/*
 * log.c: one line on standard error, whole or not at all.
 *
 * Everybody calls it. It touches nothing but file descriptor 2, and it
 * ignores whether that works: there is nobody left to tell.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"

#define LOG_LINE_MAX 1024

static bool verbose;
static atomic_bool raw_terminal;

void log_set_verbose(bool on)
{
	verbose = on;
}

void log_set_raw(bool raw)
{
	atomic_store_explicit(&raw_terminal, raw, memory_order_relaxed);
}

/* A device's thread must not wait because nobody reads our standard error: a full
 * pipe costs the line. Any other file gets it, however long that takes. */
static void put(struct iovec line)
{
	struct stat st;

	if (pwritev2(STDERR_FILENO, &line, 1, -1, RWF_NOWAIT) >= 0)
		return;
	if (errno == EAGAIN && fstat(STDERR_FILENO, &st) == 0 && !S_ISREG(st.st_mode))
		return;
	if (write(STDERR_FILENO, line.iov_base, line.iov_len) < 0)
		return;
}

/* What does not fit is cut out of the middle, some file's name: who speaks is at the
 * beginning, and why at the end. Without memory, it is the end that is lost. */
static void format_text(char *text, size_t room, const char *format, va_list args)
{
	va_list again;
	size_t half = room / 2, rest = room - half - sizeof(" ... ");
	int error = errno, len; /* %m may ask for it a second time */
	char *whole;

	va_copy(again, args);
	len = vsnprintf(text, room, format, args);
	whole = len < (int)room ? NULL : malloc((size_t)len + 1);
	if (whole) {
		errno = error;
		vsnprintf(whole, (size_t)len + 1, format, again);
		snprintf(text + half, room - half, " ... %s", whole + len - rest);
		free(whole);
	}
	va_end(again);
}

static void log_line(const char *prefix, const char *format, va_list args)
{
	const char *end = atomic_load_explicit(&raw_terminal, memory_order_relaxed) ? "\r\n" : "\n";
	char line[LOG_LINE_MAX];
	size_t room = sizeof(line) - sizeof("\r\n"), used;

	used = (size_t)snprintf(line, room, "lodge: %s", prefix);
	format_text(line + used, room - used, format, args);

	/* A file name may hold anything; a line of ours stays one line. */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	strcat(line, end);
	put((struct iovec){ .iov_base = line, .iov_len = strlen(line) });
}

#define LOG_LINE(prefix, format)                                                                   \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		log_line(prefix, format, args);                                                    \
		va_end(args);                                                                      \
	} while (0)

void log_error(const char *format, ...)
{
	LOG_LINE("", format);
}

void log_warning(const char *format, ...)
{
	LOG_LINE("warning: ", format);
}

void log_verbose(const char *format, ...)
{
	if (verbose)
		LOG_LINE("", format);
}
