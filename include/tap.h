/*
 * tap.h: a tap interface, for the backends that use one.
 *
 * Opened so that virtio-net's packets pass as they are: each carries the
 * 12-byte header the guest uses (IFF_VNET_HDR), so checksums and segmentation
 * stay undone until somebody needs them.
 *
 * Source: Documentation/networking/tuntap.rst.
 */
#ifndef LODGE_TAP_H
#define LODGE_TAP_H

#include <linux/if_tun.h>

#include "net-backend.h"

/* Linux 6.2: newer than the kernel headers of Debian 12. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* As of struct net_backend: a value that is an interface's name, or none. */
bool tap_accepts(const char *value);

/*
 * Attach the wire's queues to the interface `name`, creating it if there is
 * none; NULL lets the kernel choose a name. An interface that was created here
 * is set up and goes away with the descriptors. With more than one queue it
 * must be, or becomes, a multi-queue interface. Prints the reason; 0 or -1. Main.
 */
int tap_open(struct net_wire *wire, const char *name);

/* The rest of struct net_backend. */
void tap_close(struct net_wire *wire);
int tap_set_offload(const struct net_wire *wire, unsigned flags);
int tap_use_queue(const struct net_wire *wire, unsigned queue, bool used);

#endif
