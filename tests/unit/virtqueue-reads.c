/*
 * virtqueue-reads.c: every number of the guest's is read once.
 *
 * A number that is checked and then read again may have changed in between,
 * and races of a few nanoseconds are no way to find that out. So the rings
 * are put out of reach: each access faults, is written down, and is let
 * through for that one instruction (the trap flag). What the queue reads
 * twice shows up twice. x86 only, as the trap flag is.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "lib/ring.h"

#define TRAP_FLAG 0x100
#define READS_MAX 4096

static struct {
	uint8_t *from;
	size_t len;
	unsigned count;
	uint64_t gpa[READS_MAX]; /* in the order of access */
} watched;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	uint8_t *address = info->si_addr;
	ucontext_t *uc = context;

	(void)signal;
	if (address < watched.from || address >= watched.from + watched.len ||
	    watched.count == READS_MAX)
		abort();
	watched.gpa[watched.count++] = RING_DESC + (uint64_t)(address - watched.from);
	mprotect(watched.from, watched.len, PROT_READ | PROT_WRITE);
	uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	(void)info;
	mprotect(watched.from, watched.len, PROT_NONE);
	uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

/* Call next() on the ring with everything but the data watched; its result. */
static int watch_next(struct ring *ring)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct sigaction trap = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	struct sigaction old_fault, old_trap;
	int ret;

	watched.from = memory_at(&ring->memory, RING_DESC, 1);
	watched.len = RING_DATA - RING_DESC;
	watched.count = 0;
	sigaction(SIGSEGV, &fault, &old_fault);
	sigaction(SIGTRAP, &trap, &old_trap);
	mprotect(watched.from, watched.len, PROT_NONE);
	ret = ring_next(ring);
	mprotect(watched.from, watched.len, PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &old_fault, NULL);
	sigaction(SIGTRAP, &old_trap, NULL);
	return ret;
}

static unsigned reads_of(uint64_t gpa)
{
	unsigned count = 0;

	for (unsigned i = 0; i < watched.count; i++)
		count += watched.gpa[i] == gpa;
	return count;
}

static void assert_nothing_twice(void)
{
	for (unsigned i = 0; i < watched.count; i++)
		if (reads_of(watched.gpa[i]) != 1)
			fail_msg("0x%llx was read %u times", (unsigned long long)watched.gpa[i],
				 reads_of(watched.gpa[i]));
}

/* The descriptor at gpa was read: its address at least, and all of it once. */
static void assert_read_once(uint64_t gpa)
{
	assert_int_equal(reads_of(gpa), 1);
	assert_nothing_twice();
}

static void a_direct_chain(void **state)
{
	struct ring *ring = *state;

	for (uint16_t i = 0; i < 3; i++)
		ring->desc[i] = (struct vring_desc){ RING_DATA, 16, i < 2 ? NEXT : WRITE, i + 1 };
	ring_offer(ring, 0);
	assert_int_equal(watch_next(ring), 1);
	assert_int_equal(ring->chain.readable + ring->chain.writable, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_read_once(RING_DESC + i * 16);
	assert_int_equal(reads_of(RING_DRIVER + 2), 1); /* avail->idx */
	assert_int_equal(reads_of(RING_DRIVER + 4), 1); /* avail->ring[0] */
}

static void an_indirect_chain(void **state)
{
	struct ring *ring = *state;

	ring->desc[2] = (struct vring_desc){ RING_TABLE, 2 * 16, INDIRECT, 0 };
	ring->table[0] = (struct vring_desc){ RING_DATA, 4, NEXT, 1 };
	ring->table[1] = (struct vring_desc){ RING_DATA, 4, WRITE, 0 };
	ring_offer(ring, 2);
	assert_int_equal(watch_next(ring), 1);
	assert_read_once(RING_DESC + 2 * 16);
	assert_read_once(RING_TABLE);
	assert_read_once(RING_TABLE + 16);
}

/* Nothing offered: one look at the index, and none at what it leads to. */
static void an_empty_ring(void **state)
{
	assert_int_equal(watch_next(*state), 0);
	assert_int_equal(watched.count, 1);
	assert_int_equal(reads_of(RING_DRIVER + 2), 1);
}

static void a_chain_that_is_refused(void **state)
{
	struct ring *ring = *state;

	ring->desc[0] = (struct vring_desc){ RING_DATA, 4, NEXT, 1 };
	ring->desc[1] = (struct vring_desc){ 0xd0000000, 4, 0, 0 };
	ring_offer(ring, 0);
	assert_int_equal(watch_next(ring), -1);
	assert_read_once(RING_DESC);
	assert_read_once(RING_DESC + 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(a_direct_chain),
		RING_TEST(an_indirect_chain),
		RING_TEST(an_empty_ring),
		RING_TEST(a_chain_that_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
