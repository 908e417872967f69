/*
 * fdt.c: the device tree, read back as a kernel would, by paths and phandles,
 * for both interrupt controllers and both transports, small and as large as it
 * gets; and by dtc, which must have nothing to say.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot-arch.h"
#include "layout.h"
#include "../lib/unit.h"

static struct {
	struct memory memory;
	struct machine machine;
	struct kernel kernel;
	struct initrd initrd;
	const char *cmdline;
	const void *tree;
	int length;
} t;

static int set_up(void **state)
{
	(void)state;
	t.memory = unit_memory(64 * MIB);
	t.machine = (struct machine){ .memory = &t.memory, .cpus = 1, .devices = 3, .msi = true };
	t.kernel = (struct kernel){ .arch.fdt = LAYOUT_RAM + 32 * MIB };
	t.initrd = (struct initrd){ 0 };
	t.cmdline = "console=ttyS0";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_free(&t.memory);
	return 0;
}

static void write_tree(void)
{
	t.length = fdt_write(&t.machine, &t.kernel, &t.initrd, t.cmdline);
	t.tree = memory_at(&t.memory, t.kernel.arch.fdt, LAYOUT_FDT_MAX);
	assert_in_range(t.length, 1, LAYOUT_FDT_MAX);
	assert_int_equal(fdt_check_full(t.tree, (size_t)t.length), 0);
}

static int node(const char *path)
{
	int offset = fdt_path_offset(t.tree, path);

	if (offset < 0)
		fail_msg("no node %s", path);
	return offset;
}

static bool has_node(const char *path)
{
	return fdt_path_offset(t.tree, path) >= 0;
}

/* A property, of exactly `len` bytes. */
static const void *property(const char *path, const char *name, size_t len)
{
	int got = 0;
	const void *bytes = fdt_getprop(t.tree, node(path), name, &got);

	if (!bytes || (size_t)got != len)
		fail_msg("%s: %s has %d bytes, not %zu", path, name, got, len);
	return bytes;
}

static bool has_property(const char *path, const char *name)
{
	return fdt_getprop(t.tree, node(path), name, NULL) != NULL;
}

static void assert_string(const char *path, const char *name, const char *value)
{
	assert_string_equal(property(path, name, strlen(value) + 1), value);
}

static uint32_t cell(const char *path, const char *name, unsigned count, unsigned index)
{
	const fdt32_t *cells = property(path, name, count * sizeof(*cells));

	return fdt32_to_cpu(cells[index]);
}

static void assert_cells(const char *path, const char *name, const uint32_t *expected,
			 unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(cell(path, name, count, i), expected[i]);
}

#define ASSERT_CELLS(path, name, ...)                                                              \
	assert_cells(path, name, (const uint32_t[]){ __VA_ARGS__ },                                \
		     sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* A path with an address in it: one buffer, used at once. */
static const char *at(const char *name, uint64_t address)
{
	static char path[64];

	snprintf(path, sizeof(path), "/%s@%llx", name, (unsigned long long)address);
	return path;
}

static void what_every_machine_has(void **state)
{
	(void)state;
	write_tree();
	ASSERT_CELLS("/", "#address-cells", 2);
	ASSERT_CELLS("/", "#size-cells", 2);
	assert_string("/", "compatible", "linux,dummy-virt");
	assert_string("/chosen", "bootargs", "console=ttyS0");
	assert_string("/chosen", "stdout-path", "/serial@2000000");
	assert_string(at("serial", LAYOUT_UART), "compatible", "ns16550a");
	ASSERT_CELLS(at("serial", LAYOUT_UART), "reg", 0, LAYOUT_UART, 0, 8);
	ASSERT_CELLS(at("serial", LAYOUT_UART), "interrupts", 0, LAYOUT_UART_GSI, 1);
	assert_string(at("memory", LAYOUT_RAM), "device_type", "memory");
	ASSERT_CELLS(at("memory", LAYOUT_RAM), "reg", 0, LAYOUT_RAM, 0, 64 * MIB);
	assert_string("/psci", "method", "hvc");
	assert_memory_equal(property("/psci", "compatible", 26), "arm,psci-1.0\0arm,psci-0.2", 26);
	assert_string("/timer", "compatible", "arm,armv8-timer");
	ASSERT_CELLS("/timer", "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
	assert_false(has_property("/chosen", "linux,initrd-start"));
	assert_false(has_node("/pmu"));
}

static void memory_beyond_4_gib(void **state)
{
	(void)state;
	memory_free(&t.memory);
	t.memory = unit_memory(8 * GIB);
	write_tree();
	ASSERT_CELLS(at("memory", LAYOUT_RAM), "reg", 0, LAYOUT_RAM, 2, 0);
}

static void an_initrd(void **state)
{
	const uint64_t start = LAYOUT_RAM + 40 * MIB, end = start + 12345;

	(void)state;
	t.initrd = (struct initrd){ .gpa = start, .size = 12345 };
	write_tree();
	ASSERT_CELLS("/chosen", "linux,initrd-start", (uint32_t)start);
	ASSERT_CELLS("/chosen", "linux,initrd-end", (uint32_t)end);
}

static void seeds_are_fresh(void **state)
{
	uint8_t first[64];
	uint64_t kaslr;

	(void)state;
	write_tree();
	memcpy(first, property("/chosen", "rng-seed", 64), sizeof(first));
	memcpy(&kaslr, property("/chosen", "kaslr-seed", 8), sizeof(kaslr));
	write_tree();
	assert_memory_not_equal(property("/chosen", "rng-seed", 64), first, sizeof(first));
	assert_memory_not_equal(property("/chosen", "kaslr-seed", 8), &kaslr, sizeof(kaslr));
}

static void processors(void **state)
{
	(void)state;
	for (t.machine.cpus = 1; t.machine.cpus <= VCPU_MAX; t.machine.cpus++) {
		char path[32];

		write_tree();
		for (unsigned i = 0; i < t.machine.cpus; i++) {
			snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
			ASSERT_CELLS(path, "reg", i);
			assert_string(path, "enable-method", "psci");
		}
		snprintf(path, sizeof(path), "/cpus/cpu@%x", t.machine.cpus);
		assert_false(has_node(path));
	}
}

static void gic_v3(void **state)
{
	char gic[64], its[128];

	(void)state;
	t.machine.cpus = 3;
	t.machine.pmu = true;
	write_tree();
	strcpy(gic, at("interrupt-controller", LAYOUT_GIC_DIST));
	snprintf(its, sizeof(its), "%s%s", gic, at("msi-controller", LAYOUT_GIC_ITS));
	assert_string(gic, "compatible", "arm,gic-v3");
	ASSERT_CELLS(gic, "reg", 0, LAYOUT_GIC_DIST, 0, 0x10000, 0, LAYOUT_GIC_REDIST, 0,
		     3 * 0x20000);
	ASSERT_CELLS(gic, "#interrupt-cells", 3);
	assert_int_equal(cell("/", "interrupt-parent", 1, 0), cell(gic, "phandle", 1, 0));
	assert_string(its, "compatible", "arm,gic-v3-its");
	ASSERT_CELLS(its, "reg", 0, LAYOUT_GIC_ITS, 0, 0x20000);
	assert_string(at("pcie", LAYOUT_ECAM), "compatible", "pci-host-ecam-generic");
	ASSERT_CELLS(at("pcie", LAYOUT_ECAM), "reg", 0, LAYOUT_ECAM, 0, LAYOUT_ECAM_SIZE);
	ASSERT_CELLS(at("pcie", LAYOUT_ECAM), "msi-map", 0, cell(its, "phandle", 1, 0), 0, 0x10000);
	ASSERT_CELLS(at("pcie", LAYOUT_ECAM), "ranges", 0x02000000, 0, LAYOUT_PCI_WINDOW, 0,
		     LAYOUT_PCI_WINDOW, 0, LAYOUT_PCI_WINDOW_SIZE);
	ASSERT_CELLS("/pmu", "interrupts", 1, 7, 4);
}

/* No messages, so no PCI; and private interrupts tell which processors have them. */
static void gic_v2(void **state)
{
	const char *gic;

	(void)state;
	t.machine.msi = false;
	t.machine.pmu = true;
	t.machine.cpus = 5;
	t.machine.transport = TRANSPORT_MMIO;
	write_tree();
	gic = at("interrupt-controller", LAYOUT_GIC_DIST);
	assert_string(gic, "compatible", "arm,cortex-a15-gic");
	ASSERT_CELLS(gic, "reg", 0, LAYOUT_GIC_DIST, 0, 0x10000, 0, LAYOUT_GIC_CPU, 0, 0x2000);
	ASSERT_CELLS("/timer", "interrupts", 1, 13, 0x1f04, 1, 14, 0x1f04, 1, 11, 0x1f04, 1, 10,
		     0x1f04);
	ASSERT_CELLS("/pmu", "interrupts", 1, 7, 0x1f04);
	assert_false(has_node(at("pcie", LAYOUT_ECAM)));
}

static void devices_by_mmio(void **state)
{
	(void)state;
	t.machine.transport = TRANSPORT_MMIO;
	for (t.machine.devices = 0; t.machine.devices <= LAYOUT_VIRTIO_MMIO_MAX;
	     t.machine.devices++) {
		write_tree();
		for (unsigned i = 0; i < t.machine.devices; i++) {
			const char *path = at("virtio_mmio", machine_mmio_gpa(i));

			assert_string(path, "compatible", "virtio,mmio");
			ASSERT_CELLS(path, "reg", 0, (uint32_t)machine_mmio_gpa(i), 0, 0x200);
			ASSERT_CELLS(path, "interrupts", 0, machine_mmio_gsi(i), 1);
			assert_true(machine_mmio_gsi(i) < LAYOUT_LINES);
			assert_int_not_equal(machine_mmio_gsi(i), LAYOUT_UART_GSI);
		}
		assert_false(has_node(at("virtio_mmio", machine_mmio_gpa(t.machine.devices))));
	}
	t.machine.transport = TRANSPORT_PCI;
	write_tree();
	assert_false(has_node(at("virtio_mmio", machine_mmio_gpa(0))));
}

/* All that KVM or we answer at, with 16 processors and 31 devices. */
static void nothing_overlaps(void **state)
{
	struct {
		uint64_t start, size;
	} parts[] = {
		{ LAYOUT_GIC_DIST, LAYOUT_GIC_DIST_SIZE },
		{ LAYOUT_GIC_CPU, LAYOUT_GIC_CPU_SIZE },
		{ LAYOUT_GIC_ITS, LAYOUT_GIC_ITS_SIZE },
		{ LAYOUT_GIC_REDIST, VCPU_MAX * LAYOUT_GIC_REDIST_SIZE },
		{ LAYOUT_UART, 0x10000 },
		{ LAYOUT_VIRTIO_MMIO, LAYOUT_VIRTIO_MMIO_MAX * LAYOUT_VIRTIO_MMIO_STEP },
		{ LAYOUT_ECAM, LAYOUT_ECAM_SIZE },
		{ LAYOUT_PCI_WINDOW, LAYOUT_PCI_WINDOW_SIZE },
		{ LAYOUT_RAM, LAYOUT_LOW_RAM_MAX },
	};
	unsigned count = sizeof(parts) / sizeof(parts[0]);

	(void)state;
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(parts[i].start % 0x10000, 0);
		for (unsigned j = 0; j < count; j++)
			if (parts[j].start > parts[i].start)
				assert_true(parts[i].start + parts[i].size <= parts[j].start);
	}
}

/* Run a program, which ends with the name of the tree's file, and must say nothing. */
static void assert_content(const char *program)
{
	char command[4200], said[4096];
	FILE *out;
	size_t len;

	snprintf(command, sizeof(command), "%s %s 2>&1", program,
		 unit_file("tree.dtb", t.tree, (size_t)t.length));
	out = popen(command, "r");
	assert_non_null(out);
	len = fread(said, 1, sizeof(said) - 1, out);
	said[len] = '\0';
	assert_int_equal(pclose(out), 0);
	assert_silent(said);
}

/*
 * dtc checks what is customary beyond the format (names, cells, references);
 * dt-validate, which is rarely installed, each node by its schema.
 */
static void dtc_has_nothing_to_say(void **state)
{
	static char longest[LAYOUT_CMDLINE_MAX];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	for (unsigned i = 0; i < 8; i++) {
		t.machine.msi = i & 1;
		t.machine.pmu = i & 2;
		t.machine.transport = i & 1 && i & 4 ? TRANSPORT_PCI : TRANSPORT_MMIO;
		t.machine.cpus = i & 4 ? VCPU_MAX : 1;
		t.machine.devices = i & 4 ? LAYOUT_VIRTIO_MMIO_MAX : 1;
		t.initrd.size = i & 4;
		t.cmdline = i & 4 ? longest : "";
		write_tree();
		assert_content("dtc -I dtb -O dts -o /dev/null");
	}
}

static void dt_validate_has_nothing_to_say(void **state)
{
	(void)state;
	if (system("command -v dt-validate >/dev/null") != 0)
		skip();
	t.initrd = (struct initrd){ .gpa = LAYOUT_RAM + 40 * MIB, .size = 12345 };
	t.machine.pmu = true;
	for (unsigned i = 0; i < 2; i++) {
		t.machine.msi = i;
		t.machine.transport = i ? TRANSPORT_PCI : TRANSPORT_MMIO;
		write_tree();
		assert_content("dt-validate");
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_every_machine_has),
		TEST(memory_beyond_4_gib),
		TEST(an_initrd),
		TEST(seeds_are_fresh),
		TEST(processors),
		TEST(gic_v3),
		TEST(gic_v2),
		TEST(devices_by_mmio),
		TEST(nothing_overlaps),
		TEST(dtc_has_nothing_to_say),
		TEST(dt_validate_has_nothing_to_say),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
