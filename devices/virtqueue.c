/*
 * virtqueue.c: taking chains and giving them back (tour 7).
 *
 * Every device calls in here, on its own thread. Three properties hold the
 * house up: nothing of the guest's is read twice, no address becomes a
 * pointer but through memory_at(), and no walk is longer than its bound.
 *
 * The driver runs on another processor at the same time, so every access to
 * the shared indices says which order it needs and why.
 *
 * Next in the tour: virtio.c, what all devices have in common.
 */
#include <endian.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "virtqueue.h"

/* Read a number the driver may be writing right now: once, and whole. */
#define READ_ONCE(lvalue) __atomic_load_n(&(lvalue), __ATOMIC_RELAXED)

static int broken(struct virtqueue *vq, const char *fault)
{
	vq->fault = fault;
	return -1;
}

int virtqueue_start(struct virtqueue *vq, const struct memory *memory,
		    const struct virtqueue_layout *layout, bool event_idx, bool indirect)
{
	uint64_t size = layout->size;

	*vq = (struct virtqueue){
		.memory = memory,
		.event_idx = event_idx,
		.indirect = indirect,
		.size = layout->size,
	};
	if (size == 0 || size > VIRTQUEUE_SIZE_MAX || (size & (size - 1)))
		return broken(vq, "queue size is not a power of two in range");
	if (layout->desc % 16 || layout->driver % 2 || layout->device % 4)
		return broken(vq, "rings are not aligned");

	/* Each ring ends in the other side's event index (2 bytes), EVENT_IDX or not. */
	vq->desc = memory_at(memory, layout->desc, size * sizeof(struct vring_desc));
	vq->avail = memory_at(memory, layout->driver, 4 + size * 2 + 2);
	vq->used = memory_at(memory, layout->device, 4 + size * sizeof(struct vring_used_elem) + 2);
	if (!vq->desc || !vq->avail || !vq->used)
		return broken(vq, "rings are not in RAM");
	return 0;
}

/* The driver's wish when to be interrupted lies behind the available ring. */
static uint16_t read_used_event(const struct virtqueue *vq)
{
	return le16toh(READ_ONCE(vq->avail->ring[vq->size]));
}

/* Ours when to be kicked lies behind the used ring. */
static void write_avail_event(struct virtqueue *vq, uint16_t value)
{
	uint16_t *event = (uint16_t *)(void *)&vq->used->ring[vq->size];

	__atomic_store_n(event, htole16(value), __ATOMIC_RELAXED);
}

/* One descriptor, copied; after this the guest may change it as it likes. */
static struct vring_desc snapshot(const struct vring_desc *shared)
{
	return (struct vring_desc){
		.addr = le64toh(READ_ONCE(shared->addr)),
		.len = le32toh(READ_ONCE(shared->len)),
		.flags = le16toh(READ_ONCE(shared->flags)),
		.next = le16toh(READ_ONCE(shared->next)),
	};
}

static int chain_add(struct virtqueue *vq, struct chain *chain, const struct vring_desc *desc)
{
	unsigned count = chain->readable + chain->writable;
	void *host;

	if (count == VIRTQUEUE_CHAIN_MAX)
		return broken(vq, "chain too long, or a loop");
	if (desc->len == 0)
		return broken(vq, "buffer of no length");
	host = memory_at(vq->memory, desc->addr, desc->len);
	if (!host)
		return broken(vq, "buffer outside RAM");
	chain->iov[count] = (struct iovec){ .iov_base = host, .iov_len = desc->len };
	if (desc->flags & VRING_DESC_F_WRITE) {
		chain->writable++;
		chain->writable_len += desc->len;
	} else {
		if (chain->writable)
			return broken(vq, "readable buffer after a writable one");
		chain->readable++;
		chain->readable_len += desc->len;
	}
	return 0;
}

/* An indirect table: a chain of its own in `desc`'s buffer, nothing after it (2.7.5.3). */
static int walk_indirect(struct virtqueue *vq, struct chain *chain, const struct vring_desc *desc)
{
	uint32_t count = desc->len / (uint32_t)sizeof(struct vring_desc), i = 0;
	const struct vring_desc *table;
	struct vring_desc entry;

	if (!vq->indirect)
		return broken(vq, "indirect descriptor without the feature");
	if (desc->flags & VRING_DESC_F_NEXT)
		return broken(vq, "indirect descriptor that has a next one");
	if (desc->len == 0 || desc->len % sizeof(struct vring_desc))
		return broken(vq, "indirect table of an odd length");
	/* No driver's table lies across its own numbers; one that did could not
	 * be read whole. */
	if (desc->addr % _Alignof(struct vring_desc))
		return broken(vq, "indirect table is not aligned");
	table = memory_at(vq->memory, desc->addr, desc->len);
	if (!table)
		return broken(vq, "indirect table outside RAM");

	/* chain_add() bounds the walk: a loop ends as a chain too long. */
	do {
		if (i >= count)
			return broken(vq, "indirect chain leaves its table");
		entry = snapshot(&table[i]);
		if (entry.flags & VRING_DESC_F_INDIRECT)
			return broken(vq, "indirect table inside an indirect table");
		if (chain_add(vq, chain, &entry) < 0)
			return -1;
		i = entry.next;
	} while (entry.flags & VRING_DESC_F_NEXT);
	return 0;
}

static int walk(struct virtqueue *vq, struct chain *chain)
{
	struct vring_desc desc;
	uint16_t i = chain->head;

	do {
		if (i >= vq->size)
			return broken(vq, "descriptor index out of range");
		desc = snapshot(&vq->desc[i]);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return walk_indirect(vq, chain, &desc);
		if (chain_add(vq, chain, &desc) < 0)
			return -1;
		i = desc.next;
	} while (desc.flags & VRING_DESC_F_NEXT);
	return 0;
}

/* How many chains wait, or -1 if the driver's index is impossible. */
static int waiting(const struct virtqueue *vq)
{
	/* Acquire: the driver stored the ring entry and the descriptors before
	 * it stored the index; having seen the index, we must see them too. */
	uint16_t idx = le16toh(__atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE));
	uint16_t count = (uint16_t)(idx - vq->next_avail);

	return count > vq->size ? -1 : count;
}

bool virtqueue_has_next(const struct virtqueue *vq)
{
	return !vq->fault && waiting(vq) != 0;
}

int virtqueue_next(struct virtqueue *vq, struct chain *chain)
{
	int count;

	if (vq->fault)
		return -1;
	count = waiting(vq);
	if (count < 0)
		return broken(vq, "available index jumped past the queue size");
	if (count == 0)
		return 0;

	chain->head = le16toh(READ_ONCE(vq->avail->ring[vq->next_avail & (vq->size - 1)]));
	chain->readable = chain->writable = 0;
	chain->readable_len = chain->writable_len = 0;
	if (walk(vq, chain) < 0)
		return -1;
	vq->next_avail++;
	return 1;
}

void virtqueue_done(struct virtqueue *vq, uint16_t head, uint32_t len)
{
	struct vring_used_elem *elem = &vq->used->ring[vq->next_used++ & (vq->size - 1)];

	/* Relaxed: virtqueue_publish() orders these before the index. */
	__atomic_store_n(&elem->id, htole32(head), __ATOMIC_RELAXED);
	__atomic_store_n(&elem->len, htole32(len), __ATOMIC_RELAXED);
}

static bool driver_wants_interrupt(const struct virtqueue *vq, uint16_t old, uint16_t new)
{
	if (vq->event_idx)
		return vring_need_event(read_used_event(vq), new, old);
	return !(le16toh(READ_ONCE(vq->avail->flags)) & VRING_AVAIL_F_NO_INTERRUPT);
}

void virtqueue_show(struct virtqueue *vq)
{
	if (vq->next_used == vq->shown)
		return;
	/* The driver looks at the elements as soon as it sees the index, so
	 * they, and the data they speak of, must be there first: release. */
	__atomic_store_n(&vq->used->idx, htole16(vq->next_used), __ATOMIC_RELEASE);
	vq->shown = vq->next_used;
}

bool virtqueue_publish(struct virtqueue *vq)
{
	uint16_t old = vq->published, new = vq->next_used;

	if (new == old)
		return false;
	virtqueue_show(vq);
	vq->published = new;

	/* Now ask whether it wants to hear of it. Its side is the mirror image:
	 * it writes used_event (or clears the flag), then looks at our index. If
	 * either let the load pass the store, both could see the old value: we
	 * would not interrupt, it would not look again, and what is done would
	 * lie there until the next time. Only a full barrier forbids that. */
	atomic_thread_fence(memory_order_seq_cst);
	return driver_wants_interrupt(vq, old, new);
}

void virtqueue_disable_kicks(struct virtqueue *vq)
{
	/* With EVENT_IDX the driver kicks when it passes avail_event. One that
	 * it may still come to is moved behind it; after that it stays there,
	 * and the driver goes on without kicking. Relaxed, and no barrier: a
	 * kick more or less is harmless. */
	if (!vq->event_idx)
		__atomic_store_n(&vq->used->flags, htole16(VRING_USED_F_NO_NOTIFY),
				 __ATOMIC_RELAXED);
	else if (vq->kicks_wanted)
		write_avail_event(vq, (uint16_t)(vq->next_avail - 1));
	vq->kicks_wanted = false;
}

bool virtqueue_enable_kicks(struct virtqueue *vq)
{
	vq->kicks_wanted = true;
	if (vq->event_idx)
		write_avail_event(vq, vq->next_avail);
	else
		__atomic_store_n(&vq->used->flags, 0, __ATOMIC_RELAXED);

	/* "I want kicks" must be out before we ask "is there anything left?".
	 * The driver does the reverse: index out, barrier, looks whether we
	 * want a kick. Without the full barrier on either side both may miss
	 * the other, and the queue sleeps with work in it. */
	atomic_thread_fence(memory_order_seq_cst);
	return virtqueue_has_next(vq);
}
