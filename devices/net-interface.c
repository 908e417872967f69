/*
 * net-interface.c: a network interface of the host: its name, what it is, its end.
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

bool net_interface_accepts(const char *name)
{
	/* As Linux's dev_valid_name(); among its blanks is that of Latin-1. */
	if (*name && strlen(name) < IFNAMSIZ && !strpbrk(name, "/: \t\n\v\f\r\240") &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return true;
	log_error("--net: '%s' is not an interface name: 1 to %d bytes, no blank, '/' or ':' among "
		  "them, and not '.' or '..'",
		  name, IFNAMSIZ - 1);
	return false;
}

/* --- What an interface is --- */

static ssize_t fetch_link(const char *name, void *answer, size_t room)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.info = { .ifi_index = (int)if_nametoindex(name) },
	};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t len = -1;

	if (s >= 0 && send(s, &request, sizeof(request), 0) >= 0)
		len = recv(s, answer, room, 0);
	if (s >= 0)
		close(s);
	return len;
}

/* `len` is an int, for RTA_NEXT() may leave less than nothing: the last one's padding. */
static const struct rtattr *find(const struct rtattr *attr, int len, unsigned short type)
{
	while (RTA_OK(attr, len) && attr->rta_type != type)
		attr = RTA_NEXT(attr, len);
	return RTA_OK(attr, len) ? attr : NULL;
}

static const struct rtattr *find_within(const struct rtattr *nest, unsigned short type)
{
	return nest ? find(RTA_DATA(nest), (int)RTA_PAYLOAD(nest), type) : NULL;
}

/* Not read from /sys: it may show another network namespace than ours. */
int net_interface_ask_tun(const char *name, unsigned short attribute)
{
	_Alignas(struct nlmsghdr) char answer[8192];
	const struct nlmsghdr *message = (const void *)answer;
	ssize_t len = fetch_link(name, answer, sizeof(answer));
	const struct rtattr *info, *kind, *value;

	if (len < 0 || !NLMSG_OK(message, (size_t)len) || message->nlmsg_type != RTM_NEWLINK)
		return -1;
	info = find(IFLA_RTA(NLMSG_DATA(message)), (int)IFLA_PAYLOAD(message), IFLA_LINKINFO);
	kind = find_within(info, IFLA_INFO_KIND);
	value = find_within(find_within(info, IFLA_INFO_DATA), attribute);
	if (!kind || strcmp(RTA_DATA(kind), "tun") != 0 || !value)
		return -1;
	return *(const uint8_t *)RTA_DATA(value);
}

/* --- Its end --- */

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
