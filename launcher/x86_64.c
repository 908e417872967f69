/*
 * x86_64.c: what is x86 about the machine and its processors (tour 3).
 *
 * vm.c calls in for the interrupt controllers, vcpu.c for the first state of
 * a processor: in 64-bit mode with the low 4 GiB mapped one to one (the
 * Linux/x86 boot protocol's 64-bit entry), or in 32-bit protected mode
 * (PVH). CPUID has a file of its own, cpuid.c. On another architecture the
 * Makefile takes another file in this one's place.
 *
 * Sources: Documentation/arch/x86/boot.rst, "64-bit boot protocol"; Xen's
 * docs/misc/pvh.pandoc; Intel SDM volume 3, chapters 2-5.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cpuid.h"
#include "ending.h"
#include "layout.h"
#include "log.h"
#include "vcpu.h"

#define CR0_PE   UINT64_C(0x1)
#define CR0_ET   UINT64_C(0x10)
#define CR0_PG   UINT64_C(0x80000000)
#define CR4_PAE  UINT64_C(0x20)
#define EFER_LME UINT64_C(0x100)
#define EFER_LMA UINT64_C(0x400)

#define PTE_PRESENT UINT64_C(0x1)
#define PTE_WRITE   UINT64_C(0x2)
#define PTE_LARGE   UINT64_C(0x80)

#define MSR_MISC_ENABLE         0x1a0
#define MISC_ENABLE_FAST_STRING 1
#define MSR_MTRR_DEF_TYPE       0x2ff
#define MTRR_ENABLED_WRITE_BACK 0x806

unsigned long vm_arch_type(int kvm_fd)
{
	(void)kvm_fd;
	return 0;
}

void vm_arch_begin(struct vm *vm)
{
	cpuid_begin(vm);
}

int vm_arch_equip(struct vm *vm, bool legacy)
{
	uint64_t identity = LAYOUT_KVM_IDENTITY;
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	/* Intel without "unrestricted guest" runs a starting vCPU as a task of
	 * its own and needs four pages nobody else uses. Others ignore them. */
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)LAYOUT_KVM_TSS) < 0) {
		log_error("KVM does not take the addresses of its own pages: %m");
		return -1;
	}
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0) {
		log_error("KVM_CREATE_IRQCHIP: %m");
		return -1;
	}
	if (legacy && ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0) {
		log_error("KVM_CREATE_PIT2: %m");
		return -1;
	}
	vm->arch.ports.name = "port";
	vm->msi = true;
	return 0;
}

int vm_arch_init_irqs(struct vm *vm)
{
	(void)vm; /* KVM_CREATE_IRQCHIP has done it all */
	return 0;
}

void vm_arch_destroy(struct vm *vm)
{
	errand_finish(&vm->arch.asking);
	free(vm->arch.cpuid);
}

static void add_route(struct kvm_irq_routing *routing, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	struct kvm_irq_routing_entry *entry = &routing->entries[routing->nr++];

	entry->gsi = gsi;
	entry->type = KVM_IRQ_ROUTING_IRQCHIP;
	entry->u.irqchip.irqchip = chip;
	entry->u.irqchip.pin = pin;
}

void vm_arch_default_routing(struct kvm_irq_routing *routing)
{
	/* What KVM has before the first KVM_SET_GSI_ROUTING, which replaces it:
	 * a line reaches the I/O APIC and, below 16, one of the two 8259s. */
	for (uint32_t gsi = 0; gsi < LAYOUT_IOAPIC_PINS; gsi++) {
		if (gsi < 16)
			add_route(routing, gsi,
				  gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				  gsi % 8);
		add_route(routing, gsi, KVM_IRQCHIP_IOAPIC, gsi);
	}
}

void vm_arch_route_msi(struct kvm_irq_routing_entry *entry, uint32_t requester)
{
	(void)entry; /* the local APICs do not ask who sent it */
	(void)requester;
}

/* The selectors 0x10 (code) and 0x18 (data) are what the boot protocol promises a kernel. */
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TASK 0x20

static void write_gdt(const struct vm *vm, bool long_mode)
{
	uint64_t *gdt = memory_at(vm->memory, LAYOUT_GDT, 5 * sizeof(*gdt));

	gdt[0] = 0;
	gdt[1] = 0;
	gdt[2] = long_mode ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff);
	gdt[3] = UINT64_C(0x00cf93000000ffff);
	gdt[4] = UINT64_C(0x00008b0000000067);
}

static void write_page_tables(const struct vm *vm)
{
	uint64_t *pml4 = memory_at(vm->memory, LAYOUT_PML4, 4096);
	uint64_t *pdpt = memory_at(vm->memory, LAYOUT_PDPT, 4096);
	uint64_t *pd = memory_at(vm->memory, LAYOUT_PD, 4 * 4096);

	pml4[0] = LAYOUT_PDPT | PTE_PRESENT | PTE_WRITE;
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (LAYOUT_PD + i * 4096) | PTE_PRESENT | PTE_WRITE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
}

static void set_segments(struct kvm_sregs *sregs, bool long_mode)
{
	struct kvm_segment code = {
		.selector = SELECTOR_CODE,
		.limit = 0xffffffff,
		.type = 0xb,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = long_mode,
		.db = !long_mode,
	};
	struct kvm_segment data = {
		.selector = SELECTOR_DATA,
		.limit = 0xffffffff,
		.type = 0x3,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = 1,
	};
	struct kvm_segment task = {
		.selector = SELECTOR_TASK, .limit = 0x67, .type = 0xb, .present = 1
	};

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = task;
	sregs->gdt.base = LAYOUT_GDT;
	sregs->gdt.limit = 5 * 8 - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
}

static int set_entry(const struct vcpu *vcpu, const struct vcpu_entry *entry)
{
	bool long_mode = entry->mode == VCPU_ENTRY_LONG64;
	struct kvm_regs regs = { .rip = entry->rip, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;

	write_gdt(vcpu->vm, long_mode);
	set_segments(&sregs, long_mode);
	if (long_mode) {
		write_page_tables(vcpu->vm);
		sregs.cr3 = LAYOUT_PML4;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
		sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
		regs.rsi = entry->param;
	} else {
		sregs.cr4 = 0;
		sregs.efer = 0;
		sregs.cr0 = CR0_PE | CR0_ET;
		regs.rbx = entry->param;
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

/* What firmware would have left in the model-specific registers. */
static int set_msrs(const struct vcpu *vcpu)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
		/* Without it Linux believes caching is off, and gives up on PAT. */
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WRITE_BACK },
	};
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(entries));
	int ret;

	if (!msrs)
		return -ENOMEM;
	msrs->nmsrs = sizeof(entries) / sizeof(entries[0]);
	memcpy(msrs->entries, entries, sizeof(entries));
	ret = ioctl(vcpu->fd, KVM_SET_MSRS, msrs) < 0 ? -errno : 0;
	free(msrs);
	return ret;
}

int vcpu_arch_init(struct vcpu *vcpu, const struct vcpu_entry *entry)
{
	int ret = cpuid_init(vcpu);

	if (ret < 0) {
		log_error("vCPU %u: CPUID: %s", vcpu->index, strerror(-ret));
		return -1;
	}
	ret = set_msrs(vcpu);
	if (ret == 0 && vcpu->index == 0)
		ret = set_entry(vcpu, entry);
	if (ret < 0) {
		log_error("vCPU %u: registers: %s", vcpu->index, strerror(-ret));
		return -1;
	}
	return 0;
}

/* The bytes of the instruction KVM stumbled over, if it says which; else those at rip. */
static unsigned instruction_bytes(const struct vcpu *vcpu, uint64_t rip, uint8_t *bytes,
				  unsigned size)
{
	const struct kvm_run *run = vcpu->run;
	struct kvm_translation at = { .linear_address = rip };
	const uint8_t *memory;
	unsigned len = size;

	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
	    run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION &&
	    run->emulation_failure.ndata >= 3 &&
	    (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) &&
	    run->emulation_failure.insn_size > 0) {
		if (len > run->emulation_failure.insn_size)
			len = run->emulation_failure.insn_size;
		memcpy(bytes, run->emulation_failure.insn_bytes, len);
		return len;
	}
	if (ioctl(vcpu->fd, KVM_TRANSLATE, &at) < 0 || !at.valid)
		return 0;
	if (len > 4096 - (at.physical_address & 4095))
		len = 4096 - (at.physical_address & 4095);
	memory = memory_at(vcpu->vm->memory, at.physical_address, len);
	if (!memory)
		return 0;
	memcpy(bytes, memory, len);
	return len;
}

/* For vcpu_arch_describe(). */
const struct sandbox_rule vcpu_arch_rules[] = {
	SANDBOX_IOCTL(KVM_GET_REGS),
	SANDBOX_IOCTL(KVM_GET_SREGS),
	SANDBOX_IOCTL(KVM_TRANSLATE),
	SANDBOX_END,
};

void vcpu_arch_describe(const struct vcpu *vcpu, char *text, unsigned size)
{
	struct kvm_regs regs = { 0 };
	struct kvm_sregs sregs = { 0 };
	uint8_t bytes[15];
	unsigned count, used;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
		snprintf(text, size, "registers unknown");
		return;
	}
	/* Outside 64-bit mode rip is relative to the code segment. */
	count = instruction_bytes(vcpu, sregs.cs.l ? regs.rip : sregs.cs.base + regs.rip, bytes,
				  sizeof(bytes));
	used = (unsigned)snprintf(text, size, "rip 0x%llx, bytes", (unsigned long long)regs.rip);
	if (count == 0)
		snprintf(text + used, size - used, " unknown");
	for (unsigned i = 0; i < count && used + 4 < size; i++)
		used += (unsigned)snprintf(text + used, size - used, " %02x", bytes[i]);
}

static void serve_port(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	bool in = run->io.direction == KVM_EXIT_IO_IN;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	counter_add(in ? &vcpu->stats.port_reads : &vcpu->stats.port_writes, 1);
	/* rep ins/outs arrive as several accesses of the same port. */
	for (unsigned i = 0; i < run->io.count; i++, data += run->io.size) {
		if (in)
			bus_read(&vcpu->vm->arch.ports, run->io.port, data, run->io.size);
		else
			bus_write(&vcpu->vm->arch.ports, run->io.port, data, run->io.size);
	}
}

bool vcpu_arch_serve_exit(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		serve_port(vcpu);
		return true;
	case KVM_EXIT_SHUTDOWN:
		ending_report(ENDING_CRASH, "the guest crashed: triple fault on vCPU %u",
			      vcpu->index);
		return true;
	default:
		return false;
	}
}
