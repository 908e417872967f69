/*
 * uart.c: the 16550 at 0x3f8 as a kernel's driver meets it: registers, the
 * probe by loopback, the transmitter's interrupt; with echo=BYTES the receiver
 * too: that many bytes of input arrive in order, by interrupt, none lost; with
 * pattern=BYTES output, every byte value, compared outside. Booted by uart.t.
 */
#include "lib/guest.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH, FCR = IIR };
enum { IER_RX = 1, IER_TX = 2, LSR_DATA = 1, LSR_OVERRUN = 2, LSR_EMPTY = 0x20, LSR_IDLE = 0x40 };
enum { GSI = 4 };

static uint8_t get(unsigned r)
{
	return inb(COM1 + r);
}

static void put(unsigned r, uint8_t v)
{
	outb(COM1 + r, v);
}

static void check_registers(void)
{
	uint8_t divisor[2], msr, received;

	put(SCRATCH, 0x5a);
	is(get(SCRATCH), 0x5a, "scratch register holds 0x5a");
	put(SCRATCH, 0xa5);
	is(get(SCRATCH), 0xa5, "and 0xa5");
	put(FCR, 0);
	is(get(IIR) >> 6, 0, "FIFOs off");
	put(FCR, 7);
	is(get(IIR) >> 6, 3, "FIFOs on: a 16550A");
	put(IER, 0x0f);
	is(get(IER), 0x0f, "four interrupt enables");
	put(IER, 0);
	is(get(IER), 0, "all off again");
	put(LCR, 0x83);
	put(DATA, 0x0c);
	put(IER, 0x01);
	divisor[0] = get(DATA);
	divisor[1] = get(IER);
	put(LCR, 0x03);
	is(divisor[0] | divisor[1] << 8, 0x10c, "the divisor behind DLAB");
	is(get(LCR), 3, "line control: 8 bits");
	is(get(IER), 0, "the divisor left the interrupt enables alone");

	put(MCR, 0x1a); /* loop, OUT2, RTS: what Linux probes with */
	msr = get(MSR) & 0xf0;
	put(DATA, 'L');
	received = get(LSR) & LSR_DATA ? get(DATA) : 0;
	put(MCR, 0x0b);
	is(msr, 0x90, "loopback: modem status mirrors modem control");
	is(received, 'L', "loopback: what is sent is received");
	is(get(LSR) & (LSR_EMPTY | LSR_IDLE | LSR_DATA), LSR_EMPTY | LSR_IDLE,
	   "line status: transmitter idle, nothing received");
	ok((get(MSR) & 0xb0) == 0xb0, "modem status: carrier, ready, clear to send");
}

static void check_transmit_interrupt(unsigned vector)
{
	uint32_t seen = irqs(vector);
	uint8_t cause, after;

	put(IER, IER_TX);
	irq_wait(vector, seen);
	cause = get(IIR);
	after = get(IIR); /* before the next line is sent, which is a cause again */
	is(cause & 0x0f, 2, "enabling it with an empty transmitter interrupts");
	is(after & 0x0f, 1, "reading the cause ends it");
	seen = irqs(vector);
	put(DATA, '\n');
	irq_wait(vector, seen);
	is(get(IIR) & 0x0f, 2, "a byte sent interrupts again");
	put(IER, 0);
	is(get(IIR) & 0x0f, 1, "no cause when disabled");
}

/* The sender is told to start only now, and first nothing is read for a
 * while: what does not fit the FIFO must wait outside, not be lost. */
static void check_input(unsigned vector, uint32_t bytes)
{
	uint8_t *buffer = allocate(bytes);
	uint32_t n = 0, overruns = 0, rounds = 0, seen = irqs(vector);

	put(FCR, 0xc7); /* trigger at 14 bytes: fewer must still be announced */
	print("ready\n");
	poll_until(get(LSR) & LSR_DATA);
	put(IER, IER_RX);
	while (n < bytes) {
		uint8_t status, cause;

		irq_wait(vector, seen);
		seen = irqs(vector);
		cause = get(IIR) & 0x0f;
		if (cause != 4 && cause != 12)
			continue;
		for (rounds++; (status = get(LSR)) & LSR_DATA; n++) {
			uint8_t c = get(DATA);

			overruns += status >> 1 & 1;
			if (n < bytes)
				buffer[n] = c;
		}
	}
	put(IER, 0);
	is(n, bytes, "all of the input arrived");
	is(cksum(buffer, bytes), option_number("cksum", 0), "in order and unharmed");
	is(overruns, 0, "without an overrun");
	ok(rounds >= 1, "in %u interrupts", rounds);
	if (bytes == 1)
		is(seen, 1, "one interrupt for one byte");
}

int main(void)
{
	unsigned vector = irq_vector();

	ioapic_route(GSI, vector, 0);
	put(MCR, 0x0b);
	if (option("pattern")) {
		print("pattern\n");
		for (uint32_t i = option_number("pattern", 0), n = 0; n < i; n++)
			put(DATA, n % 251 ^ n / 256);
		print("\n");
		ok(true, "pattern sent");
	} else if (option("echo")) {
		check_input(vector, option_number("echo", 0));
	} else {
		check_registers();
		check_transmit_interrupt(vector);
	}
	return 0;
}
