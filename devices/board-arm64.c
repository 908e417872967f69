/*
 * board-arm64.c: a board with a UART. Power off and reset are calls to the
 * firmware (PSCI) that KVM takes for us: launcher/arm64.c.
 *
 * main calls in while it builds the machine.
 */
#include "board.h"
#include "layout.h"

int board_init(struct vm *vm, struct pci_root *pci, struct uart *uart, struct stream *serial)
{
	struct uart_place place = { &vm->mmio, LAYOUT_UART, LAYOUT_UART_GSI };

	(void)pci;
	return uart_init(uart, vm, place, serial);
}
