/*
 * pci.c: bus 0 as firmware-less kernels find it: the functions that were
 * asked for and no others, the same by both configuration mechanisms, a BAR
 * that can be sized and moved, capabilities that hold together. devices=LIST
 * names the virtio types expected from slot 1 on, one digit each.
 */
#include "lib/virtio.h"

#define BAR_SIZE  0x8000
#define ELSEWHERE 0xd0000000u

static uintptr_t ecam;

static uint32_t ecam_read(unsigned f, unsigned offset, unsigned bytes)
{
	uintptr_t a = ecam + f * 4096 + offset;

	return bytes == 1 ? read8(a) : bytes == 2 ? read16(a) : read32(a);
}

/* Every register of a function, at every width, by both mechanisms. */
static unsigned differences(unsigned f)
{
	unsigned wrong = 0;

	for (unsigned offset = 0; offset < 256; offset += 4) {
		uint32_t whole = pci_read(f, offset, 4);

		wrong += ecam_read(f, offset, 4) != whole;
		if (offset >= 0x40 && !whole)
			continue;
		for (unsigned i = 0; i < 4; i++) {
			wrong += pci_read(f, offset + i, 1) != (whole >> 8 * i & 0xff);
			wrong += ecam_read(f, offset + i, 1) != (whole >> 8 * i & 0xff);
		}
		for (unsigned i = 0; i < 4; i += 2) {
			wrong += pci_read(f, offset + i, 2) != (whole >> 8 * i & 0xffff);
			wrong += ecam_read(f, offset + i, 2) != (whole >> 8 * i & 0xffff);
		}
	}
	return wrong;
}

static void check_bus(const char *types)
{
	unsigned slot, strays = 0;

	is(pci_read(0, 0, 4), 0x00081b36, "slot 0: the host bridge");
	is(pci_read(0, 8, 4) >> 16, 0x0600, "slot 0: its class");
	is(differences(0), 0, "slot 0: both mechanisms agree");
	for (slot = 1; types[slot - 1] >= '1' && types[slot - 1] <= '9'; slot++) {
		unsigned f = PCI_DEVICE(slot), type = types[slot - 1] - '0';

		is(pci_read(f, 0, 4), 0x1af4 | (0x1040 + type) << 16, "slot %u: virtio type %u",
		   slot, type);
		ok(pci_read(f, 8, 1) >= 1, "slot %u: a modern device's revision", slot);
		is(pci_read(f, 14, 1), 0, "slot %u: header type 0, one function", slot);
		is(differences(f), 0, "slot %u: both mechanisms agree", slot);
	}
	for (unsigned f = 0; f < 256; f++)
		if ((f & 7 || f >> 3 >= slot) &&
		    (pci_read(f, 0, 4) != 0xffffffff || ecam_read(f, 0, 4) != 0xffffffff))
			strays++;
	is(strays, 0, "no other function on the bus");
	outl(0xcf8, 1u << 31 | 1 << 16);
	is(inl(0xcfc), 0xffffffff, "no function on bus 1");
	outl(0xcf8, 0);
	is(inl(0xcfc), 0xffffffff, "nothing behind a disabled address");
}

static void check_read_only(unsigned f)
{
	uint32_t id = pci_read(f, 0, 4), class = pci_read(f, 8, 4), pointer = pci_read(f, 0x34, 1);

	pci_write(f, 0, 4, 0);
	pci_write(f, 8, 4, 0);
	pci_write(f, 0x34, 1, 0);
	ok(pci_read(f, 0, 4) == id && pci_read(f, 8, 4) == class && pci_read(f, 0x34, 1) == pointer,
	   "identity cannot be written");
	pci_write(f, 4, 2, 0xffff);
	is(pci_read(f, 4, 2) & ~0x547, 0, "of the command register only known bits stick");
	pci_write(f, 4, 2, 0);
}

/* The BAR is assigned before we start, but answers only once told to. */
static void check_bar(unsigned f)
{
	uint32_t bar = pci_read(f, 0x10, 4), status = 0x14;
	unsigned others = 0;

	ok(bar >= 0xc0000000 && bar < 0xe0000000 && !(bar & 0xf), "BAR 0: 32-bit memory at %#x",
	   bar);
	is(read32(bar + 4), 0xffffffff, "BAR 0: silent while memory decoding is off");
	pci_write(f, 0x10, 4, 0xffffffff);
	is(pci_read(f, 0x10, 4), -BAR_SIZE & 0xffffffff, "BAR 0: its size");
	pci_write(f, 0x10, 4, bar);
	is(pci_read(f, 0x10, 4), bar, "BAR 0: back where it was");
	for (unsigned i = 1; i < 6; i++) {
		pci_write(f, 0x10 + 4 * i, 4, 0xffffffff);
		others += pci_read(f, 0x10 + 4 * i, 4) != 0;
	}
	pci_write(f, 0x30, 4, 0xffffffff);
	others += pci_read(f, 0x30, 4) != 0;
	is(others, 0, "no other BAR and no expansion ROM");

	pci_write(f, 4, 2, 2);
	is(read32(bar + status) & 0xff, 0, "BAR 0: answers with decoding on");
	write8(bar + status, 1);
	is(read8(bar + status), 1, "BAR 0: takes a write");
	pci_write(f, 4, 2, 0);
	is(read8(bar + status), 0xff, "BAR 0: silent again");
	pci_write(f, 0x10, 4, ELSEWHERE);
	pci_write(f, 4, 2, 2);
	is(read8(ELSEWHERE + status), 1, "BAR 0: moved, with the device's state");
	is(read8(bar + status), 0xff, "BAR 0: gone from where it was");
	write8(ELSEWHERE + status, 0);
}

static void check_capabilities(unsigned f)
{
	unsigned types = 0, at = 0, outside = 0;
	uint32_t control = 0;

	ok(pci_read(f, 6, 2) & 0x10, "status: there is a capability list");
	while ((at = pci_capability(f, 0x09, at))) {
		uint32_t offset = pci_read(f, at + 8, 4), length = pci_read(f, at + 12, 4);
		unsigned type = pci_read(f, at + 3, 1);

		types |= 1 << type;
		if (type == 5)
			control = at;
		else
			outside += pci_read(f, at + 4, 1) != 0 || !length || length > BAR_SIZE ||
				   offset > BAR_SIZE - length || offset & 3;
	}
	is(types & 0x3e, 0x3e, "capabilities: common, notify, ISR, device and PCI access");
	is(outside, 0, "capabilities: all structures within BAR 0");
	ok(pci_capability(f, 0x11, 0), "capabilities: MSI-X");

	/* The window into the BAR through configuration space (4.1.4.9). */
	if (!control)
		return;
	pci_write(f, control + 4, 1, 0);
	pci_write(f, control + 8, 4, 0x14);
	pci_write(f, control + 12, 4, 1);
	pci_write(f, control + 16, 1, 1);
	is(pci_read(f, control + 16, 1), 1, "PCI access: the status written reads back");
	is(read8(ELSEWHERE + 0x14), 1, "PCI access: and is the device's");
	pci_write(f, control + 16, 1, 0);
	is(read8(ELSEWHERE + 0x14), 0, "PCI access: reset that way");
}

/* Queue works where the BAR is now: kicks must have moved with it. */
static void check_moved_device(void)
{
	struct virtio v;
	struct queue q;
	void *buffer = allocate(4096);

	if (!virtio_find_pci(&v, VIRTIO_RNG, 0))
		return;
	pci_write(v.function, 4, 2, 0);
	pci_write(v.function, 0x10, 4, ELSEWHERE + 0x100000);
	if (!ok(virtio_find_pci(&v, VIRTIO_RNG, 0) && virtio_negotiate(&v, ~0ull),
		"a moved entropy device"))
		return;
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 0);
	virtio_driver_ok(&v);
	queue_add(&q, &(struct buffer){ buffer, 64 }, 0, 1);
	queue_kick(&q);
	ok(queue_wait_irq(&q, NULL) >= 0, "which hears its kick and interrupts");
}

int main(void)
{
	unsigned f = PCI_DEVICE(1);

	ecam = pci_ecam();
	if (!ok(ecam, "an ECAM region"))
		return 0;
	check_bus(option("devices"));
	check_read_only(f);
	check_bar(f);
	check_capabilities(f);
	check_moved_device();
	return 0;
}
