/*
 * machine.c: where virtio-mmio devices lie, for all who must agree on it:
 * the transport that answers there, the command line, guest-boot/dsdt.asl.
 */
#include "layout.h"
#include "machine.h"

uint64_t machine_mmio_gpa(unsigned index)
{
	return LAYOUT_VIRTIO_MMIO + (uint64_t)index * LAYOUT_VIRTIO_MMIO_STEP;
}

uint32_t machine_mmio_gsi(unsigned index)
{
	/* Pins 5, 6, 7, then 10 to 23: 4 is COM1's, 8 and 9 mean the clock and
	 * the ACPI interrupt to kernels that know PCs. */
	return index < 3 ? 5 + index : 7 + index;
}
