/*
 * tap.h: a tap interface, opened so that virtio-net's packets pass as they are.
 *
 * Every packet carries the same 12-byte header the guest uses (IFF_VNET_HDR),
 * so checksums and segmentation stay undone until somebody needs them, and
 * reads and writes go straight from and to guest buffers.
 *
 * Source: Documentation/networking/tuntap.rst; virtio 1.2, 5.1.6.
 */
#ifndef LODGE_TAP_H
#define LODGE_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define TAP_HEADER 12 /* bytes of struct virtio_net_hdr_v1 before each packet */

#define TAP_QUEUES_MAX 8

struct tap {
	unsigned queues;
	int fd[TAP_QUEUES_MAX]; /* one a queue; non-blocking, owned */
	char name[IFNAMSIZ];
	uint16_t mtu; /* bytes, without the Ethernet header */
};

/*
 * Attach to the interface `name`, creating it if there is none; NULL lets
 * the kernel choose a name. An interface that was created here is set up and
 * goes away with the descriptors. With more than one queue it must be, or
 * becomes, a multi-queue interface. Prints the reason; 0 or -1. Main.
 */
int tap_open(struct tap *tap, const char *name, unsigned queues);

/*
 * Take over a tap somebody else opened, with IFF_VNET_HDR, and passed to us
 * as this descriptor; it is ours from here on. Needs no privilege. Prints the
 * reason; 0 or -1. Main.
 */
int tap_adopt(struct tap *tap, int fd);

void tap_close(struct tap *tap);

/* Let this queue take part in receiving, or not. Device's thread. 0 or -errno. */
int tap_use_queue(const struct tap *tap, unsigned queue, bool used);

/* What the guest can take unfinished: TUN_F_* of linux/if_tun.h. Device's thread. 0 or -errno. */
int tap_set_offload(const struct tap *tap, unsigned flags);

#endif
