/*
 * net-control.c: the control queue of virtio-net.
 *
 * A driver sends commands here: how many queue pairs it uses, which packets
 * it wants to see, what it can take unfinished. They are rare; the control
 * queue's thread answers them. Changing the number of pairs touches only the
 * tap, which is told to spread its packets over more or fewer queues: the
 * other threads notice nothing but that their packets stop or start.
 *
 * Source: virtio 1.2, 5.1.6.5.
 */
#include <endian.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "net.h"

#define ROUND_MAX 64 /* commands before the loop gets its turn */

/* What GUEST_OFFLOADS_SET may speak of. */
#define OFFLOADS                                                                                   \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                             \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(NET_F_GUEST_USO4) |      \
	 BIT(NET_F_GUEST_USO6))

/* A command without its header. */
struct command {
	struct iovec *iov;
	unsigned count;
	uint64_t len; /* bytes */
};

static uint8_t set_pairs(struct net *net, const struct command *command)
{
	struct virtio_net_ctrl_mq mq;
	unsigned pairs;

	if (!virtio_has(&net->device, VIRTIO_NET_F_MQ) ||
	    iov_read(command->iov, command->count, &mq, sizeof(mq)) < sizeof(mq))
		return VIRTIO_NET_ERR;
	pairs = le16toh(mq.virtqueue_pairs);
	if (pairs < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || pairs > net->pairs)
		return VIRTIO_NET_ERR;
	return net_use_pairs(net, pairs) < 0 ? VIRTIO_NET_ERR : VIRTIO_NET_OK;
}

static uint8_t set_mac(struct net *net, const struct command *command)
{
	uint8_t mac[6];

	if (iov_read(command->iov, command->count, mac, sizeof(mac)) < sizeof(mac))
		return VIRTIO_NET_ERR;
	virtio_config_set(&net->device, offsetof(struct virtio_net_config, mac), mac, sizeof(mac));
	return VIRTIO_NET_OK;
}

static uint8_t set_offloads(struct net *net, const struct command *command)
{
	uint64_t offloads;

	if (iov_read(command->iov, command->count, &offloads, sizeof(offloads)) < sizeof(offloads))
		return VIRTIO_NET_ERR;
	offloads = le64toh(offloads);
	/* Only what was negotiated may be switched on (5.1.6.5.6.1). */
	if (offloads & ~(net->device.accepted & OFFLOADS))
		return VIRTIO_NET_ERR;
	return net_set_offloads(net, offloads) < 0 ? VIRTIO_NET_ERR : VIRTIO_NET_OK;
}

/* The driver has seen that it should announce itself. */
static uint8_t acknowledge_announce(struct net *net)
{
	uint16_t status = virtio_config_flip(
		&net->device, offsetof(struct virtio_net_config, status), VIRTIO_NET_S_ANNOUNCE, 0);

	return status & VIRTIO_NET_S_ANNOUNCE ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
}

static uint8_t execute(struct net *net, const struct virtio_net_ctrl_hdr *header,
		       const struct command *command)
{
	switch (header->class) {
	case VIRTIO_NET_CTRL_RX:
		/* A tap shows every packet anyway: each filter is a promise to
		 * show at least some, which we keep. */
		return header->cmd <= VIRTIO_NET_CTRL_RX_NOBCAST && command->len >= 1
			       ? VIRTIO_NET_OK
			       : VIRTIO_NET_ERR;
	case VIRTIO_NET_CTRL_MAC:
		if (header->cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET)
			return set_mac(net, command);
		return header->cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET ? VIRTIO_NET_OK
								    : VIRTIO_NET_ERR;
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return header->cmd == VIRTIO_NET_CTRL_ANNOUNCE_ACK ? acknowledge_announce(net)
								   : VIRTIO_NET_ERR;
	case VIRTIO_NET_CTRL_MQ:
		return header->cmd == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ? set_pairs(net, command)
								      : VIRTIO_NET_ERR;
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return header->cmd == VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET
			       ? set_offloads(net, command)
			       : VIRTIO_NET_ERR;
	default:
		return VIRTIO_NET_ERR;
	}
}

static void serve_command(struct net *net, const struct chain *chain)
{
	struct command command = { .iov = chain->iov, .count = chain->readable };
	struct virtio_net_ctrl_hdr header;
	uint8_t answer;

	if (iov_read(chain->iov, chain->readable, &header, sizeof(header)) < sizeof(header) ||
	    chain->writable == 0) {
		virtio_break(&net->device, "control command without header or room for an answer");
		return;
	}
	iov_skip(&command.iov, &command.count, sizeof(header));
	command.len = chain->readable_len - sizeof(header);
	answer = execute(net, &header, &command);
	iov_write(chain->iov + chain->readable, chain->writable, &answer, sizeof(answer));
	virtio_done(net->control, chain->head, sizeof(answer), chain->readable_len);
}

void net_control(struct net *net)
{
	struct chain chain = { .iov = net->control_iov };
	unsigned round = 0;

	if (net->control_again.busy || !net->control->running)
		return;
	virtio_ignore_kicks(net->control);
	do {
		while (round < ROUND_MAX && virtio_next(net->control, &chain)) {
			serve_command(net, &chain);
			round++;
		}
		if (round == ROUND_MAX) {
			loop_again(virtio_loop(net->control), &net->control_again);
			return;
		}
	} while (virtio_want_kicks(net->control));
}

static void control_again(struct loop_op *op, int result)
{
	(void)result;
	net_control(loop_op_owner(op, struct net, control_again));
}

void net_control_init(struct net *net)
{
	net->control_again.done = control_again;
}

void net_control_stop(struct net *net)
{
	loop_await(virtio_loop(net->control), &net->control_again);
}
