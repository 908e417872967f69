/*
 * block-request.c: carrying out the requests of a virtio disk.
 *
 * block.c hands them over, cut into header, status and data. What the page
 * cache can answer at once is answered at once (RWF_NOWAIT). Everything else
 * goes to the kernel through the loop's ring, many requests at a time, in no
 * particular order. A request ends with its status byte and its chain given
 * back; the loop publishes after the batch.
 *
 * A completed FLUSH means fdatasync() has returned. A driver that did not
 * take the FLUSH feature has no way to ask, so each of its writes is synced.
 *
 * Source: virtio 1.2, 5.2.6.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/uio.h>

#include "block.h"
#include "log.h"

#define ZEROES          (64u << 10) /* bytes of zeroes at hand */
#define ERRORS_REPORTED 10

static const uint8_t zeroes[ZEROES];

/* --- The end of a request --- */

void block_finish(struct request *request, uint8_t status)
{
	struct block *block = request->block;
	struct virtio_queue *queue = &block->device.queues[0];
	/* The status byte is the last. If what is before it was written too,
	 * that is the length; if not, nothing was written "from the start". */
	uint32_t written = request->chain.writable_len == 1 || status == VIRTIO_BLK_S_OK
				   ? (uint32_t)request->chain.writable_len
				   : 0;

	*request->status = status;
	virtio_done(queue, request->chain.head, written, request->chain.readable_len + written);
	block->free[block->free_count++] = (uint16_t)(request - block->requests);
}

/* A disk that fails may fail at every request, and a guest may ask for ever: the
 * log gets the first few. */
static void report_error(const struct request *request, int error)
{
	struct block *block = request->block;
	static const char *const verbs[] = {
		[VIRTIO_BLK_T_IN] = "read", [VIRTIO_BLK_T_OUT] = "write"
	};
	const char *verb = request->type <= VIRTIO_BLK_T_OUT     ? verbs[request->type]
			   : request->type == VIRTIO_BLK_T_FLUSH ? "flush"
								 : "discard or write zeroes";

	if (block->errors == ERRORS_REPORTED)
		return;
	log_warning("%s: cannot %s at byte %llu: %s%s", block->device.name, verb,
		    (unsigned long long)request->offset, strerror(error),
		    ++block->errors == ERRORS_REPORTED ? "; no further errors will be reported"
						       : "");
}

/* --- Reading and writing --- */

/* Account for `len` bytes moved; true when the request is complete. */
static bool advance(struct request *request, uint64_t len)
{
	request->offset += len;
	request->remaining -= len;
	if (!request->zeroing)
		iov_skip(&request->iov, &request->iov_count, len);
	return request->remaining == 0;
}

/* Point the buffers at zeroes, for as much of the rest as they can cover. */
static void aim_at_zeroes(struct request *request)
{
	uint64_t rest = request->remaining;

	request->iov = request->buffers;
	request->iov_count = 0;
	while (rest > 0 && request->iov_count < VIRTQUEUE_CHAIN_MAX) {
		size_t len = rest < ZEROES ? (size_t)rest : ZEROES;

		request->buffers[request->iov_count++] =
			(struct iovec){ .iov_base = (void *)(uintptr_t)zeroes, .iov_len = len };
		rest -= len;
	}
}

static void submit(struct request *request)
{
	struct block *block = request->block;

	block->in_flight++;
	if (request->zeroing)
		aim_at_zeroes(request);
	if (request->type == VIRTIO_BLK_T_IN)
		loop_readv(virtio_loop(&block->device.queues[0]), &request->op, request->fd,
			   request->iov, request->iov_count, request->offset, 0);
	else
		loop_writev(virtio_loop(&block->device.queues[0]), &request->op, request->fd,
			    request->iov, request->iov_count, request->offset, block->write_flags);
}

/* Do at once what needs no waiting; true if that was all of it. */
static bool try_at_once(struct request *request)
{
	struct block *block = request->block;
	bool reading = request->type == VIRTIO_BLK_T_IN;
	bool *may_wait = reading ? &block->read_may_wait : &block->write_may_wait;
	ssize_t len;

	if (*may_wait)
		return false;
	if (reading)
		len = preadv2(request->fd, request->iov, (int)request->iov_count,
			      (off_t)request->offset, RWF_NOWAIT);
	else
		len = pwritev2(request->fd, request->iov, (int)request->iov_count,
			       (off_t)request->offset, RWF_NOWAIT);
	if (len < 0 && errno == EOPNOTSUPP)
		*may_wait = true;
	return len > 0 && advance(request, (uint64_t)len);
}

static void transfer_done(struct loop_op *op, int result)
{
	struct request *request = loop_op_owner(op, struct request, op);
	struct block *block = request->block;

	block->in_flight--;
	if (result == -EAGAIN || result == -EINTR) {
		submit(request);
		return;
	}
	if (result > 0 && !advance(request, (uint64_t)result)) {
		submit(request);
		return;
	}
	if (result <= 0) {
		/* Nothing read means the file ends here: it became shorter. */
		report_error(request, result < 0 ? -result : ENODATA);
		block_finish(request, VIRTIO_BLK_S_IOERR);
	} else {
		block_finish(request, VIRTIO_BLK_S_OK);
	}
	if (block->free_count == 1)
		block_resume(block);
}

/* O_DIRECT takes only aligned buffers. Others go through the page cache. */
static bool is_aligned(const struct request *request)
{
	uintptr_t bits = 0;

	for (unsigned i = 0; i < request->iov_count; i++)
		bits |= (uintptr_t)request->iov[i].iov_base | request->iov[i].iov_len;
	return bits % request->block->disk.memory_align == 0;
}

static bool in_range(const struct block *block, uint64_t sector, uint64_t len)
{
	uint64_t sectors = block->disk.size / BLOCK_SECTOR;

	return len % BLOCK_SECTOR == 0 && sector <= sectors &&
	       len / BLOCK_SECTOR <= sectors - sector;
}

static void start_transfer(struct request *request, uint64_t sector)
{
	struct block *block = request->block;
	bool direct = block->disk.buffered_fd >= 0;

	if (!in_range(block, sector, request->remaining) ||
	    (request->type == VIRTIO_BLK_T_OUT && block->disk.read_only)) {
		block_finish(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	request->offset = sector * BLOCK_SECTOR;
	if (request->remaining == 0) {
		block_finish(request, VIRTIO_BLK_S_OK);
		return;
	}
	request->op.done = transfer_done;
	if (direct && !is_aligned(request))
		request->fd = block->disk.buffered_fd;
	if (!direct && (request->type == VIRTIO_BLK_T_IN || !block->write_flags) &&
	    try_at_once(request))
		block_finish(request, VIRTIO_BLK_S_OK);
	else
		submit(request);
}

/* --- Flush, discard, write zeroes --- */

static void range_done(struct loop_op *op, int result)
{
	struct request *request = loop_op_owner(op, struct request, op);
	struct block *block = request->block;

	block->in_flight--;
	if (result == -EOPNOTSUPP && request->type == VIRTIO_BLK_T_WRITE_ZEROES) {
		request->zeroing = true;
		request->op.done = transfer_done;
		submit(request);
		return;
	}
	/* A discard is advice: a file that cannot follow it has lost nothing. */
	if (result == -EOPNOTSUPP && request->type == VIRTIO_BLK_T_DISCARD)
		result = 0;
	if (result < 0)
		report_error(request, -result);
	block_finish(request, result < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	if (block->free_count == 1)
		block_resume(block);
}

static void start_range(struct request *request)
{
	struct block *block = request->block;
	struct virtio_blk_discard_write_zeroes range;
	uint32_t allowed =
		request->type == VIRTIO_BLK_T_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	uint64_t sector, len;
	int mode;

	if (request->remaining != sizeof(range) || block->disk.read_only) {
		block_finish(request, VIRTIO_BLK_S_IOERR); /* one range: max_*_seg says so */
		return;
	}
	iov_read(request->iov, request->iov_count, &range, sizeof(range));
	sector = le64toh(range.sector);
	len = (uint64_t)le32toh(range.num_sectors) * BLOCK_SECTOR;
	if (le32toh(range.flags) & ~allowed) {
		block_finish(request, VIRTIO_BLK_S_UNSUPP);
		return;
	}
	if (!in_range(block, sector, len) ||
	    len > (uint64_t)BLOCK_RANGE_SECTORS_MAX * BLOCK_SECTOR) {
		block_finish(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (len == 0) {
		block_finish(request, VIRTIO_BLK_S_OK);
		return;
	}
	mode = FALLOC_FL_KEEP_SIZE;
	mode |= request->type == VIRTIO_BLK_T_DISCARD ||
				(le32toh(range.flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)
			? FALLOC_FL_PUNCH_HOLE
			: FALLOC_FL_ZERO_RANGE;
	request->offset = sector * BLOCK_SECTOR;
	request->remaining = len;
	/* Zeroes that fallocate() cannot make are written, and not by O_DIRECT. */
	if (block->disk.buffered_fd >= 0)
		request->fd = block->disk.buffered_fd;
	request->op.done = range_done;
	block->in_flight++;
	loop_fallocate(virtio_loop(&block->device.queues[0]), &request->op, request->fd, mode,
		       request->offset, len);
}

static void start_flush(struct request *request)
{
	struct block *block = request->block;

	request->op.done = range_done;
	block->in_flight++;
	loop_fdatasync(virtio_loop(&block->device.queues[0]), &request->op, request->fd);
}

static void answer_id(struct request *request)
{
	struct block *block = request->block;

	iov_write(request->iov, request->iov_count, block->serial, sizeof(block->serial));
	block_finish(request, VIRTIO_BLK_S_OK);
}

void block_start_request(struct request *request, uint64_t sector)
{
	switch (request->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		start_transfer(request, sector);
		break;
	case VIRTIO_BLK_T_FLUSH:
		start_flush(request);
		break;
	case VIRTIO_BLK_T_GET_ID:
		answer_id(request);
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		start_range(request);
		break;
	default:
		block_finish(request, VIRTIO_BLK_S_UNSUPP);
	}
}
