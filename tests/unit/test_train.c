/* The codec: what it takes, and why it refuses. */
#include "train_rig.h"

#include <errno.h>

#define ZERO8 "0000000000000000 "
#define MAX8 "ffffffffffffff7f " /* 2^63 - 1 */
#define OVER8 "0000000000000080 " /* 2^63 */
#define NO_PATH "0000 "
#define PATH_A "0100 0100 'a' "
#define SHA "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ZERO32 ZERO8 ZERO8 ZERO8 ZERO8

/* A frame, and why it is refused: NULL when it is not. */
static const struct row {
	int line;
	enum train_side side;
	const char *hex;
	const char *want;
} rows[] = {
	/* ---- what is taken ---- */
	{ __LINE__, C, "1a000000 01 00 0000" ZERO8 ZERO8 ZERO8 NO_PATH, NULL },
	{ __LINE__, C, "1d000000 01 04 0000" MAX8 ZERO8 ZERO8 PATH_A, NULL },
	{ __LINE__, C, "1d000000 01 05 0000" ZERO8 MAX8 OVER8 PATH_A, NULL },
	{ __LINE__, C, "0e000000 02 00 0000" ZERO8 NO_PATH NO_PATH NO_PATH,
	    NULL },
	{ __LINE__, C, "0e000000 02 06 0000" ZERO8 NO_PATH NO_PATH NO_PATH,
	    NULL },
	{ __LINE__, C, "11000000 02 04 0000" MAX8 NO_PATH PATH_A NO_PATH,
	    NULL },
	/* a stretch may be empty, and end before it begins */
	{ __LINE__, C,
	    "14000000 02 00 0000" ZERO8 NO_PATH "0100 0100 'b'" PATH_A, NULL },
	{ __LINE__, C, "04000000 03 00 0000" NO_PATH NO_PATH, NULL },
	{ __LINE__, C, "0a000000 03 00 0000" PATH_A PATH_A, NULL },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 ff010000" MAX8 OVER8 MAX8 PATH_A,
	    NULL },
	{ __LINE__, S,
	    "25000000 81 00 0000 02000000 00000000" ZERO8 ZERO8 ZERO8 PATH_A,
	    NULL },
	{ __LINE__, S, "01000000 82 00 0000 00", NULL },
	{ __LINE__, S, "28000000 83 10 0000" MAX8 SHA, NULL },
	{ __LINE__, S, "28000000 83 10 0000" ZERO8 ZERO32, NULL },
	{ __LINE__, S, "28000000 83 00 0000" ZERO8 ZERO32, NULL },
	{ __LINE__, S,
	    "30000000 84 08 0000" OVER8 OVER8 OVER8 OVER8 OVER8
	    "ffffffffffffffff",
	    NULL },
	{ __LINE__, S, "04000000 85 00 0000 0100 01 00", NULL },
	{ __LINE__, S, "06000000 85 00 0000 0b00 03 00 'no'", NULL },
	/* U+00A0, then a character of three bytes and one of four */
	{ __LINE__, S, "0d000000 85 00 0000 0b00 02 00 c2a0 e7bd91 f09f92be",
	    NULL },

	/* ---- the header ---- */
	{ __LINE__, C, "04000000 00 00 0000" NO_PATH NO_PATH,
	    "a type of frame that is not known" },
	{ __LINE__, C, "04000000 04 00 0000" NO_PATH NO_PATH,
	    "a type of frame that is not known" },
	{ __LINE__, C, "04000000 ff 00 0000" NO_PATH NO_PATH,
	    "a type of frame that is not known" },
	{ __LINE__, S, "04000000 80 00 0000" NO_PATH NO_PATH,
	    "a type of frame that is not known" },
	{ __LINE__, S, "04000000 86 00 0000" NO_PATH NO_PATH,
	    "a type of frame that is not known" },
	{ __LINE__, C, "01000000 82 00 0000 00",
	    "a type of frame that this side never sends" },
	{ __LINE__, C, "04000000 85 00 0000 0100 01 00",
	    "a type of frame that this side never sends" },
	{ __LINE__, S, "04000000 03 00 0000" NO_PATH NO_PATH,
	    "a type of frame that this side never sends" },
	{ __LINE__, C, "1a000000 01 02 0000" ZERO8 ZERO8 ZERO8 NO_PATH,
	    "a flag that this type does not have" },
	{ __LINE__, C, "1a000000 01 80 0000" ZERO8 ZERO8 ZERO8 NO_PATH,
	    "a flag that this type does not have" },
	{ __LINE__, C, "0e000000 02 01 0000" ZERO8 NO_PATH NO_PATH NO_PATH,
	    "a flag that this type does not have" },
	{ __LINE__, C, "04000000 03 01 0000" NO_PATH NO_PATH,
	    "a flag that this type does not have" },
	{ __LINE__, S,
	    "25000000 81 10 0000 01000000 ff010000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "a flag that this type does not have" },
	{ __LINE__, S, "01000000 82 01 0000 00",
	    "a flag that this type does not have" },
	{ __LINE__, S, "28000000 83 11 0000" ZERO8 SHA,
	    "a flag that this type does not have" },
	{ __LINE__, S, "30000000 84 10 0000" ZERO32 ZERO8 ZERO8,
	    "a flag that this type does not have" },
	{ __LINE__, S, "04000000 85 01 0000 0100 01 00",
	    "a flag that this type does not have" },
	{ __LINE__, C, "04000000 03 00 0100" NO_PATH NO_PATH,
	    "the header's last two bytes are not zero" },
	{ __LINE__, S, "01000000 82 00 0001 00",
	    "the header's last two bytes are not zero" },
	{ __LINE__, C, "00000000 01 00 0000", "too short for its type" },
	{ __LINE__, C, "19000000 01 00 0000" ZERO8 ZERO8 ZERO8 "00",
	    "too short for its type" },
	{ __LINE__, C, "0d000000 02 00 0000" ZERO8 NO_PATH NO_PATH "00",
	    "too short for its type" },
	{ __LINE__, C, "03000000 03 00 0000" NO_PATH "00",
	    "too short for its type" },
	{ __LINE__, S,
	    "24000000 81 00 0000 01000000 00000000" ZERO8 ZERO8 ZERO8
	    "0100 0100",
	    "too short for its type" },
	{ __LINE__, S, "00000000 82 00 0000", "too short for its type" },
	{ __LINE__, S, "27000000 83 00 0000" ZERO32 "00000000000000",
	    "too short for its type" },
	{ __LINE__, S, "2f000000 84 00 0000" ZERO32 ZERO8 "00000000000000",
	    "too short for its type" },
	{ __LINE__, S, "03000000 85 00 0000 010001", "too short for its type" },
	{ __LINE__, S, "29000000 83 00 0000" ZERO8 ZERO32 "00",
	    "too long for its type" },
	{ __LINE__, S, "31000000 84 00 0000" ZERO32 ZERO8 ZERO8 "00",
	    "too long for its type" },

	/* ---- GET ---- */
	{ __LINE__, C, "1d000000 01 00 0000" OVER8 ZERO8 ZERO8 PATH_A,
	    "an offset over 2^63 - 1" },
	{ __LINE__, C,
	    "1d000000 01 00 0000 ffffffffffffffff" ZERO8 ZERO8 PATH_A,
	    "an offset over 2^63 - 1" },
	{ __LINE__, C, "1d000000 01 01 0000" ZERO8 OVER8 ZERO8 PATH_A,
	    "a size over 2^63 - 1" },
	{ __LINE__, C, "1d000000 01 00 0000" ZERO8 MAX8 ZERO8 PATH_A,
	    "a size or time to compare, unasked" },
	{ __LINE__, C, "1d000000 01 04 0000" ZERO8 ZERO8 OVER8 PATH_A,
	    "a size or time to compare, unasked" },
	{ __LINE__, C, "1e000000 01 00 0000" ZERO8 ZERO8 ZERO8 PATH_A "00",
	    "bytes left over at its end" },
	{ __LINE__, C, "1b000000 01 00 0000" ZERO8 ZERO8 ZERO8 NO_PATH "00",
	    "bytes left over at its end" },
	{ __LINE__, C, "1a000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100",
	    "it ends too early" },
	{ __LINE__, C, "1c000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0100",
	    "it ends too early" },
	{ __LINE__, C, "1d000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0200 0100 'a'",
	    "it ends too early" },
	{ __LINE__, C, "1d000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 ffff 'a'",
	    "it ends too early" },

	/* ---- paths, in any of them ---- */
	{ __LINE__, C, "1c000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0000",
	    "a name in the path is empty" },
	{ __LINE__, C, "1d000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0100 '.'",
	    "a name in the path is . or .." },
	{ __LINE__, C, "1e000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0200 '..'",
	    "a name in the path is . or .." },
	{ __LINE__, C,
	    "21000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0200 0100 'a' 0200 '..'",
	    "a name in the path is . or .." },
	{ __LINE__, C,
	    "1f000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0300 'a/b'",
	    "a name in the path has a slash in it" },
	{ __LINE__, C, "1e000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0200 '/a'",
	    "a name in the path has a slash in it" },
	{ __LINE__, C,
	    "21000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0500 '../..'",
	    "a name in the path has a slash in it" },
	{ __LINE__, C,
	    "1e000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0200 'a' 00",
	    "a name in the path has a zero byte in it" },
	{ __LINE__, C,
	    "23000000 01 00 0000" ZERO8 ZERO8 ZERO8 "0100 0700 '.netpan'",
	    "a name in the path is reserved" },
	{ __LINE__, C, "1a000000 01 00 0000" ZERO8 ZERO8 ZERO8 "8100",
	    "the path is too deep" },
	{ __LINE__, C, "1a000000 01 00 0000" ZERO8 ZERO8 ZERO8 "ffff",
	    "the path is too deep" },
	{ __LINE__, C,
	    "11000000 02 00 0000" ZERO8 "0100 0100 '.'" NO_PATH NO_PATH,
	    "a name in the path is . or .." },
	{ __LINE__, C,
	    "11000000 02 00 0000" ZERO8 NO_PATH "0100 0100 '/'" NO_PATH,
	    "a name in the path has a slash in it" },
	{ __LINE__, C, "10000000 02 00 0000" ZERO8 NO_PATH NO_PATH "0100 0000",
	    "a name in the path is empty" },
	{ __LINE__, C,
	    "07000000 03 00 0000"
	    "0100 0100 '.'" NO_PATH,
	    "a name in the path is . or .." },
	{ __LINE__, C, "07000000 03 00 0000" NO_PATH "0100 0100 00",
	    "a name in the path has a zero byte in it" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00000000" ZERO8 ZERO8 ZERO8
	    "0100 0100 '/'",
	    "a name in the path has a slash in it" },
	{ __LINE__, S,
	    "26000000 81 00 0000 01000000 00000000" ZERO8 ZERO8 ZERO8
	    "0100 0200 '..'",
	    "a name in the path is . or .." },
	{ __LINE__, S,
	    "2b000000 81 00 0000 01000000 00000000" ZERO8 ZERO8 ZERO8
	    "0100 0700 '.netpan'",
	    "a name in the path is reserved" },

	/* ---- TREE ---- */
	{ __LINE__, C, "11000000 02 00 0000" OVER8 NO_PATH PATH_A NO_PATH,
	    "an offset over 2^63 - 1" },
	{ __LINE__, C,
	    "0e000000 02 00 0000 0100000000000000" NO_PATH NO_PATH NO_PATH,
	    "an offset without an entry to begin in" },
	{ __LINE__, C,
	    "11000000 02 02 0000 0100000000000000" NO_PATH PATH_A NO_PATH,
	    "an offset where no data is asked for" },
	{ __LINE__, C, "0f000000 02 00 0000" ZERO8 NO_PATH NO_PATH NO_PATH "00",
	    "bytes left over at its end" },
	{ __LINE__, C, "0e000000 02 00 0000" ZERO8 NO_PATH NO_PATH "0100",
	    "it ends too early" },
	{ __LINE__, C, "0f000000 02 00 0000" ZERO8 PATH_A NO_PATH,
	    "it ends too early" },

	/* ---- LIST ---- */
	{ __LINE__, C, "0a000000 03 00 0000" NO_PATH "0200 0100 'a' 0100 'b'",
	    "more than one name to list after" },
	{ __LINE__, C, "05000000 03 00 0000" NO_PATH NO_PATH "00",
	    "bytes left over at its end" },
	{ __LINE__, C, "05000000 03 00 0000" PATH_A, "it ends too early" },

	/* ---- HEAD ---- */
	{ __LINE__, S,
	    "25000000 81 00 0000 00000000 00000000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "neither a file nor a folder" },
	{ __LINE__, S,
	    "25000000 81 00 0000 03000000 00000000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "neither a file nor a folder" },
	{ __LINE__, S,
	    "25000000 81 00 0000 ff000000 00000000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "neither a file nor a folder" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01010000 00000000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "bytes that must be zero are not" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000001 00000000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "bytes that must be zero are not" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00020000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "a mode over 0777" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 ed090000" ZERO8 ZERO8 ZERO8 PATH_A,
	    "a mode over 0777" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00000080" ZERO8 ZERO8 ZERO8 PATH_A,
	    "a mode over 0777" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00000000" OVER8 ZERO8 ZERO8 PATH_A,
	    "a size over 2^63 - 1" },
	{ __LINE__, S,
	    "25000000 81 00 0000 02000000 00000000" MAX8 ZERO8 ZERO8 PATH_A,
	    "a folder with a size" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00000000" ZERO8 ZERO8
	    "0100000000000000" PATH_A,
	    "an offset past the size" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00000000" MAX8 ZERO8 OVER8 PATH_A,
	    "an offset past the size" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00000000" ZERO8 ZERO8 ZERO8 NO_PATH
	    "000000",
	    "no name" },
	{ __LINE__, S,
	    "26000000 81 00 0000 01000000 00000000" ZERO8 ZERO8 ZERO8 PATH_A
	    "00",
	    "bytes left over at its end" },
	{ __LINE__, S,
	    "25000000 81 00 0000 01000000 00000000" ZERO8 ZERO8 ZERO8
	    "0200 0100 'a'",
	    "it ends too early" },

	/* ---- END ---- */
	{ __LINE__, S, "28000000 83 10 0000" OVER8 SHA,
	    "a size over 2^63 - 1" },
	{ __LINE__, S, "28000000 83 00 0000" ZERO8 SHA,
	    "a digest that is not said to be there" },

	/* ---- ERROR ---- */
	{ __LINE__, S, "04000000 85 00 0000 0000 01 00",
	    "a code that is not known" },
	{ __LINE__, S, "04000000 85 00 0000 0c00 01 00",
	    "a code that is not known" },
	{ __LINE__, S, "04000000 85 00 0000 0101 01 00",
	    "a code that is not known" },
	{ __LINE__, S, "04000000 85 00 0000 0100 00 00",
	    "a scope that is not known" },
	{ __LINE__, S, "04000000 85 00 0000 0100 04 00",
	    "a scope that is not known" },
	{ __LINE__, S, "04000000 85 00 0000 0100 01 01",
	    "bytes that must be zero are not" },
	{ __LINE__, S, "06000000 85 00 0000 0100 01 00 'a' 0a",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "06000000 85 00 0000 0100 01 00 1b 'c'",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "05000000 85 00 0000 0100 01 00 00",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "05000000 85 00 0000 0100 01 00 7f",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "06000000 85 00 0000 0100 01 00 c29b",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "05000000 85 00 0000 0100 01 00 ff",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "06000000 85 00 0000 0100 01 00 c0af",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "07000000 85 00 0000 0100 01 00 eda080",
	    "a sentence that is not plain text" },
	{ __LINE__, S, "06000000 85 00 0000 0100 01 00 e7bd",
	    "a sentence that is not plain text" },
};

/* The same frame, given whole, and a byte more each time. */
static void
check_row(const struct row *row, const unsigned char *bytes, size_t len)
{
	static union message m;
	struct train_frame frame;
	enum train_result r = TRAIN_MORE;
	const char *why = NULL;
	unsigned char *in;

	for (size_t n = 0; n <= len && r == TRAIN_MORE; n++) {
		in = exact_copy(bytes, n);
		memset(&m, 0xa5, sizeof(m));
		r = receive(in, n, row->side, &frame, &m, &why);
		if (n < TRAIN_HEADER_SIZE)
			CHECK_INT(row->line, row->hex, "in the header",
			    TRAIN_MORE, r);
		CHECK_INT(row->line, row->hex, "a reason is there",
		    r == TRAIN_BAD, why != NULL);
		free(in);
	}
	CHECK_STR(row->line, row->hex, "byte by byte", row->want, why);
	CHECK_INT(row->line, row->hex, "byte by byte",
	    row->want == NULL ? TRAIN_OK : TRAIN_BAD, r);
	in = exact_copy(bytes, len);
	memset(&m, 0xa5, sizeof(m));
	memset(&frame, 0xa5, sizeof(frame));
	CHECK_INT(row->line, row->hex, "whole", r,
	    receive(in, len, row->side, &frame, &m, &why));
	CHECK_STR(row->line, row->hex, "whole", row->want, why);
	if (r == TRAIN_BAD)
		CHECK(row->line, row->hex, "leaves nothing in the struct",
		    is_zero(&m, message_size(frame.type)));
	free(in);
}

static void
test_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		unsigned char bytes[256];
		size_t len = from_hex(
		    rows[i].line, rows[i].hex, bytes, sizeof(bytes));

		seed_keep(seeds[rows[i].side], bytes, len);
		check_row(&rows[i], bytes, len);
	}
}

/* What is taken is just what put writes, and is in no way ambiguous. */
static void
test_taken_frames_are_what_put_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		unsigned char bytes[256], mem[256];
		size_t len = from_hex(
		    rows[i].line, rows[i].hex, bytes, sizeof(bytes));
		static union message m;
		struct train_frame frame;
		const char *why;
		struct buf b;

		if (rows[i].want != NULL || bytes[4] == TRAIN_DATA)
			continue;
		receive(bytes, len, rows[i].side, &frame, &m, &why);
		/* With room for it, and with a byte less. */
		buf_init(&b, mem, len);
		CHECK_INT(rows[i].line, rows[i].hex, "put", 0,
		    message_put(&b, frame.type, &m));
		CHECK_MEM(rows[i].line, rows[i].hex, "put", bytes, len,
		    buf_head(&b), buf_len(&b));
		buf_init(&b, mem, len - 1);
		CHECK_INT(rows[i].line, rows[i].hex, "put, no room", -ENOBUFS,
		    message_put(&b, frame.type, &m));
		CHECK_U64(
		    rows[i].line, rows[i].hex, "put, no room", 0, buf_len(&b));
	}
}

static void
test_payload_of_another_frame(void **state)
{
	static const unsigned char bytes[64];
	struct train_frame frame = { .len = 48, .type = TRAIN_SUM };
	static union message m;
	const char *why;

	(void)state;
	assert_int_equal(
	    train_end_parse(&frame, bytes, &m.end, &why), TRAIN_BAD);
	assert_string_equal(why, "another type of frame");
	assert_int_equal(
	    train_sum_parse(&frame, bytes, &m.sum, &why), TRAIN_OK);
	assert_null(why);
	frame.flags = TRAIN_F_DIGEST;
	assert_int_equal(
	    train_sum_parse(&frame, bytes, &m.sum, &why), TRAIN_BAD);
	assert_string_equal(why, "a flag that this type does not have");
	frame.flags = 0;
	frame.len = 49;
	assert_int_equal(
	    train_sum_parse(&frame, bytes, &m.sum, &why), TRAIN_BAD);
	assert_string_equal(why, "too long for its type");
}

/* ---- lengths ---- */

static void
test_lengths_at_their_caps(void **state)
{
	static const struct {
		int line;
		enum train_side side;
		enum train_type type;
		uint32_t min, max;
	} types[] = {
		{ __LINE__, C, TRAIN_GET, 26, LIM_TRAIN_REQUEST_BYTES },
		{ __LINE__, C, TRAIN_TREE, 14, LIM_TRAIN_REQUEST_BYTES },
		{ __LINE__, C, TRAIN_LIST, 4, LIM_TRAIN_REQUEST_BYTES },
		{ __LINE__, S, TRAIN_HEAD, 37, 32 + 2 + 2 * 128 + 4095 - 127 },
		{ __LINE__, S, TRAIN_DATA, 1, LIM_TRAIN_DATA_BYTES },
		{ __LINE__, S, TRAIN_END, 40, 40 },
		{ __LINE__, S, TRAIN_SUM, 48, 48 },
		{ __LINE__, S, TRAIN_ERROR, 4, 4 + LIM_TRAIN_TEXT_BYTES },
	};

	(void)state;
	for (size_t i = 0; i < nitems(types); i++) {
		const struct {
			uint32_t len;
			const char *want;
		} lens[] = {
			{ 0, "too short for its type" },
			{ types[i].min - 1, "too short for its type" },
			{ types[i].min, NULL },
			{ types[i].max, NULL },
			{ types[i].max + 1, "too long for its type" },
			{ 0x7fffffff, "too long for its type" },
			{ 0x80000000, "too long for its type" },
			{ 0xffffffff, "too long for its type" },
		};

		for (size_t j = 0; j < nitems(lens); j++) {
			unsigned char mem[TRAIN_HEADER_SIZE];
			struct train_frame frame;
			enum train_result r;
			const char *why;
			char in[64];
			struct buf b;

			snprintf(in, sizeof(in), "%s of %" PRIu32,
			    train_type_name((uint8_t)types[i].type),
			    lens[j].len);
			buf_init(&b, mem, sizeof(mem));
			train_frame_put(&b, types[i].type, 0, lens[j].len);
			seed_keep(seeds[types[i].side], mem, sizeof(mem));
			r = train_frame_parse(
			    mem, sizeof(mem), types[i].side, &frame, &why);
			CHECK_STR(
			    types[i].line, in, "reason", lens[j].want, why);
			CHECK_INT(types[i].line, in, "result",
			    lens[j].want == NULL ? TRAIN_OK : TRAIN_BAD, r);
			CHECK_U64(types[i].line, in, "length",
			    lens[j].want == NULL ? lens[j].len : 0, frame.len);
		}
	}
}

/* A request may be as long as the limit; then it is too much for its paths. */
static void
test_a_request_at_its_cap_is_read(void **state)
{
	static unsigned char payload[LIM_TRAIN_REQUEST_BYTES];
	struct train_frame frame = { .len = sizeof(payload) };
	static union message m;
	const char *why;

	(void)state;
	frame.type = TRAIN_GET;
	assert_int_equal(payload_parse(&frame, payload, &m, &why), TRAIN_BAD);
	assert_string_equal(why, "bytes left over at its end");
	frame.type = TRAIN_LIST;
	assert_int_equal(payload_parse(&frame, payload, &m, &why), TRAIN_BAD);
	assert_string_equal(why, "bytes left over at its end");
}

/* A path frame of n names, each of len bytes but the last. */
static enum train_result
get_with_path(unsigned n, size_t len, size_t last, const char **why)
{
	static unsigned char mem[LIM_TRAIN_REQUEST_BYTES],
	    seg[LIM_SEG_BYTES + 1];
	static struct train_get get;
	struct train_frame frame = { .type = TRAIN_GET };
	struct buf b;

	memset(seg, 'x', sizeof(seg));
	buf_init(&b, mem, sizeof(mem));
	for (int i = 0; i < 3; i++)
		buf_put_u64(&b, 0);
	buf_put_u16(&b, (uint16_t)n);
	for (unsigned i = 1; i <= n; i++) {
		buf_put_u16(&b, (uint16_t)(i < n ? len : last));
		assert_int_equal(buf_put(&b, seg, i < n ? len : last), 0);
	}
	frame.len = (uint32_t)buf_len(&b);
	return train_get_parse(&frame, mem, &get, why);
}

static void
test_paths_at_their_limits(void **state)
{
	static const struct {
		int line;
		const char *in;
		unsigned n;
		size_t len, last;
		const char *want;
	} paths[] = {
		{ __LINE__, "a name of 255", 1, 0, 255, NULL },
		{ __LINE__, "a name of 256", 1, 0, 256,
		    "a name in the path is too long" },
		{ __LINE__, "128 names", 128, 1, 1, NULL },
		{ __LINE__, "129 names", 129, 1, 1, "the path is too deep" },
		{ __LINE__, "4095 bytes", 16, 255, 255, NULL },
		{ __LINE__, "4096 bytes", 17, 240, 240,
		    "the path is too long" },
		{ __LINE__, "4095 bytes, 128 names", 128, 31, 31, NULL },
		{ __LINE__, "4096 bytes, 128 names", 128, 31, 32,
		    "the path is too long" },
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < nitems(paths); i++) {
		enum train_result r = get_with_path(
		    paths[i].n, paths[i].len, paths[i].last, &why);

		CHECK_STR(
		    paths[i].line, paths[i].in, "reason", paths[i].want, why);
		CHECK_INT(paths[i].line, paths[i].in, "result",
		    paths[i].want == NULL ? TRAIN_OK : TRAIN_BAD, r);
	}
}

/* ---- hello ---- */

static void
test_hello(void **state)
{
	static const struct {
		int line;
		const char *hex;
		enum train_result want;
		uint8_t version;
		const char *why;
	} hellos[] = {
		{ __LINE__, "", TRAIN_MORE, 0, NULL },
		{ __LINE__, "f5", TRAIN_MORE, 0, NULL },
		{ __LINE__, "f5 'TRN' 01 0000", TRAIN_MORE, 0, NULL },
		{ __LINE__, "f5 'TRN' 01 000000", TRAIN_OK, 1, NULL },
		{ __LINE__, "f5 'TRN' 00 000000", TRAIN_OK, 0, NULL },
		{ __LINE__, "f5 'TRN' 02 000000", TRAIN_OK, 2, NULL },
		{ __LINE__, "f5 'TRN' ff 000000", TRAIN_OK, 255, NULL },
		/* what follows is not its business */
		{ __LINE__, "f5 'TRN' 01 000000 ff", TRAIN_OK, 1, NULL },
		{ __LINE__, "'G'", TRAIN_BAD, 0,
		    "it does not begin with the train's magic" },
		{ __LINE__, "1603010200", TRAIN_BAD, 0,
		    "it does not begin with the train's magic" },
		{ __LINE__, "f4 'TRN' 01 000000", TRAIN_BAD, 0,
		    "it does not begin with the train's magic" },
		{ __LINE__, "f5 'T' 00", TRAIN_BAD, 0,
		    "it does not begin with the train's magic" },
		{ __LINE__, "f5 'trn'", TRAIN_BAD, 0,
		    "it does not begin with the train's magic" },
		{ __LINE__, "f5 'TRM' 01 000000", TRAIN_BAD, 0,
		    "it does not begin with the train's magic" },
		{ __LINE__, "f5 'TRN' 01 01", TRAIN_BAD, 0,
		    "the hello's last three bytes are not zero" },
		{ __LINE__, "f5 'TRN' 02 0001", TRAIN_BAD, 0,
		    "the hello's last three bytes are not zero" },
		{ __LINE__, "f5 'TRN' 01 0000ff", TRAIN_BAD, 0,
		    "the hello's last three bytes are not zero" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(hellos); i++) {
		unsigned char bytes[16];
		enum train_result r = TRAIN_MORE;
		size_t len = from_hex(
		    hellos[i].line, hellos[i].hex, bytes, sizeof(bytes));
		uint8_t version = 77;
		const char *why;

		seed_keep(seeds[C], bytes, len);
		for (size_t n = 0; n <= len && r == TRAIN_MORE; n++) {
			unsigned char *in = exact_copy(bytes, n);

			r = train_hello_parse(in, n, &version, &why);
			free(in);
		}
		CHECK_INT(hellos[i].line, hellos[i].hex, "byte by byte",
		    hellos[i].want, r);
		CHECK_STR(hellos[i].line, hellos[i].hex, "byte by byte",
		    hellos[i].why, why);
		CHECK_INT(hellos[i].line, hellos[i].hex, "whole",
		    hellos[i].want,
		    train_hello_parse(bytes, len, &version, &why));
		CHECK_STR(
		    hellos[i].line, hellos[i].hex, "whole", hellos[i].why, why);
		CHECK_U64(hellos[i].line, hellos[i].hex, "version",
		    hellos[i].version, version);
	}
}

static void
test_hello_put(void **state)
{
	unsigned char mem[TRAIN_HELLO_SIZE];
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(train_hello_put(&b, TRAIN_VERSION), 0);
	CHECK_MEM(__LINE__, "hello", "bytes", "\xf5TRN\x01\0\0", 8,
	    buf_head(&b), buf_len(&b));
	buf_init(&b, mem, sizeof(mem) - 1);
	assert_int_equal(train_hello_put(&b, TRAIN_VERSION), -ENOBUFS);
	assert_int_equal(buf_len(&b), 0);
	buf_init(&b, mem, TRAIN_HEADER_SIZE - 1);
	assert_int_equal(train_frame_put(&b, TRAIN_DATA, 0, 1), -ENOBUFS);
	assert_int_equal(buf_len(&b), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_taken_frames_are_what_put_writes),
		cmocka_unit_test(test_payload_of_another_frame),
		cmocka_unit_test(test_lengths_at_their_caps),
		cmocka_unit_test(test_a_request_at_its_cap_is_read),
		cmocka_unit_test(test_paths_at_their_limits),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_put),
	};

	return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
