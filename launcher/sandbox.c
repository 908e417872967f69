/*
 * sandbox.c: making filters of the allow-lists, entering them, and what
 * happens to a thread that leaves them.
 *
 * main prepares, each thread enters by itself: vCPUs and main in the moment
 * before the guest's first instruction, device threads shortly before. The
 * lists are in sandbox-rules.c. libseccomp compiles each once, whatever the
 * number of threads, on a thread of its own while main builds the machine: that
 * is half a millisecond of a start. Entering is then one system call.
 *
 * A forbidden call is not made. It raises SIGSYS in the thread that tried,
 * whose handler ends the process: a thread that does what it never should is
 * not ours any more, and there is nothing left to take down in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"
#include "ending.h"
#include "errand.h"
#include "log.h"
#include "sandbox.h"
#include "terminal.h"
#include "vcpu.h"

/* siginfo's si_code of a filter's signal: in the kernel's headers, not the C library's. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

#define HEAP_PIECE (64 << 10) /* bytes; glibc maps allocations from 128 KiB on */

/* Made by the Makefile from the system's header: [__NR_read] = "read", ... */
static const char *const call_names[] = {
#include "syscalls.h"
};

/* For the handler, which cannot ask. */
static _Thread_local char thread_name[16];

/* --- A violation --- */

/* A line put together without anything a signal handler may not call. */
struct line {
	char text[200];
	size_t len;
};

static void add(struct line *line, const char *text)
{
	while (*text && line->len < sizeof(line->text))
		line->text[line->len++] = *text++;
}

static void add_number(struct line *line, unsigned number)
{
	char digits[12], *first = digits + sizeof(digits) - 1;

	*first = '\0';
	do
		*--first = (char)('0' + number % 10);
	while (number /= 10);
	add(line, first);
}

static void on_violation(int signal, siginfo_t *info, void *context)
{
	unsigned number = (unsigned)info->si_syscall;
	const char *name = NULL;
	struct line line = { .len = 0 };

	(void)context;
	if (info->si_code != SYS_SECCOMP) /* somebody's kill(1) */
		_exit(ENDING_SIGNAL + signal);
	if (info->si_arch == seccomp_arch_native() &&
	    number < sizeof(call_names) / sizeof(call_names[0]))
		name = call_names[number];
	add(&line, "lodge: sandbox: thread ");
	add(&line, thread_name);
	add(&line, " tried the forbidden system call ");
	add(&line, name ? name : "of no known name,");
	add(&line, " (number ");
	add_number(&line, number);
	add(&line, "): a fault of lodge, or an attack by the guest\n");
	terminal_restore_at_once();
	if (write(STDERR_FILENO, line.text, line.len) < 0)
		_exit(ENDING_SANDBOX);
	_exit(ENDING_SANDBOX);
}

/* --- From lists to filters --- */

static int add_rules(scmp_filter_ctx context, const struct sandbox_rule *rules)
{
	int ret = 0;

	for (; rules->test != SANDBOX_LIST_END && ret == 0; rules++) {
		struct scmp_arg_cmp compare = {
			.arg = rules->argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = rules->test == SANDBOX_EQUAL ? UINT32_MAX : rules->value,
			.datum_b = rules->test == SANDBOX_EQUAL ? rules->value : 0,
		};

		ret = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, rules->call,
					     rules->test == SANDBOX_ANY ? 0 : 1, &compare);
		/* What the build allows without condition may be in the lists with one. */
		if (ret == -EEXIST)
			ret = 0;
	}
	return ret;
}

static int add_rules_of(scmp_filter_ctx context, const struct device_type *type)
{
	const struct sandbox_rule *rules;
	int ret = type->needs ? add_rules(context, type->needs) : 0;

	for (unsigned i = 0; type->choice_needs && ret == 0 && (rules = type->choice_needs(i)); i++)
		ret = add_rules(context, rules);
	return ret;
}

static int add_device_rules(scmp_filter_ctx context)
{
	int ret = 0;

	for (unsigned i = 0; device_types[i] && ret == 0; i++)
		ret = add_rules_of(context, device_types[i]);
	return ret;
}

static int fill(scmp_filter_ctx context, enum sandbox_kind kind)
{
	struct sandbox_rule own_signals =
		SANDBOX_CALL_IF(tgkill, 0, SANDBOX_EQUAL, (uint32_t)getpid());
	int ret;

	/* A call by another architecture's numbers is a call like any other. */
	ret = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
	if (ret == 0)
		ret = add_rules(context, sandbox_build_rules);
	if (ret == 0)
		ret = add_rules(context, (struct sandbox_rule[]){ own_signals, SANDBOX_END });
	if (ret == 0)
		ret = add_rules(context, sandbox_common_rules);
	if (ret == 0)
		ret = add_rules(context, sandbox_rules[kind]);
	if (ret == 0 && kind == SANDBOX_VCPU)
		ret = add_rules(context, vcpu_arch_rules);
	if (ret == 0 && kind == SANDBOX_DEVICE)
		ret = add_device_rules(context);
	/* KVM_RUN is the call that should come through first. */
	if (ret == 0 && kind == SANDBOX_VCPU)
		ret = seccomp_syscall_priority(context, SCMP_SYS(ioctl), UINT8_MAX);
	return ret;
}

/*
 * libseccomp writes a filter into a file; into memory comes with a later version.
 * A socket of packets is no file with a limit of its size (RLIMIT_FSIZE), and whoever
 * reads gets the whole filter or nothing.
 */
static int compile(scmp_filter_ctx context, struct sock_fprog *filter)
{
	int fds[2], ret;
	ssize_t size;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret = seccomp_export_bpf(context, fds[0]);
	close(fds[0]);
	if (ret == 0) {
		size = recv(fds[1], NULL, 0, MSG_PEEK | MSG_TRUNC);
		filter->len = (unsigned short)((size_t)size / sizeof(*filter->filter));
		filter->filter = size > 0 ? malloc((size_t)size) : NULL;
		if (!filter->filter || read(fds[1], filter->filter, (size_t)size) != size)
			ret = -ENOMEM;
	}
	close(fds[1]);
	return ret;
}

/*
 * libseccomp (2.5) does not check all of its allocations. The largest filter takes
 * 50 KiB of it: see that the heap has twice that, in pieces too small for a mapping
 * of their own, so that what is freed here is what it gets.
 */
static bool heap_has_room(void)
{
	/* volatile: a compiler may leave out allocations that nobody uses. */
	void *volatile pieces[] = { malloc(HEAP_PIECE), malloc(HEAP_PIECE) };
	bool room = pieces[0] && pieces[1];

	free(pieces[0]);
	free(pieces[1]);
	return room;
}

static int build(struct sandbox *sandbox, enum sandbox_kind kind)
{
	scmp_filter_ctx context = heap_has_room() ? seccomp_init(SCMP_ACT_TRAP) : NULL;
	int ret;

	if (!context)
		return -ENOMEM;
	ret = fill(context, kind);
	if (ret == 0)
		ret = compile(context, &sandbox->filters[kind]);
	seccomp_release(context);
	return ret;
}

/* --- What main and the threads call --- */

static void build_all(void *arg)
{
	struct sandbox *sandbox = arg;

	for (unsigned kind = 0; kind < SANDBOX_KINDS && sandbox->result == 0; kind++)
		sandbox->result = build(sandbox, (enum sandbox_kind)kind);
}

void sandbox_begin(struct sandbox *sandbox, bool on)
{
	*sandbox = (struct sandbox){ .on = on };
	if (on)
		errand_begin(&sandbox->building, build_all, sandbox);
}

int sandbox_prepare(struct sandbox *sandbox)
{
	struct sigaction action = { .sa_sigaction = on_violation, .sa_flags = SA_SIGINFO };
	int ret;

	if (!sandbox->on)
		return 0;
	errand_finish(&sandbox->building);
	ret = sandbox->result;
	if (ret == 0 && sigaction(SIGSYS, &action, NULL) < 0)
		ret = -errno;
	if (ret < 0) {
		log_error("cannot prepare the sandbox: %s; --sandbox=off goes without",
			  strerror(-ret));
		return -1;
	}
	return 0;
}

int sandbox_enter(const struct sandbox *sandbox, enum sandbox_kind kind)
{
	if (!sandbox->on)
		return 0;
	prctl(PR_GET_NAME, thread_name);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &sandbox->filters[kind]) < 0)
		return -errno;
	return 0;
}

void sandbox_free(struct sandbox *sandbox)
{
	for (unsigned kind = 0; kind < SANDBOX_KINDS; kind++)
		free(sandbox->filters[kind].filter);
}
