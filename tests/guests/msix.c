/*
 * msix.c: MSI-X as the entropy device's queue raises it: delivery, the mask of
 * a vector and of the function, the pending bits, and what happens without a
 * vector. msix.t boots it.
 */
#include "lib/virtio.h"

enum { ENTRY = 1 }; /* of queue 0; 0 is for configuration changes */

static struct virtio v;
static struct queue q;
static uint8_t *buffer;

/* One request there and back, watched by polling. */
static bool request(void)
{
	queue_irq_at(&q, q.next_used);
	queue_add(&q, &(struct buffer){ buffer, 16 }, 0, 1);
	queue_kick(&q);
	return queue_wait(&q, NULL) >= 0;
}

static void open(unsigned entry)
{
	virtio_negotiate(&v, F_EVENT_IDX);
	v.transport->route(&v, 1);
	write16(v.common + 0x16, 0);
	write16(v.common + 0x1a, entry); /* before the queue is enabled */
	queue_open(&q, &v, 0, 16);
	virtio_driver_ok(&v);
}

static void check_delivery(void)
{
	uint32_t seen = irqs(q.vector);

	ok(request(), "a request");
	irq_wait(q.vector, seen);
	is(irqs(q.vector), seen + 1, "interrupts once");
	is(msix_pending(&v, ENTRY), 0, "nothing pends");
}

/* Both masks hold an interrupt back, show it, and let it go. */
static void check_mask(const char *which, void (*mask)(bool))
{
	uint32_t seen = irqs(q.vector);

	mask(true);
	ok(request(), "%s mask: a request", which);
	ok(poll_until(msix_pending(&v, ENTRY)), "%s mask: its interrupt pends", which);
	is(irqs(q.vector), seen, "%s mask: and was not delivered", which);
	ok(request(), "%s mask: another request", which);
	mask(false);
	ok(poll_until(irqs(q.vector) != seen), "%s mask: delivered at unmask", which);
	is(irqs(q.vector), seen + 1, "%s mask: once for both", which);
	is(msix_pending(&v, ENTRY), 0, "%s mask: pends no more", which);
	ok(request(), "%s mask: a request after it", which);
	irq_wait(q.vector, seen + 1);
	is(irqs(q.vector), seen + 2, "%s mask: interrupts at once", which);
	mask(true);
	mask(false);
	request();
	irq_wait(q.vector, seen + 2);
	is(irqs(q.vector), seen + 3, "%s mask: on and off with nothing pending delivers nothing",
	   which);
}

static void mask_vector(bool masked)
{
	msix_mask(&v, ENTRY, masked);
}

static void mask_function(bool masked)
{
	msix_control(&v, true, masked);
}

/* Redirect while masked, as an operating system moving an interrupt does. */
static void check_redirect(void)
{
	unsigned other = irq_vector();
	uint32_t seen = irqs(q.vector), seen_other = irqs(other);

	msix_mask(&v, ENTRY, true);
	request();
	poll_until(msix_pending(&v, ENTRY));
	msix_route(&v, ENTRY, other, 0);
	ok(poll_until(irqs(other) != seen_other),
	   "redirected while pending: delivered to the new vector");
	is(irqs(q.vector), seen, "and not to the old one");
	request();
	irq_wait(other, seen_other + 1);
	is(irqs(other), seen_other + 2, "and again");

	/* In two 8-byte writes, which the table allows too. */
	msix_mask(&v, ENTRY, true);
	write64(v.msix_table + 16 * ENTRY, LAPIC);
	write64(v.msix_table + 16 * ENTRY + 8, q.vector);
	request();
	irq_wait(q.vector, seen);
	is(irqs(q.vector), seen + 1, "set by 8-byte writes: delivered");
	is(read64(v.msix_table + 16 * ENTRY), LAPIC, "and reads back");
}

static void check_no_vector(void)
{
	uint32_t seen = irqs(q.vector);

	open(v.msix_entries);
	is(read16(v.common + 0x1a), NO_VECTOR, "an entry beyond the table is refused");
	ok(request(), "without a vector: a request comes back");
	open(ENTRY);
	is(read16(v.common + 0x1a), ENTRY, "a vector again");
	request();
	irq_wait(q.vector, seen);
	is(irqs(q.vector), seen + 1, "and only that one interrupted");
}

/* A driver may give a queue its vector when the queue is enabled, and another later. */
static void check_late(void)
{
	uint32_t seen = irqs(q.vector);

	virtio_negotiate(&v, F_EVENT_IDX);
	v.transport->route(&v, 1);
	write16(v.common + 0x16, 0);
	write16(v.common + 0x1a, NO_VECTOR);
	queue_open(&q, &v, 0, 16);
	write16(v.common + 0x1a, ENTRY);
	is(read16(v.common + 0x1a), ENTRY, "a vector for an enabled queue");
	virtio_driver_ok(&v);
	request();
	irq_wait(q.vector, seen);
	is(irqs(q.vector), seen + 1, "interrupts");
	write16(v.common + 0x1a, NO_VECTOR);
	ok(request(), "taken away while it runs: a request comes back");
	write16(v.common + 0x1a, ENTRY);
	request();
	irq_wait(q.vector, seen + 1);
	is(irqs(q.vector), seen + 2, "and given again: only that one interrupted");
}

static void check_disabled(void)
{
	uint32_t seen = irqs(q.vector);

	msix_control(&v, false, false);
	v.transport->acknowledge(&v);
	ok(request(), "MSI-X off: a request comes back");
	ok(poll_until(v.transport->acknowledge(&v) & 1), "MSI-X off: the ISR register says so");
	is(v.transport->acknowledge(&v), 0, "MSI-X off: and reading cleared it");
	is(irqs(q.vector), seen, "MSI-X off: no message");
	msix_control(&v, true, false);
	seen = irqs(q.vector);
	request();
	irq_wait(q.vector, seen);
	ok(true, "MSI-X on again: interrupts");
}

/* A descriptor that does not exist breaks the rules: the device must ask to be
 * reset, through the configuration's vector. */
static void check_config_interrupt(void)
{
	unsigned vector = v.vectors[MAX_QUEUES];
	uint32_t seen = irqs(vector);

	q.avail->ring[q.next_avail++ % q.num] = 0x7777;
	queue_publish(&q);
	queue_notify(&q);
	irq_wait(vector, seen);
	is(irqs(vector), seen + 1, "a broken queue: one configuration interrupt");
	ok(virtio_status(&v) & STATUS_NEEDS_RESET, "a broken queue: the device needs a reset");
	open(ENTRY);
	ok(!(virtio_status(&v) & STATUS_NEEDS_RESET) && request(), "and works after it");
}

int main(void)
{
	bool masked = true;

	buffer = allocate(4096);
	if (!ok(virtio_find_pci(&v, VIRTIO_RNG, 0), "an entropy device on PCI"))
		return 0;
	ok(v.msix_entries >= 2, "a table of %u entries", v.msix_entries);
	for (unsigned i = 0; i < v.msix_entries; i++)
		masked &= read32(v.msix_table + 16 * i + 12) & 1;
	ok(masked, "all masked at the start");
	is(pci_read(v.function, v.msix + 2, 2) >> 14, 0, "and MSI-X off");
	open(ENTRY);
	check_delivery();
	check_mask("vector", mask_vector);
	check_mask("function", mask_function);
	check_redirect();
	check_no_vector();
	check_late();
	check_disabled();
	check_config_interrupt();
	return 0;
}
