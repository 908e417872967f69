/*
 * gic.h: the interrupt controller of an arm64 guest, which lives in KVM.
 */
#ifndef LODGE_GIC_H
#define LODGE_GIC_H

#include "vm.h"

/*
 * Create a GICv3 with an ITS, or a GICv2 where the host has no v3, at the
 * addresses of layout.h; sets vm->msi. gic_finish() once all vCPUs exist.
 * Both print the reason and return -1 when they fail. Main.
 */
int gic_create(struct vm *vm);
int gic_finish(struct vm *vm);

/* Set attribute `attribute` of `group` of a KVM device or vCPU. 0 or -errno. */
int kvm_set_attribute(int fd, uint32_t group, uint64_t attribute, const void *value);

#endif
