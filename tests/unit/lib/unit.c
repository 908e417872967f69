/*
 * unit.c: captured output, guest memory and scratch files for the unit programs.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout.h"
#include "unit.h"

static struct {
	int fd, saved, file;
	char text[65536];
} capture = { .file = -1 };

void capture_start(int fd)
{
	assert_int_equal(capture.file, -1);
	fflush(stdout);
	capture.fd = fd;
	capture.saved = dup(fd);
	capture.file = memfd_create("captured", MFD_CLOEXEC);
	assert_true(capture.saved >= 0 && capture.file >= 0);
	assert_int_equal(dup2(capture.file, fd), fd);
}

const char *capture_end(void)
{
	ssize_t len;

	fflush(stdout);
	dup2(capture.saved, capture.fd);
	len = pread(capture.file, capture.text, sizeof(capture.text) - 1, 0);
	close(capture.saved);
	close(capture.file);
	capture.file = -1;
	assert_true(len >= 0);
	capture.text[len] = '\0';
	return capture.text;
}

void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

void assert_silent(const char *text)
{
	if (*text)
		fail_msg("expected no output, got '%s'", text);
}

void assert_one_line_with(const char *text, const char *part)
{
	const char *end = strchr(text, '\n');

	if (strncmp(text, "lodge: ", 7) != 0 || !end || end[1])
		fail_msg("expected one line of lodge's with '%s', got '%s'", part, text);
	assert_contains(text, part);
}

struct memory unit_memory(uint64_t size)
{
	struct memory memory;

	assert_int_equal(memory_create(&memory, size, LAYOUT_LOW_RAM_MAX), 0);
	return memory;
}

static char directory[64];

static void remove_directory(void)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(directory);
}

const char *unit_path(const char *name)
{
	static char path[PATH_MAX];

	if (!*directory) {
		const char *parent = getenv("TMPDIR");

		snprintf(directory, sizeof(directory), "%.40s/lodge-unit-XXXXXX",
			 parent ? parent : "/tmp");
		if (!mkdtemp(directory))
			fail_msg("cannot make %s", directory);
		atexit(remove_directory);
	}
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

const char *unit_file(const char *name, const void *bytes, size_t len)
{
	const char *path = unit_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	return path;
}
