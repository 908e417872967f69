/*
 * sandbox-rules.c: the allow-lists, one for each kind of thread.
 *
 * sandbox.c makes filters of them. What a device needs beyond its kind stands
 * in its own file, as `needs` of its struct device_type, and what a vCPU of
 * this architecture does in the architecture's (vcpu_arch_rules).
 *
 * Everything here works on what is open already: there is no call that makes
 * a file descriptor, changes what may be executed, or reaches another process.
 * The one process main may make is a copy of itself, under the same filter
 * (stream.c: output that nobody has read yet).
 */
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "sandbox.h"

const struct sandbox_rule sandbox_common_rules[] = {
	/* What is open: eventfds, the log. */
	SANDBOX_CALL(read),
	SANDBOX_CALL(write),
	SANDBOX_CALL(pwritev2),
	SANDBOX_CALL(fstat),
	SANDBOX_CALL_IF(newfstatat, 3, SANDBOX_EQUAL, AT_EMPTY_PATH),

	/* Memory, but no new code. */
	SANDBOX_CALL(brk),
	SANDBOX_CALL_IF(mmap, 2, SANDBOX_WITHOUT, PROT_EXEC),
	SANDBOX_CALL_IF(mprotect, 2, SANDBOX_WITHOUT, PROT_EXEC),
	SANDBOX_CALL(munmap),
	SANDBOX_CALL(madvise),

	/* Threads waiting for each other, and their end. */
	SANDBOX_CALL(futex),
	SANDBOX_CALL(sched_yield),
	SANDBOX_CALL(restart_syscall),
	SANDBOX_CALL(rt_sigprocmask),
	SANDBOX_CALL(rt_sigreturn),
	SANDBOX_CALL(exit),
	SANDBOX_CALL(exit_group),

	/* A crash of ours restores the terminal and raises its signal again. The second
	 * of each such pair is what glibc uses from 2.42 on. */
	SANDBOX_IOCTL(TCSETS),
	SANDBOX_IOCTL(TCSETS2),
	SANDBOX_CALL(getpid),
	SANDBOX_CALL(gettid),
	SANDBOX_END,
};

/* What a kernel configures of interrupts and doorbells, and a stop takes back. */
#define VM_RULES                                                                                   \
	SANDBOX_IOCTL(KVM_IOEVENTFD), SANDBOX_IOCTL(KVM_IRQFD), SANDBOX_IOCTL(KVM_SET_GSI_ROUTING)

static const struct sandbox_rule vcpu_rules[] = {
	SANDBOX_IOCTL(KVM_RUN),
	VM_RULES,
	SANDBOX_END,
};

static const struct sandbox_rule device_rules[] = {
	SANDBOX_CALL(io_uring_enter),
	SANDBOX_CALL(close),
	SANDBOX_END,
};

static const struct sandbox_rule main_rules[] = {
	SANDBOX_CALL(io_uring_enter),
	SANDBOX_CALL(close),
	VM_RULES,

	/* Statistics take the place of what is in their file. */
	SANDBOX_CALL(ftruncate),

	/* The terminal: raw, and as it was. */
	SANDBOX_IOCTL(TCGETS),
	SANDBOX_IOCTL(TCGETS2),
	SANDBOX_IOCTL(TCSETSW),
	SANDBOX_IOCTL(TCSETSW2),
	SANDBOX_IOCTL(TIOCGPGRP),
	SANDBOX_CALL(getpgrp),
	SANDBOX_CALL(getpgid),
	SANDBOX_CALL(rt_sigaction),

	/* fork(), as the C library does it, and what the child does then. */
	SANDBOX_CALL_IF(clone, 0, SANDBOX_EQUAL,
			CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD),
	SANDBOX_CALL(set_robust_list),
	SANDBOX_CALL_IF(prctl, 0, SANDBOX_EQUAL, PR_SET_NAME),
	SANDBOX_CALL(poll),
	SANDBOX_CALL(ppoll),
	SANDBOX_END,
};

const struct sandbox_rule *const sandbox_rules[SANDBOX_KINDS] = {
	[SANDBOX_MAIN] = main_rules,
	[SANDBOX_VCPU] = vcpu_rules,
	[SANDBOX_DEVICE] = device_rules,
};
