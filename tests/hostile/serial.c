/*
 * serial.c: input without end for a serial port that nobody reads, whether the guest
 * has asked for it (the word `asks`) or not: it waits where it is, and costs nothing.
 * serial.t floods it, and answers by a packet.
 */
#include "hostile.h"

enum { UART_IER = 1, UART_FCR = 2, UART_LSR = 5, BUFFERS = 16 };

static bool has_input(void)
{
	return inb(COM1 + UART_LSR) & 1;
}

static void receive_packets(struct target *t)
{
	target_open(t, 0);
	for (unsigned i = 0; i < BUFFERS; i++)
		queue_add(&t->q[0], &(struct buffer){ t->data + i * 2048, 2048 }, 0, 1);
	queue_kick(&t->q[0]);
	listen_at(&t->q[0]);
}

int main(void)
{
	struct target *net;
	bool asks = option("asks");

	targets_find();
	net = &targets[target_count - 1]; /* the last kind */
	if (!ok(target_count && net->type == VIRTIO_NET, "a network card to listen at"))
		return 0;
	receive_packets(net);
	outb(COM1 + UART_FCR, 7);
	outb(COM1 + UART_IER, asks);
	if (asks)
		ok(poll_until(has_input()), "there is input");
	measure("begin");
	only_compute();
	measure("end");
	for (unsigned i = 0; i < 4; i++)
		only_compute();
	measure("idle");
	outb(COM1 + UART_IER, 1);
	ok(poll_until(has_input()) && inb(COM1) == 'y', "and it still begins with its beginning");
	return 0;
}
