/*
 * zeropage.c: the hand-over of the Linux/x86 boot protocol.
 *
 * One page, struct boot_params: the kernel's own setup header filled in by
 * the loader, the memory map, and where everything else lies. boot.c calls
 * this for bzImages and for ELF kernels without a PVH note.
 *
 * Sources: Documentation/arch/x86/boot.rst and zero-page.rst.
 */
#include <string.h>

#include "boot-arch.h"
#include "layout.h"

#define LOADER_UNDEFINED 0xff
#define BOOT_FLAG        0xaa55
#define HEADER_MAGIC     0x53726448 /* "HdrS" */

static void fill_header(struct setup_header *header, const struct initrd *initrd)
{
	/* An ELF kernel brings no header of its own; it still looks at these. */
	header->boot_flag = BOOT_FLAG;
	header->header = HEADER_MAGIC;
	header->type_of_loader = LOADER_UNDEFINED;
	header->loadflags |= LOADED_HIGH;
	header->cmd_line_ptr = LAYOUT_CMDLINE;
	header->ramdisk_image = (uint32_t)initrd->gpa; /* below the hole: 32 bits hold it */
	header->ramdisk_size = (uint32_t)initrd->size;
}

void zeropage_write(const struct machine *machine, struct kernel *kernel,
		    const struct initrd *initrd)
{
	struct boot_params *params =
		memory_at(machine->memory, LAYOUT_ZERO_PAGE, sizeof(struct boot_params));
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = memory_map(machine->memory, map);

	memset(params, 0, sizeof(*params));
	fill_header(&kernel->arch.setup, initrd);
	params->hdr = kernel->arch.setup;
	if (machine->transport != TRANSPORT_MMIO_CMDLINE)
		params->acpi_rsdp_addr = LAYOUT_ACPI;
	for (unsigned i = 0; i < count; i++) {
		params->e820_table[i].addr = map[i].gpa;
		params->e820_table[i].size = map[i].size;
		params->e820_table[i].type = map[i].type;
	}
	params->e820_entries = (uint8_t)count;
	kernel->entry.param = LAYOUT_ZERO_PAGE;
}
