/*
 * console.c: virtio-console, port 0.
 *
 * Two queues: what the guest prints goes to a stream, which never makes us
 * wait; what the stream reads is put into the buffers the guest left, and is
 * not read while there are none. If the terminal is wired to the UART
 * instead, the device is still here for the guest: its output vanishes.
 *
 * Source: virtio 1.2, 5.3.
 */
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "device.h"
#include "terminal.h"

enum { QUEUE_RECEIVE, QUEUE_TRANSMIT, QUEUES };

#define ROUND_MAX 64 /* chains before the loop gets its turn */

#define PCI_CLASS_COMMUNICATION_OTHER 0x078000

struct console {
	struct virtio_device device;
	struct stream *terminal; /* NULL: wired to nothing */
	struct loop_op again;
	struct iovec iov[VIRTQUEUE_CHAIN_MAX];
};

static struct console *of(struct virtio_device *device)
{
	return loop_op_owner(device, struct console, device);
}

/* The stream offers input: into the guest's buffers, as much as they hold. */
static size_t take_input(void *context, const uint8_t *bytes, size_t len)
{
	struct console *console = context;
	struct virtio_queue *queue = &console->device.queues[QUEUE_RECEIVE];
	struct chain chain = { .iov = console->iov };
	unsigned round = 0;
	size_t taken = 0;

	if (!queue->running)
		return 0;
	virtio_ignore_kicks(queue);
	do {
		while (taken < len && round < ROUND_MAX && virtio_next(queue, &chain)) {
			size_t put = iov_write(chain.iov + chain.readable, chain.writable,
					       bytes + taken, len - taken);

			virtio_done(queue, chain.head, (uint32_t)put, put);
			taken += put;
			round++;
		}
		/* Buffers may have no room at all, and never end: others get their turn. */
		if (taken < len && round == ROUND_MAX) {
			stream_resume(console->terminal);
			return taken;
		}
		/* Out of buffers: the kick that brings some calls stream_resume(). */
	} while (taken < len && virtio_want_kicks(queue));
	return taken;
}

static void transmit(struct console *console)
{
	struct virtio_queue *queue = &console->device.queues[QUEUE_TRANSMIT];
	struct chain chain = { .iov = console->iov };
	unsigned round = 0;

	if (console->again.busy || !queue->running)
		return;
	virtio_ignore_kicks(queue);
	do {
		while (round < ROUND_MAX && virtio_next(queue, &chain)) {
			for (unsigned i = 0; console->terminal && i < chain.readable; i++)
				stream_write(console->terminal, chain.iov[i].iov_base,
					     chain.iov[i].iov_len);
			virtio_done(queue, chain.head, 0, chain.readable_len);
			round++;
		}
		if (round == ROUND_MAX) {
			loop_again(virtio_loop(queue), &console->again);
			return;
		}
	} while (virtio_want_kicks(queue));
}

static void transmit_again(struct loop_op *op, int result)
{
	(void)result;
	transmit(loop_op_owner(op, struct console, again));
}

static void kick(struct virtio_device *device, unsigned index)
{
	struct console *console = of(device);

	if (index == QUEUE_TRANSMIT)
		transmit(console);
	else if (console->terminal)
		stream_resume(console->terminal); /* buffers for input: is there any? */
}

/* Linux asks for the size only when told that it changed: so tell it. */
static void start(struct virtio_device *device)
{
	virtio_config_changed(device);
}

static void queue_stop(struct virtio_device *device, unsigned index)
{
	device->queues[index].running = false; /* so that `again` ends */
	/* Only for its own queue: the other still runs, and with it `again`, for as
	 * long as the guest likes. */
	if (index == QUEUE_TRANSMIT)
		loop_await(virtio_loop(&device->queues[index]), &of(device)->again);
}

static void release(struct virtio_device *device)
{
	if (of(device)->terminal)
		stream_stop(of(device)->terminal);
}

static const struct virtio_class console_class = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.pci_class = PCI_CLASS_COMMUNICATION_OTHER,
	.config_size = sizeof(struct virtio_console_config),
	.start = start,
	.kick = kick,
	.queue_stop = queue_stop,
	.release = release,
};

static void set_size(struct virtio_device *device)
{
	uint16_t columns, rows, size[2];

	terminal_size(&columns, &rows);
	size[0] = htole16(columns);
	size[1] = htole16(rows);
	virtio_config_set(device, offsetof(struct virtio_console_config, cols), size, sizeof(size));
}

static void resize_call(void *arg)
{
	set_size(arg);
	virtio_config_changed(arg);
}

void console_resize(struct virtio_device *device)
{
	loop_call(&device->threads[0].loop, resize_call, device);
}

static void start_stream_call(void *arg)
{
	struct console *console = arg;

	stream_start(console->terminal, &console->device.threads[0].loop, take_input, console);
}

static struct virtio_device *create(unsigned index, const void *options,
				    const struct memory *memory, struct stream *terminal)
{
	uint32_t ports = htole32(1);
	struct virtio_setup setup = {
		.index = index,
		.memory = memory,
		.features = BIT(VIRTIO_CONSOLE_F_SIZE),
		.queues = QUEUES,
		.threads = 1,
	};
	struct console *console = device_allocate("console", sizeof(*console));

	(void)options;
	if (!console)
		return NULL;
	console->terminal = terminal;
	console->again.done = transmit_again;
	if (virtio_init(&console->device, &console_class, &setup) < 0) {
		free(console);
		return NULL;
	}
	set_size(&console->device);
	virtio_config_set(&console->device, offsetof(struct virtio_console_config, max_nr_ports),
			  &ports, sizeof(ports));
	if (terminal)
		loop_call(&console->device.threads[0].loop, start_stream_call, console);
	return &console->device;
}

/* The size of a terminal that has changed. */
static const struct sandbox_rule needs[] = {
	SANDBOX_IOCTL(TIOCGWINSZ),
	SANDBOX_END,
};

const struct device_type console_device = {
	.name = "console",
	.by_default = true,
	.create = create,
	.needs = needs,
};
