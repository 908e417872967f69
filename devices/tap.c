/*
 * tap.c: opening a tap interface. net.c calls in, before the guest runs and
 * once when its driver has said what it can take.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "tap.h"

static int set_headers(const struct tap *tap, unsigned queue)
{
	int header = TAP_HEADER, little_endian = 1;

	if (ioctl(tap->fd[queue], TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(tap->fd[queue], TUNSETVNETLE, &little_endian) < 0) {
		log_error("--net: tap %s: it does not take virtio headers: %m", tap->name);
		return -1;
	}
	return 0;
}

static int attach(struct tap *tap, unsigned queue, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (tap->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name ? name : "lodge%d");
	if (ioctl(tap->fd[queue], TUNSETIFF, &ifr) < 0) {
		if (errno == EPERM)
			log_error("--net: tap %s: %m; run as root, or have the interface made for "
				  "this user: ip tuntap add mode tap user NAME",
				  name ? name : "(new)");
		else if (errno == EINVAL)
			log_error(
				"--net: tap %s: it was made %s multi_queue, queues=%u needs it %s",
				name ? name : "(new)", tap->queues > 1 ? "without" : "with",
				tap->queues, tap->queues > 1 ? "with" : "without");
		else if (errno == EBUSY)
			log_error("--net: tap %s: somebody else uses it", name);
		else
			log_error("--net: tap %s: %m", name ? name : "(new)");
		return -1;
	}
	memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
	return set_headers(tap, queue);
}

/* Set it up if it is ours, and ask for its MTU: both through any socket. */
static int configure(struct tap *tap, bool created)
{
	struct ifreq ifr = { 0 };
	int ret = -1, s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(ifr.ifr_name, tap->name, sizeof(ifr.ifr_name));
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
		tap->mtu = (uint16_t)ifr.ifr_mtu;
out:
	if (ret < 0)
		log_error("--net: tap %s: %m", tap->name);
	if (s >= 0)
		close(s);
	return ret;
}

/* Open queue number `queue`; the first one settles the interface's name. */
static int open_queue(struct tap *tap, unsigned queue, const char *name)
{
	tap->fd[queue] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd[queue] < 0) {
		log_error("--net: /dev/net/tun: %m%s",
			  errno == ENOENT || errno == ENODEV ? "; load the module tun" : "");
		return -1;
	}
	return attach(tap, queue, queue == 0 ? name : tap->name);
}

int tap_open(struct tap *tap, const char *name, unsigned queues)
{
	bool created = !name || if_nametoindex(name) == 0;

	*tap = (struct tap){ .queues = queues };
	for (unsigned i = 0; i < queues; i++)
		if (open_queue(tap, i, name) < 0)
			return -1;
	if (tap_set_offload(tap, 0) < 0) {
		log_error("--net: tap %s: it does not take offloads: %m", tap->name);
		return -1;
	}
	if (configure(tap, created) < 0)
		return -1;
	log_verbose("network interface %s, MTU %u, %u queues", tap->name, tap->mtu, queues);
	return 0;
}

int tap_adopt(struct tap *tap, int fd)
{
	struct ifreq ifr = { 0 };
	int flags = fcntl(fd, F_GETFL);

	*tap = (struct tap){ .queues = 1, .fd[0] = fd };
	if (flags < 0) {
		log_error("--net: fd %d: %m; nobody passed it to us", fd);
		return -1;
	}
	if (ioctl(fd, TUNGETIFF, &ifr) < 0 || !(ifr.ifr_flags & IFF_TAP) ||
	    !(ifr.ifr_flags & IFF_VNET_HDR)) {
		log_error("--net: fd %d: not a tap interface opened with IFF_VNET_HDR", fd);
		return -1;
	}
	memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		log_error("--net: fd %d: %m", fd);
		return -1;
	}
	return set_headers(tap, 0) < 0 || configure(tap, false) < 0 ? -1 : 0;
}

void tap_close(struct tap *tap)
{
	for (unsigned i = 0; i < tap->queues; i++)
		close(tap->fd[i]);
}

int tap_use_queue(const struct tap *tap, unsigned queue, bool used)
{
	struct ifreq ifr = { .ifr_flags = used ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(tap->fd[queue], TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}

int tap_set_offload(const struct tap *tap, unsigned flags)
{
	return ioctl(tap->fd[0], TUNSETOFFLOAD, (unsigned long)flags) < 0 ? -errno : 0;
}
