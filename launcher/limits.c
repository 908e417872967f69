/*
 * limits.c: is there as much memory as the guest was promised?
 *
 * RAM is mapped, not reserved: a guest gets its pages as it touches them. A
 * control group that has fewer ends that with a SIGKILL, in the middle of the
 * guest's work and without a word. So main has the word said before: a
 * warning only, since many guests never use what they have.
 *
 * Source: cgroups(7); Documentation/admin-guide/cgroup-v2.rst, "memory.max".
 */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"

/* The start of a file, as a string; false if it cannot be read. */
static bool read_start(const char *name, char *text, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

/* Where our control group is in the file system, below the root: "" is the root's own. */
static bool find_group(char path[PATH_MAX])
{
	char text[PATH_MAX];
	char *start;

	if (!read_start("/proc/self/cgroup", text, sizeof(text)))
		return false;
	start = strstr(text, "0::/"); /* version 2's line is the only one without controllers */
	if (!start || (start != text && start[-1] != '\n'))
		return false;
	start += strlen("0::");
	start[strcspn(start, "\n")] = '\0';
	snprintf(path, PATH_MAX, "%s", strcmp(start, "/") == 0 ? "" : start);
	return true;
}

void memory_warn_of_limit(uint64_t size)
{
	char path[PATH_MAX], name[PATH_MAX + 64], text[32], *slash;

	if (!find_group(path))
		return;
	/* A limit counts for all below it. The root has none. */
	while ((slash = strrchr(path, '/'))) {
		unsigned long long limit = ULLONG_MAX;

		snprintf(name, sizeof(name), "/sys/fs/cgroup%s/memory.max", path);
		/* No limit is the word "max". */
		if (read_start(name, text, sizeof(text)) && *text >= '0' && *text <= '9')
			limit = strtoull(text, NULL, 10);
		if (limit < size) {
			log_warning("%s allows %llu MiB, less than the guest's %llu MiB: if the "
				    "guest uses more, the kernel kills lodge",
				    name, limit >> 20, (unsigned long long)(size >> 20));
			return;
		}
		*slash = '\0';
	}
}
