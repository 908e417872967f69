/*
 * layout.h: where things are in the x86 guest's address spaces.
 *
 * One place, because four readers must agree: the launcher that answers at
 * these addresses, the loaders that fill low memory, the tables that tell
 * the guest (e820, ACPI), and guest-boot/dsdt.asl, which repeats the numbers
 * marked (dsdt) since iasl does not read C.
 */
#ifndef LODGE_LAYOUT_H
#define LODGE_LAYOUT_H

#define LAYOUT_RAM 0 /* guest-physical address of the first byte of RAM */

/* Low RAM: what a boot protocol hands to the kernel. Guest-physical, bytes. */
#define LAYOUT_GDT       0x0500  /* four descriptors */
#define LAYOUT_ZERO_PAGE 0x7000  /* struct boot_params, or hvm_start_info */
#define LAYOUT_PML4      0x9000  /* page tables of the 64-bit entry: */
#define LAYOUT_PDPT      0xa000  /*   the first 4 GiB, identity-mapped */
#define LAYOUT_PD        0xb000  /*   four pages of 2 MiB entries */
#define LAYOUT_CMDLINE   0x20000 /* the kernel's command line, NUL-terminated */
#define LAYOUT_EBDA      0x9fc00 /* conventional memory ends here; MP table above it */
#define LAYOUT_ACPI      0xe0000 /* RSDP first, then the tables it leads to */
#define LAYOUT_ACPI_END  0x100000
#define LAYOUT_HIGH_RAM  0x100000 /* kernels load from here */

#define LAYOUT_CMDLINE_MAX 0x8000 /* bytes with the NUL; the kernel may take less */

/* The hole below 4 GiB. */
#define LAYOUT_LOW_RAM_MAX      0xc0000000u /* RAM below 4 GiB ends here at the latest */
#define LAYOUT_PCI_WINDOW       0xc0000000u /* (dsdt) base address registers */
#define LAYOUT_PCI_WINDOW_SIZE  0x20000000u /* (dsdt) */
#define LAYOUT_ECAM             0xe0000000u /* (dsdt) configuration space, bus 0 */
#define LAYOUT_ECAM_SIZE        0x100000u   /* (dsdt) */
#define LAYOUT_VIRTIO_MMIO      0xfeb00000u /* virtio-mmio devices, one page each */
#define LAYOUT_VIRTIO_MMIO_STEP 0x1000u
#define LAYOUT_VIRTIO_MMIO_SIZE 0x200u
#define LAYOUT_IOAPIC           0xfec00000u
#define LAYOUT_LAPIC            0xfee00000u
#define LAYOUT_KVM_IDENTITY     0xfeffc000u /* KVM's own pages on older Intel: see x86_64.c */
#define LAYOUT_KVM_TSS          0xfeffd000u

/* I/O ports. */
#define LAYOUT_COM1          0x3f8 /* (dsdt) */
#define LAYOUT_COM1_GSI      4     /* (dsdt) */
#define LAYOUT_I8042         0x60
#define LAYOUT_PCI_CONFIG    0xcf8 /* address at 0xcf8, data at 0xcfc */
#define LAYOUT_SLEEP_CONTROL 0x600 /* ACPI hardware-reduced registers */
#define LAYOUT_SLEEP_STATUS  0x601
#define LAYOUT_RESET         0x602
#define LAYOUT_POWER_SIZE    3

/* Interrupts: the I/O APIC's 24 pins are GSIs 0-23, MSIs get GSIs from 24 up. */
#define LAYOUT_IOAPIC_PINS 24
#define LAYOUT_LINES       LAYOUT_IOAPIC_PINS

/* Those of virtio-mmio devices: pins 5, 6, 7, then 10 to 23: 4 is COM1's, 8 and 9
 * mean the clock and the ACPI interrupt to kernels that know PCs. */
#define LAYOUT_VIRTIO_MMIO_GSI(index) ((index) < 3 ? 5 + (index) : 7 + (index))
#define LAYOUT_VIRTIO_MMIO_MAX        17

#endif
