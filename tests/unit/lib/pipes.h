/*
 * pipes.h: a stream between two pipes, on a loop of its own, for the stream
 * programs.
 */
#ifndef UNIT_PIPES_H
#define UNIT_PIPES_H

#include <semaphore.h>

#include "stream.h"
#include "unit.h"

#define READ_END  0
#define WRITE_END 1
#define PATIENCE  1000000 /* turns of the loop until something counts as lost */

struct pipes {
	struct loop loop;
	struct stream stream;
	int in[2], out[2]; /* pipes: we write to in, read from out */

	/* What take() was offered; the loop's thread, in order with `offered`. */
	uint8_t taken[65536];
	size_t taken_len, room; /* room: bytes it will still take */
	unsigned offers;
	sem_t offered;

	unsigned batches;
	bool running; /* the loop: a test that fails leaves it so */
};

extern struct pipes t;

int stream_set_up(void **state);
int stream_tear_down(void **state);
#define STREAM_TEST(test) cmocka_unit_test_setup_teardown(test, stream_set_up, stream_tear_down)

/* Start it between these files (-1: none). */
void start_stream(int in, int out);

/* Stop it, and end the loop; nothing of it is in flight afterwards. */
void stop_stream(void);
void stop_stream_loop(void);

/* stream_finish(); what it said. */
const char *finish_stream(void);

/* For loop_call(): just a turn. */
void nothing_call(void *arg);

/* Several turns of the loop: what could have happened by itself has. */
void let_the_loop_turn(void);

#endif
