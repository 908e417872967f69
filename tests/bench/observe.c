/*
 * observe.c: run a virtual machine once and watch it from outside, for
 * tests/bench/startup.
 *
 *      observe time PROGRAM [ARG]...     the guest prints, then powers off
 *      observe memory RAM PROGRAM [ARG]...   the guest prints, then halts for good
 *
 * Standard input is /dev/null and standard output a pipe, which we read.
 *
 * "time" prints three numbers: nanoseconds from just before the process is
 * made to the first byte on the pipe, the same to its end, and its exit
 * status. The clock is CLOCK_MONOTONIC.
 *
 * "memory" prints KiB: the most the process ever had resident (getrusage),
 * what of that was guest RAM, and what was anonymous (not of a file, so shared
 * with nobody) and not guest RAM.
 * Guest RAM is the mapping of at least RAM bytes, and of it counts what is
 * resident once the guest has printed; since the guest only halts from then
 * on, it touches no more. We then end the process with SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 60000 /* milliseconds until a machine counts as hung */

extern char **environ;

static struct {
	pid_t pid;
	int output;     /* the pipe */
	int process;    /* pidfd: readable when it has ended */
	uint64_t start; /* ns */
} vm;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void give_up(const char *what)
{
	fprintf(stderr, "observe: %s\n", what);
	if (vm.pid > 0)
		kill(vm.pid, SIGKILL);
	exit(1);
}

static void start(char **argv, bool silently)
{
	posix_spawn_file_actions_t actions;
	int fds[2], error;

	if (pipe2(fds, O_CLOEXEC) < 0)
		give_up("no pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	if (silently)
		posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	vm.start = now();
	error = posix_spawnp(&vm.pid, argv[0], &actions, NULL, argv, environ);
	if (error) {
		vm.pid = 0;
		fprintf(stderr, "observe: %s: %s\n", argv[0], strerror(error));
		exit(1);
	}
	close(fds[1]);
	vm.output = fds[0];
	vm.process = (int)syscall(SYS_pidfd_open, vm.pid, 0);
	if (vm.process < 0)
		give_up("pidfd_open does not work here");
}

static void wait_for(int fd, const char *otherwise)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	if (poll(&pollfd, 1, PATIENCE) != 1)
		give_up(otherwise);
}

/* Wait for output; false at its end. */
static bool read_output(void)
{
	char bytes[4096];

	wait_for(vm.output, "the machine hangs");
	return read(vm.output, bytes, sizeof(bytes)) > 0;
}

static int wait_for_end(struct rusage *usage)
{
	int status;

	wait_for(vm.process, "the machine does not end");
	if (wait4(vm.pid, &status, 0, usage) != vm.pid)
		give_up("cannot wait for the machine");
	vm.pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void observe_time(char **argv)
{
	uint64_t first, end;
	struct rusage usage;
	int status;

	start(argv, false);
	if (!read_output())
		give_up("the machine ended without output");
	first = now() - vm.start;
	while (read_output())
		;
	wait_for(vm.process, "the machine does not end");
	end = now() - vm.start;
	status = wait_for_end(&usage);
	printf("%" PRIu64 " %" PRIu64 " %d\n", first, end, status);
}

/* Add up what is resident: guest RAM, and what is anonymous elsewhere. KiB. */
static void read_smaps(uint64_t ram_bytes, uint64_t *ram, uint64_t *anonymous)
{
	char path[64], line[512];
	uint64_t from, to, kib;
	bool is_ram = false;
	FILE *smaps;

	*ram = *anonymous = 0;
	snprintf(path, sizeof(path), "/proc/%d/smaps", vm.pid);
	smaps = fopen(path, "r");
	if (!smaps)
		give_up("cannot read its smaps");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2)
			is_ram = to - from >= ram_bytes;
		else if (is_ram && sscanf(line, "Rss: %" SCNu64, &kib) == 1)
			*ram += kib;
		else if (!is_ram && sscanf(line, "Anonymous: %" SCNu64, &kib) == 1)
			*anonymous += kib;
	}
	fclose(smaps);
}

static void observe_memory(uint64_t ram_bytes, char **argv)
{
	uint64_t ram, anonymous;
	struct rusage usage;

	start(argv, true); /* it would tell of the SIGTERM */
	if (!read_output())
		give_up("the machine ended without output");
	read_smaps(ram_bytes, &ram, &anonymous);
	if (ram == 0)
		give_up("no mapping as large as guest RAM");
	kill(vm.pid, SIGTERM);
	wait_for_end(&usage);
	printf("%ld %" PRIu64 " %" PRIu64 "\n", usage.ru_maxrss, ram, anonymous);
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "time") == 0)
		observe_time(argv + 2);
	else if (argc >= 4 && strcmp(argv[1], "memory") == 0)
		observe_memory(strtoull(argv[2], NULL, 10), argv + 3);
	else
		give_up("usage: observe time PROGRAM... | observe memory RAM PROGRAM...");
	return 0;
}
