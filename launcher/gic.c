/*
 * gic.c: creating the GIC.
 *
 * arm64.c calls in twice: before the vCPUs exist, to create it, and after, to
 * complete it, because a GIC has a part for each processor. KVM emulates all
 * of it; we only say where it lies and how many lines it has.
 *
 * GICv3 has an ITS beside it, which turns messages into interrupts: that is
 * what MSI-X of virtio-pci needs. A host that can only do GICv2 has none; there
 * virtio-mmio is used, with an interrupt line for each device.
 *
 * Sources: Documentation/virt/kvm/devices/arm-vgic-v3.rst, arm-vgic.rst,
 * arm-vgic-its.rst.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "gic.h"
#include "layout.h"
#include "log.h"

#define PRIVATE_IRQS   32 /* of each vCPU, before the first shared one */
#define GICV2_CPUS_MAX 8

int kvm_set_attribute(int fd, uint32_t group, uint64_t attribute, const void *value)
{
	struct kvm_device_attr attr = {
		.group = group,
		.attr = attribute,
		.addr = (uintptr_t)value,
	};

	return ioctl(fd, KVM_SET_DEVICE_ATTR, &attr) < 0 ? -errno : 0;
}

/* A device of this type in the machine; its file descriptor, or -errno. */
static int create_device(const struct vm *vm, uint32_t type)
{
	struct kvm_create_device device = { .type = type };

	return ioctl(vm->fd, KVM_CREATE_DEVICE, &device) < 0 ? -errno : (int)device.fd;
}

static int place(int fd, uint64_t what, uint64_t gpa)
{
	return kvm_set_attribute(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, what, &gpa);
}

static int create_v3(struct vm *vm)
{
	int gic = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_V3), its, ret;

	if (gic < 0)
		return gic;
	vm->arch.gic_fd = gic;
	its = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_ITS);
	if (its < 0)
		return its;
	vm->arch.its_fd = its;
	vm->msi = true;
	ret = place(gic, KVM_VGIC_V3_ADDR_TYPE_DIST, LAYOUT_GIC_DIST);
	if (ret == 0)
		ret = place(gic, KVM_VGIC_V3_ADDR_TYPE_REDIST, LAYOUT_GIC_REDIST);
	if (ret == 0)
		ret = place(its, KVM_VGIC_ITS_ADDR_TYPE, LAYOUT_GIC_ITS);
	return ret;
}

static int create_v2(struct vm *vm)
{
	int gic = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_V2), ret;

	if (gic < 0)
		return gic;
	vm->arch.gic_fd = gic;
	ret = place(gic, KVM_VGIC_V2_ADDR_TYPE_DIST, LAYOUT_GIC_DIST);
	if (ret == 0)
		ret = place(gic, KVM_VGIC_V2_ADDR_TYPE_CPU, LAYOUT_GIC_CPU);
	return ret;
}

int gic_create(struct vm *vm)
{
	uint32_t lines = PRIVATE_IRQS + LAYOUT_LINES;
	int ret = create_v3(vm);

	if (ret == -ENODEV && vm->arch.gic_fd < 0) {
		ret = create_v2(vm);
		if (ret == 0 && vm->cpus > GICV2_CPUS_MAX) {
			log_error("--cpus: this host's interrupt controller (GICv2) has room for "
				  "%d vCPUs",
				  GICV2_CPUS_MAX);
			return -1;
		}
	}
	if (ret == 0)
		ret = kvm_set_attribute(vm->arch.gic_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &lines);
	if (ret < 0)
		log_error("KVM cannot create the interrupt controller: %s", strerror(-ret));
	return ret < 0 ? -1 : 0;
}

int gic_finish(struct vm *vm)
{
	int ret = kvm_set_attribute(vm->arch.gic_fd, KVM_DEV_ARM_VGIC_GRP_CTRL,
				    KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);

	if (ret == 0 && vm->arch.its_fd >= 0)
		ret = kvm_set_attribute(vm->arch.its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL,
					KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	if (ret < 0)
		log_error("KVM cannot complete the interrupt controller: %s", strerror(-ret));
	return ret < 0 ? -1 : 0;
}
