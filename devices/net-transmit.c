/*
 * net-transmit.c: from the guest into the tap.
 *
 * The chain's buffers go to writev() as they are, header first: what the
 * guest left unfinished (a checksum, the segmentation of a large packet) the
 * host's kernel finishes, if ever needed. A full tap is not a reason to drop:
 * the chain waits, the ring is not read meanwhile, and the loop calls when
 * there is room.
 */
#include <errno.h>
#include <poll.h>
#include <sys/uio.h>

#include "net.h"

#define ETHERNET_HEADER 14

static struct virtio_queue *queue_of(struct net_pair *pair)
{
	return pair->transmit_queue;
}

/* Why the tap did not take a packet; it is lost as on any wire. */
static void count_loss(struct net_pair *pair, int error)
{
	struct virtio_queue_stats *stats = queue_of(pair)->stats;

	counter_add(&stats->dropped, 1);
	switch (error) {
	case EBADFD: /* the interface is gone */
		net_lose_link(pair->net);
		counter_add(&stats->dropped_down, 1);
		break;
	case EIO: /* it is down */
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

/* Send it, or lose it as a network may; false only if the tap is full. */
static bool send_packet(struct net_pair *pair, const struct chain *chain)
{
	if (chain->readable_len >= TAP_HEADER + ETHERNET_HEADER &&
	    writev(pair->fd, chain->iov, (int)chain->readable) < 0) {
		if (errno == EAGAIN) {
			counter_add(&queue_of(pair)->stats->backend_full, 1);
			return false;
		}
		count_loss(pair, errno);
	}
	virtio_done(queue_of(pair), chain->head, 0, chain->readable_len);
	return true;
}

void net_transmit(struct net_pair *pair)
{
	struct net_transmit *transmit = &pair->transmit;
	struct virtio_queue *queue = queue_of(pair);
	struct chain chain = { .iov = transmit->iov };
	unsigned round = 0;

	if (transmit->is_waiting || transmit->again.busy || !queue->running)
		return;
	virtio_ignore_kicks(queue);
	do {
		while (round < NET_ROUND_MAX && virtio_next(queue, &chain)) {
			round++;
			if (!send_packet(pair, &chain)) {
				transmit->waiting = chain;
				transmit->is_waiting = true;
				loop_poll(virtio_loop(queue_of(pair)), &transmit->room, pair->fd,
					  POLLOUT);
				return;
			}
		}
		if (round == NET_ROUND_MAX) {
			loop_again(virtio_loop(queue_of(pair)), &transmit->again);
			return;
		}
	} while (virtio_want_kicks(queue));
}

static void room_again(struct loop_op *op, int result)
{
	struct net_pair *pair = loop_op_owner(op, struct net_pair, transmit.room);
	struct net_transmit *transmit = &pair->transmit;

	if (result == -ECANCELED || !queue_of(pair)->running ||
	    virtio_is_broken(&pair->net->device))
		return;
	if (!send_packet(pair, &transmit->waiting)) {
		loop_poll(virtio_loop(queue_of(pair)), &transmit->room, pair->fd, POLLOUT);
		return;
	}
	transmit->is_waiting = false;
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

void net_transmit_stop(struct net_pair *pair)
{
	loop_cancel(virtio_loop(queue_of(pair)), &pair->transmit.room);
	loop_await(virtio_loop(queue_of(pair)), &pair->transmit.room);
	loop_await(virtio_loop(queue_of(pair)), &pair->transmit.again);
	pair->transmit.is_waiting = false;
}
