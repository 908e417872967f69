/*
 * net-passt.c: the backend `passt`, networking without any privilege.
 *
 * passt(1) is a process of the user's that turns a guest's frames into plain
 * sockets. Either somebody started it and names its socket, or we start one
 * that sees nothing of ours but its end of a socket pair, and ends when we let
 * go of the other, however that comes about.
 *
 * The socket is a stream, in which each frame follows its length, 4 bytes, big
 * endian; there is no virtio header, so nothing may be left unfinished. A
 * stream may take half a frame, and give half of one: the rest of either waits
 * here, in one buffer for each direction. A length that makes no sense leaves
 * no way to find the next one, and is the end of the link.
 *
 * Called on main, and then on the thread of the only pair of queues.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "net-backend.h"
#include "virtqueue.h"

#define LENGTH    4          /* bytes before each frame */
#define FRAME_MIN 14         /* bytes: an Ethernet header */
#define MTU       65520      /* the largest passt takes; segments cost it, bytes do not */
#define FRAME_MAX (MTU + 18) /* with its header and a VLAN tag; the guest's buffers hold it */

#define CHILD_FD 3 /* where the passt we start finds its socket */

struct passt {
	/* From passt, not yet the guest's: [start, end) of `in`. */
	size_t start, end;
	uint8_t in[128 * 1024];

	/* The rest of a frame that the stream took only in part. */
	size_t unsent_start, unsent_end;
	uint8_t unsent[LENGTH + FRAME_MAX];
	bool offered_again; /* its sender waits, and will come with the same frame */

	struct iovec iov[1 + VIRTQUEUE_CHAIN_MAX];
};

/* --- Towards passt --- */

static int gone_or(int error)
{
	return error == EPIPE || error == ECONNRESET ? -EBADFD : -error;
}

static int send_rest(struct net_wire *wire)
{
	struct passt *passt = wire->state;

	while (passt->unsent_start < passt->unsent_end) {
		ssize_t len = send(wire->fd[0], passt->unsent + passt->unsent_start,
				   passt->unsent_end - passt->unsent_start, MSG_NOSIGNAL);

		if (len < 0)
			return gone_or(errno);
		passt->unsent_start += (size_t)len;
	}
	return 0;
}

static size_t length_of(const struct iovec *iov, unsigned count)
{
	size_t len = 0;

	for (unsigned i = 0; i < count; i++)
		len += iov[i].iov_len;
	return len;
}

/* The guest's memory is the guest's again before the rest of its frame can go. */
static void keep_rest(struct passt *passt, struct iovec *iov, unsigned count, size_t sent)
{
	iov_skip(&iov, &count, sent);
	passt->unsent_start = 0;
	passt->unsent_end = iov_read(iov, count, passt->unsent, sizeof(passt->unsent));
	passt->offered_again = true;
}

static ssize_t passt_send(struct net_wire *wire, unsigned queue, const struct iovec *iov,
			  unsigned count)
{
	struct passt *passt = wire->state;
	struct iovec *frame = passt->iov + 1;
	size_t packet_len = length_of(iov, count);
	uint32_t length = htobe32((uint32_t)(packet_len - TAP_HEADER));
	struct msghdr message = { 0 };
	ssize_t sent;
	int ret = send_rest(wire);

	(void)queue;
	if (ret < 0)
		return ret;
	if (passt->offered_again) {
		passt->offered_again = false;
		return (ssize_t)packet_len;
	}
	if (packet_len > TAP_HEADER + FRAME_MAX)
		return -EMSGSIZE;
	/* A copy of the list, without the header; and the length goes first. */
	memcpy(frame, iov, count * sizeof(*iov));
	iov_skip(&frame, &count, TAP_HEADER);
	*--frame = (struct iovec){ .iov_base = &length, .iov_len = LENGTH };
	message.msg_iov = frame;
	message.msg_iovlen = ++count;
	sent = sendmsg(wire->fd[0], &message, MSG_NOSIGNAL);
	if (sent < 0)
		return gone_or(errno);
	if ((size_t)sent == packet_len - TAP_HEADER + LENGTH)
		return (ssize_t)packet_len;
	keep_rest(passt, frame, count, (size_t)sent);
	return -EAGAIN;
}

static void passt_forget(struct net_wire *wire, unsigned queue)
{
	struct passt *passt = wire->state;

	/* What is left still goes, before the next frame: passt has its beginning. */
	(void)queue;
	passt->offered_again = false;
}

/* --- From passt --- */

/* The frame at `start`: its length, 0 if it is not all there yet, -1 if it cannot be one. */
static int next_frame(const struct passt *passt)
{
	uint32_t length;

	if (passt->end - passt->start < LENGTH)
		return 0;
	memcpy(&length, passt->in + passt->start, LENGTH);
	length = be32toh(length);
	if (length < FRAME_MIN || length > FRAME_MAX)
		return -1;
	return passt->end - passt->start >= LENGTH + length ? (int)length : 0;
}

static ssize_t fill(struct net_wire *wire)
{
	struct passt *passt = wire->state;
	ssize_t len;

	memmove(passt->in, passt->in + passt->start, passt->end - passt->start);
	passt->end -= passt->start;
	passt->start = 0;
	len = recv(wire->fd[0], passt->in + passt->end, sizeof(passt->in) - passt->end, 0);
	if (len < 0)
		return gone_or(errno);
	passt->end += (size_t)len;
	return len > 0 ? len : -EBADFD;
}

static ssize_t passt_receive(struct net_wire *wire, unsigned queue, const struct iovec *iov,
			     unsigned count)
{
	static const uint8_t header[TAP_HEADER]; /* nothing is left to be done */
	struct passt *passt = wire->state;
	int length;

	(void)queue;
	while ((length = next_frame(passt)) == 0) {
		ssize_t ret = fill(wire);

		if (ret < 0)
			return ret;
	}
	if (length < 0) {
		log_warning("--net: passt sent the length of no frame");
		shutdown(wire->fd[0], SHUT_RDWR);
		return -EBADFD;
	}
	iov_write(iov, count, header, sizeof(header));
	iov_write_at(iov, count, TAP_HEADER, passt->in + passt->start + LENGTH, (size_t)length);
	passt->start += LENGTH + (size_t)length;
	return TAP_HEADER + length;
}

/* --- Opening --- */

static bool passt_accepts(const char *value)
{
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (!value || (*value && strlen(value) <= most))
		return true;
	log_error("--net: passt '%s' is not the path of a socket, of 1 to %zu characters", value,
		  most);
	return false;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	log_error("--net: passt=%s: %m; is there a `passt --socket %s`?", path, path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What a passt that would not start has said last; `said` is its standard error. */
static void report_failure(int said)
{
	char text[4096], *line, *reason = NULL, *rest = text;
	ssize_t len = pread(said, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	while ((line = strsep(&rest, "\n")))
		if (*line && strncmp(line, "Failed to send", 14) != 0) /* to the system's log */
			reason = line;
	log_error("--net: passt did not start%s%s", reason ? ": " : "", reason ? reason : "");
}

/* Only these descriptors, and signals as for any new program. */
static int spawn(pid_t *pid, int socket, int said)
{
	char number[] = { '0' + CHILD_FD, '\0' };
	char *argv[] = { "passt", "--quiet", "--fd", number, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, STDIN_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, said, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&files, socket, CHILD_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, CHILD_FD + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return ret;
}

/* main has blocked the signals that end us, and its loop does not run yet: as long as
 * this takes, they do it by themselves. */
static int wait_for_process(pid_t pid)
{
	static const int endings[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t signals;
	int status;

	sigemptyset(&signals);
	for (unsigned i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		sigaddset(&signals, endings[i]);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	return status;
}

/* passt goes into the background once it works: until then its first process lives. */
static int start_and_wait(int socket, int said)
{
	int status, ret;
	pid_t pid;

	ret = spawn(&pid, socket, said);
	if (ret != 0) {
		log_error("--net: passt: %s%s", strerror(ret),
			  ret == ENOENT ? "; install the package passt" : "");
		return -1;
	}
	status = wait_for_process(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	report_failure(said);
	return -1;
}

static int start(void)
{
	int said = memfd_create("passt", MFD_CLOEXEC), sockets[2], ret = -1;

	if (said >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0) {
		if (fcntl(sockets[0], F_SETFL, O_NONBLOCK) == 0)
			ret = start_and_wait(sockets[1], said);
		close(sockets[1]);
		if (ret < 0)
			close(sockets[0]);
	} else {
		log_error("--net: passt: %m");
	}
	if (said >= 0)
		close(said);
	return ret < 0 ? -1 : sockets[0];
}

static int passt_open(struct net_wire *wire, const char *value)
{
	wire->state = calloc(1, sizeof(struct passt));
	if (!wire->state) {
		log_error("--net: passt: %m");
		return -1;
	}
	strcpy(wire->name, "passt");
	wire->mtu = MTU;
	wire->send = passt_send;
	wire->receive = passt_receive;
	wire->fd[0] = value ? connect_to(value) : start();
	return wire->fd[0] < 0 ? -1 : 0;
}

static void passt_close(struct net_wire *wire)
{
	close(wire->fd[0]);
	free(wire->state);
}

static const struct sandbox_rule needs[] = {
	SANDBOX_CALL(recvfrom), SANDBOX_CALL(sendto), SANDBOX_CALL(sendmsg),
	SANDBOX_CALL(shutdown), SANDBOX_END,
};

const struct net_backend net_passt = {
	.key = "passt",
	.syntax = "passt[=SOCKET]",
	.help = "passt(1), needing no privilege; started if no socket is given",
	.accepts = passt_accepts,
	.open = passt_open,
	.close = passt_close,
	.forget = passt_forget,
	.needs = needs,
};
