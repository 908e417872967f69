/*
 * machine.c: in place of launcher/vm.c and irq.c, and what else the targets
 * that load files need. See fuzz.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot.h"
#include "fuzz.h"

uint64_t input_take(struct input *input, unsigned bytes)
{
	uint64_t value = 0;
	size_t len = bytes < input->left ? bytes : input->left;

	memcpy(&value, input->at, len);
	input->at += len;
	input->left -= len;
	return value;
}

struct memory *fuzz_memory(uint64_t low, uint64_t high)
{
	static struct memory memory;

	if (!memory.low.host) {
		memory.low = (struct memory_region){ 0, low, malloc(low) };
		memory.high = (struct memory_region){ UINT64_C(1) << 32, high, malloc(high) };
	}
	memset(memory.low.host, 0, low);
	memset(memory.high.host, 0, high);
	return &memory;
}

struct boot_file fuzz_file(const uint8_t *data, size_t size)
{
	struct boot_file file = { .name = "fuzz", .fd = memfd_create("fuzz", MFD_CLOEXEC) };

	if (file.fd < 0 || write(file.fd, data, size) != (ssize_t)size)
		abort();
	file.size = size;
	return file;
}

/* --- Doorbells that are never caught, interrupts that never arrive --- */

int vm_attach_doorbell(struct vm *vm, uint64_t gpa, unsigned len, int64_t match, int eventfd)
{
	(void)vm, (void)gpa, (void)len, (void)match, (void)eventfd;
	return 0;
}

int vm_detach_doorbell(struct vm *vm, uint64_t gpa, unsigned len, int64_t match, int eventfd)
{
	(void)vm, (void)gpa, (void)len, (void)match, (void)eventfd;
	return 0;
}

static int irq_init(struct irq *irq, struct vm *vm, uint32_t gsi, bool attached)
{
	*irq = (struct irq){ .vm = vm, .gsi = gsi, .attached = attached };
	irq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return irq->fd < 0 ? -errno : 0;
}

int irq_init_line(struct irq *irq, struct vm *vm, uint32_t gsi)
{
	return irq_init(irq, vm, gsi, true);
}

int irq_init_msi(struct irq *irq, struct vm *vm)
{
	return irq_init(irq, vm, vm->next_msi_gsi++, false);
}

int irq_set_message(struct irq *irq, uint32_t requester, uint64_t address, uint32_t data)
{
	(void)irq, (void)requester, (void)address, (void)data;
	return 0;
}

int irq_attach(struct irq *irq)
{
	irq->attached = true;
	return 0;
}

int irq_detach(struct irq *irq)
{
	irq->attached = false;
	return 0;
}

bool irq_is_pending(const struct irq *irq)
{
	uint64_t count;

	if (irq->attached || read(irq->fd, &count, sizeof(count)) != sizeof(count))
		return false;
	irq_raise(irq);
	return true;
}

void irq_raise(const struct irq *irq)
{
	uint64_t one = 1;

	if (write(irq->fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		abort();
}

void irq_destroy(struct irq *irq)
{
	close(irq->fd);
}
