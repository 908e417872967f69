/*
 * net-load.c: both ends of the TCP load of tests/bench/network-nested. The
 * guest serves, the host asks; linked statically, for the guest has nothing
 * but its kernel.
 *
 *   net-load serve                               in the guest, until told to end
 *   net-load rr HOST CONNECTIONS SIZE COUNT      COUNT requests of SIZE bytes, each
 *                                                answered with as many, over so many
 *                                                connections, one at a time on each
 *   net-load send|fetch HOST BYTES               one stream to or from the guest
 *   net-load ask HOST COMMAND...                 what the guest prints about it:
 *       interrupts          how many its network card has sent it
 *       offload DEVICE 0|1  segmentation by the card off, on
 *       queues DEVICE N     use N pairs of its queues
 *       end                 leave serve
 *   net-load offload|queues DEVICE N             the same on this machine
 *
 * rr, send and fetch print the seconds it took. Nothing is measured before all
 * connections are made and one transaction is done on each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK    (256 * 1024)
#define PATIENCE 120 /* seconds a load may take */
enum { PORT_RR = 5000, PORT_SINK, PORT_SOURCE, PORT_ASK };

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_exactly(int fd, void *buffer, size_t size)
{
	while (size) {
		ssize_t n = read(fd, buffer, size);

		if (n <= 0)
			fail("read");
		buffer = (char *)buffer + n;
		size -= (size_t)n;
	}
}

static void write_exactly(int fd, const void *buffer, size_t size)
{
	while (size) {
		ssize_t n = write(fd, buffer, size);

		if (n <= 0)
			fail("write");
		buffer = (const char *)buffer + n;
		size -= (size_t)n;
	}
}

/* --- The card's settings, by ethtool's ioctls --- */

static int ethtool(const char *device, void *command)
{
	struct ifreq ifr = { .ifr_data = command };
	int ret, fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
	ret = ioctl(fd, SIOCETHTOOL, &ifr);
	close(fd);
	return ret;
}

static int set_offload(const char *device, unsigned on)
{
	struct ethtool_value tso = { ETHTOOL_STSO, on }, gso = { ETHTOOL_SGSO, on };

	return ethtool(device, &tso) < 0 || ethtool(device, &gso) < 0 ? -1 : 0;
}

static int set_queues(const char *device, unsigned n)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	if (ethtool(device, &channels) < 0)
		return -1;
	channels.cmd = ETHTOOL_SCHANNELS;
	channels.combined_count = n;
	return ethtool(device, &channels);
}

/* --- The guest's end --- */

static int listen_at(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 512) < 0)
		fail("listen");
	return fd;
}

static int accept_one(int listener)
{
	int one = 1, fd = accept(listener, NULL, NULL);

	if (fd < 0)
		fail("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

/* Every request is answered with its own bytes. One thread for each CPU, each
 * with its share of the connections. */
static void *serve_rr(void *arg)
{
	int listener = (int)(intptr_t)arg, epoll = epoll_create1(0);
	struct epoll_event events[128];
	char buffer[65536];

	watch(epoll, listener);
	for (;;) {
		int n = epoll_wait(epoll, events, 128, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			ssize_t got;

			if (fd == listener) {
				watch(epoll, accept_one(listener));
				continue;
			}
			got = read(fd, buffer, sizeof(buffer));
			if (got <= 0)
				close(fd);
			else
				write_exactly(fd, buffer, (size_t)got);
		}
	}
	return NULL;
}

/* Take all, then say how much it was. */
static void *serve_sink(void *arg)
{
	int listener = (int)(intptr_t)arg;
	char *buffer = malloc(CHUNK);

	for (;;) {
		int fd = accept_one(listener);
		uint64_t total = 0;
		ssize_t n;

		while ((n = read(fd, buffer, CHUNK)) > 0)
			total += (uint64_t)n;
		write_exactly(fd, &total, sizeof(total));
		close(fd);
	}
	return NULL;
}

/* Asked for a number of bytes, send them. */
static void *serve_source(void *arg)
{
	int listener = (int)(intptr_t)arg;
	char *buffer = calloc(1, CHUNK);

	for (;;) {
		int fd = accept_one(listener);
		uint64_t left;

		read_exactly(fd, &left, sizeof(left));
		for (; left; left -= left < CHUNK ? left : CHUNK)
			write_exactly(fd, buffer, left < CHUNK ? left : CHUNK);
		close(fd);
	}
	return NULL;
}

/* The virtio lines of /proc/interrupts, all CPUs; those of mmio have no name of a queue. */
static unsigned long count_interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long total = 0;
	char line[1024];

	while (file && fgets(line, sizeof(line), file)) {
		char *p = strchr(line, ':');

		if (!p || !strstr(line, "virtio"))
			continue;
		for (p++;;) {
			char *end;
			unsigned long n = strtoul(p, &end, 10);

			if (end == p || *end != ' ')
				break;
			total += n;
			p = end;
		}
	}
	if (file)
		fclose(file);
	return total;
}

static void answer(int fd)
{
	char line[256] = "", reply[64], device[IFNAMSIZ];
	unsigned n;
	ssize_t got = read(fd, line, sizeof(line) - 1);

	if (got <= 0)
		return;
	if (strncmp(line, "interrupts", 10) == 0)
		snprintf(reply, sizeof(reply), "%lu\n", count_interrupts());
	else if (sscanf(line, "offload %15s %u", device, &n) == 2)
		snprintf(reply, sizeof(reply), "%d\n", set_offload(device, n));
	else if (sscanf(line, "queues %15s %u", device, &n) == 2)
		snprintf(reply, sizeof(reply), "%d\n", set_queues(device, n));
	else
		snprintf(reply, sizeof(reply), "ended\n");
	write_exactly(fd, reply, strlen(reply));
	close(fd);
	if (strncmp(line, "end", 3) == 0)
		exit(0);
}

static void begin_thread(void *(*run)(void *), unsigned port)
{
	pthread_t thread;

	/* Listening before anybody is told that we do. */
	if (pthread_create(&thread, NULL, run, (void *)(intptr_t)listen_at(port)) != 0)
		fail("pthread_create");
}

static void serve(void)
{
	int listener = listen_at(PORT_ASK);

	for (long i = sysconf(_SC_NPROCESSORS_ONLN); i > 0; i--)
		begin_thread(serve_rr, PORT_RR);
	begin_thread(serve_sink, PORT_SINK);
	begin_thread(serve_source, PORT_SOURCE);
	printf("@serving\n");
	fflush(stdout);
	for (;;)
		answer(accept_one(listener));
}

/* --- The host's end --- */

static int connect_to(const char *host, unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(host);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

struct connection {
	int fd;
	unsigned missing; /* bytes of the answer */
};

static void request_response(const char *host, unsigned connections, unsigned size, unsigned count)
{
	struct connection *c = calloc(connections, sizeof(*c));
	char *buffer = calloc(1, size);
	int epoll = epoll_create1(0);
	struct epoll_event events[128];
	unsigned started = 0, done = 0;
	double begin;

	for (unsigned i = 0; i < connections; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &c[i] };

		c[i].fd = connect_to(host, PORT_RR);
		write_exactly(c[i].fd, buffer, size);
		read_exactly(c[i].fd, buffer, size);
		epoll_ctl(epoll, EPOLL_CTL_ADD, c[i].fd, &event);
	}
	begin = seconds();
	for (; started < connections && started < count; started++) {
		c[started].missing = size;
		write_exactly(c[started].fd, buffer, size);
	}
	while (done < count) {
		int n = epoll_wait(epoll, events, 128, -1);

		for (int i = 0; i < n; i++) {
			struct connection *one = events[i].data.ptr;
			ssize_t got = read(one->fd, buffer, one->missing);

			if (got <= 0)
				fail("read");
			one->missing -= (unsigned)got;
			if (one->missing)
				continue;
			done++;
			if (started == count)
				continue;
			started++;
			one->missing = size;
			write_exactly(one->fd, buffer, size);
		}
	}
	printf("%.6f\n", seconds() - begin);
}

static void send_stream(const char *host, uint64_t bytes)
{
	int fd = connect_to(host, PORT_SINK);
	char *buffer = calloc(1, CHUNK);
	double begin = seconds();
	uint64_t arrived;

	for (uint64_t left = bytes; left; left -= left < CHUNK ? left : CHUNK)
		write_exactly(fd, buffer, left < CHUNK ? left : CHUNK);
	shutdown(fd, SHUT_WR);
	read_exactly(fd, &arrived, sizeof(arrived));
	if (arrived != bytes)
		fail("less arrived than was sent");
	printf("%.6f\n", seconds() - begin);
}

static void fetch_stream(const char *host, uint64_t bytes)
{
	int fd = connect_to(host, PORT_SOURCE);
	char *buffer = malloc(CHUNK);
	double begin = seconds();

	write_exactly(fd, &bytes, sizeof(bytes));
	for (uint64_t left = bytes; left;) {
		ssize_t n = read(fd, buffer, CHUNK);

		if (n <= 0)
			fail("less arrived than was asked for");
		left -= (uint64_t)n;
	}
	printf("%.6f\n", seconds() - begin);
}

static void ask(const char *host, char **words)
{
	int fd = connect_to(host, PORT_ASK);
	char line[256] = "";
	ssize_t n;

	for (; *words; words++) {
		strncat(line, *words, sizeof(line) - strlen(line) - 2);
		strcat(line, " ");
	}
	write_exactly(fd, line, strlen(line));
	while ((n = read(fd, line, sizeof(line))) > 0)
		fwrite(line, 1, (size_t)n, stdout);
}

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "serve") == 0)
		serve();
	alarm(PATIENCE);
	if (strcmp(what, "rr") == 0 && argc == 6)
		request_response(argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
	else if (strcmp(what, "send") == 0 && argc == 4)
		send_stream(argv[2], strtoull(argv[3], NULL, 10));
	else if (strcmp(what, "fetch") == 0 && argc == 4)
		fetch_stream(argv[2], strtoull(argv[3], NULL, 10));
	else if (strcmp(what, "ask") == 0 && argc >= 4)
		ask(argv[2], argv + 3);
	else if (strcmp(what, "offload") == 0 && argc == 4)
		return set_offload(argv[2], number(argv[3])) < 0;
	else if (strcmp(what, "queues") == 0 && argc == 4)
		return set_queues(argv[2], number(argv[3])) < 0;
	else
		fprintf(stderr, "usage: see the opening comment of net-load.c\n");
	return 0;
}
