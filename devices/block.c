/*
 * block.c: virtio-blk on a file: the device, its queue, taking requests.
 *
 * disk.c opened the file; block-request.c carries the requests out. Here a
 * chain becomes a request: its header is copied once, its status byte and
 * its data are found, whatever buffers the driver cut them into.
 *
 * Source: virtio 1.2, 5.2.
 */
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "block.h"
#include "device.h"

#define SEGMENTS_MAX (VIRTQUEUE_CHAIN_MAX - 2) /* besides header and status */
#define ROUND_MAX    64                        /* chains before the loop gets its turn, */
#define ROUND_BYTES  (8u << 20)                /* or bytes copied at once */

/* The configuration up to what we offer: newer headers describe more (5.2.4). */
#define CONFIG_SIZE (offsetof(struct virtio_blk_config, write_zeroes_may_unmap) + 4)

#define PCI_CLASS_SCSI 0x010000

static struct block *of(struct virtio_device *device)
{
	return loop_op_owner(device, struct block, device);
}
/* Cut header and status off the chain; what remains is the data. Returns false if they lack. */
static bool parse(struct request *request, uint64_t *sector)
{
	struct chain *chain = &request->chain;
	struct virtio_blk_outhdr header;
	struct iovec *last = &chain->iov[chain->readable + chain->writable - 1];
	bool reads;

	if (iov_read(chain->iov, chain->readable, &header, sizeof(header)) < sizeof(header) ||
	    chain->writable == 0)
		return false;
	request->type = le32toh(header.type);
	*sector = le64toh(header.sector);
	request->status = (uint8_t *)last->iov_base + last->iov_len - 1;

	reads = request->type == VIRTIO_BLK_T_IN || request->type == VIRTIO_BLK_T_GET_ID;
	if (reads) {
		request->iov = chain->iov + chain->readable;
		request->remaining = chain->writable_len - 1;
		request->iov_count =
			iov_truncate(request->iov, chain->writable, request->remaining);
	} else {
		request->iov = chain->iov;
		request->iov_count = chain->readable;
		request->remaining = chain->readable_len - sizeof(header);
		iov_skip(&request->iov, &request->iov_count, sizeof(header));
	}
	return true;
}

/* Take one request; false when there is none, or no room to remember it. */
static bool take_request(struct block *block)
{
	struct request *request;
	uint64_t sector;

	if (block->free_count == 0)
		return false;
	request = &block->requests[block->free[block->free_count - 1]];
	request->chain.iov = request->buffers;
	if (!virtio_next(&block->device.queues[0], &request->chain))
		return false;
	if (!parse(request, &sector)) {
		virtio_break(&block->device, "block request without header or status");
		return false;
	}
	block->free_count--;
	request->block = block;
	request->fd = block->disk.fd;
	request->is_range = false;
	block_start_request(request, sector);
	return true;
}

static void serve(struct virtio_device *device, unsigned index)
{
	struct block *block = of(device);
	struct virtio_queue *queue = &device->queues[index];
	uint64_t enough = block->copied + ROUND_BYTES;
	unsigned round = 0;

	if (block->again.busy)
		return;
	virtio_ignore_kicks(queue);
	do {
		while (round < ROUND_MAX && block->copied < enough && take_request(block))
			round++;
		if (round == ROUND_MAX || block->copied >= enough) {
			loop_again(virtio_loop(queue), &block->again);
			return;
		}
		/* Full up: kicks stay off, after_finish() looks again. */
		if (block->free_count == 0)
			return;
	} while (virtio_want_kicks(queue));
}

static void serve_again(struct loop_op *op, int result)
{
	struct block *block = loop_op_owner(op, struct block, again);

	(void)result;
	if (block->device.queues[0].running)
		serve(&block->device, 0);
}

void block_resume(struct block *block)
{
	if (block->device.queues[0].running)
		serve(&block->device, 0);
}

/* --- Life --- */

static void start(struct virtio_device *device)
{
	of(device)->write_flags = virtio_has(device, VIRTIO_BLK_F_FLUSH) ? 0 : RWF_DSYNC;
}

static void queue_stop(struct virtio_device *device, unsigned index)
{
	struct block *block = of(device);

	device->queues[index].running = false; /* take nothing new while this drains */
	loop_await(virtio_loop(&device->queues[index]), &block->again);
	loop_drain(virtio_loop(&device->queues[index]), &block->in_flight);
}

static void release(struct virtio_device *device)
{
	struct block *block = of(device);

	disk_close(&block->disk);
	free(block->requests);
}

static const struct virtio_class block_class = {
	.name = "block",
	.id = VIRTIO_ID_BLOCK,
	.pci_class = PCI_CLASS_SCSI,
	.config_size = CONFIG_SIZE,
	.start = start,
	.kick = serve,
	.queue_stop = queue_stop,
	.release = release,
};

static void set_config(struct block *block)
{
	const struct disk *disk = &block->disk;
	uint32_t ratio = disk->physical_size / disk->block_size;
	struct virtio_blk_config config = {
		.capacity = htole64(disk->size / BLOCK_SECTOR),
		.seg_max = htole32(SEGMENTS_MAX),
		.blk_size = htole32(disk->block_size),
		.min_io_size = htole16((uint16_t)(ratio ? ratio : 1)),
		.max_discard_sectors = htole32(BLOCK_RANGE_SECTORS_MAX),
		.max_discard_seg = htole32(1),
		.discard_sector_alignment = htole32(disk->physical_size / BLOCK_SECTOR),
		.max_write_zeroes_sectors = htole32(BLOCK_RANGE_SECTORS_MAX),
		.max_write_zeroes_seg = htole32(1),
		.write_zeroes_may_unmap = 1,
	};

	_Static_assert(CONFIG_SIZE <= VIRTIO_CONFIG_MAX, "the configuration fits");
	while (ratio > 1u << config.physical_block_exp)
		config.physical_block_exp++;
	virtio_config_set(&block->device, 0, &config, CONFIG_SIZE);
}

static uint64_t features(const struct disk *disk)
{
	uint64_t bits = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
			BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_FLUSH);

	if (disk->read_only)
		return bits | BIT(VIRTIO_BLK_F_RO);
	return bits | BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
}

static struct virtio_device *create(unsigned index, const void *options,
				    const struct memory *memory, struct stream *terminal)
{
	const struct disk_options *wanted = options;
	struct virtio_setup setup = { .index = index, .memory = memory, .queues = 1, .threads = 1 };
	struct block *block = device_allocate("--disk", sizeof(*block));

	(void)terminal;
	if (!block)
		return NULL;
	block->requests = device_allocate("--disk", BLOCK_REQUESTS * sizeof(*block->requests));
	if (!block->requests || disk_open(&block->disk, wanted) < 0)
		goto fail;
	memcpy(block->serial, wanted->serial, sizeof(block->serial));
	for (unsigned i = 0; i < BLOCK_REQUESTS; i++)
		block->free[i] = (uint16_t)(BLOCK_REQUESTS - 1 - i);
	block->free_count = BLOCK_REQUESTS;
	block->again.done = serve_again;
	setup.features = features(&block->disk);
	if (virtio_init(&block->device, &block_class, &setup) < 0)
		goto fail;
	set_config(block);
	return &block->device;
fail:
	free(block->requests);
	free(block);
	return NULL;
}

static const struct sandbox_rule needs[] = {
	SANDBOX_CALL(preadv2),
	SANDBOX_CALL(pwritev2),
	SANDBOX_END,
};

const struct device_type block_device = {
	.name = "block",
	.option = "disk",
	.letter = 'd',
	.syntax = "FILE[,ro][,direct][,serial=ID]",
	.help = "raw image or block device as a disk; repeatable",
	.parse = disk_parse,
	.create = create,
	.needs = needs,
};
