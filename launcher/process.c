/*
 * process.c: see process.h. What a program learns from its first years among
 * shells, pipes and supervisors; main calls it, and it touches nothing of the
 * machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "process.h"

/* Files opened from here on must not be taken for standard input, output or error. */
static void ensure_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

void process_prepare(void)
{
	ensure_standard_files();
	/* Threads allocate next to nothing once the guest runs. A heap for each
	 * would take 64 MiB of address space and the system calls to get it. */
	mallopt(M_ARENA_MAX, 1);
}

/* Those that would end a process and that a guest's owner may send; and a new size of the
 * terminal, its return from the shell, and the wish to see statistics. */
static sigset_t received_signals(void)
{
	static const int signals[] = { SIGHUP,  SIGINT,    SIGQUIT, SIGTERM,  SIGUSR2, SIGALRM,
				       SIGPROF, SIGVTALRM, SIGXCPU, SIGWINCH, SIGCONT, SIGUSR1 };
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	return set;
}

int process_receive_signals(void)
{
	sigset_t signals = received_signals();
	int fd;

	/* Blocked before any other thread exists, so in all of them: signals
	 * reach main's loop and nobody else. Writing to a closed pipe, or beyond
	 * the limit of a file, is an error like any other, not a signal. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

void process_accept_signals(void)
{
	sigset_t signals = received_signals();

	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}
