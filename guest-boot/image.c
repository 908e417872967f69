/*
 * image.c: arm64 kernels: Image, as distributions ship it, and Image.gz.
 *
 * boot-arm64.c calls in. The file is loaded as it is, at the start of RAM; its
 * header tells how much memory the kernel needs there, more than the file has,
 * and that is what we check against. A compressed kernel is unpacked straight
 * into guest memory, so that it is never anywhere else.
 *
 * Source: Documentation/arch/arm64/booting.rst, "Call the kernel image".
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "boot-arch.h"
#include "layout.h"
#include "log.h"

#define MAGIC            0x644d5241 /* "ARM\x64" */
#define FLAG_BIG_ENDIAN  1u
#define FLAGS_PAGE(n)    ((n) >> 1 & 3) /* 0: not said; 4, 16 or 64 KiB */
#define BASE_ALIGN       UINT64_C(0x200000)
#define IMAGE_SIZE_MAX   (UINT64_C(1) << 30)
#define GZIP_INPUT       65536
#define GZIP_WINDOW_BITS (16 + MAX_WBITS) /* 16: a gzip header is expected */

struct image_header {
	uint32_t code[2];
	uint64_t text_offset; /* bytes, from a 2 MiB boundary */
	uint64_t image_size;  /* bytes of memory, from there */
	uint64_t flags;
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t pe_offset;
};

_Static_assert(sizeof(struct image_header) == 64, "the header has 64 bytes");

/* The kernel's bytes, in order, from a plain file or out of a compressed one. */
struct source {
	const struct boot_file *file;
	uint64_t offset; /* of what is read from the file next */
	bool compressed;
	bool over; /* the compressed data has ended */
	z_stream gzip;
	uint8_t input[GZIP_INPUT];
};

bool image_matches(const uint8_t *start, size_t len)
{
	struct image_header header;

	if (len < sizeof(header))
		return false;
	memcpy(&header, start, sizeof(header));
	return le32toh(header.magic) == MAGIC;
}

bool image_gzip_matches(const uint8_t *start, size_t len)
{
	return len >= 3 && start[0] == 0x1f && start[1] == 0x8b && start[2] == Z_DEFLATED;
}

static int refill(struct source *source)
{
	uint64_t left = source->file->size - source->offset;

	if (left > sizeof(source->input))
		left = sizeof(source->input);
	if (left == 0) {
		log_error("%s: truncated: the compressed kernel has no end", source->file->name);
		return -1;
	}
	if (boot_file_read(source->file, source->offset, source->input, left) < 0)
		return -1;
	source->offset += left;
	source->gzip.next_in = source->input;
	source->gzip.avail_in = (uInt)left;
	return 0;
}

/* Up to `len` bytes, fewer only at the end; -1 after printing the reason. */
static int64_t unpack(struct source *source, void *to, uint64_t len)
{
	z_stream *gzip = &source->gzip;
	int ret = Z_OK;

	gzip->next_out = to;
	gzip->avail_out = (uInt)len;
	while (gzip->avail_out > 0 && !source->over) {
		if (gzip->avail_in == 0 && refill(source) < 0)
			return -1;
		ret = inflate(gzip, Z_NO_FLUSH);
		source->over = ret == Z_STREAM_END;
		if (ret != Z_OK && ret != Z_STREAM_END) {
			log_error("%s: the compressed kernel is damaged: %s", source->file->name,
				  gzip->msg ? gzip->msg : zError(ret));
			return -1;
		}
	}
	return (int64_t)(len - gzip->avail_out);
}

static int64_t source_read(struct source *source, void *to, uint64_t len)
{
	uint64_t left = source->file->size - source->offset;
	int64_t got;

	if (source->compressed) {
		got = unpack(source, to, len);
		source->gzip.next_out = NULL; /* it was the caller's */
		return got;
	}
	if (len > left)
		len = left;
	if (boot_file_read(source->file, source->offset, to, len) < 0)
		return -1;
	source->offset += len;
	return (int64_t)len;
}

/* In host byte order from here on. */
static int read_header(struct source *source, void *start, struct image_header *header)
{
	const char *name = source->file->name;
	int64_t got = source_read(source, start, sizeof(*header));

	if (got < 0)
		return -1;
	if (got < (int64_t)sizeof(*header) || !image_matches(start, sizeof(*header))) {
		log_error("%s: what it holds is no arm64 Image", name);
		return -1;
	}
	memcpy(header, start, sizeof(*header));
	header->text_offset = le64toh(header->text_offset);
	header->image_size = le64toh(header->image_size);
	header->flags = le64toh(header->flags);
	if (header->image_size == 0) {
		log_error("%s: the kernel does not say how large it is; need Linux 3.17 or newer",
			  name);
		return -1;
	}
	if (header->flags & FLAG_BIG_ENDIAN) {
		log_error("%s: the kernel is big-endian; need a little-endian one", name);
		return -1;
	}
	if (header->text_offset >= BASE_ALIGN || header->image_size < sizeof(*header) ||
	    header->image_size > IMAGE_SIZE_MAX) {
		log_error("%s: text_offset 0x%llx and image_size 0x%llx make no sense", name,
			  (unsigned long long)header->text_offset,
			  (unsigned long long)header->image_size);
		return -1;
	}
	return 0;
}

static int load(struct source *source, const struct memory *memory, struct kernel *kernel)
{
	const char *name = source->file->name;
	uint8_t start[sizeof(struct image_header)], *to, more;
	struct image_header header;
	uint64_t gpa, end;
	int64_t got;

	if (read_header(source, start, &header) < 0)
		return -1;
	gpa = memory->low.gpa + header.text_offset;
	/* The device tree goes behind, on 2 MiB so that it crosses no such boundary. */
	end = (gpa + header.image_size + BASE_ALIGN - 1) & ~(BASE_ALIGN - 1);
	to = memory_at(memory, gpa, end + LAYOUT_FDT_MAX - gpa);
	if (!to) {
		log_error("%s: needs %llu MiB of memory; give the guest more with -m", name,
			  (unsigned long long)((end + LAYOUT_FDT_MAX - memory->low.gpa + 0xfffff) >>
					       20));
		return -1;
	}
	memcpy(to, start, sizeof(start));
	got = source_read(source, to + sizeof(start), header.image_size - sizeof(start));
	if (got < 0)
		return -1;
	/* Also what makes a compressed file's checksum be looked at. */
	got = source_read(source, &more, 1);
	if (got > 0)
		log_error("%s: longer than its header says", name);
	if (got != 0)
		return -1;

	kernel->entry = (struct vcpu_entry){ .pc = gpa };
	if (FLAGS_PAGE(header.flags))
		kernel->entry.page_shift = 10 + 2 * (unsigned)FLAGS_PAGE(header.flags);
	kernel->arch.fdt = end;
	kernel->end = end + LAYOUT_FDT_MAX;
	kernel->initrd_max = LAYOUT_INITRD_MAX;
	kernel->cmdline_max = LAYOUT_CMDLINE_MAX - 1;
	return 0;
}

int image_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel)
{
	struct source source = { .file = file };

	return load(&source, memory, kernel);
}

int image_gzip_load(const struct boot_file *file, const struct memory *memory,
		    struct kernel *kernel)
{
	struct source source = { .file = file, .compressed = true };
	int ret;

	if (inflateInit2(&source.gzip, GZIP_WINDOW_BITS) != Z_OK) {
		log_error("%s: cannot unpack it: out of memory", file->name);
		return -1;
	}
	ret = load(&source, memory, kernel);
	inflateEnd(&source.gzip);
	return ret;
}
