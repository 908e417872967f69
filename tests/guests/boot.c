/*
 * boot.c: what the loader handed over: the structure of the protocol, the
 * command line, the initrd. Booted by boot.t in every shape a kernel file can
 * have; the options say what to expect.
 */
#include "lib/guest.h"

static bool is_ram(uint64_t from, uint64_t size)
{
	for (unsigned i = 0; i < boot.regions; i++)
		if (boot.map[i].type == 1 && from >= boot.map[i].base &&
		    from + size <= boot.map[i].base + boot.map[i].size)
			return true;
	return false;
}

static uint32_t field32(unsigned offset)
{
	uint32_t v;

	memcpy(&v, boot.data + offset, 4);
	return v;
}

static void check_pvh(void)
{
	is(field32(0), 0x336ec578, "start info: magic");
	ok(field32(4) >= 1, "start info: a version with a memory map");
	is(field32(8), 0, "start info: flags 0");
	is(field32(12), boot.initrd_size ? 1 : 0, "start info: one module for the initrd, or none");
}

static void check_zero_page(void)
{
	is(boot.data[0x1fe] | boot.data[0x1ff] << 8, 0xaa55, "zero page: boot flag");
	ok(!memcmp(boot.data + 0x202, "HdrS", 4), "zero page: header magic");
	is(boot.data[0x210], 0xff, "zero page: loader type, undefined");
	ok(boot.data[0x211] & 1, "zero page: loaded high");
	is(boot.data[0x1ef], 0, "zero page: sentinel clear");
	ok(is_ram((uint64_t)boot.data, 4096), "zero page: lies in RAM");
	if (option("bzimage")) {
		is(field32(0x206) & 0xffff, 0x20f, "zero page: protocol version as in the file");
		is(boot.data[0x1f1], 4, "zero page: setup_sects as in the file");
		is(field32(0x230), 0x200000, "zero page: kernel_alignment as in the file");
		is(field32(0x258), 0x1000000, "zero page: pref_address as in the file");
		ok(field32(0x260) > 0, "zero page: init_size as in the file");
	}
}

static void check_initrd(uint64_t size)
{
	extern char guest_end[];

	is(boot.initrd_size, size, "initrd: its size");
	if (!size)
		return;
	ok(is_ram(boot.initrd, size), "initrd: lies in RAM at %#lx", boot.initrd);
	is(boot.initrd & 4095, 0, "initrd: starts a page");
	ok(boot.initrd >= (uintptr_t)guest_end, "initrd: above the kernel");
	ok(boot.initrd + size <= 0xc0000000, "initrd: below the hole");
	ok(boot.initrd + size <= 0x80000000, "initrd: within initrd_addr_max");
	ok((uint64_t)boot.data + 4096 <= boot.initrd || (uint64_t)boot.data >= boot.initrd + size,
	   "initrd: apart from the loader's structure");
	is(cksum((void *)boot.initrd, size), option_number("initrd-cksum", 0), "initrd: checksum");
}

int main(void)
{
	const char *want = option("protocol");
	uint64_t rsdp = acpi_rsdp();

	note("command line: %s", boot.command_line);
	ok(want && starts_with(want, boot.protocol), "entered by %s", boot.protocol);
	if (starts_with(boot.protocol, "pvh"))
		check_pvh();
	else
		check_zero_page();
	ok(boot.regions >= 2, "a memory map of %u regions", boot.regions);
	ok(is_ram(0x200000, 0x200000), "the guest itself lies in RAM");
	ok(boot.rsdp && starts_with((const char *)rsdp, "RSD PTR "),
	   "the RSDP is where it says, %#lx", rsdp);
	check_initrd(option_number("initrd-size", 0));
	return 0;
}
