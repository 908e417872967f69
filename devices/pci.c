/*
 * pci.c: the PCI bus (tour 9).
 *
 * vCPU threads come here when the guest enumerates the bus, programs a
 * function, or touches a register behind a BAR. The list of functions never
 * changes; the address of a BAR may, so the lookup reads it atomically and
 * the function's lock is taken before anything is done with it.
 *
 * Next in the tour: virtio-pci.c.
 */
#include <linux/pci_regs.h>
#include <string.h>

#include "layout.h"
#include "pci.h"

#define BRIDGE_VENDOR                                                                              \
	0x1b36 /* Red Hat's generic PCIe host bridge: drivers expect nothing of it                 \
		*/
#define BRIDGE_DEVICE     0x0008
#define CLASS_HOST_BRIDGE 0x060000

#define FIRST_CAPABILITY 0x40

/* --- Configuration space of one function --- */

void pci_config_set(struct pci_function *function, unsigned offset, unsigned len, uint32_t value)
{
	for (unsigned i = 0; i < len; i++)
		function->config[offset + i] = (uint8_t)(value >> (8 * i));
}

uint32_t pci_config_get(const struct pci_function *function, unsigned offset, unsigned len)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < len; i++)
		value |= (uint32_t)function->config[offset + i] << (8 * i);
	return value;
}

void pci_config_allow(struct pci_function *function, unsigned offset, unsigned len, uint32_t mask)
{
	for (unsigned i = 0; i < len; i++)
		function->writable[offset + i] = (uint8_t)(mask >> (8 * i));
}

unsigned pci_add_capability(struct pci_function *function, uint8_t id, unsigned len)
{
	unsigned offset = function->next_capability;

	pci_config_set(function, offset, 1, id);
	/* The list is linked in the order of addition, as a reader would expect. */
	pci_config_set(function,
		       function->last_capability ? function->last_capability + 1u
						 : PCI_CAPABILITY_LIST,
		       1, offset);
	pci_config_set(function, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	function->last_capability = (uint8_t)offset;
	function->next_capability = (offset + len + 3) & ~3u;
	return offset;
}

void pci_function_init(struct pci_function *function, const struct pci_identity *identity,
		       uint32_t bar_size, const struct pci_function_ops *ops, pthread_mutex_t *lock)
{
	*function = (struct pci_function){
		.ops = ops,
		.bar_size = bar_size,
		.next_capability = FIRST_CAPABILITY,
		.lock = lock,
	};
	pci_config_set(function, PCI_VENDOR_ID, 2, identity->vendor);
	pci_config_set(function, PCI_DEVICE_ID, 2, identity->device);
	pci_config_set(function, PCI_CLASS_REVISION, 4, identity->class << 8 | identity->revision);
	pci_config_set(function, PCI_SUBSYSTEM_VENDOR_ID, 2, identity->subsystem_vendor);
	pci_config_set(function, PCI_SUBSYSTEM_ID, 2, identity->subsystem);
	pci_config_allow(function, PCI_COMMAND, 2,
			 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	pci_config_allow(function, PCI_INTERRUPT_LINE, 1, 0xff);
	/* Bits below the size stay zero: that is how a guest measures a BAR. */
	if (bar_size)
		pci_config_allow(function, PCI_BASE_ADDRESS_0, 4, ~(bar_size - 1));
}

/* Does the BAR answer, and where? After every change of the command register or the BAR. */
static void update_bar(struct pci_function *function)
{
	uint64_t old = atomic_load_explicit(&function->bar_gpa, memory_order_relaxed);
	uint64_t gpa = pci_config_get(function, PCI_BASE_ADDRESS_0, 4);

	if (!function->bar_size)
		return;
	if (!(pci_config_get(function, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY) ||
	    gpa < LAYOUT_PCI_WINDOW ||
	    gpa - LAYOUT_PCI_WINDOW > LAYOUT_PCI_WINDOW_SIZE - function->bar_size)
		gpa = 0;
	if (gpa == old)
		return;
	/* Relaxed: a vCPU that finds the old address takes the lock next and
	 * is served as if it had come a moment earlier. */
	atomic_store_explicit(&function->bar_gpa, gpa, memory_order_relaxed);
	function->ops->bar_moved(function, gpa);
}

static void config_read(struct pci_function *function, unsigned offset, void *data, unsigned len)
{
	pthread_mutex_lock(function->lock);
	if (function->ops && function->ops->config_read)
		function->ops->config_read(function, offset, len);
	memcpy(data, function->config + offset, len);
	pthread_mutex_unlock(function->lock);
}

static void config_write(struct pci_function *function, unsigned offset, const void *data,
			 unsigned len)
{
	const uint8_t *bytes = data;

	pthread_mutex_lock(function->lock);
	for (unsigned i = 0; i < len; i++) {
		uint8_t mask = function->writable[offset + i];

		function->config[offset + i] =
			(uint8_t)((function->config[offset + i] & ~mask) | (bytes[i] & mask));
	}
	if (offset < PCI_BASE_ADDRESS_1)
		update_bar(function);
	if (function->ops && function->ops->config_written)
		function->ops->config_written(function, offset, len);
	pthread_mutex_unlock(function->lock);
}

/* --- Configuration space of all: slot << 15 | offset, as in ECAM --- */

void pci_root_read(struct pci_root *root, uint64_t ecam, void *data, unsigned len)
{
	struct pci_function *function = root->slots[ecam >> 15 & (PCI_SLOTS - 1)];
	unsigned number = ecam >> 12 & 7, offset = ecam & 0xfff;

	/* Absent functions read as ones (the bus did that); extended space as
	 * zeros, which means: no extended capabilities. */
	if (!function || number != 0)
		return;
	if (offset + len <= PCI_CONFIG_SIZE)
		config_read(function, offset, data, len);
	else
		memset(data, 0, len);
}

void pci_root_write(struct pci_root *root, uint64_t ecam, const void *data, unsigned len)
{
	struct pci_function *function = root->slots[ecam >> 15 & (PCI_SLOTS - 1)];
	unsigned number = ecam >> 12 & 7, offset = ecam & 0xfff;

	if (function && number == 0 && offset + len <= PCI_CONFIG_SIZE)
		config_write(function, offset, data, len);
}

static void ecam_read(void *context, uint64_t offset, void *data, unsigned len)
{
	pci_root_read(context, offset, data, len);
}

static void ecam_write(void *context, uint64_t offset, const void *data, unsigned len)
{
	pci_root_write(context, offset, data, len);
}

/* --- The window of BARs --- */

static struct pci_function *find_bar(const struct pci_root *root, uint64_t gpa, unsigned len,
				     uint64_t *offset)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_function *function = root->slots[slot];
		uint64_t bar;

		if (!function)
			continue;
		bar = atomic_load_explicit(&function->bar_gpa, memory_order_relaxed);
		if (bar && gpa >= bar && gpa - bar <= function->bar_size - len) {
			*offset = gpa - bar;
			return function;
		}
	}
	return NULL;
}

static void window_read(void *context, uint64_t offset, void *data, unsigned len)
{
	struct pci_function *function = find_bar(context, LAYOUT_PCI_WINDOW + offset, len, &offset);

	if (!function)
		return;
	pthread_mutex_lock(function->lock);
	function->ops->bar_read(function, offset, data, len);
	pthread_mutex_unlock(function->lock);
}

static void window_write(void *context, uint64_t offset, const void *data, unsigned len)
{
	struct pci_function *function = find_bar(context, LAYOUT_PCI_WINDOW + offset, len, &offset);

	if (!function)
		return;
	pthread_mutex_lock(function->lock);
	function->ops->bar_write(function, offset, data, len);
	pthread_mutex_unlock(function->lock);
}

static const struct bus_ops ecam_ops = { .read = ecam_read, .write = ecam_write };
static const struct bus_ops window_ops = { .read = window_read, .write = window_write };

void pci_root_add(struct pci_root *root, struct pci_function *function)
{
	unsigned slot = 0;

	while (root->slots[slot])
		slot++;
	/* What firmware would do: an address for every BAR, so that a small
	 * guest need not assign any. */
	if (function->bar_size)
		pci_config_set(function, PCI_BASE_ADDRESS_0, 4,
			       LAYOUT_PCI_WINDOW + slot * function->bar_size);
	function->slot = slot;
	root->slots[slot] = function;
}

void pci_root_init(struct pci_root *root, struct vm *vm)
{
	static const struct pci_identity identity = { .vendor = BRIDGE_VENDOR,
						      .device = BRIDGE_DEVICE,
						      .class = CLASS_HOST_BRIDGE };

	memset(root, 0, sizeof(*root));
	pthread_mutex_init(&root->bridge_lock, NULL);
	pci_function_init(&root->bridge, &identity, 0, NULL, &root->bridge_lock);
	pci_root_add(root, &root->bridge);

	bus_add(&vm->mmio, LAYOUT_ECAM, LAYOUT_ECAM_SIZE, &ecam_ops, root);
	bus_add(&vm->mmio, LAYOUT_PCI_WINDOW, LAYOUT_PCI_WINDOW_SIZE, &window_ops, root);
}
