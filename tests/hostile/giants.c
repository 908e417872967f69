/*
 * giants.c: reads as long as a chain can make them: 254 buffers, all of them the same
 * RAM. A reset must not wait until they are done, however large the disk is; nor may
 * their rest reach memory afterwards. giants.t boots it.
 *
 *     patient    no resets: all of them are answered, and the script sees in what batches
 *     wait       with all of them on their way say "ready"; the script ends the process
 */
#include "hostile.h"

enum { GIANTS = RING_MAX - 1, SEGMENTS = 254, SEGMENT_MAX = 32 << 20, LIVES = 4, BAIT = 0x5c };

static uint8_t *room; /* for what is read */
static uint32_t segment;
static volatile uint8_t status[GIANTS];
static struct block_request dwarf; /* a request that takes no time */

static struct {
	unsigned missing;    /* giants, or the dwarf behind them, that did not come back */
	unsigned unanswered; /* resets */
	unsigned wrong;      /* came back, and were not done */
	unsigned touched;    /* bytes that had been theirs, after a reset */
} sins;

/* A ring full of giants, and the dwarf behind them. In a new ring heads count from 0. */
static void offer_giants(struct target *t)
{
	static struct block_header header = { BLOCK_IN, 0, 0 };
	struct buffer b[SEGMENTS + 2] = { { &header, sizeof(header) } };

	for (unsigned i = 0; i < SEGMENTS; i++)
		b[1 + i] = (struct buffer){ room, segment };
	for (unsigned i = 0; i < GIANTS; i++) {
		status[i] = BLOCK_NO_ANSWER;
		b[1 + SEGMENTS] = (struct buffer){ (void *)&status[i], 1 };
		queue_add_indirect(&t->q[0], b, 1, SEGMENTS + 1);
	}
	block_add(&t->q[0], &dwarf, BLOCK_GET_ID, 0, t->data, 20, true);
	queue_kick(&t->q[0]);
}

static void check_answer(int head)
{
	sins.wrong += head == dwarf.head ? dwarf.status != BLOCK_OK : status[head] != BLOCK_OK;
}

/* All of them have been taken when the dwarf is back. */
static void wait_for_dwarf(struct target *t)
{
	int head;

	do {
		head = queue_wait(&t->q[0], NULL);
		if (head < 0) {
			sins.missing++;
			return;
		}
		check_answer(head);
	} while (head != dwarf.head);
}

static void lay_bait(void)
{
	memset(room, BAIT, segment);
	for (unsigned i = 0; i < GIANTS; i++)
		status[i] = BAIT;
}

static void check_bait(void)
{
	uint64_t bad = 0;

	for (uint32_t i = 0; i < segment; i += 8)
		bad |= *(uint64_t *)(room + i) ^ BAIT * 0x0101010101010101ull;
	sins.touched += bad != 0;
	for (unsigned i = 0; i < GIANTS; i++)
		sins.touched += status[i] != BAIT;
}

static void reset_among_giants(struct target *t)
{
	for (unsigned life = 0; life < LIVES; life++) {
		int head;

		target_open(t, ~0ull);
		offer_giants(t);
		wait_for_dwarf(t);
		sins.unanswered += life % 2 ? !virtio_queue_reset(&t->v, 0) : !virtio_reset(&t->v);
		while ((head = queue_take(&t->q[0], NULL)) >= 0) /* before the reset */
			check_answer(head);
		lay_bait();
		expect_survival(t, false, "a reset with giants on their way");
		check_bait();
	}
	is(sins.unanswered, 0, "block: every reset is answered");
	is(sins.touched, 0, "block: nothing of the giants reaches memory afterwards");
}

static void wait_for_giants(struct target *t)
{
	target_open(t, ~0ull);
	offer_giants(t);
	for (unsigned i = 0; i < RING_MAX; i++) {
		int head = queue_wait(&t->q[0], NULL);

		if (head >= 0)
			check_answer(head);
		else
			sins.missing++;
	}
	expect_survival(t, false, "a ring full of giants");
}

static void attack(struct target *t)
{
	uint64_t most;

	if (t->type != VIRTIO_BLOCK)
		return;
	most = config64(&t->v, 0) * 512 / SEGMENTS & ~4095ull;
	segment = most < SEGMENT_MAX ? most : SEGMENT_MAX;
	if (option("wait")) {
		target_open(t, ~0ull);
		offer_giants(t);
		wait_for_dwarf(t);
		print("ready\n");
		stop();
	}
	memset(&sins, 0, sizeof(sins));
	if (option("patient"))
		wait_for_giants(t);
	else
		reset_among_giants(t);
	is(sins.missing, 0, "block: whoever is waited for comes back");
	is(sins.wrong, 0, "block: whoever comes back was read");
}

int main(void)
{
	room = guarded(SEGMENT_MAX);
	targets_find();
	attack_twice(attack);
	return 0;
}
