/*
 * net-backend.c: the table of what a network card can be plugged into.
 */
#include <stddef.h>

#include "net-backend.h"

const struct net_backend *const net_backends[] = {
	&net_tap, &net_fd, &net_packet, &net_passt, &net_vhost, NULL,
};
