/*
 * pvh.c: the hand-over of the PVH protocol.
 *
 * A small structure, its address in ebx: command line, initrd as a module,
 * memory map, RSDP. boot.c calls this for ELF kernels with a PVH note.
 *
 * Source: Xen's xen/include/public/arch-x86/hvm/start_info.h.
 */
#include <string.h>

#include "boot-arch.h"
#include "layout.h"

#define START_INFO_MAGIC   0x336ec578
#define START_INFO_VERSION 1 /* first with a memory map */

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules_gpa;
	uint64_t cmdline_gpa;
	uint64_t rsdp_gpa;
	uint64_t map_gpa;
	uint32_t map_entries;
	uint32_t reserved;
};

struct start_module {
	uint64_t gpa;
	uint64_t size;
	uint64_t cmdline_gpa;
	uint64_t reserved;
};

struct start_map_entry {
	uint64_t gpa;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* The three follow each other in the page that the other protocol uses. */
struct start_page {
	struct start_info info;
	struct start_module initrd;
	struct start_map_entry map[MEMORY_MAP_MAX];
};

void pvh_write(const struct machine *machine, struct kernel *kernel, const struct initrd *initrd)
{
	struct start_page *page =
		memory_at(machine->memory, LAYOUT_ZERO_PAGE, sizeof(struct start_page));
	struct memory_map_entry map[MEMORY_MAP_MAX];
	unsigned count = memory_map(machine->memory, map);

	memset(page, 0, sizeof(*page));
	page->info.magic = START_INFO_MAGIC;
	page->info.version = START_INFO_VERSION;
	page->info.cmdline_gpa = LAYOUT_CMDLINE;
	if (machine->transport != TRANSPORT_MMIO_CMDLINE)
		page->info.rsdp_gpa = LAYOUT_ACPI;
	if (initrd->size > 0) {
		page->info.module_count = 1;
		page->info.modules_gpa = LAYOUT_ZERO_PAGE + offsetof(struct start_page, initrd);
		page->initrd.gpa = initrd->gpa;
		page->initrd.size = initrd->size;
	}
	page->info.map_gpa = LAYOUT_ZERO_PAGE + offsetof(struct start_page, map);
	page->info.map_entries = count;
	for (unsigned i = 0; i < count; i++) {
		page->map[i].gpa = map[i].gpa;
		page->map[i].size = map[i].size;
		page->map[i].type = map[i].type;
	}
	kernel->entry.param = LAYOUT_ZERO_PAGE;
}
