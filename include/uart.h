/*
 * uart.h: a 16550A, the console every kernel can speak from its first line.
 */
#ifndef LODGE_UART_H
#define LODGE_UART_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "stream.h"
#include "vm.h"

#define UART_REGISTERS 8
#define UART_FIFO      16

struct uart {
	/* Two kinds of threads come here: vCPUs with register accesses and the
	 * stream's loop with input. The lock guards everything below; the data
	 * path of no virtio device leads through it. */
	pthread_mutex_t lock;
	struct stream *stream;
	struct irq irq;
	bool line; /* the interrupt output as last seen */

	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	bool thr_interrupt; /* the transmitter emptied and nobody has read that yet */
	uint8_t fifo[UART_FIFO];
	unsigned fifo_start, fifo_len;
	bool overrun;       /* only loopback can outrun the FIFO */
	unsigned lsr_reads; /* in a row: how a polling guest shows that it waits for input */
};

/* Where the board has it. */
struct uart_place {
	struct bus *bus;
	uint64_t base; /* of its eight registers, a byte each */
	uint32_t gsi;
};

/*
 * Put a UART there; it talks to `stream`, which lives on the main loop, or to
 * nobody (NULL). Main, before the vCPUs run. 0 or -errno.
 */
int uart_init(struct uart *uart, struct vm *vm, struct uart_place place, struct stream *stream);

/* For stream_start(): input for the guest; `context` is the uart. The stream's loop. */
size_t uart_take_input(void *context, const uint8_t *bytes, size_t len);

void uart_destroy(struct uart *uart);

#endif
