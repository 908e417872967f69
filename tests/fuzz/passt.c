/*
 * passt.c: the framing of the backend `passt`: the input is what passt sends,
 * in pieces of any length, and what the guest sends in between.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fuzz.h"
#include "net-backend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PACKET_MAX 65562 /* what a receiver has room for, spare buffer included */

static struct sockaddr_un address = { .sun_family = AF_UNIX };

/* Where lodge connects to; the files of one process are its own. */
static int listener(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/lodge-fuzz-%d", getpid());
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		abort();
	return fd;
}

static void drain(int peer)
{
	static uint8_t bytes[65536];

	while (recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* As net-receive.c does: until there is nothing more, or nobody. */
static bool receive(struct net_wire *wire, uint8_t *buffer)
{
	struct iovec iov[2] = { { buffer, 100 }, { buffer + 100, PACKET_MAX - 100 } };
	ssize_t len;

	while ((len = wire->receive(wire, 0, iov, 2)) > 0)
		if (len <= TAP_HEADER || len > PACKET_MAX)
			__builtin_trap();
	return len != -EBADFD;
}

static void send_something(struct net_wire *wire, struct input *input, uint8_t *buffer)
{
	size_t len = TAP_HEADER + 14 + input_take(input, 2);
	struct iovec iov[3] = { { buffer, 5 }, { buffer + 5, 9 }, { buffer + 14, len - 14 } };

	wire->send(wire, 0, iov, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int listening;
	struct net_wire wire = { .backend = &net_passt, .queues = 1, .watch_fd = -1 };
	struct input input = { data, size };
	uint8_t *buffer = malloc(PACKET_MAX);
	bool alive = true;
	int peer;

	if (!listening)
		listening = listener();
	memset(buffer, 0, PACKET_MAX);
	if (net_passt.open(&wire, address.sun_path) < 0)
		abort();
	peer = accept(listening, NULL, NULL);
	while (alive && input.left > 0) {
		unsigned what = (unsigned)input_take(&input, 1);
		size_t len = what >> 2 < input.left ? what >> 2 : input.left;

		if ((what & 3) == 1) {
			send_something(&wire, &input, buffer);
		} else if ((what & 3) == 2) {
			drain(peer);
			net_passt.forget(&wire, 0);
		} else {
			if (send(peer, input.at, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
			input.at += len;
			input.left -= len;
			alive = receive(&wire, buffer);
		}
	}
	close(peer);
	net_passt.close(&wire);
	free(buffer);
	return 0;
}
