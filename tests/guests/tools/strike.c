/*
 * strike: send a program a signal at its Nth system call, whatever that is.
 *
 *     strike N SIGNAL COMMAND [ARG...]
 *
 * Counts the entries and exits of system calls of all its threads and children
 * together, from the exec on; with N = 0 it only counts. Says last, on a line
 * of standard error, "strike: COUNT calls"; ends as the command did, with 128
 * plus the signal's number if a signal ended it.
 *
 * "At any moment" is thus an event that can be named, and tried again.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |  \
	 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

static unsigned long count;
static bool started; /* the exec has happened */

/* What stopped it decides what it gets when it goes on. */
static int signal_to_pass(int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;

	if (signal == (SIGTRAP | 0x80)) {
		count += started;
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC)
		started = true;
	return event ? 0 : signal;
}

static pid_t launch(char **argv)
{
	int go[2];
	char byte = 0;
	pid_t child;

	if (pipe(go) < 0 || (child = fork()) < 0) {
		perror("strike");
		exit(1);
	}
	if (child == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) < 0)
			_exit(1);
		close(go[0]);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(go[0]);
	if (ptrace(PTRACE_SEIZE, child, 0, OPTIONS) < 0) {
		perror("strike: PTRACE_SEIZE");
		exit(1);
	}
	close(go[1]);
	return child;
}

int main(int argc, char **argv)
{
	unsigned long when;
	int result = 1, status, signal;
	pid_t child, task;
	bool struck = false;

	if (argc < 4) {
		fprintf(stderr, "usage: strike N SIGNAL COMMAND [ARG...]\n");
		return 2;
	}
	when = strtoul(argv[1], NULL, 10);
	signal = atoi(argv[2]);
	child = launch(argv + 3);

	/* The first stop is the exec: until then it runs untraced by call. */
	while ((task = waitpid(-1, &status, __WALL)) > 0) {
		int pass;

		if (!WIFSTOPPED(status)) {
			if (task == child)
				result = WIFEXITED(status) ? WEXITSTATUS(status)
							   : 128 + WTERMSIG(status);
			continue;
		}
		pass = signal_to_pass(status);
		if (when && !struck && count == when) {
			kill(child, signal);
			struck = true;
		}
		/* A thread may be gone by now, as its process may. */
		ptrace(struck ? PTRACE_CONT : PTRACE_SYSCALL, task, 0, pass);
	}
	fprintf(stderr, "strike: %lu calls\n", count);
	return result;
}
