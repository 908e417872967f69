/*
 * net.h: what the files of virtio-net share: net.c (the device), net-options.c (its
 * option), net-link.c (features and link), net-receive.c and net-transmit.c (the
 * two roads of a packet), net-control.c (commands).
 *
 * Queues 2n and 2n+1 receive and transmit for pair n; the control queue is the
 * last. A pair of queues belongs to its own thread once the guest runs.
 */
#ifndef LODGE_NET_H
#define LODGE_NET_H

#include <errno.h>

#include "net-backend.h"
#include "virtio.h"

#define NET_HELD_MAX  64   /* receive chains taken ahead of their packets */
#define NET_BATCH_MAX 64   /* transmit chains on their way at once */
#define NET_IOV_MAX   1024 /* their buffers: what one readv() takes */
#define NET_PACKET_MAX                                                                             \
	65562 /* bytes: the largest packet with offloads, header included (5.1.6.3.1) */

#define NET_ROUND_MAX 256 /* packets before the loop gets its turn */

/* If there is no end of packets: after how many the driver may see them, should it
 * look by itself; and after how many bytes it is told, for large ones take time. */
#define NET_SHOW_PACKETS  64
#define NET_PUBLISH_BYTES (64 * 1024)

/* virtio 1.2, 5.1.3: newer than the kernel headers of Debian 12. */
#define NET_F_GUEST_USO4 54
#define NET_F_GUEST_USO6 55
#define NET_F_HOST_USO   56

#define NET_MAC_LEN 6

#define NET_SYNTAX "BACKEND[,mac=MAC][,queues=N][,busy-poll=N]"

/* One --net. */
struct net_options {
	const struct net_backend *backend;
	const char *value; /* of its word, "t0" in "tap=t0"; may be NULL */
	bool has_mac;
	uint8_t mac[NET_MAC_LEN];
	unsigned queues;    /* pairs */
	unsigned busy_poll; /* looks at the ring before kicks are wanted again */
};

struct net_receive {
	bool mergeable; /* VIRTIO_NET_F_MRG_RXBUF: one packet may fill several chains */
	size_t small;   /* bytes of buffers in which any packet of the MTU fits */
	size_t need;    /* bytes in which any packet at all fits */
	unsigned calm;  /* packets of the MTU since the last larger one; see hold_ahead() */

	/* Chains taken from the ring and not yet used, in order. Their buffers lie
	 * one after the other in `iov`, so that readv() fills them as they are. */
	struct net_held {
		uint16_t head;
		unsigned buffers;
		uint64_t len;
	} held[NET_HELD_MAX];
	unsigned held_count;
	struct iovec iov[NET_IOV_MAX + VIRTQUEUE_CHAIN_MAX];
	unsigned iov_count;
	uint64_t held_len; /* bytes */

	/* The end of a packet that did not fit what was held; it waits for more. */
	uint8_t spill[NET_PACKET_MAX];
	size_t spill_len;
	size_t spill_from; /* bytes of the same packet already in the held chains */

	bool starving; /* the ring is empty: the next kick matters */
	struct loop_op again;
};

/* A chain on its way to the tap. */
struct net_packet {
	struct net_pair *pair;
	struct loop_op op;
	struct chain chain; /* its iov is in net_transmit's */
	bool waiting;       /* the tap was full */
};

struct net_transmit {
	/* Taken from the ring and not given back, in order. */
	struct net_packet packets[NET_BATCH_MAX];
	unsigned count;
	unsigned in_flight; /* of them, in the loop's ring */
	struct iovec iov[NET_IOV_MAX + VIRTQUEUE_CHAIN_MAX];
	uint64_t bytes; /* of all of them together */

	bool was_down; /* the interface, when it was last tried */

	struct loop_op room; /* in flight: the tap was full, and they wait */
	struct loop_op again;
};

/* A pair of queues and its queue of the tap: one thread's. */
struct net_pair {
	struct net *net;
	struct virtio_queue *receive_queue, *transmit_queue;
	int fd;
	struct loop_watch tap_watch;
	struct net_receive receive;
	struct net_transmit transmit;
};

struct net {
	struct virtio_device device;
	struct net_wire wire;
	unsigned pairs;        /* that exist */
	unsigned active_pairs; /* that the driver uses; the control queue's thread */
	struct virtio_queue *control;
	struct iovec control_iov[VIRTQUEUE_CHAIN_MAX];
	struct loop_op control_again;
	struct loop_watch interface_watch; /* of the wire's watch_fd */
	atomic_bool link_down;             /* what the wire led to is gone */
	struct net_pair pair[NET_PAIRS_MAX];
};

/* Any of the device's threads. */
static inline bool net_link_is_down(const struct net *net)
{
	/* Relaxed: it orders nothing, and a packet more is lost like the others. */
	return atomic_load_explicit(&net->link_down, memory_order_relaxed);
}

/* One packet to the backend, or from it: bytes, or -errno (net-backend.h). The pair's thread. */
static inline ssize_t net_send(struct net_pair *pair, const struct iovec *iov, unsigned count)
{
	struct net_wire *wire = &pair->net->wire;
	ssize_t len;

	if (wire->send)
		return wire->send(wire, pair->receive_queue->index / 2, iov, count);
	len = writev(pair->fd, iov, (int)count);
	return len < 0 ? -errno : len;
}

static inline ssize_t net_fetch(struct net_pair *pair, const struct iovec *iov, unsigned count)
{
	struct net_wire *wire = &pair->net->wire;
	ssize_t len;

	if (wire->receive)
		return wire->receive(wire, pair->receive_queue->index / 2, iov, count);
	len = readv(pair->fd, iov, (int)count);
	return len < 0 ? -errno : len;
}

/* Move packets until the tap is empty or the guest's ring is. */
void net_receive(struct net_pair *pair);
void net_receive_init(struct net_pair *pair);
void net_receive_start(struct net_pair *pair);
void net_receive_stop(struct net_pair *pair);

/* Move packets until the ring is empty or the tap is full. */
void net_transmit(struct net_pair *pair);
void net_transmit_init(struct net_pair *pair);
void net_transmit_stop(struct net_pair *pair);
/* The link is down: who waits for room would wait for ever. */
void net_transmit_unblock(struct net_pair *pair);

/* Answer the driver's commands (net-control.c). The control queue's thread. */
void net_control(struct net *net);
void net_control_init(struct net *net);
void net_control_stop(struct net *net);

/*
 * Read a --net. What it returns the caller frees, and the text must live no longer
 * than the call; NULL after printing what is wrong. Main.
 */
void *net_parse(const char *text);

/* The features of such a card: bits 1 << VIRTIO_NET_F_*. The wire is open. Main. */
uint64_t net_features(const struct net *net);

/* Fill its configuration space. 0, or -1 if there is no random address to be had. Main. */
int net_set_config(struct net *net, const struct net_options *options);

/* Be told, in the first thread, if the interface is deleted, where the wire has
 * somebody who tells (watch_fd). Main, before the guest runs. */
void net_link_watch(struct net *net);
/* And no more. The device's first thread, all queues stopped. */
void net_link_release(struct net *net);

/* Use this many pairs: the tap spreads what it receives over their queues. 0 or
 * -errno. The control queue's thread. */
int net_use_pairs(struct net *net, unsigned pairs);

/* Tell the tap what the driver can take unfinished: bits 1 << VIRTIO_NET_F_GUEST_*.
 * 0 or -errno. The control queue's thread. */
int net_set_offloads(struct net *net, uint64_t features);

/* The tap answered that its interface no longer exists: tell the guest, once. Any
 * of the device's threads. */
void net_lose_link(struct net *net);

/*
 * The interface was down and is up again: whoever is behind it may have
 * forgotten the guest, so ask its driver to make itself known (5.1.6.5.4). Any
 * of the device's threads.
 */
void net_announce(struct net *net);

#endif
