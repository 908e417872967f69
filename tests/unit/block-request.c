/*
 * block-request.c: what the kernel is asked for, to carry out a disk's requests. The
 * ring is a loop's, but nobody submits it: the program reads what was queued there, and
 * completes it as it likes.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "lib/ring.h"

#define PIECE_MOST (4 * MIB)  /* of one read or write */
#define RANGE_MOST (64 * MIB) /* of one fallocate() */
#define DISK_SIZE  (64 * GIB)
#define NO_ANSWER  0xee

struct fixture {
	struct ring *ring;
	struct virtio_thread thread;
	struct virtio_queue_stats stats;
	struct block block;
	struct request *request;
	struct virtio_blk_discard_write_zeroes range;
	uint8_t status;
	unsigned asked; /* operations seen so far */
};

static int set_up(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));
	struct virtio_queue *queue = &t->block.device.queues[0];

	ring_setup((void **)&t->ring);
	assert_int_equal(loop_init(&t->thread.loop, NULL, NULL), 0);
	t->asked = t->thread.loop.ring.sq.sqe_tail;
	strcpy(t->block.device.name, "block0");
	*queue = (struct virtio_queue){ .device = &t->block.device,
					.thread = &t->thread,
					.vq = t->ring->vq,
					.running = true,
					.stats = &t->stats };
	t->block.requests = calloc(BLOCK_REQUESTS, sizeof(*t->block.requests));
	t->block.disk = (struct disk){ .fd = -1, .buffered_fd = -1, .size = DISK_SIZE };
	t->block.read_may_wait = t->block.write_may_wait = true;
	t->request = &t->block.requests[0];
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *t = *state;

	loop_exit(&t->thread.loop);
	ring_teardown((void **)&t->ring);
	free(t->block.requests);
	free(t);
	return 0;
}
#define BLOCK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* A request of this type as block.c hands it over, its data `count` buffers of `len` bytes. */
static void start(struct fixture *t, unsigned type, void *data, size_t len, unsigned count)
{
	struct request *r = t->request;

	t->status = NO_ANSWER;
	*r = (struct request){ .block = &t->block,
			       .status = &t->status,
			       .type = type,
			       .fd = t->block.disk.fd,
			       .iov = r->buffers + 1,
			       .iov_count = count,
			       .remaining = (uint64_t)len * count };
	for (unsigned i = 0; i < count; i++)
		r->iov[i] = (struct iovec){ data, len };
	block_start_request(r, 0);
}

static void start_range(struct fixture *t, unsigned type, uint64_t sector, uint32_t sectors)
{
	t->range = (struct virtio_blk_discard_write_zeroes){ .sector = htole64(sector),
							     .num_sectors = htole32(sectors) };
	start(t, type, &t->range, sizeof(t->range), 1);
}

/* The operation that was queued since the last one; NULL: none. */
static const struct io_uring_sqe *next_op(struct fixture *t)
{
	const struct io_uring_sq *sq = &t->thread.loop.ring.sq;

	if (t->asked == sq->sqe_tail)
		return NULL;
	assert_int_equal(sq->sqe_tail - t->asked, 1);
	assert_int_equal(t->block.in_flight, 1);
	return &sq->sqes[t->asked++ & sq->ring_mask];
}

static void complete(struct fixture *t, int result)
{
	/* The ring is not emptied by anybody: begin again before it is full. */
	struct io_uring_sq *sq = &t->thread.loop.ring.sq;

	t->asked = sq->sqe_tail = sq->sqe_head;
	t->request->op.busy = false;
	t->request->op.done(&t->request->op, result);
}

/* The same with a failure, which is told: `part` of the line. */
static void complete_badly(struct fixture *t, int result, const char *part)
{
	capture_start(STDERR_FILENO);
	complete(t, result);
	assert_one_line_with(capture_end(), part);
}

/* What a read or write is for: vectors, or (of a write) a single buffer. */
static unsigned buffers_of(const struct io_uring_sqe *sqe, const struct iovec **iov)
{
	static struct iovec single;

	if (sqe->opcode == IORING_OP_WRITE) {
		single = (struct iovec){ (void *)(uintptr_t)sqe->addr, sqe->len };
		*iov = &single;
		return 1;
	}
	*iov = (const struct iovec *)(uintptr_t)sqe->addr;
	return sqe->len;
}

/* How many bytes; its buffers must be the driver's, each `len` bytes at `data`, from byte
 * `at` of all of them on. */
static uint64_t check_buffers(const struct io_uring_sqe *sqe, const void *data, size_t len,
			      uint64_t at)
{
	const struct iovec *iov;
	unsigned count = buffers_of(sqe, &iov);
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++) {
		size_t skipped = (at + sum) % len;

		assert_ptr_equal(iov[i].iov_base, (const uint8_t *)data + skipped);
		assert_true(iov[i].iov_len > 0 && iov[i].iov_len <= len - skipped);
		sum += iov[i].iov_len;
		assert_true(i + 1 == count || (at + sum) % len == 0);
	}
	return sum;
}

static void assert_over(struct fixture *t, uint8_t status)
{
	assert_null(next_op(t));
	assert_int_equal(t->status, status);
	assert_int_equal(t->block.in_flight, 0);
	assert_int_equal(t->block.free_count, 1);
}

/* --- Reads and writes --- */

static void long_transfers(void **state)
{
	struct fixture *t = *state;
	static const size_t sizes[] = { 32 * MIB, 3 * MIB, 1 * MIB, 4096, 12288, 512 };
	static uint8_t data[32 * MIB]; /* never touched */
	const struct io_uring_sqe *sqe;

	for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
		uint64_t at = 0, all = sizes[i] * 254, len;
		unsigned type = i % 2 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;

		t->block.free_count = 0;
		start(t, type, data, sizes[i], 254);
		for (unsigned n = 0; (sqe = next_op(t)); n++) {
			assert_int_equal(sqe->opcode == IORING_OP_READV, i % 2 == 0);
			assert_int_equal(sqe->off, at);
			len = check_buffers(sqe, data, sizes[i], at);
			assert_true(len <= PIECE_MOST);
			/* Whatever Linux asks for goes to the disk as one. */
			assert_true(len >= 5 * MIB / 4 || at + len == all);
			if (n % 3 == 1)
				len -= 512; /* the kernel does not always do all of it */
			if (n % 7 == 5)
				len = 512;
			if (n % 5 == 3) {
				complete(t, -EAGAIN);
				continue;
			}
			at += len;
			complete(t, (int)len);
		}
		assert_int_equal(at, all);
		assert_over(t, VIRTIO_BLK_S_OK);
	}
}

/* What the page cache has is copied at once, but not all of a long request. */
static void cached(void **state)
{
	struct fixture *t = *state;
	uint8_t *bytes = calloc(1, 16 * MIB);
	const struct io_uring_sqe *sqe;
	int fd = open(unit_file("cached", bytes, 16 * MIB), O_RDWR);

	t->block.disk.fd = fd;
	t->block.read_may_wait = t->block.write_may_wait = false;
	for (unsigned type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
		t->block.copied = t->block.free_count = 0;
		start(t, type, bytes, 8 * MIB, 2);
		assert_true(t->block.copied <= PIECE_MOST);
		assert_non_null(sqe = next_op(t));
		assert_int_equal(sqe->off, t->block.copied);
		complete_badly(t, -EIO,
			       type == VIRTIO_BLK_T_IN ? "block0: cannot read"
						       : "block0: cannot write");
		assert_over(t, VIRTIO_BLK_S_IOERR);
	}
	close(fd);
	free(bytes);
}

static void failures(void **state)
{
	struct fixture *t = *state;
	static uint8_t data[4096];

	start(t, VIRTIO_BLK_T_IN, data, sizeof(data), 1);
	assert_non_null(next_op(t));
	complete_badly(t, 0, "block0: cannot read at byte 0: No data"); /* the file ends */
	assert_over(t, VIRTIO_BLK_S_IOERR);
}

/* --- Ranges --- */

static void long_ranges(void **state)
{
	struct fixture *t = *state;
	static const uint32_t types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES };
	const struct io_uring_sqe *sqe;

	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		uint64_t at = 7 * 512, end = at + 2 * GIB;

		t->block.free_count = 0;
		start_range(t, types[i], 7, 1 << 22);
		while ((sqe = next_op(t))) {
			assert_int_equal(sqe->opcode, IORING_OP_FALLOCATE);
			assert_int_equal(sqe->len,
					 FALLOC_FL_KEEP_SIZE |
						 (i ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE));
			assert_int_equal(sqe->off, at);
			assert_in_range(sqe->addr, 1, RANGE_MOST);
			at += sqe->addr;
			assert_true(at % MIB == 0 || at == end); /* no block in two pieces */
			complete(t, 0);
		}
		assert_int_equal(at, end);
		assert_over(t, VIRTIO_BLK_S_OK);
	}
}

static void zeroes_by_hand(void **state)
{
	struct fixture *t = *state;
	static const uint8_t zeroes[64 << 10];
	const struct io_uring_sqe *sqe;
	uint64_t at = 512;

	start_range(t, VIRTIO_BLK_T_WRITE_ZEROES, 1, 1 << 20);
	assert_non_null(next_op(t));
	complete(t, -EOPNOTSUPP);
	for (unsigned n = 0; (sqe = next_op(t)); n++) {
		const struct iovec *iov;
		unsigned count = buffers_of(sqe, &iov);
		uint64_t len = 0;

		assert_int_equal(sqe->off, at);
		for (unsigned i = 0; i < count; len += iov[i++].iov_len)
			assert_memory_equal(iov[i].iov_base, zeroes, iov[i].iov_len);
		assert_in_range(len, 1, PIECE_MOST);
		len = n % 3 ? len : 512;
		at += len;
		complete(t, (int)len);
	}
	assert_int_equal(at, 512 + 512 * MIB);
	assert_over(t, VIRTIO_BLK_S_OK);
}

static void discard_is_advice(void **state)
{
	struct fixture *t = *state;

	start_range(t, VIRTIO_BLK_T_DISCARD, 0, 8);
	assert_non_null(next_op(t));
	complete(t, -EOPNOTSUPP);
	assert_over(t, VIRTIO_BLK_S_OK);

	t->block.free_count = 0;
	start_range(t, VIRTIO_BLK_T_DISCARD, 0, 8);
	assert_non_null(next_op(t));
	complete_badly(t, -ENOSPC, "block0: cannot discard");
	assert_over(t, VIRTIO_BLK_S_IOERR);
}

/* --- A driver that cannot flush --- */

/* It is answered when what it asked for is safe, and told if that cannot be. */
static void ranges_are_synced(void **state)
{
	struct fixture *t = *state;
	static const uint32_t types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES };
	const struct io_uring_sqe *sqe;

	t->block.write_flags = RWF_DSYNC;
	for (unsigned i = 0; i < 2 * COUNT_OF(types); i++) {
		t->block.free_count = 0;
		start_range(t, types[i / 2], 0, 8);
		assert_non_null(next_op(t));
		complete(t, 0);
		assert_non_null(sqe = next_op(t));
		assert_int_equal(sqe->opcode, IORING_OP_FSYNC);
		assert_int_equal(t->status, NO_ANSWER);
		if (i % 2)
			complete_badly(t, -EIO, "block0: cannot discard or write zeroes");
		else
			complete(t, 0);
		assert_over(t, i % 2 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	}
}

static void zeroes_by_hand_are_synced(void **state)
{
	struct fixture *t = *state;
	const struct io_uring_sqe *sqe;

	t->block.write_flags = RWF_DSYNC;
	start_range(t, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8);
	assert_non_null(next_op(t));
	complete(t, -EOPNOTSUPP);
	assert_non_null(sqe = next_op(t));
	assert_int_equal(sqe->opcode, IORING_OP_WRITEV);
	assert_int_equal(sqe->rw_flags, RWF_DSYNC);
	complete(t, 4096);
	/* Before it came to that, fallocate() may have done a part. */
	assert_non_null(sqe = next_op(t));
	assert_int_equal(sqe->opcode, IORING_OP_FSYNC);
	complete(t, 0);
	assert_over(t, VIRTIO_BLK_S_OK);
}

/* --- A queue that stops --- */

/* Whatever is in flight when the queue stops is the last of its request. */
static void stopped(void **state)
{
	struct fixture *t = *state;
	static uint8_t data[4096];
	static const int partly[] = { 512, -EAGAIN, -EINTR };

	for (unsigned i = 0; i < COUNT_OF(partly); i++) {
		t->block.free_count = 0;
		t->block.device.queues[0].running = true;
		start(t, VIRTIO_BLK_T_IN, data, sizeof(data), 4);
		assert_non_null(next_op(t));
		t->block.device.queues[0].running = false;
		complete(t, partly[i]);
		assert_over(t, VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(t->block.errors, 0); /* it is not the disk's fault */
}

static void stopped_range(void **state)
{
	struct fixture *t = *state;
	static const int results[] = { 0, -EOPNOTSUPP };

	for (unsigned i = 0; i < COUNT_OF(results); i++) {
		t->block.free_count = 0;
		t->block.device.queues[0].running = true;
		start_range(t, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1 << 22);
		assert_non_null(next_op(t));
		t->block.device.queues[0].running = false;
		complete(t, results[i]);
		assert_over(t, VIRTIO_BLK_S_IOERR);
	}
	/* By hand. */
	t->block.free_count = 0;
	t->block.device.queues[0].running = true;
	start_range(t, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1 << 22);
	assert_non_null(next_op(t));
	complete(t, -EOPNOTSUPP);
	assert_non_null(next_op(t));
	t->block.device.queues[0].running = false;
	complete(t, 65536);
	assert_over(t, VIRTIO_BLK_S_IOERR);
	/* With nothing left to do but to sync. */
	t->block.free_count = 0;
	t->block.write_flags = RWF_DSYNC;
	t->block.device.queues[0].running = true;
	start_range(t, VIRTIO_BLK_T_DISCARD, 0, 8);
	assert_non_null(next_op(t));
	t->block.device.queues[0].running = false;
	complete(t, 0);
	assert_over(t, VIRTIO_BLK_S_IOERR);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		BLOCK_TEST(long_transfers),    BLOCK_TEST(cached),
		BLOCK_TEST(failures),          BLOCK_TEST(long_ranges),
		BLOCK_TEST(zeroes_by_hand),    BLOCK_TEST(discard_is_advice),
		BLOCK_TEST(ranges_are_synced), BLOCK_TEST(zeroes_by_hand_are_synced),
		BLOCK_TEST(stopped),           BLOCK_TEST(stopped_range),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("block-request", tests, NULL, NULL);
}
