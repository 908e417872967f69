/*
 * net-transmit.c: from the guest into the tap.
 *
 * A chain's buffers go to the tap as they are, header first: what the guest
 * left unfinished (a checksum, the segmentation of a large packet) the host's
 * kernel finishes, if ever needed.
 *
 * We take what the ring has, up to a batch. A few packets are written at
 * once, each by writev(): the shortest way there is. Many go to io_uring
 * together, one system call for all. From four packets on that is quicker,
 * and the more the better; for large ones the call is nothing beside the
 * copy, and they had better not wait for each other (docs/network.md has the
 * figures).
 *
 * A full tap is not a reason to drop: the packets wait, the ring is not read
 * meanwhile, and the loop calls when there is room.
 */
#include <errno.h>
#include <poll.h>

#include "ablate.h"
#include "net.h"

#define ETHERNET_HEADER 14

/* From how many packets on they go together, and how long they may be on average. */
#define TOGETHER_MIN   4
#define TOGETHER_BYTES 4096

static struct virtio_queue *queue_of(struct net_pair *pair)
{
	return pair->transmit_queue;
}

/* Why the tap did not take a packet; it is lost as on any wire. */
static void count_loss(struct net_pair *pair, int error)
{
	struct virtio_queue_stats *stats = queue_of(pair)->stats;

	counter_add(&stats->dropped, 1);
	pair->transmit.was_down = error == EIO || error == ENETDOWN;
	switch (error) {
	case EBADFD: /* the interface is gone */
		net_lose_link(pair->net);
		counter_add(&stats->dropped_down, 1);
		break;
	case EIO: /* it is down */
	case ENETDOWN:
	case ENXIO:
		counter_add(&stats->dropped_down, 1);
		break;
	case ENOBUFS:
	case ENOMEM:
		counter_add(&stats->dropped_no_memory, 1);
		break;
	default: /* EINVAL: the header the guest wrote makes no sense */
		counter_add(&stats->dropped_invalid, 1);
	}
}

/* The tap's answer, as of writev(): false if it is full, and the packet still ours. */
static bool finish(struct net_packet *packet, ssize_t result)
{
	struct virtio_queue *queue = queue_of(packet->pair);

	if (result == -EAGAIN || result == -ECANCELED) {
		packet->waiting = true;
		return false;
	}
	if (result < 0) {
		count_loss(packet->pair, (int)-result);
	} else if (packet->pair->transmit.was_down) {
		packet->pair->transmit.was_down = false;
		net_announce(packet->pair->net);
	}
	virtio_done(queue, packet->chain.head, 0, packet->chain.readable_len);
	packet->waiting = false;
	if (ablated(IDEA_IRQ_BATCH))
		virtio_publish(queue);
	return true;
}

static bool send_now(struct net_packet *packet)
{
	const struct chain *chain = &packet->chain;

	return finish(packet, net_send(packet->pair, chain->iov, chain->readable));
}

/* Wait for room in the tap, with the packets that are left. */
static void wait_for_room(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;

	counter_add(&queue_of(pair)->stats->backend_full, 1);
	loop_poll(virtio_loop(queue_of(pair)), &transmit->room, pair->fd, POLLOUT);
}

/* Only those the tap did not take stay, in order. */
static void keep_waiting(struct net_transmit *transmit)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < transmit->count; i++)
		if (transmit->packets[i].waiting)
			transmit->packets[kept++] = transmit->packets[i];
	transmit->count = kept;
}

/* One after the other, as far as the tap takes them; false if it is full. */
static bool send_each(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;
	uint64_t unpublished = 0;

	for (unsigned i = 0; i < transmit->count; i++) {
		if (!send_now(&transmit->packets[i])) {
			for (unsigned j = i; j < transmit->count; j++)
				transmit->packets[j].waiting = true;
			keep_waiting(transmit);
			wait_for_room(pair);
			return false;
		}
		/* Large packets take their time; the driver may have those that are done. */
		unpublished += transmit->packets[i].chain.readable_len;
		if (unpublished >= NET_PUBLISH_BYTES) {
			virtio_publish(queue_of(pair));
			unpublished = 0;
		}
	}
	transmit->count = 0;
	return true;
}

static void packet_done(struct loop_op *op, int result)
{
	struct net_packet *packet = loop_op_owner(op, struct net_packet, op);
	struct net_pair *pair = packet->pair;
	struct net_transmit *transmit = &pair->transmit;

	finish(packet, result);
	if (--transmit->in_flight > 0)
		return;
	keep_waiting(transmit);
	if (!queue_of(pair)->running)
		return;
	if (transmit->count > 0)
		wait_for_room(pair);
	else
		net_transmit(pair);
}

/* All at once. A tap with room takes them in order, before the call returns. */
static void send_together(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;

	for (unsigned i = 0; i < transmit->count; i++) {
		struct net_packet *packet = &transmit->packets[i];

		packet->op.done = packet_done;
		transmit->in_flight++;
		loop_writev(virtio_loop(queue_of(pair)), &packet->op, pair->fd, packet->chain.iov,
			    packet->chain.readable, 0, 0);
	}
}

/* Take a batch from the ring; returns how many chains that were. */
static unsigned take(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;
	unsigned taken, iov_count = 0;

	transmit->bytes = 0;
	for (taken = 0; taken < NET_BATCH_MAX && iov_count <= NET_IOV_MAX; taken++) {
		struct net_packet *packet = &transmit->packets[transmit->count];
		struct chain *chain = &packet->chain;

		chain->iov = transmit->iov + iov_count;
		if (!virtio_next(queue_of(pair), chain))
			break;
		/* Too short for a frame: there is nothing to send. */
		if (chain->readable_len < TAP_HEADER + ETHERNET_HEADER) {
			virtio_done(queue_of(pair), chain->head, 0, 0);
			continue;
		}
		packet->pair = pair;
		packet->waiting = false;
		iov_count += chain->readable;
		transmit->bytes += chain->readable_len;
		transmit->count++;
	}
	return taken;
}

/* The ring knows no other way to send than to write. */
static bool is_worth_a_ring(const struct net_pair *pair)
{
	const struct net_transmit *transmit = &pair->transmit;

	return !ablated(IDEA_BATCH) && transmit->count >= TOGETHER_MIN && !pair->net->wire.send &&
	       transmit->bytes <= (uint64_t)transmit->count * TOGETHER_BYTES;
}

void net_transmit(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;
	struct virtio_queue *queue = queue_of(pair);
	unsigned taken, round = 0;

	if (transmit->count > 0 || transmit->again.busy || !queue->running)
		return;
	virtio_ignore_kicks(queue);
	do {
		while (round < NET_ROUND_MAX && (taken = take(pair)) > 0) {
			round += taken;
			if (is_worth_a_ring(pair)) {
				send_together(pair);
				return;
			}
			if (!send_each(pair))
				return;
		}
		if (round >= NET_ROUND_MAX) {
			loop_again(virtio_loop(queue), &transmit->again);
			return;
		}
	} while (virtio_want_kicks(queue));
}

static void room_again(struct loop_op *op, int result)
{
	struct net_pair *pair = loop_op_owner(op, struct net_pair, transmit.room);

	/* Without a link there will be no room, and no need of any. */
	if ((result == -ECANCELED && !net_link_is_down(pair->net)) || !queue_of(pair)->running ||
	    virtio_is_broken(&pair->net->device))
		return;
	if (send_each(pair))
		net_transmit(pair);
}

static void transmit_again(struct loop_op *op, int result)
{
	(void)result;
	net_transmit(loop_op_owner(op, struct net_pair, transmit.again));
}

void net_transmit_init(struct net_pair *pair)
{
	pair->transmit.room.done = room_again;
	pair->transmit.again.done = transmit_again;
}

void net_transmit_unblock(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;
	struct loop *loop = virtio_loop(queue_of(pair));

	loop_cancel(loop, &transmit->room);
	for (unsigned i = 0; i < transmit->count; i++)
		loop_cancel(loop, &transmit->packets[i].op);
}

void net_transmit_stop(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;
	struct loop *loop = virtio_loop(queue_of(pair));

	net_transmit_unblock(pair);
	loop_await(loop, &transmit->room);
	loop_drain(loop, &transmit->in_flight);
	loop_await(loop, &transmit->again);
	transmit->count = 0;
}
