/*
 * fdt.c: the machine, as a flattened device tree.
 *
 * boot-arm64.c calls fdt_write(). This is on arm64 what the ACPI tables, the
 * memory map and the zero page are on x86: everything the kernel is told. libfdt
 * writes it in one pass from front to back, straight into guest memory; an
 * error in between sticks, and is looked at once, at the end.
 *
 * Sources: Devicetree specification 0.4; the bindings in Linux's
 * Documentation/devicetree/bindings: arm/psci, arm/cpus, timer/arm,arch_timer,
 * interrupt-controller/arm,gic and arm,gic-v3, pci/host-generic-pci,
 * virtio/mmio, serial/8250.
 */
#include <libfdt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "boot-arch.h"
#include "layout.h"
#include "log.h"

#define PHANDLE_GIC 1
#define PHANDLE_ITS 2

/* The first cell of an interrupt, and the last. */
#define IRQ_SHARED  0
#define IRQ_PRIVATE 1
#define IRQ_EDGE    1
#define IRQ_LEVEL   4

#define PCI_MEMORY_32 0x02000000 /* the first cell of a range: 32 bits, not prefetchable */
#define UART_CLOCK    1843200    /* Hz; nobody divides it */
#define RNG_SEED      64         /* bytes */

struct tree {
	void *blob;
	int error; /* the first one, or 0 */
	const struct machine *machine;
};

static void note(struct tree *tree, int error)
{
	if (tree->error == 0)
		tree->error = error;
}

static void begin(struct tree *tree, const char *name)
{
	note(tree, fdt_begin_node(tree->blob, name));
}

/* "serial@2000000": named after where it is. */
static void begin_at(struct tree *tree, const char *name, uint64_t address)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)address);
	begin(tree, full);
}

static void end(struct tree *tree)
{
	note(tree, fdt_end_node(tree->blob));
}

static void put_bytes(struct tree *tree, const char *name, const void *bytes, size_t len)
{
	note(tree, fdt_property(tree->blob, name, bytes, (int)len));
}

static void put_flag(struct tree *tree, const char *name)
{
	put_bytes(tree, name, NULL, 0);
}

static void put_string(struct tree *tree, const char *name, const char *value)
{
	note(tree, fdt_property_string(tree->blob, name, value));
}

static void put_cells(struct tree *tree, const char *name, const uint32_t *cells, unsigned count)
{
	fdt32_t *to;

	note(tree,
	     fdt_property_placeholder(tree->blob, name, (int)(count * sizeof(*to)), (void **)&to));
	for (unsigned i = 0; tree->error == 0 && i < count; i++)
		to[i] = cpu_to_fdt32(cells[i]);
}

#define PUT_CELLS(tree, name, ...)                                                                 \
	put_cells(tree, name, (const uint32_t[]){ __VA_ARGS__ },                                   \
		  sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

#define HIGH(value) ((uint32_t)((uint64_t)(value) >> 32))
#define LOW(value)  ((uint32_t)(value))

static void put_reg(struct tree *tree, uint64_t address, uint64_t size)
{
	PUT_CELLS(tree, "reg", HIGH(address), LOW(address), HIGH(size), LOW(size));
}

static void put_line(struct tree *tree, uint32_t gsi)
{
	PUT_CELLS(tree, "interrupts", IRQ_SHARED, gsi, IRQ_EDGE);
}

/* A GICv2 wants to know which processors have a private interrupt: one bit each. */
static uint32_t private_flags(const struct tree *tree)
{
	return tree->machine->msi ? IRQ_LEVEL : ((1u << tree->machine->cpus) - 1) << 8 | IRQ_LEVEL;
}

/* --- The nodes --- */

static void add_memory(struct tree *tree)
{
	const struct memory_region *ram = &tree->machine->memory->low;

	begin_at(tree, "memory", ram->gpa);
	put_string(tree, "device_type", "memory");
	put_reg(tree, ram->gpa, ram->size);
	end(tree);
}

/* Seeds save the kernel from starting without entropy; without them it just has less. */
static void add_seeds(struct tree *tree)
{
	uint8_t seed[RNG_SEED + sizeof(uint64_t)];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return;
	put_bytes(tree, "rng-seed", seed, RNG_SEED);
	put_bytes(tree, "kaslr-seed", seed + RNG_SEED, sizeof(uint64_t));
}

static void add_chosen(struct tree *tree, const struct initrd *initrd, const char *cmdline)
{
	char console[64];

	snprintf(console, sizeof(console), "/serial@%llx", (unsigned long long)LAYOUT_UART);
	begin(tree, "chosen");
	put_string(tree, "bootargs", cmdline);
	put_string(tree, "stdout-path", console);
	if (initrd->size) {
		/* One cell each: below 4 GiB, that is what the schema asks for. */
		_Static_assert(LAYOUT_INITRD_MAX < UINT32_MAX, "an initrd's end fits a cell");
		PUT_CELLS(tree, "linux,initrd-start", LOW(initrd->gpa));
		PUT_CELLS(tree, "linux,initrd-end", LOW(initrd->gpa + initrd->size));
	}
	add_seeds(tree);
	end(tree);
}

static void add_cpus(struct tree *tree)
{
	begin(tree, "cpus");
	PUT_CELLS(tree, "#address-cells", 1);
	PUT_CELLS(tree, "#size-cells", 0);
	/* KVM gives vCPU n the affinity n, as long as n fits the lowest level. */
	_Static_assert(VCPU_MAX <= 16, "affinity 0 has 16 numbers");
	for (uint32_t i = 0; i < tree->machine->cpus; i++) {
		begin_at(tree, "cpu", i);
		put_string(tree, "device_type", "cpu");
		put_string(tree, "compatible", "arm,armv8");
		PUT_CELLS(tree, "reg", i);
		put_string(tree, "enable-method", "psci");
		end(tree);
	}
	end(tree);
}

static void add_psci(struct tree *tree)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	begin(tree, "psci");
	put_bytes(tree, "compatible", compatible, sizeof(compatible));
	put_string(tree, "method", "hvc");
	end(tree);
}

static void add_timer(struct tree *tree)
{
	uint32_t flags = private_flags(tree);

	begin(tree, "timer");
	put_string(tree, "compatible", "arm,armv8-timer");
	PUT_CELLS(tree, "interrupts", IRQ_PRIVATE, LAYOUT_PPI_TIMER_SECURE, flags, IRQ_PRIVATE,
		  LAYOUT_PPI_TIMER, flags, IRQ_PRIVATE, LAYOUT_PPI_TIMER_VIRT, flags, IRQ_PRIVATE,
		  LAYOUT_PPI_TIMER_HYP, flags);
	put_flag(tree, "always-on");
	end(tree);
}

static void add_pmu(struct tree *tree)
{
	if (!tree->machine->pmu)
		return;
	begin(tree, "pmu");
	put_string(tree, "compatible", "arm,armv8-pmuv3");
	PUT_CELLS(tree, "interrupts", IRQ_PRIVATE, LAYOUT_PPI_PMU, private_flags(tree));
	end(tree);
}

static void add_its(struct tree *tree)
{
	begin_at(tree, "msi-controller", LAYOUT_GIC_ITS);
	put_string(tree, "compatible", "arm,gic-v3-its");
	put_reg(tree, LAYOUT_GIC_ITS, LAYOUT_GIC_ITS_SIZE);
	put_flag(tree, "msi-controller");
	PUT_CELLS(tree, "#msi-cells", 1);
	PUT_CELLS(tree, "phandle", PHANDLE_ITS);
	end(tree);
}

static void add_gic(struct tree *tree)
{
	uint64_t redist = (uint64_t)tree->machine->cpus * LAYOUT_GIC_REDIST_SIZE;
	bool v3 = tree->machine->msi;

	begin_at(tree, "interrupt-controller", LAYOUT_GIC_DIST);
	put_string(tree, "compatible", v3 ? "arm,gic-v3" : "arm,cortex-a15-gic");
	if (v3)
		PUT_CELLS(tree, "reg", 0, LAYOUT_GIC_DIST, 0, LAYOUT_GIC_DIST_SIZE, 0,
			  LAYOUT_GIC_REDIST, HIGH(redist), LOW(redist));
	else
		PUT_CELLS(tree, "reg", 0, LAYOUT_GIC_DIST, 0, LAYOUT_GIC_DIST_SIZE, 0,
			  LAYOUT_GIC_CPU, 0, LAYOUT_GIC_CPU_SIZE);
	put_flag(tree, "interrupt-controller");
	PUT_CELLS(tree, "#interrupt-cells", 3);
	PUT_CELLS(tree, "phandle", PHANDLE_GIC);
	PUT_CELLS(tree, "#address-cells", 2);
	PUT_CELLS(tree, "#size-cells", 2);
	put_flag(tree, "ranges");
	if (v3)
		add_its(tree);
	end(tree);
}

static void add_uart(struct tree *tree)
{
	begin_at(tree, "serial", LAYOUT_UART);
	put_string(tree, "compatible", "ns16550a");
	put_reg(tree, LAYOUT_UART, 8);
	PUT_CELLS(tree, "clock-frequency", UART_CLOCK);
	put_line(tree, LAYOUT_UART_GSI);
	end(tree);
}

static void add_pci(struct tree *tree)
{
	if (!tree->machine->msi)
		return;
	begin_at(tree, "pcie", LAYOUT_ECAM);
	put_string(tree, "compatible", "pci-host-ecam-generic");
	put_string(tree, "device_type", "pci");
	put_reg(tree, LAYOUT_ECAM, LAYOUT_ECAM_SIZE);
	PUT_CELLS(tree, "bus-range", 0, 0);
	PUT_CELLS(tree, "#address-cells", 3);
	PUT_CELLS(tree, "#size-cells", 2);
	PUT_CELLS(tree, "ranges", PCI_MEMORY_32, 0, LAYOUT_PCI_WINDOW, 0, LAYOUT_PCI_WINDOW, 0,
		  LAYOUT_PCI_WINDOW_SIZE);
	/* Message senders are known to the ITS by their requester ids, one to one. */
	PUT_CELLS(tree, "msi-map", 0, PHANDLE_ITS, 0, 0x10000);
	put_flag(tree, "dma-coherent");
	end(tree);
}

static void add_virtio_mmio(struct tree *tree)
{
	if (tree->machine->transport != TRANSPORT_MMIO)
		return;
	for (unsigned i = 0; i < tree->machine->devices; i++) {
		begin_at(tree, "virtio_mmio", machine_mmio_gpa(i));
		put_string(tree, "compatible", "virtio,mmio");
		put_reg(tree, machine_mmio_gpa(i), LAYOUT_VIRTIO_MMIO_SIZE);
		put_line(tree, machine_mmio_gsi(i));
		put_flag(tree, "dma-coherent");
		end(tree);
	}
}

static void add_root(struct tree *tree, const struct initrd *initrd, const char *cmdline)
{
	begin(tree, "");
	put_string(tree, "compatible", "linux,dummy-virt");
	put_string(tree, "model", "lodge");
	PUT_CELLS(tree, "#address-cells", 2);
	PUT_CELLS(tree, "#size-cells", 2);
	PUT_CELLS(tree, "interrupt-parent", PHANDLE_GIC);
	add_chosen(tree, initrd, cmdline);
	add_memory(tree);
	add_cpus(tree);
	add_psci(tree);
	add_timer(tree);
	add_pmu(tree);
	add_gic(tree);
	add_uart(tree);
	add_pci(tree);
	add_virtio_mmio(tree);
	end(tree);
}

int fdt_write(const struct machine *machine, const struct kernel *kernel,
	      const struct initrd *initrd, const char *cmdline)
{
	struct tree tree = {
		.blob = memory_at(machine->memory, kernel->arch.fdt, LAYOUT_FDT_MAX),
		.machine = machine,
	};

	note(&tree, fdt_create(tree.blob, LAYOUT_FDT_MAX));
	note(&tree, fdt_finish_reservemap(tree.blob));
	add_root(&tree, initrd, cmdline);
	note(&tree, fdt_finish(tree.blob));
	if (tree.error) {
		log_error("cannot write the device tree: %s", fdt_strerror(tree.error));
		return -1;
	}
	return (int)fdt_totalsize(tree.blob);
}
