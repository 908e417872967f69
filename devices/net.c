/*
 * net.c: virtio-net: its life, from creation to release, and whose each queue is.
 *
 * The option is read in net-options.c, and what the driver may know and ask of the
 * wire is in net-link.c. The packets travel in net-receive.c and net-transmit.c, the
 * driver's commands are answered in net-control.c; what the card is plugged into is
 * a backend, net-backend.h. Each pair of queues has a thread for both directions,
 * and a queue of the backend.
 *
 * Source: virtio 1.2, 5.1.
 */
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "log.h"
#include "net.h"

#define PCI_CLASS_ETHERNET 0x020000

static struct net *of(struct virtio_device *device)
{
	return loop_op_owner(device, struct net, device);
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

	net_link_release(net);
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
		free(net->wire.state);
		free(net);
		return NULL;
	}
	init_pairs(net);
	net_control_init(net);
	setup.features = net_features(net);
	if (virtio_init(&net->device, &net_class, &setup) < 0 || net_set_config(net, wanted) < 0) {
		free(net);
		return NULL;
	}
	for (unsigned i = 0; i < 2 * net->pairs; i++)
		net->device.queues[i].busy_poll = wanted->busy_poll;
	net_link_watch(net);
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
	.syntax = NET_SYNTAX,
	.help = "network card; repeatable. BACKEND is one of",
	.choice = choice,
	.parse = net_parse,
	.create = create,
	.needs = needs,
	.choice_needs = choice_needs,
};
