/*
 * loop.c: the promises of a device's thread: calls from many threads, in
 * turn, on the one thread; operations that complete exactly once; cancelling
 * and draining that leave nothing in flight; and a ring that overflows.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/unit.h"
#include "loop.h"

static struct loop loop;
static atomic_uint batches;
static int pipe_fds[2];

static void count_batch(void *context)
{
	(void)context;
	atomic_fetch_add(&batches, 1);
}

static int set_up(void **state)
{
	(void)state;
	batches = 0;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(loop_start(&loop, "unit-loop", count_batch, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_stop(&loop);
	close(pipe_fds[0]);
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	return 0;
}

/* --- loop_call() --- */

#define CALLERS 4
#define CALLS   2000

static struct calls {
	unsigned count; /* no lock: only the loop's thread touches it */
	unsigned inside;
	bool elsewhere, overlapped;
} calls;

static void count_call(void *arg)
{
	unsigned *own = arg;

	calls.elsewhere |= !pthread_equal(pthread_self(), loop.thread);
	calls.overlapped |= calls.inside++ != 0;
	calls.count++;
	(*own)++;
	calls.inside--;
}

static void *call_often(void *arg)
{
	bool *late = arg;
	unsigned own = 0;

	for (unsigned i = 0; i < CALLS; i++) {
		loop_call(&loop, count_call, &own);
		*late |= own != i + 1; /* done by the time it returns */
	}
	return NULL;
}

static void calls_from_several_threads(void **state)
{
	pthread_t threads[CALLERS];
	bool late[CALLERS] = { false };

	(void)state;
	memset(&calls, 0, sizeof(calls));
	for (unsigned i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &late[i]), 0);
	for (unsigned i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < CALLERS; i++)
		assert_false(late[i]);
	assert_int_equal(calls.count, CALLERS * CALLS);
	assert_false(calls.elsewhere);
	assert_false(calls.overlapped);
}

static void name_of_the_thread(void **state)
{
	char name[16];

	(void)state;
	assert_int_equal(pthread_getname_np(loop.thread, name, sizeof(name)), 0);
	assert_string_equal(name, "unit-loop");
}

/* --- Operations --- */

/* One operation and what became of it. Only the loop's thread touches it, or
 * the test inside no call while the loop is idle. */
struct op {
	struct loop_op op;
	unsigned completions;
	int result;
	struct iovec iov;
};

static void op_done(struct loop_op *op, int result)
{
	struct op *own = loop_op_owner(op, struct op, op);

	own->completions++;
	own->result = result;
}

static void read_and_write_call(void *arg)
{
	struct op *ops = arg;

	/* The read waits for the write: both are in flight at once. */
	loop_readv(&loop, &ops[0].op, pipe_fds[0], &ops[0].iov, 1, (uint64_t)-1, 0);
	loop_writev(&loop, &ops[1].op, pipe_fds[1], &ops[1].iov, 1, (uint64_t)-1, 0);
	loop_await(&loop, &ops[0].op);
	loop_await(&loop, &ops[1].op);
}

static void reads_and_writes(void **state)
{
	char to[8] = "", from[] = "hello";
	struct op ops[2] = { { .op.done = op_done, .iov = { to, sizeof(to) } },
			     { .op.done = op_done, .iov = { from, 5 } } };

	(void)state;
	loop_call(&loop, read_and_write_call, ops);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ops[i].completions, 1);
		assert_int_equal(ops[i].result, 5);
		assert_false(ops[i].op.busy);
	}
	assert_string_equal(to, "hello");
}

static void file_call(void *arg)
{
	struct op *ops = arg;
	int fd = ops[0].result;

	loop_fallocate(&loop, &ops[1].op, fd, 0, 4096, 4096);
	loop_await(&loop, &ops[1].op);
	loop_writev(&loop, &ops[2].op, fd, &ops[2].iov, 1, 1000, 0);
	loop_await(&loop, &ops[2].op);
	loop_fdatasync(&loop, &ops[3].op, fd);
	loop_readv(&loop, &ops[4].op, fd, &ops[4].iov, 1, 1001, 0);
	loop_readv(&loop, &ops[5].op, -1, &ops[4].iov, 1, 0, 0);
	for (unsigned i = 3; i < 6; i++)
		loop_await(&loop, &ops[i].op);
}

static void files(void **state)
{
	static const int expected[] = { 0, 0, 5, 0, 4, -EBADF };
	char to[4] = "", from[] = "hello";
	struct op ops[6] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		ops[i].op.done = op_done;
	ops[0].result = open(unit_file("file", "", 0), O_RDWR | O_CLOEXEC);
	ops[2].iov = (struct iovec){ from, 5 };
	ops[4].iov = (struct iovec){ to, 4 };
	loop_call(&loop, file_call, ops);
	for (unsigned i = 1; i < 6; i++) {
		assert_int_equal(ops[i].completions, 1);
		assert_int_equal(ops[i].result, expected[i]);
	}
	assert_memory_equal(to, "ello", 4);
	assert_int_equal(lseek(ops[0].result, 0, SEEK_END), 8192);
	close(ops[0].result);
}

static void poll_call(void *arg)
{
	loop_poll(&loop, arg, pipe_fds[0], POLLIN);
}

static void cancel_call(void *arg)
{
	loop_cancel(&loop, arg);
	loop_await(&loop, arg);
	loop_cancel(&loop, arg); /* what is not in flight needs no cancelling */
}

static void cancelling(void **state)
{
	struct op op = { .op.done = op_done };

	(void)state;
	loop_call(&loop, poll_call, &op.op);
	assert_int_equal(op.completions, 0);
	assert_true(op.op.busy);
	loop_call(&loop, cancel_call, &op.op);
	assert_int_equal(op.completions, 1);
	assert_int_equal(op.result, -ECANCELED);
	assert_false(op.op.busy);

	/* It can be used again at once. */
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	loop_call(&loop, poll_call, &op.op);
	loop_call(&loop, cancel_call, &op.op);
	assert_int_equal(op.completions, 2);
	assert_true(op.result == -ECANCELED || op.result & POLLIN);
}

/* --- loop_drain(), with more in flight than the ring has entries --- */

#define MANY 2000

static unsigned in_flight;
static struct op many[MANY];

static void many_done(struct loop_op *op, int result)
{
	op_done(op, result);
	in_flight--;
}

static void drain_call(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < MANY; i++) {
		many[i] = (struct op){ .op.done = many_done };
		loop_again(&loop, &many[i].op);
		in_flight++;
	}
	loop_drain(&loop, &in_flight);
}

static void draining_more_than_the_ring_holds(void **state)
{
	(void)state;
	loop_call(&loop, drain_call, NULL);
	assert_int_equal(in_flight, 0);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(many[i].completions, 1);
		assert_false(many[i].op.busy);
	}
}

static void cancel_many_call(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < MANY; i++) {
		many[i] = (struct op){ .op.done = many_done };
		loop_poll(&loop, &many[i].op, pipe_fds[0], POLLIN);
		in_flight++;
	}
	for (unsigned i = 0; i < MANY; i++)
		loop_cancel(&loop, &many[i].op);
	loop_drain(&loop, &in_flight);
}

static void cancelling_more_than_the_ring_holds(void **state)
{
	(void)state;
	loop_call(&loop, cancel_many_call, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(many[i].completions, 1);
		assert_int_equal(many[i].result, -ECANCELED);
	}
}

/* --- loop_again(): the others get their turn --- */

struct again {
	struct loop_op op;
	unsigned rounds;
	bool called; /* by another thread, while this one went on and on */
};

static void again_done(struct loop_op *op, int result)
{
	struct again *again = loop_op_owner(op, struct again, op);

	(void)result;
	again->rounds++;
	if (!again->called)
		loop_again(&loop, op);
}

static void begin_again_call(void *arg)
{
	struct again *again = arg;

	loop_again(&loop, &again->op);
}

static void end_again_call(void *arg)
{
	struct again *again = arg;

	again->called = true;
	loop_await(&loop, &again->op);
}

static void again_starves_nobody(void **state)
{
	struct again again = { .op.done = again_done };

	(void)state;
	loop_call(&loop, begin_again_call, &again);
	loop_call(&loop, end_again_call, &again);
	assert_true(again.rounds >= 1);
	assert_true(atomic_load(&batches) >= 1);
}

/* --- loop_watch() --- */

static struct watched {
	struct loop_watch watch;
	int fd;
	atomic_uint ready;
	int told; /* eventfd: written whenever it was ready */
} watched;

static void watched_ready(void *context)
{
	struct watched *w = context;
	uint64_t one = 1;

	atomic_fetch_add(&w->ready, 1);
	if (write(w->told, &one, sizeof(one)) < 0)
		abort();
}

static void watch_call(void *arg)
{
	(void)arg;
	loop_watch(&loop, &watched.watch, watched.fd, POLLIN, watched_ready, &watched);
}

static void unwatch_call(void *arg)
{
	(void)arg;
	loop_unwatch(&watched.watch);
	loop_unwatch(&watched.watch); /* twice does no harm */
}

static void wait_until_told(void)
{
	uint64_t told;
	struct pollfd heard = { .fd = watched.told, .events = POLLIN };

	assert_int_equal(poll(&heard, 1, 10000), 1);
	assert_int_equal(read(watched.told, &told, sizeof(told)), sizeof(told));
}

/* Ring the bell and wait until the loop heard it. */
static void ring_and_wait(void)
{
	uint64_t one = 1;

	assert_int_equal(write(watched.fd, &one, sizeof(one)), sizeof(one));
	wait_until_told();
}

/* The bell rings while more completions wait than the ring has room for. */
static void overflow_call(void *arg)
{
	uint64_t one = 1;

	(void)arg;
	for (unsigned i = 0; i < MANY; i++) {
		many[i] = (struct op){ .op.done = many_done };
		loop_again(&loop, &many[i].op);
		in_flight++;
		if (i == MANY / 2 && write(watched.fd, &one, sizeof(one)) < 0)
			abort();
	}
	loop_drain(&loop, &in_flight);
}

static void watching(void **state)
{
	uint64_t one = 1;

	(void)state;
	watched.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watched.told = eventfd(0, EFD_CLOEXEC);
	watched.ready = 0;
	loop_call(&loop, watch_call, NULL);
	for (unsigned i = 0; i < 1000; i++) /* never read: each write wakes anew */
		ring_and_wait();
	assert_in_range(atomic_load(&watched.ready), 1000, 1001);

	/* While completions overflow the kernel ends the poll; the watch goes on. */
	loop_call(&loop, overflow_call, NULL);
	wait_until_told();
	ring_and_wait();

	loop_call(&loop, unwatch_call, NULL);
	assert_false(watched.watch.op.busy);
	watched.ready = 0;
	assert_int_equal(write(watched.fd, &one, sizeof(one)), sizeof(one));
	loop_call(&loop, drain_call, NULL); /* many turns of the loop */
	assert_int_equal(atomic_load(&watched.ready), 0);
	close(watched.fd);
	close(watched.told);
}

/* A call whose function handles completions, among them the call's own bell. */
static void call_while_draining(void **state)
{
	unsigned own = 0;

	(void)state;
	memset(&calls, 0, sizeof(calls));
	for (unsigned i = 0; i < 100; i++) {
		loop_call(&loop, drain_call, NULL);
		loop_call(&loop, count_call, &own);
	}
	assert_int_equal(own, 100);
}

/* --- What the ring refuses --- */

struct forbidden {
	struct loop_op op;
	bool finished;
	int result;
};

static void forbidden_done(struct loop_op *op, int result)
{
	struct forbidden *forbidden = loop_op_owner(op, struct forbidden, op);

	forbidden->finished = true;
	forbidden->result = result;
}

/* On the loop's thread, as somebody would who had broken into it. */
static void attempt(struct forbidden *forbidden, unsigned operation)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop.ring);

	forbidden->op.done = forbidden_done;
	forbidden->op.busy = true;
	io_uring_prep_rw((int)operation, sqe, AT_FDCWD, "/dev/null", 0, 0);
	io_uring_sqe_set_data(sqe, &forbidden->op);
	loop_await(&loop, &forbidden->op);
}

static void forbidden_call(void *arg)
{
	static const unsigned operations[] = {
		IORING_OP_OPENAT,  IORING_OP_OPENAT2, IORING_OP_SOCKET,   IORING_OP_CONNECT,
		IORING_OP_ACCEPT,  IORING_OP_SENDMSG, IORING_OP_UNLINKAT, IORING_OP_RENAMEAT,
		IORING_OP_MKDIRAT, IORING_OP_STATX,   IORING_OP_SPLICE,   IORING_OP_TIMEOUT,
	};
	unsigned *allowed = arg;

	for (unsigned i = 0; i < COUNT_OF(operations); i++) {
		struct forbidden forbidden = { .result = 0 };

		attempt(&forbidden, operations[i]);
		if (!forbidden.finished || forbidden.result != -EACCES)
			(*allowed)++;
	}
}

/* No seccomp filter sees what a ring does, so the ring itself must not open anything. */
/* Something to do shows while the thread is at work on something else. */
static void look_call(void *arg)
{
	bool *seen = arg;
	uint64_t one = 1;

	seen[0] = loop_has_more(&loop);
	if (write(watched.fd, &one, sizeof(one)) < 0)
		abort();
	for (unsigned i = 0; i < 100000000 && !loop_has_more(&loop); i++)
		;
	seen[1] = loop_has_more(&loop);
}

static void looking_for_more(void **state)
{
	bool seen[2];

	(void)state;
	watched.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watched.told = eventfd(0, EFD_CLOEXEC);
	loop_call(&loop, watch_call, NULL);
	loop_call(&loop, look_call, seen);
	wait_until_told();
	loop_call(&loop, unwatch_call, NULL);
	assert_false(seen[0]);
	assert_true(seen[1]);
	close(watched.fd);
	close(watched.told);
}

static void operations_that_are_none_of_ours(void **state)
{
	unsigned allowed = 0;

	(void)state;
	loop_call(&loop, forbidden_call, &allowed);
	assert_int_equal(allowed, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_from_several_threads),
		TEST(name_of_the_thread),
		TEST(reads_and_writes),
		TEST(files),
		TEST(cancelling),
		TEST(draining_more_than_the_ring_holds),
		TEST(cancelling_more_than_the_ring_holds),
		TEST(again_starves_nobody),
		TEST(watching),
		TEST(call_while_draining),
		TEST(looking_for_more),
		TEST(operations_that_are_none_of_ours),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
