/*
 * wire.c: the network device on wires that are worse than a quiet tap. wire.t
 * boots it on passt's socket, with tools/stream.c at its other end, or passt
 * itself; trouble.t on interfaces that get full, go down and are deleted, with
 * tools/frames.c behind them. do= says what to try.
 */
#include "lib/virtio.h"

enum {
	F_CSUM = 0,
	F_GUEST_CSUM = 1,
	F_MTU = 3,
	F_MAC = 5,
	F_GUEST_TSO4 = 7,
	F_HOST_TSO4 = 11,
	F_MRG_RXBUF = 15,
	F_STATUS = 16,
};
enum { HEADER = 12, LONGEST = 65534, BUFFER = 4096, BUFFERS = 64 };

static struct virtio v;
static struct queue rx, tx;
static uint8_t mac[6], *rx_data, *frame, *received;
static unsigned received_length;
static bool header_is_plain;

static void offer_buffers(unsigned n)
{
	while (n--) {
		uint8_t *p = rx_data + rx.free * BUFFER;

		if (queue_add(&rx, &(struct buffer){ p, BUFFER }, 0, 1) < 0)
			break;
	}
	queue_kick(&rx);
}

static uint8_t *buffer_of(int head)
{
	return (uint8_t *)rx.desc[head].address;
}

static void open(void)
{
	virtio_negotiate(&v, ~0ull);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = config8(&v, i);
	v.transport->route(&v, 2);
	queue_open(&rx, &v, 0, BUFFERS);
	queue_open(&tx, &v, 1, 0);
	virtio_driver_ok(&v);
	offer_buffers(BUFFERS);
}

/* One frame, in one piece whatever it came in. */
static bool receive_any(void)
{
	uint32_t length;
	int head = queue_wait(&rx, &length);
	unsigned buffers;

	if (head < 0)
		return false;
	header_is_plain = true;
	for (unsigned i = 0; i < 10; i++)
		header_is_plain &= buffer_of(head)[i] == 0;
	buffers = buffer_of(head)[10] | buffer_of(head)[11] << 8;
	received_length = length - HEADER;
	memcpy(received, buffer_of(head) + HEADER, received_length);
	for (unsigned i = 1; i < buffers; i++) {
		head = queue_wait(&rx, &length);
		if (head < 0)
			return false;
		memcpy(received + received_length, buffer_of(head), length);
		received_length += length;
	}
	offer_buffers(buffers);
	return true;
}

/* The host has frames of its own to send, at times. */
static bool receive(void)
{
	do
		if (!receive_any())
			return false;
	while (received[12] != 0x88 || received[13] != 0xb5);
	return true;
}

static void make_frame(char request, unsigned length, uint16_t a, uint16_t b)
{
	memcpy(frame, "\2\0\0\0\0\1", 6); /* nobody's: a bridge need not copy it */
	memcpy(frame + 6, mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	frame[14] = request;
	memcpy(frame + 15, &a, 2);
	memcpy(frame + 17, &b, 2);
	for (unsigned i = 19; i < length; i++)
		frame[i] = i * 3 + length;
}

static int add(unsigned length)
{
	static const uint8_t plain[HEADER];

	return queue_add(&tx, (struct buffer[]){ { (void *)plain, HEADER }, { frame, length } }, 2,
			 0);
}

static bool ask(char request, unsigned length, uint16_t a, uint16_t b)
{
	make_frame(request, length, a, b);
	add(length);
	queue_kick(&tx);
	return queue_wait(&tx, NULL) >= 0;
}

static bool echo(char request, unsigned length)
{
	if (!ask(request, length, 0, 0) || !receive()) {
		note("no frame came back");
		return false;
	}
	return received_length == length && header_is_plain &&
	       !memcmp(received + 12, frame + 12, length - 12);
}

static void check_offer(void)
{
	uint64_t none = FEATURE(F_CSUM) | FEATURE(F_GUEST_CSUM) | FEATURE(F_GUEST_TSO4) |
			FEATURE(F_HOST_TSO4);
	uint64_t want = FEATURE(F_MTU) | FEATURE(F_MAC) | FEATURE(F_MRG_RXBUF) | FEATURE(F_STATUS);

	is(virtio_offered(&v) & none, 0, "nothing may be left unfinished");
	is(virtio_offered(&v) & want, want, "but there are merged buffers, a status, an MTU");
	virtio_negotiate(&v, want);
	is(config16(&v, 6) & 1, 1, "the link is up");
	is(config16(&v, 10), 65520, "MTU");
}

static bool receive_flood(unsigned count, unsigned length)
{
	for (unsigned i = 0; i < count; i++)
		if (!receive() || received_length != length || received[14] != 'f' ||
		    (received[15] | received[16] << 8) != (int)i ||
		    received[length - 1] != (uint8_t)(i + length - 1)) {
			note("frame %u of the flood: %u bytes", i, received_length);
			return false;
		}
	return true;
}

static void check_frames(void)
{
	static const unsigned lengths[] = { 19,   60,   61,    1514,  4083,
					    4084, 4085, 16384, 65533, LONGEST };
	unsigned good = 0;

	for (unsigned i = 0; i < array_length(lengths); i++)
		good += echo('E', lengths[i]);
	is(good, array_length(lengths), "frames of %u sizes there and back", good);
	ok(echo('D', 1514), "one comes in drips of a byte");
	ok(ask('F', 60, 1000, 1000) && receive_flood(1000, 1000),
	   "a thousand, cut anywhere, all in order");
	ok(ask('F', 60, 50, 65000) && receive_flood(50, 65000), "fifty long ones as well");
}

/* The other end stops reading: our ring fills behind it, and nothing is lost. */
static void check_full(void)
{
	unsigned sent = 0, done = 0;

	ok(ask('S', 60, 0, 0), "the other end reads no more");
	make_frame('P', LONGEST, 0, 0);
	while (add(LONGEST) >= 0)
		sent++;
	queue_kick(&tx);
	while (poll_until(queue_take(&tx, NULL) >= 0) && ++done < 1)
		;
	ok(done > 0 && sent > done, "it takes some of %u frames", sent);
	print("waiting\n");
	while (done < sent && queue_wait(&tx, NULL) >= 0)
		done++;
	is(done, sent, "and the rest when it reads again");
	ok(ask('N', 60, 0, 0) && receive(), "it is asked for its count");
	is(received[15] | received[16] << 8, sent, "and has them all");
	is(received[17] | received[18] << 8, 0, "none of them damaged");
}

/* Reset in the middle of a frame: its end still follows, from the old life. */
static void check_reset(void)
{
	unsigned sent = 0;

	ok(ask('S', 60, 0, 0), "the other end reads no more, again");
	make_frame('P', LONGEST, 0, 0);
	while (add(LONGEST) >= 0)
		sent++;
	queue_kick(&tx);
	ok(queue_wait(&tx, NULL) >= 0, "some frames are taken");
	ok(virtio_reset(&v), "a reset is answered");
	memset(frame, 0, LONGEST);
	open();
	print("waiting\n");
	ok(echo('E', 700), "a frame of the new life there and back");
	ok(ask('N', 60, 0, 0) && receive(), "the count");
	is(received[17] | received[18] << 8, 0, "no frame of the old life was damaged");
}

static void check_lost(void)
{
	ok(poll_until(!(config16(&v, 6) & 1)), "the link goes down");
	is(virtio_status(&v) & STATUS_NEEDS_RESET, 0, "the device does not");
	ok(ask('E', 60, 0, 0), "what is sent now is lost, but taken");
	open();
	is(config16(&v, 6) & 1, 0, "down it stays over a reset");
	ok(ask('E', 60, 0, 0), "and again something is sent");
}

/* Have the host do something; it answers on the serial port when that is done. */
static bool host(const char *what)
{
	bool done = false;

	print("do %s\n", what);
	for (unsigned i = 0; i < 6 && !done; i++)
		done = poll_until(inb(COM1 + 5) & 1);
	return ok(done && inb(COM1) == '\n', "host: %s", what);
}

/* As many frames as the ring has room for; returns how many those are. */
static unsigned send_ring(void)
{
	unsigned sent = 0;

	make_frame('P', 1400, 0, 0);
	while (add(1400) >= 0)
		sent++;
	queue_kick(&tx);
	return sent;
}

static bool finish(unsigned sent)
{
	while (sent && queue_wait(&tx, NULL) >= 0)
		sent--;
	return sent == 0;
}

/* A ring of frames into a wire that has no room for all (unless its send buffer is
 * endless, as a tap's is by itself); returns how many still wait. */
static unsigned overfill(const char *how)
{
	unsigned sent, done = 1;

	host(how);
	sent = send_ring();
	if (option("endless")) {
		ok(finish(sent), "of %u frames it takes all", sent);
		return 0;
	}
	ok(finish(1), "of %u frames it takes the first", sent);
	/* That takes longer than all would need, if there were room or they were dropped. */
	host("look");
	while (queue_take(&tx, NULL) >= 0)
		done++;
	ok(done < sent, "%u at once", done);
	return sent - done;
}

/* Nothing is lost while it is full; the ring is left alone. */
static void check_slow(void)
{
	unsigned waiting;

	host("settle");
	ok(echo('E', 60), "a frame there and back");
	waiting = overfill("slow");
	host("fast");
	ok(finish(waiting), "the others when there is room");
	ok(echo('E', 60), "and a frame goes there and back again");
	ok(ask('Q', 60, 0, 0), "the other end is asked for its count");
	host("count");
}

static void check_down(void)
{
	ok(echo('E', 60), "a frame there and back");
	host("down");
	ok(finish(send_ring()), "down: what is sent is lost, but taken");
	is(virtio_status(&v) & STATUS_NEEDS_RESET, 0, "down: the device is well");
	host("up");
	ok(echo('E', 60), "up again: a frame there and back");
}

/* Frames the wire has no room for and no patience with. */
static void check_lossy(void)
{
	host("lossy");
	ok(finish(send_ring()), "what is sent is lost, but taken");
	host("fast");
	ok(echo('E', 60), "a frame there and back");
}

/* Its end comes while frames wait for room in it. */
static void check_deleted(void)
{
	unsigned waiting;

	ok(echo('E', 60), "a frame there and back");
	waiting = overfill("stuck");
	host("delete");
	ok(poll_until(!(config16(&v, 6) & 1)), "the link goes down");
	ok(finish(waiting), "what waited comes back");
	is(virtio_status(&v) & STATUS_NEEDS_RESET, 0, "the device is well");
	ok(finish(send_ring()), "what is sent is lost, but taken");
	open();
	is(config16(&v, 6) & 1, 0, "after a reset the link is still down");
	ok(finish(send_ring()), "and what is sent is lost");
}

/* The real passt: it answers for the gateway, 10.0.0.1. */
static void check_passt(void)
{
	static const uint8_t arp[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	static const uint8_t guest[] = { 10, 0, 0, 2 }, gateway[] = { 10, 0, 0, 1 };

	make_frame(0, 60, 0, 0);
	memset(frame, 0xff, 6);
	memset(frame + 12, 0, 48);
	memcpy(frame + 12, arp, sizeof(arp));
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 28, guest, 4);
	memcpy(frame + 38, gateway, 4);
	add(60);
	queue_kick(&tx);
	ok(queue_wait(&tx, NULL) >= 0, "who has the gateway's address?");
	do
		if (!ok(receive_any(), "a frame"))
			return;
	while (received[12] != 8 || received[13] != 6);
	ok(received[21] == 2 && !memcmp(received + 28, gateway, 4) &&
		   !memcmp(received + 38, guest, 4),
	   "passt answers");
}

int main(void)
{
	const char *what = option("do");

	rx_data = allocate(BUFFERS * BUFFER);
	received = allocate(2 * 65536);
	frame = allocate(65536);
	if (!ok(virtio_find(&v, VIRTIO_NET, 0), "a network device"))
		return 0;
	if (starts_with(what, "all"))
		check_offer();
	open();
	if (starts_with(what, "all")) {
		check_frames();
		check_full();
		check_reset();
		ask('Q', 60, 0, 0);
		check_lost();
	} else if (starts_with(what, "length")) {
		ask('L', 60, (uint16_t)option_number("a", 0), (uint16_t)option_number("b", 0));
		check_lost();
	} else if (starts_with(what, "trouble")) {
		check_slow();
		check_down();
		if (option("lossy"))
			check_lossy();
		check_deleted();
	} else {
		check_passt();
		if (starts_with(what, "lose")) {
			print("ready\n");
			check_lost();
		}
	}
	return 0;
}
