/*
 * stream.c: where passt would be, at the other end of its socket, with worse
 * manners. `stream SOCKET` waits there for lodge and does what the frames of
 * wire.c ask, each of which follows its length (4 bytes, big endian):
 *
 *   ethertype 0x88b5, first byte of the payload the request, then two 16-bit
 *   numbers (little endian), a and b:
 *     E      send the frame back
 *     D      send it back in drips: one byte at a time, however they arrive
 *     F a b  send a frames of b bytes, numbered from 0 after the request byte,
 *            cut into pieces that know nothing of frames
 *     P      count it, and whether it is as it should be
 *     N      say how many those were, in a frame: a good, b bad
 *     S      say "full" and read nothing more until somebody writes a line to us
 *     L a b  announce a frame of a + 65536 * b bytes, and send nothing of it
 *     Q      close the socket and end
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fd;
static uint8_t in[1 << 16], out[1 << 22];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void get(uint8_t *p, size_t n)
{
	while (n) {
		ssize_t got = read(fd, p, n);

		if (got <= 0) {
			printf("closed\n");
			exit(0);
		}
		p += got;
		n -= got;
	}
}

static void put(const uint8_t *p, size_t n, size_t piece)
{
	while (n) {
		ssize_t done = write(fd, p, piece < n ? piece : n);

		if (done < 0)
			fail("write");
		p += done;
		n -= done;
	}
}

static uint8_t *length_of(uint8_t *p, uint32_t n)
{
	n = htonl(n);
	memcpy(p, &n, 4);
	return p + 4;
}

static void echo(size_t n, size_t piece)
{
	memcpy(length_of(out, n), in, n);
	put(out, n + 4, piece);
}

static void flood(unsigned count, unsigned length)
{
	uint8_t *p = out;

	for (unsigned i = 0; i < count; i++, p += length) {
		p = length_of(p, length);
		memcpy(p, in, 14);
		for (unsigned j = 14; j < length; j++)
			p[j] = i + j;
		p[14] = 'f';
		memcpy(p + 15, &(uint16_t){ i }, 2);
	}
	put(out, p - out, 999);
}

static int is_good(size_t n)
{
	for (size_t i = 19; i < n; i++)
		if (in[i] != (uint8_t)(i * 3 + n))
			return 0;
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), small = 65536;
	uint16_t count[2] = { 0, 0 }, a, b;
	char line[16];

	if (argc != 2)
		return 2;
	strncpy(address.sun_path, argv[1], sizeof(address.sun_path) - 1);
	if (bind(listener, (void *)&address, sizeof(address)) || listen(listener, 1))
		fail(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening\n");
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)))
		fail("accept");
	for (;;) {
		uint32_t n;

		get((uint8_t *)&n, 4);
		n = ntohl(n);
		if (n < 19 || n > sizeof(in)) {
			printf("a frame of %u bytes\n", n);
			return 1;
		}
		get(in, n);
		if (in[12] != 0x88 || in[13] != 0xb5)
			continue;
		memcpy(&a, in + 15, 2);
		memcpy(&b, in + 17, 2);
		switch (in[14]) {
		case 'E':
			echo(n, sizeof(out));
			break;
		case 'D':
			echo(n, 1);
			break;
		case 'F':
			flood(a, b);
			break;
		case 'P':
			count[!is_good(n)]++;
			break;
		case 'N':
			memcpy(in + 15, count, 4);
			echo(n, sizeof(out));
			break;
		case 'S':
			printf("full\n");
			if (!fgets(line, sizeof(line), stdin))
				fail("stdin");
			break;
		case 'L':
			length_of(out, a + 65536u * b);
			put(out, 4, 4);
			break;
		case 'Q':
			printf("ended\n");
			return 0;
		}
	}
}
