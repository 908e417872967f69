/*
 * arch.h: what is arm64 about the structures and options that all
 * architectures share; see the x86_64 directory beside this one.
 */
#ifndef LODGE_ARCH_H
#define LODGE_ARCH_H

#include <stdint.h>

/* Part of struct vm: the interrupt controller's devices in KVM. */
struct vm_arch {
	int gic_fd, its_fd; /* -1: none */
};

/* Where and with what the first vCPU begins. */
struct vcpu_entry {
	uint64_t pc;         /* guest-physical */
	uint64_t x0;         /* guest-physical: the device tree */
	unsigned page_shift; /* the kernel's pages, 12, 14 or 16; 0: it does not say */
};

/* Part of struct kernel. */
struct kernel_arch {
	uint64_t fdt; /* guest-physical: LAYOUT_FDT_MAX bytes for the device tree */
};

/* For vm.c: what to do where there is no /dev/kvm. */
#define ARCH_KVM_ABSENT "this kernel must have KVM, and have been started at EL2"

/* For options.c; the transports in the order of enum transport. */
#define ARCH_KERNELS    "Image, also gzip-compressed"
#define ARCH_TRANSPORTS "pci|mmio"
#define ARCH_DUMP       "dump-dtb", 0, "FILE", "write the guest's device tree to FILE"

#endif
