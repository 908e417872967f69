/*
 * voice.c: talking with the script outside.
 *
 * measure() prints a line and halts until a byte of input comes: the script
 * reads the process's figures in between; host() has it do something else. A guest whose own
 * console is under attack (the word `wired`) has no serial port to speak through: what it prints is
 * kept, and leaves through the console when all is over.
 */
#include "hostile.h"

enum { UART_IER = 1, UART_FCR = 2, UART_LSR = 5, GSI_COM1 = 4 };

static struct queue *listener;

void listen_at(struct queue *receive)
{
	listener = receive;
}

/* What the script does meanwhile is over when a byte of input comes. */
static void have_done(const char *verb, const char *what)
{
	static unsigned vector;
	uint32_t seen;

	if (option("wired"))
		return;
	if (listener) {
		seen = used_index(listener);
		print("%s %s\n", verb, what);
		while (used_index(listener) == (uint16_t)seen)
			asm volatile("pause");
		return;
	}
	if (!vector) {
		vector = irq_vector();
		ioapic_route(GSI_COM1, vector, 0);
		outb(COM1 + UART_FCR, 7);
	}
	seen = irqs(vector);
	outb(COM1 + UART_IER, 1);
	print("%s %s\n", verb, what);
	irq_wait(vector, seen);
	while (inb(COM1 + UART_LSR) & 1)
		inb(COM1);
	outb(COM1 + UART_IER, 0);
}

void measure(const char *when)
{
	have_done("measure", when);
}

void host(const char *what)
{
	have_done("do", what);
}

/* A count, not a time: tens of milliseconds on anything that is about. */
void only_compute(void)
{
	for (uint32_t i = 0; i < 200u << 20; i++)
		asm volatile("" ::"r"(i));
}

/* --- Without a serial port --- */

static char kept[256 << 10];
static unsigned kept_length;
static struct target *speaker;

static void keep(char c)
{
	if (kept_length < sizeof(kept))
		kept[kept_length++] = c;
	if (!speaker || c != '\n')
		return;
	queue_add(&speaker->q[1], &(struct buffer){ kept, kept_length }, 1, 0);
	queue_kick(&speaker->q[1]);
	queue_wait(&speaker->q[1], NULL);
	kept_length = 0;
}

void voice_keep(void)
{
	if (option("wired"))
		print_through = keep;
}

void voice_release(struct target *console)
{
	if (print_through != keep || !target_open(console, 0))
		return;
	speaker = console;
	keep('\n');
}
