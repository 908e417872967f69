/*
 * terminal.h: the terminal Lodge was started from, if it was.
 *
 * A guest's console wants every key, so a terminal on standard input is made
 * raw while the guest runs, and given back as it was on every way out that a
 * process can see coming. Without a terminal all of this does nothing.
 */
#ifndef LODGE_TERMINAL_H
#define LODGE_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Make the terminal raw, if standard input is one and we are in its foreground. To be
 * called again after SIGCONT, for that is when we may have come or gone there. Main.
 */
void terminal_enter(void);

/* Give it back as it was; harmless when it is not raw. Main. */
void terminal_restore(void);

/* The same for a signal handler: waits for no output that is still on its way. */
void terminal_restore_at_once(void);

/* Is it raw now, so that keys like Ctrl-C and Ctrl-A mean nothing to the host? Any thread. */
bool terminal_is_raw(void);

/* Its size in characters; 0 x 0 when there is no terminal on standard output. Any thread. */
void terminal_size(uint16_t *columns, uint16_t *rows);

#endif
