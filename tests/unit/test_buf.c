#include "helper.h"

#include <errno.h>

#include "base/buf.h"

static void
test_fills_to_its_cap_and_no_further(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t cap, fill, put;
		int want;
		size_t want_len;
	} rows[] = {
		{ __LINE__, "none into none", 0, 0, 0, 0, 0 },
		{ __LINE__, "one into none", 0, 0, 1, -ENOBUFS, 0 },
		{ __LINE__, "one into one", 1, 0, 1, 0, 1 },
		{ __LINE__, "two into one", 1, 0, 2, -ENOBUFS, 0 },
		{ __LINE__, "the last", 8, 7, 1, 0, 8 },
		{ __LINE__, "one past the last", 8, 8, 1, -ENOBUFS, 8 },
		{ __LINE__, "none when full", 8, 8, 0, 0, 8 },
		{ __LINE__, "all of size_t", 8, 4, SIZE_MAX, -ENOBUFS, 4 },
		{ __LINE__, "would wrap", 8, 4, SIZE_MAX - 3, -ENOBUFS, 4 },
	};
	static const unsigned char bytes[8] = "abcdefgh";

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		unsigned char *mem = rows[i].cap == 0 ? NULL
						      : malloc(rows[i].cap);
		struct buf b;

		buf_init(&b, mem, rows[i].cap);
		CHECK_INT(rows[i].line, rows[i].in, "fill", 0,
		    buf_put(&b, bytes, rows[i].fill));
		CHECK_INT(rows[i].line, rows[i].in, "result", rows[i].want,
		    buf_put(&b, bytes, rows[i].put));
		CHECK_U64(rows[i].line, rows[i].in, "len", rows[i].want_len,
		    buf_len(&b));
		CHECK_U64(rows[i].line, rows[i].in, "room",
		    rows[i].cap - rows[i].want_len, buf_room(&b));
		CHECK_MEM(rows[i].line, rows[i].in, "kept", bytes, rows[i].fill,
		    buf_head(&b), rows[i].fill);
		free(mem);
	}
}

static void
test_integers_are_little_endian(void **state)
{
	static const unsigned char want[] = {
		0x01, /* u8 */
		0x02, 0x01, /* u16 */
		0x04, 0x03, 0x02, 0x01, /* u32 */
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* u64 */
	};
	unsigned char mem[sizeof(want)];
	struct reader r;
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(buf_put_u8(&b, 0x01), 0);
	assert_int_equal(buf_put_u16(&b, 0x0102), 0);
	assert_int_equal(buf_put_u32(&b, 0x01020304), 0);
	assert_int_equal(buf_put_u64(&b, 0x0102030405060708), 0);
	CHECK_MEM(__LINE__, "1, 2, 4, 8", "bytes", want, sizeof(want),
	    buf_head(&b), buf_len(&b));

	reader_init(&r, want, sizeof(want));
	CHECK_U64(__LINE__, "u8", "value", 0x01, reader_u8(&r));
	CHECK_U64(__LINE__, "u16", "value", 0x0102, reader_u16(&r));
	CHECK_U64(__LINE__, "u32", "value", 0x01020304, reader_u32(&r));
	CHECK_U64(__LINE__, "u64", "value", 0x0102030405060708, reader_u64(&r));
	assert_true(reader_done(&r));
}

/* An integer that does not fit is not put in part. */
static void
test_an_integer_fits_or_not(void **state)
{
	unsigned char mem[8];
	struct buf b;

	(void)state;
	for (size_t cap = 0; cap <= sizeof(mem); cap++) {
		buf_init(&b, mem, cap);
		CHECK_INT(__LINE__, "u8", "result", cap < 1 ? -ENOBUFS : 0,
		    buf_put_u8(&b, 1));
		buf_reset(&b);
		CHECK_INT(__LINE__, "u16", "result", cap < 2 ? -ENOBUFS : 0,
		    buf_put_u16(&b, 1));
		buf_reset(&b);
		CHECK_INT(__LINE__, "u32", "result", cap < 4 ? -ENOBUFS : 0,
		    buf_put_u32(&b, 1));
		buf_reset(&b);
		CHECK_INT(__LINE__, "u64", "result", cap < 8 ? -ENOBUFS : 0,
		    buf_put_u64(&b, 1));
		CHECK_U64(__LINE__, "u64", "len", cap < 8 ? 0 : 8, buf_len(&b));
	}
}

static void
test_drop_compact_and_grow(void **state)
{
	unsigned char mem[8];
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	buf_put(&b, "abcdefgh", 8);
	buf_drop(&b, 3);
	assert_int_equal(buf_len(&b), 5);
	assert_int_equal(buf_room(&b), 0);
	buf_compact(&b);
	assert_int_equal(buf_room(&b), 3);
	CHECK_MEM(
	    __LINE__, "compact", "left", "defgh", 5, buf_head(&b), buf_len(&b));
	buf_compact(&b);
	memcpy(buf_tail(&b), "ij", 2);
	buf_added(&b, 2);
	CHECK_MEM(__LINE__, "added", "bytes", "defghij", 7, buf_head(&b),
	    buf_len(&b));
	buf_drop(&b, 0);
	assert_int_equal(buf_len(&b), 7);
	buf_drop(&b, 7);
	CHECK_U64(__LINE__, "emptied", "room", sizeof(mem), buf_room(&b));
}

static void
test_cut_takes_the_tail_back(void **state)
{
	unsigned char mem[8];
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	buf_put(&b, "abcdefgh", 8);
	buf_drop(&b, 3);
	buf_cut(&b, 5);
	assert_int_equal(buf_len(&b), 5);
	buf_cut(&b, 2);
	CHECK_MEM(
	    __LINE__, "cut to 2", "left", "de", 2, buf_head(&b), buf_len(&b));
	assert_int_equal(buf_room(&b), 3);
	buf_put(&b, "xy", 2);
	CHECK_MEM(__LINE__, "put again", "left", "dexy", 4, buf_head(&b),
	    buf_len(&b));
	buf_cut(&b, 0);
	CHECK_U64(__LINE__, "emptied", "room", sizeof(mem), buf_room(&b));
}

static void
test_no_memory_is_an_empty_buf(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	buf_compact(&b);
	buf_drop(&b, 0);
	buf_cut(&b, 0);
	assert_null(buf_head(&b));
	assert_null(buf_tail(&b));
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	assert_int_equal(buf_put_u8(&b, 1), -ENOBUFS);
}

/* Every length that is too short for a read makes the reader bad, for good. */
static void
test_reader_never_goes_past_its_end(void **state)
{
	static const unsigned char bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	(void)state;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		unsigned char *in = exact_copy(bytes, len);

		for (size_t want = 0; want <= sizeof(bytes) + 1; want++) {
			struct reader r;
			const unsigned char *got;

			reader_init(&r, in, len);
			got = reader_bytes(&r, want);
			if (want <= len) {
				assert_ptr_equal(got, in);
				assert_false(r.bad);
				assert_int_equal(r.left, len - want);
				assert_int_equal(reader_done(&r), want == len);
				continue;
			}
			assert_null(got);
			assert_true(r.bad);
			assert_null(reader_bytes(&r, 0));
			assert_int_equal(reader_u8(&r), 0);
			assert_int_equal(reader_u64(&r), 0);
			assert_false(reader_done(&r));
		}
		free(in);
	}
}

static void
test_reader_refuses_lengths_that_would_wrap(void **state)
{
	static const unsigned char bytes[4] = { 1, 2, 3, 4 };
	struct reader r;

	(void)state;
	reader_init(&r, bytes, sizeof(bytes));
	reader_u8(&r);
	assert_null(reader_bytes(&r, SIZE_MAX));
	assert_true(r.bad);
	reader_init(&r, NULL, 0);
	assert_true(reader_done(&r));
	assert_int_equal(reader_u16(&r), 0);
	assert_false(reader_done(&r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fills_to_its_cap_and_no_further),
		cmocka_unit_test(test_integers_are_little_endian),
		cmocka_unit_test(test_an_integer_fits_or_not),
		cmocka_unit_test(test_drop_compact_and_grow),
		cmocka_unit_test(test_cut_takes_the_tail_back),
		cmocka_unit_test(test_no_memory_is_an_empty_buf),
		cmocka_unit_test(test_reader_never_goes_past_its_end),
		cmocka_unit_test(test_reader_refuses_lengths_that_would_wrap),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
