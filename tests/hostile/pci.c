/*
 * pci.c: what only a PCI function can be told: vectors and table entries that
 * do not exist, messages that lead nowhere, base addresses on top of RAM and of
 * each other, decoding switched off under a running device, the configuration
 * window, and all of configuration space written full. registers.t boots it.
 */
#include "hostile.h"

enum { COMMAND = 4, BAR0 = 0x10, MEMORY = 2, MASTER = 4 };
enum { CONFIG_VECTOR = 0x10, QUEUE_SELECT = 0x16, QUEUE_VECTOR = 0x1a, CAP_WINDOW = 5 };

static void attack_vectors(struct target *t)
{
	static const uint16_t vectors[] = { 3, 18, 255, 0x800, 0xfffe };
	unsigned taken = 0;

	for (unsigned i = 0; i < array_length(vectors); i++) {
		if (vectors[i] < t->v.msix_entries)
			continue;
		target_negotiate(t, ~0ull);
		write16(t->v.common + CONFIG_VECTOR, vectors[i]);
		write16(t->v.common + QUEUE_SELECT, 0);
		write16(t->v.common + QUEUE_VECTOR, vectors[i]);
		taken += read16(t->v.common + CONFIG_VECTOR) != NO_VECTOR;
		taken += read16(t->v.common + QUEUE_VECTOR) != NO_VECTOR;
		for (unsigned q = 0; q < t->queues; q++)
			target_queue(t, q, RING_MAX);
		virtio_driver_ok(&t->v);
		taken += !target_works(t);
	}
	is(taken, 0, "%s: vectors that do not exist are refused", t->name);
	expect_survival(t, false, "vectors that do not exist");
}

static void attack_table(struct target *t)
{
	uintptr_t table = t->v.msix_table, end = 16 * t->v.msix_entries;

	target_open(t, ~0ull);
	for (unsigned i = end; i < 0xff8; i += 4) {
		write32(table + i, ~0u);
		write64(table + i, ~0ull);
		read64(table + i);
	}
	for (unsigned i = 0; i < end + 16; i++) {
		write8(table + i, 0xff);
		write16(table + i, 0xffff);
		if (i % 4) /* those that are aligned come below */
			write32(table + i, ~0u);
		if (i % 8)
			write64(table + i, ~0ull);
		read8(table + i);
		read64(table + i);
	}
	for (unsigned i = 0; i < 0xff8; i += 7) {
		write64(t->v.msix_pba + i, ~0ull);
		read64(t->v.msix_pba + i);
	}
	ok(target_works(t), "%s: table and pending bits beyond their ends", t->name);
	for (unsigned i = 0; i < 64; i++) {
		unsigned entry = dice() % t->v.msix_entries;

		write32(table + 16 * entry, dice());
		write32(table + 16 * entry + 4, i & 1 ? dice() : 0);
		write32(table + 16 * entry + 8, dice());
		write32(table + 16 * entry + 12, i >> 1 & 1);
	}
	for (unsigned i = 0; i < t->v.msix_entries; i++) /* not to lead to the CPU, though */
		msix_mask(&t->v, i, true);
	ok(target_works(t), "%s: messages that lead anywhere", t->name);
	expect_survival(t, false, "a table of nonsense");
}

static void put_bar(struct target *t, uint32_t address)
{
	pci_write(t->v.function, BAR0, 4, address);
}

static void attack_bar(struct target *t)
{
	uint32_t home = pci_read(t->v.function, BAR0, 4) & ~0xfu;
	uint32_t other = home == 0xc0008000 ? 0xc0010000 : 0xc0008000;
	const uint32_t places[] = { 0,          0x100000,   (uint32_t)(uintptr_t)t->data & ~0x7fffu,
				    0xbfff8000, other,      0xdfff8000,
				    0xdffff000, 0xe0000000, 0xfeb00000,
				    0xfee00000, 0xffff8000, ~0u };
	unsigned dead = 0;

	target_open(t, ~0ull);
	for (unsigned i = 0; i < array_length(places); i++) {
		put_bar(t, places[i]);
		for (unsigned at = 0; at < 0x8000; at += 0x1000)
			if (places[i] >= 0xc0000000 && places[i] <= 0xdfff8000 &&
			    places[i] != other)
				read32(places[i] + at);
		put_bar(t, home);
		dead += !target_works(t);
	}
	is(dead, 0, "%s: its registers moved onto RAM, others and nothing, and back", t->name);
	pci_write(t->v.function, COMMAND, 2, 0);
	queue_add(&t->q[0], &(struct buffer){ t->data, 32 }, queue_reads(t, 0), !queue_reads(t, 0));
	queue_kick(&t->q[0]);
	read32(home);
	pci_write(t->v.function, COMMAND, 2, MEMORY | MASTER);
	expect_survival(t, false, "decoding switched off and on");
}

static unsigned window_of(struct target *t)
{
	for (unsigned at = 0; (at = pci_capability(t->v.function, 9, at));)
		if (pci_read(t->v.function, at + 3, 1) == CAP_WINDOW)
			return at;
	return 0;
}

/* Configuration space but for the window's own capability, in one number. */
static uint32_t rest_of_configuration(struct target *t, unsigned window)
{
	uint32_t words[64];

	for (unsigned i = 0; i < 64; i++)
		words[i] = i * 4 >= window && i * 4 < window + 20u
				   ? 0
				   : pci_read(t->v.function, i * 4, 4);
	return cksum(words, sizeof(words));
}

/* Accesses of widths that do not exist: longer than the window, or than any register. */
static void attack_window_width(struct target *t, unsigned at)
{
	static const uint32_t widths[] = { 0, 3, 5, 8, 12, 16, 64, 4096, 0x8000, ~0u };
	static const uint32_t offsets[] = { 0, 0x2000, 0x4000 };
	uint32_t before = rest_of_configuration(t, at);

	pci_write(t->v.function, at + 4, 1, 0);
	for (unsigned i = 0; i < array_length(widths); i++)
		for (unsigned k = 0; k < array_length(offsets); k++) {
			pci_write(t->v.function, at + 8, 4, offsets[k]);
			pci_write(t->v.function, at + 12, 4, widths[i]);
			pci_read(t->v.function, at + 16, 4);
			pci_write(t->v.function, at + 16, 4, dice());
		}
	is(rest_of_configuration(t, at), before, "%s: the configuration window is as wide as it is",
	   t->name);
}

static void attack_window(struct target *t)
{
	static const uint32_t offsets[] = { 0x7ffd, 0x7fff, 0x8000, 0x10000, 0x7fffffff, ~0u, ~3u };
	unsigned at = window_of(t);

	target_open(t, ~0ull);
	attack_window_width(t, at);
	for (unsigned i = 0; i < 400; i++) {
		pci_write(t->v.function, at + 4, 1, i % 3 ? 0 : dice());
		pci_write(t->v.function, at + 8, 4,
			  i % 2 ? offsets[dice() % array_length(offsets)]
				: 0x4000 + dice() % 0x2000);
		pci_write(t->v.function, at + 12, 4, i % 4 ? 1u << i % 4 : dice());
		pci_write(t->v.function, at + 16, 4, dice());
		pci_read(t->v.function, at + 16, 4);
		pci_read(t->v.function, at + 17, 1);
		pci_read(t->v.function, at + 18, 2);
	}
	expect_survival(t, false, "the configuration window, anywhere");
}

/* Every byte of it, through both ways in. */
static void attack_configuration(struct target *t)
{
	uint32_t home = pci_read(t->v.function, BAR0, 4) & ~0xfu,
		 id = pci_read(t->v.function, 0, 4);
	uintptr_t ecam = pci_ecam() + ((uintptr_t)t->v.function << 12);

	target_open(t, ~0ull);
	for (unsigned value = 0; value < 3; value++) {
		for (unsigned i = 0; i < 0x1000; i += i < 0x100 ? 1 : 61) {
			uint64_t v = value == 2 ? dice() : value ? ~0ull : 0;

			write8(ecam + i, v);
			write16(ecam + i, v);
			write32(ecam + i, v);
			write64(ecam + i, v);
			read64(ecam + i);
		}
		for (unsigned port = 0xcf8; port < 0xd00; port++) {
			outl(0xcf8, 0x80000000 | t->v.function << 8 | (dice() & 0xfc));
			outb(port, dice());
			outw(port, dice());
			outl(port, dice());
			inb(port);
			inl(port);
		}
		outl(0xcf8, dice());
		outl(0xcfc, dice());
	}
	is(pci_read(t->v.function, 0, 4), id, "%s: who it is cannot be written", t->name);
	msix_control(&t->v, false, false);
	put_bar(t, home);
	pci_write(t->v.function, COMMAND, 2, MEMORY | MASTER);
	expect_survival(t, false, "all of configuration space written");
}

static void attack(struct target *t)
{
	attack_vectors(t);
	attack_table(t);
	attack_bar(t);
	attack_window(t);
	attack_configuration(t);
}

int main(void)
{
	targets_find();
	attack_twice(attack);
	return 0;
}
