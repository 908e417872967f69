/*
 * irq.c: interrupts, counted. Every vector from 32 up has a handler in
 * start.S that adds one to irq_count[vector] and ends the interrupt; a test
 * asks how many there were, or halts until there is one more. Exceptions are
 * a failed check and the end of the guest.
 */
#include "guest.h"

enum { PROTECTION_FAULT = 13, FIRST_FREE = 0x30, SPURIOUS = 0xff };

extern char vector_stubs[], protection_fault[], gate_call[], gate_irq_on[], gate_irq_off[],
	gate_wait[];

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, reserved;
};
extern struct gate idt[256];

static void set_gate(unsigned vector, const char *handler)
{
	uintptr_t a = (uintptr_t)handler;

	idt[vector] = (struct gate){ a, 0x08, 0, 0x8e, a >> 16, a >> 32, 0 };
}

void irq_init(void)
{
	for (unsigned v = 0; v < 256; v++)
		set_gate(v, vector_stubs + 16 * v);
	set_gate(PROTECTION_FAULT, protection_fault);

	/* The 8259s would deliver what the I/O APIC already does. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	lapic_enable();
	irq_on();
}

void lapic_enable(void)
{
	write32(LAPIC + 0x350, 0x10000); /* LINT0 masked */
	write32(LAPIC + 0x360, 0x10000); /* LINT1 masked */
	write32(LAPIC + 0x80, 0);        /* every priority welcome */
	write32(LAPIC + 0xf0, 0x100 | SPURIOUS);
}

void irq_on(void)
{
	asm volatile("hlt" ::"a"(gate_irq_on) : "memory");
}

void irq_off(void)
{
	asm volatile("hlt" ::"a"(gate_irq_off) : "memory");
}

unsigned irq_vector(void)
{
	static unsigned next = FIRST_FREE;

	return next++;
}

void irq_wait(unsigned vector, uint32_t seen)
{
	while (irqs(vector) == seen)
		asm volatile("hlt" ::"a"(gate_wait), "D"(&irq_count[vector]), "S"(seen) : "memory");
}

void ioapic_route(unsigned gsi, unsigned vector, unsigned lapic)
{
	write32(IOAPIC, 0x11 + 2 * gsi);
	write32(IOAPIC + 0x10, lapic << 24);
	write32(IOAPIC, 0x10 + 2 * gsi);
	write32(IOAPIC + 0x10, vector); /* fixed, physical, edge, high, unmasked */
}

uint64_t ring0(uint64_t (*f)(uint64_t, uint64_t), uint64_t a, uint64_t b)
{
	uint64_t result;

	asm volatile("hlt"
		     : "=a"(result), "+D"(f), "+S"(a), "+d"(b)
		     : "a"(gate_call)
		     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	return result;
}

/* In ring 0, for ring 3 would be answered by the host's own CPU where the
 * hypervisor only emulates ring 0. */
static uint64_t ring0_cpuid(uint64_t result, uint64_t leaf)
{
	struct cpuid *r = (struct cpuid *)result;

	asm volatile("cpuid"
		     : "=a"(r->a), "=b"(r->b), "=c"(r->c), "=d"(r->d)
		     : "a"((uint32_t)leaf), "c"((uint32_t)(leaf >> 32)));
	return 0;
}

struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	ring0(ring0_cpuid, (uintptr_t)&r, (uint64_t)subleaf << 32 | leaf);
	return r;
}

struct frame {
	uint64_t vector, error, rip, cs, flags, rsp, ss;
};

void exception(struct frame *f);
void exception(struct frame *f)
{
	uint64_t cr2;

	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	ok(false, "exception %lu, error %#lx, rip %#lx, cr2 %#lx", f->vector, f->error, f->rip,
	   cr2);
	triple_fault();
}
