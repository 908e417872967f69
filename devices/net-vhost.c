/*
 * net-vhost.c: the backend `vhost`, a tap whose packets the kernel moves.
 *
 * /dev/vhost-net gets what our own thread would use: the guest's memory, the
 * rings, the doorbell's eventfd and the interrupt's. From then on a thread of
 * the kernel walks the rings. Everything else stays ours: configuration, the
 * control queue, starting and stopping, and what is done about a driver that
 * breaks the rules, of which vhost tells by another eventfd.
 *
 * A guest without MSI-X asks why it was interrupted, and vhost knows nothing
 * of that register: then its eventfd comes to us, and we pass it on.
 *
 * net.c calls in, on the threads of the pairs. Each pair has a vhost of its
 * own, with receiving as ring 0 and transmitting as ring 1.
 *
 * Source: linux/vhost.h, and drivers/vhost in Linux.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "net-interface.h"
#include "tap.h"
#include "virtio.h"

#define RINGS 2

/* What changes the rings or the headers, so that vhost must know of it. */
#define RING_FEATURES                                                                              \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) |                                  \
	 BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_NET_F_MRG_RXBUF))

struct vhost {
	struct vhost_pair {
		int fd;
		struct vhost_ring {
			struct virtio_queue *queue; /* while it is lent to us */
			int relay_fd, error_fd;     /* eventfds, owned */
			struct loop_watch relay_watch, error_watch;
		} ring[RINGS];
	} pair[NET_PAIRS_MAX];
};

static struct vhost_pair *pair_of(struct net_wire *wire, const struct virtio_queue *queue)
{
	struct vhost *vhost = wire->state;

	return &vhost->pair[queue->index / RINGS];
}

/* Give ring `index` this descriptor, -1 for none, in one of several roles. */
static int set_file(const struct vhost_pair *pair, unsigned long role, unsigned index, int fd)
{
	struct vhost_vring_file file = { .index = index, .fd = fd };

	return ioctl(pair->fd, role, &file) < 0 ? -errno : 0;
}

/* --- Interrupts and errors --- */

static void relay_interrupt(void *context)
{
	const struct vhost_ring *ring = context;

	virtio_interrupt(ring->queue);
}

static int route(const struct vhost_pair *pair, const struct virtio_queue *queue)
{
	unsigned index = queue->index % RINGS;
	int fd = queue->irq ? queue->irq->fd : -1;

	if (atomic_load(&queue->device->uses_isr))
		fd = pair->ring[index].relay_fd;
	return set_file(pair, VHOST_SET_VRING_CALL, index, fd);
}

static void vhost_reroute(struct net_wire *wire, struct virtio_queue *queue)
{
	int ret = route(pair_of(wire, queue), queue);

	if (ret < 0)
		log_warning("%s: vhost keeps its interrupt: %s", queue->device->name,
			    strerror(-ret));
}

static void ring_is_broken(void *context)
{
	const struct vhost_ring *ring = context;

	virtio_break(ring->queue->device, "vhost cannot make sense of its ring");
}

/* --- Lending a queue and taking it back --- */

static int set_ring(const struct vhost_pair *pair, const struct virtio_queue *queue)
{
	unsigned index = queue->index % RINGS;
	struct vhost_vring_state size = { .index = index, .num = queue->vq.size };
	struct vhost_vring_state base = { .index = index }; /* fresh rings start at 0 */
	struct vhost_vring_addr address = {
		.index = index,
		.desc_user_addr = (uintptr_t)queue->vq.desc,
		.avail_user_addr = (uintptr_t)queue->vq.avail,
		.used_user_addr = (uintptr_t)queue->vq.used,
	};

	if (ioctl(pair->fd, VHOST_SET_VRING_NUM, &size) < 0 ||
	    ioctl(pair->fd, VHOST_SET_VRING_BASE, &base) < 0 ||
	    ioctl(pair->fd, VHOST_SET_VRING_ADDR, &address) < 0)
		return -errno;
	return 0;
}

static int vhost_lend(struct net_wire *wire, struct virtio_queue *queue)
{
	struct vhost_pair *pair = pair_of(wire, queue);
	unsigned index = queue->index % RINGS;
	struct vhost_ring *ring = &pair->ring[index];
	struct loop *loop = virtio_loop(queue);
	int ret = set_ring(pair, queue);

	ring->queue = queue;
	loop_watch(loop, &ring->relay_watch, ring->relay_fd, POLLIN, relay_interrupt, ring);
	loop_watch(loop, &ring->error_watch, ring->error_fd, POLLIN, ring_is_broken, ring);
	if (ret == 0)
		ret = route(pair, queue);
	if (ret == 0)
		ret = set_file(pair, VHOST_SET_VRING_ERR, index, ring->error_fd);
	if (ret == 0)
		ret = set_file(pair, VHOST_SET_VRING_KICK, index, queue->kick_fd);
	if (ret == 0) /* the last thing: from here on it runs */
		ret = set_file(pair, VHOST_NET_SET_BACKEND, index, wire->fd[queue->index / RINGS]);
	return ret;
}

/* What an eventfd told of one life means nothing in the next. */
static void forget_signals(int eventfd)
{
	uint64_t count;

	while (read(eventfd, &count, sizeof(count)) > 0)
		;
}

static void vhost_take_back(struct net_wire *wire, struct virtio_queue *queue)
{
	struct vhost_pair *pair = pair_of(wire, queue);
	unsigned index = queue->index % RINGS;
	struct vhost_ring *ring = &pair->ring[index];

	/* It returns when what was in flight is done, and that is all. */
	set_file(pair, VHOST_NET_SET_BACKEND, index, -1);
	set_file(pair, VHOST_SET_VRING_KICK, index, -1);
	set_file(pair, VHOST_SET_VRING_CALL, index, -1);
	set_file(pair, VHOST_SET_VRING_ERR, index, -1);
	loop_unwatch(&ring->relay_watch);
	loop_unwatch(&ring->error_watch);
	forget_signals(ring->relay_fd);
	forget_signals(ring->error_fd);
	ring->queue = NULL;
}

/* --- Opening, and what the driver accepted --- */

static int prepare_pair(const struct vhost_pair *pair, const struct virtio_device *device)
{
	const struct memory_region *regions[] = { &device->memory->low, &device->memory->high };
	uint64_t features = device->accepted & RING_FEATURES;
	/* The table, and room for the regions that follow it. */
	union {
		struct vhost_memory table;
		uint8_t room[sizeof(struct vhost_memory) + 2 * sizeof(struct vhost_memory_region)];
	} memory = { 0 };

	for (unsigned i = 0; i < 2; i++)
		if (regions[i]->size)
			memory.table.regions[memory.table.nregions++] =
				(struct vhost_memory_region){
					.guest_phys_addr = regions[i]->gpa,
					.memory_size = regions[i]->size,
					.userspace_addr = (uintptr_t)regions[i]->host,
				};
	if (ioctl(pair->fd, VHOST_SET_MEM_TABLE, &memory) < 0 ||
	    ioctl(pair->fd, VHOST_SET_FEATURES, &features) < 0)
		return -errno;
	return 0;
}

static int vhost_prepare(struct net_wire *wire, const struct virtio_device *device)
{
	struct vhost *vhost = wire->state;
	int ret = 0;

	for (unsigned i = 0; i < wire->queues && ret == 0; i++)
		ret = prepare_pair(&vhost->pair[i], device);
	return ret;
}

static int open_pair(struct vhost_pair *pair)
{
	uint64_t features = 0;

	pair->fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (pair->fd < 0 || ioctl(pair->fd, VHOST_SET_OWNER) < 0 ||
	    ioctl(pair->fd, VHOST_GET_FEATURES, &features) < 0) {
		log_error("--net: /dev/vhost-net: %m%s",
			  errno == ENOENT || errno == ENODEV ? "; load the module vhost_net" : "");
		return -1;
	}
	if (RING_FEATURES & ~features) {
		log_error("--net: /dev/vhost-net: this kernel's is too old");
		return -1;
	}
	for (unsigned i = 0; i < RINGS; i++) {
		pair->ring[i].relay_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		pair->ring[i].error_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (pair->ring[i].relay_fd < 0 || pair->ring[i].error_fd < 0) {
			log_error("--net: vhost: %m");
			return -1;
		}
	}
	return 0;
}

static int vhost_open(struct net_wire *wire, const char *value)
{
	struct vhost *vhost = calloc(1, sizeof(*vhost));

	wire->state = vhost;
	if (!vhost) {
		log_error("--net: vhost: %m");
		return -1;
	}
	for (unsigned i = 0; i < wire->queues; i++)
		if (open_pair(&vhost->pair[i]) < 0)
			return -1;
	return tap_open(wire, value) < 0 || net_interface_watch(wire) < 0 ? -1 : 0;
}

static void vhost_close(struct net_wire *wire)
{
	struct vhost *vhost = wire->state;

	for (unsigned i = 0; i < wire->queues; i++) {
		for (unsigned j = 0; j < RINGS; j++) {
			close(vhost->pair[i].ring[j].relay_fd);
			close(vhost->pair[i].ring[j].error_fd);
		}
		close(vhost->pair[i].fd);
	}
	free(vhost);
	tap_close(wire);
}

static const struct sandbox_rule needs[] = {
	SANDBOX_IOCTL(TUNSETOFFLOAD),
	SANDBOX_IOCTL(TUNSETQUEUE),
	SANDBOX_IOCTL(VHOST_SET_MEM_TABLE),
	SANDBOX_IOCTL(VHOST_SET_FEATURES),
	SANDBOX_IOCTL(VHOST_SET_VRING_NUM),
	SANDBOX_IOCTL(VHOST_SET_VRING_BASE),
	SANDBOX_IOCTL(VHOST_SET_VRING_ADDR),
	SANDBOX_IOCTL(VHOST_SET_VRING_KICK),
	SANDBOX_IOCTL(VHOST_SET_VRING_CALL),
	SANDBOX_IOCTL(VHOST_SET_VRING_ERR),
	SANDBOX_IOCTL(VHOST_NET_SET_BACKEND),
	/* For net_interface_is_gone(). */
	SANDBOX_CALL(recvfrom),
	SANDBOX_IOCTL(SIOCGIFNAME),
	SANDBOX_END,
};

const struct net_backend net_vhost = {
	.key = "vhost",
	.syntax = "vhost[=NAME]",
	.help = "a tap that the kernel serves (/dev/vhost-net)",
	.offloads = true,
	.multiqueue = true,
	.accepts = tap_accepts,
	.open = vhost_open,
	.close = vhost_close,
	.set_offload = tap_set_offload,
	.use_queue = tap_use_queue,
	.prepare = vhost_prepare,
	.lend = vhost_lend,
	.take_back = vhost_take_back,
	.reroute = vhost_reroute,
	.needs = needs,
};
