/*
 * cpuid.h: what the guest's processors say they are (x86 only).
 */
#ifndef LODGE_CPUID_H
#define LODGE_CPUID_H

#include "vcpu.h"

/*
 * Begin to ask KVM what it supports; cpuid_init() waits for the answer. Main,
 * once /dev/kvm is open.
 */
void cpuid_begin(struct vm *vm);

/*
 * Give the vCPU all that KVM supports, with identity and topology of its
 * own: `vcpu->count` cores of one thread each in one package, APIC id =
 * index. KVM's paravirtual leaves stay as KVM offers them. Main, before the
 * vCPU runs. Returns 0 or -errno.
 */
int cpuid_init(struct vcpu *vcpu);

#endif
