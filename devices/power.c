/*
 * power.c: poweroff and reboot.
 *
 * Three doors out, used from vCPU threads: the sleep control register of
 * hardware-reduced ACPI (power off), its reset register, and the i8042
 * keyboard controller, whose pulse on the reset line is what every PC kernel
 * knows. The i8042 is otherwise absent: its status says nothing is there.
 *
 * A reset by a panicking Linux looks like any other, but for one trace. Told
 * "reboot=panic_warm", the kernel leaves the PC's warm-boot flag at 0x472
 * when a panic reboots it, and zero when a user does. So we look.
 *
 * Sources: ACPI 6.4, 4.8.3.7 (sleep control and status registers), 4.8.3.6
 * (reset register); Documentation/admin-guide/kernel-parameters.txt,
 * "reboot="; IBM PC/AT technical reference, BIOS data area.
 */
#include <endian.h>
#include <string.h>

#include "ending.h"
#include "layout.h"
#include "power.h"

#define SLEEP_ENABLE      0x20
#define SLEEP_TYPE(value) ((value) >> 2 & 7)
#define SLEEP_TYPE_S5     5 /* as \_S5 in guest-boot/dsdt.asl says */

#define RESET_VALUE 0x01 /* as the FADT says */

#define I8042_COMMAND     4 /* offset of port 0x64 */
#define I8042_PULSE_RESET 0xfe

#define WARM_BOOT_FLAG_GPA 0x472
#define WARM_BOOT_FLAG     0x1234

static bool left_by_panic(const struct vm *vm)
{
	const uint8_t *flag = memory_at(vm->memory, WARM_BOOT_FLAG_GPA, 2);

	return vm->panics_are_warm && (flag[0] | flag[1] << 8) == WARM_BOOT_FLAG;
}

static void reset(const struct vm *vm)
{
	if (left_by_panic(vm))
		ending_report(ENDING_CRASH, "the guest crashed: it reset itself after a panic");
	else
		ending_report(ENDING_RESET, "the guest reset itself");
}

static void read_nothing(void *context, uint64_t offset, void *data, unsigned len)
{
	(void)context;
	(void)offset;
	memset(data, 0, len);
}

static void power_write(void *context, uint64_t offset, const void *data, unsigned len)
{
	uint8_t value = *(const uint8_t *)data;

	(void)len;
	switch (LAYOUT_SLEEP_CONTROL + offset) {
	case LAYOUT_SLEEP_CONTROL:
		if ((value & SLEEP_ENABLE) && SLEEP_TYPE(value) == SLEEP_TYPE_S5)
			ending_report(ENDING_POWEROFF, "the guest powered off");
		break;
	case LAYOUT_RESET:
		if (value == RESET_VALUE)
			reset(context);
		break;
	}
}

static void i8042_write(void *context, uint64_t offset, const void *data, unsigned len)
{
	(void)len;
	if (offset == I8042_COMMAND && *(const uint8_t *)data == I8042_PULSE_RESET)
		reset(context);
}

static const struct bus_ops power_ops = { .read = read_nothing, .write = power_write };
static const struct bus_ops i8042_ops = { .read = read_nothing, .write = i8042_write };

void power_init(struct vm *vm)
{
	bus_add(&vm->arch.ports, LAYOUT_SLEEP_CONTROL, LAYOUT_POWER_SIZE, &power_ops, vm);
	bus_add(&vm->arch.ports, LAYOUT_I8042, I8042_COMMAND + 1, &i8042_ops, vm);
}
