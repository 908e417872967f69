/*
 * smp.c: several CPUs: each starts by INIT and SIPI, is who the tables and
 * CPUID say, takes interrupts, sees the others' memory. cpus=N says how many.
 */
#include "lib/virtio.h"

enum { IPI = 0xa0 };

struct cpu {
	unsigned id;
	struct cpuid leaf1, leaf11;
	uint32_t lapic_id;
	volatile bool up;
};
static struct cpu cpus[16];
static unsigned count; /* added to by all of them */

static void identify(void *argument)
{
	struct cpu *c = argument;

	c->leaf1 = cpuid(1, 0);
	c->leaf11 = cpuid(0xb, 0);
	c->lapic_id = read32(LAPIC + 0x20) >> 24;
	for (unsigned i = 0; i < 10000; i++)
		__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
	c->up = true;
}

/* What a CPU other than the first does: interrupts go on coming afterwards. */
static void run(void *argument)
{
	identify(argument);
	for (;;)
		asm volatile("pause");
}

/* A device's interrupt sent to the last CPU. */
static void check_remote_interrupt(unsigned n)
{
	static struct virtio v;
	struct queue q;

	if (!virtio_find_pci(&v, VIRTIO_RNG, 0) || !virtio_negotiate(&v, 0))
		return;
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 4);
	virtio_driver_ok(&v);
	msix_route(&v, 1, q.vector, n - 1);
	queue_add(&q, &(struct buffer){ allocate(4096), 64 }, 0, 1);
	queue_kick(&q);
	ok(queue_wait(&q, NULL) >= 0 && poll_until(irqs(q.vector) == 1),
	   "a device interrupts CPU %u", n - 1);
}

int main(void)
{
	unsigned n = option_number("cpus", 2), up = 0, same = 0, lapic = 0, topology = 0;

	cpus[0].id = 0;
	identify(&cpus[0]);
	for (unsigned i = 1; i < n; i++) {
		cpus[i].id = i;
		cpu_start(i, run, &cpus[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct cpu *c = &cpus[i];

		up += poll_until(c->up);
		same += c->leaf1.b >> 24 == c->id && c->leaf11.d == c->id;
		lapic += c->lapic_id == c->id;
		topology += (c->leaf1.b >> 16 & 0xff) >= n || n == 1;
	}
	is(up, n, "%u CPUs run", n);
	is(count, 10000 * n, "and count together");
	is(lapic, n, "each local APIC has its own id");
	is(same, n, "which CPUID's leaves 1 and 11 agree with");
	is(topology, n, "leaf 1 allows for that many");
	ok(cpus[0].leaf1.c >> 31, "CPUID shows a hypervisor");
	is(cpuid(0x40000000, 0).b, 0x4b4d564b, "and says it is KVM");
	if (n == 1)
		return 0;

	uint32_t seen = irqs(IPI);

	write32(LAPIC + 0x310, (n - 1) << 24);
	write32(LAPIC + 0x300, 0x4000 | IPI);
	ok(poll_until(irqs(IPI) == seen + 1), "an IPI reaches CPU %u", n - 1);
	write32(LAPIC + 0x300, 0xc4000 | IPI); /* all but this one */
	ok(poll_until(irqs(IPI) == seen + n), "an IPI to all others reaches them");
	check_remote_interrupt(n);
	return 0;
}
