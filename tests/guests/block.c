/*
 * block.c: the block device: every request type, the shapes a request may
 * have, and the ways it may be wrong. block.t gives it an image, its capacity,
 * serial number and checksum, and looks at the image afterwards.
 */
#include "lib/block.h"

static struct virtio v;
static struct queue q;
static uint64_t capacity; /* sectors */
static uint8_t *data;     /* 1 MiB */

static uint8_t pattern(uint64_t sector, unsigned i)
{
	return sector * 7 + i * 13 + i / 512;
}

static void fill(uint8_t *p, uint64_t sector, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = pattern(sector, i);
}

static bool filled(const uint8_t *p, uint64_t sector, unsigned n)
{
	while (n--)
		if (p[n] != pattern(sector, n))
			return false;
	return true;
}

/* The whole disk in requests of 64 KiB, as many at once as the queue holds. */
static uint32_t checksum_disk(bool *good)
{
	static struct block_request r[64];
	uint8_t *disk = allocate(capacity * 512);
	unsigned n = 0, done = 0;

	*good = true;
	for (uint64_t sector = 0; sector < capacity; sector += 128, n++)
		*good &=
			block_add(&q, &r[n], BLOCK_IN, sector, disk + sector * 512,
				  (capacity - sector < 128 ? capacity - sector : 128) * 512, false);
	queue_kick(&q);
	while (done < n && queue_wait(&q, NULL) >= 0)
		done++;
	for (unsigned i = 0; i < n; i++)
		*good &= r[i].status == BLOCK_OK;
	*good &= done == n;
	return cksum(disk, capacity * 512);
}

static void check_config(void)
{
	uint64_t want =
		FEATURE(F_SEG_MAX) | FEATURE(F_BLK_SIZE) | FEATURE(F_FLUSH) | FEATURE(F_TOPOLOGY);

	if (!option("ro"))
		want |= FEATURE(F_DISCARD) | FEATURE(F_WRITE_ZEROES);
	is(v.features & want, want, "features: sizes, flush%s",
	   option("ro") ? "" : ", discard, write zeroes");
	is(v.features >> F_READ_ONLY & 1, !!option("ro"), "features: read-only or not");
	is(capacity, option_number("capacity", 0), "config: capacity in sectors");
	ok(config32(&v, 12) >= 1 && config32(&v, 12) <= 254, "config: seg_max %u",
	   config32(&v, 12));
	ok(config32(&v, 20) >= 512 && !(config32(&v, 20) & (config32(&v, 20) - 1)),
	   "config: blk_size %u", config32(&v, 20));
}

static void check_identity(void)
{
	const char *serial = option("serial");
	uint32_t used = 0;
	unsigned n = 0;

	memset(data, 0xaa, 32);
	is(block_do(&q, BLOCK_GET_ID, 0, data, 20, &used), BLOCK_OK, "get id");
	is(used, 21, "get id: 20 bytes and the status");
	is(data[20], 0xaa, "get id: nothing beyond them");
	while (serial && serial[n] && serial[n] != ' ' && n < 20)
		n++;
	ok(!serial || (!memcmp(data, serial, n) && (n == 20 || !data[n])),
	   "get id: the serial number");
}

static void check_read_write(void)
{
	uint32_t used = 0;

	fill(data, 8, 4096);
	is(block_do(&q, BLOCK_OUT, 8, data, 4096, &used), BLOCK_OK, "write 4 KiB");
	is(used, 1, "write: only the status is written back");
	memset(data, 0, 4096);
	is(block_do(&q, BLOCK_IN, 8, data, 4096, &used), BLOCK_OK, "read them back");
	is(used, 4097, "read: data and status");
	ok(filled(data, 8, 4096), "read: the same");
	fill(data, 100, 1 << 19);
	is(block_do(&q, BLOCK_OUT, 100, data, 1 << 19, NULL), BLOCK_OK, "write 512 KiB at once");
	fill(data, capacity - 1, 512);
	is(block_do(&q, BLOCK_OUT, capacity - 1, data, 512, NULL), BLOCK_OK,
	   "write the last sector");
	is(block_do(&q, BLOCK_FLUSH, 0, NULL, 0, &used), BLOCK_OK, "flush");
	is(used, 1, "flush: one byte of status");

	/* From and to odd addresses, in pieces that are no sectors. */
	fill(data + 1, 40, 4096);
	struct block_request r = { .header = { BLOCK_OUT, 0, 40 }, .status = BLOCK_NO_ANSWER };
	struct buffer out[] = { { &r.header, 8 },     { (uint8_t *)&r.header + 8, 8 },
				{ data + 1, 700 },    { data + 701, 3 },
				{ data + 704, 3393 }, { (void *)&r.status, 1 } };
	queue_add(&q, out, 5, 1);
	queue_kick(&q);
	ok(queue_wait(&q, NULL) >= 0 && r.status == BLOCK_OK,
	   "write from odd pieces, header in two");
	memset(data, 0, 8192);
	r.header.type = BLOCK_IN;
	r.status = BLOCK_NO_ANSWER;
	struct buffer in[] = { { &r.header, 16 }, { data + 3, 511 }, { data + 514, 3586 } };
	in[2].length = 4096 - 511 + 1; /* the status follows the data in one buffer */
	queue_add(&q, in, 1, 2);
	queue_kick(&q);
	ok(queue_wait(&q, &used) >= 0 && used == 4097 && data[3 + 4096] == BLOCK_OK,
	   "read into odd pieces, status behind the data");
	ok(filled(data + 3, 40, 4096), "and the same comes back");
}

static void check_many(void)
{
	static struct block_request r[256];
	unsigned n = 0, done = 0, good = 0;
	struct buffer b[64];

	while (n < 200 && block_add(&q, &r[n], BLOCK_IN, 100 + n, data + 512 * n, 512, true))
		n++;
	memset(data, 0, 512 * n);
	queue_kick(&q);
	for (; done < n && queue_wait(&q, NULL) >= 0; done++)
		;
	for (unsigned i = 0; i < n; i++) {
		bool same = r[i].status == BLOCK_OK;

		for (unsigned j = 0; j < 512; j++)
			same &= data[512 * i + j] == pattern(100, 512 * i + j);
		good += same;
	}
	is(done, n, "%u reads in flight come back", n);
	is(good, n, "each with its own sector");

	unsigned segments = config32(&v, 12) < 60 ? config32(&v, 12) : 60;
	memset(data, 0, 512 * segments);
	r[0].header = (struct block_header){ BLOCK_IN, 0, 100 };
	r[0].status = BLOCK_NO_ANSWER;
	b[0] = (struct buffer){ &r[0].header, 16 };
	for (unsigned i = 0; i < segments; i++)
		b[1 + i] = (struct buffer){ data + 512 * i, 512 };
	b[1 + segments] = (struct buffer){ (void *)&r[0].status, 1 };
	queue_add_indirect(&q, b, 1, segments + 1);
	queue_kick(&q);
	ok(queue_wait(&q, NULL) >= 0 && r[0].status == BLOCK_OK &&
		   filled(data, 100, 512 * segments),
	   "a read in %u segments", segments);
}

static uint8_t range(unsigned type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	struct block_range r = { sector, sectors, flags };

	return block_do(&q, type, 0, &r, sizeof(r), NULL);
}

static bool zero(uint64_t sector, unsigned sectors)
{
	memset(data, 0xff, sectors * 512);
	if (block_do(&q, BLOCK_IN, sector, data, sectors * 512, NULL) != BLOCK_OK)
		return false;
	for (unsigned i = 0; i < sectors * 512; i++)
		if (data[i])
			return false;
	return true;
}

static void check_discard(void)
{
	is(range(BLOCK_ZEROES, 200, 17, 0), BLOCK_OK, "write zeroes");
	ok(zero(200, 17), "write zeroes: they are");
	is(range(BLOCK_ZEROES, 300, 8, 1), BLOCK_OK, "write zeroes, may unmap");
	ok(zero(300, 8), "write zeroes, may unmap: they are");
	block_do(&q, BLOCK_IN, 217, data, 512, NULL);
	ok(data[0] == pattern(100, 117 * 512) && data[511] == pattern(100, 117 * 512 + 511),
	   "write zeroes: the sector after is untouched");
	is(range(BLOCK_DISCARD, 400, 64, 0), BLOCK_OK, "discard");
	is(range(BLOCK_DISCARD, 400, 8, 1), BLOCK_UNSUPP, "discard with the unmap flag");
	is(range(BLOCK_ZEROES, 400, 8, 2), BLOCK_UNSUPP, "write zeroes with an unknown flag");
	is(range(BLOCK_DISCARD, capacity - 4, 8, 0), BLOCK_IOERR, "discard beyond the end");
	is(range(BLOCK_ZEROES, capacity, 1, 0), BLOCK_IOERR, "write zeroes beyond the end");
	is(range(BLOCK_ZEROES, ~0ull, 2, 0), BLOCK_IOERR,
	   "write zeroes around the end of the numbers");
	is(block_do(&q, BLOCK_DISCARD, 0, data, 15, NULL), BLOCK_IOERR,
	   "discard with half a range");
}

static void check_errors(void)
{
	is(block_do(&q, BLOCK_IN, capacity, data, 512, NULL), BLOCK_IOERR, "read beyond the end");
	is(block_do(&q, BLOCK_IN, capacity - 1, data, 1024, NULL), BLOCK_IOERR,
	   "read across the end");
	is(block_do(&q, BLOCK_OUT, capacity - 1, data, 1024, NULL), BLOCK_IOERR,
	   "write across the end");
	is(block_do(&q, BLOCK_IN, 1ull << 55, data, 512, NULL), BLOCK_IOERR,
	   "read where sector * 512 overflows");
	is(block_do(&q, BLOCK_OUT, ~0ull, data, 512, NULL), BLOCK_IOERR,
	   "write the last sector of all numbers");
	is(block_do(&q, BLOCK_IN, 0, data, 511, NULL), BLOCK_IOERR, "read less than a sector");
	is(block_do(&q, BLOCK_OUT, 0, data, 700, NULL), BLOCK_IOERR, "write a sector and a bit");
	ok(block_do(&q, BLOCK_IN, 0, NULL, 0, NULL) <= BLOCK_IOERR, "read nothing: answered");
	ok(block_do(&q, BLOCK_OUT, 0, NULL, 0, NULL) <= BLOCK_IOERR, "write nothing: answered");
	is(block_do(&q, 99, 0, data, 512, NULL), BLOCK_UNSUPP, "an unknown request");
	is(block_do(&q, 0x80000000, 0, NULL, 0, NULL), BLOCK_UNSUPP, "another, without data");
	is(block_do(&q, BLOCK_IN, 8, data, 512, NULL), BLOCK_OK, "and after all that, a good one");
}

static void check_read_only(void)
{
	is(block_do(&q, BLOCK_OUT, 0, data, 512, NULL), BLOCK_IOERR, "read-only: a write fails");
	ok(range(BLOCK_ZEROES, 0, 8, 0) != BLOCK_OK, "read-only: so do zeroes");
	ok(range(BLOCK_DISCARD, 0, 8, 0) != BLOCK_OK, "read-only: and a discard");
	is(block_do(&q, BLOCK_FLUSH, 0, NULL, 0, NULL), BLOCK_OK, "read-only: a flush is fine");
}

int main(void)
{
	uint32_t sum;
	bool good;

	data = allocate(1 << 20);
	if (!ok(virtio_find(&v, VIRTIO_BLOCK, option_number("disk", 0)), "a block device"))
		return 0;
	ok(virtio_negotiate(&v, ~0ull), "features negotiated");
	capacity = config64(&v, 0);
	v.transport->route(&v, 1);
	queue_open(&q, &v, 0, 0);
	virtio_driver_ok(&v);
	check_config();
	check_identity();
	sum = checksum_disk(&good);
	ok(good, "reading all of it");
	is(sum, option_number("cksum", 0), "shows what is in the file");
	if (option("ro")) {
		check_read_only();
		return 0;
	}
	check_read_write();
	check_many();
	check_errors();
	check_discard();
	is(block_do(&q, BLOCK_FLUSH, 0, NULL, 0, NULL), BLOCK_OK, "flush at the end");
	sum = checksum_disk(&good);
	ok(good, "reading all of it again");
	note("disk: %u", sum);
	return 0;
}
