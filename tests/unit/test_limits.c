#include "helper.h"

#include "train/train.h"

static const struct limit {
	const char *name;
	intmax_t value;
	const char *unit, *meaning;
} limits[] = {
#define LIMIT_ROW(name, value, unit, meaning) { #name, value, unit, meaning },
	LIMIT_TABLE(LIMIT_ROW)
#undef LIMIT_ROW
};

static void
test_the_table_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(limits); i++) {
		const struct limit *l = &limits[i];

		CHECK(i, l->name, "is more than zero", l->value > 0);
		CHECK(i, l->name, "fits its enum", l->value <= INT32_MAX);
		CHECK(i, l->name, "has a unit", *l->unit != '\0');
		CHECK(i, l->name, "has a meaning", *l->meaning != '\0');
		for (size_t j = 0; j < i; j++) {
			CHECK(i, l->name, "is there once",
			    strcmp(l->name, limits[j].name) != 0);
			CHECK(i, l->name, "means something of its own",
			    strcmp(l->meaning, limits[j].meaning) != 0);
		}
	}
}

static void
test_enum_and_table_agree(void **state)
{
	(void)state;
#define LIMIT_CHECK(name, value, unit, meaning) \
	CHECK_INT(__LINE__, #name, "value", value, LIM_##name);
	LIMIT_TABLE(LIMIT_CHECK)
#undef LIMIT_CHECK
}

/* The longest path there can be: of the most names, with the most bytes. */
static void
longest_path(struct path *p)
{
	char seg[LIM_SEG_BYTES];
	size_t room = LIM_PATH_BYTES - (LIM_PATH_SEGS - 1), len;

	memset(seg, 'x', sizeof(seg));
	path_init(p);
	for (unsigned left = LIM_PATH_SEGS; left > 0; left--) {
		len = room - (left - 1);
		if (len > sizeof(seg))
			len = sizeof(seg);
		assert_int_equal(path_push(p, seg, len), PATH_OK);
		room -= len;
	}
	assert_int_equal(p->n, LIM_PATH_SEGS);
	assert_int_equal(p->len, LIM_PATH_BYTES);
}

/* A request buffer takes any request: TREE with three longest paths. */
static void
test_the_longest_request_fits(void **state)
{
	static unsigned char mem[TRAIN_HEADER_SIZE + LIM_TRAIN_REQUEST_BYTES];
	static struct train_tree tree, back;
	struct train_frame frame;
	const char *why;
	struct buf b;

	(void)state;
	longest_path(&tree.root);
	longest_path(&tree.from);
	longest_path(&tree.until);
	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(train_tree_put(&b, &tree), 0);
	assert_int_equal(train_frame_parse(buf_head(&b), buf_len(&b),
			     TRAIN_FROM_CLIENT, &frame, &why),
	    TRAIN_OK);
	assert_int_equal(frame.len, buf_len(&b) - TRAIN_HEADER_SIZE);
	assert_int_equal(
	    train_tree_parse(&frame, buf_head(&b) + 8, &back, &why), TRAIN_OK);
	assert_int_equal(path_cmp(&back.until, &tree.until), 0);
	seed_keep("fuzz_train_client", buf_head(&b), buf_len(&b));
}

/* So does HEAD's own cap: one longest path, and no more. */
static void
test_the_longest_head_fits(void **state)
{
	static unsigned char mem[TRAIN_HEADER_SIZE + 8192];
	static struct train_head head, back;
	struct train_frame frame;
	const char *why;
	struct buf b;

	(void)state;
	head.kind = TRAIN_FILE;
	longest_path(&head.path);
	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(train_head_put(&b, &head), 0);
	assert_int_equal(train_frame_parse(buf_head(&b), buf_len(&b),
			     TRAIN_FROM_SERVER, &frame, &why),
	    TRAIN_OK);
	assert_int_equal(
	    train_head_parse(&frame, buf_head(&b) + 8, &back, &why), TRAIN_OK);
	assert_int_equal(path_cmp(&back.path, &head.path), 0);
	seed_keep("fuzz_train_server", buf_head(&b), buf_len(&b));
	/* One byte more than that is no HEAD. */
	buf_reset(&b);
	assert_int_equal(train_frame_put(&b, TRAIN_HEAD, 0, frame.len + 1), 0);
	assert_int_equal(train_frame_parse(buf_head(&b), buf_len(&b),
			     TRAIN_FROM_SERVER, &frame, &why),
	    TRAIN_BAD);
	assert_string_equal(why, "too long for its type");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_whole),
		cmocka_unit_test(test_enum_and_table_agree),
		cmocka_unit_test(test_the_longest_request_fits),
		cmocka_unit_test(test_the_longest_head_fits),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
