/*
 * virtio-pci.h: what the two files of the PCI transport share: virtio-pci.c
 * (the function, its BAR and capabilities) and virtio-pci-common.c (the
 * registers of the common configuration).
 *
 * Everything here runs on vCPU threads with the device's lock held.
 */
#ifndef LODGE_VIRTIO_PCI_H
#define LODGE_VIRTIO_PCI_H

#include <linux/virtio_pci.h>

#include "msix.h"
#include "pci.h"
#include "virtio.h"

#define VIRTIO_PCI_COMMON_LENGTH 0x3c /* bytes: up to and with queue_reset */

struct virtio_pci {
	struct pci_function function;
	struct msix msix;
	struct virtio_device *device;
	struct vm *vm;

	/* The registers that are the transport's own. */
	uint32_t device_feature_select, driver_feature_select;
	uint16_t config_vector, queue_select;
	uint16_t queue_vector[VIRTIO_QUEUES_MAX];

	/* Which doorbells should ring, and where each is connected now (0: nowhere). */
	bool wanted[VIRTIO_QUEUES_MAX];
	uint64_t connected_at[VIRTIO_QUEUES_MAX];

	unsigned cfg_capability; /* the window for those who cannot map the BAR */
};

/* A register of the common configuration, `offset` bytes from its start (4.1.4.3). */
uint64_t virtio_pci_read_common(struct virtio_pci *pci, uint64_t offset);
void virtio_pci_write_common(struct virtio_pci *pci, uint64_t offset, uint64_t value, unsigned len);

/* Whatever decides about the interrupt for configuration changes has changed. */
void virtio_pci_update_config_irq(struct virtio_pci *pci);

/* As after a reset: no queue has a vector. */
void virtio_pci_forget_vectors(struct virtio_pci *pci);

#endif
