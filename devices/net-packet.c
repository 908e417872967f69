/*
 * net-packet.c: the backend `packet`, a raw socket on an interface of the host.
 *
 * The guest shares an interface that exists already, with nothing in between:
 * what it sends leaves there, and it sees what arrives (packet(7)). It has its
 * own address on it, so the interface listens to all. What the host itself
 * sends there does not come to the guest: it goes out, not in.
 *
 * Packets carry virtio's header, of 12 bytes, or on kernels before 6.6 of 10:
 * those lack its last field, which means nothing here, but the lists of
 * buffers must be shifted. Nobody can tell the socket what the guest is able
 * to take unfinished. To a guest that takes nothing we owe finished packets:
 * checksums are made here, and packets larger than the wire has are lost, with
 * a word about how to avoid them.
 *
 * Called on main, and then on the thread of the only pair of queues.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "net-interface.h"
#include "net.h"

/* Linux 6.6: newer than the kernel headers of Debian 12. */
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24
#endif

#define OLD_HEADER 10

#define QUEUE_BYTES (2 << 20) /* a burst of some thousand packets may wait, as in a tap */

struct packet {
	bool old_header;
	atomic_uint offload; /* TUN_F_*: what the guest can take unfinished */
	bool has_warned;
	struct iovec iov[NET_IOV_MAX + 1];
};

/* The list without its first 12 bytes, and a header of 10 before it. */
static struct iovec *shift(struct packet *packet, const struct iovec *iov, unsigned *count,
			   uint8_t *header)
{
	struct iovec *shifted = packet->iov + 1;

	memcpy(shifted, iov, *count * sizeof(*iov));
	iov_skip(&shifted, count, TAP_HEADER);
	*--shifted = (struct iovec){ .iov_base = header, .iov_len = OLD_HEADER };
	++*count;
	return shifted;
}

static ssize_t send_old(struct net_wire *wire, unsigned queue, const struct iovec *iov,
			unsigned count)
{
	uint8_t header[OLD_HEADER];
	ssize_t len;

	(void)queue;
	iov_read(iov, count, header, sizeof(header));
	iov = shift(wire->state, iov, &count, header);
	len = writev(wire->fd[0], iov, (int)count);
	return len < 0 ? -errno : len + TAP_HEADER - OLD_HEADER;
}

static ssize_t read_packet(struct net_wire *wire, const struct iovec *iov, unsigned count)
{
	struct packet *packet = wire->state;
	uint8_t header[TAP_HEADER] = { 0 };
	unsigned shifted_count = count;
	ssize_t len;

	if (!packet->old_header) {
		len = readv(wire->fd[0], iov, (int)count);
		return len < 0 ? -errno : len;
	}
	len = readv(wire->fd[0], shift(packet, iov, &shifted_count, header), (int)shifted_count);
	if (len < 0)
		return -errno;
	iov_write(iov, count, header, sizeof(header));
	return len + TAP_HEADER - OLD_HEADER;
}

/* The ones' complement sum (RFC 1071) of the packet from byte `start` on. */
static uint16_t checksum(const struct iovec *iov, unsigned count, size_t start, size_t len)
{
	uint64_t sum = 0;
	size_t at = 0;

	for (unsigned i = 0; i < count && at < len; i++)
		for (size_t j = 0; j < iov[i].iov_len && at < len; j++, at++)
			if (at >= start)
				sum += (uint64_t)((uint8_t *)iov[i].iov_base)[j]
				       << ((at - start) % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Make the packet one that any guest can take; 0 if that is not to be done. */
static ssize_t complete(struct net_wire *wire, const struct iovec *iov, unsigned count, size_t len)
{
	struct packet *packet = wire->state;
	struct virtio_net_hdr_v1 header = { 0 }, plain = { 0 };
	size_t start, field;
	uint16_t sum;

	iov_read(iov, count, &header, sizeof(header));
	start = TAP_HEADER + (size_t)le16toh(header.csum_start);
	field = start + le16toh(header.csum_offset);
	if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		if (!packet->has_warned)
			log_warning("--net: packet=%s: the guest takes no large packets and loses "
				    "them; try: ethtool -K %s gro off lro off",
				    wire->name, wire->name);
		packet->has_warned = true;
		return 0;
	}
	if ((header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && field + sizeof(sum) <= len) {
		sum = htons(checksum(iov, count, start, len));
		sum = sum ? sum
			  : 0xffff; /* to UDP, zero would mean "none"; it is the same number */
		iov_write_at(iov, count, field, &sum, sizeof(sum));
	}
	iov_write(iov, count, &plain, sizeof(plain));
	return (ssize_t)len;
}

static ssize_t packet_receive(struct net_wire *wire, unsigned queue, const struct iovec *iov,
			      unsigned count)
{
	struct packet *packet = wire->state;
	ssize_t len = read_packet(wire, iov, count);

	(void)queue;
	if (len > TAP_HEADER &&
	    !(atomic_load_explicit(&packet->offload, memory_order_relaxed) & TUN_F_CSUM))
		return complete(wire, iov, count, (size_t)len);
	return len;
}

static int packet_set_offload(const struct net_wire *wire, unsigned flags)
{
	struct packet *packet = wire->state;

	atomic_store_explicit(&packet->offload, flags, memory_order_relaxed);
	return 0;
}

static bool packet_accepts(const char *value)
{
	return net_interface_accepts(value ? value : "");
}

/* Whole packets with headers, all that arrive, none of the host's own. */
static int configure(struct net_wire *wire)
{
	struct packet_mreq all = { .mr_ifindex = (int)wire->interface,
				   .mr_type = PACKET_MR_PROMISC };
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)wire->interface };
	struct packet *packet = wire->state;
	int fd = wire->fd[0], one = 1, header = TAP_HEADER, queue = QUEUE_BYTES;

	/* The first needs a privilege, the second gives what anybody may have. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue)) < 0)
		return -1;

	packet->old_header =
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR_SZ, &header, sizeof(header)) < 0;
	if (packet->old_header) {
		wire->send = send_old;
		if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0)
			return -1;
	}
	wire->receive = packet_receive;
	return setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
			       setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all,
					  sizeof(all)) < 0 ||
			       bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0
		       ? -1
		       : 0;
}

static int packet_open(struct net_wire *wire, const char *value)
{
	strcpy(wire->name, value);
	if (net_interface_watch(wire) < 0)
		return -1;
	wire->state = calloc(1, sizeof(struct packet));
	/* No protocol: nothing arrives before it is bound. */
	wire->fd[0] = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (!wire->state || wire->fd[0] < 0 || configure(wire) < 0) {
		log_error("--net: packet=%s: %m%s", value,
			  errno == EPERM ? "; run as root, or with the capability net_raw" : "");
		return -1;
	}
	return 0;
}

static void packet_close(struct net_wire *wire)
{
	close(wire->fd[0]);
	free(wire->state);
}

/* All of them for net_interface_is_gone(). */
static const struct sandbox_rule needs[] = {
	SANDBOX_CALL(recvfrom),
	SANDBOX_IOCTL(SIOCGIFNAME),
	SANDBOX_END,
};

const struct net_backend net_packet = {
	.key = "packet",
	.syntax = "packet=IFNAME",
	.help = "a raw socket on an interface of the host",
	.offloads = true,
	.accepts = packet_accepts,
	.open = packet_open,
	.close = packet_close,
	.set_offload = packet_set_offload,
	.needs = needs,
};
