/*
 * iov.c: pieces of scattered buffers.
 *
 * A driver may cut a header and its data into any buffers it likes
 * (virtio 1.2, 2.7.4), so devices never assume that an iovec boundary means
 * anything. These are how they read, write and cut instead. Any thread.
 */
#include <string.h>

#include "virtqueue.h"

size_t iov_read(const struct iovec *iov, unsigned count, void *to, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < count && done < len; i++) {
		size_t part = iov[i].iov_len < len - done ? iov[i].iov_len : len - done;

		memcpy((char *)to + done, iov[i].iov_base, part);
		done += part;
	}
	return done;
}

size_t iov_write_at(const struct iovec *iov, unsigned count, size_t at, const void *from,
		    size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < count && done < len; i++) {
		size_t room = iov[i].iov_len, part;

		if (at >= room) {
			at -= room;
			continue;
		}
		part = room - at < len - done ? room - at : len - done;
		memcpy((char *)iov[i].iov_base + at, (const char *)from + done, part);
		done += part;
		at = 0;
	}
	return done;
}

size_t iov_write(const struct iovec *iov, unsigned count, const void *from, size_t len)
{
	return iov_write_at(iov, count, 0, from, len);
}

void iov_skip(struct iovec **iov, unsigned *count, size_t len)
{
	while (*count > 0 && len >= (*iov)->iov_len) {
		len -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (len > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + len;
		(*iov)->iov_len -= len;
	}
}

unsigned iov_truncate(struct iovec *iov, unsigned count, size_t len)
{
	for (unsigned i = 0; i < count; i++) {
		if (len <= iov[i].iov_len) {
			iov[i].iov_len = len;
			return len > 0 ? i + 1 : i;
		}
		len -= iov[i].iov_len;
	}
	return count;
}
