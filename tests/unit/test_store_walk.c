/* Walks: their order, their stretches, what they pass over, against a list
 * that is made another way. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "store_list.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* With names of some 240 bytes: more than two pages. */
#define MANY 9000

/* After so many entries each walk rests; 0: never.  Nothing else differs. */
static unsigned rest_every;

static int
setup(void **state)
{
	rest_every = 0;
	return tree_setup_quick(state);
}

static int
setup_resting(void **state)
{
	rest_every = 1;
	return tree_setup_quick(state);
}

static void
add_skipped(struct store_skipped *sum, const struct store_skipped *more)
{
	sum->links += more->links;
	sum->special += more->special;
	sum->unreadable += more->unreadable;
}

static void
check_entry(int line, const struct listed *want, const struct path *path,
    const struct store_meta *meta)
{
	if (strcmp(path_string(path), want->path) != 0)
		fail_line(
		    line, "got %s, want %s", path_string(path), want->path);
	if (meta->ino != want->ino || meta->size != want->size ||
	    (meta->kind == STORE_DIR) != want->is_dir)
		fail_line(line, "%s: another meta", want->path);
}

static void
check_fd(int line, const struct listed *want, const struct store_meta *meta,
    int fd, int open_error)
{
	struct store_meta of_fd;

	if (open_error != 0 || (fd == -1) != want->is_dir)
		fail_line(
		    line, "%s: fd %d, error %d", want->path, fd, open_error);
	if (fd == -1)
		return;
	assert_int_equal(store_fd_meta(fd, &of_fd), 0);
	assert_memory_equal(&of_fd, meta, sizeof(of_fd));
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

/* One stretch equals what the list has between its ends. */
static void
check_stretch(int line, const struct tree *t, const struct list *l,
    const char *from, const char *until, unsigned depth, bool with_fds,
    struct store_skipped *skipped)
{
	struct store_walk *w = walk_begin(t, "", from, until, depth);
	const struct path *path;
	struct store_meta meta;
	bool has_more = false;
	unsigned n = 0;
	int fd, error = 0, r;

	for (size_t i = 0; i < l->n; i++) {
		if (cmp_paths(l->e[i].path, from) < 0)
			continue;
		if (*until != '\0' && cmp_paths(l->e[i].path, until) >= 0) {
			has_more = true;
			break;
		}
		fd = -7;
		r = store_walk_next(w, &path, &meta, with_fds ? &fd : NULL,
		    with_fds ? &error : NULL);
		if (r != 1)
			fail_line(line, "[%s, %s): got %d, want %s", from,
			    until, r, l->e[i].path);
		check_entry(line, &l->e[i], path, &meta);
		if (with_fds) {
			check_fd(line, &l->e[i], &meta, fd, error);
			fd_close(&fd);
		}
		if (rest_every > 0 && ++n % rest_every == 0)
			store_walk_rest(w);
	}
	walk_expect_end(line, w, 0, has_more);
	if (skipped != NULL)
		add_skipped(skipped, store_walk_skipped(w));
	store_walk_free(w);
}

static void
check_whole(int line, const struct tree *t, const struct list *l,
    unsigned depth, bool with_fds)
{
	struct store_skipped skipped = { 0 };

	check_stretch(line, t, l, "", "", depth, with_fds, &skipped);
	walk_check_skipped(line, &skipped, &l->skipped);
}

/* ---- trees ---- */

/* Names whose order is not that of the joined strings ("a!" < "a/b" as text,
 * but a's children come before a!), and some that are hard to read. */
static const char *const odd_names[] = { "a", "a!", "a-b", "ab", "b", "A", "-",
	"...", "\x01", "\n", "\x7f", "\xff", "\xc3\xa9", "e\xcc\x81", " ",
	"z z", "aa", "a a", "0", "00", "~", "%2f", "a\\b", "*" };

static void
grow(int dir_fd, uint32_t *seed, unsigned depth)
{
	const char *name;
	char text[64];
	unsigned n = 3 + tree_random(seed, 7);
	int fd;

	for (unsigned i = 0; i < n; i++) {
		name = odd_names[tree_random(seed, nitems(odd_names))];
		if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		switch (tree_random(seed, 9)) {
		case 0:
			tree_symlink(dir_fd, name, "a");
			break;
		case 1:
			tree_symlink(dir_fd, name, "..");
			break;
		case 2:
			tree_fifo(dir_fd, name);
			break;
		case 3:
		case 4:
			snprintf(text, sizeof(text), "%*s",
			    (int)tree_random(seed, 40), "");
			tree_write(dir_fd, name, text);
			break;
		default:
			tree_mkdir(dir_fd, name);
			if (depth == 0)
				break;
			fd = openat(
			    dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			assert_true(fd >= 0);
			grow(fd, seed, depth - 1);
			fd_close(&fd);
		}
	}
	if (tree_random(seed, 4) == 0)
		tree_mkdir(dir_fd, PATH_RESERVED_NAME);
}

/* A path that is in the list, or near one that is. */
static void
some_path(char out[4096], const struct list *l, uint32_t *seed)
{
	const char *name = odd_names[tree_random(seed, nitems(odd_names))];
	size_t len;

	*out = '\0';
	if (tree_random(seed, 12) == 0)
		return;
	strcpy(out, l->e[tree_random(seed, (uint32_t)l->n)].path);
	len = strlen(out);
	switch (tree_random(seed, 5)) {
	case 0: /* below it, and perhaps it is a file */
		snprintf(out + len, 4096 - len, "/%s", name);
		break;
	case 1: /* beside it */
		snprintf(out + len, 4096 - len, "%s", name);
		break;
	case 2: /* far below it */
		snprintf(out + len, 4096 - len, "/%s/%s/%s", name, name, name);
		break;
	default:
		break;
	}
}

static void
test_whole(void **state)
{
	struct tree *t = *state;
	uint32_t seed = 2;
	struct list l;

	/* Nothing at all. */
	l = list_tree(t->in_fd, 0);
	check_whole(__LINE__, t, &l, 0, true);
	for (int i = 0; i < 10; i++) {
		list_free(&l);
		tree_empty(t->in_fd);
		grow(t->in_fd, &seed, 4);
		l = list_tree(t->in_fd, 0);
		check_whole(__LINE__, t, &l, 0, true);
		check_whole(__LINE__, t, &l, 0, false);
		check_whole(__LINE__, t, &l, LIM_PATH_SEGS, false);
		for (unsigned depth = 1; depth < 5; depth++) {
			list_free(&l);
			l = list_tree(t->in_fd, depth);
			check_whole(__LINE__, t, &l, depth, true);
		}
	}
	list_free(&l);
}

static void
grow_big(int dir_fd, uint32_t *seed)
{
	tree_empty(dir_fd);
	grow(dir_fd, seed, 4);
	tree_mkdir(dir_fd, "m");
	tree_mkdir(dir_fd, "m/a");
	tree_write(dir_fd, "m/a/a", "");
	tree_symlink(dir_fd, "m/link", "a");
}

static void
test_stretches(void **state)
{
	struct tree *t = *state;
	uint32_t seed = 3;
	char from[4096], until[4096];
	struct list l;

	for (int tree = 0; tree < 5; tree++) {
		grow_big(t->in_fd, &seed);
		for (unsigned depth = 0; depth < 4; depth++) {
			l = list_tree(t->in_fd, depth);
			assert_true(depth != 0 || l.n > 40);
			for (int i = 0; i < 200; i++) {
				some_path(from, &l, &seed);
				some_path(until, &l, &seed);
				check_stretch(__LINE__, t, &l, from, until,
				    depth, i % 8 == 0, NULL);
			}
			list_free(&l);
		}
	}
}

/* A tree cut anywhere, each piece walked by itself: the pieces' counts add up
 * to what the whole has. */
static void
test_cuts(void **state)
{
	struct tree *t = *state;
	uint32_t seed = 4;
	char cuts[10][4096], swap[4096];
	struct store_skipped sum;
	struct list l;
	int n;

	for (int i = 0; i < 60; i++) {
		if (i % 10 == 0)
			grow_big(t->in_fd, &seed);
		l = list_tree(t->in_fd, 0);
		n = 1 + (int)tree_random(&seed, 9);
		for (int k = 0; k < n; k++) {
			do
				some_path(cuts[k], &l, &seed);
			while (*cuts[k] == '\0');
			for (int j = k;
			     j > 0 && cmp_paths(cuts[j - 1], cuts[j]) > 0;
			     j--) {
				strcpy(swap, cuts[j]);
				strcpy(cuts[j], cuts[j - 1]);
				strcpy(cuts[j - 1], swap);
			}
		}
		sum = (struct store_skipped){ 0 };
		for (int k = 0; k <= n; k++)
			check_stretch(__LINE__, t, &l,
			    k == 0 ? "" : cuts[k - 1], k == n ? "" : cuts[k], 0,
			    false, &sum);
		walk_check_skipped(__LINE__, &sum, &l.skipped);
		list_free(&l);
	}
}

static void
test_order(void **state)
{
	struct tree *t = *state;
	struct store_walk *w;

	tree_mkdir(t->in_fd, "a");
	tree_write(t->in_fd, "a/b", "");
	tree_write(t->in_fd, "a!", "");
	tree_write(t->in_fd, "B", "");
	tree_mkdir(t->in_fd, "a/c");
	tree_write(t->in_fd, "a/c/d", "");
	w = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, w, "B");
	walk_expect(__LINE__, w, "a");
	walk_expect(__LINE__, w, "a/b");
	walk_expect(__LINE__, w, "a/c");
	walk_expect(__LINE__, w, "a/c/d");
	walk_expect(__LINE__, w, "a!");
	walk_expect_end(__LINE__, w, 0, false);
	store_walk_free(w);

	/* Paths are relative to root, the ends of a stretch too. */
	w = walk_begin(t, "a", "c", "c/d", 0);
	walk_expect(__LINE__, w, "c");
	walk_expect_end(__LINE__, w, 0, true);
	store_walk_free(w);
	w = walk_begin(t, "a/c/", "", "", 1);
	walk_expect(__LINE__, w, "d");
	walk_expect_end(__LINE__, w, 0, false);
	store_walk_free(w);
	/* An empty stretch. */
	w = walk_begin(t, "", "a/c", "a/b", 0);
	walk_expect_end(__LINE__, w, 0, true);
	store_walk_free(w);
	w = walk_begin(t, "", "b", "a", 0);
	walk_expect_end(__LINE__, w, 0, false);
	store_walk_free(w);
	/* Left before its end. */
	w = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, w, "B");
	walk_expect(__LINE__, w, "a");
	walk_expect(__LINE__, w, "a/b");
	store_walk_free(w);
	store_walk_free(NULL);
}

/* Folders of several pages, of files and of folders. */
static void
test_pages(void **state)
{
	struct tree *t = *state;
	uint32_t seed = 5;
	char name[LIM_SEG_BYTES + 1 + 2], from[4096], until[4096];
	struct list l;

	rest_every *= 499;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%d%0235d", i, 0);
		if (i % 3 == 0) {
			tree_mkdir(t->in_fd, name);
			strcat(name, "/x");
		}
		tree_write(t->in_fd, name, "");
		if (i % 7 == 0) {
			snprintf(name, sizeof(name), "l%d", i);
			tree_symlink(t->in_fd, name, "x");
		}
	}
	l = list_tree(t->in_fd, 0);
	assert_int_equal(l.n, MANY + (MANY + 2) / 3);
	check_whole(__LINE__, t, &l, 0, true);
	for (int i = 0; i < 30; i++) {
		some_path(from, &l, &seed);
		some_path(until, &l, &seed);
		check_stretch(__LINE__, t, &l, from, until, 0, false, NULL);
	}
	list_free(&l);
	l = list_tree(t->in_fd, 1);
	check_whole(__LINE__, t, &l, 1, false);
	list_free(&l);
}

/* More names on the way down than a walk keeps: the outer folders are read
 * again on the way up. */
static void
test_wide_and_deep(void **state)
{
	struct tree *t = *state;
	char name[LIM_SEG_BYTES + 1];
	struct list l;
	int fd = dup(t->in_fd), sub_fd;

	rest_every *= 97;
	memset(name, 'n', LIM_SEG_BYTES);
	name[LIM_SEG_BYTES] = '\0';
	for (int level = 0; level < 6; level++) {
		for (int i = 0; i < 1021 + level; i++) {
			snprintf(name, 6, "%05d", i);
			name[5] = 'n';
			assert_int_equal(
			    mknodat(fd, name, S_IFREG | 0644, 0), 0);
		}
		tree_symlink(fd, "00300-link", "x");
		tree_mkdir(fd, "00500-down");
		tree_mkdir(fd, "00501-side");
		tree_write(fd, "00501-side/f", "");
		sub_fd = openat(
		    fd, "00500-down", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(sub_fd >= 0);
		fd_close(&fd);
		fd = sub_fd;
	}
	fd_close(&fd);
	l = list_tree(t->in_fd, 0);
	check_whole(__LINE__, t, &l, 0, false);
	list_free(&l);
}

int
main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
#define RESTING_TEST(f)                                              \
	{                                                            \
		"resting " #f, f, setup_resting, tree_teardown, NULL \
	}
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_order),
		TREE_TEST(test_whole),
		TREE_TEST(test_stretches),
		TREE_TEST(test_cuts),
		TREE_TEST(test_pages),
		TREE_TEST(test_wide_and_deep),
		RESTING_TEST(test_whole),
		RESTING_TEST(test_stretches),
		RESTING_TEST(test_cuts),
		RESTING_TEST(test_pages),
		RESTING_TEST(test_wide_and_deep),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
