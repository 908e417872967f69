/*
 * power.h: the ways a guest can switch itself off or reset itself (x86).
 */
#ifndef LODGE_POWER_H
#define LODGE_POWER_H

#include "vm.h"

/*
 * Answer at the ACPI sleep and reset registers and at the i8042's command
 * port. Every use ends in ending_report(). Main, before the vCPUs run.
 */
void power_init(struct vm *vm);

#endif
