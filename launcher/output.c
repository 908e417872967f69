/*
 * output.c: see output.h. Statistics and descriptions of the machine go into
 * files that others name, which may be anything: a mistake must cost neither
 * what was in them nor the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "output.h"

static int open_at_once(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);

	/* From here on waiting is right: for a reader that takes its time. */
	if (fd >= 0 && fcntl(fd, F_SETFL, 0) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* As disks are, by us, another lodge or QEMU: nothing that is in use so may be overwritten. */
static bool is_locked(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

static bool is_pipe(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 && S_ISFIFO(st.st_mode);
}

int output_open(const char *option, const char *name)
{
	int fd = open_at_once(name);

	if (fd >= 0 && is_locked(fd)) {
		log_error("%s: %s is in use, as disks are, and would be lost; name another file",
			  option, name);
		close(fd);
		return -1;
	}
	if (fd >= 0)
		return fd;
	if (errno == ENXIO && is_pipe(name))
		log_error("%s: cannot write %s: a pipe that nobody reads", option, name);
	else
		log_error("%s: cannot write %s: %m", option, name);
	return -1;
}

int output_empty(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	return S_ISREG(st.st_mode) ? ftruncate(fd, 0) : 0;
}
