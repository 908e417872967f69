/*
 * board.h: what is soldered on: the devices a machine of this architecture has
 * without being asked for any, beside those inside KVM. One file per
 * architecture, board-x86_64.c or board-arm64.c.
 */
#ifndef LODGE_BOARD_H
#define LODGE_BOARD_H

#include "pci.h"
#include "uart.h"
#include "vm.h"

/*
 * Put the UART, which talks to `serial` (NULL: to nobody), and all else that
 * this architecture has into the machine. Main, after vm_arch_init_irqs().
 * 0 or -errno.
 */
int board_init(struct vm *vm, struct pci_root *pci, struct uart *uart, struct stream *serial);

#endif
