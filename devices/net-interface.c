/*
 * net-interface.c: a network interface of the host, and its end.
 *
 * A tap tells by itself when its interface is deleted: every read then fails.
 * A packet socket says no more than that the interface is down, and nobody
 * reads the tap that vhost serves. So their backends have the kernel's own
 * news of interfaces (rtnetlink(7)) watched.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "net-interface.h"

int net_interface_watch(struct net_wire *wire)
{
	struct sockaddr_nl news = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	struct ifreq ifr = { 0 };

	wire->watch_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	/* Watched first, looked up afterwards: nothing is missed in between. */
	if (wire->watch_fd < 0 ||
	    bind(wire->watch_fd, (struct sockaddr *)&news, sizeof(news)) < 0) {
		log_error("--net: %s: cannot watch it: %m", wire->name);
		return -1;
	}
	strcpy(ifr.ifr_name, wire->name);
	wire->interface = if_nametoindex(wire->name);
	if (!wire->interface || ioctl(wire->watch_fd, SIOCGIFMTU, &ifr) < 0) {
		log_error("--net: %s: %m", wire->name);
		return -1;
	}
	wire->mtu = (uint16_t)(ifr.ifr_mtu < UINT16_MAX ? ifr.ifr_mtu : UINT16_MAX);
	return 0;
}

static bool tells_of_end(const struct net_wire *wire, const char *news, size_t len)
{
	const struct nlmsghdr *message = (const void *)news;

	for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len)) {
		const struct ifinfomsg *info = NLMSG_DATA(message);

		if (message->nlmsg_type == RTM_DELLINK && info->ifi_index == (int)wire->interface)
			return true;
	}
	return false;
}

bool net_interface_is_gone(const struct net_wire *wire)
{
	_Alignas(struct nlmsghdr) char news[8192];
	struct ifreq ifr = { .ifr_ifindex = (int)wire->interface };
	bool gone = false;
	ssize_t len;

	while ((len = recv(wire->watch_fd, news, sizeof(news), 0)) > 0)
		gone = gone || tells_of_end(wire, news, (size_t)len);
	/* More news than the socket could keep: then look. */
	if (len < 0 && errno == ENOBUFS)
		gone = gone || ioctl(wire->watch_fd, SIOCGIFNAME, &ifr) < 0;
	return gone;
}
