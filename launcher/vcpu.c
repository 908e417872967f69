/*
 * vcpu.c: the thread of a processor (tour 4).
 *
 * KVM_RUN, and a switch over the reasons it returns. Device registers go to
 * the buses; anything that ends the guest is reported to ending.c, and main
 * takes it from there. The thread touches no device that runs: kicks and
 * interrupts pass it by, inside the kernel.
 *
 * Next in the tour: loop.c, the thread of a device.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ending.h"
#include "log.h"
#include "vcpu.h"

/* Takes a thread out of KVM_RUN. Its handler makes the *next* KVM_RUN return at
 * once too, so a signal that arrives just before the ioctl is not lost. */
#define VCPU_SIGNAL SIGRTMIN

static _Thread_local struct kvm_run *own_run;

static void on_signal(int signal)
{
	(void)signal;
	if (own_run)
		own_run->immediate_exit = 1;
}

#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct vcpu_stats, name)                                           \
	}
static const struct stats_field vcpu_fields[] = {
	FIELD(exits),       FIELD(port_reads),  FIELD(port_writes), FIELD(mmio_reads),
	FIELD(mmio_writes), FIELD(interrupted), { NULL, 0 },
};

void vcpu_init_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(VCPU_SIGNAL, &action, NULL);
}

int vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned index)
{
	int size;

	*vcpu = (struct vcpu){ .vm = vm, .index = index, .count = vm->cpus, .fd = -1 };
	snprintf(vcpu->name, sizeof(vcpu->name), "lodge-vcpu%u", index);

	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0) {
		log_error("KVM_CREATE_VCPU %u of %u: %m", index, vm->cpus);
		return -1;
	}
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0) {
		log_error("KVM_GET_VCPU_MMAP_SIZE: %m");
		return -1;
	}
	vcpu->run_size = (uint32_t)size;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		log_error("vCPU %u: cannot map its state: %m", index);
		return -1;
	}
	return 0;
}

int vcpu_init(struct vcpu *vcpu, const struct vcpu_entry *entry)
{
	stats_register(vcpu->name + strlen("lodge-"), &vcpu->stats, vcpu_fields);
	return vcpu_arch_init(vcpu, entry);
}

static void serve_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.is_write)
		bus_write(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static void report_kvm_failure(const struct vcpu *vcpu, const char *what)
{
	char where[160];

	vcpu_arch_describe(vcpu, where, sizeof(where));
	ending_report(ENDING_KVM, "KVM could not run the guest: vCPU %u: %s, %s", vcpu->index, what,
		      where);
}

static void report_internal_error(const struct vcpu *vcpu)
{
	char what[64];

	if (vcpu->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		snprintf(what, sizeof(what), "instruction emulation failed");
	else
		snprintf(what, sizeof(what), "internal error %u", vcpu->run->internal.suberror);
	report_kvm_failure(vcpu, what);
}

static void report_entry_failure(const struct vcpu *vcpu)
{
	char what[64];

	snprintf(what, sizeof(what), "entry failed, hardware reason 0x%llx",
		 vcpu->run->fail_entry.hardware_entry_failure_reason);
	report_kvm_failure(vcpu, what);
}

static void report_run_error(const struct vcpu *vcpu, int error)
{
	char what[64];

	snprintf(what, sizeof(what), "KVM_RUN: %s", strerror(error));
	report_kvm_failure(vcpu, what);
}

static void report_unknown_exit(const struct vcpu *vcpu)
{
	char what[64];

	snprintf(what, sizeof(what), "unexpected exit reason %u", vcpu->run->exit_reason);
	report_kvm_failure(vcpu, what);
}

static void count_exit(struct vcpu *vcpu)
{
	struct vcpu_stats *stats = &vcpu->stats;
	const struct kvm_run *run = vcpu->run;

	counter_add(&stats->exits, 1);
	if (run->exit_reason == KVM_EXIT_MMIO)
		counter_add(run->mmio.is_write ? &stats->mmio_writes : &stats->mmio_reads, 1);
}

/* Serve one exit. Returns false when the guest is over for this vCPU. */
static bool serve_exit(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_MMIO:
		serve_mmio(vcpu);
		return !ending_is_reported();
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_INTERNAL_ERROR:
		report_internal_error(vcpu);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		report_entry_failure(vcpu);
		return false;
	default:
		if (!vcpu_arch_serve_exit(vcpu))
			report_unknown_exit(vcpu);
		return !ending_is_reported();
	}
}

/* On the new thread, before the guest's first instruction. */
static void prepare_thread(struct vcpu *vcpu)
{
	sigset_t signals;
	int ret;

	pthread_setname_np(pthread_self(), vcpu->name);
	own_run = vcpu->run;
	sigemptyset(&signals);
	sigaddset(&signals, VCPU_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);

	ret = sandbox_enter(vcpu->sandbox, SANDBOX_VCPU);
	if (ret < 0)
		ending_report(ENDING_HOST, "vCPU %u cannot enter the sandbox: %s", vcpu->index,
			      strerror(-ret));
	pthread_barrier_wait(vcpu->gate);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	bool alive;

	prepare_thread(vcpu);
	alive = !ending_is_reported();
	while (alive && !atomic_load_explicit(&vcpu->stopping, memory_order_relaxed)) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
			count_exit(vcpu);
			alive = serve_exit(vcpu);
		} else if (errno == EINTR || errno == EAGAIN) {
			counter_add(&vcpu->stats.interrupted, 1);
		} else {
			report_run_error(vcpu, errno);
			alive = false;
		}
	}
	return NULL;
}

int vcpu_start(struct vcpu *vcpu, const struct sandbox *sandbox, pthread_barrier_t *gate)
{
	int error;

	vcpu->sandbox = sandbox;
	vcpu->gate = gate;
	error = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
	if (error) {
		log_error("cannot start the thread of vCPU %u: %s", vcpu->index, strerror(error));
		return -1;
	}
	vcpu->started = true;
	return 0;
}

void vcpu_stop_begin(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	/* The signal follows the flag: a thread that missed the flag is taken
	 * out of KVM_RUN by the signal, and one that took the signal early runs
	 * into immediate_exit. Either way it looks at the flag again. */
	atomic_store_explicit(&vcpu->stopping, true, memory_order_relaxed);
	pthread_kill(vcpu->thread, VCPU_SIGNAL);
}

void vcpu_stop_end(struct vcpu *vcpu)
{
	if (vcpu->started)
		pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	if (vcpu->run && vcpu->run != MAP_FAILED)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
}
