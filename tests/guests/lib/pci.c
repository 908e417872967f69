/*
 * pci.c: configuration space of bus 0, by mechanism 1 (ports CF8 and CFC), and
 * where the memory-mapped one (ECAM) is, for the test that compares the two.
 */
#include "guest.h"

static void select(unsigned function, unsigned offset)
{
	outl(0xcf8, 1u << 31 | function << 8 | (offset & 0xfc));
}

uint32_t pci_read(unsigned function, unsigned offset, unsigned bytes)
{
	uint16_t port = 0xcfc + (offset & 3);

	select(function, offset);
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

void pci_write(unsigned function, unsigned offset, unsigned bytes, uint32_t value)
{
	uint16_t port = 0xcfc + (offset & 3);

	select(function, offset);
	if (bytes == 1)
		outb(port, value);
	else if (bytes == 2)
		outw(port, value);
	else
		outl(port, value);
}

uintptr_t pci_ecam(void)
{
	const struct acpi_header *mcfg = acpi_find("MCFG", 0);
	uint64_t base;

	if (!mcfg)
		return 0;
	memcpy(&base, (const uint8_t *)mcfg + 44, 8);
	return base;
}

/* The next capability with this id after offset `after` (0: the first). */
unsigned pci_capability(unsigned function, unsigned id, unsigned after)
{
	unsigned at = pci_read(function, after ? after + 1 : 0x34, 1);

	for (unsigned hops = 0; at && hops < 48; hops++, at = pci_read(function, at + 1, 1))
		if (pci_read(function, at, 1) == id)
			return at;
	return 0;
}

uint64_t pci_bar(unsigned function, unsigned bar)
{
	uint32_t low = pci_read(function, 0x10 + 4 * bar, 4);
	uint64_t high = 0;

	if ((low & 6) == 4)
		high = pci_read(function, 0x14 + 4 * bar, 4);
	return high << 32 | (low & ~15u);
}
