/*
 * net.c: virtio-net: its option, its features, its life.
 *
 * The packets travel in net-receive.c and net-transmit.c, the driver's commands
 * are answered in net-control.c; what the card is plugged into is a backend,
 * net-backend.h. Each pair of queues has a thread for both directions, and a queue
 * of the backend.
 *
 * Source: virtio 1.2, 5.1.
 */
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <netinet/ether.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ablate.h"
#include "device.h"
#include "log.h"
#include "net-interface.h"
#include "net.h"
#include "tap.h"

#define PCI_CLASS_ETHERNET 0x020000
#define MAC_LEN            6

#define SYNTAX "BACKEND[,mac=MAC][,queues=N][,busy-poll=N]"

#define BUSY_POLL_MAX 1000000

struct net_options {
	const struct net_backend *backend;
	const char *value; /* of its word, "t0" in "tap=t0"; may be NULL */
	bool has_mac;
	uint8_t mac[MAC_LEN];
	unsigned queues; /* pairs */
	unsigned busy_poll;
};

static struct net *of(struct virtio_device *device)
{
	return loop_op_owner(device, struct net, device);
}

/* --- The option --- */

static bool parse_mac(const char *text, uint8_t mac[MAC_LEN])
{
	struct ether_addr address;

	/* ether_aton_r() would take one digit for two: ask for the full form. */
	if (strlen(text) != 17 || !ether_aton_r(text, &address))
		return false;
	memcpy(mac, &address, MAC_LEN);
	return true;
}

static int parse_count(const struct suboption *part, unsigned min, unsigned max, unsigned *count)
{
	char *end;
	unsigned long value = strtoul(part->value, &end, 10);

	/* strtoul() would take a sign or spaces: we do not. */
	if (*part->value < '0' || *part->value > '9' || *end || value < min || value > max) {
		log_error("--net: %s '%s' is not a number from %u to %u", part->key, part->value,
			  min, max);
		return -1;
	}
	*count = (unsigned)value;
	return 0;
}

static int parse_part(struct net_options *options, const struct suboption *part)
{
	if (part->value && strcmp(part->key, "mac") == 0) {
		/* The lowest bit of the first byte marks a group, which no card is. */
		if (!parse_mac(part->value, options->mac) || (options->mac[0] & 1)) {
			log_error("--net: mac '%s' is not the address of a card, like "
				  "02:00:00:00:00:01",
				  part->value);
			return -1;
		}
		options->has_mac = true;
		return 0;
	}
	if (part->value && strcmp(part->key, "queues") == 0)
		return parse_count(part, 1, NET_PAIRS_MAX, &options->queues);
	if (part->value && strcmp(part->key, "busy-poll") == 0)
		return parse_count(part, 0, BUSY_POLL_MAX, &options->busy_poll);
	log_error("--net: unknown part '%s'; takes " SYNTAX "", part->key);
	return -1;
}

/* The words that may come first, for those who came with another. */
static void refuse_backend(const char *word)
{
	char all[200] = "";

	for (unsigned i = 0; net_backends[i]; i++) {
		strcat(all, i == 0 ? "" : ", ");
		strcat(all, net_backends[i]->syntax);
	}
	log_error("--net: unknown network '%s'; takes one of %s", word, all);
}

static int parse_backend(struct net_options *options, const struct suboption *part)
{
	unsigned i = 0;

	while (net_backends[i] && strcmp(net_backends[i]->key, part->key) != 0)
		i++;
	if (!net_backends[i]) {
		refuse_backend(part->key);
		return -1;
	}
	options->backend = net_backends[i];
	options->value = part->value;
	return options->backend->accepts(part->value) ? 0 : -1;
}

static void *parse(const char *text)
{
	struct net_options *options = device_allocate("--net", sizeof(*options) + strlen(text) + 1);
	struct suboption part;
	char *rest;
	int ret;

	if (!options)
		return NULL;
	options->queues = 1;
	rest = strcpy((char *)(options + 1), text);
	suboption_next(&rest, &part);
	ret = parse_backend(options, &part);
	while (ret == 0 && suboption_next(&rest, &part))
		ret = parse_part(options, &part);
	if (ret == 0 && !options->backend->multiqueue && options->queues > 1) {
		log_error("--net: queues %u: %s has only one", options->queues,
			  options->backend->syntax);
		ret = -1;
	}
	if (ret < 0) {
		free(options);
		return NULL;
	}
	return options;
}

/* --- Life --- */

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

static void start(struct virtio_device *device)
{
	struct net *net = of(device);
	int ret = net_set_offloads(net, device->accepted);

	/* A driver that does not know of several pairs has its control queue
	 * behind the first (5.1.2). */
	net->control = &device->queues[virtio_has(device, VIRTIO_NET_F_MQ) ? 2 * net->pairs : 2];

	if (ret < 0 && !net_link_is_down(net))
		log_warning("%s: %s takes no offloads: %s", device->name, net->wire.name,
			    strerror(-ret));
	if (net->wire.backend->prepare) {
		ret = net->wire.backend->prepare(&net->wire, device);
		if (ret < 0) {
			log_error("%s: %s: %s", device->name, net->wire.backend->key,
				  strerror(-ret));
			virtio_break(device, "no backend for what it accepted");
		}
	}
	/* One pair, until the driver asks for more (5.1.6.5.5). */
	ret = net_use_pairs(net, 1);
	if (ret < 0 && !net_link_is_down(net))
		log_warning("%s: %s keeps its queues: %s", device->name, net->wire.name,
			    strerror(-ret));
}

static void tap_ready(void *context)
{
	struct net_pair *pair = context;

	net_receive(pair);
	if (net_link_is_down(pair->net))
		net_transmit_unblock(pair);
}

static void interface_changed(void *context)
{
	struct net *net = context;

	if (!net_interface_is_gone(&net->wire))
		return;
	net_lose_link(net);
	net_transmit_unblock(&net->pair[0]);
}

/*
 * The pair a data queue belongs to; NULL for the control queue, and for those
 * a driver has no business with because it did not accept VIRTIO_NET_F_MQ.
 */
static struct net_pair *pair_of(struct net *net, unsigned index)
{
	unsigned usable = virtio_has(&net->device, VIRTIO_NET_F_MQ) ? net->pairs : 1;

	return index / 2 < usable ? &net->pair[index / 2] : NULL;
}

static bool is_receive(unsigned index)
{
	return index % 2 == 0;
}

static bool is_control(const struct net *net, unsigned index)
{
	return index == net->control->index;
}

/* The backend serves this queue, or cannot. */
static void lend(struct net *net, struct virtio_queue *queue)
{
	int ret;

	virtio_ignore_doorbell(queue);
	ret = net->wire.backend->lend(&net->wire, queue);
	if (ret < 0) {
		log_error("%s: %s cannot serve queue %u: %s", net->device.name,
			  net->wire.backend->key, queue->index, strerror(-ret));
		virtio_break(&net->device, "no backend for its queue");
	}
}

static void queue_start(struct virtio_device *device, unsigned index)
{
	struct net *net = of(device);
	struct net_pair *pair = pair_of(net, index);

	if (pair && net->wire.backend->lend) {
		lend(net, &device->queues[index]);
		return;
	}
	if (!pair || !is_receive(index))
		return;
	net_receive_start(pair);
	loop_watch(virtio_loop(pair->receive_queue), &pair->tap_watch, pair->fd, POLLIN, tap_ready,
		   pair);
}

static void kick(struct virtio_device *device, unsigned index)
{
	struct net *net = of(device);
	struct net_pair *pair = pair_of(net, index);

	if (is_control(net, index))
		net_control(net);
	else if (pair && net->wire.backend->lend) /* of what came before it was lent */
		virtio_kick(&device->queues[index]);
	else if (pair && is_receive(index))
		net_receive(pair);
	else if (pair)
		net_transmit(pair);
}

static void queue_stop(struct virtio_device *device, unsigned index)
{
	struct net *net = of(device);
	struct net_pair *pair = pair_of(net, index);

	device->queues[index].running = false; /* what drains must not start anew */
	if (is_control(net, index)) {
		net_control_stop(net);
	} else if (pair && net->wire.backend->lend) {
		net->wire.backend->take_back(&net->wire, &device->queues[index]);
		virtio_watch_doorbell(&device->queues[index]);
	} else if (pair && is_receive(index)) {
		loop_unwatch(&pair->tap_watch);
		net_receive_stop(pair);
	} else if (pair) {
		net_transmit_stop(pair);
		if (net->wire.backend->forget)
			net->wire.backend->forget(&net->wire, index / 2);
	}
}

static void irq_changed(struct virtio_device *device, unsigned index)
{
	struct net *net = of(device);

	if (pair_of(net, index) && net->wire.backend->reroute)
		net->wire.backend->reroute(&net->wire, &device->queues[index]);
}

static void release(struct virtio_device *device)
{
	struct net *net = of(device);

	if (net->wire.watch_fd >= 0) {
		loop_unwatch(&net->interface_watch);
		close(net->wire.watch_fd);
	}
	net->wire.backend->close(&net->wire);
}

static const struct virtio_class net_class = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.pci_class = PCI_CLASS_ETHERNET,
	.config_size = sizeof(struct virtio_net_config),
	.start = start,
	.queue_start = queue_start,
	.kick = kick,
	.queue_stop = queue_stop,
	.irq_changed = irq_changed,
	.release = release,
};

static const uint64_t net_features =
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

static uint64_t features_of(const struct net *net)
{
	uint64_t features = net_features;

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

static int set_config(struct net *net, const struct net_options *options)
{
	struct virtio_net_config config = {
		.status = htole16(VIRTIO_NET_S_LINK_UP),
		.max_virtqueue_pairs = htole16((uint16_t)net->pairs),
		.mtu = htole16(net->wire.mtu),
	};

	_Static_assert(sizeof(config) <= VIRTIO_CONFIG_MAX, "the configuration fits");
	if (options->has_mac)
		memcpy(config.mac, options->mac, MAC_LEN);
	else if (getrandom(config.mac, MAC_LEN, 0) != MAC_LEN)
		return -1;
	else /* locally administered, not a group */
		config.mac[0] = (uint8_t)((config.mac[0] & 0xfc) | 0x02);
	virtio_config_set(&net->device, 0, &config, sizeof(config));
	return 0;
}

static void init_pairs(struct net *net)
{
	for (unsigned i = 0; i < net->pairs; i++) {
		struct net_pair *pair = &net->pair[i];

		pair->net = net;
		pair->fd = net->wire.fd[i];
		pair->receive_queue = &net->device.queues[2 * i];
		pair->transmit_queue = &net->device.queues[2 * i + 1];
		net_receive_init(pair);
		net_transmit_init(pair);
	}
	net->active_pairs = net->pairs; /* as a tap attaches its queues */
}

/* Each pair its thread; the control queue goes with the first. */
static unsigned thread_of(unsigned index, unsigned threads)
{
	return index / 2 < threads ? index / 2 : 0;
}

static void watch_interface_call(void *arg)
{
	struct net *net = arg;

	loop_watch(&net->device.threads[0].loop, &net->interface_watch, net->wire.watch_fd, POLLIN,
		   interface_changed, net);
}

static struct virtio_device *create(unsigned index, const void *options,
				    const struct memory *memory, struct stream *terminal)
{
	const struct net_options *wanted = options;
	const struct net_backend *backend = wanted->backend;
	struct virtio_setup setup = {
		.index = index,
		.memory = memory,
		.queues = 2 * wanted->queues + 1,
		.threads = wanted->queues,
		.thread_of = thread_of,
	};
	struct net *net = device_allocate("--net", sizeof(*net));

	(void)terminal;
	if (!net)
		return NULL;
	net->pairs = wanted->queues;
	net->wire = (struct net_wire){ .backend = backend, .queues = net->pairs, .watch_fd = -1 };
	if (backend->open(&net->wire, wanted->value) < 0) {
		free(net);
		return NULL;
	}
	init_pairs(net);
	net_control_init(net);
	setup.features = features_of(net);
	if (virtio_init(&net->device, &net_class, &setup) < 0 || set_config(net, wanted) < 0) {
		free(net);
		return NULL;
	}
	for (unsigned i = 0; i < 2 * net->pairs; i++)
		net->device.queues[i].busy_poll = wanted->busy_poll;
	if (net->wire.watch_fd >= 0)
		loop_call(&net->device.threads[0].loop, watch_interface_call, net);
	return &net->device;
}

static bool choice(unsigned index, const char **syntax, const char **help)
{
	const struct net_backend *backend = net_backends[index];

	if (backend) {
		*syntax = backend->syntax;
		*help = backend->help;
	}
	return backend;
}

static const struct sandbox_rule needs[] = {
	SANDBOX_CALL(readv),
	SANDBOX_CALL(writev),
	SANDBOX_END,
};

static const struct sandbox_rule *choice_needs(unsigned index)
{
	static const struct sandbox_rule none[] = { SANDBOX_END };
	const struct net_backend *backend = net_backends[index];

	if (!backend)
		return NULL;
	return backend->needs ? backend->needs : none;
}

const struct device_type net_device = {
	.name = "net",
	.option = "net",
	.letter = 'n',
	.syntax = SYNTAX,
	.help = "network card; repeatable. BACKEND is one of",
	.choice = choice,
	.parse = parse,
	.create = create,
	.needs = needs,
	.choice_needs = choice_needs,
};
