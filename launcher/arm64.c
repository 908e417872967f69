/*
 * arm64.c: what is arm64 about the machine and its processors (tour 3).
 *
 * vm.c calls in for the interrupt controller, which has a file of its own,
 * gic.c; vcpu.c for the first state of a processor (the Linux/arm64 boot
 * protocol: x0 holds the device tree, the other vCPUs are off until PSCI turns
 * them on), and for the exits of this architecture. PSCI is done by KVM; we
 * hear only of the guest's last call.
 *
 * A reset by a panicking Linux is told from any other by how it asks: told
 * "reboot=panic_warm", the kernel uses PSCI's SYSTEM_RESET2 for a panic, which
 * has a warm reset, and SYSTEM_RESET when a user reboots.
 *
 * Sources: Documentation/virt/kvm/api.rst; Documentation/arch/arm64/booting.rst;
 * Arm Power State Coordination Interface 1.1 (DEN0022D), 5.1.9 to 5.1.11.
 */
#include <asm/ptrace.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ending.h"
#include "gic.h"
#include "layout.h"
#include "log.h"
#include "vcpu.h"

#define USUAL_ADDRESS_BITS 40

/* Core registers, as KVM_GET_ONE_REG and KVM_SET_ONE_REG name them. */
#define REG_CORE(field)                                                                            \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.field))

/* Which page sizes the processor can translate: four bits each, 16 KiB apart. */
#define REG_ID_AA64MMFR0 ARM64_SYS_REG(3, 0, 0, 7, 0)

#define PSTATE_ENTRY (PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT | PSR_MODE_EL1h)

/* --- The machine --- */

unsigned long vm_arch_type(int kvm_fd)
{
	int bits = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);

	/* 0 means 40 bits of guest-physical address, which a few processors lack. */
	return bits > 0 && bits < USUAL_ADDRESS_BITS ? (unsigned long)bits : 0;
}

void vm_arch_begin(struct vm *vm)
{
	(void)vm; /* nothing that takes long */
}

int vm_arch_equip(struct vm *vm, bool legacy)
{
	(void)legacy;
	vm->arch = (struct vm_arch){ .gic_fd = -1, .its_fd = -1 };
	vm->pmu = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_PMU_V3) > 0;
	return gic_create(vm);
}

int vm_arch_init_irqs(struct vm *vm)
{
	return gic_finish(vm);
}

void vm_arch_destroy(struct vm *vm)
{
	if (vm->arch.its_fd >= 0)
		close(vm->arch.its_fd);
	if (vm->arch.gic_fd >= 0)
		close(vm->arch.gic_fd);
}

void vm_arch_default_routing(struct kvm_irq_routing *routing)
{
	for (uint32_t gsi = 0; gsi < LAYOUT_LINES; gsi++) {
		struct kvm_irq_routing_entry *entry = &routing->entries[routing->nr++];

		entry->gsi = gsi;
		entry->type = KVM_IRQ_ROUTING_IRQCHIP;
		entry->u.irqchip.pin = gsi;
	}
}

void vm_arch_route_msi(struct kvm_irq_routing_entry *entry, uint32_t requester)
{
	/* The ITS looks messages up by who sent them; fdt.c's msi-map is one to one. */
	entry->flags = KVM_MSI_VALID_DEVID;
	entry->u.msi.devid = requester;
}

/* --- A processor's first state --- */

static int get_register(const struct vcpu *vcpu, uint64_t id, uint64_t *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) < 0 ? -errno : 0;
}

static int set_register(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

static int set_features(const struct vcpu *vcpu)
{
	struct kvm_vcpu_init init = { 0 };

	if (ioctl(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return -errno;
	init.features[0] = 1u << KVM_ARM_VCPU_PSCI_0_2;
	if (vcpu->index > 0)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	if (vcpu->vm->pmu)
		init.features[0] |= 1u << KVM_ARM_VCPU_PMU_V3;
	return ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) < 0 ? -errno : 0;
}

/* The performance monitor interrupts by a line of its own processor's. */
static int start_pmu(const struct vcpu *vcpu)
{
	int interrupt = 16 + LAYOUT_PPI_PMU; /* 16 software-generated ones come first */
	int ret = kvm_set_attribute(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ,
				    &interrupt);

	return ret < 0 ? ret
		       : kvm_set_attribute(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL,
					   KVM_ARM_VCPU_PMU_V3_INIT, NULL);
}

static int set_entry(const struct vcpu *vcpu, const struct vcpu_entry *entry)
{
	int ret = set_register(vcpu, REG_CORE(pstate), PSTATE_ENTRY);

	if (ret == 0)
		ret = set_register(vcpu, REG_CORE(regs[0]), entry->x0);
	if (ret == 0)
		ret = set_register(vcpu, REG_CORE(pc), entry->pc);
	return ret;
}

/* A kernel whose page size the processor lacks stops in silence: better said here. */
static bool has_pages(const struct vcpu *vcpu, unsigned shift)
{
	uint64_t features;

	if (get_register(vcpu, REG_ID_AA64MMFR0, &features) < 0)
		return true;
	switch (shift) {
	case 12:
		return (features >> 28 & 15) < 8; /* 15: none */
	case 14:
		return (features >> 20 & 15) != 0;
	case 16:
		return (features >> 24 & 15) < 8;
	default:
		return true;
	}
}

int vcpu_arch_init(struct vcpu *vcpu, const struct vcpu_entry *entry)
{
	int ret = set_features(vcpu);

	if (ret == 0 && vcpu->vm->pmu)
		ret = start_pmu(vcpu);
	if (ret == 0 && vcpu->index == 0)
		ret = set_entry(vcpu, entry);
	if (ret < 0) {
		log_error("vCPU %u: registers: %s", vcpu->index, strerror(-ret));
		return -1;
	}
	if (vcpu->index == 0 && !has_pages(vcpu, entry->page_shift)) {
		log_error("the kernel uses pages of %u KiB, which this processor has not",
			  1u << (entry->page_shift - 10));
		return -1;
	}
	return 0;
}

/* For vcpu_arch_describe(). */
const struct sandbox_rule vcpu_arch_rules[] = {
	SANDBOX_IOCTL(KVM_GET_ONE_REG),
	SANDBOX_END,
};

void vcpu_arch_describe(const struct vcpu *vcpu, char *text, unsigned size)
{
	uint64_t pc;

	if (get_register(vcpu, REG_CORE(pc), &pc) < 0)
		snprintf(text, size, "registers unknown");
	else
		snprintf(text, size, "pc 0x%llx", (unsigned long long)pc);
}

/* --- The guest's last call --- */

static void report_reset(const struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	bool warm = run->system_event.ndata > 0 &&
		    (run->system_event.data[0] & KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2);

	if (warm && vcpu->vm->panics_are_warm)
		ending_report(ENDING_CRASH, "the guest crashed: it reset itself after a panic");
	else
		ending_report(ENDING_RESET, "the guest reset itself");
}

bool vcpu_arch_serve_exit(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	if (run->exit_reason != KVM_EXIT_SYSTEM_EVENT)
		return false;
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		ending_report(ENDING_POWEROFF, "the guest powered off");
		return true;
	case KVM_SYSTEM_EVENT_RESET:
		report_reset(vcpu);
		return true;
	default:
		return false;
	}
}
