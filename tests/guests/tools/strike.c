/*
 * strike: send a program a signal at its Nth system call, whatever that is, or
 * when the thread of a name ends.
 *
 *     strike N|THREAD SIGNAL COMMAND [ARG...]
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
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |  \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)

static unsigned long count, when; /* 0: not by the count */
static const char *whose;
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

static bool is_whose(pid_t task)
{
	char path[32], name[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", task);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (fscanf(file, "%15s", name) != 1)
		name[0] = '\0';
	fclose(file);
	return strcmp(name, whose) == 0;
}

static bool is_the_moment(pid_t task, int status)
{
	if (when)
		return count == when;
	return status >> 16 == PTRACE_EVENT_EXIT && is_whose(task);
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
	int result = 1, status, signal;
	pid_t child, task;
	bool struck = false;

	if (argc < 4) {
		fprintf(stderr, "usage: strike N|THREAD SIGNAL COMMAND [ARG...]\n");
		return 2;
	}
	whose = argv[1];
	when = strtoul(whose, NULL, 10);
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
		if (!struck && is_the_moment(task, status)) {
			kill(child, signal);
			struck = true;
		}
		/* A thread may be gone by now, as its process may. */
		ptrace(struck ? PTRACE_CONT : PTRACE_SYSCALL, task, 0, pass);
	}
	fprintf(stderr, "strike: %lu calls\n", count);
	return result;
}
