/*
 * net-interface.h: what backends need to know of a network interface.
 */
#ifndef LODGE_NET_INTERFACE_H
#define LODGE_NET_INTERFACE_H

#include "net-backend.h"

/* Can an interface have this name? Prints the reason if not; touches no file. Main. */
bool net_interface_accepts(const char *name);

/*
 * What rtnetlink tells of a tun or a tap: one of its attributes IFLA_TUN_*, of a
 * byte. -1 if the interface is none, or nothing is told. Main.
 */
int net_interface_ask_tun(const char *name, unsigned short attribute);

/*
 * Ask for the MTU and the index of the interface that the wire is named after,
 * and have watch_fd tell of its end. Prints the reason; 0 or -1. Main.
 */
int net_interface_watch(struct net_wire *wire);

/* Something may be read from watch_fd: was the interface deleted? Device's thread. */
bool net_interface_is_gone(const struct net_wire *wire);

#endif
