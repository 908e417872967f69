/*
 * unit.h: what the unit programs share.
 *
 * Each program tests one module: it calls the module's functions as their
 * header promises them, and looks at what they return, what they wrote into
 * guest memory, and which line they left on standard error.
 */
#ifndef UNIT_H
#define UNIT_H

/* cmocka wants these before its own header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * What a call says on a file descriptor (STDERR_FILENO, STDOUT_FILENO): from
 * start to end it goes into a file instead. capture_end() returns the text,
 * valid until the next capture. One at a time.
 */
void capture_start(int fd);
const char *capture_end(void);

/* `text` has `part` in it; shows both if not. */
void assert_contains(const char *text, const char *part);

/* `text` is empty. */
void assert_silent(const char *text);

/* `text` is exactly one line of Lodge's, and has `part` in it. */
void assert_one_line_with(const char *text, const char *part);

/* RAM laid out as the launcher does it, with the hole from 3 GiB to 4 GiB. */
struct memory unit_memory(uint64_t size);

/*
 * A file with these bytes, in a directory of this program's own; returns its
 * name. The directory is removed when the program ends.
 */
const char *unit_file(const char *name, const void *bytes, size_t len);

/* Where `name` would be in that directory. */
const char *unit_path(const char *name);

#endif
