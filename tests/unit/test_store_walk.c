/* Walks: their order, their stretches, what they pass over, against a list
 * that is made another way. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "store_list.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* ---- walking ---- */

static void
add_skipped(struct store_skipped *sum, const struct store_skipped *more)
{
	sum->links += more->links;
	sum->special += more->special;
	sum->unreadable += more->unreadable;
}

static void
check_skipped(
    int line, const struct store_skipped *got, const struct store_skipped *want)
{
	if (memcmp(got, want, sizeof(*got)) != 0)
		fail_line(line,
		    "skipped: got %lu links, %lu special, %lu unreadable, "
		    "want %lu, %lu, %lu",
		    got->links, got->special, got->unreadable, want->links,
		    want->special, want->unreadable);
}

static struct store_walk *
begin(const struct tree *t, const char *root, const char *from,
    const char *until, unsigned depth)
{
	struct path r = tree_path(root), f = tree_path(from);
	struct path u = tree_path(until);
	struct store_walk *w = NULL;

	assert_int_equal(store_walk_new(&w, t->store, &r, &f, &u, depth), 0);
	/* The walk keeps its own. */
	memset(&r, 0xff, sizeof(r));
	memset(&f, 0xff, sizeof(f));
	memset(&u, 0xff, sizeof(u));
	return w;
}

static int
next(struct store_walk *w, const char **path)
{
	const struct path *p;
	struct store_meta meta;
	int r = store_walk_next(w, &p, &meta, NULL, NULL);

	if (r == 1)
		*path = path_string(p);
	return r;
}

static void
expect(int line, struct store_walk *w, const char *want)
{
	const char *got = NULL;
	int r = next(w, &got);

	if (r != 1 || strcmp(got, want) != 0)
		fail_line(line, "got %d %s, want %s", r, got == NULL ? "" : got,
		    want);
}

static void
expect_end(int line, struct store_walk *w, int want, bool has_more)
{
	const char *got = NULL;

	for (int i = 0; i < 3; i++) {
		int r = next(w, &got);

		if (r != want)
			fail_line(line, "got %d %s, want %d", r,
			    got == NULL ? "" : got, want);
	}
	if (store_walk_has_more(w) != has_more)
		fail_line(line, "has_more is %d", !has_more);
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
	struct store_walk *w = begin(t, "", from, until, depth);
	const struct path *path;
	struct store_meta meta;
	bool has_more = false;
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
	}
	expect_end(line, w, 0, has_more);
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
	check_skipped(line, &skipped, &l->skipped);
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
		check_skipped(__LINE__, &sum, &l.skipped);
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
	w = begin(t, "", "", "", 0);
	expect(__LINE__, w, "B");
	expect(__LINE__, w, "a");
	expect(__LINE__, w, "a/b");
	expect(__LINE__, w, "a/c");
	expect(__LINE__, w, "a/c/d");
	expect(__LINE__, w, "a!");
	expect_end(__LINE__, w, 0, false);
	store_walk_free(w);

	/* Paths are relative to root, the ends of a stretch too. */
	w = begin(t, "a", "c", "c/d", 0);
	expect(__LINE__, w, "c");
	expect_end(__LINE__, w, 0, true);
	store_walk_free(w);
	w = begin(t, "a/c/", "", "", 1);
	expect(__LINE__, w, "d");
	expect_end(__LINE__, w, 0, false);
	store_walk_free(w);
	/* An empty stretch. */
	w = begin(t, "", "a/c", "a/b", 0);
	expect_end(__LINE__, w, 0, true);
	store_walk_free(w);
	w = begin(t, "", "b", "a", 0);
	expect_end(__LINE__, w, 0, false);
	store_walk_free(w);
	/* Left before its end. */
	w = begin(t, "", "", "", 0);
	expect(__LINE__, w, "B");
	expect(__LINE__, w, "a");
	expect(__LINE__, w, "a/b");
	store_walk_free(w);
	store_walk_free(NULL);
}

static void
test_new(void **state)
{
	static const struct {
		int line;
		const char *root;
		int want;
	} cases[] = {
		{ __LINE__, "gone", -ENOENT },
		{ __LINE__, "gone/dir", -ENOENT },
		{ __LINE__, "file", -ENOTDIR },
		{ __LINE__, "file/dir", -ENOTDIR },
		{ __LINE__, "link", -ENOENT },
		{ __LINE__, "link/", -ENOENT },
		{ __LINE__, "out", -ENOENT },
		{ __LINE__, "out/dir", -ENOENT },
		{ __LINE__, "fifo", -ENOENT },
		{ __LINE__, "closed", -EACCES },
		{ __LINE__, "closed/dir", -EACCES },
	};
	struct tree *t = *state;
	struct store_walk *w = NULL;
	struct path root, none = tree_path("");
	int r;

	tree_mkdir(t->in_fd, "dir");
	tree_mkdir(t->out_fd, "dir");
	tree_write(t->in_fd, "file", "");
	tree_symlink(t->in_fd, "link", "dir");
	tree_symlink(t->in_fd, "out", "../out");
	tree_fifo(t->in_fd, "fifo");
	tree_mkdir(t->in_fd, "closed");
	assert_int_equal(fchmodat(t->in_fd, "closed", 0, 0), 0);
	tree_drop_rights();
	for (size_t i = 0; i < nitems(cases); i++) {
		root = tree_path(cases[i].root);
		r = store_walk_new(&w, t->store, &root, &none, &none, 0);
		if (r != cases[i].want || w != NULL)
			fail_line(cases[i].line, "%s: got %d, want %d",
			    cases[i].root, r, cases[i].want);
	}
	tree_regain_rights();
}

/* Folders of several pages, of files and of folders. */
static void
test_pages(void **state)
{
	struct tree *t = *state;
	uint32_t seed = 5;
	char name[64], from[4096], until[4096];
	struct list l;

	for (int i = 0; i < 2600; i++) {
		snprintf(name, sizeof(name), "n%d", i);
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
	assert_int_equal(l.n, 2600 + 867);
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

	memset(name, 'n', LIM_SEG_BYTES);
	name[LIM_SEG_BYTES] = '\0';
	for (int level = 0; level < 6; level++) {
		for (int i = 0; i < LIM_DIR_PAGE + level - 3; i++) {
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

/* What is too deep has no path: counted, passed over. */
static void
test_too_deep(void **state)
{
	struct tree *t = *state;
	struct store_skipped want = { 0 };
	struct store_walk *w;
	const char *path;
	size_t n = 0, last_len = 0;
	int fd = dup(t->in_fd), sub_fd;

	for (int i = 0; i < LIM_PATH_SEGS + 40; i++) {
		tree_write(fd, "f", "");
		tree_mkdir(fd, "z");
		sub_fd = openat(fd, "z", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(sub_fd >= 0);
		if (i == LIM_PATH_SEGS) {
			tree_symlink(fd, "link", "f");
			tree_fifo(fd, "fifo");
			tree_mkdir(fd, PATH_RESERVED_NAME);
		}
		fd_close(&fd);
		fd = sub_fd;
	}
	fd_close(&fd);
	w = begin(t, "", "", "", 0);
	while (next(w, &path) == 1) {
		n++;
		last_len = strlen(path);
	}
	/* f and z in each of 128 folders; the last is z at the very limit,
	 * whose own f and z are one past it. */
	assert_int_equal(n, 2 * LIM_PATH_SEGS);
	assert_int_equal(last_len, 2 * LIM_PATH_SEGS - 1);
	want.unreadable = 2;
	want.links = 1;
	want.special = 1;
	check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);

	/* The limit is that of the whole path: from a root further down there
	 * is as much less below it. */
	w = begin(t, "z/z/z", "", "", 0);
	for (n = 0; next(w, &path) == 1; n++)
		;
	assert_int_equal(n, 2 * (LIM_PATH_SEGS - 3));
	check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);
}

/* What is too long has none either: 16 names of 255 and their slashes are
 * just 4095. */
static void
test_too_long(void **state)
{
	struct tree *t = *state;
	struct store_skipped want = { 0 };
	struct store_walk *w;
	const char *path;
	char name[LIM_SEG_BYTES + 1];
	size_t longest = 0, n = 0;
	int fd = dup(t->in_fd), sub_fd;

	memset(name, 'n', LIM_SEG_BYTES);
	name[LIM_SEG_BYTES] = '\0';
	for (int i = 0; i < 20; i++) {
		tree_mkdir(fd, name);
		sub_fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(sub_fd >= 0);
		if (i == 15)
			/* 254 fit there, and so does a name of one byte. */
			tree_write(fd, name + 1, "");
		if (i == 14)
			tree_write(fd, "o", "");
		fd_close(&fd);
		fd = sub_fd;
	}
	fd_close(&fd);
	w = begin(t, "", "", "", 0);
	while (next(w, &path) == 1) {
		n++;
		if (strlen(path) > longest)
			longest = strlen(path);
	}
	assert_int_equal(longest, LIM_PATH_BYTES);
	assert_int_equal(n, 16 + 2);
	want.unreadable = 1;
	check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);

	/* One byte less of room: the sixteenth does not fit. */
	tree_empty(t->in_fd);
	tree_mkdir(t->in_fd, "d");
	fd = openat(t->in_fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 16; i++) {
		/* d + 15 * 256 = 3841 bytes, so 253 are left for a name */
		if (i == 15) {
			tree_write(fd, name + 2, "");
			tree_write(fd, name + 1, "");
		}
		tree_mkdir(fd, name);
		sub_fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		fd = sub_fd;
	}
	fd_close(&fd);
	w = begin(t, "", "", "", 0);
	for (n = 0, longest = 0; next(w, &path) == 1; n++)
		longest = strlen(path);
	assert_int_equal(longest, LIM_PATH_BYTES);
	assert_int_equal(n, 1 + 15 + 1);
	want.unreadable = 2;
	check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);
}

static void
test_rights(void **state)
{
	struct tree *t = *state;
	struct store_skipped want = { 0 };
	const struct path *path;
	struct store_meta meta;
	struct store_walk *w;
	int fd, error;

	tree_mkdir(t->in_fd, "closed");
	tree_write(t->in_fd, "closed/f", "");
	tree_symlink(t->in_fd, "closed/link", "f");
	tree_mkdir(t->in_fd, "names");
	tree_write(t->in_fd, "names/f", "");
	tree_write(t->in_fd, "names/g", "");
	tree_symlink(t->in_fd, "names/link", "f");
	tree_write(t->in_fd, "secret", "12345");
	tree_write(t->in_fd, "z", "");
	assert_int_equal(fchmodat(t->in_fd, "closed", 0, 0), 0);
	assert_int_equal(fchmodat(t->in_fd, "names", 0444, 0), 0);
	assert_int_equal(fchmodat(t->in_fd, "secret", 0, 0), 0);
	tree_drop_rights();

	w = begin(t, "", "", "", 0);
	expect(__LINE__, w, "closed");
	expect(__LINE__, w, "names");
	assert_int_equal(store_walk_next(w, &path, &meta, &fd, &error), 1);
	assert_string_equal(path_string(path), "secret");
	assert_int_equal(fd, -1);
	assert_int_equal(error, -EACCES);
	assert_int_equal(meta.size, 5);
	assert_int_equal(meta.kind, STORE_FILE);
	assert_int_equal(store_walk_next(w, &path, &meta, &fd, &error), 1);
	assert_string_equal(path_string(path), "z");
	assert_int_equal(error, 0);
	fd_close(&fd);
	expect_end(__LINE__, w, 0, false);
	/* closed, f and g in names; the link too where it does not show */
	want.links = tree_tells_types(t->in_fd) ? 1 : 0;
	want.unreadable = 4 - want.links;
	check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);

	/* From inside a folder that is closed now: the next one. */
	w = begin(t, "", "closed/f", "names", 0);
	expect_end(__LINE__, w, 0, true);
	want = (struct store_skipped){ 0 };
	check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);
	tree_regain_rights();
}

/* ---- a tree that changes under the walk ---- */

static void
make_abc(struct tree *t)
{
	tree_mkdir(t->in_fd, "a");
	tree_write(t->in_fd, "a/1", "");
	tree_write(t->in_fd, "a/2", "");
	tree_mkdir(t->in_fd, "a/3");
	tree_write(t->in_fd, "a/3/x", "");
	tree_write(t->in_fd, "a/4", "");
	tree_write(t->in_fd, "b", "");
	tree_write(t->in_fd, "c", "");
	tree_mkdir(t->out_fd, "sub");
	tree_write(t->out_fd, "sub/secret", "");
	tree_write(t->out_fd, "secret", "");
}

/* Entries go, and what comes in their place is no way out. */
static void
test_vanishing(void **state)
{
	struct tree *t = *state;
	struct store_skipped none = { 0 };
	struct store_walk *w;

	make_abc(t);
	w = begin(t, "", "", "", 0);
	expect(__LINE__, w, "a");
	expect(__LINE__, w, "a/1");
	/* The next file, and the folder after it is swapped for a link. */
	assert_int_equal(unlinkat(t->in_fd, "a/2", 0), 0);
	expect(__LINE__, w, "a/3");
	assert_int_equal(unlinkat(t->in_fd, "a/3/x", 0), 0);
	assert_int_equal(unlinkat(t->in_fd, "a/3", AT_REMOVEDIR), 0);
	tree_symlink(t->in_fd, "a/3", "../../out");
	expect(__LINE__, w, "a/4");
	/* A file becomes a link, another a folder. */
	assert_int_equal(unlinkat(t->in_fd, "b", 0), 0);
	tree_symlink(t->in_fd, "b", "../out/secret");
	assert_int_equal(unlinkat(t->in_fd, "c", 0), 0);
	tree_mkdir(t->in_fd, "c");
	tree_write(t->in_fd, "c/new", "");
	expect(__LINE__, w, "c");
	expect(__LINE__, w, "c/new");
	expect_end(__LINE__, w, 0, false);
	check_skipped(__LINE__, store_walk_skipped(w), &none);
	store_walk_free(w);
}

/* The folder the walk is in goes away, or out of the tree. */
static void
test_moved_out(void **state)
{
	struct tree *t = *state;
	struct store_skipped none = { 0 };
	struct store_walk *w;

	make_abc(t);
	/* Before it is entered. */
	w = begin(t, "", "", "", 0);
	expect(__LINE__, w, "a");
	assert_int_equal(renameat(t->in_fd, "a", t->out_fd, "a"), 0);
	expect(__LINE__, w, "b");
	expect(__LINE__, w, "c");
	expect_end(__LINE__, w, 0, false);
	check_skipped(__LINE__, store_walk_skipped(w), &none);
	store_walk_free(w);

	/* While the walk is below it: nothing leads into it any more. */
	assert_int_equal(renameat(t->out_fd, "a", t->in_fd, "a"), 0);
	w = begin(t, "", "", "", 0);
	expect(__LINE__, w, "a");
	expect(__LINE__, w, "a/1");
	expect(__LINE__, w, "a/2");
	expect(__LINE__, w, "a/3");
	expect(__LINE__, w, "a/3/x");
	assert_int_equal(renameat(t->in_fd, "a", t->out_fd, "a"), 0);
	expect(__LINE__, w, "b");
	expect(__LINE__, w, "c");
	expect_end(__LINE__, w, 0, false);
	store_walk_free(w);

	/* A link out in its place. */
	assert_int_equal(renameat(t->out_fd, "a", t->in_fd, "a"), 0);
	w = begin(t, "", "a/3", "", 0);
	expect(__LINE__, w, "a/3");
	assert_int_equal(renameat(t->in_fd, "a", t->out_fd, "3"), 0);
	tree_symlink(t->in_fd, "a", "../out");
	/* It was held already: what is left of it is told. */
	expect(__LINE__, w, "a/4");
	expect(__LINE__, w, "b");
	expect(__LINE__, w, "c");
	expect_end(__LINE__, w, 0, false);
	store_walk_free(w);
}

static void
test_root_gone(void **state)
{
	struct tree *t = *state;
	struct store_walk *w;

	tree_mkdir(t->in_fd, "r");
	tree_mkdir(t->in_fd, "r/a");
	tree_write(t->in_fd, "r/a/x", "");
	tree_write(t->in_fd, "r/b", "");
	w = begin(t, "r", "", "", 0);
	expect(__LINE__, w, "a");
	expect(__LINE__, w, "a/x");
	assert_int_equal(renameat(t->in_fd, "r", t->out_fd, "r"), 0);
	expect_end(__LINE__, w, -ENOENT, false);
	store_walk_free(w);
}

/* A full descriptor table is said, not passed over. */
static void
test_emfile(void **state)
{
	struct tree *t = *state;
	struct rlimit old, low;
	struct store_walk *w;
	int spare, fd;

	make_abc(t);
	w = begin(t, "", "", "", 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	spare = dup(t->in_fd);
	fd = dup(t->in_fd);
	low.rlim_cur = (rlim_t)fd;
	fd_close(&fd);
	/* With one to look with it goes on. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	fd_close(&spare);
	expect(__LINE__, w, "a");
	spare = dup(t->in_fd);
	assert_true(spare >= 0);
	expect_end(__LINE__, w, -EMFILE, false);
	fd_close(&spare);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	store_walk_free(w);
}

/* A walk holds one descriptor between its steps, however deep it is. */
static void
test_descriptors(void **state)
{
	struct tree *t = *state;
	struct store_walk *w;
	const char *path;
	int fd = dup(t->in_fd), sub_fd, base, most = 0;

	for (int i = 0; i < LIM_PATH_SEGS; i++) {
		tree_mkdir(fd, "d");
		tree_write(fd, "e", "");
		sub_fd = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		fd = sub_fd;
	}
	fd_close(&fd);
	base = fd_count_open();
	w = begin(t, "", "", "", 0);
	while (next(w, &path) == 1)
		if (fd_count_open() - base > most)
			most = fd_count_open() - base;
	assert_int_equal(most, 1);
	assert_int_equal(fd_count_open(), base);
	store_walk_free(w);
}

int
main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup_quick, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_order),
		TREE_TEST(test_whole),
		TREE_TEST(test_stretches),
		TREE_TEST(test_cuts),
		TREE_TEST(test_new),
		TREE_TEST(test_pages),
		TREE_TEST(test_wide_and_deep),
		TREE_TEST(test_too_deep),
		TREE_TEST(test_too_long),
		TREE_TEST(test_rights),
		TREE_TEST(test_vanishing),
		TREE_TEST(test_moved_out),
		TREE_TEST(test_root_gone),
		TREE_TEST(test_emfile),
		TREE_TEST(test_descriptors),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
