/* The codec: messages there and back, and what put takes care of. */
#include "train_rig.h"

#include <errno.h>

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
		m->get.flags = rng_next(rng) &
			       (TRAIN_F_NO_DIGEST | TRAIN_F_ANEW);
		m->get.offset = random_size(rng);
		if (rng_below(rng, 2) == 0) {
			m->get.flags |= TRAIN_F_IF_SAME;
			m->get.same_size = random_size(rng);
			m->get.same_mtime_ns = (int64_t)rng_next(rng);
		}
		random_path(rng, &m->get.path, 0, LIM_PATH_SEGS);
		break;
	case TRAIN_TREE:
		m->tree.flags = rng_next(rng) &
				(TRAIN_F_NO_DIGEST | TRAIN_F_ANEW);
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
		{ __LINE__, "a", 0, 13, 0, "01000000 'a' 0000000000000000" },
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
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_put_leaves_out_what_is_not_announced),
		cmocka_unit_test(test_error_sentences),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_push_head),
	};

	return cmocka_run_group_tests_name("train_messages", tests, NULL, NULL);
}
