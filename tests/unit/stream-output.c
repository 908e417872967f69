/*
 * stream-output.c: what a guest prints, through a pipe: in order, never
 * waiting for a reader, dropped and counted when nobody reads.
 */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "lib/pipes.h"

/* Reads the output to its end, on a thread of its own, and checks the order:
 * byte n of what arrives must be pattern(n). */
static struct reader {
	pthread_t thread;
	uint64_t len;
	bool wrong;
} reader;

static uint8_t pattern(uint64_t n)
{
	return (uint8_t)(n * 31 + n / 251);
}

static void *read_output(void *arg)
{
	static uint8_t bytes[3000];
	ssize_t len;

	(void)arg;
	while ((len = read(t.out[READ_END], bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < len; i++)
			reader.wrong |= bytes[i] != pattern(reader.len++);
	return NULL;
}

static void start_reader(void)
{
	reader = (struct reader){ 0 };
	assert_int_equal(pthread_create(&reader.thread, NULL, read_output, NULL), 0);
}

/* Close our end, so that the reader sees the end; then what it saw. */
static void join_reader(uint64_t expected)
{
	close(t.out[WRITE_END]);
	t.out[WRITE_END] = -1;
	pthread_join(reader.thread, NULL);
	assert_int_equal(reader.len, expected);
	assert_false(reader.wrong);
}

/* Write bytes `n` to `total` of the pattern, in pieces of many sizes. */
static void write_pattern(uint64_t n, uint64_t total)
{
	static uint8_t bytes[8192];

	for (unsigned piece = 1; n < total; piece = piece * 3 % 8191 + 1) {
		size_t len = piece < total - n ? piece : total - n;

		for (size_t i = 0; i < len; i++)
			bytes[i] = pattern(n + i);
		stream_write(&t.stream, bytes, len);
		n += len;
	}
}

static void output_in_order(void **state)
{
	(void)state;
	start_stream(-1, t.out[WRITE_END]);
	start_reader();
	write_pattern(0, STREAM_BUFFER / 2);
	stop_stream();
	assert_silent(finish_stream()); /* sends what had not been sent */
	join_reader(STREAM_BUFFER / 2);
}

/* More than the buffer's size in all, so around its end, but never too fast. */
static void output_around_the_buffer(void **state)
{
	uint64_t n = 0;

	(void)state;
	start_stream(-1, t.out[WRITE_END]);
	start_reader();
	while (n < 3 * STREAM_BUFFER) {
		uint8_t bytes[1000];
		bool full;

		/* As a guest's driver would not: wait while half the buffer is full. */
		do {
			loop_call(&t.loop, nothing_call, NULL);
			pthread_mutex_lock(&t.stream.lock);
			full = t.stream.tail - t.stream.head > STREAM_BUFFER / 2;
			pthread_mutex_unlock(&t.stream.lock);
		} while (full);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = pattern(n++);
		stream_write(&t.stream, bytes, sizeof(bytes));
	}
	stop_stream();
	assert_silent(finish_stream());
	join_reader(n);
}

/* A file somebody else made non-blocking: when it is full, it says EAGAIN. */
static void write_to_a_full_file(void)
{
	assert_int_equal(fcntl(t.out[WRITE_END], F_SETFL, O_NONBLOCK), 0);
	start_stream(-1, t.out[WRITE_END]);
	write_pattern(0, STREAM_BUFFER / 2); /* before anybody reads */
	let_the_loop_turn();
	start_reader();
	stop_stream();
	assert_silent(finish_stream());
	join_reader(STREAM_BUFFER / 2);
}

static void output_to_a_non_blocking_pipe(void **state)
{
	(void)state;
	write_to_a_full_file();
}

/* The usual case: a shell's job before us left the terminal like that. */
static void output_to_a_non_blocking_terminal(void **state)
{
	struct termios raw;

	(void)state;
	close(t.out[READ_END]);
	close(t.out[WRITE_END]);
	cfmakeraw(memset(&raw, 0, sizeof(raw)));
	assert_int_equal(openpty(&t.out[READ_END], &t.out[WRITE_END], NULL, &raw, NULL), 0);
	write_to_a_full_file();
}

static bool pipe_is_full(void)
{
	struct pollfd room = { .fd = t.out[WRITE_END], .events = POLLOUT };

	return poll(&room, 1, 0) == 0;
}

static void output_nobody_reads(void **state)
{
	uint64_t early = 2 * (uint64_t)fcntl(t.out[WRITE_END], F_GETPIPE_SZ), kept;
	uint64_t total = early + 2 * STREAM_BUFFER;

	(void)state;
	start_stream(-1, t.out[WRITE_END]);
	write_pattern(0, early);
	for (unsigned i = 0; !pipe_is_full() && i < PATIENCE; i++)
		loop_call(&t.loop, nothing_call, NULL);
	assert_true(pipe_is_full());
	let_the_loop_turn();

	/* From here on nothing leaves. The beginning is kept, whole; the rest is
	 * dropped and counted, and nobody waits. */
	kept = t.stream.head + STREAM_BUFFER;
	write_pattern(early, total);
	stop_stream();
	assert_int_equal(t.stream.dropped, total - kept);
	start_reader();
	assert_one_line_with(finish_stream(), "dropped");
	join_reader(kept);
}

static bool output_is_closed(void)
{
	bool closed;

	pthread_mutex_lock(&t.stream.lock);
	closed = t.stream.closed;
	pthread_mutex_unlock(&t.stream.lock);
	return closed;
}

static void output_whose_reader_is_gone(void **state)
{
	const char *said;

	(void)state;
	close(t.out[READ_END]);
	t.out[READ_END] = -1;
	start_stream(-1, t.out[WRITE_END]);
	capture_start(STDERR_FILENO);
	write_pattern(0, STREAM_BUFFER);
	for (unsigned i = 0; !output_is_closed() && i < PATIENCE; i++)
		loop_call(&t.loop, nothing_call, NULL);
	stop_stream();
	said = capture_end();
	assert_one_line_with(said, "console output is lost");
	assert_true(t.stream.closed);
	stream_write(&t.stream, "more", 4);
	assert_int_equal(t.stream.dropped, 0); /* that warning was enough */
	assert_silent(finish_stream());
}

/* The same, found out only at the very end. */
static void output_that_cannot_be_finished(void **state)
{
	(void)state;
	assert_int_equal(stream_init(&t.stream, -1, t.out[WRITE_END]), 0);
	close(t.out[READ_END]);
	t.out[READ_END] = -1;
	write_pattern(0, 100);
	stop_stream_loop();
	assert_one_line_with(finish_stream(), "console output is lost");
}

static void output_to_nowhere(void **state)
{
	(void)state;
	start_stream(-1, -1);
	write_pattern(0, 2 * STREAM_BUFFER);
	stop_stream();
	assert_int_equal(t.stream.dropped, 0);
	assert_silent(finish_stream());
}

/* Bytes of several threads mix, but each thread's stay in order and none are lost. */
#define WRITERS 3
#define LINES   2000

static void *write_lines(void *arg)
{
	uint8_t line[2] = { *(const uint8_t *)arg, 0 };

	for (unsigned i = 0; i < LINES; i++) {
		line[1] = (uint8_t)i;
		stream_write(&t.stream, line, sizeof(line));
	}
	return NULL;
}

static void output_of_several_threads(void **state)
{
	uint8_t names[WRITERS] = { 0, 1, 2 }, line[2];
	unsigned next[WRITERS] = { 0 };
	pthread_t threads[WRITERS];

	(void)state;
	start_stream(-1, t.out[WRITE_END]);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &names[i]), 0);
	for (unsigned n = 0; n < WRITERS * LINES; n++) {
		for (unsigned got = 0; got < 2; got++)
			assert_int_equal(read(t.out[READ_END], line + got, 1), 1);
		assert_in_range(line[0], 0, WRITERS - 1);
		assert_int_equal(line[1], (uint8_t)next[line[0]]++);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	stop_stream();
	assert_silent(finish_stream());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(output_in_order),
		STREAM_TEST(output_around_the_buffer),
		STREAM_TEST(output_to_a_non_blocking_pipe),
		STREAM_TEST(output_to_a_non_blocking_terminal),
		STREAM_TEST(output_nobody_reads),
		STREAM_TEST(output_whose_reader_is_gone),
		STREAM_TEST(output_that_cannot_be_finished),
		STREAM_TEST(output_to_nowhere),
		STREAM_TEST(output_of_several_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
