/*
 * registers.c: registers that are written when they may not be, with what they
 * cannot hold, at widths and offsets that do not exist: queue sizes and
 * addresses, changes to a running queue, selectors and doorbells out of range,
 * status bytes at random, the device's configuration. registers.t boots it on
 * both transports, and pci.c for what is PCI's own.
 */
#include "hostile.h"

/* A device that was told nonsense of its queue says NEEDS_RESET once it looks. */
struct nonsense {
	const char *name;
	uint16_t num;
	int64_t desc, avail, used; /* added to where they should be */
};
static const struct nonsense nonsense[] = {
	{ "a queue of no size", 0, 0, 0, 0 },
	{ "a queue of 3", 3, 0, 0, 0 },
	{ "a queue of 512", 512, 0, 0, 0 },
	{ "a queue of 32768", 32768, 0, 0, 0 },
	{ "a queue of 65535", 65535, 0, 0, 0 },
	{ "descriptors not aligned", 256, 8, 0, 0 },
	{ "an available ring not aligned", 256, 0, 1, 0 },
	{ "a used ring not aligned", 256, 0, 0, 2 },
	{ "descriptors above all RAM", 256, 1ll << 40, 0, 0 },
	{ "an available ring above all RAM", 256, 0, 1ll << 50, 0 },
	{ "a used ring above all RAM", 256, 0, 0, 1ll << 62 },
	{ "a used ring in the PCI window", 256, 0, 0, 0xc0000000 },
};

static void tell(struct target *t, const struct nonsense *n)
{
	struct queue *q = &t->q[0];

	t->v.transport->queue_setup(&t->v, 0, n->num, (uintptr_t)q->desc + n->desc,
				    (uintptr_t)q->avail + n->avail, (uintptr_t)q->used + n->used);
	t->v.transport->queue_enable(&t->v, 0);
}

static void attack_layout(struct target *t)
{
	static const struct nonsense edges[] = {
		{ "descriptors over the edge of RAM", 256, 0, 0, 0 },
		{ "descriptors around the end of the numbers", 256, 0, 0, 0 },
	};
	const uint64_t at[] = { low_end() - 4096 + 16, -4096ull + 16 };

	for (unsigned i = 0; i < array_length(nonsense); i++) {
		target_negotiate(t, ~0ull);
		tell(t, &nonsense[i]);
		virtio_driver_ok(&t->v);
		expect_survival(t, true, nonsense[i].name);

		/* The same in a device that runs already. */
		virtio_queue_reset(&t->v, 0);
		tell(t, &nonsense[i]);
		expect_survival(t, true, "and while it runs");
	}
	for (unsigned i = 0; i < array_length(at); i++) {
		target_negotiate(t, ~0ull);
		t->v.transport->queue_setup(&t->v, 0, 256, at[i], (uintptr_t)t->q[0].avail,
					    (uintptr_t)t->q[0].used);
		t->v.transport->queue_enable(&t->v, 0);
		virtio_driver_ok(&t->v);
		expect_survival(t, true, edges[i].name);
	}
}

/* Everything told of an enabled queue falls on deaf ears. */
static void attack_frozen(struct target *t)
{
	uint8_t *elsewhere = t->data + DATA / 2;
	bool works = true, unhurt = true;

	for (unsigned started = 0; started < 2; started++) {
		target_negotiate(t, ~0ull);
		for (unsigned i = 0; i < t->queues; i++)
			target_queue(t, i, RING_MAX);
		if (started)
			virtio_driver_ok(&t->v);
		memset(elsewhere, 0x5c, 8192);
		for (unsigned i = 0; i < t->queues; i++) {
			t->v.transport->queue_setup(&t->v, i, 4, (uintptr_t)elsewhere,
						    (uintptr_t)elsewhere + 1024,
						    (uintptr_t)elsewhere + 2048);
			t->v.transport->queue_enable(&t->v, i);
		}
		if (!started)
			virtio_driver_ok(&t->v);
		if (t->type == VIRTIO_NET) /* which would use that room as buffers */
			continue;
		works &= target_works(t) && target_works(t);
		for (unsigned i = 0; i < 8192; i++)
			unhurt &= elsewhere[i] == 0x5c;
	}
	ok(works, "%s: a queue changed after it was enabled is where it was", t->name);
	ok(unhurt, "%s: and nothing is where it was said to be", t->name);
	expect_survival(t, false, "a queue changed after it was enabled");
}

static void attack_selectors(struct target *t)
{
	static const unsigned numbers[] = { 17, 18, 255, 256, 0x7fff, 0x8000, 0xffff };

	target_open(t, ~0ull);
	for (unsigned i = 0; i < array_length(numbers); i++) {
		t->v.transport->queue_setup(&t->v, numbers[i], 256, 0, 0, 0);
		t->v.transport->queue_enable(&t->v, numbers[i]);
		t->v.transport->queue_reset(&t->v, numbers[i]);
	}
	for (unsigned i = t->queues; i < 1024; i++)
		t->v.transport->notify(&t->v, i);
	if (!t->v.pci)
		for (unsigned i = 0; i < array_length(numbers); i++)
			write32(t->v.base + 0x50, numbers[i] << 16 | i);
	ok(target_works(t), "%s: queues that do not exist are selected and kicked", t->name);
	expect_survival(t, false, "queues that do not exist");
}

/* All registers at all widths. What they mean we have no wish to know; the
 * doorbells and the status are left out of the writes, and have their own. */
static void scribble(struct target *t, bool write)
{
	uintptr_t base = t->v.pci ? t->v.common : t->v.base, size = t->v.pci ? 0x40 : 0x100;
	uintptr_t status = t->v.pci ? 0x14 : 0x70, reset = t->v.pci ? 0x3a : 0xc0;

	for (unsigned i = 0; i < size; i++) {
		if (!write) {
			read8(base + i);
			read16(base + i);
			read32(base + i);
			read64(base + i);
		} else if (i + 8 <= status || (i > status + 4 && i + 8 <= reset) || i > reset + 4) {
			write8(base + i, dice());
			write16(base + i, dice());
			write32(base + i, dice());
			write64(base + i, (uint64_t)dice() << 32 | dice());
		}
	}
}

static void attack_registers(struct target *t)
{
	target_open(t, ~0ull);
	scribble(t, false);
	ok(target_works(t), "%s: registers read at every offset and width", t->name);
	for (unsigned i = 0; i < 2; i++) {
		target_negotiate(t, ~0ull);
		scribble(t, true);
		virtio_driver_ok(&t->v);
		scribble(t, true);
	}
	expect_survival(t, false, "registers written at every offset and width");
	for (unsigned i = 0; i < 256; i++) {
		virtio_reset(&t->v);
		t->v.transport->set_status(&t->v, i);
		t->v.transport->set_status(&t->v, dice());
	}
	expect_survival(t, false, "status bytes of all values");
	target_negotiate(t, ~0ull);
	t->v.transport->set_features(&t->v, 0, 0);
	t->v.transport->set_features(&t->v, 1, 0);
	t->v.transport->set_features(&t->v, 77, ~0u);
	for (unsigned i = 0; i < t->queues; i++)
		target_queue(t, i, RING_MAX);
	virtio_driver_ok(&t->v);
	virtio_driver_ok(&t->v);
	/* More than once: the first kick comes with any features. */
	ok(target_works(t) && target_works(t) && target_works(t),
	   "%s: features taken back after they were settled, DRIVER_OK twice", t->name);
	virtio_reset(&t->v);
	t->v.transport->set_status(&t->v, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
	ok(!(virtio_status(&t->v) & STATUS_DRIVER_OK), "%s: no DRIVER_OK before FEATURES_OK",
	   t->name);
}

/* Beyond its end the configuration is zero, and nowhere can it be written. */
static void attack_config(struct target *t)
{
	unsigned size = t->v.pci ? 0x1000 : 0x100, end = 64, different = 0, beyond = 0;
	uint8_t before[64];

	if (!t->v.config) /* none to attack */
		return;
	target_open(t, ~0ull);
	for (unsigned i = 0; i < end; i++)
		before[i] = config8(&t->v, i);
	for (unsigned i = 0; i + 8 <= size; i += i < 72 ? 1 : 8) {
		write8(t->v.config + i, 0xa5);
		write16(t->v.config + i, 0xa5a5);
		write32(t->v.config + i, 0xa5a5a5a5);
		write64(t->v.config + i, 0xa5a5a5a5a5a5a5a5);
		if (i >= end)
			beyond |= read8(t->v.config + i) | read16(t->v.config + i) |
				  read32(t->v.config + i) | read64(t->v.config + i);
	}
	for (unsigned i = 0; i < end; i++)
		different += config8(&t->v, i) != before[i];
	is(different, 0, "%s: the configuration cannot be written", t->name);
	is(beyond, 0, "%s: and is zero beyond its end, at every width", t->name);
	ok(target_works(t), "%s: which it does not mind", t->name);
}

static void attack(struct target *t)
{
	attack_layout(t);
	attack_frozen(t);
	attack_selectors(t);
	attack_registers(t);
	attack_config(t);
}

int main(void)
{
	targets_find();
	attack_twice(attack);
	return 0;
}
