/*
 * memory-map.c: the memory map, taken at its word: RAM has the size asked for
 * and both its ends are there, different addresses are different memory, and
 * in the hole below 4 GiB there is nothing. memory-map.t boots it with sizes
 * on both sides of every edge; memory=MIB says which.
 */
#include "lib/guest.h"

#define GIB  (1ull << 30)
#define HOLE (3 * GIB)

/* Ours to keep: the guest and its heap, and the page 0 trap for bugs. */
static bool usable(uint64_t a)
{
	return a >= 0x1000 && (a < 0x200000 || a >= 0x800000);
}

/* Calls f for addresses all over a region: its ends and one every 16 MiB. */
static unsigned sample(const struct region *r, bool (*f)(uint64_t))
{
	unsigned wrong = 0;

	for (uint64_t a = r->base; a < r->base + r->size; a += 16 << 20)
		wrong += usable(a) && !f(a);
	return wrong + !f(r->base + r->size - 8);
}

static bool store(uint64_t a)
{
	write64(a, a ^ 0x5aa5c33c0ff01234);
	return true;
}

static bool load(uint64_t a)
{
	return read64(a) == (a ^ 0x5aa5c33c0ff01234);
}

static bool empty(uint64_t a)
{
	write32(a, 0x12345678);
	return read32(a) == 0xffffffff;
}

int main(void)
{
	uint64_t memory = option_number("memory", 512) << 20;
	uint64_t low_end = memory < HOLE ? memory : HOLE;
	uint64_t high_end = memory < HOLE ? 4 * GIB : 4 * GIB + memory - HOLE;
	uint64_t ram = 0, low = 0, high = 4 * GIB;
	unsigned overlaps = 0, in_hole = 0, wrong = 0;
	bool bios_reserved = false;

	for (unsigned i = 0; i < boot.regions; i++) {
		const struct region *r = &boot.map[i];
		uint64_t end = r->base + r->size;

		note("%#lx-%#lx type %u", r->base, end, r->type);
		for (unsigned j = 0; j < i; j++)
			overlaps += r->base < boot.map[j].base + boot.map[j].size &&
				    boot.map[j].base < end;
		bios_reserved |= r->type == 2 && r->base <= 0xe0000 && end >= 0x100000;
		if (r->type != 1)
			continue;
		ram += r->size;
		in_hole += r->base < 4 * GIB && end > HOLE;
		if (end <= HOLE && end > low)
			low = end;
		if (end > high)
			high = end;
	}
	is(overlaps, 0, "no two regions overlap");
	is(low, low_end, "RAM below the hole ends at %#lx", low_end);
	is(high, high_end, "RAM above 4 GiB ends at %#lx", high_end);
	is(in_hole, 0, "no RAM in the hole");
	ok(bios_reserved, "0xe0000-0xfffff, where the tables are, is reserved");
	ok(ram <= memory && ram + (1 << 20) > memory, "all of it but a part of the first MiB");

	for (unsigned i = 0; i < boot.regions; i++)
		if (boot.map[i].type == 1)
			sample(&boot.map[i], store);
	for (unsigned i = 0; i < boot.regions; i++)
		if (boot.map[i].type == 1)
			wrong += sample(&boot.map[i], load);
	is(wrong, 0, "every sampled address keeps its own value");

	ok(empty(low_end < HOLE ? low_end : HOLE), "nothing right above low RAM");
	ok(empty(0xdffff000), "nothing at the end of the PCI window");
	ok(empty(4 * GIB - 4096), "nothing right below 4 GiB");
	ok(empty(high_end), "nothing right above the last RAM");
	return 0;
}
