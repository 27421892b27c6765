/* Walks at the edges: limits, rights, trees that change, looks that fail. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/openat2.h>

#include "base/fd.h"
#include "store_list.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* The kernel as a test wants it; linked with --wrap. */
static struct {
	int fails_at; /* this openat2, from 1 */
	int error;
	int calls;
	int opens; /* of what may be no folder, not to look at it alone */
} fake;

long __real_syscall(long, ...);
long __wrap_syscall(long, long, long, long, long, long, long);

long
__wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	const struct open_how *how = (const struct open_how *)(uintptr_t)c;

	if (nr == SYS_openat2 && ++fake.calls == fake.fails_at) {
		errno = fake.error;
		return -1;
	}
	if (nr == SYS_openat2 && (how->flags & (O_PATH | O_DIRECTORY)) == 0)
		fake.opens++;
	return __real_syscall(nr, a, b, c, d, e, f);
}

static int
setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	return tree_setup_quick(state);
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
	w = walk_begin(t, "", "", "", 0);
	while (walk_next(w, &path) == 1) {
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
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);

	/* The limit is that of the whole path: from a root further down there
	 * is as much less below it. */
	w = walk_begin(t, "z/z/z", "", "", 0);
	for (n = 0; walk_next(w, &path) == 1; n++)
		;
	assert_int_equal(n, 2 * (LIM_PATH_SEGS - 3));
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
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
	w = walk_begin(t, "", "", "", 0);
	while (walk_next(w, &path) == 1) {
		n++;
		if (strlen(path) > longest)
			longest = strlen(path);
	}
	assert_int_equal(longest, LIM_PATH_BYTES);
	assert_int_equal(n, 16 + 2);
	want.unreadable = 1;
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
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
	w = walk_begin(t, "", "", "", 0);
	for (n = 0, longest = 0; walk_next(w, &path) == 1; n++)
		longest = strlen(path);
	assert_int_equal(longest, LIM_PATH_BYTES);
	assert_int_equal(n, 1 + 15 + 1);
	want.unreadable = 2;
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);
}

/* Cut in the midst of such names: the stretch that has their folder counts
 * them all. */
static void
test_too_long_cut(void **state)
{
	struct tree *t = *state;
	struct store_skipped want = { .unreadable = 2 };
	char name[LIM_SEG_BYTES + 1], cut[LIM_PATH_BYTES + 1] = "";
	struct store_walk *w;
	const char *path;
	size_t n;
	int fd = dup(t->in_fd), sub_fd;

	memset(name, 'n', LIM_SEG_BYTES);
	name[LIM_SEG_BYTES] = '\0';
	tree_mkdir(fd, "d");
	sub_fd = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_close(&fd);
	fd = sub_fd;
	strcpy(cut, "d");
	for (int i = 0; i < 15; i++) {
		tree_mkdir(fd, name);
		sub_fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		fd = sub_fd;
		strcat(strcat(cut, "/"), name);
	}
	/* 253 bytes are left for a name, and one more is too many. */
	strcat(cut, "/m");
	tree_write(fd, "m", "");
	name[254] = '\0';
	for (const char *c = "az"; *c != '\0'; c++) {
		name[0] = *c;
		tree_write(fd, name, "");
	}
	fd_close(&fd);
	w = walk_begin(t, "", "", cut, 0);
	for (n = 0; walk_next(w, &path) == 1; n++)
		;
	assert_int_equal(n, 1 + 15);
	assert_true(store_walk_has_more(w));
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);
	w = walk_begin(t, "", cut, "", 0);
	walk_expect(__LINE__, w, cut);
	walk_expect_end(__LINE__, w, 0, false);
	want.unreadable = 0;
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
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

	w = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, w, "closed");
	walk_expect(__LINE__, w, "names");
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
	walk_expect_end(__LINE__, w, 0, false);
	/* closed, f and g in names; the link too where it does not show */
	want.links = tree_tells_types(t->in_fd) ? 1 : 0;
	want.unreadable = 4 - want.links;
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
	store_walk_free(w);

	/* From inside a folder that is closed now: the next one. */
	w = walk_begin(t, "", "closed/f", "names", 0);
	walk_expect_end(__LINE__, w, 0, true);
	want = (struct store_skipped){ 0 };
	walk_check_skipped(__LINE__, store_walk_skipped(w), &want);
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
	w = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, w, "a");
	walk_expect(__LINE__, w, "a/1");
	/* The next file, and the folder after it is swapped for a link. */
	assert_int_equal(unlinkat(t->in_fd, "a/2", 0), 0);
	walk_expect(__LINE__, w, "a/3");
	assert_int_equal(unlinkat(t->in_fd, "a/3/x", 0), 0);
	assert_int_equal(unlinkat(t->in_fd, "a/3", AT_REMOVEDIR), 0);
	tree_symlink(t->in_fd, "a/3", "../../out");
	walk_expect(__LINE__, w, "a/4");
	/* A file becomes a link, another a folder. */
	assert_int_equal(unlinkat(t->in_fd, "b", 0), 0);
	tree_symlink(t->in_fd, "b", "../out/secret");
	assert_int_equal(unlinkat(t->in_fd, "c", 0), 0);
	tree_mkdir(t->in_fd, "c");
	tree_write(t->in_fd, "c/new", "");
	walk_expect(__LINE__, w, "c");
	walk_expect(__LINE__, w, "c/new");
	walk_expect_end(__LINE__, w, 0, false);
	walk_check_skipped(__LINE__, store_walk_skipped(w), &none);
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
	w = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, w, "a");
	assert_int_equal(renameat(t->in_fd, "a", t->out_fd, "a"), 0);
	walk_expect(__LINE__, w, "b");
	walk_expect(__LINE__, w, "c");
	walk_expect_end(__LINE__, w, 0, false);
	walk_check_skipped(__LINE__, store_walk_skipped(w), &none);
	store_walk_free(w);

	/* While the walk is below it: nothing leads into it any more. */
	assert_int_equal(renameat(t->out_fd, "a", t->in_fd, "a"), 0);
	w = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, w, "a");
	walk_expect(__LINE__, w, "a/1");
	walk_expect(__LINE__, w, "a/2");
	walk_expect(__LINE__, w, "a/3");
	walk_expect(__LINE__, w, "a/3/x");
	assert_int_equal(renameat(t->in_fd, "a", t->out_fd, "a"), 0);
	walk_expect(__LINE__, w, "b");
	walk_expect(__LINE__, w, "c");
	walk_expect_end(__LINE__, w, 0, false);
	store_walk_free(w);

	/* A link out in its place. */
	assert_int_equal(renameat(t->out_fd, "a", t->in_fd, "a"), 0);
	w = walk_begin(t, "", "a/3", "", 0);
	walk_expect(__LINE__, w, "a/3");
	assert_int_equal(renameat(t->in_fd, "a", t->out_fd, "3"), 0);
	tree_symlink(t->in_fd, "a", "../out");
	/* It was held already: what is left of it is told. */
	walk_expect(__LINE__, w, "a/4");
	walk_expect(__LINE__, w, "b");
	walk_expect(__LINE__, w, "c");
	walk_expect_end(__LINE__, w, 0, false);
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
	w = walk_begin(t, "r", "", "", 0);
	walk_expect(__LINE__, w, "a");
	walk_expect(__LINE__, w, "a/x");
	assert_int_equal(renameat(t->in_fd, "r", t->out_fd, "r"), 0);
	walk_expect_end(__LINE__, w, -ENOENT, false);
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
	w = walk_begin(t, "", "", "", 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	spare = dup(t->in_fd);
	fd = dup(t->in_fd);
	low.rlim_cur = (rlim_t)fd;
	fd_close(&fd);
	/* With one to look with it goes on. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	fd_close(&spare);
	walk_expect(__LINE__, w, "a");
	spare = dup(t->in_fd);
	assert_true(spare >= 0);
	walk_expect_end(__LINE__, w, -EMFILE, false);
	fd_close(&spare);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	store_walk_free(w);
}

/* Walks it all with descriptors while one openat2 fails. */
static int
walk_failing(
    struct tree *t, int at, int error, unsigned *n_told, unsigned *n_failed)
{
	struct path none = tree_path("");
	const struct path *path;
	struct store_walk *w = NULL;
	struct store_meta meta;
	int fd, open_error, r;

	fake.fails_at = at;
	fake.error = error;
	fake.calls = 0;
	*n_told = *n_failed = 0;
	r = store_walk_new(&w, t->store, &none, &none, &none, 0);
	while (w != NULL) {
		r = store_walk_next(w, &path, &meta, &fd, &open_error);
		if (r != 1)
			break;
		++*n_told;
		if (open_error != 0) {
			assert_int_equal(open_error, -error);
			++*n_failed;
		} else {
			assert_int_equal(fd == -1, meta.kind == STORE_DIR);
		}
		fd_close(&fd);
	}
	if (w != NULL)
		*n_failed += (unsigned)store_walk_skipped(w)->unreadable;
	fake.fails_at = 0;
	store_walk_free(w);
	return r;
}

/* Whichever look fails, nothing is left out in silence. */
static void
test_failing(void **state)
{
	static const int errors[] = { EMFILE, ENFILE, ENOMEM, EIO };
	struct tree *t = *state;
	unsigned n_all, n_told, n_failed, n_ends = 0;
	int calls, r;

	make_abc(t);
	assert_int_equal(walk_failing(t, 0, 0, &n_all, &n_failed), 0);
	assert_int_equal(n_all, 8);
	assert_int_equal(n_failed, 0);
	calls = fake.calls;
	assert_true(calls > 8);
	for (int at = 1; at <= calls; at++) {
		for (size_t i = 0; i < nitems(errors); i++) {
			r = walk_failing(t, at, errors[i], &n_told, &n_failed);
			assert_true(fake.calls >= at);
			if (r != 0) {
				assert_int_equal(r, -errors[i]);
				assert_int_equal(n_failed, 0);
				n_ends++;
				continue;
			}
			/* Said of a file that could not be opened, or with
			 * EIO of one look; then all that is missing is it, or
			 * below it. */
			assert_true(n_failed <= 1);
			assert_true(n_told == n_all ||
				    (errors[i] == EIO && n_failed == 1));
		}
	}
	assert_true(n_ends > 0);
}

/* A walk that opens files opens nothing else that lies beside them. */
static void
test_only_files_are_opened(void **state)
{
	struct path none = tree_path("");
	const struct path *path;
	struct tree *t = *state;
	struct store_walk *w;
	struct store_meta meta;
	int fd, open_error, n_files = 0;

	tree_write(t->in_fd, "a", "x");
	tree_mkdir(t->in_fd, "dir");
	tree_fifo(t->in_fd, "dir/fifo");
	tree_write(t->in_fd, "dir/file", "x");
	tree_socket(t->in_fd, "dir/socket");
	tree_fifo(t->in_fd, "fifo");
	tree_symlink(t->in_fd, "link", "a");
	assert_int_equal(
	    store_walk_new(&w, t->store, &none, &none, &none, 0), 0);
	while (store_walk_next(w, &path, &meta, &fd, &open_error) == 1) {
		n_files += meta.kind == STORE_FILE;
		assert_int_equal(fd != -1, meta.kind == STORE_FILE);
		fd_close(&fd);
	}
	assert_int_equal(n_files, 2);
	assert_int_equal(fake.opens, 2);
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
	w = walk_begin(t, "", "", "", 0);
	while (walk_next(w, &path) == 1)
		if (fd_count_open() - base > most)
			most = fd_count_open() - base;
	assert_int_equal(most, 1);
	assert_int_equal(fd_count_open(), base);
	store_walk_free(w);
}

/* ---- rests ---- */

/* It gives back what it holds, and a rest too many does nothing. */
static void
test_rest(void **state)
{
	struct tree *t = *state;
	struct store_walk *w;
	int base;

	make_abc(t);
	base = fd_count_open();
	w = walk_begin(t, "", "a/2", "b", 0);
	store_walk_rest(w);
	walk_expect(__LINE__, w, "a/2");
	assert_int_equal(fd_count_open(), base + 1);
	store_walk_rest(w);
	assert_int_equal(fd_count_open(), base);
	store_walk_rest(w);
	/* at a folder that it will go into, and at the last in that */
	walk_expect(__LINE__, w, "a/3");
	store_walk_rest(w);
	walk_expect(__LINE__, w, "a/3/x");
	store_walk_rest(w);
	walk_expect(__LINE__, w, "a/4");
	store_walk_rest(w);
	walk_expect_end(__LINE__, w, 0, true);
	store_walk_rest(w);
	walk_expect_end(__LINE__, w, 0, true);
	assert_int_equal(fd_count_open(), base);
	store_walk_free(w);
}

/* Resting it holds no folder, so one that is moved out leads nowhere. */
static void
test_moved_while_resting(void **state)
{
	struct tree *t = *state;
	struct store_skipped none = { 0 };
	struct store_walk *w;

	make_abc(t);
	w = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, w, "a");
	walk_expect(__LINE__, w, "a/1");
	store_walk_rest(w);
	assert_int_equal(renameat(t->in_fd, "a", t->out_fd, "a"), 0);
	tree_symlink(t->in_fd, "a", "../out");
	walk_expect(__LINE__, w, "b");
	walk_expect(__LINE__, w, "c");
	walk_expect_end(__LINE__, w, 0, false);
	walk_check_skipped(__LINE__, store_walk_skipped(w), &none);
	store_walk_free(w);

	/* The entry it rests at goes, and one comes before the next. */
	w = walk_begin(t, "", "b", "", 0);
	walk_expect(__LINE__, w, "b");
	store_walk_rest(w);
	assert_int_equal(unlinkat(t->in_fd, "b", 0), 0);
	tree_write(t->in_fd, "b2", "");
	walk_expect(__LINE__, w, "b2");
	walk_expect(__LINE__, w, "c");
	walk_expect_end(__LINE__, w, 0, false);
	store_walk_free(w);
}

static void
test_root_gone_while_resting(void **state)
{
	static const int lacks[] = { EMFILE, ENFILE, ENOMEM };
	struct tree *t = *state;
	struct store_walk *w;

	tree_mkdir(t->in_fd, "r");
	tree_write(t->in_fd, "r/a", "");
	tree_write(t->in_fd, "r/b", "");
	for (size_t i = 0; i < nitems(lacks); i++) {
		w = walk_begin(t, "r", "", "", 1);
		walk_expect(__LINE__, w, "a");
		store_walk_rest(w);
		fake.calls = 0;
		fake.fails_at = 1;
		fake.error = lacks[i];
		walk_expect_end(__LINE__, w, -lacks[i], false);
		fake.fails_at = 0;
		store_walk_free(w);
	}
	w = walk_begin(t, "r", "", "", 1);
	walk_expect(__LINE__, w, "a");
	store_walk_rest(w);
	assert_int_equal(renameat(t->in_fd, "r", t->out_fd, "r"), 0);
	walk_expect_end(__LINE__, w, -ENOENT, false);
	store_walk_free(w);
	w = walk_begin(t, "", "", "", 1);
	walk_expect_end(__LINE__, w, 0, false);
	store_walk_free(w);
}

int
main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_new),
		TREE_TEST(test_too_deep),
		TREE_TEST(test_too_long),
		TREE_TEST(test_too_long_cut),
		TREE_TEST(test_rights),
		TREE_TEST(test_vanishing),
		TREE_TEST(test_moved_out),
		TREE_TEST(test_root_gone),
		TREE_TEST(test_emfile),
		TREE_TEST(test_failing),
		TREE_TEST(test_only_files_are_opened),
		TREE_TEST(test_descriptors),
		TREE_TEST(test_rest),
		TREE_TEST(test_moved_while_resting),
		TREE_TEST(test_root_gone_while_resting),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
