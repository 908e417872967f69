/*
 * msix.c: message-signalled interrupts, masked and unmasked.
 *
 * virtio-pci.c calls in when a guest touches the table or the capability.
 * Programming KVM's routing is the expensive part, so it is told of a
 * message only when a vector that may fire has a new one.
 */
#include <linux/pci_regs.h>
#include <string.h>

#include "log.h"
#include "msix.h"

#define CONTROL_MASKED 1u

enum { WORD_ADDRESS, WORD_ADDRESS_HIGH, WORD_DATA, WORD_CONTROL };

int msix_init(struct msix *msix, struct vm *vm, struct pci_function *function, unsigned vectors,
	      uint32_t table_offset, uint32_t pba_offset)
{
	unsigned at = pci_add_capability(function, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);

	*msix = (struct msix){ .function = function, .vectors = vectors, .capability = at };
	pci_config_set(function, at + PCI_MSIX_FLAGS, 2, vectors - 1);
	pci_config_allow(function, at + PCI_MSIX_FLAGS, 2,
			 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_config_set(function, at + PCI_MSIX_TABLE, 4, table_offset); /* low bits 0: BAR 0 */
	pci_config_set(function, at + PCI_MSIX_PBA, 4, pba_offset);

	for (unsigned i = 0; i < vectors; i++) {
		int ret = irq_init_msi(&msix->vector[i].irq, vm);

		if (ret < 0)
			return ret;
		msix->vector[i].words[WORD_CONTROL] = CONTROL_MASKED;
	}
	return 0;
}

void msix_destroy(struct msix *msix)
{
	for (unsigned i = 0; i < msix->vectors; i++)
		irq_destroy(&msix->vector[i].irq);
}

static int route(const struct msix *msix, struct msix_vector *vector)
{
	uint64_t address = vector->words[WORD_ADDRESS] | (uint64_t)vector->words[WORD_ADDRESS_HIGH]
								 << 32;
	uint32_t data = vector->words[WORD_DATA];
	int ret;

	if (address == vector->routed_address && data == vector->routed_data)
		return 0;
	ret = irq_set_message(&vector->irq, msix->function->slot << 3, address, data);
	if (ret == 0) {
		vector->routed_address = address;
		vector->routed_data = data;
	}
	return ret;
}

static void update(struct msix *msix, struct msix_vector *vector)
{
	bool open =
		msix->enabled && !msix->masked && !(vector->words[WORD_CONTROL] & CONTROL_MASKED);
	int ret = 0;

	if (open)
		ret = route(msix, vector);
	if (ret == 0)
		ret = open ? irq_attach(&vector->irq) : irq_detach(&vector->irq);
	/* A message KVM refuses is the guest's own doing: it gets no interrupt. */
	if (ret < 0)
		log_warning("an MSI-X vector cannot be %s: %s", open ? "used" : "masked",
			    strerror(-ret));
}

bool msix_config_written(struct msix *msix, const struct pci_function *function)
{
	uint32_t flags = pci_config_get(function, msix->capability + PCI_MSIX_FLAGS, 2);
	bool enabled = flags & PCI_MSIX_FLAGS_ENABLE, masked = flags & PCI_MSIX_FLAGS_MASKALL;
	bool toggled = enabled != msix->enabled;

	if (!toggled && masked == msix->masked)
		return false;
	msix->enabled = enabled;
	msix->masked = masked;
	for (unsigned i = 0; i < msix->vectors; i++)
		update(msix, &msix->vector[i]);
	return toggled;
}

/* Aligned accesses of 4 or 8 bytes are all the specification allows. */
static bool table_access_ok(const struct msix *msix, uint64_t offset, unsigned len)
{
	return (len == 4 || len == 8) && offset % len == 0 &&
	       offset + len <= msix->vectors * MSIX_ENTRY_SIZE;
}

void msix_table_read(const struct msix *msix, uint64_t offset, void *data, unsigned len)
{
	if (table_access_ok(msix, offset, len))
		memcpy(data,
		       (const uint8_t *)msix->vector[offset / MSIX_ENTRY_SIZE].words +
			       offset % MSIX_ENTRY_SIZE,
		       len);
}

void msix_table_write(struct msix *msix, uint64_t offset, const void *data, unsigned len)
{
	struct msix_vector *vector;

	if (!table_access_ok(msix, offset, len))
		return;
	vector = &msix->vector[offset / MSIX_ENTRY_SIZE];
	memcpy((uint8_t *)vector->words + offset % MSIX_ENTRY_SIZE, data, len);
	update(msix, vector);
}

void msix_pba_read(const struct msix *msix, uint64_t offset, void *data, unsigned len)
{
	uint64_t pending[2] = { 0 };

	_Static_assert(MSIX_VECTORS_MAX <= 64, "the pending bits fit one word");
	for (unsigned i = 0; i < msix->vectors; i++)
		if (irq_is_pending(&msix->vector[i].irq))
			pending[0] |= UINT64_C(1) << i;
	memset(data, 0, len);
	if (offset + len <= sizeof(pending))
		memcpy(data, (const uint8_t *)pending + offset, len);
}

const struct irq *msix_irq(const struct msix *msix, uint16_t vector)
{
	return msix->enabled && vector < msix->vectors ? &msix->vector[vector].irq : NULL;
}
