/*
 * pci-ports.c: the PC's older way to PCI configuration space: an address
 * written to port 0xcf8, the data at 0xcfc. Only x86 kernels look there, and
 * only before they have found the memory window.
 *
 * Source: PCI Local Bus specification 3.0, 3.2.2.3.2.
 */
#include <string.h>

#include "layout.h"
#include "pci.h"

#define ADDRESS_ENABLE 0x80000000u

/* Bus in 23:16, slot in 15:11, function in 10:8, dword in 7:2; false if it is not ours. */
static bool selected(struct pci_root *root, uint64_t port_offset, uint64_t *ecam)
{
	/* Relaxed: the guest serialises its use of the pair itself. */
	uint32_t address = atomic_load_explicit(&root->address, memory_order_relaxed);

	if (!(address & ADDRESS_ENABLE) || (address >> 16 & 0xff) != 0)
		return false;
	*ecam = (uint64_t)(address & 0xff00) << 4 | (address & 0xfc) | (port_offset & 3);
	return true;
}

/* Ports 0xcf8-0xcff: offsets 0-3 are the address, 4-7 the data. */
static void ports_read(void *context, uint64_t offset, void *data, unsigned len)
{
	struct pci_root *root = context;
	uint64_t ecam;

	if (offset == 0 && len == 4) {
		uint32_t address = atomic_load_explicit(&root->address, memory_order_relaxed);

		memcpy(data, &address, 4);
	} else if (offset >= 4 && selected(root, offset, &ecam)) {
		pci_root_read(root, ecam, data, len);
	}
}

static void ports_write(void *context, uint64_t offset, const void *data, unsigned len)
{
	struct pci_root *root = context;
	uint32_t address;
	uint64_t ecam;

	if (offset == 0 && len == 4) {
		memcpy(&address, data, 4);
		atomic_store_explicit(&root->address, address, memory_order_relaxed);
	} else if (offset >= 4 && selected(root, offset, &ecam)) {
		pci_root_write(root, ecam, data, len);
	}
}

static const struct bus_ops ports_ops = { .read = ports_read, .write = ports_write };

void pci_ports_init(struct pci_root *root, struct vm *vm)
{
	bus_add(&vm->arch.ports, LAYOUT_PCI_CONFIG, 8, &ports_ops, root);
}
