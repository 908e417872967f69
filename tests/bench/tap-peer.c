/*
 * tap-peer.c: the host's end of a tap, for tests/bench/network-native: runs a
 * machine whose guest is tests/guests/packets.c and gives it what it needs, or
 * does the guest's work itself, as the ceiling to compare with.
 *
 *   tap-peer run TAP COUNT transmit|receive|receive-live|echo PROGRAM [ARG]...
 *   tap-peer write TAP COUNT BYTES        plain writev() into the tap
 *   tap-peer uring TAP COUNT BYTES DEPTH  io_uring, DEPTH writes a submission
 *   tap-peer uring-fixed ...        the same with the tap as a registered file
 *   tap-peer read TAP COUNT         plain read() from the tap
 *   tap-peer read-uring TAP COUNT DEPTH  by io_uring, a registered file
 *   tap-peer read-live TAP COUNT [spin]  the same while frames arrive, beside a
 *                                   thread that spins as a polling guest does
 *
 * Frames to be received are put into the tap's queue beforehand (its
 * txqueuelen must hold them), so nobody competes for the CPU with those who
 * are measured. A live tap is flooded meanwhile instead, and loses what nobody
 * reads in time. In an echo, we send one frame and wait for its return.
 *
 * Prints one line of words and numbers: frames a second, how many the
 * interface counted, and for a guest what it said. Fails if the interface did
 * not count as many as there should be. Everything is bounded by PATIENCE.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <liburing.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ETHERTYPE 0x88b5
#define PATIENCE  60 /* seconds until a run counts as hung */
enum { HEADER = sizeof(struct virtio_net_hdr_v1), FRAME = 60 };

extern char **environ;

static const char *tap;
static unsigned count;
static bool is_live; /* frames arrive while they are counted */
static pid_t machine;
static uint8_t packet[HEADER + 65536];
static uint8_t *const frame = packet + HEADER;

static void give_up(const char *what)
{
	fprintf(stderr, "tap-peer: %s%s%s\n", what, errno ? ": " : "",
		errno ? strerror(errno) : "");
	if (machine > 0)
		kill(machine, SIGKILL);
	exit(1);
}

static void out_of_patience(int signal)
{
	(void)signal;
	if (machine > 0)
		kill(machine, SIGKILL);
	static const char text[] = "tap-peer: nothing more happens\n";
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- The interface's own counters --- */

struct counters {
	uint64_t received, sent, dropped; /* by the host: what the guest sent, and got */
};

static struct counters read_counters(void)
{
	struct counters c = { 0 };
	size_t n = strlen(tap);
	char line[512];
	FILE *file = fopen("/proc/self/net/dev", "r");

	if (!file)
		give_up("/proc/self/net/dev");
	while (fgets(line, sizeof(line), file)) {
		char *p = line + strspn(line, " ");
		uint64_t v[12] = { 0 };

		if (strncmp(p, tap, n) || p[n] != ':')
			continue;
		p += n + 1;
		for (unsigned i = 0; i < 12; i++)
			v[i] = strtoull(p, &p, 10);
		c = (struct counters){ .received = v[1], .sent = v[9], .dropped = v[11] };
	}
	fclose(file);
	return c;
}

/* Say how fast it was, once the interface agrees on how many there were: of a
 * flood, somebody may have read on. */
static void report(struct counters before, unsigned received, unsigned sent, double seconds,
		   const char *more)
{
	struct counters after = read_counters();
	uint64_t all_received = after.received - before.received,
		 all_sent = after.sent - before.sent;

	printf("rate %.0f interface_rx %" PRIu64 " interface_tx %" PRIu64 "%s%s\n", count / seconds,
	       all_received, all_sent, *more ? " " : "", more);
	errno = 0;
	if (all_received != received || (is_live ? all_sent < sent : all_sent != sent))
		give_up("the interface counted otherwise");
}

/* --- Frames to and from the tap, through the host's network stack --- */

static int open_socket(void)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETHERTYPE),
				       .sll_ifindex = (int)if_nametoindex(tap) };
	int one = 1, fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE));

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
		give_up("packet socket");
	return fd;
}

/* A batch of frames to send. */
#define BATCH 64
static struct mmsghdr *make_messages(void)
{
	static struct mmsghdr messages[BATCH];
	static struct iovec iov;

	iov = (struct iovec){ frame, FRAME };
	for (unsigned i = 0; i < BATCH; i++)
		messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	return messages;
}

/* All frames into the tap's queue. */
static void fill(void)
{
	struct mmsghdr *messages = make_messages();
	uint64_t dropped = read_counters().dropped;
	int fd = open_socket();

	for (unsigned left = count; left;) {
		int sent = sendmmsg(fd, messages, left < BATCH ? left : BATCH, 0);

		if (sent <= 0)
			give_up("sendmmsg");
		left -= (unsigned)sent;
	}
	close(fd);
	errno = 0;
	if (read_counters().dropped != dropped)
		give_up("the tap's queue is too short for all frames");
}

/* As many frames as the tap takes, until we end. */
static void *flood(void *unused)
{
	struct mmsghdr *messages = make_messages();
	int fd = open_socket();

	for (;;)
		sendmmsg(fd, messages, BATCH, 0);
	return unused;
}

static void *spin(void *unused)
{
	for (;;)
		__builtin_ia32_pause();
	return unused;
}

/* Gone with the process; so is what it does, before the interface is asked. */
static pthread_t begin_thread(void *(*run)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, NULL) != 0)
		give_up("pthread_create");
	return thread;
}

static double echo(int fd)
{
	uint64_t start = now();
	uint8_t got[FRAME + 64];

	for (unsigned i = 0; i < count; i++)
		if (send(fd, frame, FRAME, 0) != FRAME || recv(fd, got, sizeof(got), 0) != FRAME)
			give_up("echo");
	return (double)(now() - start) / 1e9;
}

/* --- A machine with a guest --- */

static int to_guest, from_guest;

static void start(char **argv)
{
	posix_spawn_file_actions_t actions;
	int in[2], out[2], error;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		give_up("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	error = posix_spawnp(&machine, argv[0], &actions, NULL, argv, environ);
	if (error) {
		machine = 0;
		errno = error;
		give_up(argv[0]);
	}
	close(in[0]);
	close(out[1]);
	to_guest = in[1];
	from_guest = out[0];
}

/* The guest's next line that begins with `word`. */
static void await(const char *word, char *line, size_t size)
{
	size_t n = 0;

	for (;;) {
		char c;

		errno = 0;
		if (read(from_guest, &c, 1) != 1)
			give_up("the machine ended too soon");
		if (c == '\r' || !c)
			continue;
		if (c != '\n') {
			if (n + 1 < size)
				line[n++] = c;
			continue;
		}
		line[n] = 0;
		if (strncmp(line, word, strlen(word)) == 0)
			return;
		n = 0;
	}
}

/* What KVM counted for the machine so far; false where it may not be asked. */
static bool read_exits(uint64_t *exits)
{
	char pattern[64];
	glob_t found;
	FILE *file;
	bool read;

	snprintf(pattern, sizeof(pattern), "/sys/kernel/debug/kvm/%d-*/exits", machine);
	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	file = fopen(found.gl_pathv[0], "r");
	read = file && fscanf(file, "%" SCNu64, exits) == 1;
	if (file)
		fclose(file);
	globfree(&found);
	return read;
}

static void run(const char *what, char **argv)
{
	bool sends = strncmp(what, "receive", 7) != 0, gets = strcmp(what, "transmit") != 0,
	     exits_known;
	int status, fd = -1;
	struct counters before;
	char line[512], rest[16];
	uint64_t guest_packets, cycles, started, tsc, exits, exits_before;
	double seconds;

	if (sends && gets)
		fd = open_socket(); /* before the guest is there: misses nothing */
	start(argv);
	await("ready", line, sizeof(line));
	before = read_counters();
	if (!sends && !is_live)
		fill();
	exits_known = read_exits(&exits_before);
	started = now();
	tsc = __builtin_ia32_rdtsc();
	if (write(to_guest, "g", 1) != 1)
		give_up("the machine takes no input");
	if (is_live)
		begin_thread(flood);
	seconds = fd >= 0 ? echo(fd) : 0;
	await("@packets", line, sizeof(line));
	tsc = __builtin_ia32_rdtsc() - tsc;
	if (sscanf(line, "@packets %" SCNu64 " cycles %" SCNu64 "%15s", &guest_packets, &cycles,
		   rest) != 3)
		give_up(line);
	exits_known = exits_known && read_exits(&exits);
	/* The guest's clock is the TSC; ours says how fast that runs. */
	if (!seconds)
		seconds = (double)cycles / (double)tsc * (double)(now() - started) / 1e9;
	while (read(from_guest, rest, sizeof(rest)) > 0)
		;
	if (waitpid(machine, &status, 0) != machine || !WIFEXITED(status))
		give_up("the machine did not end well");
	machine = 0;
	if (guest_packets != count)
		give_up("the guest counted otherwise");
	if (exits_known)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), " exits %" PRIu64,
			 exits - exits_before);
	report(before, sends ? count : 0, gets ? count : 0, seconds, strstr(line, "kicks"));
}

/* --- The same work done on the host --- */

static int open_tap(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header = HEADER, fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", tap);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		give_up(tap);
	return fd;
}

static void write_all(size_t bytes)
{
	struct iovec iov = { packet, HEADER + bytes };
	struct counters before = read_counters();
	int fd = open_tap();
	uint64_t begin = now();

	for (unsigned i = 0; i < count; i++)
		if (writev(fd, &iov, 1) != (ssize_t)iov.iov_len)
			give_up("writev");
	report(before, count, 0, (double)(now() - begin) / 1e9, "");
}

static void uring_all(size_t bytes, unsigned depth, bool fixed)
{
	unsigned size = (unsigned)(HEADER + bytes);
	struct counters before = read_counters();
	struct io_uring ring;
	int fd = open_tap();
	uint64_t begin;

	if (io_uring_queue_init(depth, &ring,
				IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) < 0 ||
	    (fixed && io_uring_register_files(&ring, &fd, 1) < 0))
		give_up("io_uring");
	begin = now();
	for (unsigned done = 0; done < count;) {
		unsigned n = count - done < depth ? count - done : depth;
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;

		for (unsigned i = 0; i < n; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			io_uring_prep_write(sqe, fixed ? 0 : fd, packet, size, 0);
			if (fixed)
				sqe->flags |= IOSQE_FIXED_FILE;
		}
		if (io_uring_submit_and_wait(&ring, n) < 0)
			give_up("io_uring_submit_and_wait");
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			if (cqe->res != (int)size) {
				errno = -cqe->res;
				give_up("write");
			}
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		done += seen;
	}
	report(before, count, 0, (double)(now() - begin) / 1e9, "");
	io_uring_queue_exit(&ring);
}

static void read_all(void)
{
	struct counters before = read_counters();
	struct pollfd pollfd = { .events = POLLIN };
	uint8_t buffer[2048];
	uint64_t begin;
	int fd = open_tap();

	pollfd.fd = fd;
	if (is_live)
		begin_thread(flood);
	else
		fill();
	poll(&pollfd, 1, -1);
	begin = now();
	for (unsigned i = 0; i < count;) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n == HEADER + FRAME)
			i++;
		else if (n >= 0 || errno != EAGAIN || poll(&pollfd, 1, -1) != 1)
			give_up("read");
	}
	report(before, 0, count, (double)(now() - begin) / 1e9, "");
}

/* The same by io_uring, DEPTH reads a submission, the tap a registered file. All frames
 * are there: a read of one too many would wait for ever. */
static void read_uring(unsigned depth)
{
	struct counters before = read_counters();
	struct pollfd pollfd = { .events = POLLIN };
	static uint8_t buffers[BATCH][2048];
	struct io_uring ring;
	int fd = open_tap();
	uint64_t begin;

	if (depth > BATCH ||
	    io_uring_queue_init(depth, &ring,
				IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) < 0 ||
	    io_uring_register_files(&ring, &fd, 1) < 0)
		give_up("io_uring");
	fill();
	pollfd.fd = fd;
	poll(&pollfd, 1, -1);
	begin = now();
	for (unsigned done = 0; done < count;) {
		unsigned n = count - done < depth ? count - done : depth;
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;

		for (unsigned i = 0; i < n; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			io_uring_prep_read(sqe, 0, buffers[i], sizeof(buffers[i]), 0);
			sqe->flags |= IOSQE_FIXED_FILE;
		}
		if (io_uring_submit_and_wait(&ring, n) < 0)
			give_up("io_uring_submit_and_wait");
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			if (cqe->res != HEADER + FRAME) {
				errno = cqe->res < 0 ? -cqe->res : 0;
				give_up("read");
			}
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		done += seen;
	}
	report(before, 0, count, (double)(now() - begin) / 1e9, "");
	io_uring_queue_exit(&ring);
}

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		give_up("usage: tap-peer run|write|uring|uring-fixed|read|read-uring TAP COUNT "
			"...");
	tap = argv[2];
	count = number(argv[3]);
	memcpy(frame, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, out_of_patience);
	alarm(PATIENCE);
	is_live = strcmp(argv[1], "read-live") == 0 ||
		  (argc > 4 && strcmp(argv[4], "receive-live") == 0);
	if (strcmp(argv[1], "run") == 0 && argc > 5)
		run(argv[4], argv + 5);
	else if (strcmp(argv[1], "write") == 0 && argc == 5)
		write_all(number(argv[4]));
	else if (strcmp(argv[1], "uring") == 0 && argc == 6)
		uring_all(number(argv[4]), number(argv[5]), false);
	else if (strcmp(argv[1], "uring-fixed") == 0 && argc == 6)
		uring_all(number(argv[4]), number(argv[5]), true);
	else if (strcmp(argv[1], "read-uring") == 0 && argc == 5)
		read_uring(number(argv[4]));
	else if (strncmp(argv[1], "read", 4) == 0) {
		if (argc > 4)
			begin_thread(spin);
		read_all();
	} else {
		give_up("usage: see its opening comment");
	}
	return 0;
}
