/*
 * orders.c: a guest that does with its disk what it is told, a line at a time
 * on the serial port, and answers each with one; tests/faults/ breaks the host
 * meanwhile. It says "ready" when it listens.
 *
 *     r SECTOR COUNT    read that many sectors       "r SECTOR COUNT: ok CKSUM"
 *     w SECTOR COUNT    write them                   "w SECTOR COUNT: ok"
 *     f                 flush                        "f: ok"
 *     t MIB             touch that much memory       "t MIB: ok"
 *     q                 power off
 *
 * or "error" in place of "ok", or "silence" if no answer comes.
 */
#include "lib/block.h"

#define LONGEST (1u << 20) /* bytes */

static struct virtio v;
static struct queue q;
static uint8_t *data;

static char next_char(void)
{
	while (!(inb(COM1 + 5) & 1))
		asm volatile("pause");
	return (char)inb(COM1);
}

static unsigned read_line(char *line, unsigned size)
{
	unsigned n = 0;
	char c;

	while ((c = next_char()) != '\n')
		if (n + 1 < size)
			line[n++] = c;
	line[n] = '\0';
	return n;
}

/* The number after the next space, and past it. */
static uint64_t next_number(const char **at)
{
	uint64_t n = 0;

	while (**at && (**at < '0' || **at > '9'))
		(*at)++;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		n = 10 * n + (uint64_t)(**at - '0');
	return n;
}

/* A byte of each page, from 16 MiB on, beyond our own. */
static void touch(const char *line, uint64_t mebibytes)
{
	for (uint64_t i = 0; i < mebibytes << 20; i += 4096)
		*(volatile uint8_t *)(uintptr_t)((16 << 20) + i) = 1;
	print("%s: ok\n", line);
}

static void obey(const char *line)
{
	const char *at = line;
	uint64_t sector = next_number(&at);
	uint32_t length = (uint32_t)next_number(&at) * 512;
	unsigned type = line[0] == 'r' ? BLOCK_IN : line[0] == 'w' ? BLOCK_OUT : BLOCK_FLUSH;
	uint8_t status;

	if (line[0] == 't') {
		touch(line, sector);
		return;
	}
	if (length > LONGEST)
		length = LONGEST;
	for (uint32_t i = 0; type == BLOCK_OUT && i < length; i++)
		data[i] = (uint8_t)(sector + i / 512 + i % 7);
	status = block_do(&q, type, sector, data, length, NULL);
	if (status == BLOCK_OK && type == BLOCK_IN)
		print("%s: ok %u\n", line, cksum(data, length));
	else
		print("%s: %s\n", line,
		      status == BLOCK_OK          ? "ok"
		      : status == BLOCK_NO_ANSWER ? "silence"
						  : "error");
}

int main(void)
{
	char line[64];

	if (!virtio_find(&v, 2, 0))
		return 1;
	virtio_negotiate(&v, FEATURE(F_FLUSH));
	queue_open(&q, &v, 0, 0);
	virtio_driver_ok(&v);
	data = allocate(LONGEST);
	print("ready\n");
	while (read_line(line, sizeof(line)) == 0 || line[0] != 'q')
		if (line[0])
			obey(line);
	return 0;
}
