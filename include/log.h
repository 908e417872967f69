/*
 * log.h: the lines Lodge writes to its own standard error.
 *
 * One call is one line, prefixed "lodge: ", written whole with a single
 * write so that lines of different threads never mix. Any thread may call.
 */
#ifndef LODGE_LOG_H
#define LODGE_LOG_H

#include <stdbool.h>

/* Whether log_verbose() prints; set once by main before any thread exists. */
void log_set_verbose(bool on);

/*
 * While the terminal is raw, "\n" no longer returns the carriage; with `raw`
 * set, every line ends "\r\n". Called by the terminal module, any thread.
 */
void log_set_raw(bool raw);

/* Something is wrong; the caller decides what follows. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Worth knowing, but the guest goes on. */
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Printed only with -v. */
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
