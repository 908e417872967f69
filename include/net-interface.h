/*
 * net-interface.h: what backends need to know of a network interface.
 */
#ifndef LODGE_NET_INTERFACE_H
#define LODGE_NET_INTERFACE_H

#include "net-backend.h"

/*
 * Ask for the MTU and the index of the interface that the wire is named after,
 * and have watch_fd tell of its end. Prints the reason; 0 or -1. Main.
 */
int net_interface_watch(struct net_wire *wire);

/* Something may be read from watch_fd: was the interface deleted? Device's thread. */
bool net_interface_is_gone(const struct net_wire *wire);

#endif
