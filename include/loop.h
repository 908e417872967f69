/*
 * loop.h: the heart of a device: one thread, one io_uring, callbacks.
 *
 * A device's state belongs to the thread of its loop. Everything that
 * happens to it (a kick, a completed read, a request of a vCPU to reset it)
 * arrives as a completion in the same ring, is handled in order, and is
 * followed, once per batch, by `after_batch`, where a device publishes what
 * it has done. The thread waits in one place only, loop_run(), and never for
 * a length of time.
 *
 * An operation in flight is a struct loop_op inside the caller's own request
 * object: nothing is allocated per operation. It belongs to the ring from
 * the call until its `done` runs.
 *
 * Source: io_uring(7), io_uring_enter(2).
 */
#ifndef LODGE_LOOP_H
#define LODGE_LOOP_H

#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop_op {
	/* On the loop's thread: `result` is the system call's, or -errno. */
	void (*done)(struct loop_op *op, int result);
	bool busy; /* in flight: set by the loop, for whoever must wait or must not reuse it */
};

/* The request object around an operation. */
#define loop_op_owner(op, type, member) ((type *)(void *)((char *)(op)-offsetof(type, member)))

/* A file descriptor watched for as long as the loop lives, or until it is unwatched. */
struct loop_watch {
	struct loop_op op;
	struct loop *loop;
	int fd;
	unsigned events; /* POLLIN, ... */
	bool wanted;
	void (*ready)(void *context);
	void *context;
};

struct loop {
	struct io_uring ring;
	pthread_t thread;
	const char *name; /* of the thread, up to 15 bytes; must outlive it */
	void (*after_batch)(void *context);
	void *context;
	bool stopping; /* loop thread only */

	/* loop_call(): one caller at a time leaves fn and arg here, rings, and waits. */
	sem_t call_turn;                    /* 0 from the beginning of a call to its end */
	void (*_Atomic call_fn)(void *arg); /* NULL once the loop has taken it */
	void *call_arg;                     /* written before call_fn, read after */
	sem_t call_done;
	int call_fd; /* eventfd that wakes the loop */
	struct loop_watch call_watch;
};

/*
 * Make a loop for the calling thread, to be run with loop_run(). `after_batch`
 * (may be NULL) is called with `context` on the loop's thread after each
 * batch of completions. Returns 0 or -errno.
 */
int loop_init(struct loop *loop, void (*after_batch)(void *context), void *context);

/* The same, on a new thread of this name that runs it at once. Any thread. 0 or -errno. */
int loop_start(struct loop *loop, const char *name, void (*after_batch)(void *context),
	       void *context);

/* Run until loop_quit(). The loop's thread. */
void loop_run(struct loop *loop);

/* Leave loop_run() after this batch. The loop's thread. */
void loop_quit(struct loop *loop);

/* End the thread made by loop_start() and free the ring. Any other thread. */
void loop_stop(struct loop *loop);

/* Free the ring of a loop made by loop_init(); its thread. */
void loop_exit(struct loop *loop);

/*
 * Run fn(arg) on the loop's thread and wait until it has returned. The one
 * road by which another thread may change a device. Any other thread; callers
 * take turns.
 */
void loop_call(struct loop *loop, void (*fn)(void *arg), void *arg);

/*
 * The same in two halves, to have several loops at work at once: after
 * loop_call_begin() the calling thread owes the loop one loop_call_end(), which
 * returns when fn has. Until then `arg` is the loop's.
 */
void loop_call_begin(struct loop *loop, void (*fn)(void *arg), void *arg);
void loop_call_end(struct loop *loop);

/* --- The rest is for the loop's own thread. --- */

/*
 * Call ready(context) whenever fd becomes ready for `events`. Like an edge:
 * one call per wake-up, so `ready` takes all there is. An eventfd that is
 * only watched need not be read.
 */
void loop_watch(struct loop *loop, struct loop_watch *watch, int fd, unsigned events,
		void (*ready)(void *context), void *context);

/* Stop watching; when it returns, `watch` is not in flight any more. */
void loop_unwatch(struct loop_watch *watch);

/*
 * Asynchronous I/O. Buffers belong to the operation until `done`; the iovec
 * array itself may be reused as soon as the next batch is submitted.
 * `offset` is in bytes, -1 for files without position. `rw_flags` are those
 * of preadv2(2).
 */
void loop_readv(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		unsigned count, uint64_t offset, int rw_flags);
void loop_writev(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		 unsigned count, uint64_t offset, int rw_flags);
void loop_fdatasync(struct loop *loop, struct loop_op *op, int fd);
void loop_fallocate(struct loop *loop, struct loop_op *op, int fd, int mode, uint64_t offset,
		    uint64_t len);

/* done(op) once fd is ready for `events`: for a write that found its file full. */
void loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned events);

/* done(op) in the next batch: to go on later without starving the others. */
void loop_again(struct loop *loop, struct loop_op *op);

/*
 * Is there something to hand to the kernel, or to handle, besides what is being
 * handled now? Costs a few reads of memory: for those who look for work of another
 * kind before they let the loop sleep.
 * Source: IORING_SETUP_TASKRUN_FLAG in io_uring_setup(2).
 */
bool loop_has_more(const struct loop *loop);

/* Ask the kernel to give up on `op`; its `done` comes (with -ECANCELED, or its result). */
void loop_cancel(struct loop *loop, struct loop_op *op);

/* Handle completions until *count is zero, then return: draining before a reset. */
void loop_drain(struct loop *loop, const unsigned *count);

/* Handle completions until `op` is not in flight. */
void loop_await(struct loop *loop, const struct loop_op *op);

#endif
