/*
 * pci.c: configuration space as a guest explores it, by both ways in: sizing
 * and moving a BAR, bits that cannot be written, and accesses of every width
 * at every offset. No KVM: the bus is called as a vCPU thread would call it.
 */
#include <linux/pci_regs.h>
#include <string.h>

#include "layout.h"
#include "lib/unit.h"
#include "pci.h"

#define BAR_SIZE 0x8000u
#define SLOT     1

static struct {
	struct vm vm;
	struct pci_root root;
	struct pci_function function;
	pthread_mutex_t lock;

	/* What the function was told. */
	unsigned moves, bar_reads, bar_writes;
	uint64_t moved_to, bar_offset;
	unsigned bar_len;
} t;

static void bar_read(struct pci_function *function, uint64_t offset, void *data, unsigned len)
{
	(void)function;
	t.bar_reads++;
	t.bar_offset = offset;
	t.bar_len = len;
	memset(data, 0x5a, len);
}

static void bar_write(struct pci_function *function, uint64_t offset, const void *data,
		      unsigned len)
{
	(void)function;
	(void)data;
	t.bar_writes++;
	t.bar_offset = offset;
	t.bar_len = len;
}

static void bar_moved(struct pci_function *function, uint64_t gpa)
{
	(void)function;
	t.moves++;
	t.moved_to = gpa;
}

static const struct pci_function_ops ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.bar_moved = bar_moved,
};

static int set_up(void **state)
{
	static const struct pci_identity identity = {
		.vendor = 0x1af4,
		.device = 0x1042,
		.subsystem_vendor = 0x1111,
		.subsystem = 0x2222,
		.class = 0x018000,
		.revision = 1,
	};

	(void)state;
	memset(&t, 0, sizeof(t));
	t.vm.mmio.name = "mmio";
	t.vm.arch.ports.name = "port";
	pthread_mutex_init(&t.lock, NULL);
	pci_root_init(&t.root, &t.vm);
	pci_ports_init(&t.root, &t.vm);
	pci_function_init(&t.function, &identity, BAR_SIZE, &ops, &t.lock);
	pci_root_add(&t.root, &t.function);
	return 0;
}

/* --- The two ways in --- */

static uint64_t ecam(unsigned slot, unsigned function, unsigned offset)
{
	return LAYOUT_ECAM + ((uint64_t)slot << 15) + ((uint64_t)function << 12) + offset;
}

static uint64_t ecam_read(unsigned slot, unsigned offset, unsigned len)
{
	uint64_t value = 0;

	bus_read(&t.vm.mmio, ecam(slot, 0, offset), &value, len);
	return value;
}

static void ecam_write(unsigned offset, unsigned len, uint64_t value)
{
	bus_write(&t.vm.mmio, ecam(SLOT, 0, offset), &value, len);
}

static void select_address(uint32_t address)
{
	bus_write(&t.vm.arch.ports, 0xcf8, &address, 4);
}

static uint32_t port_read(unsigned slot, unsigned offset, unsigned len)
{
	uint32_t value = 0;

	select_address(0x80000000 | slot << 11 | (offset & ~3u));
	bus_read(&t.vm.arch.ports, 0xcfc + (offset & 3), &value, len);
	return value;
}

static void port_write(unsigned offset, unsigned len, uint32_t value)
{
	select_address(0x80000000 | SLOT << 11 | (offset & ~3u));
	bus_write(&t.vm.arch.ports, 0xcfc + (offset & 3), &value, len);
}

static void identities(void **state)
{
	(void)state;
	assert_int_equal(ecam_read(0, PCI_VENDOR_ID, 4), 0x00081b36);
	assert_int_equal(ecam_read(0, PCI_CLASS_REVISION, 4), 0x06000000);
	assert_int_equal(ecam_read(SLOT, PCI_VENDOR_ID, 4), 0x10421af4);
	assert_int_equal(ecam_read(SLOT, PCI_CLASS_REVISION, 4), 0x01800001);
	assert_int_equal(ecam_read(SLOT, PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(ecam_read(SLOT, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x22221111);
}

static void both_ways_lead_to_the_same(void **state)
{
	(void)state;
	port_write(PCI_INTERRUPT_LINE, 1, 0x17);
	assert_int_equal(ecam_read(SLOT, PCI_INTERRUPT_LINE, 1), 0x17);
	for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset++)
		assert_int_equal(port_read(SLOT, offset, 1), ecam_read(SLOT, offset, 1));
	for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset += 2)
		assert_int_equal(port_read(SLOT, offset, 2), ecam_read(SLOT, offset, 2));
	for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset += 4)
		assert_int_equal(port_read(SLOT, offset, 4), ecam_read(SLOT, offset, 4));
}

static void absent_ones_read_as_ones(void **state)
{
	uint32_t value = 0;

	(void)state;
	for (unsigned slot = SLOT + 1; slot < PCI_SLOTS; slot++) {
		assert_int_equal(ecam_read(slot, PCI_VENDOR_ID, 4), 0xffffffff);
		assert_int_equal(port_read(slot, PCI_VENDOR_ID, 2), 0xffff);
	}
	/* Functions 1 to 7 of a slot that is there, and other buses. */
	bus_read(&t.vm.mmio, ecam(SLOT, 1, 0), &value, 4);
	assert_int_equal(value, 0xffffffff);
	select_address(0x80000000 | SLOT << 11 | 7 << 8);
	bus_read(&t.vm.arch.ports, 0xcfc, &value, 4);
	assert_int_equal(value, 0xffffffff);
	select_address(0x80000000 | 1 << 16 | SLOT << 11);
	bus_read(&t.vm.arch.ports, 0xcfc, &value, 4);
	assert_int_equal(value, 0xffffffff);
	/* Not enabled: these ports are something else's. */
	select_address(SLOT << 11);
	bus_read(&t.vm.arch.ports, 0xcfc, &value, 4);
	assert_int_equal(value, 0xffffffff);
}

static void the_address_register(void **state)
{
	uint32_t value = 0;

	(void)state;
	select_address(0x80000800);
	bus_read(&t.vm.arch.ports, 0xcf8, &value, 4);
	assert_int_equal(value, 0x80000800);
	/* It is one of 4 bytes; anything narrower goes nowhere. */
	value = 0;
	bus_write(&t.vm.arch.ports, 0xcf8, &value, 2);
	bus_write(&t.vm.arch.ports, 0xcfb, &value, 1);
	bus_read(&t.vm.arch.ports, 0xcf8, &value, 4);
	assert_int_equal(value, 0x80000800);
	bus_read(&t.vm.arch.ports, 0xcf8, &value, 2);
	assert_int_equal(value & 0xffff, 0xffff);
}

/* --- What can be written --- */

static void read_only_bits(void **state)
{
	uint8_t before[PCI_CONFIG_SIZE];

	(void)state;
	memcpy(before, t.function.config, sizeof(before));
	for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset++)
		ecam_write(offset, 1, 0xff);
	for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset++) {
		uint8_t allowed = 0;

		if (offset == PCI_COMMAND)
			allowed = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
		else if (offset == PCI_COMMAND + 1)
			allowed = PCI_COMMAND_INTX_DISABLE >> 8;
		else if (offset == PCI_BASE_ADDRESS_0 + 1)
			allowed = 0x80;
		else if (offset == PCI_BASE_ADDRESS_0 + 2 || offset == PCI_BASE_ADDRESS_0 + 3 ||
			 offset == PCI_INTERRUPT_LINE)
			allowed = 0xff;
		assert_int_equal(t.function.config[offset], before[offset] | allowed);
	}
}

static void a_bar_is_measured(void **state)
{
	uint64_t preset = LAYOUT_PCI_WINDOW + SLOT * BAR_SIZE;

	(void)state;
	assert_int_equal(ecam_read(SLOT, PCI_BASE_ADDRESS_0, 4), preset);
	ecam_write(PCI_BASE_ADDRESS_0, 4, 0xffffffff);
	assert_int_equal(ecam_read(SLOT, PCI_BASE_ADDRESS_0, 4), ~(BAR_SIZE - 1));
	ecam_write(PCI_BASE_ADDRESS_0, 4, preset);
	assert_int_equal(ecam_read(SLOT, PCI_BASE_ADDRESS_0, 4), preset);
	/* The others do not exist. */
	for (unsigned bar = PCI_BASE_ADDRESS_1; bar <= PCI_BASE_ADDRESS_5; bar += 4) {
		ecam_write(bar, 4, 0xffffffff);
		assert_int_equal(ecam_read(SLOT, bar, 4), 0);
	}
	ecam_write(PCI_ROM_ADDRESS, 4, 0xffffffff);
	assert_int_equal(ecam_read(SLOT, PCI_ROM_ADDRESS, 4), 0);
	/* All of it without decoding: nobody was told of an address. */
	assert_int_equal(t.moves, 0);
}

static void a_bar_moves(void **state)
{
	uint64_t preset = LAYOUT_PCI_WINDOW + SLOT * BAR_SIZE;

	(void)state;
	ecam_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(t.moves, 1);
	assert_int_equal(t.moved_to, preset);
	ecam_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(t.moves, 1); /* nothing new */

	ecam_write(PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	assert_int_equal(t.moved_to, 0xd0000000);
	port_write(PCI_BASE_ADDRESS_0 + 2, 1, 0x12); /* byte by byte */
	assert_int_equal(t.moved_to, 0xd0120000);
	ecam_write(PCI_BASE_ADDRESS_0, 4, 0xdfff8000); /* the last place in the window */
	assert_int_equal(t.moved_to, 0xdfff8000);

	ecam_write(PCI_COMMAND, 2, 0);
	assert_int_equal(t.moved_to, 0);
	assert_int_equal(t.moves, 5);
}

static void a_bar_outside_the_window(void **state)
{
	static const uint32_t places[] = { 0,          0x1000000,  0xbfff8000,
					   0xe0000000, 0xfee00000, 0xffff8000 };

	(void)state;
	ecam_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	for (unsigned i = 0; i < COUNT_OF(places); i++) {
		uint32_t value = 0;

		ecam_write(PCI_BASE_ADDRESS_0, 4, 0xd0000000);
		assert_int_equal(t.moved_to, 0xd0000000);
		ecam_write(PCI_BASE_ADDRESS_0, 4, places[i]);
		assert_int_equal(t.moved_to, 0);
		bus_read(&t.vm.mmio, 0xd0000000, &value, 4);
		assert_int_equal(value, 0xffffffff);
	}
	assert_int_equal(t.bar_reads, 0);
}

/* --- Accesses --- */

static void the_end_of_configuration_space(void **state)
{
	uint64_t value;

	(void)state;
	t.function.config[PCI_CONFIG_SIZE - 1] = 0xab;
	assert_int_equal(ecam_read(SLOT, 0xff, 1), 0xab);
	assert_int_equal(ecam_read(SLOT, 0xfc, 4), 0xab000000);
	assert_int_equal(ecam_read(SLOT, 0xf8, 8), UINT64_C(0xab) << 56);
	/* What begins inside and ends outside, and all of extended space: zero. */
	assert_int_equal(ecam_read(SLOT, 0xff, 2), 0);
	assert_int_equal(ecam_read(SLOT, 0xfd, 4), 0);
	assert_int_equal(ecam_read(SLOT, 0xfc, 8), 0);
	for (unsigned len = 1; len <= 8; len *= 2) {
		assert_int_equal(ecam_read(SLOT, 0x100, len), 0);
		assert_int_equal(ecam_read(SLOT, 0x1000 - len, len), 0);
		ecam_write(0x1000 - len, len, UINT64_MAX);
		ecam_write(0x100 - len / 2, len, UINT64_MAX);
	}
	assert_int_equal(t.function.config[PCI_CONFIG_SIZE - 1], 0xab);
	assert_int_equal(ecam_read(SLOT + 1, 0, 4), 0xffffffff);
	/* The last slot's last bytes, and beyond the window. */
	bus_read(&t.vm.mmio, LAYOUT_ECAM + LAYOUT_ECAM_SIZE - 4, &value, 8);
	assert_true(value == UINT64_MAX);
}

static void unaligned_accesses(void **state)
{
	uint32_t value = 0;

	(void)state;
	assert_int_equal(ecam_read(SLOT, 1, 4), 0x0010421a);
	assert_int_equal(ecam_read(SLOT, 1, 2), 0x421a);
	assert_int_equal(ecam_read(SLOT, 3, 2), 0x0010);
	/* Through the ports they would leave the data register. */
	select_address(0x80000000 | SLOT << 11);
	bus_read(&t.vm.arch.ports, 0xcfd, &value, 4);
	assert_int_equal(value, 0xffffffff);
	bus_read(&t.vm.arch.ports, 0xcff, &value, 2);
	assert_int_equal(value & 0xffff, 0xffff);
	bus_read(&t.vm.arch.ports, 0xcfe, &value, 2);
	assert_int_equal(value & 0xffff, 0x1042);
}

static void accesses_to_a_bar(void **state)
{
	static const uint64_t gpa = 0xd0000000;
	uint64_t value = 0;

	(void)state;
	ecam_write(PCI_BASE_ADDRESS_0, 4, gpa);
	bus_read(&t.vm.mmio, gpa, &value, 4);
	assert_int_equal(t.bar_reads, 0); /* not while decoding is off */
	ecam_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	for (unsigned len = 1; len <= 8; len *= 2) {
		bus_read(&t.vm.mmio, gpa + BAR_SIZE - len, &value, len);
		assert_int_equal(t.bar_offset, BAR_SIZE - len);
		assert_int_equal(t.bar_len, len);
		bus_write(&t.vm.mmio, gpa + 8, &value, len);
		assert_int_equal(t.bar_offset, 8);
	}
	assert_int_equal(t.bar_reads, 4);
	assert_int_equal(t.bar_writes, 4);

	/* Over the end, before the start: nobody's. */
	bus_read(&t.vm.mmio, gpa + BAR_SIZE - 4, &value, 8);
	assert_true(value == UINT64_MAX);
	bus_read(&t.vm.mmio, gpa + BAR_SIZE, &value, 1);
	bus_read(&t.vm.mmio, gpa - 1, &value, 2);
	bus_write(&t.vm.mmio, gpa + BAR_SIZE - 1, &value, 2);
	assert_int_equal(t.bar_reads, 4);
	assert_int_equal(t.bar_writes, 4);
}

static void capabilities_are_linked(void **state)
{
	unsigned first = pci_add_capability(&t.function, PCI_CAP_ID_VNDR, 13);
	unsigned second = pci_add_capability(&t.function, PCI_CAP_ID_MSIX, 12);

	(void)state;
	assert_true(ecam_read(SLOT, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	assert_int_equal(ecam_read(SLOT, PCI_CAPABILITY_LIST, 1), first);
	assert_int_equal(ecam_read(SLOT, first, 1), PCI_CAP_ID_VNDR);
	assert_int_equal(ecam_read(SLOT, first + 1, 1), second);
	assert_true(second >= first + 13 && second % 4 == 0);
	assert_int_equal(ecam_read(SLOT, second, 2), PCI_CAP_ID_MSIX);
}

#define TEST(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identities),
		TEST(both_ways_lead_to_the_same),
		TEST(absent_ones_read_as_ones),
		TEST(the_address_register),
		TEST(read_only_bits),
		TEST(a_bar_is_measured),
		TEST(a_bar_moves),
		TEST(a_bar_outside_the_window),
		TEST(the_end_of_configuration_space),
		TEST(unaligned_accesses),
		TEST(accesses_to_a_bar),
		TEST(capabilities_are_linked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
