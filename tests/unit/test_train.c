#include "helper.h"

#include <errno.h>

#include "base/text.h"
#include "train/train.h"

/* The payload of any type. */
union message {
	struct train_get get;
	struct train_tree tree;
	struct train_list list;
	struct train_head head;
	struct train_end end;
	struct train_sum sum;
	struct train_error error;
};

static const char *const seeds[] = {
	[TRAIN_FROM_CLIENT] = "fuzz_train_client",
	[TRAIN_FROM_SERVER] = "fuzz_train_server",
};

static enum train_result
payload_parse(const struct train_frame *f, const void *p, union message *m,
    const char **why)
{
	switch (f->type) {
	case TRAIN_GET:
		return train_get_parse(f, p, &m->get, why);
	case TRAIN_TREE:
		return train_tree_parse(f, p, &m->tree, why);
	case TRAIN_LIST:
		return train_list_parse(f, p, &m->list, why);
	case TRAIN_HEAD:
		return train_head_parse(f, p, &m->head, why);
	case TRAIN_END:
		return train_end_parse(f, p, &m->end, why);
	case TRAIN_SUM:
		return train_sum_parse(f, p, &m->sum, why);
	case TRAIN_ERROR:
		return train_error_parse(f, p, &m->error, why);
	default:
		return TRAIN_OK; /* DATA is bytes */
	}
}

static int
message_put(struct buf *b, uint8_t type, const union message *m)
{
	switch (type) {
	case TRAIN_GET:
		return train_get_put(b, &m->get);
	case TRAIN_TREE:
		return train_tree_put(b, &m->tree);
	case TRAIN_LIST:
		return train_list_put(b, &m->list);
	case TRAIN_HEAD:
		return train_head_put(b, &m->head);
	case TRAIN_END:
		return train_end_put(b, &m->end);
	case TRAIN_SUM:
		return train_sum_put(b, &m->sum);
	default:
		return train_error_put(
		    b, m->error.code, m->error.scope, m->error.text);
	}
}

/* Header, then payload when it is there: what a receiver does. */
static enum train_result
receive(const unsigned char *p, size_t len, enum train_side side,
    struct train_frame *frame, union message *m, const char **why)
{
	enum train_result r = train_frame_parse(p, len, side, frame, why);

	if (r != TRAIN_OK)
		return r;
	if (len - TRAIN_HEADER_SIZE < frame->len)
		return TRAIN_MORE;
	return payload_parse(frame, p + TRAIN_HEADER_SIZE, m, why);
}

/* ---- rows of hex ---- */

static int
digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	return at == NULL || c == '\0' ? -1 : (int)(at - digits);
}

/* "01 0203 'text'" -> bytes; returns how many. */
static size_t
from_hex(int line, const char *hex, unsigned char *out, size_t cap)
{
	size_t n = 0;

	while (*hex != '\0') {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		CHECK(line, hex, "has room", n < cap);
		if (*hex == '\'') {
			for (hex++; *hex != '\''; hex++)
				out[n++] = (unsigned char)*hex;
			hex++;
			continue;
		}
		CHECK(line, hex, "is hex",
		    digit(hex[0]) >= 0 && digit(hex[1]) >= 0);
		out[n++] = (unsigned char)(digit(hex[0]) << 4 | digit(hex[1]));
		hex += 2;
	}
	return n;
}

#define C TRAIN_FROM_CLIENT
#define S TRAIN_FROM_SERVER

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

static bool
is_zero(const void *p, size_t n)
{
	const unsigned char *bytes = p;

	while (n > 0)
		if (bytes[--n] != 0)
			return false;
	return true;
}

static size_t
message_size(uint8_t type)
{
	switch (type) {
	case TRAIN_GET:
		return sizeof(struct train_get);
	case TRAIN_TREE:
		return sizeof(struct train_tree);
	case TRAIN_LIST:
		return sizeof(struct train_list);
	case TRAIN_HEAD:
		return sizeof(struct train_head);
	case TRAIN_END:
		return sizeof(struct train_end);
	case TRAIN_SUM:
		return sizeof(struct train_sum);
	case TRAIN_ERROR:
		return sizeof(struct train_error);
	default:
		return 0;
	}
}

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

/* ---- there and back ---- */

static void
random_path(struct rng *rng, struct path *p, size_t min, size_t max)
{
	size_t n = min + rng_below(rng, max - min + 1), len;
	char seg[LIM_SEG_BYTES];

	path_init(p);
	while (p->n < n) {
		len = 1 + rng_below(
			      rng, rng_below(rng, 20) == 0 ? sizeof(seg) : 12);
		for (size_t i = 0; i < len; i++)
			seg[i] = (char)rng_next(rng);
		if (path_push(p, seg, len) == PATH_LONG)
			return;
	}
}

static uint64_t
random_size(struct rng *rng)
{
	return rng_next(rng) >> (1 + rng_below(rng, 63));
}

static void
random_message(struct rng *rng, uint8_t type, union message *m)
{
	memset(m, 0, sizeof(*m));
	switch (type) {
	case TRAIN_GET:
		m->get.flags = rng_next(rng) & TRAIN_F_NO_DIGEST;
		m->get.offset = random_size(rng);
		if (rng_below(rng, 2) == 0) {
			m->get.flags |= TRAIN_F_IF_SAME;
			m->get.same_size = random_size(rng);
			m->get.same_mtime_ns = (int64_t)rng_next(rng);
		}
		random_path(rng, &m->get.path, 0, LIM_PATH_SEGS);
		break;
	case TRAIN_TREE:
		m->tree.flags = rng_next(rng) & TRAIN_F_NO_DIGEST;
		random_path(rng, &m->tree.root, 0, 9);
		random_path(rng, &m->tree.from, 0, 3);
		random_path(rng, &m->tree.until, 0, LIM_PATH_SEGS);
		if (rng_below(rng, 2) == 0)
			m->tree.flags |= TRAIN_F_HEADS_ONLY;
		else if (m->tree.from.n > 0)
			m->tree.offset = random_size(rng);
		break;
	case TRAIN_LIST:
		random_path(rng, &m->list.folder, 0, LIM_PATH_SEGS);
		random_path(rng, &m->list.after, 0, 1);
		break;
	case TRAIN_HEAD:
		m->head.kind = TRAIN_DIR;
		m->head.mode = (uint32_t)rng_below(rng, 01000);
		m->head.mtime_ns = (int64_t)rng_next(rng);
		if (rng_below(rng, 2) == 0) {
			m->head.kind = TRAIN_FILE;
			m->head.size = random_size(rng);
			m->head.offset = rng_below(rng, m->head.size + 1);
		}
		random_path(rng, &m->head.path, 1, 20);
		break;
	case TRAIN_END:
		m->end.size = random_size(rng);
		if (rng_below(rng, 2) == 0) {
			m->end.flags = TRAIN_F_DIGEST;
			for (int i = 0; i < TRAIN_SHA256_SIZE; i++)
				m->end.sha256[i] = (uint8_t)rng_next(rng);
		}
		break;
	case TRAIN_SUM:
		m->sum.flags = rng_next(rng) & TRAIN_F_MORE;
		m->sum.files = rng_next(rng);
		m->sum.folders = rng_next(rng);
		m->sum.bytes = rng_next(rng);
		m->sum.links = rng_next(rng);
		m->sum.special = rng_next(rng);
		m->sum.unreadable = rng_next(rng);
		break;
	case TRAIN_ERROR:
		m->error.code = (enum train_code)(
		    1 + rng_below(rng, TRAIN_CODE_MAX));
		m->error.scope = (enum train_scope)(1 + rng_below(rng, 3));
		m->error.len = (uint16_t)rng_below(
		    rng, LIM_TRAIN_TEXT_BYTES + 1);
		for (unsigned i = 0; i < m->error.len; i++)
			m->error.text[i] = (char)(0x20 + rng_below(rng, 95));
		break;
	}
}

static void
check_same_path(const struct path *a, const struct path *b)
{
	assert_int_equal(a->n, b->n);
	assert_string_equal(path_string(a), path_string(b));
	assert_memory_equal(a->start, b->start, a->n * sizeof(a->start[0]));
	assert_false(b->wants_dir);
}

/* What is not a path is compared as memory: both are zero where unused. */
static void
check_same(uint8_t type, const union message *a, const union message *b)
{
	switch (type) {
	case TRAIN_GET:
		check_same_path(&a->get.path, &b->get.path);
		assert_memory_equal(
		    &a->get, &b->get, offsetof(struct train_get, path));
		break;
	case TRAIN_TREE:
		check_same_path(&a->tree.root, &b->tree.root);
		check_same_path(&a->tree.from, &b->tree.from);
		check_same_path(&a->tree.until, &b->tree.until);
		assert_memory_equal(
		    &a->tree, &b->tree, offsetof(struct train_tree, root));
		break;
	case TRAIN_LIST:
		check_same_path(&a->list.folder, &b->list.folder);
		check_same_path(&a->list.after, &b->list.after);
		break;
	case TRAIN_HEAD:
		check_same_path(&a->head.path, &b->head.path);
		assert_memory_equal(
		    &a->head, &b->head, offsetof(struct train_head, path));
		break;
	default:
		assert_memory_equal(a, b, message_size(type));
	}
}

static void
test_there_and_back(void **state)
{
	static const struct {
		enum train_side side;
		uint8_t type;
	} types[] = {
		{ C, TRAIN_GET },
		{ C, TRAIN_TREE },
		{ C, TRAIN_LIST },
		{ S, TRAIN_HEAD },
		{ S, TRAIN_END },
		{ S, TRAIN_SUM },
		{ S, TRAIN_ERROR },
	};
	static unsigned char mem[TRAIN_HEADER_SIZE + LIM_TRAIN_REQUEST_BYTES];
	static union message m, back;
	struct rng rng = { 4 };

	(void)state;
	for (int round = 0; round < 2000; round++)
		for (size_t i = 0; i < nitems(types); i++) {
			struct train_frame frame;
			const char *why;
			struct buf b;

			random_message(&rng, types[i].type, &m);
			buf_init(&b, mem, sizeof(mem));
			assert_int_equal(message_put(&b, types[i].type, &m), 0);
			memset(&back, 0xa5, sizeof(back));
			CHECK_INT(round, train_type_name(types[i].type),
			    "result", TRAIN_OK,
			    receive(mem, buf_len(&b), types[i].side, &frame,
				&back, &why));
			assert_int_equal(frame.type, types[i].type);
			assert_int_equal(
			    frame.len, buf_len(&b) - TRAIN_HEADER_SIZE);
			check_same(types[i].type, &m, &back);
			if (round < 2)
				seed_keep(
				    seeds[types[i].side], mem, buf_len(&b));
		}
}

/* Whole conversations, as seeds for the fuzz targets. */
static void
test_conversations(void **state)
{
	static unsigned char mem[256 * 1024];
	static union message m;
	struct rng rng = { 5 };

	(void)state;
	for (int side = C; side <= S; side++)
		for (int round = 0; round < 4; round++) {
			struct train_frame frame;
			const char *why;
			size_t frames = 0;
			struct buf b;

			buf_init(&b, mem, sizeof(mem));
			train_hello_put(&b, TRAIN_VERSION);
			for (int i = 0; i < 6; i++) {
				uint8_t type =
				    (uint8_t)(side == C
						  ? 1 + rng_below(&rng, 3)
						  : 0x81 + rng_below(&rng, 5));

				if (type == TRAIN_DATA) {
					train_frame_put(&b, TRAIN_DATA, 0, 5);
					buf_put(&b, "bytes", 5);
					continue;
				}
				random_message(&rng, type, &m);
				assert_int_equal(message_put(&b, type, &m), 0);
			}
			seed_keep(seeds[side], mem, buf_len(&b));
			buf_drop(&b, TRAIN_HELLO_SIZE);
			for (; buf_len(&b) > 0; frames++) {
				assert_int_equal(
				    receive(buf_head(&b), buf_len(&b),
					(enum train_side)side, &frame, &m,
					&why),
				    TRAIN_OK);
				buf_drop(&b, TRAIN_HEADER_SIZE + frame.len);
			}
			assert_int_equal(frames, 6);
		}
}

/* ---- what put takes care of ---- */

static void
test_put_leaves_out_what_is_not_announced(void **state)
{
	unsigned char mem[128];
	static union message m, back;
	struct train_frame frame;
	const char *why;
	struct buf b;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.get.same_size = 5;
	m.get.same_mtime_ns = 6;
	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(train_get_put(&b, &m.get), 0);
	assert_int_equal(
	    receive(mem, buf_len(&b), C, &frame, &back, &why), TRAIN_OK);
	assert_int_equal(back.get.same_size, 0);
	assert_int_equal(back.get.same_mtime_ns, 0);

	memset(&m, 0, sizeof(m));
	memset(m.end.sha256, 0xa5, sizeof(m.end.sha256));
	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(train_end_put(&b, &m.end), 0);
	assert_int_equal(
	    receive(mem, buf_len(&b), S, &frame, &back, &why), TRAIN_OK);
	assert_true(is_zero(back.end.sha256, sizeof(back.end.sha256)));
}

static void
test_error_sentences(void **state)
{
	char much[2 * LIM_TRAIN_TEXT_BYTES], full[LIM_TRAIN_TEXT_BYTES + 1];
	char wide[LIM_TRAIN_TEXT_BYTES + 2], wide_cut[LIM_TRAIN_TEXT_BYTES];
	const struct {
		int line;
		const char *in, *want;
	} texts[] = {
		{ __LINE__, "", "" },
		{ __LINE__, "no such file", "no such file" },
		{ __LINE__, "\xe7\xbd\x91 is gone", "\xe7\xbd\x91 is gone" },
		{ __LINE__, "a\nb\x1b[2J\x7f", "a?b?[2J?" },
		{ __LINE__, "\xc2\x9b", "?" },
		{ __LINE__, "\xff\xc0\xaf\xe7\xbd", "?????" },
		{ __LINE__, full, full },
		{ __LINE__, much, full },
		{ __LINE__, wide, wide_cut },
	};
	static struct train_error error;

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	memset(full, 'x', sizeof(full) - 1);
	full[sizeof(full) - 1] = '\0';
	/* 511 bytes, then a character of two: it does not fit. */
	memset(wide, 'x', LIM_TRAIN_TEXT_BYTES - 1);
	memcpy(wide + LIM_TRAIN_TEXT_BYTES - 1, "\xc3\xbc", 3);
	memset(wide_cut, 'x', LIM_TRAIN_TEXT_BYTES - 1);
	wide_cut[LIM_TRAIN_TEXT_BYTES - 1] = '\0';
	for (size_t i = 0; i < nitems(texts); i++) {
		unsigned char mem[TRAIN_HEADER_SIZE + 4 + LIM_TRAIN_TEXT_BYTES];
		struct train_frame frame;
		const char *why;
		struct buf b;

		buf_init(&b, mem, sizeof(mem));
		CHECK_INT(texts[i].line, texts[i].in, "put", 0,
		    train_error_put(&b, TRAIN_E_IO, TRAIN_ENTRY, texts[i].in));
		train_frame_parse(mem, buf_len(&b), S, &frame, &why);
		CHECK_INT(texts[i].line, texts[i].in, "parsed", TRAIN_OK,
		    train_error_parse(&frame, mem + 8, &error, &why));
		CHECK_STR(texts[i].line, texts[i].in, "text", texts[i].want,
		    error.text);
		CHECK_U64(texts[i].line, texts[i].in, "length",
		    strlen(texts[i].want), error.len);
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 1; i <= TRAIN_CODE_MAX; i++)
		for (int j = 1; j < i; j++)
			assert_string_not_equal(
			    train_code_name((enum train_code)i),
			    train_code_name((enum train_code)j));
	assert_string_equal(train_code_name(TRAIN_E_NOT_FOUND), "not found");
	assert_string_equal(train_code_name((enum train_code)0), "unknown");
	assert_string_equal(
	    train_code_name((enum train_code)(TRAIN_CODE_MAX + 1)), "unknown");
	assert_string_equal(train_type_name(TRAIN_GET), "GET");
	assert_string_equal(train_type_name(TRAIN_ERROR), "ERROR");
	assert_string_equal(train_type_name(0), "?");
	assert_string_equal(train_type_name(0x86), "?");
}

static void
test_push_head(void **state)
{
	char long_name[LIM_SEG_BYTES + 2];
	const struct {
		int line;
		const char *name;
		uint64_t size;
		size_t cap;
		int want;
		const char *hex;
	} heads[] = {
		{ __LINE__, "a", 0, 13, 0, "01000000 'a'" ZERO8 },
		{ __LINE__, "hi.txt", 0x0102030405060708, 18, 0,
		    "06000000 'hi.txt' 0807060504030201" },
		{ __LINE__, "a", 0, 12, -ENOBUFS, "" },
		{ __LINE__, "a", 0, 0, -ENOBUFS, "" },
		{ __LINE__, "", 0, 99, -EINVAL, "" },
		{ __LINE__, ".", 0, 99, -EINVAL, "" },
		{ __LINE__, "..", 0, 99, -EINVAL, "" },
		{ __LINE__, "a/b", 0, 99, -EINVAL, "" },
		{ __LINE__, "/etc/passwd", 0, 99, -EINVAL, "" },
		{ __LINE__, ".netpan", 0, 99, -EINVAL, "" },
		{ __LINE__, long_name, 0, 999, -EINVAL, "" },
	};
	unsigned char mem[999], want[32];
	struct buf b;

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < nitems(heads); i++) {
		size_t len = from_hex(
		    heads[i].line, heads[i].hex, want, sizeof(want));

		buf_init(&b, mem, heads[i].cap);
		CHECK_INT(heads[i].line, heads[i].name, "result", heads[i].want,
		    push_head_put(&b, heads[i].name, heads[i].size));
		CHECK_MEM(heads[i].line, heads[i].name, "bytes", want, len,
		    buf_head(&b), buf_len(&b));
	}
	/* The longest name takes just what the header says. */
	long_name[LIM_SEG_BYTES] = '\0';
	buf_init(&b, mem, PUSH_HEAD_MAX);
	assert_int_equal(push_head_put(&b, long_name, UINT64_MAX), 0);
	assert_int_equal(buf_room(&b), 0);
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
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_put_leaves_out_what_is_not_announced),
		cmocka_unit_test(test_error_sentences),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_push_head),
	};

	return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
