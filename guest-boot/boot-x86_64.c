/*
 * boot-x86_64.c: the steps from a kernel file to a guest that can start (tour 6).
 *
 * main calls boot_prepare() once RAM exists. The order matters only in that
 * the kernel says where the initrd may go and how long a command line it
 * can take. boot-arm64.c is the same story on the other architecture.
 *
 * Next in the tour: bzimage.c and elf.c, the kernels.
 */
#include "boot-arch.h"
#include "layout.h"

static const struct boot_format formats[] = {
	{ elf_matches, elf_load },
	{ bzimage_matches, bzimage_load },
};

uint8_t boot_checksum(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	while (len--)
		sum += *byte++;
	return (uint8_t)-sum;
}

int boot_prepare(const struct machine *machine, const struct boot_options *options,
		 struct vcpu_entry *entry)
{
	char *cmdline = memory_at(machine->memory, LAYOUT_CMDLINE, LAYOUT_CMDLINE_MAX);
	struct kernel kernel = { 0 };
	struct initrd initrd = { 0 };

	if (boot_load_kernel(options->kernel, formats, sizeof(formats) / sizeof(formats[0]),
			     "neither a bzImage nor an ELF kernel", machine->memory, &kernel) < 0)
		return -1;
	if (options->initrd && initrd_load(options->initrd, machine->memory, &kernel, &initrd) < 0)
		return -1;
	if (cmdline_write(machine, options, &kernel, cmdline) < 0)
		return -1;

	/* A kernel that is told of its devices on the command line is one that
	 * knows no ACPI: it gets the older table of processors instead. */
	if (machine->transport != TRANSPORT_MMIO_CMDLINE)
		acpi_write(machine);
	else
		mptable_write(machine);
	if (options->dump && acpi_dump(machine, options->dump) < 0)
		return -1;

	if (kernel.entry.mode == VCPU_ENTRY_PROTECTED32)
		pvh_write(machine, &kernel, &initrd);
	else
		zeropage_write(machine, &kernel, &initrd);
	*entry = kernel.entry;
	return 0;
}
