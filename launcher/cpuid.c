/*
 * cpuid.c: the processor the guest sees.
 *
 * Called once per vCPU by x86_64.c. We take everything KVM supports, since
 * each feature withheld is an exit or a slow path gained (kvmclock, PV EOI,
 * PV unhalt, x2APIC and the TSC deadline timer all save exits), and put
 * right the leaves that describe *this* host's package: a guest that counts
 * cores must count its own.
 *
 * Sources: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E;
 * Documentation/virt/kvm/x86/cpuid.rst.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cpuid.h"

#define ENTRIES_MAX 256
#define TABLE_SIZE  (sizeof(struct kvm_cpuid2) + ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2))

#define LEAF1_ECX_X2APIC       (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_HTT          (1u << 28)

#define LEVEL_THREAD 1u /* leaves 0xb and 0x1f: type of a topology level */
#define LEVEL_CORE   2u

/* Bits an APIC id needs to number `count` cores. */
static unsigned id_bits(unsigned count)
{
	unsigned bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static void fix_leaf1(struct kvm_cpuid_entry2 *entry, const struct vcpu *vcpu)
{
	/* ebx: APIC id in 31:24, addressable ids in 23:16, CLFLUSH size below. */
	entry->ebx = (entry->ebx & 0xffff) | vcpu->index << 24 | (1u << id_bits(vcpu->count)) << 16;
	entry->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC;
	if (ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		entry->ecx |= LEAF1_ECX_TSC_DEADLINE;
	entry->edx &= ~LEAF1_EDX_HTT;
	if (vcpu->count > 1)
		entry->edx |= LEAF1_EDX_HTT;
}

/* Intel's caches (4) and AMD's (0x8000001d): who shares them, and how many cores there are. */
static void fix_cache(struct kvm_cpuid_entry2 *entry, const struct vcpu *vcpu)
{
	unsigned level = entry->eax >> 5 & 7;
	unsigned sharing = level >= 3 ? 1u << id_bits(vcpu->count) : 1;

	if ((entry->eax & 0x1f) == 0) /* no such cache */
		return;
	entry->eax = (entry->eax & 0x3fff) | (sharing - 1) << 14;
	if (entry->function == 4)
		entry->eax |= ((1u << id_bits(vcpu->count)) - 1) << 26;
}

/* Extended topology: level 0 is the thread (one per core), level 1 the core. */
static void fix_topology(struct kvm_cpuid_entry2 *entry, const struct vcpu *vcpu)
{
	entry->ecx = entry->index;
	entry->edx = vcpu->index;
	switch (entry->index) {
	case 0:
		entry->eax = 0;
		entry->ebx = 1;
		entry->ecx |= LEVEL_THREAD << 8;
		break;
	case 1:
		entry->eax = id_bits(vcpu->count);
		entry->ebx = vcpu->count;
		entry->ecx |= LEVEL_CORE << 8;
		break;
	default:
		entry->eax = 0;
		entry->ebx = 0;
	}
}

static void fix_entry(struct kvm_cpuid_entry2 *entry, const struct vcpu *vcpu)
{
	switch (entry->function) {
	case 1:
		fix_leaf1(entry, vcpu);
		break;
	case 4:
	case 0x8000001d:
		fix_cache(entry, vcpu);
		break;
	case 0xb:
	case 0x1f:
		fix_topology(entry, vcpu);
		break;
	case 0x80000008: /* AMD: cores minus one, bits of an id */
		entry->ecx =
			(entry->ecx & ~0xf0ffu) | id_bits(vcpu->count) << 12 | (vcpu->count - 1);
		break;
	case 0x8000001e: /* AMD: id, core, node */
		entry->eax = vcpu->index;
		entry->ebx = vcpu->index;
		entry->ecx = 0;
		break;
	}
}

/* The topology leaves need their two levels even where KVM reports only the first. */
static void add_topology_level(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	bool have0 = false, have1 = false;

	for (unsigned i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function != function)
			continue;
		have0 |= cpuid->entries[i].index == 0;
		have1 |= cpuid->entries[i].index == 1;
	}
	if (have0 && !have1 && cpuid->nent < ENTRIES_MAX)
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
			.function = function, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX
		};
}

/* KVM executes CPUID for each leaf, which under another hypervisor is an exit
 * each time: half a millisecond in all. So it is asked once a machine, and main
 * does not wait for it. */
static void ask(void *arg)
{
	struct vm *vm = arg;
	struct kvm_cpuid2 *cpuid = calloc(1, TABLE_SIZE);

	if (!cpuid) {
		vm->arch.asked = -ENOMEM;
		return;
	}
	cpuid->nent = ENTRIES_MAX;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		vm->arch.asked = -errno;
		free(cpuid);
		return;
	}
	add_topology_level(cpuid, 0xb);
	add_topology_level(cpuid, 0x1f);
	vm->arch.cpuid = cpuid;
}

void cpuid_begin(struct vm *vm)
{
	errand_begin(&vm->arch.asking, ask, vm);
}

int cpuid_init(struct vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid;
	int ret;

	errand_finish(&vcpu->vm->arch.asking);
	ret = vcpu->vm->arch.asked;
	if (ret < 0)
		return ret;
	cpuid = malloc(TABLE_SIZE);
	if (!cpuid)
		return -ENOMEM;
	memcpy(cpuid, vcpu->vm->arch.cpuid, TABLE_SIZE);
	for (unsigned i = 0; i < cpuid->nent; i++)
		fix_entry(&cpuid->entries[i], vcpu);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		ret = -errno;
	free(cpuid);
	return ret;
}
