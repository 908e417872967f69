/*
 * sandbox.h: what each kind of thread may still ask of the kernel once the
 * guest runs.
 *
 * A guest that found a hole in a device would own that device's thread. It
 * should find little to do there: every thread enters a seccomp filter of its
 * kind before the first instruction of the guest, an allow-list that knows no
 * open(), no socket() and no execve(). Whoever calls anything else ends the
 * process with a status of its own, in one line that names call and thread.
 *
 *      sandbox_begin()     main, at the start: three filters are built meanwhile
 *      sandbox_prepare()   main, when everything is open
 *      sandbox_enter()     every thread, on itself: no way back
 *
 * Sources: seccomp(2), seccomp_rule_add(3).
 */
#ifndef LODGE_SANDBOX_H
#define LODGE_SANDBOX_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "errand.h"

enum sandbox_kind { SANDBOX_MAIN, SANDBOX_VCPU, SANDBOX_DEVICE, SANDBOX_KINDS };

/* One system call that is allowed, perhaps only with one certain argument. */
struct sandbox_rule {
	int call; /* SCMP_SYS(name), which may be unknown to this architecture */
	enum {
		SANDBOX_LIST_END, /* ends a list of rules */
		SANDBOX_ANY,      /* whatever the arguments */
		SANDBOX_EQUAL,    /* if the low 32 bits of `argument` are `value` */
		SANDBOX_WITHOUT,  /* if none of the bits `value` are set in `argument` */
	} test;
	unsigned argument; /* counted from 0 */
	uint32_t value;
};

#define SANDBOX_CALL(name)                                                                         \
	{                                                                                          \
		.call = SCMP_SYS(name), .test = SANDBOX_ANY                                        \
	}
#define SANDBOX_CALL_IF(name, number, how, what)                                                   \
	{                                                                                          \
		.call = SCMP_SYS(name), .test = (how), .argument = (number), .value = (what)       \
	}
#define SANDBOX_IOCTL(request) SANDBOX_CALL_IF(ioctl, 1, SANDBOX_EQUAL, (uint32_t)(request))
#define SANDBOX_END                                                                                \
	{                                                                                          \
		.test = SANDBOX_LIST_END                                                           \
	}

/* What every thread of a kind may do, and what all may; they end with SANDBOX_END. */
extern const struct sandbox_rule *const sandbox_rules[SANDBOX_KINDS];
extern const struct sandbox_rule sandbox_common_rules[];

/* What the build adds for all threads: nothing, or what a sanitizer's runtime calls. */
extern const struct sandbox_rule sandbox_build_rules[];

struct sandbox {
	bool on;
	struct errand building;                   /* owns the rest until it is finished */
	int result;                               /* of it: 0 or -errno */
	struct sock_fprog filters[SANDBOX_KINDS]; /* owned, until sandbox_free() */
};

/* Begin to build the filters (none if not `on`), beside whatever else is done. Main, once. */
void sandbox_begin(struct sandbox *sandbox, bool on);

/*
 * Wait until they are built, and install the handler of their signal. Main,
 * once; the result is only read afterwards. Prints the reason; 0 or -1.
 */
int sandbox_prepare(struct sandbox *sandbox);

/* Put the calling thread under the filter of its kind; there is no way back. 0 or -errno. */
int sandbox_enter(const struct sandbox *sandbox, enum sandbox_kind kind);

void sandbox_free(struct sandbox *sandbox);

#endif
