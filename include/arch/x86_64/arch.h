/*
 * arch.h: what is x86 about the structures and options that all architectures
 * share. The Makefile puts this directory, or another architecture's, into
 * the include path; its layout.h has the addresses.
 */
#ifndef LODGE_ARCH_H
#define LODGE_ARCH_H

#include <asm/bootparam.h>
#include <stdint.h>

#include "bus.h"
#include "errand.h"

struct kvm_cpuid2;

/* Part of struct vm. */
struct vm_arch {
	struct bus ports;         /* I/O ports */
	struct kvm_cpuid2 *cpuid; /* what KVM supports, asked once by `asking`; NULL: it failed */
	struct errand asking;
	int asked; /* 0 or -errno */
};

/* Where and in which state the first vCPU begins: written by the loaders of guest-boot/. */
struct vcpu_entry {
	enum {
		VCPU_ENTRY_LONG64,     /* 64-bit, paging on: Linux/x86 boot protocol 1.15 */
		VCPU_ENTRY_PROTECTED32 /* 32-bit, paging off: PVH */
	} mode;
	uint64_t rip;   /* guest-physical */
	uint64_t param; /* guest-physical: boot_params in rsi, or hvm_start_info in ebx */
};

/* Part of struct kernel. */
struct kernel_arch {
	struct setup_header setup; /* a bzImage's own; zero for ELF */
};

/* For vm.c: what to do where there is no /dev/kvm. */
#define ARCH_KVM_ABSENT "load kvm_intel or kvm_amd, or enable virtualization in the firmware"

/* For options.c; the transports in the order of enum transport. */
#define ARCH_KERNELS    "bzImage or ELF"
#define ARCH_TRANSPORTS "pci|mmio|mmio-cmdline"
#define ARCH_DUMP       "dump-acpi", 0, "DIR", "write the guest's ACPI tables to DIR"

#endif
