#include "helper.h"

#include <errno.h>

#include "client/tree.h"

/* "a/b/" is a folder, "a/b" a file. */
static int
add(struct tree *t, const char *text, const char **reason)
{
	struct train_head head = { .kind = TRAIN_FILE,
		.mode = 0644,
		.size = strlen(text),
		.mtime_ns = -5 };
	const char *end;

	path_init(&head.path);
	while (*text != '\0') {
		end = strchrnul(text, '/');
		assert_int_equal(
		    path_push(&head.path, text, (size_t)(end - text)), PATH_OK);
		text = *end == '\0' ? end : end + 1;
		if (*end == '/' && *text == '\0') {
			head.kind = TRAIN_DIR;
			head.size = 0;
		}
	}
	return tree_add(t, &head, reason);
}

/* The entries after each other; the last is the one that is refused. */
static const struct {
	int line;
	const char *in[8];
	bool is_good;
} rows[] = {
	{ __LINE__, { "a" }, true },
	{ __LINE__, { "a/" }, true },
	{ __LINE__, { "a", "b", "c" }, true },
	{ __LINE__, { "a/", "a/b", "c" }, true },
	{ __LINE__, { "a/", "a/b/", "a/b/c", "a/d", "e" }, true },
	{ __LINE__, { "a/", "a/b/", "a/b/c/", "a/b/c/d", "e/", "e/f" }, true },
	/* '!' is before '/', but a child is before its parent's neighbour */
	{ __LINE__, { "a/", "a/z", "a!" }, true },
	{ __LINE__, { "a", "a!/", "a!/b" }, true },
	{ __LINE__, { "a", "\xff" }, true },

	{ __LINE__, { "a", "a" }, false },
	{ __LINE__, { "a", "a/" }, false },
	{ __LINE__, { "a/", "a" }, false },
	{ __LINE__, { "b", "a" }, false },
	{ __LINE__, { "\xff", "a" }, false },
	{ __LINE__, { "a/", "a!", "a/z" }, false },
	{ __LINE__, { "a/", "a/b", "a/a" }, false },
	{ __LINE__, { "a/", "b", "a/c" }, false },
	{ __LINE__, { "a/b" }, false },
	{ __LINE__, { "a", "a/b" }, false },
	{ __LINE__, { "a", "b/c" }, false },
	{ __LINE__, { "a/", "b/c" }, false },
	{ __LINE__, { "a/", "a/b/c" }, false },
	{ __LINE__, { "a/", "a/b", "a/b/c" }, false },
	{ __LINE__, { "a/", "a/b/", "a/c/d" }, false },
	{ __LINE__, { "a/", "a/b/", "c/", "c/b/d" }, false },
	{ __LINE__, { "" }, false },
};

static void
test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct tree *t = tree_new(0);
		const char *reason = NULL;
		size_t n = 0;
		int r;

		while (n < nitems(rows[i].in) && rows[i].in[n] != NULL)
			n++;
		for (size_t k = 0; k < n; k++) {
			bool is_last = k + 1 == n;

			r = add(t, rows[i].in[k], &reason);
			CHECK_INT(rows[i].line, rows[i].in[k], "result",
			    is_last && !rows[i].is_good ? -EPROTO : 0, r);
			CHECK(rows[i].line, rows[i].in[k], "a reason is given",
			    r == 0 || reason != NULL);
		}
		CHECK_U64(rows[i].line, rows[i].in[0], "count",
		    rows[i].is_good ? n : n - 1, tree_count(t));
		tree_free(t);
	}
}

static void
test_paths(void **state)
{
	static const char *const in[] = { "a/", "a/b/", "a/b/c", "a/d", "e",
		"f/", "f/\xe7\xbd\x91" };
	static const uint32_t parents[] = { TREE_ROOT, 0, 1, 0, TREE_ROOT,
		TREE_ROOT, 5 };
	struct tree *t = tree_new(0);
	const char *reason;
	struct path path;
	char want[64];

	(void)state;
	for (size_t i = 0; i < nitems(in); i++)
		assert_int_equal(add(t, in[i], &reason), 0);
	for (uint32_t i = 0; i < nitems(in); i++) {
		bool is_dir = in[i][strlen(in[i]) - 1] == '/';

		strcpy(want, in[i]);
		if (is_dir)
			want[strlen(want) - 1] = '\0';
		tree_path(t, i, &path);
		CHECK_STR(__LINE__, in[i], "path", want, path_string(&path));
		CHECK_U64(__LINE__, in[i], "parent", parents[i],
		    tree_entry(t, i)->parent);
		CHECK_INT(__LINE__, in[i], "kind",
		    is_dir ? TRAIN_DIR : TRAIN_FILE, tree_entry(t, i)->kind);
		CHECK_INT(
		    __LINE__, in[i], "mtime", -5, tree_entry(t, i)->mtime_ns);
		CHECK_INT(
		    __LINE__, in[i], "mode", 0644, tree_entry(t, i)->mode);
	}
	tree_free(t);
}

/* After each entry: forget it, add it (or another) again; as after a broken
 * connection. */
static void
test_forget(void **state)
{
	static const char *const in[] = { "a/", "a/b/", "a/b/c", "a/b/d/",
		"a/b/d/e", "a/f", "g", "h/", "h/i" };
	struct tree *t = tree_new(0), *other;
	const char *reason;
	struct path path;

	(void)state;
	for (size_t i = 0; i < nitems(in); i++) {
		assert_int_equal(add(t, in[i], &reason), 0);
		tree_forget_last(t);
		if (i > 0)
			CHECK_INT(__LINE__, in[i], "the one before it again",
			    -EPROTO, add(t, in[i - 1], &reason));
		CHECK_INT(__LINE__, in[i], "again", 0, add(t, in[i], &reason));
	}
	for (uint32_t i = (uint32_t)nitems(in); i > 0; i--) {
		CHECK_U64(__LINE__, in[i - 1], "count", i, tree_count(t));
		tree_forget_last(t);
	}
	assert_int_equal(add(t, "0", &reason), 0);
	tree_free(t);

	/* a folder that became a file meanwhile has nothing below it */
	other = tree_new(0);
	assert_int_equal(add(other, "a/", &reason), 0);
	tree_forget_last(other);
	assert_int_equal(add(other, "a", &reason), 0);
	assert_int_equal(add(other, "a/b", &reason), -EPROTO);
	tree_path(other, 0, &path);
	assert_string_equal(path_string(&path), "a");
	tree_free(other);
}

/* Many entries: pointers to the first ones stay good. */
static void
test_many(void **state)
{
	struct tree *t = tree_new(0);
	const uint32_t n = 200000;
	const char *reason, *first_name;
	struct entry *first;
	char name[32];

	(void)state;
	assert_int_equal(add(t, "00", &reason), 0);
	first = tree_entry(t, 0);
	first_name = first->name;
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%08u", (unsigned)i);
		assert_int_equal(add(t, name, &reason), 0);
	}
	assert_int_equal(tree_count(t), n + 1);
	assert_ptr_equal(first, tree_entry(t, 0));
	assert_ptr_equal(first_name, tree_entry(t, 0)->name);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%08u", (unsigned)i);
		assert_string_equal(tree_entry(t, i + 1)->name, name);
	}
	tree_free(t);
}

/* Names as long as can be: memory ends where it was told to. */
static void
test_bounds(void **state)
{
	const uint64_t max = 8 << 20;
	struct tree *t = tree_new(max);
	char name[LIM_SEG_BYTES + 1];
	const char *reason;
	uint32_t n = 0;
	int r;

	(void)state;
	memset(name, 'x', LIM_SEG_BYTES);
	name[LIM_SEG_BYTES] = '\0';
	do {
		char digits[9];

		snprintf(digits, sizeof(digits), "%08x", (unsigned)n);
		memcpy(name, digits, 8);
		r = add(t, name, &reason);
		n += r == 0;
	} while (r == 0);
	assert_int_equal(r, -E2BIG);
	assert_true((uint64_t)n * (LIM_SEG_BYTES + 1) <= max);
	assert_true(n > 10000);
	/* and stays so */
	assert_int_equal(add(t, name, &reason), -E2BIG);
	assert_int_equal(tree_count(t), n);
	tree_free(t);

	t = tree_new(1);
	assert_int_equal(add(t, "a", &reason), -E2BIG);
	tree_free(t);
}

/* The deepest path there is. */
static void
test_depth(void **state)
{
	struct tree *t = tree_new(0);
	char text[2 * LIM_PATH_SEGS + 1] = "";
	const char *reason;
	struct path path;

	(void)state;
	for (unsigned d = 0; d < LIM_PATH_SEGS; d++) {
		strcat(text, "d/");
		assert_int_equal(add(t, text, &reason), 0);
	}
	tree_path(t, LIM_PATH_SEGS - 1, &path);
	assert_int_equal(path.n, LIM_PATH_SEGS);
	tree_forget_last(t);
	assert_int_equal(add(t, text, &reason), 0);
	assert_int_equal(add(t, "e", &reason), 0);
	tree_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
