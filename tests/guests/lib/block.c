/*
 * block.c: a block request as a descriptor chain: header, data, status.
 */
#include "block.h"

bool block_add(struct queue *q, struct block_request *r, unsigned type, uint64_t sector, void *data,
	       uint32_t length, bool indirect)
{
	struct buffer b[3];
	unsigned n = 0, out;

	r->header = (struct block_header){ type, 0, sector };
	r->status = BLOCK_NO_ANSWER;
	b[n++] = (struct buffer){ &r->header, sizeof(r->header) };
	if (length)
		b[n++] = (struct buffer){ data, length };
	out = block_reads(type) ? 1 : n;
	b[n++] = (struct buffer){ (void *)&r->status, 1 };
	r->head = (indirect ? queue_add_indirect : queue_add)(q, b, out, n - out);
	return r->head >= 0;
}

uint8_t block_do(struct queue *q, unsigned type, uint64_t sector, void *data, uint32_t length,
		 uint32_t *used)
{
	struct block_request r;

	if (!block_add(q, &r, type, sector, data, length, false))
		return BLOCK_NO_ANSWER;
	queue_kick(q);
	if (queue_wait(q, used) != r.head)
		return BLOCK_NO_ANSWER;
	return r.status;
}
