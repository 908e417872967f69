/*
 * process.c: see process.h. What a program learns from its first years among
 * shells, pipes and supervisors; main calls it, and it touches nothing of the
 * machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "log.h"
#include "process.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* Those that would end a process and that a guest's owner may send. */
static const int endings[] = { SIGHUP,  SIGINT,  SIGQUIT,   SIGTERM, SIGUSR2,
			       SIGALRM, SIGPROF, SIGVTALRM, SIGXCPU };

/* A new size of the terminal, its return from the shell, the wish to see statistics. */
static const int news[] = { SIGWINCH, SIGCONT, SIGUSR1 };

static sigset_t set_of(const int *signals, size_t count)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		sigaddset(&set, signals[i]);
	return set;
}

/* Whoever started us with a signal ignored (nohup, a shell's background job) meant it. */
static sigset_t endings_not_ignored(void)
{
	sigset_t set = set_of(endings, COUNT(endings));

	for (size_t i = 0; i < COUNT(endings); i++) {
		struct sigaction action;

		if (sigaction(endings[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigdelset(&set, endings[i]);
	}
	return set;
}

void process_prepare(void)
{
	sigset_t blocked = set_of(news, COUNT(news));

	ensure_standard_files();
	/* Threads allocate next to nothing once the guest runs. A heap for each
	 * would take 64 MiB of address space and the system calls to get it. */
	mallopt(M_ARENA_MAX, 1);
	/* Never to end us, however early or late they come. */
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

int process_receive_signals(void)
{
	sigset_t signals = endings_not_ignored();
	int fd;

	/* Blocked before any other thread exists, so in all of them: signals
	 * reach main's loop and nobody else. Writing to a closed pipe, or beyond
	 * the limit of a file, is an error like any other, not a signal. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < COUNT(news); i++)
		sigaddset(&signals, news[i]);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

void process_accept_signals(int signal_fd)
{
	sigset_t signals = set_of(endings, COUNT(endings));
	struct signalfd_siginfo info;

	/* What came until now can ask for no more than is happening. timeout(1), for one,
	 * sends its signal twice. */
	while (read(signal_fd, &info, sizeof(info)) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

bool process_has_printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	log_error("cannot write to standard output: %m");
	return false;
}
