/*
 * ledger.c: a guest that keeps a ledger. Block N of its disk (4 KiB, from 1) is
 * filled with the number N; once it is safe the guest says so in a line "N".
 * Whoever ends lodge in between finds every number it has read on the disk.
 *
 *     depth=D    D blocks are on their way at once, then one flush (1)
 *     noflush    no FLUSH feature: a write that is answered is a write that is safe
 */
#include "lib/block.h"

#define BLOCK     4096
#define DEPTH_MAX 32

static struct virtio v;
static struct queue q;

int main(void)
{
	static struct block_request requests[DEPTH_MAX];
	unsigned depth = (unsigned)option_number("depth", 1);
	uint8_t *data = allocate(DEPTH_MAX * BLOCK);
	uint64_t number = 1, blocks;
	bool good = true;

	if (!virtio_find(&v, 2, 0) || depth > DEPTH_MAX)
		return 1;
	virtio_negotiate(&v, option("noflush") ? 0 : FEATURE(F_FLUSH));
	queue_open(&q, &v, 0, 0);
	virtio_driver_ok(&v);
	blocks = config64(&v, 0) * 512 / BLOCK;

	for (; number + depth <= blocks && good; number += depth) {
		for (unsigned i = 0; i < depth; i++) {
			uint64_t *block = (uint64_t *)(data + i * BLOCK);

			for (unsigned j = 0; j < BLOCK / 8; j++)
				block[j] = number + i;
			block_add(&q, &requests[i], BLOCK_OUT, (number + i) * (BLOCK / 512), block,
				  BLOCK, false);
		}
		queue_kick(&q);
		for (unsigned i = 0; i < depth; i++)
			good &= queue_wait(&q, NULL) >= 0;
		for (unsigned i = 0; i < depth; i++)
			good &= requests[i].status == BLOCK_OK;
		if (good && !option("noflush"))
			good = block_do(&q, BLOCK_FLUSH, 0, NULL, 0, NULL) == BLOCK_OK;
		for (unsigned i = 0; good && i < depth; i++)
			print("%u\n", (unsigned)number + i);
	}
	print(good ? "full\n" : "failed\n");
	stop();
}
