/*
 * disk.c: the file behind a virtio disk.
 *
 * Parses --disk and opens the image, on main, before the guest runs. What
 * the guest is told about block sizes is found out here.
 *
 * Sources: open(2), O_DIRECT; fcntl_locking(2), F_OFD_SETLK; statx(2), STATX_DIOALIGN.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "disk.h"
#include "log.h"

#define SECTOR 512

static int parse_part(struct disk_options *options, const struct suboption *part)
{
	if (!part->value && strcmp(part->key, "ro") == 0) {
		options->read_only = true;
	} else if (!part->value && strcmp(part->key, "direct") == 0) {
		options->direct = true;
	} else if (part->value && strcmp(part->key, "serial") == 0) {
		if (strlen(part->value) > sizeof(options->serial)) {
			log_error("--disk: serial '%s' is longer than %zu characters", part->value,
				  sizeof(options->serial));
			return -1;
		}
		memcpy(options->serial, part->value, strlen(part->value));
	} else {
		log_error("--disk: unknown part '%s'; takes FILE[,ro][,direct][,serial=ID]",
			  part->key);
		return -1;
	}
	return 0;
}

void *disk_parse(const char *text)
{
	struct disk_options *options =
		device_allocate("--disk", sizeof(*options) + strlen(text) + 1);
	struct suboption part;
	char *rest;

	if (!options)
		return NULL;
	rest = strcpy((char *)(options + 1), text);
	suboption_next(&rest, &part);
	/* A file name may hold a "=": put back what looked like a value. */
	if (part.value)
		part.value[-1] = '=';
	options->file = part.key;
	if (*options->file == '\0') {
		log_error("--disk: '%s' names no file; takes FILE[,ro][,direct][,serial=ID]", text);
		free(options);
		return NULL;
	}
	while (suboption_next(&rest, &part)) {
		if (parse_part(options, &part) < 0) {
			free(options);
			return NULL;
		}
	}
	return options;
}

/* What O_DIRECT needs of addresses: the file system knows, since Linux 6.1. */
static uint32_t direct_memory_align(int fd, uint32_t block_size)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_mem_align)
		return stx.stx_dio_mem_align;
#endif
	(void)fd;
	return block_size;
}

static int measure(struct disk *disk, const char *file)
{
	struct stat st;

	if (fstat(disk->fd, &st) < 0) {
		log_error("--disk: %s: %m", file);
		return -1;
	}
	disk->block_size = disk->physical_size = SECTOR;
	if (S_ISBLK(st.st_mode)) {
		int logical = 0;
		unsigned physical = 0;

		if (ioctl(disk->fd, BLKGETSIZE64, &disk->size) < 0 ||
		    ioctl(disk->fd, BLKSSZGET, &logical) < 0 ||
		    ioctl(disk->fd, BLKPBSZGET, &physical) < 0) {
			log_error("--disk: %s: cannot ask for its size: %m", file);
			return -1;
		}
		disk->block_size = (uint32_t)logical;
		disk->physical_size = physical;
	} else if (S_ISREG(st.st_mode)) {
		disk->size = (uint64_t)st.st_size;
		if (st.st_blksize >= SECTOR)
			disk->physical_size = (uint32_t)st.st_blksize;
	} else {
		log_error("--disk: %s: must be a regular file or a block device", file);
		return -1;
	}
	if (disk->size < SECTOR) {
		log_error("--disk: %s: %s; make it as large as the disk should be, for example "
			  "with truncate -s 1G",
			  file, disk->size ? "smaller than a sector of 512 bytes" : "empty");
		return -1;
	}
	if (disk->size % SECTOR)
		log_warning("--disk: %s: its last %u bytes are no whole sector and stay out of "
			    "reach",
			    file, (unsigned)(disk->size % SECTOR));
	disk->size -= disk->size % SECTOR;
	return 0;
}

/* O_DIRECT may want file offsets aligned to more than a sector; the guest must know. */
static void adjust_for_direct(struct disk *disk)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(disk->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align > disk->block_size &&
	    disk->size % stx.stx_dio_offset_align == 0)
		disk->block_size = stx.stx_dio_offset_align;
#endif
	disk->memory_align = direct_memory_align(disk->fd, disk->block_size);
}

/* Is the file open already, as another disk of ours? Those were opened before this one,
 * and are closed at an exec: what was passed to us is not. */
static bool is_ours(int image)
{
	struct stat wanted, st;

	if (fstat(image, &wanted) < 0)
		return false;
	for (int fd = STDERR_FILENO + 1; fd < image; fd++)
		if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) && fstat(fd, &st) == 0 &&
		    st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino)
			return true;
	return false;
}

/*
 * Two writers would ruin a file system, and one a reader's. So an image has
 * one writer or any number of readers, lodges or whoever else locks: QEMU
 * does. The lock goes with the open file, whatever end we come to.
 */
static int lock(const struct disk *disk, const char *file)
{
	struct flock whole = { .l_type = disk->read_only ? F_RDLCK : F_WRLCK,
			       .l_whence = SEEK_SET };

	if (fcntl(disk->fd, F_OFD_SETLK, &whole) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES) {
		log_warning("--disk: %s: cannot lock it against other users: %m", file);
		return 0;
	}
	if (is_ours(disk->fd))
		log_error("--disk: %s: given twice; two disks can share it only if both are "
			  "read-only (ro)",
			  file);
	else
		log_error("--disk: %s: in use by somebody who %s; end that one%s", file,
			  disk->read_only ? "writes to it" : "has locked it, perhaps another lodge",
			  disk->read_only ? "" : ", or share it: all of them read-only (ro)");
	return -1;
}

/* Not waiting is for opening only: a named pipe without a writer is not worth it, but a
 * request may wait for its block device. */
static int open_image(const struct disk_options *options, int flags)
{
	int mode = options->read_only ? O_RDONLY : O_RDWR;
	int fd = open(options->file, mode | flags | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && fcntl(fd, F_SETFL, flags) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int disk_open(struct disk *disk, const struct disk_options *options)
{
	*disk = (struct disk){ .fd = -1, .buffered_fd = -1, .read_only = options->read_only };
	disk->fd = open_image(options, options->direct ? O_DIRECT : 0);
	if (disk->fd < 0) {
		log_error("--disk: %s: cannot open it%s: %m", options->file,
			  options->direct ? " with O_DIRECT (its file system may not have it)"
					  : "");
		return -1;
	}
	if (measure(disk, options->file) < 0 || lock(disk, options->file) < 0)
		return -1;
	if (!options->direct)
		return 0;
	adjust_for_direct(disk);
	disk->buffered_fd = open_image(options, 0);
	if (disk->buffered_fd < 0) {
		log_error("--disk: %s: cannot open it: %m", options->file);
		return -1;
	}
	return 0;
}

void disk_close(struct disk *disk)
{
	close(disk->fd);
	if (disk->buffered_fd >= 0)
		close(disk->buffered_fd);
}
