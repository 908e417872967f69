/*
 * vcpu.h: one processor of the guest, one thread of ours.
 *
 * The thread is in KVM_RUN nearly always. It comes back for what only we can
 * answer (registers of devices), for the end of the guest, and when main
 * asks it to stop.
 */
#ifndef LODGE_VCPU_H
#define LODGE_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sandbox.h"
#include "stats.h"
#include "vm.h"

struct kvm_run;

#define VCPU_MAX 16

/* Exits to us; those KVM serves by itself are counted by KVM. */
struct vcpu_stats {
	counter_t exits;
	counter_t port_reads, port_writes, mmio_reads, mmio_writes;
	counter_t interrupted; /* by a signal */
};

struct vcpu {
	struct vm *vm;
	unsigned index; /* also its APIC id, or its affinity */
	unsigned count; /* of all vCPUs of this machine */
	int fd;
	struct kvm_run *run;
	uint32_t run_size;
	pthread_t thread;
	bool started;
	const struct sandbox *sandbox;
	pthread_barrier_t *gate; /* nobody runs before all are in the sandbox */
	atomic_bool stopping;    /* main asks, the thread looks before each KVM_RUN */
	char name[16];
	struct vcpu_stats stats __attribute__((aligned(64)));
};

/* Create vCPU `index` of the machine. Prints the reason when it fails. Main. 0 or -1. */
int vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned index);

/*
 * Put it in its first state, after vm_arch_init_irqs(); vCPU 0 will begin at
 * *entry, the others wait for vCPU 0 to start them. Prints the reason when it
 * fails. Main. 0 or -1.
 */
int vcpu_init(struct vcpu *vcpu, const struct vcpu_entry *entry);

/*
 * Give it a thread, which enters the sandbox, waits at the gate and then lets
 * it run. Both must outlive the thread. Main. 0 or -1, printing the reason.
 */
int vcpu_start(struct vcpu *vcpu, const struct sandbox *sandbox, pthread_barrier_t *gate);

/* Make it leave the guest, wherever it is; and wait for its thread. Main. */
void vcpu_stop_begin(struct vcpu *vcpu);
void vcpu_stop_end(struct vcpu *vcpu);

void vcpu_destroy(struct vcpu *vcpu);

/* Install the handler of the signal that vcpu_stop_begin() uses. Main, before any thread. */
void vcpu_init_signals(void);

/* Provided by the architecture: features and registers. Prints the reason. 0 or -1. */
int vcpu_arch_init(struct vcpu *vcpu, const struct vcpu_entry *entry);

/* Likewise: serve an exit that only this architecture has. What ends the guest is
 * reported; returns false if this is none of its exits. The vCPU's thread. */
bool vcpu_arch_serve_exit(struct vcpu *vcpu);

/*
 * Describe where the vCPU is, for the line about a KVM error: "rip 0x...,
 * bytes 0f c7 ..." into `text`. Its own thread, outside KVM_RUN.
 */
void vcpu_arch_describe(const struct vcpu *vcpu, char *text, unsigned size);

/* The system calls of a vCPU's thread that only this architecture has. */
extern const struct sandbox_rule vcpu_arch_rules[];

#endif
