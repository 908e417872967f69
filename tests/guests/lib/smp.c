/*
 * smp.c: start another CPU. It wakes in real mode in a copy of start.S's
 * trampoline at 0x8000, walks the same road as the first one to ring 3, with a
 * TSS and stacks of its own, and calls the function it was started for. It may
 * take interrupts but use no ports: its TSS has no I/O bitmap.
 */
#include "guest.h"

#define TRAMPOLINE 0x8000

struct tss {
	uint32_t reserved;
	uint64_t rsp0;
	uint8_t rest[92];
} __attribute__((packed));

extern char trampoline[], trampoline_end[];
extern uint64_t gdt[], start_stack0, start_stack3, start_entry;
extern uint16_t start_tss;

static void (*run)(void *);
static void *run_argument;
static bool started;

static void cpu_main(void)
{
	void (*f)(void *) = run;
	void *argument = run_argument;

	lapic_enable();
	irq_on();
	__atomic_store_n(&started, true, __ATOMIC_RELEASE);
	f(argument);
	stop();
}

static void send(unsigned lapic, uint32_t command)
{
	write32(LAPIC + 0x310, lapic << 24);
	write32(LAPIC + 0x300, command);
}

void cpu_start(unsigned lapic, void (*f)(void *), void *argument)
{
	static unsigned cpus = 1;
	struct tss *tss = allocate(sizeof(*tss));
	uintptr_t base = (uintptr_t)tss;
	unsigned slot = 6 + 2 * cpus; /* of the GDT: see start.S */

	gdt[slot] = 0x0000890000000000 | (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
		    (base >> 24 & 0xff) << 56;
	gdt[slot + 1] = base >> 32;
	tss->rsp0 = (uintptr_t)allocate(8192) + 8192;
	start_stack0 = tss->rsp0;
	start_stack3 = (uintptr_t)allocate(65536) + 65536;
	start_entry = (uintptr_t)cpu_main;
	start_tss = slot * 8;
	cpus++;

	run = f;
	run_argument = argument;
	started = false;
	memcpy((void *)TRAMPOLINE, trampoline, trampoline_end - trampoline);
	send(lapic, 0x4500);                    /* INIT */
	send(lapic, 0x4600 | TRAMPOLINE >> 12); /* STARTUP */
	if (!poll_until(__atomic_load_n(&started, __ATOMIC_ACQUIRE)))
		ok(false, "CPU %u did not start", lapic);
}
