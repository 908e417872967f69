/*
 * net-receive.c: from the tap into the guest.
 *
 * The tap is read directly into the guest's buffers. We take chains from the
 * ring ahead of the packets, until the next would fit, and give readv() all of
 * them; what it did not use stays held for the one after. The packets of a
 * round are published together, with at most one interrupt: "interrupt only when
 * no more packets are waiting, or the ring is full", without waiting for
 * anything; full is three quarters, so that the driver brings buffers while we
 * fill the rest. A driver that looks by itself meanwhile finds the first packet
 * at once, and then every quarter of a ring.
 *
 * If less is held than the largest packet needs, a spare buffer of ours
 * follows theirs. A packet that reaches into it is finished when the
 * guest brings more; nothing is cut off, dropped or read twice.
 *
 * Kicks are off except while the ring is empty and we wait for buffers. Those of
 * the transmit queue, which is this thread's as well, are off meanwhile: a
 * packet often is the question to which the driver sends the answer, and we look
 * for that ourselves before we rest.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ablate.h"
#include "log.h"
#include "net.h"

#define NUM_BUFFERS_OFFSET 10 /* in struct virtio_net_hdr_v1 */

#define CALM_MAX 256 /* packets of the MTU in a row after which no larger one is expected */

static struct virtio_queue *queue_of(struct net_pair *pair)
{
	return pair->receive_queue;
}

static void count_drop(struct virtio_queue *queue, counter_t *reason)
{
	counter_add(&queue->stats->dropped, 1);
	counter_add(reason, 1);
}

/* Is there room for one more chain? Two entries of the iovec stay free, for the spare
 * buffer and for a header of the backend's: a readv() of one too many would fail, again
 * and again. */
static bool can_hold(const struct net_receive *receive)
{
	return receive->held_count < NET_HELD_MAX &&
	       receive->iov_count + VIRTQUEUE_CHAIN_MAX + 2 <= NET_IOV_MAX;
}

/* Take one more chain; false if there is none, or no room to hold it. */
static bool hold_one(struct net_pair *pair)
{
	struct net_receive *receive = &pair->receive;
	struct chain chain = { .iov = receive->iov + receive->iov_count };

	if (!can_hold(receive) || !virtio_next(queue_of(pair), &chain))
		return false;
	if (chain.readable || chain.writable_len < TAP_HEADER) {
		virtio_break(&pair->net->device,
			     "receive buffer that cannot hold a packet's header");
		return false;
	}
	receive->held[receive->held_count++] = (struct net_held){ .head = chain.head,
								  .buffers = chain.writable,
								  .len = chain.writable_len };
	receive->iov_count += chain.writable;
	receive->held_len += chain.writable_len;
	return true;
}

/*
 * Hold enough for the next packet if the ring has it. Without merging, a packet
 * gets one chain. With it, nobody says how long the next one is: room for the
 * largest takes dozens of chains, which a stream of small packets would hand to
 * every single readv(). So large packets are expected for a while after one has
 * come, and otherwise left to the spare buffer, at the price of a copy.
 */
static void hold_ahead(struct net_pair *pair)
{
	struct net_receive *receive = &pair->receive;
	size_t need = receive->calm < CALM_MAX ? receive->need : receive->small;

	if (receive->mergeable)
		while (receive->held_len < need && hold_one(pair))
			;
	else if (receive->held_count == 0)
		hold_one(pair);
}

/* Set one field of the header, wherever the driver's buffers cut it. */
static void write_num_buffers(const struct net_receive *receive, unsigned count)
{
	uint8_t bytes[2] = { (uint8_t)count, (uint8_t)(count >> 8) };
	size_t at = NUM_BUFFERS_OFFSET;

	for (unsigned i = 0, done = 0; i < receive->iov_count && done < sizeof(bytes); i++) {
		const struct iovec *iov = &receive->iov[i];

		while (at < iov->iov_len && done < sizeof(bytes))
			((uint8_t *)iov->iov_base)[at++] = bytes[done++];
		at -= at < iov->iov_len ? at : iov->iov_len;
	}
}

/* The first held chains hold a packet of `len` bytes: give them back, keep the rest. */
static void deliver(struct net_pair *pair, size_t len)
{
	struct net_receive *receive = &pair->receive;
	unsigned chains = 0, buffers = 0;
	size_t covered = 0;

	while (covered < len) {
		covered += receive->held[chains].len;
		buffers += receive->held[chains].buffers;
		chains++;
	}
	write_num_buffers(receive, chains);
	for (unsigned i = 0; i < chains; i++) {
		const struct net_held *held = &receive->held[i];
		size_t part = len < held->len ? len : (size_t)held->len;

		virtio_done(queue_of(pair), held->head, (uint32_t)part, part);
		len -= part;
		receive->held_len -= held->len;
	}
	receive->held_count -= chains;
	receive->iov_count -= buffers;
	memmove(receive->held, receive->held + chains,
		receive->held_count * sizeof(receive->held[0]));
	memmove(receive->iov, receive->iov + buffers, receive->iov_count * sizeof(struct iovec));
	if (ablated(IDEA_IRQ_BATCH))
		virtio_publish(queue_of(pair));
}

/* Finish the packet whose end is in the spill; false while buffers are still missing. */
static bool unspill(struct net_pair *pair)
{
	struct net_receive *receive = &pair->receive;
	size_t len = receive->spill_from + receive->spill_len;

	while (receive->held_len < len && hold_one(pair))
		;
	if (receive->held_len < len) {
		/* All we can hold and still too little: such a packet never fits. */
		if (can_hold(receive))
			return false;
		count_drop(queue_of(pair), &queue_of(pair)->stats->dropped_too_long);
		receive->spill_len = 0;
		return true;
	}
	iov_write_at(receive->iov, receive->iov_count, receive->spill_from, receive->spill,
		     receive->spill_len);
	receive->spill_len = 0;
	deliver(pair, len);
	return true;
}

/* One packet; returns its length, 0 if it could not be delivered (yet), or -errno. */
static ssize_t read_packet(struct net_pair *pair)
{
	struct net_receive *receive = &pair->receive;
	unsigned count = receive->iov_count;
	bool tight = receive->held_len < receive->need;
	ssize_t len;

	/* The entry behind the last is free: can_hold() saw to it. */
	if (tight)
		receive->iov[count++] = (struct iovec){ .iov_base = receive->spill,
							.iov_len = sizeof(receive->spill) };
	len = net_fetch(pair, receive->iov, count);
	if (len < 0)
		return len;
	if (len <= TAP_HEADER) /* no frame in it */
		return 0;
	if ((size_t)len > receive->small)
		receive->calm = 0;
	else if (receive->calm < CALM_MAX)
		receive->calm++;
	if ((uint64_t)len <= receive->held_len) {
		deliver(pair, (size_t)len);
		return len;
	}
	/* Without merging a packet that outgrows its chain has no place at all:
	 * the driver chose its buffers too small, and the chain is used again. */
	if (receive->mergeable) {
		receive->spill_from = (size_t)receive->held_len;
		receive->spill_len = (size_t)len - receive->spill_from;
	} else {
		count_drop(queue_of(pair), &queue_of(pair)->stats->dropped_too_long);
	}
	return 0;
}

/* Is there room for a packet? If not, ask for a kick, and look once more. */
static bool have_buffers(struct net_pair *pair)
{
	struct net_receive *receive = &pair->receive;

	for (;;) {
		bool ready = receive->spill_len == 0 || unspill(pair);

		if (ready)
			hold_ahead(pair);
		if (ready && receive->held_count > 0)
			return true;
		receive->starving = true;
		counter_add(&queue_of(pair)->stats->starved, 1);
		if (!virtio_want_kicks(queue_of(pair)))
			return false;
		virtio_ignore_kicks(queue_of(pair));
		receive->starving = false;
	}
}

/*
 * Has the driver got most of its ring back without having been told? Then it is told,
 * though more packets wait: it can bring buffers while we fill the rest. An interrupt
 * every quarter cost a flooded guest a third of its packets, and none before the ring
 * is full a guest with a full tap a third of its own (docs/network.md).
 */
static bool is_ring_nearly_done(const struct virtio_queue *queue)
{
	const struct virtqueue *vq = &queue->vq;

	return (uint16_t)(vq->next_used - vq->published) >= vq->size - vq->size / 4;
}

/* What the tap has, up to the most one queue may take while others wait. */
static void receive_round(struct net_pair *pair)
{
	struct net_receive *receive = &pair->receive;
	size_t unpublished = 0; /* bytes */
	bool failed = false;

	if (receive->starving) {
		virtio_ignore_kicks(queue_of(pair));
		receive->starving = false;
	}
	for (unsigned i = 0; i < NET_ROUND_MAX; i++) {
		ssize_t len;

		if (unpublished >= NET_PUBLISH_BYTES || is_ring_nearly_done(queue_of(pair))) {
			virtio_publish(queue_of(pair));
			unpublished = 0;
		} else if (i == 1 || i % NET_SHOW_PACKETS == 0) {
			virtio_show(queue_of(pair));
		}
		if (virtio_is_broken(&pair->net->device) || !have_buffers(pair))
			return;
		len = read_packet(pair);
		if (len == -EAGAIN) /* the watch calls again when there is more */
			return;
		if (len == -EBADFD) {
			net_lose_link(pair->net);
			return;
		}
		/* Twice in a row is no accident: not before something has changed. */
		if (len < 0 && failed)
			return;
		failed = len < 0;
		unpublished += len > 0 ? (size_t)len : 0;
	}
	loop_again(virtio_loop(queue_of(pair)), &receive->again);
}

void net_receive(struct net_pair *pair)
{
	struct virtio_queue *transmit = pair->transmit_queue;

	if (pair->receive.again.busy || net_link_is_down(pair->net) || !queue_of(pair)->running)
		return;
	if (transmit->running)
		virtio_ignore_kicks(transmit);
	receive_round(pair);
	if (virtio_is_broken(&pair->net->device))
		return;
	/* The driver may begin with what came while we look what it has to send. */
	virtio_publish(queue_of(pair));
	net_transmit(pair); /* and there kicks are wanted again */
}

static void receive_again(struct loop_op *op, int result)
{
	(void)result;
	net_receive(loop_op_owner(op, struct net_pair, receive.again));
}

void net_receive_init(struct net_pair *pair)
{
	pair->receive.again.done = receive_again;
}

/* The driver is there: how much must be held depends on what it can take. */
void net_receive_start(struct net_pair *pair)
{
	struct net_receive *receive = &pair->receive;
	bool large = virtio_has(&pair->net->device, VIRTIO_NET_F_GUEST_TSO4) ||
		     virtio_has(&pair->net->device, VIRTIO_NET_F_GUEST_TSO6) ||
		     virtio_has(&pair->net->device, NET_F_GUEST_USO4) ||
		     virtio_has(&pair->net->device, NET_F_GUEST_USO6);

	receive->mergeable = virtio_has(&pair->net->device, VIRTIO_NET_F_MRG_RXBUF);
	/* 14 bytes of Ethernet header and 4 of a VLAN tag. */
	receive->small = (size_t)pair->net->wire.mtu + 18 + TAP_HEADER;
	receive->need = large ? NET_PACKET_MAX : receive->small;
	receive->calm = 0;
	receive->held_count = receive->iov_count = 0;
	receive->held_len = 0;
	receive->spill_len = 0;
	receive->starving = false;
	virtio_ignore_kicks(queue_of(pair));
}

void net_receive_stop(struct net_pair *pair)
{
	loop_await(virtio_loop(queue_of(pair)), &pair->receive.again);
}
