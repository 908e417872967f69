/*
 * block-request.c: carrying out the requests of a virtio disk.
 *
 * block.c hands them over, cut into header, status and data. What the page
 * cache can answer at once is answered at once (RWF_NOWAIT). Everything else
 * goes to the kernel through the loop's ring, many requests at a time, in no
 * particular order. A request ends with its status byte and its chain given
 * back; the loop publishes after the batch.
 *
 * However long a request is, the kernel is asked for a piece of it at a time:
 * what it has begun it does to the end, and a reset has to wait for that. The
 * rest of a request whose queue stops is not done.
 *
 * A completed FLUSH means fdatasync() has returned. A driver that did not
 * take the FLUSH feature has no way to ask, so each of its writes is synced,
 * and so is whatever it discards or zeroes.
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

/*
 * Pieces, in bytes. What is read or written: no less than Linux asks for at once
 * (1280 KiB, unless told otherwise). What is discarded or zeroed: a file system does
 * that in no time, but for some disks the kernel has to write the zeroes.
 */
#define PIECE           (2u << 20)
#define RANGE_PIECE     (16u << 20)
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

/* In a completion: it is over, done or failed for this reason. */
static void end_request(struct request *request, int error)
{
	struct block *block = request->block;

	if (error)
		report_error(request, error);
	block_finish(request, error ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	if (block->free_count == 1)
		block_resume(block);
}

/* In a completion: the next step, unless the queue has stopped meanwhile. Then nothing
 * is published any more, and somebody waits for us: the request is just over. */
static void go_on(struct request *request, void (*next)(struct request *request))
{
	if (request->block->device.queues[0].running)
		next(request);
	else
		block_finish(request, VIRTIO_BLK_S_IOERR);
}

/* --- Flush --- */

static void flush_done(struct loop_op *op, int result)
{
	struct request *request = loop_op_owner(op, struct request, op);

	request->block->in_flight--;
	end_request(request, result < 0 ? -result : 0);
}

static void start_flush(struct request *request)
{
	struct block *block = request->block;

	request->op.done = flush_done;
	block->in_flight++;
	loop_fdatasync(virtio_loop(&block->device.queues[0]), &request->op, request->fd);
}

/* In a completion: all of it is done. A driver that cannot flush hears of a range when
 * that is safe; its writes are (RWF_DSYNC). */
static void complete_request(struct request *request)
{
	if (request->is_range && request->block->write_flags)
		go_on(request, start_flush);
	else
		end_request(request, 0);
}

/* --- Reading and writing --- */

/* Account for `len` bytes moved; true when the request is complete. */
static bool advance(struct request *request, uint64_t len)
{
	request->offset += len;
	request->remaining -= len;
	if (!request->is_range)
		iov_skip(&request->iov, &request->iov_count, len);
	return request->remaining == 0;
}

/* Point the buffers at zeroes, for a piece of the rest. */
static void aim_at_zeroes(struct request *request)
{
	uint64_t rest = request->remaining < PIECE ? request->remaining : PIECE;

	request->iov = request->buffers;
	request->iov_count = 0;
	while (rest > 0) {
		size_t len = rest < ZEROES ? (size_t)rest : ZEROES;

		request->buffers[request->iov_count++] =
			(struct iovec){ .iov_base = (void *)(uintptr_t)zeroes, .iov_len = len };
		rest -= len;
	}
}

/* How many buffers make the next piece. The last one is cut to fit, until end_piece(). */
static unsigned begin_piece(struct request *request)
{
	unsigned count = 0;
	size_t len = 0;

	while (count < request->iov_count && len < PIECE)
		len += request->iov[count++].iov_len;
	request->last = &request->iov[count - 1];
	request->cut = len > PIECE ? len - PIECE : 0;
	request->last->iov_len -= request->cut;
	return count;
}

static void end_piece(struct request *request)
{
	request->last->iov_len += request->cut;
}

static void submit(struct request *request)
{
	struct block *block = request->block;
	unsigned count;

	block->in_flight++;
	if (request->is_range)
		aim_at_zeroes(request);
	count = begin_piece(request);
	if (request->type == VIRTIO_BLK_T_IN)
		loop_readv(virtio_loop(&block->device.queues[0]), &request->op, request->fd,
			   request->iov, count, request->offset, 0);
	else
		loop_writev(virtio_loop(&block->device.queues[0]), &request->op, request->fd,
			    request->iov, count, request->offset, block->write_flags);
}

/* Do at once what needs no waiting, a piece at most; true if that was all of it. */
static bool try_at_once(struct request *request)
{
	struct block *block = request->block;
	bool reading = request->type == VIRTIO_BLK_T_IN;
	bool *may_wait = reading ? &block->read_may_wait : &block->write_may_wait;
	unsigned count;
	ssize_t len;

	if (*may_wait)
		return false;
	count = begin_piece(request);
	if (reading)
		len = preadv2(request->fd, request->iov, (int)count, (off_t)request->offset,
			      RWF_NOWAIT);
	else
		len = pwritev2(request->fd, request->iov, (int)count, (off_t)request->offset,
			       RWF_NOWAIT);
	end_piece(request);
	if (len < 0 && errno == EOPNOTSUPP)
		*may_wait = true;
	if (len <= 0)
		return false;
	block->copied += (uint64_t)len;
	return advance(request, (uint64_t)len);
}

static void transfer_done(struct loop_op *op, int result)
{
	struct request *request = loop_op_owner(op, struct request, op);

	request->block->in_flight--;
	end_piece(request);
	if (result > 0 && advance(request, (uint64_t)result))
		complete_request(request);
	else if (result > 0 || result == -EAGAIN || result == -EINTR)
		go_on(request, submit);
	else /* Nothing read means the file ends here: it became shorter. */
		end_request(request, result < 0 ? -result : ENODATA);
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

/* --- Discard, write zeroes --- */

static void submit_range(struct request *request)
{
	struct block *block = request->block;
	/* Where one ends the next begins, and no block of the file is in both. */
	uint64_t len = RANGE_PIECE - request->offset % RANGE_PIECE;

	request->piece = len < request->remaining ? len : request->remaining;
	block->in_flight++;
	loop_fallocate(virtio_loop(&block->device.queues[0]), &request->op, request->fd,
		       request->mode, request->offset, request->piece);
}

static void range_done(struct loop_op *op, int result)
{
	struct request *request = loop_op_owner(op, struct request, op);

	request->block->in_flight--;
	if (result == -EOPNOTSUPP && request->type == VIRTIO_BLK_T_WRITE_ZEROES) {
		request->op.done = transfer_done;
		go_on(request, submit);
	} else if (result == -EOPNOTSUPP) {
		/* A discard is advice: a file that cannot follow it has lost nothing. */
		end_request(request, 0);
	} else if (result < 0) {
		end_request(request, -result);
	} else if (advance(request, request->piece)) {
		complete_request(request);
	} else {
		go_on(request, submit_range);
	}
}

static void start_range(struct request *request)
{
	struct block *block = request->block;
	struct virtio_blk_discard_write_zeroes range;
	uint32_t allowed =
		request->type == VIRTIO_BLK_T_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	uint64_t sector, len;

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
	request->mode = FALLOC_FL_KEEP_SIZE;
	request->mode |= request->type == VIRTIO_BLK_T_DISCARD ||
					 (le32toh(range.flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)
				 ? FALLOC_FL_PUNCH_HOLE
				 : FALLOC_FL_ZERO_RANGE;
	request->offset = sector * BLOCK_SECTOR;
	request->remaining = len;
	request->is_range = true;
	/* Zeroes that fallocate() cannot make are written, and not by O_DIRECT. */
	if (block->disk.buffered_fd >= 0)
		request->fd = block->disk.buffered_fd;
	request->op.done = range_done;
	submit_range(request);
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
