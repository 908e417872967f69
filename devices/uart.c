/*
 * uart.c: a 16550A, at COM1 or wherever the board has it.
 *
 * vCPU threads read and write its registers, the main loop brings input. Our
 * transmitter is always empty: a byte written is in the stream's buffer
 * before the guest's next instruction.
 *
 * Two liberties for the sake of the user. Input is held back until the guest
 * asks for it (receive interrupts on, or two reads of the line status in a
 * row), because Linux empties the FIFO several times while it starts and
 * would throw away what was piped in. And there is no baud rate.
 *
 * Source: PC16550D data sheet, National Semiconductor, 1995.
 */
#include <string.h>

#include "log.h"
#include "uart.h"

enum {
	REG_DATA = 0, /* RBR on read, THR on write, DLL with DLAB */
	REG_IER = 1,  /* DLM with DLAB */
	REG_IIR = 2,  /* on read */
	REG_FCR = 2,  /* on write */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
};

#define IER_RECEIVED    0x01
#define IER_THR_EMPTY   0x02
#define IER_LINE_STATUS 0x04
#define IER_MASK        0x0f

#define IIR_NONE        0x01
#define IIR_THR_EMPTY   0x02
#define IIR_RECEIVED    0x04
#define IIR_LINE_STATUS 0x06
#define IIR_FIFOS_ON    0xc0

#define FCR_ENABLE        0x01
#define FCR_CLEAR_RECEIVE 0x02

#define LCR_DLAB 0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DATA      0x01
#define LSR_OVERRUN   0x02
#define LSR_THR_EMPTY 0x20
#define LSR_IDLE      0x40

#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI  0x40
#define MSR_DCD 0x80

#define POLLING_READS 2

/* Without a terminal (it is wired to virtio-console) output vanishes, input never comes. */
static void resume_input(const struct uart *uart)
{
	if (uart->stream)
		stream_resume(uart->stream);
}

static uint8_t interrupt_cause(const struct uart *uart)
{
	if ((uart->ier & IER_LINE_STATUS) && uart->overrun)
		return IIR_LINE_STATUS;
	if ((uart->ier & IER_RECEIVED) && uart->fifo_len > 0)
		return IIR_RECEIVED;
	if ((uart->ier & IER_THR_EMPTY) && uart->thr_interrupt)
		return IIR_THR_EMPTY;
	return IIR_NONE;
}

/* The line is edge-triggered: the guest hears of a cause only if there was none before. */
static void update_line(struct uart *uart)
{
	bool line = interrupt_cause(uart) != IIR_NONE;

	if (line && !uart->line)
		irq_raise(&uart->irq);
	uart->line = line;
}

static bool wants_input(const struct uart *uart)
{
	return !(uart->mcr & MCR_LOOP) &&
	       ((uart->ier & IER_RECEIVED) || uart->lsr_reads >= POLLING_READS);
}

static unsigned fifo_room(const struct uart *uart)
{
	return (uart->fcr & FCR_ENABLE ? UART_FIFO : 1) - uart->fifo_len;
}

static void fifo_put(struct uart *uart, uint8_t byte)
{
	uart->fifo[(uart->fifo_start + uart->fifo_len++) % UART_FIFO] = byte;
}

size_t uart_take_input(void *context, const uint8_t *bytes, size_t len)
{
	struct uart *uart = context;
	size_t taken = 0;

	pthread_mutex_lock(&uart->lock);
	while (wants_input(uart) && taken < len && fifo_room(uart) > 0)
		fifo_put(uart, bytes[taken++]);
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
	return taken;
}

static uint8_t read_data(struct uart *uart)
{
	uint8_t byte;

	if (uart->fifo_len == 0)
		return 0;
	byte = uart->fifo[uart->fifo_start];
	uart->fifo_start = (uart->fifo_start + 1) % UART_FIFO;
	if (--uart->fifo_len == 0)
		resume_input(uart);
	return byte;
}

static uint8_t read_iir(struct uart *uart)
{
	uint8_t cause = interrupt_cause(uart);

	/* Reading it is how the guest acknowledges an empty transmitter. */
	if (cause == IIR_THR_EMPTY)
		uart->thr_interrupt = false;
	return cause | (uart->fcr & FCR_ENABLE ? IIR_FIFOS_ON : 0);
}

static uint8_t read_lsr(struct uart *uart)
{
	uint8_t lsr = LSR_THR_EMPTY | LSR_IDLE;

	if (uart->fifo_len > 0)
		lsr |= LSR_DATA;
	else if (++uart->lsr_reads == POLLING_READS)
		resume_input(uart);
	if (uart->overrun)
		lsr |= LSR_OVERRUN;
	uart->overrun = false;
	return lsr;
}

static uint8_t read_msr(const struct uart *uart)
{
	uint8_t mcr = uart->mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
	       (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t read_register(struct uart *uart, unsigned reg)
{
	bool dlab = uart->lcr & LCR_DLAB;

	if (reg != REG_LSR)
		uart->lsr_reads = 0;
	switch (reg) {
	case REG_DATA:
		return dlab ? uart->dll : read_data(uart);
	case REG_IER:
		return dlab ? uart->dlm : uart->ier;
	case REG_IIR:
		return read_iir(uart);
	case REG_LCR:
		return uart->lcr;
	case REG_MCR:
		return uart->mcr;
	case REG_LSR:
		return read_lsr(uart);
	case REG_MSR:
		return read_msr(uart);
	default:
		return uart->scr;
	}
}

static void write_data(struct uart *uart, uint8_t byte)
{
	if (!(uart->mcr & MCR_LOOP)) {
		if (uart->stream)
			stream_write(uart->stream, &byte, 1);
	} else if (fifo_room(uart) > 0) {
		fifo_put(uart, byte);
	} else {
		uart->overrun = true;
	}
	uart->thr_interrupt = true; /* sent already: empty again */
	/* Down and up again, however short: a new edge for a new byte. */
	uart->line = false;
}

static void write_ier(struct uart *uart, uint8_t value)
{
	uint8_t fresh = value & ~uart->ier;

	uart->ier = value & IER_MASK;
	if (fresh & IER_THR_EMPTY)
		uart->thr_interrupt = true;
	if (fresh & IER_RECEIVED)
		resume_input(uart);
}

static void write_fcr(struct uart *uart, uint8_t value)
{
	/* Switching the FIFOs on or off empties them. */
	if ((value & FCR_CLEAR_RECEIVE) || ((value ^ uart->fcr) & FCR_ENABLE))
		uart->fifo_len = 0;
	uart->fcr = value;
	resume_input(uart);
}

static void write_register(struct uart *uart, unsigned reg, uint8_t value)
{
	bool dlab = uart->lcr & LCR_DLAB;

	uart->lsr_reads = 0;
	switch (reg) {
	case REG_DATA:
		if (dlab)
			uart->dll = value;
		else
			write_data(uart, value);
		break;
	case REG_IER:
		if (dlab)
			uart->dlm = value;
		else
			write_ier(uart, value);
		break;
	case REG_FCR:
		write_fcr(uart, value);
		break;
	case REG_LCR:
		uart->lcr = value;
		break;
	case REG_MCR:
		uart->mcr = value & MCR_MASK;
		resume_input(uart); /* held back while in a loop */
		break;
	case REG_SCR:
		uart->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

/* A wider access touches neighbouring registers, lowest first, as on the ISA bus. */
static void uart_read(void *context, uint64_t offset, void *data, unsigned len)
{
	struct uart *uart = context;
	uint8_t *bytes = data;

	pthread_mutex_lock(&uart->lock);
	for (unsigned i = 0; i < len; i++)
		bytes[i] = read_register(uart, (unsigned)offset + i);
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
}

static void uart_write(void *context, uint64_t offset, const void *data, unsigned len)
{
	struct uart *uart = context;
	const uint8_t *bytes = data;

	pthread_mutex_lock(&uart->lock);
	for (unsigned i = 0; i < len; i++)
		write_register(uart, (unsigned)offset + i, bytes[i]);
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
}

static const struct bus_ops uart_ops = { .read = uart_read, .write = uart_write };

int uart_init(struct uart *uart, struct vm *vm, struct uart_place place, struct stream *stream)
{
	*uart = (struct uart){ .lock = PTHREAD_MUTEX_INITIALIZER, .stream = stream };
	bus_add(place.bus, place.base, UART_REGISTERS, &uart_ops, uart);
	return irq_init_line(&uart->irq, vm, place.gsi);
}

void uart_destroy(struct uart *uart)
{
	irq_destroy(&uart->irq);
}
