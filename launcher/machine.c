/*
 * machine.c: where virtio-mmio devices lie, for all who must agree on it:
 * the transport that answers there, the command line, guest-boot/dsdt.asl and
 * guest-boot/fdt.c.
 */
#include "layout.h"
#include "machine.h"

uint64_t machine_mmio_gpa(unsigned index)
{
	return LAYOUT_VIRTIO_MMIO + (uint64_t)index * LAYOUT_VIRTIO_MMIO_STEP;
}

uint32_t machine_mmio_gsi(unsigned index)
{
	return LAYOUT_VIRTIO_MMIO_GSI(index);
}
