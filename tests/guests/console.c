/*
 * console.c: the virtio console. Its checks leave through the device itself,
 * so booted with --console virtio they are what is on standard output; with
 * echo=BYTES it takes input, with pattern=BYTES it writes much output, with
 * size it waits for the terminal to be resized. See console.t and tty.t.
 */
#include "lib/virtio.h"

enum { F_SIZE = 0, F_MULTIPORT = 1, RX = 0, TX = 1, CHUNK = 4096 };

static struct virtio v;
static struct queue rx, tx;

/* A line at a time: one buffer, sent and waited for. */
static void put_line(char c)
{
	static char line[512];
	static unsigned n;

	line[n++] = c;
	if (c != '\n' && n < sizeof(line))
		return;
	queue_add(&tx, &(struct buffer){ line, n }, 1, 0);
	queue_kick(&tx);
	queue_wait(&tx, NULL);
	n = 0;
}

/* Taken by interrupt into buffers of a size that fits nothing evenly. */
static void check_input(uint32_t bytes)
{
	uint8_t *data = allocate(bytes + CHUNK), *buffers = allocate(64 * 100);
	uint32_t n = 0, length = 0, most = 0;

	print("ready\n");
	for (unsigned i = 0; i < 16; i++)
		queue_add(&rx, &(struct buffer){ buffers + rx.free * 100, 100 }, 0, 1);
	queue_kick(&rx);
	while (n < bytes) {
		int head = queue_wait_irq(&rx, &length);

		if (length > 100 || n + length > bytes)
			break;
		memcpy(data + n, buffers + head * 100, length);
		n += length;
		most = length > most ? length : most;
		queue_add(&rx, &(struct buffer){ buffers + rx.free * 100, 100 }, 0, 1);
		queue_kick(&rx);
	}
	is(n, bytes, "all of the input arrived");
	is(cksum(data, n), option_number("cksum", 0), "in order and unharmed");
	ok(most <= 100, "no buffer overfilled");
}

/* Many chains of many sizes at once, some in pieces. */
static void send_pattern(uint32_t bytes)
{
	uint8_t *data = allocate(bytes);

	for (uint32_t i = 0; i < bytes; i++)
		data[i] = i % 251 ^ i / 256;
	print("pattern\n");
	for (uint32_t at = 0, size = 1; at < bytes; size = size * 3 % 1021 + 1) {
		uint32_t n = bytes - at < size ? bytes - at : size;
		struct buffer b[] = { { data + at, n / 2 }, { data + at + n / 2, n - n / 2 } };

		if ((n > 1 ? queue_add(&tx, b, 2, 0) : queue_add(&tx, b + 1, 1, 0)) < 0) {
			queue_kick(&tx);
			queue_wait(&tx, NULL);
			continue;
		}
		at += n;
	}
	queue_kick(&tx);
	while (tx.free_count < tx.num && queue_wait(&tx, NULL) >= 0)
		;
	print("\n");
	is(tx.free_count, tx.num, "every chain came back");
}

/*
 * The size now; "ready"; the size after each configuration interrupt, until both of
 * its numbers have changed: stty(1) sets one after the other, with a signal each.
 */
static void check_size(void)
{
	unsigned vector = v.vectors[MAX_QUEUES];
	uint16_t columns = config16(&v, 0), rows = config16(&v, 2), now[2];
	uint32_t seen = irqs(vector);

	ok(v.features & FEATURE(F_SIZE), "offers SIZE");
	note("size %u x %u", columns, rows);
	print("ready\n");
	do {
		irq_wait(vector, seen);
		seen = irqs(vector);
		v.transport->acknowledge(&v);
		/* Read once: what ends this is what was told. */
		now[0] = config16(&v, 0);
		now[1] = config16(&v, 2);
		note("size %u x %u", now[0], now[1]);
	} while (now[0] == columns || now[1] == rows);
	ok(true, "a configuration interrupt came");
}

int main(void)
{
	bool found = virtio_find(&v, VIRTIO_CONSOLE, 0) &&
		     virtio_negotiate(&v, FEATURE(F_SIZE) | F_EVENT_IDX);

	if (!found) {
		ok(false, "a console device");
		return 0;
	}
	v.transport->route(&v, 2);
	queue_open(&rx, &v, RX, 64);
	queue_open(&tx, &v, TX, 64);
	virtio_driver_ok(&v);
	if (!option("serial"))
		print_through = put_line;
	ok(true, "a console device, speaking");
	if (option("echo"))
		check_input(option_number("echo", 0));
	if (option("pattern"))
		send_pattern(option_number("pattern", 0));
	if (option("size"))
		check_size();
	return 0;
}
