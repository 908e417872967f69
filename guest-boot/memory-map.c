/*
 * memory-map.c: which addresses are RAM, as the guest is told.
 *
 * zeropage.c and pvh.c render it. Conventional memory ends at the EBDA, as
 * on every PC; the ACPI tables below 1 MiB and the PCI configuration window
 * are reserved, so that no kernel takes them for something else.
 */
#include "boot-arch.h"
#include "layout.h"

unsigned memory_map(const struct memory *memory, struct memory_map_entry map[MEMORY_MAP_MAX])
{
	unsigned count = 0;

	map[count++] = (struct memory_map_entry){ 0, LAYOUT_EBDA, MEMORY_MAP_RAM };
	map[count++] = (struct memory_map_entry){ LAYOUT_EBDA, 0xa0000 - LAYOUT_EBDA,
						  MEMORY_MAP_RESERVED };
	map[count++] = (struct memory_map_entry){ LAYOUT_ACPI, LAYOUT_ACPI_END - LAYOUT_ACPI,
						  MEMORY_MAP_RESERVED };
	map[count++] =
		(struct memory_map_entry){ LAYOUT_HIGH_RAM, memory->low.size - LAYOUT_HIGH_RAM,
					   MEMORY_MAP_RAM };
	map[count++] =
		(struct memory_map_entry){ LAYOUT_ECAM, LAYOUT_ECAM_SIZE, MEMORY_MAP_RESERVED };
	if (memory->high.size > 0)
		map[count++] = (struct memory_map_entry){ memory->high.gpa, memory->high.size,
							  MEMORY_MAP_RAM };
	return count;
}
