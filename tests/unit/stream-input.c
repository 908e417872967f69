/*
 * stream-input.c: what is typed, through a pipe: kept until the guest takes it,
 * and over when the file is.
 */
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/pipes.h"

/* Until take() has been called `count` times more. */
static void wait_for_offers(unsigned count)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	while (count--)
		assert_int_equal(sem_timedwait(&t.offered, &deadline), 0);
}

static void type(const char *text)
{
	assert_int_equal(write(t.in[WRITE_END], text, strlen(text)), (ssize_t)strlen(text));
}

static void input_arrives(void **state)
{
	(void)state;
	t.room = sizeof(t.taken);
	start_stream(t.in[READ_END], -1);
	type("hello");
	wait_for_offers(1);
	type(", \001x\001world"); /* Ctrl-A means nothing on a pipe */
	wait_for_offers(1);
	stop_stream();
	assert_int_equal(t.taken_len, 15);
	assert_memory_equal(t.taken, "hello, \001x\001world", 15);
	assert_silent(finish_stream());
}

static void input_that_was_there_before(void **state)
{
	(void)state;
	t.room = sizeof(t.taken);
	type("early");
	start_stream(t.in[READ_END], -1);
	wait_for_offers(1);
	stop_stream();
	assert_memory_equal(t.taken, "early", 5);
	assert_silent(finish_stream());
}

static void input_waits_until_it_is_taken(void **state)
{
	struct pollfd more = { .fd = t.in[READ_END], .events = POLLIN };

	(void)state;
	t.room = 3;
	start_stream(t.in[READ_END], -1);
	type("abcdefgh");
	wait_for_offers(1);
	type("ijkl");
	let_the_loop_turn();
	/* Neither offered again by itself, nor read on. */
	assert_int_equal(t.offers, 1);
	assert_int_equal(t.taken_len, 3);
	assert_int_equal(poll(&more, 1, 0), 1);

	/* Resuming without room asks again, and no more than that. */
	stream_resume(&t.stream);
	wait_for_offers(1);
	let_the_loop_turn();
	assert_int_equal(t.offers, 2);
	assert_int_equal(t.taken_len, 3);

	t.room = sizeof(t.taken);
	stream_resume(&t.stream);
	wait_for_offers(2); /* the rest of the first, then the second */
	stop_stream();
	assert_int_equal(t.taken_len, 12);
	assert_memory_equal(t.taken, "abcdefghijkl", 12);
	assert_silent(finish_stream());
}

static bool input_is_over;

static void look_for_the_end_call(void *arg)
{
	(void)arg;
	input_is_over = t.stream.input_over;
}

static void input_ends(void **state)
{
	unsigned before;

	(void)state;
	t.room = sizeof(t.taken);
	start_stream(t.in[READ_END], -1);
	type("last");
	close(t.in[WRITE_END]);
	t.in[WRITE_END] = -1;
	wait_for_offers(1);
	/* The end is one more completion: turns of the loop bring it. */
	for (unsigned i = 0; !input_is_over && i < PATIENCE; i++)
		loop_call(&t.loop, look_for_the_end_call, NULL);
	assert_true(input_is_over);
	assert_memory_equal(t.taken, "last", 4);

	/* An ended file is always readable; nobody must be looking any more. */
	before = t.batches;
	let_the_loop_turn();
	stream_resume(&t.stream);
	let_the_loop_turn();
	assert_true(t.batches - before < 300);
	assert_int_equal(t.offers, 1);
	stop_stream();
	assert_silent(finish_stream());
}

static void input_longer_than_a_read(void **state)
{
	static char text[3 * STREAM_READ + 1];

	(void)state;
	for (unsigned i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	t.room = sizeof(t.taken);
	type(text);
	start_stream(t.in[READ_END], -1);
	wait_for_offers(3);
	stop_stream();
	assert_int_equal(t.taken_len, 3 * STREAM_READ);
	assert_memory_equal(t.taken, text, 3 * STREAM_READ);
	assert_silent(finish_stream());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(input_arrives),
		STREAM_TEST(input_that_was_there_before),
		STREAM_TEST(input_waits_until_it_is_taken),
		STREAM_TEST(input_ends),
		STREAM_TEST(input_longer_than_a_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
