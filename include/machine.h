/*
 * machine.h: the one description of the machine.
 *
 * main fills it while it builds the guest; guest-boot/ renders it in the
 * form the architecture's kernels read (ACPI and e820 on x86, a device tree
 * on arm64). Nothing else tells the guest what exists.
 */
#ifndef LODGE_MACHINE_H
#define LODGE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"

/* How virtio devices are attached. */
enum transport {
	TRANSPORT_PCI,          /* virtio-pci with MSI-X */
	TRANSPORT_MMIO,         /* virtio-mmio, declared in ACPI or the device tree */
	TRANSPORT_MMIO_CMDLINE, /* virtio-mmio, declared on the kernel's command line */
};

#define MACHINE_PCI_MAX 31 /* virtio-pci devices: slots of bus 0 but the host bridge's */

struct machine {
	const struct memory *memory;
	enum transport transport;
	unsigned cpus;
	unsigned devices; /* virtio devices, in the order of their slots */
	bool msi;         /* messages reach the guest; on arm64 that means GICv3, else GICv2 */
	bool pmu;         /* arm64: the vCPUs count events */
};

/* Guest-physical address and GSI of virtio-mmio device `index`. Any thread. */
uint64_t machine_mmio_gpa(unsigned index);
uint32_t machine_mmio_gsi(unsigned index);

#endif
