/*
 * frames.c: the other end of a guest's network. `frames IFACE` sees, through
 * an AF_PACKET socket, what the guest sends to the tap, and does what its
 * frames ask (net.c sends them):
 *
 *   ethertype 0x88b5, first byte of the payload the request, then two 16-bit
 *   numbers (little endian), a and b:
 *     E      send the frame back, addresses swapped
 *     F a b  send a frames of b bytes, numbered from 0 after the request byte
 *     G a b  send one TCP segment of a bytes of data for the host to cut into
 *            packets of b (generic segmentation offload), IPv4
 *     C      send a UDP packet whose checksum is left to be filled in
 *     P      count it, nothing more
 *     Q      print the counts and end
 *   IPv4 is what the guest's own segmentation produced: print how it came.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERTYPE 0x88b5
enum { HEADERS_TCP = 14 + 20 + 20, HEADERS_UDP = 14 + 20 + 8 };

static int fd;
static uint8_t out[70000], mac_guest[6];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void send_frame(const struct virtio_net_hdr *header, size_t length)
{
	static const struct virtio_net_hdr plain;
	uint8_t buffer[sizeof(*header) + sizeof(out)];

	memcpy(buffer, header ? header : &plain, sizeof(*header));
	memcpy(buffer + sizeof(*header), out, length);
	if (send(fd, buffer, sizeof(*header) + length, 0) < 0)
		fail("send");
}

/* The sum of 16-bit words, folded: what a checksum is made of. */
static uint16_t sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (; n > 1; n -= 2, p += 2)
		s += p[0] << 8 | p[1];
	if (n)
		s += p[0] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

/* Ethernet and IPv4 headers in `out` for a payload of this protocol; returns
 * the pseudo header's sum, which starts the transport's checksum. */
static uint16_t ip_headers(uint8_t protocol, size_t payload)
{
	uint8_t *ip = out + 14;

	memcpy(out, mac_guest, 6);
	memcpy(out + 6, "\2\0\0\0\0\1", 6);
	put16(out + 12, ETHERTYPE_IP);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + payload);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, "\12\0\0\1\12\0\0\2", 8);
	put16(ip + 10, ~sum(ip, 20, 0));
	return sum(ip + 12, 8, protocol + payload);
}

static void send_segmented(unsigned length, unsigned mss)
{
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = HEADERS_TCP,
		.gso_size = mss,
		.csum_start = 34,
		.csum_offset = 16,
	};
	uint8_t *tcp = out + 34;
	uint16_t pseudo = ip_headers(IPPROTO_TCP, 20 + length);

	memset(tcp, 0, 20);
	put16(tcp, 1000);
	put16(tcp + 2, 2000);
	tcp[12] = 5 << 4;
	tcp[13] = 0x10;
	put16(tcp + 16, pseudo);
	for (unsigned i = 0; i < length; i++)
		out[HEADERS_TCP + i] = i * 7 + i / 256;
	send_frame(&header, HEADERS_TCP + length);
}

static void send_unchecked(void)
{
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 34,
		.csum_offset = 6,
	};
	uint8_t *udp = out + 34;
	uint16_t pseudo = ip_headers(IPPROTO_UDP, 8 + 100);

	put16(udp, 1000);
	put16(udp + 2, 2000);
	put16(udp + 4, 108);
	put16(udp + 6, pseudo);
	memset(udp + 8, 0x42, 100);
	send_frame(&header, HEADERS_UDP + 100);
}

static void send_flood(unsigned count, unsigned length, const uint8_t *request)
{
	memcpy(out, request + 6, 6);
	memcpy(out + 6, request, 6);
	put16(out + 12, ETHERTYPE);
	for (unsigned i = 0; i < count; i++) {
		for (unsigned j = 14; j < length; j++)
			out[j] = i + j;
		out[14] = 'f';
		memcpy(out + 15, &(uint16_t){ i }, 2);
		send_frame(NULL, length);
	}
}

int main(int argc, char **argv)
{
	static uint8_t buffer[sizeof(struct virtio_net_hdr) + 70000];
	const struct virtio_net_hdr *header = (void *)buffer;
	uint8_t *frame = buffer + sizeof(*header);
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	unsigned plain = 0, long_ones = 0;
	int one = 1, size = 16 << 20;

	if (argc != 2 || !(address.sll_ifindex = if_nametoindex(argv[1]))) {
		fprintf(stderr, "usage: frames IFACE\n");
		return 2;
	}
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (void *)&address, sizeof(address)))
		fail("AF_PACKET socket");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening\n");

	for (;;) {
		struct sockaddr_ll from;
		socklen_t from_length = sizeof(from);
		ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (void *)&from, &from_length);
		uint16_t type, a, b;

		if (n < 0)
			fail("recv");
		n -= sizeof(*header);
		if (from.sll_pkttype == PACKET_OUTGOING || n < 19)
			continue;
		type = frame[12] << 8 | frame[13];
		if (type == ETHERTYPE_IP)
			printf("tcp length %zd gso_type %u gso_size %u sum %u\n", n,
			       header->gso_type, header->gso_size,
			       sum(frame + HEADERS_TCP, n - HEADERS_TCP, 0));
		if (type != ETHERTYPE)
			continue;
		memcpy(mac_guest, frame + 6, 6);
		memcpy(&a, frame + 15, 2);
		memcpy(&b, frame + 17, 2);
		switch (frame[14]) {
		case 'E':
			memcpy(out, frame + 6, 6);
			memcpy(out + 6, frame, 6);
			memcpy(out + 12, frame + 12, n - 12);
			send_frame(NULL, n);
			break;
		case 'F':
			send_flood(a, b, frame);
			break;
		case 'G':
			send_segmented(a, b);
			break;
		case 'C':
			send_unchecked();
			break;
		case 'P':
			plain++;
			long_ones += n > 1000;
			break;
		case 'Q':
			printf("counted %u, of them long %u\n", plain, long_ones);
			return 0;
		}
	}
}
