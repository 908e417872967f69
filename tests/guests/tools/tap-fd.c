/*
 * tap-fd.c: a supervisor that opens a tap and passes it on, with a small send
 * buffer, so that it can be full. `tap-fd NAME BYTES PROGRAM [ARG]...` runs the
 * program with the tap as its descriptor 5.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR), bytes;

	if (argc < 4)
		return 2;
	bytes = atoi(argv[2]);
	strncpy(ifr.ifr_name, argv[1], IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) || ioctl(fd, TUNSETSNDBUF, &bytes) ||
	    dup2(fd, 5) < 0) {
		perror(argv[1]);
		return 1;
	}
	if (fd != 5)
		close(fd);
	execv(argv[3], argv + 3);
	perror(argv[3]);
	return 1;
}
