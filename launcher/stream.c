/*
 * stream.c: a console's bytes, in and out.
 *
 * The UART writes from whichever vCPU touched it, virtio-console from its
 * own thread; both therefore go through a buffer, the one place here with a
 * lock (held for a memcpy). The loop the stream was started on does all
 * reading and writing. The files are left in blocking mode, since they are
 * shared with the shell: io_uring keeps a blocking write off this thread, and
 * what can be opened again is read through a description of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ending.h"
#include "log.h"
#include "stream.h"
#include "terminal.h"

#define CTRL_A            0x01
#define POLL_FAILURES_MAX 16 /* in a row, then there is no more input */

static bool is_pipe_or_terminal(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd));
}

/*
 * A description of our own, whose reads and writes never wait: O_NONBLOCK on
 * the shared one would reach the shell's. -1 for files that cannot be opened
 * again; those are used as they are.
 */
static int open_again(int fd, int access)
{
	char name[32];

	if (!is_pipe_or_terminal(fd))
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int stream_init(struct stream *stream, int in, int out)
{
	*stream = (struct stream){
		.in = in,
		.out = out,
		.hasty_in = open_again(in, O_RDONLY),
		.hasty_out = open_again(out, O_WRONLY),
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	stream->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stream->wake_fd < 0)
		return -errno;
	stream->buffer = mmap(NULL, STREAM_BUFFER, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stream->buffer == MAP_FAILED)
		return -errno;
	madvise(stream->buffer, STREAM_BUFFER, MADV_DONTDUMP); /* the guest's words are its own */
	return 0;
}

static void wake(const struct stream *stream)
{
	uint64_t one = 1;

	if (write(stream->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("cannot wake the console: %m");
}

/* --- Output --- */

void stream_write(struct stream *stream, const void *bytes, size_t len)
{
	size_t room, at, first;
	bool must_wake;

	if (stream->out < 0 || len == 0)
		return;
	pthread_mutex_lock(&stream->lock);
	room = STREAM_BUFFER - (size_t)(stream->tail - stream->head);
	if (stream->closed || len > room) {
		stream->dropped += stream->closed ? 0 : len - room;
		len = stream->closed ? 0 : room;
	}
	at = stream->tail % STREAM_BUFFER;
	first = len < STREAM_BUFFER - at ? len : STREAM_BUFFER - at;
	memcpy(stream->buffer + at, bytes, first);
	memcpy(stream->buffer, (const uint8_t *)bytes + first, len - first);
	stream->tail += len;
	must_wake = len > 0 && !stream->sending;
	if (must_wake)
		stream->sending = true;
	pthread_mutex_unlock(&stream->lock);
	if (must_wake)
		wake(stream);
}

/* The next contiguous piece to send; false when there is none, and then `sending` is over. */
static bool next_piece(struct stream *stream, struct iovec *piece)
{
	size_t waiting, at;

	pthread_mutex_lock(&stream->lock);
	waiting = (size_t)(stream->tail - stream->head);
	at = stream->head % STREAM_BUFFER;
	piece->iov_base = stream->buffer + at;
	piece->iov_len = waiting < STREAM_BUFFER - at ? waiting : STREAM_BUFFER - at;
	stream->sending = waiting > 0;
	pthread_mutex_unlock(&stream->lock);
	return waiting > 0;
}

static void sent(struct stream *stream, size_t len)
{
	pthread_mutex_lock(&stream->lock);
	stream->head += len;
	pthread_mutex_unlock(&stream->lock);
}

/* Nobody will ever read it: forget what waits, and whatever comes. */
static void close_output(struct stream *stream, int error)
{
	pthread_mutex_lock(&stream->lock);
	stream->head = stream->tail;
	stream->closed = true;
	stream->sending = false;
	pthread_mutex_unlock(&stream->lock);
	log_warning("console output is lost from here on: %s", strerror(error));
}

static void send_more(struct stream *stream)
{
	if (!stream->stopped && !stream->write_op.busy && !stream->full_op.busy &&
	    next_piece(stream, &stream->write_iov))
		loop_writev(stream->loop, &stream->write_op, stream->out, &stream->write_iov, 1,
			    (uint64_t)-1, 0);
}

static void write_done(struct loop_op *op, int result)
{
	struct stream *stream = loop_op_owner(op, struct stream, write_op);

	if (result > 0)
		sent(stream, (size_t)result);
	else if (result == -EAGAIN) /* somebody else made the file non-blocking */
		loop_poll(stream->loop, &stream->full_op, stream->out, POLLOUT);
	else if (result < 0 && result != -EINTR && result != -ECANCELED)
		close_output(stream, -result);
	send_more(stream);
}

static void full_done(struct loop_op *op, int result)
{
	(void)result; /* whatever it is, the next write will tell */
	send_more(loop_op_owner(op, struct stream, full_op));
}

/* --- Input --- */

/*
 * What the guest does not take is not read; but at a terminal, where Ctrl-A x must
 * reach us above all when the guest takes nothing, we read on while there is room.
 */
static void read_more(struct stream *stream)
{
	size_t waiting = stream->input_end - stream->input_start;

	if (stream->in >= 0 && !stream->input_over && !stream->read_op.busy &&
	    waiting < (terminal_is_raw() ? STREAM_INPUT : 1))
		loop_poll(stream->loop, &stream->read_op, stream->in, POLLIN);
}

/* At a terminal, Ctrl-A x ends the guest and Ctrl-A Ctrl-A is one Ctrl-A. In place. */
static size_t filter_escapes(struct stream *stream, uint8_t *bytes, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		if (!stream->escape && bytes[i] == CTRL_A) {
			stream->escape = true;
			continue;
		}
		if (stream->escape && bytes[i] == 'x')
			ending_report(ENDING_SIGNAL + SIGINT, "ended from the terminal (Ctrl-A x)");
		else
			bytes[kept++] = bytes[i];
		stream->escape = false;
	}
	return kept;
}

static void offer_input(struct stream *stream)
{
	size_t len = stream->input_end - stream->input_start;

	if (len > 0)
		stream->input_start +=
			stream->take(stream->context, stream->input + stream->input_start, len);
	read_more(stream);
}

/* What waits moves to the front, what is new goes behind it. As read(). */
static ssize_t read_input(struct stream *stream)
{
	size_t waiting = stream->input_end - stream->input_start;
	size_t room = STREAM_INPUT - waiting;
	uint8_t *fresh = stream->input + waiting;
	ssize_t len;

	memmove(stream->input, stream->input + stream->input_start, waiting);
	stream->input_start = 0;
	stream->input_end = waiting;
	len = read(stream->hasty_in < 0 ? stream->in : stream->hasty_in, fresh,
		   room < STREAM_READ ? room : STREAM_READ);
	if (len > 0)
		stream->input_end += terminal_is_raw() ? filter_escapes(stream, fresh, (size_t)len)
						       : (size_t)len;
	return len;
}

static void input_ready(struct loop_op *op, int result)
{
	struct stream *stream = loop_op_owner(op, struct stream, read_op);
	ssize_t len;

	if (stream->stopped)
		return;
	/* A poll on a terminal ends with EINVAL when somebody changes its
	 * settings, as we do ourselves; a file nobody can poll always does. */
	if (result < 0 && stream->poll_failures++ < POLL_FAILURES_MAX) {
		read_more(stream);
		return;
	}
	/* It is readable, or was: somebody who shares the file may have been quicker.
	 * An error (the terminal is gone, or belongs to another job) is an end like
	 * any other. */
	len = result < 0 ? 0 : read_input(stream);
	if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
		read_more(stream);
		return;
	}
	if (len <= 0) {
		stream->input_over = true;
		return;
	}
	stream->poll_failures = 0;
	offer_input(stream);
}

void stream_resume(struct stream *stream)
{
	wake(stream);
}

static void woken(void *context)
{
	struct stream *stream = context;

	send_more(stream);
	offer_input(stream);
}

/* --- Life --- */

void stream_start(struct stream *stream, struct loop *loop,
		  size_t (*take)(void *context, const uint8_t *bytes, size_t len), void *context)
{
	stream->loop = loop;
	stream->take = take;
	stream->context = context;
	stream->write_op.done = write_done;
	stream->full_op.done = full_done;
	stream->read_op.done = input_ready;
	loop_watch(loop, &stream->wake, stream->wake_fd, POLLIN, woken, stream);
	offer_input(stream);
}

void stream_stop(struct stream *stream)
{
	if (!stream->loop)
		return;
	stream->stopped = true;
	stream->input_over = true;
	loop_unwatch(&stream->wake);
	loop_cancel(stream->loop, &stream->read_op);
	loop_await(stream->loop, &stream->read_op);
	loop_cancel(stream->loop, &stream->write_op);
	loop_await(stream->loop, &stream->write_op);
	loop_cancel(stream->loop, &stream->full_op);
	loop_await(stream->loop, &stream->full_op);
}

/* Write what is buffered; false if the file is full, and `out` does not wait for it. */
static bool write_rest(struct stream *stream, int out)
{
	struct iovec piece;

	while (next_piece(stream, &piece)) {
		ssize_t len = write(out, piece.iov_base, piece.iov_len);

		if (len > 0)
			sent(stream, (size_t)len);
		else if (len < 0 && errno == EAGAIN)
			return false;
		else if (len < 0 && errno != EINTR)
			close_output(stream, errno);
	}
	return true;
}

/*
 * The reader is slow, or will never read at all; who can tell? The guest's
 * ending must not wait for it, nor its last words be lost. So a child stays
 * behind with the output until it has been read or the reader is gone.
 */
static void leave_rest_to_child(struct stream *stream)
{
	struct pollfd full = { .fd = stream->out, .events = POLLOUT };
	pid_t child = fork();

	if (child < 0)
		log_warning("the last of the console output is lost: %m");
	if (child != 0)
		return;
	prctl(PR_SET_NAME, "lodge-output");
	while (!write_rest(stream, stream->out))
		poll(&full, 1, -1);
	_exit(0);
}

void stream_finish(struct stream *stream)
{
	if (stream->out >= 0 &&
	    !write_rest(stream, stream->hasty_out < 0 ? stream->out : stream->hasty_out))
		leave_rest_to_child(stream);
	if (stream->hasty_in >= 0)
		close(stream->hasty_in);
	if (stream->hasty_out >= 0)
		close(stream->hasty_out);
	if (stream->dropped > 0)
		log_warning("%llu bytes of console output were dropped: nobody read them in time",
			    (unsigned long long)stream->dropped);
	munmap(stream->buffer, STREAM_BUFFER);
	close(stream->wake_fd);
}
