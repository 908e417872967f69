/*
 * ring.c: the driver's side of a split virtqueue (virtio 1.2, 2.7), with
 * EVENT_IDX and indirect descriptors. The mirror image of devices/virtqueue.c
 * and deliberately a second implementation: it shares no line with it.
 */
#include "virtio.h"

void queue_open(struct queue *q, struct virtio *v, unsigned index, unsigned limit)
{
	unsigned num = v->transport->queue_max(v, index);

	if (limit && limit < num)
		num = limit;
	*q = (struct queue){ .v = v, .index = index, .num = num };
	q->desc = allocate(num * sizeof(*q->desc));
	q->avail = allocate(sizeof(*q->avail) + 2 * num + 2);
	q->used = allocate(sizeof(*q->used) + num * sizeof(q->used->ring[0]) + 2);
	q->event_idx = v->features & F_EVENT_IDX;
	for (unsigned i = 0; i < num; i++)
		q->desc[i].next = i + 1;
	q->free_count = num;
	if (index < MAX_QUEUES)
		q->vector = v->vectors[index];
	v->transport->queue_setup(v, index, num, (uintptr_t)q->desc, (uintptr_t)q->avail,
				  (uintptr_t)q->used);
	v->transport->queue_enable(v, index);
}

static void offer(struct queue *q, unsigned head)
{
	q->avail->ring[q->next_avail++ % q->num] = head;
}

int queue_add(struct queue *q, const struct buffer *b, unsigned out, unsigned in)
{
	unsigned n = out + in, head = q->free, d = head;

	if (!n || n > q->free_count)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		q->desc[d].address = (uintptr_t)b[i].data;
		q->desc[d].length = b[i].length;
		q->desc[d].flags = (i < out ? 0 : DESC_WRITE) | (i + 1 < n ? DESC_NEXT : 0);
		d = q->desc[d].next;
	}
	q->free = d;
	q->free_count -= n;
	offer(q, head);
	return head;
}

/* Each descriptor of the ring has one table of its own, made when first used. */
int queue_add_indirect(struct queue *q, const struct buffer *b, unsigned out, unsigned in)
{
	static struct desc *tables;
	unsigned n = out + in, head = q->free;
	struct desc *t;

	if (!tables)
		tables = allocate(256 * 256 * sizeof(*tables));
	if (!n || n > 256 || !q->free_count)
		return -1;
	t = tables + 256 * head;
	for (unsigned i = 0; i < n; i++)
		t[i] = (struct desc){ (uintptr_t)b[i].data, b[i].length,
				      (i < out ? 0 : DESC_WRITE) | (i + 1 < n ? DESC_NEXT : 0),
				      i + 1 };
	q->free = q->desc[head].next;
	q->free_count--;
	q->desc[head].address = (uintptr_t)t;
	q->desc[head].length = n * sizeof(*t);
	q->desc[head].flags = DESC_INDIRECT;
	offer(q, head);
	return head;
}

void queue_publish(struct queue *q)
{
	__atomic_store_n(&q->avail->index, q->next_avail, __ATOMIC_RELEASE);
	q->published = q->next_avail;
	barrier();
}

/* Does the device want to hear that avail->index went on from `old`? */
bool queue_wants_kick(struct queue *q, uint16_t old)
{
	if (q->event_idx)
		return (uint16_t)(q->published - avail_event(q) - 1) <
		       (uint16_t)(q->published - old);
	return !(*(volatile uint16_t *)&q->used->flags & 1);
}

void queue_notify(struct queue *q)
{
	q->kicks++;
	q->v->transport->notify(q->v, q->index);
}

void queue_kick(struct queue *q)
{
	uint16_t old = q->published;

	queue_publish(q);
	if (queue_wants_kick(q, old))
		queue_notify(q);
}

int queue_take(struct queue *q, uint32_t *length)
{
	struct used_element *e;
	unsigned d, n;

	if (__atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE) == q->next_used)
		return -1;
	e = &q->used->ring[q->next_used++ % q->num];
	if (length)
		*length = e->length;
	for (n = 1, d = e->id; q->desc[d].flags & DESC_NEXT; n++)
		d = q->desc[d].next;
	q->desc[d].next = q->free;
	q->free = e->id;
	q->free_count += n;
	return e->id;
}

int queue_wait(struct queue *q, uint32_t *length)
{
	int head = -1;

	poll_until((head = queue_take(q, length)) >= 0);
	return head;
}

void queue_irq_at(struct queue *q, uint16_t used_index)
{
	q->avail->flags = 0;
	*(volatile uint16_t *)&used_event(q) = used_index;
	barrier();
}

void queue_irq_off(struct queue *q)
{
	if (q->event_idx)
		*(volatile uint16_t *)&used_event(q) = q->next_used - 1;
	else
		*(volatile uint16_t *)&q->avail->flags = 1;
	barrier();
}

/* Ask for the interrupt, look, and only then halt: the order that cannot miss. */
int queue_wait_irq(struct queue *q, uint32_t *length)
{
	for (;;) {
		uint32_t seen = irqs(q->vector);
		int head;

		queue_irq_at(q, q->next_used);
		head = queue_take(q, length);
		if (head >= 0)
			return head;
		irq_wait(q->vector, seen);
		q->v->transport->acknowledge(q->v);
	}
}
