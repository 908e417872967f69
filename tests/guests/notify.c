/*
 * notify.c: who tells whom, and when not. The entropy device's queue with and
 * without EVENT_IDX: interrupts asked for at a certain index, around the wrap
 * of the 16-bit indices too; kicks suppressed and yet noticed; indirect
 * descriptors. notify.t boots it on both transports.
 *
 * That an interrupt does not come is shown without waiting: a later one that
 * does come closes the interval in which it could have.
 */
#include "lib/virtio.h"

static struct virtio v;
static struct queue q;
static uint8_t *buffer;

static void open(uint64_t features, unsigned num)
{
	virtio_negotiate(&v, features);
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, num);
	virtio_driver_ok(&v);
}

static void offer(unsigned n)
{
	while (n--)
		queue_add(&q, &(struct buffer){ buffer, 16 }, 0, 1);
	queue_kick(&q);
}

/* Take n used chains, polling. */
static bool take(unsigned n)
{
	while (n && queue_wait(&q, NULL) >= 0)
		n--;
	return !n;
}

/* One more request, with an interrupt: whatever was to be delivered before
 * this one has been. Returns how many interrupts there were since `seen`. */
static uint32_t irqs_since(uint32_t seen)
{
	uint32_t now = irqs(q.vector);

	v.transport->acknowledge(&v);
	queue_irq_at(&q, q.next_used);
	offer(1);
	irq_wait(q.vector, now);
	take(1);
	v.transport->acknowledge(&v);
	return irqs(q.vector) - seen;
}

static void check_interrupts(const char *how)
{
	uint32_t seen;

	irqs_since(0); /* a device may interrupt for its first buffer, unasked */
	seen = irqs(q.vector);
	queue_irq_off(&q);
	offer(3);
	ok(take(3), "%s: three buffers with interrupts off come back", how);
	is(irqs_since(seen), 1, "%s: and only the one asked for later interrupts", how);
}

static void check_event_index(void)
{
	uint32_t seen = irqs(q.vector);

	queue_irq_at(&q, q.next_used + 3);
	offer(1);
	take(1);
	offer(2);
	take(2);
	is(irqs(q.vector), seen, "no interrupt for three, when the fourth was asked for");
	offer(1);
	irq_wait(q.vector, seen);
	ok(take(1), "the fourth interrupts");
	offer(5);
	take(5);
	is(irqs_since(seen), 2, "and once past, nothing more does until asked again");

	seen = irqs(q.vector);
	queue_irq_at(&q, q.next_used + 3);
	offer(8);
	irq_wait(q.vector, seen);
	take(8);
	is(irqs_since(seen), 2, "an index in the middle of a batch interrupts once");
}

/* Use up buffers, quietly, until the used index is `index`. */
static void run_to(uint16_t index)
{
	uint16_t n;

	while ((n = index - q.next_used)) {
		if (n > q.num)
			n = q.num;
		queue_irq_off(&q);
		offer(n);
		if (!take(n))
			break;
	}
}

/* Around 0xffff -> 0, where comparing instead of subtracting goes wrong. */
static void check_wrap(void)
{
	uint32_t seen;
	unsigned good = 0;

	run_to(0xfff0);
	is(q.next_used, 0xfff0, "65520 chains later");

	seen = irqs(q.vector);
	queue_irq_at(&q, 0x0004); /* beyond the wrap */
	offer(8);
	take(8);
	offer(8); /* to index 0 */
	take(8);
	offer(4);
	take(4);
	is(irqs(q.vector), seen, "used_event beyond the wrap: not before it");
	offer(1);
	irq_wait(q.vector, seen);
	ok(take(1), "used_event beyond the wrap: there");
	v.transport->acknowledge(&v);

	run_to(0xfffc);
	for (unsigned i = 0; i < 8; i++) {
		offer(1);
		good += queue_wait_irq(&q, NULL) >= 0;
	}
	is(good, 8, "halting for each of eight interrupts across the wrap");
	is(q.next_used, 4, "which was crossed");
}

/* Kick only when asked: if device or driver looked in the wrong order, one
 * of these would be left lying. */
static void check_kicks(const char *how, unsigned rounds)
{
	unsigned kicks = q.kicks, good = 0, offered = 0;

	for (unsigned i = 0; i < rounds && good == offered; i++) {
		unsigned n = 1 + i % 3;

		for (unsigned j = 0; j < n; j++, offered++) {
			queue_add(&q, &(struct buffer){ buffer, 16 }, 0, 1);
			queue_kick(&q);
			for (volatile unsigned delay = i % 61 * j; delay; delay--)
				;
		}
		while (good < offered && queue_wait(&q, NULL) >= 0)
			good++;
	}
	is(good, offered, "%s: all of %u chains noticed", how, offered);
	note("%u kicks", q.kicks - kicks);

	good = 0;
	while (good < rounds / 2) {
		offer(1);
		if (queue_wait_irq(&q, NULL) < 0)
			break;
		good++;
	}
	is(good, rounds / 2, "%s: %u round trips halting for the interrupt", how, rounds / 2);
}

static void check_indirect(void)
{
	static const unsigned sizes[] = { 1, 2, 7, 16 };
	struct buffer b[16];
	uint32_t length = 0;

	for (unsigned i = 0; i < 16; i++)
		b[i] = (struct buffer){ buffer + 64 * i, 8 };
	for (unsigned i = 0; i < array_length(sizes); i++) {
		memset(buffer, 0, 1024);
		queue_add_indirect(&q, b, 0, sizes[i]);
		queue_kick(&q);
		ok(queue_wait(&q, &length) >= 0 && length >= 1 && length <= 8 * sizes[i],
		   "an indirect table of %u", sizes[i]);
	}
	is(q.free_count, q.num, "takes one descriptor of the ring at a time");

	for (unsigned i = 0; i < q.num / 2; i++) {
		queue_add_indirect(&q, b, 0, 4);
		queue_add(&q, b + 8, 0, 1);
	}
	queue_kick(&q);
	ok(take(q.num / 2 * 2), "direct and indirect chains mixed fill a whole ring");
}

int main(void)
{
	uint64_t all = F_EVENT_IDX | F_INDIRECT_DESC;

	buffer = allocate(4096);
	if (!ok(virtio_find(&v, VIRTIO_RNG, 0), "an entropy device"))
		return 0;
	open(0, 64);
	check_interrupts("flags");
	check_kicks("flags", 300);
	open(all, 256);
	is(v.features & all, all, "EVENT_IDX and INDIRECT_DESC negotiated");
	check_interrupts("EVENT_IDX");
	check_event_index();
	check_kicks("EVENT_IDX", 2000);
	check_wrap();
	check_indirect();
	return 0;
}
