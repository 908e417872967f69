/*
 * net-link.c: what the driver learns of the wire, and the wire of the driver.
 *
 * The features that the backend makes possible and the configuration space; then,
 * while the guest runs, what it can take unfinished, how many pairs of queues it
 * uses, and whether its link is up. Called by net.c and net-control.c, and by the
 * roads of a packet when the wire fails them.
 *
 * Source: virtio 1.2, 5.1.3 to 5.1.6.
 */
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ablate.h"
#include "log.h"
#include "net-interface.h"
#include "net.h"
#include "tap.h"

/* --- What is offered --- */

static const uint64_t basic_features =
	BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MRG_RXBUF) |
	BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
	BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE);

/* Of a backend whose packets may be unfinished. */
static const uint64_t offload_features =
	BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
	BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) |
	BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |
	BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

static const uint64_t udp_features =
	BIT(NET_F_GUEST_USO4) | BIT(NET_F_GUEST_USO6) | BIT(NET_F_HOST_USO);

uint64_t net_features(const struct net *net)
{
	uint64_t features = basic_features;

	if (net->wire.backend->offloads)
		features |= offload_features;
	if (net->wire.udp_segments)
		features |= udp_features;
	if (net->pairs > 1)
		features |= BIT(VIRTIO_NET_F_MQ);
	if (ablated(IDEA_MRG_RXBUF))
		features &= ~BIT(VIRTIO_NET_F_MRG_RXBUF);
	return features;
}

int net_set_config(struct net *net, const struct net_options *options)
{
	struct virtio_net_config config = {
		.status = htole16(VIRTIO_NET_S_LINK_UP),
		.max_virtqueue_pairs = htole16((uint16_t)net->pairs),
		.mtu = htole16(net->wire.mtu),
	};

	_Static_assert(sizeof(config) <= VIRTIO_CONFIG_MAX, "the configuration fits");
	if (options->has_mac)
		memcpy(config.mac, options->mac, NET_MAC_LEN);
	else if (getrandom(config.mac, NET_MAC_LEN, 0) != NET_MAC_LEN)
		return -1;
	else /* locally administered, not a group */
		config.mac[0] = (uint8_t)((config.mac[0] & 0xfc) | 0x02);
	virtio_config_set(&net->device, 0, &config, sizeof(config));
	return 0;
}

/* --- What the driver asks for --- */

int net_set_offloads(struct net *net, uint64_t features)
{
	static const struct {
		unsigned feature, offload;
	} map[] = {
		{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM }, { VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 }, { VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
		{ NET_F_GUEST_USO4, TUN_F_USO4 },        { NET_F_GUEST_USO6, TUN_F_USO6 },
	};
	const unsigned uso = TUN_F_USO4 | TUN_F_USO6;
	unsigned offload = 0;

	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (features & BIT(map[i].feature))
			offload |= map[i].offload;
	/* Segmentation without checksums is a combination the tap refuses, and so
	 * is that of UDP over one of IPv4 and IPv6 alone. */
	if (!(offload & TUN_F_CSUM))
		offload = 0;
	if ((offload & uso) != uso)
		offload &= ~uso;
	return net->wire.backend->set_offload ? net->wire.backend->set_offload(&net->wire, offload)
					      : 0;
}

int net_use_pairs(struct net *net, unsigned pairs)
{
	int ret = 0;

	for (unsigned i = 1; i < net->pairs && ret == 0; i++) {
		bool used = i < pairs;

		if (used != (i < net->active_pairs))
			ret = net->wire.backend->use_queue(&net->wire, i, used);
	}
	if (ret == 0)
		net->active_pairs = pairs;
	return ret;
}

/* --- The link --- */

static const unsigned status_offset = offsetof(struct virtio_net_config, status);

void net_lose_link(struct net *net)
{
	if (atomic_exchange(&net->link_down, true))
		return;
	log_warning("%s: %s is gone; the guest's link is down", net->device.name, net->wire.name);
	virtio_config_flip(&net->device, status_offset, VIRTIO_NET_S_LINK_UP, 0);
	virtio_config_changed(&net->device);
}

void net_announce(struct net *net)
{
	if (!virtio_has(&net->device, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return;
	virtio_config_flip(&net->device, status_offset, 0, VIRTIO_NET_S_ANNOUNCE);
	virtio_config_changed(&net->device);
}

static void interface_changed(void *context)
{
	struct net *net = context;

	if (!net_interface_is_gone(&net->wire))
		return;
	net_lose_link(net);
	net_transmit_unblock(&net->pair[0]);
}

static void watch_interface_call(void *arg)
{
	struct net *net = arg;

	loop_watch(&net->device.threads[0].loop, &net->interface_watch, net->wire.watch_fd, POLLIN,
		   interface_changed, net);
}

void net_link_watch(struct net *net)
{
	if (net->wire.watch_fd >= 0)
		loop_call(&net->device.threads[0].loop, watch_interface_call, net);
}

void net_link_release(struct net *net)
{
	if (net->wire.watch_fd < 0)
		return;
	loop_unwatch(&net->interface_watch);
	close(net->wire.watch_fd);
}
