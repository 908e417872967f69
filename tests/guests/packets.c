/*
 * packets.c: small frames as fast as they go, for tests/bench/network-native.
 * It does one thing, counts what that took, and ends; tests/bench/tap-peer.c is
 * at the other end of the tap. It boots under QEMU as well (PVH), so the same
 * driver measures both.
 *
 *   do=transmit        count= frames, published 32 at a time, ring polled
 *   do=receive         count= frames, ring polled
 *   do=receive-irq     count= frames; halted whenever there is none
 *   do=echo, echo-irq  each frame received is sent back, count= times
 *
 * It says "ready", waits for a byte on the serial port and only then offers
 * buffers, so that the tap can be filled before: what is measured is never the
 * speed of whoever fills it. At the end one line of words and numbers:
 *
 *   @packets COUNT cycles N kicks N interrupts N halts N
 *
 * cycles are the TSC's, from the go to the last frame done with.
 */
#include "lib/virtio.h"

enum { F_MAC = 5, F_MRG_RXBUF = 15 };
enum { HEADER = 12, FRAME = 60, BUFFER = 2048, BATCH = 32, RING = 256 };

static struct virtio v;
static struct queue rx, tx;
static uint8_t *rx_data, *tx_data;
static unsigned rx_slot[RING];
static unsigned count, halts;

static void go(void)
{
	print("ready\n");
	while (!(inb(COM1 + 5) & 1))
		;
	inb(COM1);
}

/* A frame nobody on the host is waiting for, but for tap-peer. */
static void make_frames(void)
{
	uint8_t *frame = tx_data + HEADER;

	for (unsigned i = 0; i < RING; i++, frame += 128) {
		memcpy(frame, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
	}
}

static bool send_one(void)
{
	return queue_add(&tx, &(struct buffer){ tx_data + 128 * tx.free, HEADER + FRAME }, 1, 0) >=
	       0;
}

static void reclaim(void)
{
	while (queue_take(&tx, NULL) >= 0)
		;
}

/* Offer a buffer again; which of them belongs to a head never matters elsewhere. */
static void offer(unsigned slot)
{
	int head = queue_add(&rx, &(struct buffer){ rx_data + BUFFER * slot, BUFFER }, 0, 1);

	rx_slot[head] = slot;
}

static void offer_all(void)
{
	for (unsigned i = 0; i < rx.num; i++)
		offer(i);
	queue_kick(&rx);
}

static void transmit(void)
{
	for (unsigned sent = 0; sent < count;) {
		unsigned n = count - sent < BATCH ? count - sent : BATCH;

		while (tx.free_count < n)
			reclaim();
		for (unsigned i = 0; i < n; i++)
			send_one();
		queue_kick(&tx);
		sent += n;
	}
	while (tx.free_count < tx.num)
		reclaim();
}

/* Everything that is there, at most one NAPI poll of it; the buffers go back. */
static unsigned receive(void)
{
	unsigned n = 0;
	int head;

	while (n < 64 && (head = queue_take(&rx, NULL)) >= 0) {
		offer(rx_slot[head]);
		n++;
	}
	if (n)
		queue_kick(&rx);
	return n;
}

/* Halt until there is something: ask for the interrupt, look, only then halt. */
static void wait_for_frame(void)
{
	uint32_t seen = irqs(rx.vector);

	queue_irq_at(&rx, rx.next_used);
	if (used_index(&rx) != rx.next_used)
		return;
	halts++;
	irq_wait(rx.vector, seen);
	if (!v.pci)
		v.transport->acknowledge(&v);
}

static void receive_all(bool halting)
{
	offer_all();
	for (unsigned got = 0, n; got < count; got += n) {
		n = receive();
		if (!n && halting)
			wait_for_frame();
	}
}

static void echo_all(bool halting)
{
	offer_all();
	for (unsigned echoed = 0, n; echoed < count; echoed += n) {
		n = receive();
		if (!n && halting)
			wait_for_frame();
		for (unsigned i = 0; i < n; i++) {
			while (!send_one())
				reclaim();
			queue_kick(&tx);
		}
		reclaim();
	}
}

static void open(void)
{
	uint64_t features = F_EVENT_IDX | FEATURE(F_MAC) | FEATURE(F_MRG_RXBUF);

	if (option("no-event-idx"))
		features &= ~F_EVENT_IDX;
	if (option("no-mrg-rxbuf"))
		features &= ~FEATURE(F_MRG_RXBUF);
	virtio_negotiate(&v, features);
	v.transport->route(&v, 2);
	queue_open(&rx, &v, 0, RING);
	queue_open(&tx, &v, 1, RING);
	virtio_driver_ok(&v);
	queue_irq_off(&tx);
	queue_irq_off(&rx);
}

int main(void)
{
	const char *what = option("do");
	uint64_t start;

	count = option_number("count", 1000);
	rx_data = allocate(RING * BUFFER);
	tx_data = allocate(RING * 128);
	make_frames();
	if (!what || !virtio_find(&v, VIRTIO_NET, 0)) {
		print("packets: do=WHAT, and a network card\n");
		return 0;
	}
	open();
	go();
	start = rdtsc();
	if (starts_with(what, "transmit"))
		transmit();
	else if (starts_with(what, "receive"))
		receive_all(starts_with(what, "receive-irq"));
	else
		echo_all(starts_with(what, "echo-irq"));
	print("@packets %u cycles %lu kicks %u interrupts %u halts %u\n", count, rdtsc() - start,
	      rx.kicks + tx.kicks, irqs(rx.vector) + (v.pci ? irqs(tx.vector) : 0), halts);
	return 0;
}
