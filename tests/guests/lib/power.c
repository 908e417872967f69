/*
 * power.c: the ways a guest ends. power_off() is how every test ends well;
 * the others are themselves under test (ending.c).
 */
#include "guest.h"

static __attribute__((noreturn)) uint64_t ring0_halt(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	for (;;)
		asm volatile("cli; hlt");
}

void stop(void)
{
	ring0(ring0_halt, 0, 0);
	__builtin_unreachable();
}

/* A descriptor table of no length: the next exception cannot be delivered,
 * nor the double fault after it. */
static uint64_t ring0_triple_fault(uint64_t a, uint64_t b)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing;

	(void)a, (void)b;
	asm volatile("lidt %0; ud2" ::"m"(nothing));
	__builtin_unreachable();
}

void triple_fault(void)
{
	ring0(ring0_triple_fault, 0, 0);
	__builtin_unreachable();
}

/* ACPI's sleep control register: SLP_TYP 5, SLP_EN. A machine that has no such
 * register there (QEMU's q35) ends by the triple fault. */
void power_off(void)
{
	outb(0x600, 0x34);
	triple_fault();
}
