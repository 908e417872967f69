/*
 * net-tap.c: the backends `tap`, an interface by its name, and `fd`, one that
 * a supervisor has opened and passed to us.
 *
 * net.c calls in, before the guest runs and when its driver has said what it
 * can take. Packets pass by plain system calls; nothing here is on their road.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "net-interface.h"
#include "tap.h"

static int set_headers(const struct net_wire *wire, unsigned queue)
{
	int header = TAP_HEADER, little_endian = 1;

	if (ioctl(wire->fd[queue], TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(wire->fd[queue], TUNSETVNETLE, &little_endian) < 0) {
		log_error("--net: tap %s: it does not take virtio headers: %m", wire->name);
		return -1;
	}
	return 0;
}

/* To Linux these are all one error. */
static void report_invalid(const struct net_wire *wire, const char *name)
{
	const char *key = wire->backend->key;

	if (if_nametoindex(name) == 0)
		log_error("--net: %s %s: Linux makes no interface of this name; give another", key,
			  name);
	else if (net_interface_ask_tun(name, IFLA_TUN_TYPE) != IFF_TAP)
		log_error("--net: %s %s: it is not a tap; name one, or none to have one made", key,
			  name);
	else
		log_error("--net: %s %s: it was made %s multi_queue, queues=%u needs it %s", key,
			  name, wire->queues > 1 ? "without" : "with", wire->queues,
			  wire->queues > 1 ? "with" : "without");
}

static void report_refusal(const struct net_wire *wire, const char *name)
{
	const char *key = wire->backend->key;

	if (errno == EPERM)
		log_error("--net: %s %s: %m; run as root, or have the interface made for this "
			  "user: ip tuntap add mode tap user NAME",
			  key, name);
	else if (errno == EINVAL)
		report_invalid(wire, name);
	else if (errno == EBUSY)
		log_error("--net: %s %s: somebody else uses it", key, name);
	else
		log_error("--net: %s %s: %m", key, name);
}

static int attach(struct net_wire *wire, unsigned queue, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (wire->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name ? name : "lodge%d");
	if (ioctl(wire->fd[queue], TUNSETIFF, &ifr) < 0) {
		report_refusal(wire, name ? name : "(new)");
		return -1;
	}
	memcpy(wire->name, ifr.ifr_name, sizeof(ifr.ifr_name));
	return set_headers(wire, queue);
}

/* Set it up if it is ours, and ask for its MTU: both through any socket. */
static int configure(struct net_wire *wire, bool created)
{
	struct ifreq ifr = { 0 };
	int ret = -1, s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(ifr.ifr_name, wire->name, sizeof(ifr.ifr_name));
	if (s < 0)
		goto out;
	if (created) {
		if (ioctl(s, SIOCGIFFLAGS, &ifr) < 0)
			goto out;
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(s, SIOCSIFFLAGS, &ifr) < 0)
			goto out;
	}
	ret = ioctl(s, SIOCGIFMTU, &ifr);
	if (ret == 0)
		wire->mtu = (uint16_t)ifr.ifr_mtu;
out:
	if (ret < 0)
		log_error("--net: tap %s: %m", wire->name);
	if (s >= 0)
		close(s);
	return ret;
}

/* Open queue number `queue`; the first one settles the interface's name. */
static int open_queue(struct net_wire *wire, unsigned queue, const char *name)
{
	wire->fd[queue] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (wire->fd[queue] < 0) {
		log_error("--net: /dev/net/tun: %m%s",
			  errno == ENOENT || errno == ENODEV ? "; load the module tun" : "");
		return -1;
	}
	return attach(wire, queue, queue == 0 ? name : wire->name);
}

/* Which does this kernel know? Begin with none. */
static int try_offloads(struct net_wire *wire)
{
	int ret;

	wire->udp_segments = tap_set_offload(wire, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6) == 0;
	ret = tap_set_offload(wire, 0);
	if (ret < 0)
		log_error("--net: tap %s: it does not take offloads: %s", wire->name,
			  strerror(-ret));
	return ret;
}

int tap_open(struct net_wire *wire, const char *name)
{
	bool created = !name || if_nametoindex(name) == 0;

	for (unsigned i = 0; i < wire->queues; i++)
		if (open_queue(wire, i, name) < 0)
			return -1;
	if (try_offloads(wire) < 0 || configure(wire, created) < 0)
		return -1;
	log_verbose("network interface %s, MTU %u, %u queues", wire->name, wire->mtu, wire->queues);
	return 0;
}

bool tap_accepts(const char *value)
{
	return !value || net_interface_accepts(value);
}

void tap_close(struct net_wire *wire)
{
	for (unsigned i = 0; i < wire->queues; i++)
		close(wire->fd[i]);
}

int tap_use_queue(const struct net_wire *wire, unsigned queue, bool used)
{
	struct ifreq ifr = { .ifr_flags = used ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(wire->fd[queue], TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}

int tap_set_offload(const struct net_wire *wire, unsigned flags)
{
	return ioctl(wire->fd[0], TUNSETOFFLOAD, (unsigned long)flags) < 0 ? -errno : 0;
}

static const struct sandbox_rule needs[] = {
	SANDBOX_IOCTL(TUNSETOFFLOAD),
	SANDBOX_IOCTL(TUNSETQUEUE),
	SANDBOX_END,
};

const struct net_backend net_tap = {
	.key = "tap",
	.syntax = "tap[=NAME]",
	.help = "a tap interface, made if there is none",
	.offloads = true,
	.multiqueue = true,
	.accepts = tap_accepts,
	.open = tap_open,
	.close = tap_close,
	.set_offload = tap_set_offload,
	.needs = needs,
	.use_queue = tap_use_queue,
};

/* --- One that somebody else opened --- */

static bool parse_fd(const char *value, int *fd)
{
	char *end;
	unsigned long number = value ? strtoul(value, &end, 10) : 0;

	if (!value || *value < '0' || *value > '9' || *end || number > INT_MAX)
		return false;
	*fd = (int)number;
	return true;
}

/*
 * Take it now, while the options are read: what is open now was passed to us, and
 * later we open files of our own. Nothing that came through execve() has
 * FD_CLOEXEC, so the flag tells which are taken.
 */
static bool fd_accepts(const char *value)
{
	int fd, flags;

	if (!parse_fd(value, &fd)) {
		log_error("--net: fd '%s' is not the number of an open file", value ? value : "");
		return false;
	}
	flags = fcntl(fd, F_GETFD);
	if (flags >= 0 && (flags & FD_CLOEXEC)) {
		log_error("--net: fd %d: given twice; each card needs a tap of its own", fd);
		return false;
	}
	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0) {
		log_error("--net: fd %d: %m; nobody passed it to us", fd);
		return false;
	}
	return true;
}

/*
 * Of the flags that we open a tap with, the first that this one was opened without; or NULL.
 * TUNGETIFF does not tell IFF_NO_PI, without which each packet has four more bytes:
 * in its answer, that bit says that there is no filter.
 */
static const char *missing_flag(const struct ifreq *ifr)
{
	if (!(ifr->ifr_flags & IFF_TAP))
		return "IFF_TAP";
	if (!(ifr->ifr_flags & IFF_VNET_HDR))
		return "IFF_VNET_HDR";
	return net_interface_ask_tun(ifr->ifr_name, IFLA_TUN_PI) == 1 ? "IFF_NO_PI" : NULL;
}

/* Is it what we would have opened? Its flags as a file, or -1. */
static int check_passed(struct net_wire *wire, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct ifreq ifr = { 0 };
	const char *missing;

	if (flags < 0 || ioctl(fd, TUNGETIFF, &ifr) < 0) {
		log_error("--net: fd %d: it is not a tap interface", fd);
		return -1;
	}
	missing = missing_flag(&ifr);
	if (missing) {
		log_error("--net: fd %d: %s was opened without %s; it needs IFF_TAP, IFF_NO_PI and "
			  "IFF_VNET_HDR",
			  fd, ifr.ifr_name, missing);
		return -1;
	}
	if ((flags & O_ACCMODE) != O_RDWR) {
		log_error("--net: fd %d: %s must be opened for reading and writing (O_RDWR)", fd,
			  ifr.ifr_name);
		return -1;
	}
	memcpy(wire->name, ifr.ifr_name, sizeof(ifr.ifr_name));
	return flags;
}

/* Needs no privilege: whoever opened it had it. */
static int fd_open(struct net_wire *wire, const char *value)
{
	int fd = -1, flags;

	parse_fd(value, &fd);
	wire->fd[0] = fd;
	flags = check_passed(wire, fd);
	if (flags < 0)
		return -1;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		log_error("--net: fd %d: %m", fd);
		return -1;
	}
	return set_headers(wire, 0) < 0 || try_offloads(wire) < 0 || configure(wire, false) < 0 ? -1
												: 0;
}

const struct net_backend net_fd = {
	.key = "fd",
	.syntax = "fd=N",
	.help = "a tap that is open as descriptor N",
	.offloads = true,
	.accepts = fd_accepts,
	.open = fd_open,
	.close = tap_close,
	.set_offload = tap_set_offload,
	.needs = needs,
};
