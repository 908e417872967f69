/*
 * ending.c: every way a guest can end, one per boot; end=HOW says which. What
 * lodge makes of it is checked by ending.t.
 */
#include "lib/guest.h"

/* ACPI's reset register is the port the FADT names. */
static void reset_register(void)
{
	const uint8_t *fadt = (const void *)acpi_find("FACP", 0);
	uint64_t port;

	memcpy(&port, fadt + 120, 8);
	outb(port, fadt[128]);
}

/* What Linux does with reboot=panic_warm: leave the BIOS's "warm boot" value,
 * then reset. */
static void panic(void)
{
	write16(0x472, 0x1234);
	outb(0x64, 0xfe);
}

/* A write that only hardware could do: cmpxchg16b where no memory is has to be
 * emulated by KVM, in ring 0, and KVM's emulator does not know it. */
static uint64_t ring0_not_emulated(uint64_t a, uint64_t b)
{
	asm volatile("lock cmpxchg16b (%%rdi)" ::"D"(a), "a"(0), "b"(0), "c"(0), "d"(0) : "memory");
	return b;
}

/* Announce it, then give the host all the time it wants. */
static void wait_for_signal(void)
{
	print("ready\n");
	stop();
}

static void spin(void)
{
	print("ready\n");
	for (;;)
		asm volatile("pause");
}

int main(void)
{
	static const struct {
		const char *how;
		void (*f)(void);
	} ways[] = {
		{ "reset-register", reset_register },
		{ "panic", panic },
		{ "triple-fault", triple_fault },
		{ "wait", wait_for_signal },
		{ "spin", spin },
		{ "poweroff", power_off },
	};
	const char *how = option("end");

	for (unsigned i = 0; how && i < array_length(ways); i++)
		if (starts_with(how, ways[i].how))
			ways[i].f();
	if (how && starts_with(how, "i8042"))
		outb(0x64, 0xfe);
	if (how && starts_with(how, "not-emulated"))
		ring0(ring0_not_emulated, 0xd0000000, 0);
	if (how && starts_with(how, "vcpu1")) {
		cpu_start(1, (void (*)(void *))triple_fault, NULL);
		stop();
	}
	ok(false, "still running");
	stop();
}
