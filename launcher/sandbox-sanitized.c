/*
 * sandbox-sanitized.c: what AddressSanitizer, UBSan and ThreadSanitizer call.
 *
 * Part of builds with SANITIZE set, in place of sandbox-plain.c, and of no
 * other: to print a report their runtime reads the program's own files, and
 * to look for leaks it stops all threads from a process of its own. So this
 * build proves that Lodge itself needs nothing beyond its lists; that the
 * lists keep an intruder in is proved with the plain one.
 */
#include "sandbox.h"

const struct sandbox_rule sandbox_build_rules[] = {
	/* The allocator and the bookkeeping of threads. */
	SANDBOX_CALL(mremap),
	SANDBOX_CALL(sigaltstack),
	SANDBOX_CALL(clock_gettime),
	SANDBOX_CALL(getrlimit),
	SANDBOX_CALL(prlimit64),
	SANDBOX_CALL(setrlimit),
	SANDBOX_CALL(sched_getaffinity),
	SANDBOX_CALL(nanosleep),
	SANDBOX_CALL(clock_nanosleep),
	SANDBOX_CALL(rt_sigaction),

	/* A report, with names and line numbers. */
	SANDBOX_CALL(open),
	SANDBOX_CALL(openat),
	SANDBOX_CALL(close),
	SANDBOX_CALL(lseek),
	SANDBOX_CALL(stat),
	SANDBOX_CALL(newfstatat),
	SANDBOX_CALL(readlink),
	SANDBOX_CALL(readlinkat),
	SANDBOX_CALL(access),
	SANDBOX_CALL(ioctl),

	/* The search for leaks. */
	SANDBOX_CALL(getdents),
	SANDBOX_CALL(getdents64),
	SANDBOX_CALL(clone),
	SANDBOX_CALL(wait4),
	SANDBOX_CALL(ptrace),
	SANDBOX_CALL(prctl),
	SANDBOX_CALL(getppid),
	SANDBOX_CALL(tgkill),
	SANDBOX_CALL(process_vm_readv),
	SANDBOX_END,
};
