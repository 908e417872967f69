/*
 * iov.c: the pieces of scattered buffers that every device parses with.
 */
#include <string.h>

#include "lib/unit.h"
#include "virtqueue.h"

/* "abc" "" "defgh" "i": boundaries everywhere, one buffer empty. */
static struct pieces {
	char a[3], b[5], c[1];
	struct iovec iov[4];
} pieces;

static int set_up(void **state)
{
	(void)state;
	memcpy(pieces.a, "abc", 3);
	memcpy(pieces.b, "defgh", 5);
	memcpy(pieces.c, "i", 1);
	pieces.iov[0] = (struct iovec){ pieces.a, 3 };
	pieces.iov[1] = (struct iovec){ pieces.b, 0 };
	pieces.iov[2] = (struct iovec){ pieces.b, 5 };
	pieces.iov[3] = (struct iovec){ pieces.c, 1 };
	return 0;
}

static void read_any_length(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 12; len++) {
		char to[16] = "................";
		size_t want = len < 9 ? len : 9;

		assert_int_equal(iov_read(pieces.iov, 4, to, len), want);
		assert_memory_equal(to, "abcdefghi", want);
		assert_int_equal(to[want], '.');
	}
	assert_int_equal(iov_read(pieces.iov, 0, NULL, 5), 0);
}

static void write_any_length(void **state)
{
	for (size_t len = 0; len <= 12; len++) {
		char now[9];
		size_t put = len < 9 ? len : 9;

		set_up(state);
		assert_int_equal(iov_write(pieces.iov, 4, "ABCDEFGHIJKL", len), put);
		iov_read(pieces.iov, 4, now, sizeof(now));
		assert_memory_equal(now, "ABCDEFGHI", put);
		assert_memory_equal(now + put, "abcdefghi" + put, 9 - put);
	}
}

static void write_anywhere(void **state)
{
	for (size_t at = 0; at <= 10; at++)
		for (size_t len = 0; len <= 10; len++) {
			size_t room = at < 9 ? 9 - at : 0, put = len < room ? len : room;
			char now[9], want[9];

			set_up(state);
			memcpy(want, "abcdefghi", 9);
			memcpy(want + (at < 9 ? at : 0), "ABCDEFGHIJKL", put);
			assert_int_equal(iov_write_at(pieces.iov, 4, at, "ABCDEFGHIJKL", len), put);
			iov_read(pieces.iov, 4, now, sizeof(now));
			assert_memory_equal(now, want, 9);
		}
}

static void skip_any_length(void **state)
{
	for (size_t len = 0; len <= 9; len++) {
		struct iovec *iov = pieces.iov;
		unsigned count = 4;
		char rest[9];

		set_up(state);
		iov_skip(&iov, &count, len);
		assert_int_equal(iov_read(iov, count, rest, sizeof(rest)), 9 - len);
		assert_memory_equal(rest, "abcdefghi" + len, 9 - len);
		assert_ptr_equal(iov + count, pieces.iov + 4);
		if (len == 9)
			assert_int_equal(count, 0);
	}
}

static void skip_in_steps(void **state)
{
	struct iovec *iov = pieces.iov;
	unsigned count = 4;
	char byte;

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(iov_read(iov, count, &byte, 1), 1);
		assert_int_equal(byte, 'a' + (int)i);
		iov_skip(&iov, &count, 1);
	}
	assert_int_equal(count, 0);
}

static void truncate_any_length(void **state)
{
	for (size_t len = 0; len <= 12; len++) {
		size_t want = len < 9 ? len : 9;
		unsigned count;
		char left[16];

		set_up(state);
		count = iov_truncate(pieces.iov, 4, len);
		assert_int_equal(iov_read(pieces.iov, count, left, sizeof(left)), want);
		assert_memory_equal(left, "abcdefghi", want);
		/* No entry remains that holds nothing but the end. */
		if (len == 0)
			assert_int_equal(count, 0);
		if (len == 3)
			assert_int_equal(count, 1);
	}
	assert_int_equal(iov_truncate(pieces.iov, 0, 5), 0);
}

#define TEST(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read_any_length), TEST(write_any_length), TEST(skip_any_length),
		TEST(write_anywhere),  TEST(skip_in_steps),    TEST(truncate_any_length),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
