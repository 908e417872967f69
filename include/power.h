/*
 * power.h: the ways a guest can switch itself off or reset itself (x86).
 */
#ifndef LODGE_POWER_H
#define LODGE_POWER_H

#include <stdbool.h>

#include "vm.h"

struct power {
	const struct memory *memory;
	/* The guest's kernel was told to leave the warm-boot flag when it resets
	 * because of a panic (see guest-boot/cmdline.c). */
	bool panics_are_warm;
};

/*
 * Answer at the ACPI sleep and reset registers and at the i8042's command
 * port. Every use ends in ending_report(). Main, before vCPUs.
 */
void power_init(struct power *power, struct vm *vm, bool panics_are_warm);

#endif
