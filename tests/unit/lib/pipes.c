/*
 * pipes.c: a stream between two pipes, for the stream programs.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "pipes.h"

struct pipes t;

static size_t take(void *context, const uint8_t *bytes, size_t len)
{
	size_t take_now = len < t.room ? len : t.room;

	(void)context;
	memcpy(t.taken + t.taken_len, bytes, take_now);
	t.taken_len += take_now;
	t.room -= take_now;
	t.offers++;
	sem_post(&t.offered);
	return take_now;
}

static void count_batch(void *context)
{
	(void)context;
	t.batches++;
}

static void start_call(void *arg)
{
	(void)arg;
	stream_start(&t.stream, &t.loop, take, NULL);
}

static void stop_call(void *arg)
{
	(void)arg;
	stream_stop(&t.stream);
}

void nothing_call(void *arg)
{
	(void)arg;
}

void let_the_loop_turn(void)
{
	for (unsigned i = 0; i < 50; i++)
		loop_call(&t.loop, nothing_call, NULL);
}

int stream_set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	signal(SIGPIPE, SIG_IGN); /* as main does */
	sem_init(&t.offered, 0, 0);
	assert_int_equal(pipe2(t.in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(t.out, O_CLOEXEC), 0);
	assert_int_equal(loop_start(&t.loop, "unit-stream", count_batch, NULL), 0);
	t.running = true;
	return 0;
}

void start_stream(int in, int out)
{
	assert_int_equal(stream_init(&t.stream, in, out), 0);
	loop_call(&t.loop, start_call, NULL);
}

void stop_stream_loop(void)
{
	if (t.running)
		loop_stop(&t.loop);
	t.running = false;
}

void stop_stream(void)
{
	loop_call(&t.loop, stop_call, NULL);
	stop_stream_loop();
	assert_false(t.stream.read_op.busy || t.stream.write_op.busy || t.stream.full_op.busy);
}

const char *finish_stream(void)
{
	capture_start(STDERR_FILENO);
	stream_finish(&t.stream);
	return capture_end();
}

int stream_tear_down(void **state)
{
	(void)state;
	stop_stream_loop();
	for (unsigned i = 0; i < 2; i++) {
		if (t.in[i] >= 0)
			close(t.in[i]);
		if (t.out[i] >= 0)
			close(t.out[i]);
	}
	sem_destroy(&t.offered);
	return 0;
}
