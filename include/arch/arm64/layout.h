/*
 * layout.h: where things are in the arm64 guest's address space.
 *
 * Devices lie below 1 GiB, RAM begins there and is in one piece. The guest
 * learns all of it from the device tree (guest-boot/fdt.c), so no number here
 * is a convention; they are only apart from each other, and each on 64 KiB, the
 * largest page an arm64 host or guest may have.
 */
#ifndef LODGE_LAYOUT_H
#define LODGE_LAYOUT_H

/* The interrupt controller: KVM answers there. */
#define LAYOUT_GIC_DIST        0x01000000u
#define LAYOUT_GIC_DIST_SIZE   0x10000u
#define LAYOUT_GIC_CPU         0x01010000u /* GICv2: the CPU interface */
#define LAYOUT_GIC_CPU_SIZE    0x2000u
#define LAYOUT_GIC_ITS         0x01020000u /* GICv3: messages */
#define LAYOUT_GIC_ITS_SIZE    0x20000u
#define LAYOUT_GIC_REDIST      0x01100000u /* GICv3: one part for each vCPU */
#define LAYOUT_GIC_REDIST_SIZE 0x20000u    /* of a vCPU */

#define LAYOUT_UART             0x02000000u
#define LAYOUT_VIRTIO_MMIO      0x03000000u /* virtio-mmio devices, one page each */
#define LAYOUT_VIRTIO_MMIO_STEP 0x1000u
#define LAYOUT_VIRTIO_MMIO_SIZE 0x200u
#define LAYOUT_VIRTIO_MMIO_MAX  31
#define LAYOUT_ECAM             0x04000000u /* PCI configuration space, bus 0 */
#define LAYOUT_ECAM_SIZE        0x100000u
#define LAYOUT_PCI_WINDOW       0x10000000u /* base address registers */
#define LAYOUT_PCI_WINDOW_SIZE  0x20000000u

#define LAYOUT_RAM         0x40000000u
#define LAYOUT_LOW_RAM_MAX ((UINT64_C(1) << 40) - LAYOUT_RAM) /* KVM's usual 40 bits */

/* The kernel asks that the initrd lies in a window of 32 GiB around it. */
#define LAYOUT_INITRD_MAX (LAYOUT_RAM + (UINT64_C(1) << 30) - 1)

#define LAYOUT_CMDLINE_MAX 2048    /* bytes with the NUL: what arm64 kernels have room for */
#define LAYOUT_FDT_MAX     0x10000 /* bytes; the kernel takes up to 2 MiB */

/* Interrupts: GSI n is the GIC's shared peripheral interrupt n. */
#define LAYOUT_LINES                  64
#define LAYOUT_UART_GSI               0
#define LAYOUT_VIRTIO_MMIO_GSI(index) (16 + (index))

/* Private ones, of each vCPU (PPIs), as the architecture recommends and KVM does it. */
#define LAYOUT_PPI_TIMER_SECURE 13
#define LAYOUT_PPI_TIMER        14
#define LAYOUT_PPI_TIMER_VIRT   11
#define LAYOUT_PPI_TIMER_HYP    10
#define LAYOUT_PPI_PMU          7

#endif
