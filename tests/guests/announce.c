/*
 * announce.c: the interface goes down and comes up again, which announce.t does
 * at the "ready" lines: what the guest sends meanwhile is lost, and with the first
 * frame that passes again the driver is asked to announce itself.
 */
#include "lib/virtio.h"

enum { F_STATUS = 16, F_CTRL_VQ = 17, F_GUEST_ANNOUNCE = 21 };
enum { STATUS_OFFSET = 6, LINK_UP = 1, ANNOUNCE = 2 };
enum { CLASS_ANNOUNCE = 3, ACK = 0, OK = 0, ERR = 1 };

static struct virtio v;
static struct queue receive, transmit, control;
static uint8_t *frame;

static void wait_for_go(void)
{
	print("ready\n");
	while (!(inb(COM1 + 5) & 1))
		;
	inb(COM1);
}

static bool send(void)
{
	queue_add(&transmit, &(struct buffer){ frame, 12 + 60 }, 1, 0);
	queue_kick(&transmit);
	return queue_wait(&transmit, NULL) >= 0;
}

static unsigned command(uint8_t class, uint8_t number)
{
	static uint8_t header[2], answer;

	header[0] = class;
	header[1] = number;
	answer = 0xee;
	queue_add(&control, (struct buffer[]){ { header, 2 }, { &answer, 1 } }, 1, 1);
	queue_kick(&control);
	queue_wait(&control, NULL);
	return *(volatile uint8_t *)&answer;
}

int main(void)
{
	frame = allocate(4096);
	memset(frame + 12, 0xff, 6);
	if (!ok(virtio_find(&v, VIRTIO_NET, 0), "a network device"))
		return 0;
	virtio_negotiate(&v, FEATURE(F_STATUS) | FEATURE(F_CTRL_VQ) | FEATURE(F_GUEST_ANNOUNCE));
	ok(v.features & FEATURE(F_GUEST_ANNOUNCE), "it may ask for an announcement");
	queue_open(&receive, &v, 0, 0);
	queue_open(&transmit, &v, 1, 0);
	queue_open(&control, &v, 2, 0);
	v.transport->route(&v, 3);
	irq_init();
	virtio_driver_ok(&v);

	ok(send(), "a frame while the interface is up");
	is(config16(&v, STATUS_OFFSET), LINK_UP, "the link is up, nothing to announce");
	is(command(CLASS_ANNOUNCE, ACK), ERR, "an acknowledgement nobody asked for is refused");
	wait_for_go();
	ok(send(), "a frame while it is down is taken, and lost");
	is(config16(&v, STATUS_OFFSET), LINK_UP, "that is no reason to announce anything");
	wait_for_go();
	ok(send(), "a frame when it is up again");
	ok(poll_until(config16(&v, STATUS_OFFSET) == (LINK_UP | ANNOUNCE)),
	   "now announce yourself");
	is(command(CLASS_ANNOUNCE, 1), ERR, "there is no other command of that class");
	is(config16(&v, STATUS_OFFSET), LINK_UP | ANNOUNCE, "which leaves the request alone");
	is(command(CLASS_ANNOUNCE, ACK), OK, "the acknowledgement");
	is(config16(&v, STATUS_OFFSET), LINK_UP, "takes the request away");
	ok(send(), "a frame more");
	is(config16(&v, STATUS_OFFSET), LINK_UP, "and it does not come back");
	return 0;
}
