/*
 * net-backend.h: what a network card is plugged into.
 *
 * A backend is one file, devices/net-NAME.c, with one struct net_backend, and
 * one line in devices/net-backend.c. The words of --net and its help follow
 * from that table, and net.c offers the driver only what the backend can do.
 *
 * To the roads of a packet (net-receive.c, net-transmit.c) a backend is a file
 * descriptor for each pair of queues that one frame at a time is read from and
 * written to, each behind the 12-byte header the guest uses (virtio 1.2,
 * 5.1.6), straight from and to guest buffers. One whose descriptor carries
 * anything else brings send() and receive() of its own. And one that moves the
 * packets itself, with nobody's help, is lent the queues as they are.
 */
#ifndef LODGE_NET_BACKEND_H
#define LODGE_NET_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "sandbox.h"

#define NET_PAIRS_MAX 8

#define TAP_HEADER 12 /* bytes of struct virtio_net_hdr_v1 before each packet */

struct virtio_device;
struct virtio_queue;

/* A backend, opened: the wire that the card is plugged into. */
struct net_wire {
	const struct net_backend *backend;
	unsigned queues;
	int fd[NET_PAIRS_MAX]; /* one a pair; non-blocking, owned */
	char name[16];         /* of the interface, or who else it is, for messages */
	uint16_t mtu;          /* bytes, without the Ethernet header */
	bool udp_segments;     /* UDP may be unfinished too: TUN_F_USO4 and 6, Linux 6.2 */
	void *state;           /* the backend's own */

	/*
	 * In place of writev() and readv(), with their results as the kernel
	 * gives them: bytes, or -errno. The packet starts with its header, and
	 * the iovecs stay as they are. -EAGAIN from send(): the packet has not
	 * been sent, and the same one is offered again when the descriptor is
	 * ready for POLLOUT. -EAGAIN from receive(): nothing is left, and POLLIN
	 * tells of more. -EBADFD from either: what was behind the descriptor is
	 * gone for good. Any other error costs this packet. NULL: the system
	 * call will do. The pair's thread.
	 */
	ssize_t (*send)(struct net_wire *wire, unsigned queue, const struct iovec *iov,
			unsigned count);
	ssize_t (*receive)(struct net_wire *wire, unsigned queue, const struct iovec *iov,
			   unsigned count);

	/* Of an interface that does not tell by itself when it is deleted: a
	 * descriptor that becomes readable then, owned, and the interface's
	 * index (net-interface.h). -1: none. */
	int watch_fd;
	unsigned interface;
};

struct net_backend {
	const char *key;    /* the word that asks for it, "tap" in "tap=t0,queues=2" */
	const char *syntax; /* "tap[=NAME]" */
	const char *help;

	bool offloads;   /* its packets may be unfinished: checksums, segmentation */
	bool multiqueue; /* there may be several queues */

	/*
	 * Is this a value the word may have? NULL: it came without one. Prints
	 * the reason if not; opens no file, but may take an open one. Main, before
	 * anything is opened.
	 */
	bool (*accepts)(const char *value);

	/*
	 * Open it; `backend` and `queues` of the wire are set, the rest says
	 * "nothing special" and is to be filled in. Prints the reason; 0 or -1, and then the
	 * process ends. Main.
	 */
	int (*open)(struct net_wire *wire, const char *value);

	/* Let go of it, descriptors included. Device's thread, all queues stopped. */
	void (*close)(struct net_wire *wire);

	/*
	 * What the guest can take unfinished: TUN_F_* of linux/if_tun.h. NULL if
	 * there is nobody to tell. Device's thread. 0 or -errno.
	 */
	int (*set_offload)(const struct net_wire *wire, unsigned flags);

	/* Let this queue take part in receiving, or not. Device's thread. 0 or -errno. */
	int (*use_queue)(const struct net_wire *wire, unsigned queue, bool used);

	/* The packet that send() could not send will not come again: the driver
	 * took its queue back. NULL: nobody remembers. The pair's thread. */
	void (*forget)(struct net_wire *wire, unsigned queue);

	/*
	 * For a backend that serves the queues itself; NULL otherwise. `prepare`
	 * is told what the driver accepted, before any queue runs (device's
	 * thread). Between `lend` and `take_back` a queue is the backend's: it
	 * sees the kicks and raises the interrupts, and after `take_back` nothing
	 * of it touches guest memory. `reroute`: the queue has another interrupt,
	 * or none. The pair's thread. 0 or -errno.
	 */
	int (*prepare)(struct net_wire *wire, const struct virtio_device *device);
	int (*lend)(struct net_wire *wire, struct virtio_queue *queue);
	void (*take_back)(struct net_wire *wire, struct virtio_queue *queue);
	void (*reroute)(struct net_wire *wire, struct virtio_queue *queue);

	/* The system calls these make, beside readv() and writev(); NULL: none. */
	const struct sandbox_rule *needs;
};

/* All there are; ends with NULL. */
extern const struct net_backend *const net_backends[];

extern const struct net_backend net_tap;
extern const struct net_backend net_fd;
extern const struct net_backend net_packet;
extern const struct net_backend net_passt;
extern const struct net_backend net_vhost;

#endif
