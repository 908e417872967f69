/*
 * transport.h: attaching a virtio device to a bus the guest can find it on.
 *
 * Two of them, and a device cannot tell which one it sits on. Both run on
 * vCPU threads under the device's lock, and touch the device only through
 * the calls that virtio.h has for transports.
 */
#ifndef LODGE_TRANSPORT_H
#define LODGE_TRANSPORT_H

#include "pci.h"
#include "virtio.h"
#include "vm.h"

/*
 * Put `device` into the next free slot of the bus, as virtio-pci with MSI-X.
 * Returns the attachment, for transport_pci_detach(), or NULL after printing
 * the reason. Main, before vCPUs.
 */
struct virtio_pci *virtio_pci_attach(struct virtio_device *device, struct vm *vm,
				     struct pci_root *root);
/* After the vCPUs have stopped, before the device is destroyed. */
void virtio_pci_detach(struct virtio_pci *pci);

/* The same for virtio-mmio, as device number `index` (machine.h says where that is). */
struct virtio_mmio *virtio_mmio_attach(struct virtio_device *device, struct vm *vm, unsigned index);
void virtio_mmio_detach(struct virtio_mmio *mmio);

#endif
