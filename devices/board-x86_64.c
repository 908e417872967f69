/*
 * board-x86_64.c: a PC with next to nothing on it: COM1, the doors out of
 * power.c, and the ports to PCI configuration space.
 *
 * main calls in while it builds the machine.
 */
#include "board.h"
#include "layout.h"
#include "power.h"

int board_init(struct vm *vm, struct pci_root *pci, struct uart *uart, struct stream *serial)
{
	struct uart_place com1 = { &vm->arch.ports, LAYOUT_COM1, LAYOUT_COM1_GSI };

	power_init(vm);
	pci_ports_init(pci, vm);
	return uart_init(uart, vm, com1, serial);
}
