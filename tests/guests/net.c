/*
 * net.c: the network device against tools/frames.c at the other end of the
 * tap: frames out, in, lost never, in pieces, checksummed and segmented by the
 * other side. net.t boots it with mac=... as it told lodge.
 */
#include "lib/virtio.h"

enum {
	F_CSUM = 0,
	F_GUEST_CSUM = 1,
	F_MTU = 3,
	F_MAC = 5,
	F_GUEST_TSO4 = 7,
	F_GUEST_TSO6 = 8,
	F_GUEST_ECN = 9,
	F_HOST_TSO4 = 11,
	F_HOST_TSO6 = 12,
	F_HOST_ECN = 13,
	F_MRG_RXBUF = 15,
	F_STATUS = 16,
};
enum { HEADER = 12, HEADERS_TCP = 54, ROOM = 65536 + 64 };
struct net_header {
	uint8_t flags, gso_type;
	uint16_t header_length, gso_size, csum_start, csum_offset, buffers;
};

static struct virtio v;
static struct queue rx, tx;
static uint8_t mac[6], *rx_data, *frame;
static uint8_t *rx_buffer[256]; /* by head */
static unsigned rx_size;

/* The last frame received, in one piece whatever it came in. */
static struct net_header header;
static uint8_t *received;
static unsigned received_length;

static void offer_buffers(unsigned n)
{
	while (n--) {
		uint8_t *p = rx_data + rx.free * (unsigned long)rx_size;
		int head = queue_add(&rx, &(struct buffer){ p, rx_size }, 0, 1);

		if (head < 0)
			break;
		rx_buffer[head] = p;
	}
	queue_kick(&rx);
}

static void open(uint64_t features, unsigned buffer_size, unsigned buffers)
{
	virtio_negotiate(&v, features);
	v.transport->route(&v, 2);
	queue_open(&rx, &v, 0, 0);
	queue_open(&tx, &v, 1, 0);
	rx_size = buffer_size;
	virtio_driver_ok(&v);
	offer_buffers(buffers);
}

/* Frames that are not ours (the host's own multicasts) do not count. */
static bool ours(void)
{
	unsigned type = received[12] << 8 | received[13];

	return type == 0x88b5 || (type == 0x0800 && !memcmp(received + 26, "\12\0\0\1", 4));
}

static bool receive_any(bool halt)
{
	uint32_t length;
	int head = halt ? queue_wait_irq(&rx, &length) : queue_wait(&rx, &length);
	unsigned buffers;

	if (head < 0)
		return false;
	memcpy(&header, rx_buffer[head], sizeof(header));
	received_length = length - HEADER;
	memcpy(received, rx_buffer[head] + HEADER, received_length);
	buffers = v.features & FEATURE(F_MRG_RXBUF) ? header.buffers : 1;
	for (unsigned i = 1; i < buffers; i++) {
		head = queue_wait(&rx, &length);
		if (head < 0)
			return false;
		memcpy(received + received_length, rx_buffer[head], length);
		received_length += length;
	}
	offer_buffers(buffers);
	return true;
}

static bool receive(bool halt)
{
	do
		if (!receive_any(halt))
			return false;
	while (!ours());
	return true;
}

/* A frame for tools/frames.c of this length in `frame`; a and b its numbers. */
static void make_frame(char request, unsigned length, uint16_t a, uint16_t b)
{
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	frame[14] = request;
	memcpy(frame + 15, &a, 2);
	memcpy(frame + 17, &b, 2);
	for (unsigned i = 19; i < length; i++)
		frame[i] = i * 3 + length;
}

static bool transmit(const struct net_header *h, unsigned length)
{
	static const struct net_header plain;
	struct buffer b[] = { { (void *)(h ? h : &plain), HEADER }, { frame, length } };

	queue_add(&tx, b, 2, 0);
	queue_kick(&tx);
	return queue_wait(&tx, NULL) >= 0;
}

static bool ask(char request, uint16_t a, uint16_t b)
{
	make_frame(request, 60, a, b);
	return transmit(NULL, 60);
}

static bool echo(unsigned length, bool halt)
{
	make_frame('E', length, 0, 0);
	return transmit(NULL, length) && receive(halt) && received_length == length &&
	       !memcmp(received, mac, 6) && !memcmp(received + 12, frame + 12, length - 12);
}

static void check_config(void)
{
	uint64_t want = FEATURE(F_CSUM) | FEATURE(F_GUEST_CSUM) | FEATURE(F_MTU) | FEATURE(F_MAC) |
			FEATURE(F_GUEST_TSO4) | FEATURE(F_GUEST_TSO6) | FEATURE(F_GUEST_ECN) |
			FEATURE(F_HOST_TSO4) | FEATURE(F_HOST_TSO6) | FEATURE(F_HOST_ECN) |
			FEATURE(F_MRG_RXBUF) | FEATURE(F_STATUS);
	const char *s = option("mac");

	is(virtio_offered(&v) & want, want, "features: addresses, offloads, merged buffers");
	virtio_negotiate(&v, want);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = config8(&v, i);
	for (unsigned i = 0; s && i < 6; i++, s += 3)
		if ("0123456789abcdef"[mac[i] >> 4] != s[0] ||
		    "0123456789abcdef"[mac[i] & 15] != s[1])
			s = "different: no match is possible";
	ok(s, "config: the MAC address asked for");
	is(mac[0] & 1, 0, "config: no multicast address");
	is(config16(&v, 6) & 1, 1, "config: the link is up");
	is(config16(&v, 10), option_number("mtu", 1500), "config: MTU");
}

static void check_frames(const char *how)
{
	static const unsigned lengths[] = { 60, 61, 64, 127, 1000, 1513, 1514 };
	unsigned good = 0;

	ok(echo(60, true), "%s: a frame there and back, by interrupt", how);
	for (unsigned i = 0; i < array_length(lengths); i++)
		good += echo(lengths[i], false);
	is(good, array_length(lengths), "%s: frames of %u sizes", how, good);
}

/* Sequence numbers of a flood: none missing, none twice. */
static bool receive_flood(unsigned count, unsigned length)
{
	for (unsigned i = 0; i < count; i++)
		if (!receive(false) || received_length != length || received[14] != 'f' ||
		    (received[15] | received[16] << 8) != (int)i ||
		    received[length - 1] != (uint8_t)(i + length - 1)) {
			note("frame %u of the flood: %u bytes, number %u", i, received_length,
			     received[15] | received[16] << 8);
			return false;
		}
	return true;
}

static void check_floods(void)
{
	ok(ask('F', 400, 1000) && receive_flood(400, 1000), "a flood of 400 frames, all in order");

	/* No buffers when they come: they wait in the tap, not nowhere. */
	open(v.features, 2048, 1);
	echo(60, false);
	ok(ask('F', 300, 200), "a flood with one buffer offered");
	offer_buffers(100);
	ok(receive_flood(300, 200), "arrives when there are more");
}

static void check_transmit(void)
{
	static const struct net_header plain;
	struct buffer pieces[7] = { { (void *)&plain, 5 }, { (uint8_t *)&plain + 5, 7 } };
	unsigned sent = 0;

	make_frame('E', 900, 0, 0);
	for (unsigned i = 0, at = 0; i < 5; at += pieces[2 + i].length, i++)
		pieces[2 + i] = (struct buffer){ frame + at, i < 4 ? 100 + i : 900 - 406 };
	queue_add(&tx, pieces, 7, 0);
	queue_kick(&tx);
	ok(queue_wait(&tx, NULL) >= 0 && receive(false) && received_length == 900 &&
		   !memcmp(received + 12, frame + 12, 888),
	   "a frame in seven pieces");

	make_frame('P', 1200, 0, 0);
	while (queue_add(&tx, (struct buffer[]){ { (void *)&plain, HEADER }, { frame, 1200 } }, 2,
			 0) >= 0)
		sent++;
	queue_kick(&tx);
	for (unsigned i = 0; i < sent && queue_wait(&tx, NULL) >= 0; i++)
		;
	note("sent long %u", sent);
	is(tx.free_count, tx.num, "a whole ring of frames at once is sent");
}

/* One TCP segment of 20000 bytes, to be cut up by whoever must. */
static void check_transmit_segmentation(void)
{
	struct net_header h = { 1, 1, HEADERS_TCP, 1448, 34, 16, 0 };
	static const uint8_t ip[] = { 0x45,
				      0,
				      (20020 + 20) >> 8,
				      (20020 + 20) & 255,
				      0,
				      0,
				      0,
				      0,
				      64,
				      6,
				      0,
				      0,
				      10,
				      0,
				      0,
				      2,
				      10,
				      0,
				      0,
				      1 };
	uint32_t sum = 0;

	make_frame('-', HEADERS_TCP + 20000, 0, 0);
	frame[12] = 8;
	frame[13] = 0;
	memcpy(frame + 14, ip, 20);
	memset(frame + 34, 0, 20);
	frame[46] = 5 << 4;
	frame[47] = 0x10;
	for (unsigned i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = sum >> 8;
	frame[25] = sum;
	sum = 6 + 20020 + 10 * 256 + 2 + 10 * 256 + 1; /* the pseudo header */
	frame[50] = sum >> 8;
	frame[51] = sum;
	ok(transmit(&h, HEADERS_TCP + 20000), "a TCP segment of 20000 bytes is taken");
}

static bool tcp_data_right(unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if (received[HEADERS_TCP + i] != (uint8_t)(i * 7 + i / 256))
			return false;
	return received_length == HEADERS_TCP + length;
}

static void check_receive_segmentation(const char *how)
{
	ok(ask('G', 30000, 1448) && receive(false), "%s: a segmented packet arrives", how);
	ok(tcp_data_right(30000), "%s: in one piece, with its 30000 bytes", how);
	ok(header.gso_type == 1 && header.gso_size == 1448 && header.flags & 1,
	   "%s: saying how it would be cut", how);
	ok(ask('C', 0, 0) && receive(false) && received_length == 142, "%s: a UDP packet", how);
	ok(header.flags & 1 && header.csum_start == 34 && header.csum_offset == 6,
	   "%s: with its checksum left to us", how);
}

/* A driver that knows of no offload gets plain packets, checksums and all. */
static void check_plain(void)
{
	unsigned total = 0, packets = 0, longest = 0, offloaded = 0;
	uint32_t sum = 17 + 108;

	/* A raw socket cannot cut it up: it is lost, and lodge warns of that. */
	ok(ask('G', 30000, 1448), "plain: a segmented packet");
	if (starts_with(option("over"), "packet"))
		total = 30000;
	for (; total < 30000 && receive(false); packets++) {
		total += received_length - HEADERS_TCP;
		longest = received_length > longest ? received_length : longest;
		offloaded += header.flags || header.gso_type;
	}
	is(total, 30000, "plain: all of its data, in %u packets", packets);
	ok(longest <= 1514, "plain: none above 1514 bytes");
	ask('C', 0, 0);
	receive(false);
	offloaded += header.flags || header.gso_type;
	for (unsigned i = 26; i < 142; i += 2)
		sum += received[i] << 8 | received[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	is(sum, 0xffff, "plain: a UDP packet with its checksum");
	is(offloaded, 0, "plain: no header speaks of offloads");
}

int main(void)
{
	uint64_t offloads = FEATURE(F_CSUM) | FEATURE(F_GUEST_CSUM) | FEATURE(F_GUEST_TSO4) |
			    FEATURE(F_GUEST_TSO6) | FEATURE(F_HOST_TSO4) | FEATURE(F_MAC) |
			    F_EVENT_IDX;
	uint64_t merge = FEATURE(F_MRG_RXBUF);

	rx_data = allocate(256 * ROOM);
	received = allocate(2 * ROOM);
	frame = allocate(ROOM);
	if (!ok(virtio_find(&v, VIRTIO_NET, option_number("nic", 0)), "a network device"))
		return 0;
	check_config();
	open(F_EVENT_IDX | FEATURE(F_MAC), 1526, 64);
	check_frames("1526-byte buffers");
	check_plain();
	open(F_EVENT_IDX | FEATURE(F_MAC) | merge, 2048, 64);
	check_frames("merged");
	is(header.buffers, 1, "merged: one buffer for one frame");
	check_floods();
	check_transmit();
	open(FEATURE(F_MAC) | merge, 128, 200);
	check_frames("merged, 128-byte buffers, no EVENT_IDX");
	is(header.buffers, (1514 + HEADER + 127) / 128,
	   "merged: as many small buffers as it takes");
	open(offloads | merge, 4096, 64);
	check_transmit_segmentation();
	check_receive_segmentation("merged");
	open(offloads, ROOM, 16);
	check_receive_segmentation("64 KiB buffers");
	ask('Q', 0, 0);
	return 0;
}
