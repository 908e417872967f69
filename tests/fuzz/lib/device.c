/*
 * device.c: playing a guest to a device, as the input says.
 *
 * The input is a list of steps. Some are the raw accesses a guest can make;
 * others are what a driver does in many accesses (negotiate and start; one
 * descriptor; offer a chain and kick), so that an input need not invent a whole
 * driver before anything happens. After every step the device's thread gets its
 * turn, so that an input means nearly the same each time.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "fuzz.h"
#include "machine.h"
#include "transport.h"

#define QUEUE_SIZE  16
#define STEPS_MAX   256
#define QUEUES_MAX  3
#define DATA        0x10000u /* RAM from here on is for buffers */
#define RINGS(q)    (0x4000u + 0x3000u * (q))
#define BAR         (LAYOUT_PCI_WINDOW + 0x8000u) /* of slot 1 */
#define BAR_NOTIFY  (BAR + 0x3000u)
#define BAR_SIZE    0x8000u
#define ECAM_DEVICE (LAYOUT_ECAM + 0x8000u)

struct guest {
	struct vm vm;
	struct pci_root pci;
	struct virtio_device *device;
	struct virtio_pci *on_pci;
	struct virtio_mmio *on_mmio;
	struct memory *memory;
	uint64_t mmio; /* where it is, if it is there */
	uint16_t offered[QUEUES_MAX];
};

static void turn(void *arg)
{
	(void)arg;
}

/* The device's threads handle what was there before this call. */
static void give_turn(struct guest *guest)
{
	for (unsigned i = 0; i < guest->device->thread_count; i++)
		loop_call(&guest->device->threads[i].loop, turn, NULL);
}

static void put(struct guest *guest, uint64_t address, uint64_t value, unsigned len)
{
	bus_write(&guest->vm.mmio, address, &value, len);
}

static void get(struct guest *guest, uint64_t address, unsigned len)
{
	uint64_t value;

	bus_read(&guest->vm.mmio, address, &value, len);
}

/* --- What a driver does --- */

static void set_status(struct guest *guest, uint8_t status)
{
	if (guest->on_pci)
		put(guest, BAR + VIRTIO_PCI_COMMON_STATUS, status, 1);
	else
		put(guest, guest->mmio + VIRTIO_MMIO_STATUS, status, 4);
}

static void set_features(struct guest *guest, uint64_t features)
{
	for (unsigned word = 0; word < 2; word++) {
		if (guest->on_pci) {
			put(guest, BAR + VIRTIO_PCI_COMMON_GFSELECT, word, 4);
			put(guest, BAR + VIRTIO_PCI_COMMON_GF, features >> (32 * word), 4);
		} else {
			put(guest, guest->mmio + VIRTIO_MMIO_DRIVER_FEATURES_SEL, word, 4);
			put(guest, guest->mmio + VIRTIO_MMIO_DRIVER_FEATURES,
			    features >> (32 * word), 4);
		}
	}
}

static void enable_queue(struct guest *guest, unsigned queue)
{
	uint64_t desc = RINGS(queue), driver = desc + 0x1000, device = desc + 0x2000;
	uint64_t mmio = guest->mmio;

	memset(memory_at(guest->memory, desc, 0x3000), 0, 0x3000);
	guest->offered[queue] = 0;
	if (guest->on_pci) {
		put(guest, BAR + VIRTIO_PCI_COMMON_Q_SELECT, queue, 2);
		put(guest, BAR + VIRTIO_PCI_COMMON_Q_SIZE, QUEUE_SIZE, 2);
		put(guest, BAR + VIRTIO_PCI_COMMON_Q_MSIX, queue, 2);
		put(guest, BAR + VIRTIO_PCI_COMMON_Q_DESCLO, desc, 8);
		put(guest, BAR + VIRTIO_PCI_COMMON_Q_AVAILLO, driver, 8);
		put(guest, BAR + VIRTIO_PCI_COMMON_Q_USEDLO, device, 8);
		put(guest, BAR + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	} else {
		put(guest, mmio + VIRTIO_MMIO_QUEUE_SEL, queue, 4);
		put(guest, mmio + VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE, 4);
		put(guest, mmio + VIRTIO_MMIO_QUEUE_DESC_LOW, desc, 4);
		put(guest, mmio + VIRTIO_MMIO_QUEUE_AVAIL_LOW, driver, 4);
		put(guest, mmio + VIRTIO_MMIO_QUEUE_USED_LOW, device, 4);
		put(guest, mmio + VIRTIO_MMIO_QUEUE_READY, 1, 4);
	}
}

static void start(struct guest *guest, uint64_t refused)
{
	set_status(guest, 0);
	set_status(guest, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set_features(guest, (guest->device->offered & ~refused) | BIT(VIRTIO_F_VERSION_1));
	set_status(guest, VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned i = 0; i < guest->device->queue_count && i < QUEUES_MAX; i++)
		enable_queue(guest, i);
	set_status(guest, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void kick(struct guest *guest, unsigned queue)
{
	if (guest->on_pci)
		put(guest, BAR_NOTIFY + 4 * queue, queue, 2);
	else
		put(guest, guest->mmio + VIRTIO_MMIO_QUEUE_NOTIFY, queue, 4);
}

/* Descriptor `n` of the queue: somewhere in the data, unless the input wants it elsewhere. */
static void put_descriptor(struct guest *guest, struct input *input)
{
	unsigned queue = input_take(input, 1) % QUEUES_MAX, n = input_take(input, 1) % QUEUE_SIZE;
	struct vring_desc desc = {
		.addr = DATA + input_take(input, 2),
		.len = (uint32_t)input_take(input, 2),
		.flags = (uint16_t)input_take(input, 1),
		.next = (uint16_t)input_take(input, 1),
	};

	if (desc.flags & 0x80) {
		desc.addr = input_take(input, 8);
		desc.len = (uint32_t)input_take(input, 4);
	}
	desc.flags &= 0x7f;
	memcpy(memory_at(guest->memory, RINGS(queue) + n * sizeof(desc), sizeof(desc)), &desc,
	       sizeof(desc));
}

static void offer(struct guest *guest, struct input *input)
{
	unsigned queue = input_take(input, 1) % QUEUES_MAX;
	uint16_t head = (uint16_t)input_take(input, 1);
	uint16_t *avail = memory_at(guest->memory, RINGS(queue) + 0x1000, 0x100);

	avail[2 + guest->offered[queue]++ % QUEUE_SIZE] = head;
	__atomic_store_n(&avail[1], guest->offered[queue], __ATOMIC_RELEASE);
	kick(guest, queue);
}

/* --- What any guest can do --- */

static void write_memory(struct guest *guest, struct input *input)
{
	uint32_t address = (uint32_t)input_take(input, 2) * 2, len = (uint32_t)input_take(input, 1);
	uint8_t *to;

	if (len > input->left)
		len = (uint32_t)input->left;
	to = memory_at(guest->memory, address, len);
	if (to)
		memcpy(to, input->at, len);
	input->at += len;
	input->left -= len;
}

static uint64_t register_address(const struct guest *guest, uint64_t offset)
{
	return guest->on_pci ? BAR + offset % BAR_SIZE
			     : guest->mmio + offset % LAYOUT_VIRTIO_MMIO_SIZE;
}

static void step(struct guest *guest, struct input *input)
{
	unsigned what = (unsigned)input_take(input, 1);
	unsigned len = 1u << (what >> 6);

	switch (what & 15) {
	case 0:
		start(guest, input_take(input, 8));
		break;
	case 1:
	case 2:
	case 3:
		put_descriptor(guest, input);
		break;
	case 4:
	case 5:
		offer(guest, input);
		break;
	case 6:
	case 7:
		write_memory(guest, input);
		break;
	case 8:
		put(guest, register_address(guest, input_take(input, 2)), input_take(input, len),
		    len);
		break;
	case 9:
		get(guest, register_address(guest, input_take(input, 2)), len);
		break;
	case 10:
		put(guest, ECAM_DEVICE + input_take(input, 1), input_take(input, len), len);
		break;
	case 11:
		get(guest, ECAM_DEVICE + input_take(input, 1), len);
		break;
	case 12:
		kick(guest, (unsigned)input_take(input, 1));
		break;
	case 13:
		enable_queue(guest, input_take(input, 1) % QUEUES_MAX);
		break;
	case 14:
		set_status(guest, (uint8_t)input_take(input, 1));
		break;
	default: /* without giving the device its turn: a queue that fills up */
		return;
	}
	give_turn(guest);
}

static bool attach(struct guest *guest, bool pci)
{
	guest->vm = (struct vm){ .memory = guest->memory,
				 .mmio.name = "mmio",
				 .arch.ports.name = "port",
				 .next_msi_gsi = LAYOUT_IOAPIC_PINS };
	guest->mmio = machine_mmio_gpa(0);
	if (pci) {
		pci_root_init(&guest->pci, &guest->vm);
		pci_ports_init(&guest->pci, &guest->vm);
		guest->on_pci = virtio_pci_attach(guest->device, &guest->vm, &guest->pci);
		put(guest, ECAM_DEVICE + 4, 6, 2); /* memory decoding, bus mastering */
	} else {
		guest->on_mmio = virtio_mmio_attach(guest->device, &guest->vm, 0);
	}
	return guest->on_pci || guest->on_mmio;
}

static void detach(struct guest *guest)
{
	/* Not through its registers, which may be anywhere by now. */
	pthread_mutex_lock(&guest->device->lock);
	virtio_write_status(guest->device, 0);
	pthread_mutex_unlock(&guest->device->lock);
	if (guest->on_pci)
		virtio_pci_detach(guest->on_pci);
	if (guest->on_mmio)
		virtio_mmio_detach(guest->on_mmio);
}

static struct virtio_device *make_device(const struct device_type *type, const char *options,
					 const struct memory *memory)
{
	static void *parsed; /* the device may keep pointers into it */
	struct virtio_device *device;

	parsed = options ? type->parse(options) : NULL;
	device = type->create(0, parsed, memory, NULL);

	if (!device)
		exit(1);
	return device;
}

int fuzz_device(const struct device_type *type, const char *options, const uint8_t *data,
		size_t size)
{
	static struct virtio_device *device;
	struct guest guest = { .memory = fuzz_memory(FUZZ_LOW, FUZZ_HIGH) };
	struct input input = { data, size };

	if (!device)
		device = make_device(type, options, guest.memory);
	guest.device = device;
	if (!attach(&guest, !(input_take(&input, 1) & 1)))
		abort();
	for (unsigned i = 0; i < STEPS_MAX && input.left > 0; i++)
		step(&guest, &input);
	detach(&guest);
	return 0;
}

int fuzz_bus(bool pci, const uint8_t *data, size_t size)
{
	static struct virtio_device *device;
	struct guest guest = { .memory = fuzz_memory(FUZZ_LOW, FUZZ_HIGH) };
	struct input input = { data, size };

	if (!device)
		device = make_device(&rng_device, NULL, guest.memory);
	guest.device = device;
	if (!attach(&guest, pci))
		abort();
	for (unsigned i = 0; i < STEPS_MAX && input.left > 0; i++) {
		unsigned what = (unsigned)input_take(&input, 1);
		unsigned len = 1u << (what >> 6);
		uint64_t address = register_address(&guest, input_take(&input, 2)), value;

		if (pci && (what & 3) == 1)
			address = LAYOUT_ECAM + (address & 0xffff);
		else if (pci && (what & 3) == 2)
			address = LAYOUT_PCI_CONFIG + (address & 7);
		value = what & 4 ? input_take(&input, len) : 0;
		if (pci && (what & 3) == 2 && (what & 4))
			bus_write(&guest.vm.arch.ports, address, &value, len & 7 ? len : 4);
		else if (pci && (what & 3) == 2)
			bus_read(&guest.vm.arch.ports, address, &value, len & 7 ? len : 4);
		else if (what & 4)
			put(&guest, address, value, len);
		else
			get(&guest, address, len);
		if (what & 8)
			give_turn(&guest);
	}
	detach(&guest);
	return 0;
}
