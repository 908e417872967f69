/*
 * vm.c: creating the machine (tour 2), and its doorbells.
 *
 * main calls vm_create() once the guest's RAM exists, and vm_arch_equip()
 * later. The order is worth a word: memory slots first, interrupt controllers
 * after. Changing the slots of a VM that already has its irqchip waits for a
 * grace period (5-11 ms on a software KVM); before it, it takes 0.4 ms.
 *
 * Next in the tour: irq.c for the interrupts, x86_64.c (or arm64.c) for
 * what the architecture adds, vcpu.c for the processors.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "layout.h"
#include "log.h"
#include "vm.h"

static int open_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		log_error("/dev/kvm: %m; " ARCH_KVM_ABSENT);
	else if (errno == EACCES || errno == EPERM)
		log_error("/dev/kvm: %m; join the group that owns it (usually `kvm') or run as "
			  "root");
	else
		log_error("/dev/kvm: %m");
	return -1;
}

static int check_capabilities(int kvm_fd)
{
	static const struct {
		int capability;
		const char *name;
	} needed[] = {
		{ KVM_CAP_USER_MEMORY, "user memory" },
		{ KVM_CAP_IRQCHIP, "in-kernel irqchip" },
		{ KVM_CAP_IRQ_ROUTING, "GSI routing" },
		{ KVM_CAP_IRQFD, "irqfd" },
		{ KVM_CAP_IOEVENTFD, "ioeventfd" },
		{ KVM_CAP_SIGNAL_MSI, "MSI" },
		{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
	};
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (version < 0) {
		log_error("/dev/kvm: it is not a KVM: %m");
		return -1;
	}
	if (version != KVM_API_VERSION) {
		log_error("/dev/kvm: API version %d, need %d", version, KVM_API_VERSION);
		return -1;
	}
	for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].capability) <= 0) {
			log_error("/dev/kvm: this kernel's KVM lacks %s", needed[i].name);
			return -1;
		}
	}
	return 0;
}

static int set_slot(struct vm *vm, unsigned slot, const struct memory_region *region)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.guest_phys_addr = region->gpa,
		.memory_size = region->size,
		.userspace_addr = (uintptr_t)region->host,
	};

	if (region->size == 0)
		return 0;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r) < 0) {
		log_error("KVM does not take %llu MiB of guest memory: %m",
			  (unsigned long long)(region->size >> 20));
		return -1;
	}
	return 0;
}

int vm_create(struct vm *vm, const struct memory *memory, unsigned cpus)
{
	*vm = (struct vm){ .kvm_fd = -1,
			   .fd = -1,
			   .memory = memory,
			   .cpus = cpus,
			   .mmio.name = "mmio",
			   .routing_lock = PTHREAD_MUTEX_INITIALIZER,
			   .next_msi_gsi = LAYOUT_LINES };

	vm->kvm_fd = open_kvm();
	if (vm->kvm_fd < 0 || check_capabilities(vm->kvm_fd) < 0)
		return -1;

	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, vm_arch_type(vm->kvm_fd));
	if (vm->fd < 0) {
		log_error("KVM_CREATE_VM: %m");
		return -1;
	}
	vm_arch_begin(vm);
	return set_slot(vm, 0, &memory->low) < 0 || set_slot(vm, 1, &memory->high) < 0 ? -1 : 0;
}

void vm_destroy(struct vm *vm)
{
	free(vm->routing);
	vm_arch_destroy(vm);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
}

static int set_doorbell(struct vm *vm, uint64_t gpa, unsigned len, int64_t match, int eventfd,
			uint32_t flags)
{
	struct kvm_ioeventfd bell = {
		.addr = gpa,
		.len = len,
		.fd = eventfd,
		.flags = flags,
	};

	if (match >= 0) {
		bell.datamatch = (uint64_t)match;
		bell.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	}
	return ioctl(vm->fd, KVM_IOEVENTFD, &bell) < 0 ? -errno : 0;
}

int vm_attach_doorbell(struct vm *vm, uint64_t gpa, unsigned len, int64_t match, int eventfd)
{
	return set_doorbell(vm, gpa, len, match, eventfd, 0);
}

int vm_detach_doorbell(struct vm *vm, uint64_t gpa, unsigned len, int64_t match, int eventfd)
{
	return set_doorbell(vm, gpa, len, match, eventfd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
