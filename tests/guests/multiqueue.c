/*
 * multiqueue.c: a network device of several queue pairs: the commands of its
 * control queue, good and bad, and frames on every pair, with tools/frames.c
 * at the other end of the tap. multiqueue.t boots it with pairs= as it told
 * lodge, and do= what to try.
 *
 * The tap steers a flow to the pair that sent last of it, and only after it
 * has passed that frame on: so the first answer may still come the old way.
 */
#include "lib/virtio.h"

enum {
	F_CSUM = 0,
	F_GUEST_CSUM = 1,
	F_GUEST_OFFLOADS = 2,
	F_MAC = 5,
	F_GUEST_TSO4 = 7,
	F_GUEST_TSO6 = 8,
	F_CTRL_VQ = 17,
	F_CTRL_RX = 18,
	F_MQ = 22,
	F_CTRL_MAC_ADDR = 23,
};
enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_VLAN = 2, CLASS_MQ = 4, CLASS_OFFLOADS = 5 };
enum { DONE = 0, REFUSED = 1, NO_ANSWER = 0xee };
enum { HEADER = 12, PAIRS_MAX = 8, BUFFERS = 32, BUFFER = 2048, FLOWS = 64, FIRST_PORT = 4000 };

static struct virtio v;
static struct queue rx[PAIRS_MAX], tx[PAIRS_MAX], control;
static unsigned pairs, opened; /* that exist, that we use */
static uint8_t *rx_data[PAIRS_MAX], *frame, mac[6];
static uint64_t mq; /* the features of a driver that knows it all */

/* The last frame received. */
static const uint8_t *received; /* without its header */
static unsigned received_length, received_pair;
static uint8_t received_flags;
static int given_back = -1; /* the pair whose buffer it is in, until the next one */

static void offer_buffer(unsigned pair)
{
	uint8_t *p = rx_data[pair] + rx[pair].free * BUFFER; /* each descriptor has its own */

	queue_add(&rx[pair], &(struct buffer){ p, BUFFER }, 0, 1);
	queue_kick(&rx[pair]);
}

/* From reset to DRIVER_OK, with the queues such a driver has. */
static void open(uint64_t features)
{
	given_back = -1;
	virtio_negotiate(&v, features);
	opened = v.features & FEATURE(F_MQ) ? pairs : 1;
	v.transport->route(&v, 2 * pairs + 1 < MAX_QUEUES ? 2 * pairs + 1 : MAX_QUEUES);
	for (unsigned i = 0; i < opened; i++) {
		queue_open(&rx[i], &v, 2 * i, BUFFERS);
		queue_open(&tx[i], &v, 2 * i + 1, 0);
	}
	if (v.features & FEATURE(F_CTRL_VQ))
		queue_open(&control, &v, 2 * opened, 0);
	virtio_driver_ok(&v);
	for (unsigned i = 0; i < opened; i++)
		for (unsigned n = 0; n < BUFFERS; n++)
			offer_buffer(i);
}

/* --- Commands --- */

static uint8_t answer_to(const struct buffer *b, unsigned out, uint32_t *used)
{
	static uint8_t answer;
	struct buffer all[16];

	memcpy(all, b, out * sizeof(*b));
	all[out] = (struct buffer){ &answer, 1 };
	answer = NO_ANSWER;
	queue_add(&control, all, out, 1);
	queue_kick(&control);
	return queue_wait(&control, used) >= 0 ? *(volatile uint8_t *)&answer : NO_ANSWER;
}

static uint8_t command(uint8_t class, uint8_t number, const void *data, unsigned length)
{
	uint8_t header[] = { class, number };
	struct buffer b[] = { { header, 2 }, { (void *)data, length } };
	uint32_t used = 0;
	uint8_t answer = answer_to(b, length ? 2 : 1, &used);

	return used == 1 ? answer : NO_ANSWER;
}

static uint8_t use_pairs(uint16_t n)
{
	return command(CLASS_MQ, 0, &n, 2);
}

static uint8_t set_offloads(uint64_t bits)
{
	return command(CLASS_OFFLOADS, 0, &bits, 8);
}

/* --- Frames --- */

/* Ours are those of tools/frames.c and UDP; the host's own do not count. */
static bool take_frame(void)
{
	if (given_back >= 0)
		offer_buffer(given_back);
	given_back = -1;
	for (unsigned i = 0; i < opened; i++) {
		uint32_t length;
		int head = queue_take(&rx[i], &length);
		const uint8_t *p;

		if (head < 0)
			continue;
		p = rx_data[i] + head * BUFFER;
		received = p + HEADER;
		received_length = length - HEADER;
		received_flags = *p;
		received_pair = given_back = i;
		if ((received[12] == 0x88 && received[13] == 0xb5) ||
		    (received[12] == 8 && !received[13] && received[14 + 9] == 17))
			return true;
	}
	return false;
}

static bool receive(void)
{
	return poll_until(take_frame());
}

static bool ask(unsigned pair, char request, uint16_t a, uint16_t b, unsigned length)
{
	static const uint8_t header[HEADER];
	struct buffer out[] = { { (void *)header, HEADER }, { frame, length } };

	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	frame[14] = request;
	memcpy(frame + 15, &a, 2);
	memcpy(frame + 17, &b, 2);
	for (unsigned i = 19; i < length; i++)
		frame[i] = i * 3 + pair;
	queue_add(&tx[pair], out, 2, 0);
	queue_kick(&tx[pair]);
	return queue_wait(&tx[pair], NULL) >= 0;
}

/* There and back, on whichever pair. */
static bool echo(unsigned pair)
{
	return ask(pair, 'E', pair, 0, 200) && receive() && received_length == 200 &&
	       !memcmp(received, mac, 6) && !memcmp(received + 14, frame + 14, 186);
}

/* Until the tap has learnt that this is our pair; nothing is lost meanwhile. */
static bool settle(unsigned pair)
{
	for (unsigned i = 0; i < 100; i++) {
		if (!echo(pair))
			return false;
		if (received_pair == pair)
			return true;
	}
	return false;
}

static unsigned echoes_on(unsigned pair, unsigned want, unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++)
		good += echo(pair) && received_pair == want;
	return good;
}

static unsigned number(void)
{
	return received[15] | received[16] << 8;
}

/* What is left of a flood of `n`, each pair's part in order; `on` counts them per pair. */
static unsigned receive_flood(unsigned n, unsigned on[PAIRS_MAX])
{
	int last[PAIRS_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	unsigned good = 0;

	memset(on, 0, PAIRS_MAX * sizeof(*on));
	for (; good < n && receive() && received[14] == 'f'; good++) {
		if ((int)number() <= last[received_pair])
			break;
		last[received_pair] = number();
		on[received_pair]++;
	}
	return good;
}

static void check_device(void)
{
	const uint64_t want = mq & ~FEATURE(F_MAC) & ~F_EVENT_IDX;

	is(virtio_offered(&v) & want, want, "features: pairs, and commands for them");
	is(config16(&v, 8), pairs, "config: %u pairs", pairs);
	ok(v.transport->queue_max(&v, 2 * pairs), "there is a control queue behind the last pair");
	is(v.transport->queue_max(&v, 2 * pairs + 1), 0, "and nothing behind that");
	for (unsigned i = 0; i < 6; i++)
		mac[i] = config8(&v, i);
}

static void check_one_pair(const char *when)
{
	is(echoes_on(0, 0, 20), 20, "%s: twenty frames there and back, on the first pair", when);
}

static bool interrupted(unsigned pair)
{
	uint32_t seen = irqs(rx[pair].vector);

	queue_irq_at(&rx[pair], rx[pair].next_used);
	if (!ask(pair, 'E', 0, 0, 60) || !poll_until(irqs(rx[pair].vector) != seen))
		return false;
	v.transport->acknowledge(&v);
	return receive() && received_pair == pair;
}

static void check_every_pair(const char *when)
{
	unsigned settled = 0, floods = 0, interrupts = 0, with_vector = 0, on[PAIRS_MAX];

	for (unsigned i = 0; i < pairs; i++) {
		settled += settle(i) && echoes_on(i, i, 10) == 10;
		if (2 * i < MAX_QUEUES) {
			with_vector++;
			interrupts += interrupted(i);
		}
		floods +=
			ask(i, 'F', 200, 1000, 60) && receive_flood(200, on) == 200 && on[i] == 200;
	}
	is(settled, pairs, "%s: a frame from any of %u pairs comes back on it", when, pairs);
	is(interrupts, with_vector, "%s: by interrupt", when);
	is(floods, pairs, "%s: a flood to each pair, all in order", when);
}

/* All pairs at once, as much as their rings hold: their threads work side by side. */
static void check_all_transmit(void)
{
	static const uint8_t header[HEADER];
	struct buffer out[] = { { (void *)header, HEADER }, { frame, 1200 } };
	unsigned sent = 0, back = 0;

	ask(0, 'P', 0, 0, 60);
	for (unsigned n = 0; n < 100; n++)
		for (unsigned i = 0; i < pairs; i++)
			sent += queue_add(&tx[i], out, 2, 0) >= 0;
	for (unsigned i = 0; i < pairs; i++)
		queue_kick(&tx[i]);
	for (unsigned i = 0; i < pairs; i++)
		while (tx[i].free_count < tx[i].num && queue_wait(&tx[i], NULL) >= 0)
			back++;
	is(back, sent, "%u frames sent by all pairs at once", sent);
	note("sent long %u", sent);
}

static void check_commands(void)
{
	uint8_t on = 1, five[5] = { 2, 3, 4, 5, 6 }, whole[] = { CLASS_MQ, 0, 1, 0 };
	struct buffer pieces[] = {
		{ whole, 1 }, { whole + 1, 1 }, { whole + 2, 1 }, { whole + 3, 1 }
	};
	uint32_t used;

	is(use_pairs(0), REFUSED, "no pairs: refused");
	is(use_pairs(pairs + 1), REFUSED, "more pairs than there are: refused");
	is(use_pairs(0x8000), REFUSED, "as many as the specification has: refused");
	is(command(CLASS_MQ, 0, &on, 1), REFUSED, "half a number of pairs: refused");
	is(command(CLASS_MQ, 0, NULL, 0), REFUSED, "no number of pairs: refused");
	is(command(CLASS_MQ, 1, whole, 4), REFUSED, "RSS, which is not offered: refused");
	is(command(CLASS_VLAN, 0, whole, 2), REFUSED, "VLANs, which are not offered: refused");
	is(command(99, 0, whole, 2), REFUSED, "an unknown class: refused");
	is(command(CLASS_RX, 0, &on, 1), DONE, "promiscuous");
	is(command(CLASS_RX, 1, &on, 1), DONE, "all multicasts");
	is(command(CLASS_RX, 0, NULL, 0), REFUSED, "promiscuous or not, unsaid: refused");
	is(command(CLASS_RX, 6, &on, 1), REFUSED, "an unknown filter: refused");
	is(command(CLASS_MAC, 1, five, 5), REFUSED, "five bytes of address: refused");
	is(command(CLASS_MAC, 2, five, 5), REFUSED, "an unknown command about addresses: refused");
	is(config8(&v, 1), mac[1], "the address is as before");
	check_one_pair("after bad commands");

	is(answer_to(pieces, 4, &used), DONE, "a command in bytes");
	is(answer_to(&(struct buffer){ whole, 4 }, 1, &used), DONE, "a command in one piece");
	is(answer_to(&(struct buffer){ whole, 3 }, 1, &used), REFUSED, "less a byte: refused");
	is(use_pairs(1), DONE, "one pair");
	is(use_pairs(1), DONE, "one pair, again");
}

static void check_address(const char *when)
{
	uint8_t other[6] = { 2, 0x77, 3, 4, 5, (uint8_t)(mac[5] + 1) }, got[6];
	unsigned generation = v.transport->generation(&v);

	is(command(CLASS_MAC, 1, other, 6), DONE, "%s: another address", when);
	for (unsigned i = 0; i < 6; i++)
		got[i] = config8(&v, i);
	ok(!memcmp(got, other, 6), "%s: is in the configuration", when);
	ok(v.transport->generation(&v) != generation, "%s: which has a new generation", when);
	command(CLASS_MAC, 1, mac, 6);
	is(config8(&v, 1), mac[1], "%s: and back", when);
}

/* More at once than the device may want to answer in one go. */
static void check_many_commands(void)
{
	static uint8_t header_and_data[] = { CLASS_RX, 0, 1 }, answers[120];
	unsigned done = 0, good = 0;

	memset(answers, NO_ANSWER, sizeof(answers));
	for (unsigned i = 0; i < sizeof(answers); i++)
		queue_add(&control, (struct buffer[]){ { header_and_data, 3 }, { &answers[i], 1 } },
			  1, 1);
	queue_kick(&control);
	while (done < sizeof(answers) && queue_wait(&control, NULL) >= 0)
		done++;
	for (unsigned i = 0; i < sizeof(answers); i++)
		good += *(volatile uint8_t *)&answers[i] == DONE;
	is(good, sizeof(answers), "many commands with one kick are all answered");
}

/* Frames on their way while the number of pairs changes. Those of the first
 * pair lose nothing: it stays. */
static void check_switch(void)
{
	unsigned on[PAIRS_MAX], rounds = 0;

	use_pairs(1);
	check_one_pair("one pair");
	ask(0, 'F', 300, 500, 60);
	is(use_pairs(pairs), DONE, "to %u pairs with frames arriving", pairs);
	is(receive_flood(300, on), 300, "which all arrive");
	note("%u of them on the first pair", on[0]);
	check_every_pair("after it");
	settle(0);
	ask(0, 'F', 300, 500, 60);
	is(use_pairs(1), DONE, "and back to one");
	is(receive_flood(300, on), 300, "again all arrive");
	is(on[0], 300, "on the first pair");
	check_one_pair("one pair again");

	for (; rounds < 50; rounds++)
		if (use_pairs(1 + rounds % pairs) != DONE || !settle(rounds % pairs))
			break;
	is(rounds, 50, "fifty changes, a frame on the last pair after each");
}

/* Frames of 64 flows that multiqueue.t sends when we name `word`. */
static void check_flows(const char *word, unsigned wanted_pairs, bool ask_for)
{
	unsigned on[PAIRS_MAX] = { 0 }, used = 0, n = 0;
	uint64_t ports = 0;

	if (ask_for)
		is(use_pairs(wanted_pairs), DONE, "%s: %u pairs", word, wanted_pairs);
	print("%s\n", word);
	for (; n < FLOWS && receive() && received[14 + 9] == 17; n++) {
		unsigned port = received[36] << 8 | received[37];

		ports |= 1ull << (port - FIRST_PORT) % FLOWS;
		used += !on[received_pair]++;
	}
	ok(n == FLOWS && ports == ~0ull, "%s: a packet of each of %u flows", word, n);
	is(used, wanted_pairs, "%s: over all pairs in use", word);
}

static void check_offloads(void)
{
	uint32_t half = 0;

	open(mq | FEATURE(F_CSUM) | FEATURE(F_GUEST_CSUM) | FEATURE(F_GUEST_TSO4));
	ok(ask(0, 'C', 0, 0, 60) && receive() && received_flags & 1, "a checksum is left to us");
	is(set_offloads(0), DONE, "no offloads");
	ok(ask(0, 'C', 0, 0, 60) && receive() && !(received_flags & 1), "then none is left to us");
	is(set_offloads(FEATURE(F_GUEST_CSUM)), DONE, "checksums");
	ok(ask(0, 'C', 0, 0, 60) && receive() && received_flags & 1, "then it is, again");
	is(set_offloads(FEATURE(F_GUEST_CSUM) | FEATURE(F_GUEST_TSO4)), DONE, "and segmentation");
	is(set_offloads(FEATURE(F_GUEST_CSUM) | FEATURE(F_GUEST_TSO6)), REFUSED,
	   "one that was not negotiated: refused");
	is(set_offloads(FEATURE(63)), REFUSED, "one nobody knows: refused");
	is(set_offloads(FEATURE(F_MAC)), REFUSED, "a feature that is no offload: refused");
	is(command(CLASS_OFFLOADS, 0, &half, 4), REFUSED, "half the bits: refused");
	is(command(CLASS_OFFLOADS, 1, &half, 4), REFUSED, "an unknown command: refused");
	ok(ask(0, 'C', 0, 0, 60) && receive() && received_flags & 1, "which changed nothing");
}

/* What breaks the rules; then the device waits for its reset, and only that helps. */
static void check_break(const char *what, const struct buffer *b, unsigned out, unsigned in)
{
	open(mq);
	use_pairs(pairs);
	queue_add(&control, b, out, in);
	queue_kick(&control);
	ok(poll_until(virtio_status(&v) & STATUS_NEEDS_RESET), "%s: NEEDS_RESET", what);
	ok(queue_take(&control, NULL) < 0, "%s: no answer", what);
	open(mq);
	check_one_pair(what);
}

static void check_breaks(void)
{
	uint8_t header[] = { CLASS_MQ, 0, 1, 0 };
	struct buffer no_answer[] = { { header, 2 }, { header + 2, 2 } };
	struct buffer half[] = { { header, 1 }, { header + 2, 1 } };

	check_break("no room for an answer", no_answer, 2, 0);
	check_break("half a header", half, 1, 1);
	check_break("only room for an answer", half, 0, 1);
}

/* A driver that knows of commands but not of pairs. */
static void check_without_pairs(void)
{
	uint8_t on = 1;

	open(mq & ~FEATURE(F_MQ));
	ok(!(v.features & FEATURE(F_MQ)), "without pairs: negotiated");
	check_one_pair("without pairs");
	is(command(CLASS_RX, 0, &on, 1), DONE, "without pairs: the third queue takes commands");
	check_address("without pairs");
	is(use_pairs(pairs), REFUSED, "without pairs: more pairs are refused");
	check_one_pair("without pairs, after that");
	open(FEATURE(F_MAC));
	check_one_pair("without commands");
}

/* Queues that a driver without pairs has no business with must not hurt us. */
static void check_stray(void)
{
	struct queue stray;

	virtio_negotiate(&v, mq & ~FEATURE(F_MQ));
	for (unsigned i = 0; i <= 2 * pairs; i++)
		queue_open(&stray, &v, i, 0);
	virtio_driver_ok(&v);
	for (unsigned i = 0; i <= 2 * pairs; i++)
		v.transport->notify(&v, i);
	ok(virtio_reset(&v), "stray queues: the device can be reset");
	open(mq);
	is(use_pairs(pairs), DONE, "stray queues: and works afterwards");
	ask(0, 'Q', 0, 0, 60);
}

static void check_all(void)
{
	open(mq);
	check_one_pair("before any command");
	check_commands();
	check_address("address");
	is(use_pairs(pairs), DONE, "all pairs");
	check_every_pair("all pairs");
	check_all_transmit();
	check_switch();
	check_flows("flows-many", pairs, true);
	check_flows("flows-one", 1, true);
	use_pairs(pairs);
	open(mq);
	check_flows("flows-reset", 1, false);
	for (unsigned i = 0; i < 3; i++) {
		open(mq);
		check_one_pair("after a reset");
		is(use_pairs(pairs), DONE, "after a reset: all pairs");
		check_every_pair("after a reset");
	}
	check_offloads();
	check_without_pairs();
	check_breaks();
	check_many_commands();
	open(mq);
	check_one_pair("at the end");
	ask(0, 'Q', 0, 0, 60);
}

/* For stats.t: frames on every pair, and nothing else. */
static void check_count(void)
{
	unsigned good = 0;

	open(mq);
	use_pairs(pairs);
	for (unsigned i = 0; i < pairs; i++)
		good += settle(i) && echoes_on(i, i, 20 + i) == 20 + i;
	is(good, pairs, "frames on every pair");
	ask(0, 'Q', 0, 0, 60);
}

/* For stats.t, with the interface down: nothing can arrive. */
static void check_down(void)
{
	open(mq);
	for (unsigned i = 0; i < 5; i++)
		ok(ask(0, 'P', 0, 0, 60), "frame %u is taken, if only to be lost", i);
}

int main(void)
{
	const char *what = option("do");

	pairs = option_number("pairs", 2);
	mq = FEATURE(F_MQ) | FEATURE(F_CTRL_VQ) | FEATURE(F_CTRL_RX) | FEATURE(F_CTRL_MAC_ADDR) |
	     FEATURE(F_GUEST_OFFLOADS) | FEATURE(F_MAC) | F_EVENT_IDX;
	if (option("plain"))
		mq &= ~F_EVENT_IDX;
	for (unsigned i = 0; i < pairs; i++)
		rx_data[i] = allocate(256 * BUFFER);
	frame = allocate(BUFFER);
	if (!ok(virtio_find(&v, VIRTIO_NET, 0), "a network device"))
		return 0;
	check_device();
	if (what && starts_with(what, "stray"))
		check_stray();
	else if (what && starts_with(what, "count"))
		check_count();
	else if (what && starts_with(what, "down"))
		check_down();
	else
		check_all();
	return 0;
}
