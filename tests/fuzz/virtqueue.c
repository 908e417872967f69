/*
 * virtqueue.c: one queue over a memory image the input made.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "virtqueue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(const struct memory_region *region, const struct iovec *iov)
{
	const uint8_t *base = iov->iov_base;

	return base >= region->host && base < region->host + region->size &&
	       iov->iov_len <= (size_t)(region->host + region->size - base);
}

/* What virtqueue_next() promises of a chain. */
static void check(const struct memory *memory, const struct chain *chain)
{
	unsigned count = chain->readable + chain->writable;
	uint64_t len = 0;

	if (count < 1 || count > VIRTQUEUE_CHAIN_MAX)
		__builtin_trap();
	for (unsigned i = 0; i < count; i++) {
		if (chain->iov[i].iov_len == 0 || (!lies_in(&memory->low, &chain->iov[i]) &&
						   !lies_in(&memory->high, &chain->iov[i])))
			__builtin_trap();
		len += chain->iov[i].iov_len;
	}
	if (len != chain->readable_len + chain->writable_len)
		__builtin_trap();
}

/* Where the rings are, how large, then the image: it fills RAM from its start. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory *memory = fuzz_memory(0x4000, 0x1000);
	struct input input = { data, size };
	struct virtqueue_layout layout = {
		.size = (uint16_t)input_take(&input, 2),
		.desc = input_take(&input, 2) * 16,
		.driver = input_take(&input, 2) * 2,
		.device = input_take(&input, 2) * 4,
	};
	unsigned flags = (unsigned)input_take(&input, 1);
	struct iovec iov[VIRTQUEUE_CHAIN_MAX];
	struct chain chain = { .iov = iov };
	struct virtqueue vq;

	if (flags & 4)
		layout.device += UINT64_C(1) << 32;
	memcpy(memory->low.host, input.at, input.left < 0x4000 ? input.left : 0x4000);
	if (virtqueue_start(&vq, memory, &layout, flags & 1, flags & 2) < 0)
		return 0;
	virtqueue_disable_kicks(&vq);
	for (unsigned i = 0; i < 512 && virtqueue_next(&vq, &chain) > 0; i++) {
		check(memory, &chain);
		virtqueue_done(&vq, chain.head, (uint32_t)chain.writable_len);
		if (i % 16 == 0)
			virtqueue_publish(&vq);
	}
	virtqueue_publish(&vq);
	virtqueue_enable_kicks(&vq);
	return 0;
}
