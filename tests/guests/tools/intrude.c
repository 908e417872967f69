/*
 * intrude: make one thread of a running process do one system call, as an
 * intruder in that thread would.
 *
 *     intrude PID THREAD-NAME CALL
 *
 * The thread is stopped where it waits, sent through the same `syscall`
 * instruction once more with our registers, and put back as it was; a process
 * whose sandbox has no objection goes on as if nothing had happened. Prints
 * what the call returned. What becomes of the process is for others to see.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH 4096 /* below the stack pointer, beyond what a frame without a name uses */

/* The bytes of two instructions, as a little-endian number. */
#define SYSCALL 0x050f
#define INT_80  0x80cd

/* An argument that is a file's name, or whatever else lies in memory. */
#define NAME_OF_FILE    -1
#define NAME_OF_PROGRAM -2

static const struct attempt {
	const char *name;
	long number;
	long arguments[6];
	bool i386; /* by the other architecture's door */
} attempts[] = {
	{ "openat", SYS_openat, { AT_FDCWD, NAME_OF_FILE, O_RDONLY }, false },
	{ "open", SYS_open, { NAME_OF_FILE, O_RDONLY }, false },
	{ "socket", SYS_socket, { AF_INET, SOCK_DGRAM }, false },
	{ "execve", SYS_execve, { NAME_OF_PROGRAM }, false },
	{ "execveat", SYS_execveat, { AT_FDCWD, NAME_OF_PROGRAM }, false },
	{ "clone3", SYS_clone3, { 0 }, false },
	{ "clone-vm", SYS_clone, { CLONE_VM | CLONE_VFORK }, false },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME }, false },
	{ "kill", SYS_kill, { 1, 0 }, false },
	{ "io_uring_setup", SYS_io_uring_setup, { 1 }, false },
	{ "io_uring_register", SYS_io_uring_register, { 0 }, false },
	{ "mmap-exec",
	  SYS_mmap,
	  { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 },
	  false },
	{ "mprotect-exec", SYS_mprotect, { 0, 0, PROT_EXEC }, false },
	{ "unlink", SYS_unlink, { NAME_OF_FILE }, false },
	{ "seccomp", SYS_seccomp, { 0 }, false },
	{ "tiocsti", SYS_ioctl, { 0, 0x5412, 0 }, false },
	{ "kvm-memory", SYS_ioctl, { 0, 0x4020ae46, 0 }, false },
	{ "getpid", SYS_getpid, { 0 }, false },
	{ "i386-open", 5, { 0 }, true },
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static const struct attempt *find_attempt(const char *name)
{
	for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(attempts[i].name, name) == 0)
			return &attempts[i];
	fprintf(stderr, "intrude: no such call: %s\n", name);
	exit(2);
}

/* The id of the process's thread of this name. */
static pid_t find_thread(const char *pid, const char *name)
{
	char path[320], found[32];
	const struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	tasks = opendir(path);
	if (!tasks)
		fail(path);
	while ((entry = readdir(tasks))) {
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (!fgets(found, sizeof(found), file))
			found[0] = '\0';
		fclose(file);
		found[strcspn(found, "\n")] = '\0';
		if (strcmp(found, name) == 0)
			return atoi(entry->d_name);
	}
	fprintf(stderr, "intrude: process %s has no thread %s\n", pid, name);
	exit(1);
}

static int wait_for_stop(pid_t thread)
{
	int status;

	if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status)) {
		fprintf(stderr, "intrude: the thread is gone\n");
		exit(1);
	}
	return WSTOPSIG(status);
}

/* Put a string where the thread's stack is unused; its address there. */
static long lay_down(pid_t thread, long address, const char *text)
{
	char padded[64] = "";
	long word;

	strcpy(padded, text);
	for (unsigned i = 0; i < sizeof(padded); i += sizeof(word)) {
		memcpy(&word, padded + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, thread, address + i, word) < 0)
			fail("PTRACE_POKEDATA");
	}
	return address;
}

static long argument(pid_t thread, long stack, long value)
{
	if (value == NAME_OF_FILE)
		return lay_down(thread, stack - SCRATCH, "/etc/passwd");
	if (value == NAME_OF_PROGRAM)
		return lay_down(thread, stack - SCRATCH, "/bin/true");
	return value;
}

static bool is_syscall(pid_t thread, long address)
{
	return (ptrace(PTRACE_PEEKTEXT, thread, address, 0) & 0xffff) == SYSCALL;
}

static void go_to_next_call(pid_t thread)
{
	if (ptrace(PTRACE_SYSCALL, thread, 0, 0) < 0)
		fail("PTRACE_SYSCALL");
	if (wait_for_stop(thread) != (SIGTRAP | 0x80)) {
		fprintf(stderr, "intrude: the thread stopped elsewhere\n");
		exit(1);
	}
}

/* Stop it behind a `syscall`, with what it needs to go on as if nothing had been. */
static void stop_behind_call(pid_t thread, struct user_regs_struct *saved)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, thread, 0, saved) < 0)
		fail("PTRACE_GETREGS");
	if (is_syscall(thread, (long)saved->rip - 2))
		return;
	/* It was busy elsewhere: its next call is skipped, and made again later. */
	go_to_next_call(thread);
	if (ptrace(PTRACE_GETREGS, thread, 0, saved) < 0)
		fail("PTRACE_GETREGS");
	regs = *saved;
	regs.orig_rax = ~0UL;
	if (ptrace(PTRACE_SETREGS, thread, 0, &regs) < 0)
		fail("PTRACE_SETREGS");
	go_to_next_call(thread);
	saved->rip -= 2;
	saved->rax = saved->orig_rax;
	saved->orig_rax = ~0UL;
}

/* Turn the `syscall` there into an int $0x80, which is as long, or back. */
static void replace_instruction(pid_t thread, long address, long with)
{
	long word = ptrace(PTRACE_PEEKTEXT, thread, address, 0);

	if (ptrace(PTRACE_POKETEXT, thread, address, (word & ~0xffffL) | with) < 0)
		fail("PTRACE_POKETEXT");
}

int main(int argc, char **argv)
{
	struct user_regs_struct saved, regs;
	const struct attempt *attempt;
	long instruction;
	pid_t thread;

	if (argc != 4) {
		fprintf(stderr, "usage: intrude PID THREAD-NAME CALL\n");
		return 2;
	}
	attempt = find_attempt(argv[3]);
	thread = find_thread(argv[1], argv[2]);
	if (ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
	    ptrace(PTRACE_INTERRUPT, thread, 0, 0) < 0)
		fail("ptrace");
	wait_for_stop(thread);
	stop_behind_call(thread, &saved);

	if (ptrace(PTRACE_GETREGS, thread, 0, &regs) < 0)
		fail("PTRACE_GETREGS");
	regs.rip -= 2;
	instruction = (long)regs.rip;
	if (attempt->i386)
		replace_instruction(thread, instruction, INT_80);
	regs.orig_rax = ~0UL; /* nothing to restart */
	regs.rax = (unsigned long)attempt->number;
	regs.rdi = (unsigned long)argument(thread, (long)saved.rsp, attempt->arguments[0]);
	regs.rsi = (unsigned long)argument(thread, (long)saved.rsp, attempt->arguments[1]);
	regs.rdx = (unsigned long)argument(thread, (long)saved.rsp, attempt->arguments[2]);
	regs.r10 = (unsigned long)attempt->arguments[3];
	regs.r8 = (unsigned long)attempt->arguments[4];
	regs.r9 = (unsigned long)attempt->arguments[5];
	if (ptrace(PTRACE_SETREGS, thread, 0, &regs) < 0)
		fail("PTRACE_SETREGS");

	/* To its entry, and to its exit. */
	go_to_next_call(thread);
	go_to_next_call(thread);
	if (attempt->i386)
		replace_instruction(thread, instruction, SYSCALL);
	if (ptrace(PTRACE_GETREGS, thread, 0, &regs) < 0)
		fail("PTRACE_GETREGS");
	printf("%lld\n", (long long)regs.rax);
	/* The signal of a filter waits already, and comes now. */
	if (ptrace(PTRACE_SETREGS, thread, 0, &saved) < 0 ||
	    ptrace(PTRACE_DETACH, thread, 0, 0) < 0)
		fail("ptrace");
	return 0;
}
