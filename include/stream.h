/*
 * stream.h: the bytes of a console, between a guest and our standard input
 * and output.
 *
 *      guest -> stream_write() -> buffer -> asynchronous write -> output
 *      input -> read when readable -> take() -> guest
 *
 * The guest never waits for whoever reads our output: a pipe nobody reads, a
 * slow terminal or a closed file costs output, not the guest. The buffer
 * holds STREAM_BUFFER bytes; what does not fit is dropped, counted, and told
 * at the end. Input on the other hand waits: what the guest does not take is
 * not read, except from a terminal, as far as STREAM_INPUT goes.
 */
#ifndef LODGE_STREAM_H
#define LODGE_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

#define STREAM_BUFFER (1u << 20) /* bytes of output waiting at most; a power of two */
#define STREAM_INPUT  65536      /* bytes of input waiting at most */
#define STREAM_READ   4096       /* and read at once, for others may share the file */

struct stream {
	struct loop *loop;
	int in, out; /* file descriptors, not owned; -1: none (everything written vanishes) */
	/* The same opened again, so that no read or write ever waits; owned; or -1. */
	int hasty_in, hasty_out;

	/* Output: written by any thread, sent by the loop's. `lock` guards these. */
	pthread_mutex_t lock;
	uint8_t *buffer;     /* STREAM_BUFFER bytes, pages touched as needed */
	uint64_t head, tail; /* bytes ever taken out and put in */
	uint64_t dropped;
	bool sending; /* a write is in flight, or the loop has been woken for one */
	bool closed;  /* output is gone: discard */
	bool stopped; /* the loop's thread only */

	struct loop_op write_op, full_op;
	struct iovec write_iov; /* what is in flight */
	int wake_fd;
	struct loop_watch wake;

	/* Input: the loop's thread only. */
	size_t (*take)(void *context, const uint8_t *bytes, size_t len);
	void *context;
	struct loop_op read_op;
	uint8_t input[STREAM_INPUT];
	size_t input_start, input_end; /* read but not taken yet */
	unsigned poll_failures;        /* in a row */
	bool input_over;               /* end of file */
	bool escape;                   /* the last key was Ctrl-A */
};

/* A stream between these two files (-1: none). Main. 0 or -errno. */
int stream_init(struct stream *stream, int in, int out);

/*
 * Start moving bytes on this loop. take(context, bytes, len) offers input
 * and returns how many bytes it took; after it took less than `len` it is
 * asked again when stream_resume() is called. The loop's thread.
 */
void stream_start(struct stream *stream, struct loop *loop,
		  size_t (*take)(void *context, const uint8_t *bytes, size_t len), void *context);

/* Send these bytes. Never blocks; returns at once. Any thread. */
void stream_write(struct stream *stream, const void *bytes, size_t len);

/* The guest has room for input again. Any thread. */
void stream_resume(struct stream *stream);

/* Stop moving; nothing is in flight afterwards, what was not sent stays buffered. Loop's thread. */
void stream_stop(struct stream *stream);

/*
 * After stream_stop(): write what is still buffered, and warn if output was
 * dropped. Does not wait for a slow reader: a child process stays behind with
 * what it has not read yet. Main, at the very end, when no other thread is left.
 */
void stream_finish(struct stream *stream);

#endif
