/*
 * loop.c: the heart of a device thread (tour 5).
 *
 * One io_uring, one place to wait. Devices queue operations while they
 * handle completions; the next io_uring_submit_and_wait() hands all of them
 * to the kernel and fetches what is finished, in one system call.
 *
 * The ring is created on the thread that uses it, because it is told that
 * there is a single issuer and that completion work may wait until that
 * thread asks for it (SINGLE_ISSUER, DEFER_TASKRUN, Linux 6.1): fewer
 * interruptions for the same work. That something waits is a flag in the
 * ring's memory (TASKRUN_FLAG), for those who look at theirs before they sleep.
 * An older kernel gets a plain ring.
 *
 * What a ring does for us is no system call, so no seccomp filter sees it: a
 * ring could open files where open() is forbidden. Hence each is restricted,
 * before it is enabled, to the operations of this file.
 *
 * Next in the tour: virtqueue.c, what a device does when it is kicked.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"

#define RING_ENTRIES 256

static struct io_uring_sqe *next_sqe(struct loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	/* Full: let the kernel take what is queued, which empties it. It may
	 * refuse only while too many completions wait; they are kept for us. */
	while (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	return sqe;
}

static struct io_uring_sqe *start_op(struct loop *loop, struct loop_op *op)
{
	op->busy = true;
	return next_sqe(loop);
}

void loop_readv(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		unsigned count, uint64_t offset, int rw_flags)
{
	struct io_uring_sqe *sqe = start_op(loop, op);

	io_uring_prep_readv2(sqe, fd, iov, count, offset, rw_flags);
	io_uring_sqe_set_data(sqe, op);
}

void loop_writev(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		 unsigned count, uint64_t offset, int rw_flags)
{
	struct io_uring_sqe *sqe = start_op(loop, op);

	/* One buffer is the usual case of a small packet, and spares the kernel
	 * a copy and a check of the array: a tenth of a small write. */
	if (count == 1 && rw_flags == 0)
		io_uring_prep_write(sqe, fd, iov->iov_base, (unsigned)iov->iov_len, offset);
	else
		io_uring_prep_writev2(sqe, fd, iov, count, offset, rw_flags);
	io_uring_sqe_set_data(sqe, op);
}

void loop_fdatasync(struct loop *loop, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = start_op(loop, op);

	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data(sqe, op);
}

void loop_fallocate(struct loop *loop, struct loop_op *op, int fd, int mode, uint64_t offset,
		    uint64_t len)
{
	struct io_uring_sqe *sqe = start_op(loop, op);

	io_uring_prep_fallocate(sqe, fd, mode, (off_t)offset, (off_t)len);
	io_uring_sqe_set_data(sqe, op);
}

void loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned events)
{
	struct io_uring_sqe *sqe = start_op(loop, op);

	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data(sqe, op);
}

void loop_again(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = start_op(loop, op);

	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data(sqe, op);
}

void loop_cancel(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe;

	if (!op->busy)
		return;
	sqe = next_sqe(loop);
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, NULL); /* its own completion says nothing new */
}

static void watch_arm(struct loop_watch *watch)
{
	struct io_uring_sqe *sqe = start_op(watch->loop, &watch->op);

	io_uring_prep_poll_multishot(sqe, watch->fd, watch->events);
	io_uring_sqe_set_data(sqe, &watch->op);
}

static void watch_done(struct loop_op *op, int result)
{
	struct loop_watch *watch = loop_op_owner(op, struct loop_watch, op);

	/* The kernel ends a multishot poll when completions overflow, or when
	 * the file fails; asking again reports a readiness we missed. A file
	 * that cannot be polled at all is left alone. */
	if (!op->busy && watch->wanted && result >= 0)
		watch_arm(watch);
	if (watch->wanted)
		watch->ready(watch->context);
}

void loop_watch(struct loop *loop, struct loop_watch *watch, int fd, unsigned events,
		void (*ready)(void *context), void *context)
{
	*watch = (struct loop_watch){
		.op.done = watch_done,
		.loop = loop,
		.fd = fd,
		.events = events,
		.wanted = true,
		.ready = ready,
		.context = context,
	};
	watch_arm(watch);
}

void loop_unwatch(struct loop_watch *watch)
{
	if (!watch->wanted)
		return;
	watch->wanted = false;
	loop_cancel(watch->loop, &watch->op);
	loop_await(watch->loop, &watch->op);
}

bool loop_has_more(const struct loop *loop)
{
	/* Relaxed: a hint, read over and over. What it announces is fetched by a
	 * system call, or through the acquire of the completion queue's tail. */
	return io_uring_sq_ready(&loop->ring) > 0 || io_uring_cq_ready(&loop->ring) > 0 ||
	       (__atomic_load_n(loop->ring.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN);
}

/* Submit what is queued, wait for at least one completion, handle all there are. */
static void loop_step(struct loop *loop)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait(&loop->ring, 1);

	/* EINTR: a stray signal. EBUSY, EAGAIN: too many completions waiting,
	 * and we are about to take them. Nothing else can happen to a ring. */
	if (ret < 0 && ret != -EINTR && ret != -EBUSY && ret != -EAGAIN)
		log_error("%s: io_uring: %s", loop->name, strerror(-ret));

	/* Asked first, because to peek at an empty queue may be a system call, and
	 * would take what comes meanwhile before this batch has been published. */
	while (io_uring_cq_ready(&loop->ring) > 0 && io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
		struct loop_op *op = io_uring_cqe_get_data(cqe);
		int result = cqe->res;
		bool last = !(cqe->flags & IORING_CQE_F_MORE);

		/* Seen before it is handled: `done` may wait for others (drain). */
		io_uring_cqe_seen(&loop->ring, cqe);
		if (!op)
			continue;
		if (last)
			op->busy = false;
		op->done(op, result);
	}
}

void loop_drain(struct loop *loop, const unsigned *count)
{
	while (*count > 0)
		loop_step(loop);
}

void loop_await(struct loop *loop, const struct loop_op *op)
{
	while (op->busy)
		loop_step(loop);
}

void loop_run(struct loop *loop)
{
	while (!loop->stopping) {
		loop_step(loop);
		if (loop->after_batch)
			loop->after_batch(loop->context);
	}
}

void loop_quit(struct loop *loop)
{
	loop->stopping = true;
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0 && errno == EINTR)
		;
}

static void serve_call(void *context)
{
	struct loop *loop = context;
	/* Taken at once: fn may drain, which handles completions, which may bring
	 * us here again for the same ring of the bell. Acquire: call_arg, and all
	 * the caller did before, was written before call_fn was. */
	void (*fn)(void *arg) =
		atomic_exchange_explicit(&loop->call_fn, NULL, memory_order_acquire);

	if (!fn)
		return;
	fn(loop->call_arg);
	sem_post(&loop->call_done);
}

void loop_call_begin(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	uint64_t one = 1;

	wait_for(&loop->call_turn);
	loop->call_arg = arg;
	atomic_store_explicit(&loop->call_fn, fn, memory_order_release);
	if (write(loop->call_fd, &one, sizeof(one)) < 0)
		log_error("%s: cannot wake the thread: %m", loop->name);
}

void loop_call_end(struct loop *loop)
{
	wait_for(&loop->call_done);
	sem_post(&loop->call_turn);
}

void loop_call(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	loop_call_begin(loop, fn, arg);
	loop_call_end(loop);
}

/* By hand: Debian 12's shared liburing does not export its functions for these two. */
static int register_with(const struct io_uring *ring, unsigned what, void *arg, unsigned count)
{
	return syscall(SYS_io_uring_register, ring->ring_fd, what, arg, count) < 0 ? -errno : 0;
}

/* The ring forgets every operation that is not one of these, for good. */
static int restrict_ring(struct io_uring *ring)
{
	static const uint8_t operations[] = {
		IORING_OP_READV,     IORING_OP_WRITEV,   IORING_OP_WRITE,        IORING_OP_FSYNC,
		IORING_OP_FALLOCATE, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_NOP,
	};
	struct io_uring_restriction allowed[sizeof(operations)] = { 0 };
	int ret;

	for (unsigned i = 0; i < sizeof(operations); i++) {
		allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
		allowed[i].sqe_op = operations[i];
	}
	ret = register_with(ring, IORING_REGISTER_RESTRICTIONS, allowed, sizeof(operations));
	return ret < 0 ? ret : register_with(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* The best ring this kernel has. */
static int init_ring(struct io_uring *ring)
{
	int ret = io_uring_queue_init(RING_ENTRIES, ring,
				      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
					      IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED);

	if (ret == -EINVAL) /* before 6.1 */
		ret = io_uring_queue_init(RING_ENTRIES, ring, IORING_SETUP_R_DISABLED);
	if (ret == -EINVAL) /* before 5.10, which brought restrictions */
		return io_uring_queue_init(RING_ENTRIES, ring, 0);
	if (ret < 0)
		return ret;
	ret = restrict_ring(ring);
	if (ret < 0)
		io_uring_queue_exit(ring);
	return ret;
}

int loop_init(struct loop *loop, void (*after_batch)(void *context), void *context)
{
	int ret;

	*loop = (struct loop){ .name = "lodge", .after_batch = after_batch, .context = context };
	sem_init(&loop->call_turn, 0, 1);
	sem_init(&loop->call_done, 0, 0);
	loop->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->call_fd < 0)
		return -errno;
	ret = init_ring(&loop->ring);
	if (ret < 0) {
		close(loop->call_fd);
		return ret;
	}
	loop_watch(loop, &loop->call_watch, loop->call_fd, POLLIN, serve_call, loop);
	return 0;
}

void loop_exit(struct loop *loop)
{
	io_uring_queue_exit(&loop->ring);
	close(loop->call_fd);
}

/* What a new thread needs to know, and where it leaves how it went. */
struct loop_birth {
	struct loop *loop;
	const char *name;
	void (*after_batch)(void *context);
	void *context;
	sem_t born;
	int result;
};

static void *loop_thread(void *arg)
{
	struct loop_birth *birth = arg;
	struct loop *loop = birth->loop;

	pthread_setname_np(pthread_self(), birth->name);
	birth->result = loop_init(loop, birth->after_batch, birth->context);
	if (birth->result < 0) {
		sem_post(&birth->born);
		return NULL;
	}
	loop->name = birth->name;
	sem_post(&birth->born); /* *birth is gone from here on */
	loop_run(loop);
	io_uring_queue_exit(&loop->ring);
	return NULL;
}

int loop_start(struct loop *loop, const char *name, void (*after_batch)(void *context),
	       void *context)
{
	struct loop_birth birth = {
		.loop = loop, .name = name, .after_batch = after_batch, .context = context
	};
	pthread_t thread;
	int ret;

	sem_init(&birth.born, 0, 0);
	ret = -pthread_create(&thread, NULL, loop_thread, &birth);
	if (ret < 0)
		return ret;
	wait_for(&birth.born);
	sem_destroy(&birth.born);
	if (birth.result < 0)
		pthread_join(thread, NULL);
	else
		loop->thread = thread;
	return birth.result;
}

static void quit_call(void *arg)
{
	loop_quit(arg);
}

void loop_stop(struct loop *loop)
{
	loop_call(loop, quit_call, loop);
	pthread_join(loop->thread, NULL);
	close(loop->call_fd); /* not by the thread: our write() to it may not have returned */
}
