/* The files that are asked for often: proved, shared, bounded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "helper.h"
#include "server/hot.h"
#include "store_tree.h"

static struct board_counter hits, misses;
static uint64_t moment; /* each asking is one of its own */
/* The loop's clock, and what each asking adds to it. */
static uint64_t now_ms = 1000000, step_ms;
static int64_t later_ns; /* how far ahead the wall clock is */

int64_t __real_clock_wall_ns(void);
int64_t __wrap_clock_wall_ns(void);

int64_t
__wrap_clock_wall_ns(void)
{
	return __real_clock_wall_ns() + later_ns;
}

#define OLD INT64_C(120000000000)

static struct hot *
hot_start(void **state, unsigned max_fds, uint64_t max_bytes)
{
	struct tree *t = *state;
	struct hot *h = hot_new(&(struct hot_options){ .store = t->store,
	    .n_hits = &hits,
	    .n_misses = &misses,
	    .moment = &moment,
	    .max_bytes = max_bytes });

	later_ns = OLD;
	step_ms = 0;
	tree_empty(t->in_fd);
	assert_int_equal(fchdir(t->in_fd), 0);
	assert_non_null(h);
	hot_limit_fds(h, max_fds);
	return h;
}

/* A cold tree may need the disk first, as a helper would see to. */
static struct hot_file *
ask(struct hot *h, struct tree *t, const char *name)
{
	struct path p = tree_path(name);
	struct hot_file *f = NULL;
	struct store_meta meta;
	int fd, r;

	now_ms += step_ms;
	moment++;
	r = hot_get(h, &p, now_ms, &f);
	if (r == -EAGAIN) {
		assert_int_equal(
		    store_open_file(t->store, &p, STORE_WAIT, &fd, &meta), 0);
		r = hot_admit(h, &p, fd, &meta, now_ms, &f);
	}
	assert_int_equal(r, 0);
	return f;
}

static void
bytes_are_kept_of_old_small_files(void **state)
{
	static const struct {
		int line;
		const char *what;
		size_t size;
		int64_t later;
		unsigned times;
		bool kept;
	} rows[] = {
		{ __LINE__, "asked for once", 100, OLD, 1, false },
		{ __LINE__, "asked for twice", 100, OLD, 2, true },
		{ __LINE__, "empty", 0, OLD, 2, true },
		{ __LINE__, "as large as may be", HOT_BODY_MAX, OLD, 3, true },
		{ __LINE__, "larger", HOT_BODY_MAX + 1, OLD, 3, false },
		{ __LINE__, "changed just now", 100, 0, 3, false },
		{ __LINE__, "changed a minute ago", 100, 59000000000, 3,
		    false },
	};
	static char bytes[HOT_BODY_MAX + 2];

	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < nitems(rows); i++) {
		struct hot *h = hot_start(state, 100, 1 << 20);
		int fds = fd_count_open();
		struct hot_file *f = NULL;

		later_ns = rows[i].later;
		bytes[rows[i].size] = '\0';
		tree_write(AT_FDCWD, "file", bytes);
		bytes[rows[i].size] = 'x';
		for (unsigned n = 0; n < rows[i].times; n++) {
			hot_release(h, f);
			f = ask(h, *state, "file");
		}
		CHECK(rows[i].line, rows[i].what, "kept",
		    (f->whole != NULL) == rows[i].kept);
		CHECK(rows[i].line, rows[i].what, "has a descriptor",
		    (f->fd != -1) != rows[i].kept);
		if (rows[i].kept)
			CHECK_MEM(rows[i].line, rows[i].what, "bytes", bytes,
			    rows[i].size, f->whole + f->head_len,
			    (size_t)f->meta.size);
		hot_release(h, f);
		hot_free(h);
		CHECK_INT(rows[i].line, rows[i].what, "descriptors", fds,
		    fd_count_open());
	}
}

/* A version that is in use stays as it is, whatever becomes of the name. */
static void
a_version_in_use_stays(void **state)
{
	struct hot *h = hot_start(state, 100, 1 << 20);
	struct hot_file *before, *after, *kept;
	char byte;

	tree_write(AT_FDCWD, "file", "before");
	before = ask(h, *state, "file");
	tree_write(AT_FDCWD, "fresh", "after!");
	assert_int_equal(rename("fresh", "file"), 0);
	after = ask(h, *state, "file");
	assert_ptr_not_equal(before, after);
	assert_int_equal(pread(before->fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'b');
	assert_int_equal(pread(after->fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'a');
	/* one that has the descriptor keeps it, also when bytes are kept */
	kept = ask(h, *state, "file");
	assert_ptr_equal(kept, after);
	assert_non_null(kept->whole);
	assert_int_not_equal(kept->fd, -1);
	hot_release(h, before);
	hot_release(h, after);
	hot_release(h, kept);
	hot_free(h);
}

static void
what_is_no_file(void **state)
{
	static const struct {
		int line;
		const char *name;
		int want;
	} rows[] = {
		{ __LINE__, "nothing", -ENOENT },
		{ __LINE__, "folder", -EISDIR },
		{ __LINE__, "file/", -ENOTDIR },
		{ __LINE__, "file/x", -ENOTDIR },
		{ __LINE__, "link", -ENOENT },
		{ __LINE__, "pipe", -ENOENT },
	};
	struct hot *h = hot_start(state, 100, 1 << 20);
	int fds = fd_count_open();

	tree_write(AT_FDCWD, "file", "x");
	tree_mkdir(AT_FDCWD, "folder");
	tree_symlink(AT_FDCWD, "link", "file");
	tree_fifo(AT_FDCWD, "pipe");
	for (size_t i = 0; i < nitems(rows); i++) {
		struct path p = tree_path(rows[i].name);
		struct hot_file *f = NULL;
		int r = hot_get(h, &p, 1000, &f);

		if (r != -EAGAIN) /* the disk is asked elsewhere */
			CHECK_INT(rows[i].line, rows[i].name, "result",
			    rows[i].want, r);
		CHECK(rows[i].line, rows[i].name, "nothing", f == NULL);
	}
	hot_free(h);
	assert_int_equal(fd_count_open(), fds);
}

/* In one moment there is one look at each thing, in the next another. */
static void
a_look_holds_for_a_moment(void **state)
{
	struct hot *h = hot_start(state, 100, 1 << 20);
	struct tree *t = *state;
	struct path p = tree_path("a/file"), q = tree_path("a/other");
	struct hot_file *f, *g;

	tree_mkdir(AT_FDCWD, "a");
	tree_write(AT_FDCWD, "a/file", "bytes");
	tree_write(AT_FDCWD, "a/other", "bytes");
	for (int n = 0; n < 3; n++) {
		hot_release(h, ask(h, t, "a/other"));
		hot_release(h, ask(h, t, "a/file"));
	}
	assert_int_equal(rename("a", "b"), 0);
	/* it has just been proved that a/file was there */
	assert_int_equal(hot_get(h, &p, now_ms, &f), 0);
	/* as it was of the folder, but not of what is in it */
	assert_int_equal(unlink("b/other"), 0);
	assert_int_not_equal(hot_get(h, &q, now_ms, &g), 0);
	moment++;
	hot_release(h, f);
	assert_int_not_equal(hot_get(h, &p, now_ms, &f), 0);
	hot_free(h);
}

/* More files than there are descriptors and bytes for. */
static void
it_is_bounded(void **state)
{
	enum { FILES = 200, FDS = 40 };
	struct hot *h = hot_start(state, FDS, 8192);
	int fds = fd_count_open();
	char name[32], bytes[1001];

	memset(bytes, 'x', 1000);
	bytes[1000] = '\0';
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d%d", i % 20);
		if (i < 20)
			tree_mkdir(AT_FDCWD, name);
		snprintf(name, sizeof(name), "d%d/f%d", i % 20, i);
		tree_write(AT_FDCWD, name, bytes);
	}
	step_ms = 11000;
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < FILES; i++) {
			struct hot_file *f;

			snprintf(name, sizeof(name), "d%d/f%d", i % 20, i);
			f = ask(h, *state, name);
			assert_int_equal(f->meta.size, 1000);
			hot_release(h, f);
			f = ask(h, *state, name);
			hot_release(h, f);
			assert_in_range(fd_count_open(), fds, fds + FDS);
		}
	hot_free(h);
	assert_int_equal(fd_count_open(), fds);
}

/* Connections need the descriptors: files with bytes stay longest. */
static void
it_yields(void **state)
{
	struct hot *h = hot_start(state, 100, 3500);
	int fds = fd_count_open();
	struct hot_file *f;
	char name[16], bytes[1001];

	memset(bytes, 'x', 1000);
	bytes[1000] = '\0';
	tree_mkdir(AT_FDCWD, "d");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "d/f%d", i);
		tree_write(AT_FDCWD, name, bytes);
		for (int n = 0; n < 2; n++)
			hot_release(h, ask(h, *state, name));
	}
	assert_int_equal(hot_fds(h), 18 + 1);
	f = ask(h, *state, "d/f19");
	hot_limit_fds(h, 8);
	assert_int_equal(hot_fds(h), 8);
	assert_true(f->fd != -1); /* it is in use */
	hot_release(h, f);
	assert_in_range(fd_count_open(), fds, fds + 8);
	f = ask(h, *state, "d/f0");
	assert_non_null(f->whole);
	hot_release(h, f);
	hot_limit_fds(h, 0);
	assert_int_equal(hot_fds(h), 0);
	assert_int_equal(fd_count_open(), fds);
	hot_release(h, ask(h, *state, "d/f0"));
	assert_int_equal(fd_count_open(), fds);
	hot_limit_fds(h, 100);
	for (int n = 0; n < 2; n++)
		hot_release(h, ask(h, *state, "d/f0"));
	assert_int_equal(hot_fds(h), 1); /* the folder; it has bytes */
	hot_free(h);
	assert_int_equal(fd_count_open(), fds);
}

/* What is asked for all the time stays; what comes beside it is not kept. */
static void
the_busy_are_not_dropped(void **state)
{
	struct hot *h = hot_start(state, 100, 3500);
	struct hot_file *f;
	char name[8], bytes[1001];

	memset(bytes, 'x', 1000);
	bytes[1000] = '\0';
	tree_write(AT_FDCWD, "g", bytes);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		tree_write(AT_FDCWD, name, bytes);
		for (int n = 0; n < 3; n++) {
			f = ask(h, *state, name);
			if (n == 2)
				assert_int_equal(f->whole != NULL, i < 2);
			hot_release(h, f);
		}
	}
	f = ask(h, *state, "f0");
	assert_non_null(f->whole);
	hot_release(h, f);
	now_ms += 11000; /* and what nobody asks for any more makes room */
	for (int n = 0; n < 3; n++) {
		f = ask(h, *state, "g");
		assert_int_equal(f->whole != NULL, n > 0);
		hot_release(h, f);
	}
	hot_free(h);
}

static void
windows_are_known_for_a_moment(void **state)
{
	struct hot *h = hot_start(state, 100, 0);
	struct hot_file *f;

	tree_write(AT_FDCWD, "file", "bytes");
	f = ask(h, *state, "file");
	assert_false(hot_window_is_known(f, 0, 5000));
	hot_window_seen(f, 0, 5000);
	hot_window_seen(f, HOT_WINDOWS + 1, 5000);
	assert_true(hot_window_is_known(f, 0, 5999));
	assert_true(hot_window_is_known(f, HOT_WINDOWS + 1, 5000));
	assert_false(hot_window_is_known(f, 1, 5000));
	assert_false(hot_window_is_known(f, HOT_WINDOWS, 5000));
	assert_false(hot_window_is_known(f, 0, 7000));
	hot_release(h, f);
	hot_free(h);
}

/* Without any room files are opened for who asks, and closed behind him. */
static void
nothing_is_kept(void **state)
{
	struct hot *h = hot_start(state, 0, 0);
	int fds = fd_count_open();
	struct hot_file *f;

	tree_write(AT_FDCWD, "file", "bytes");
	for (int i = 0; i < 3; i++) {
		f = ask(h, *state, "file");
		assert_null(f->whole);
		assert_int_equal(fd_count_open(), fds + 1);
		hot_release(h, f);
		assert_int_equal(fd_count_open(), fds);
	}
	hot_free(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(bytes_are_kept_of_old_small_files),
		TEST(a_version_in_use_stays),
		TEST(what_is_no_file),
		TEST(a_look_holds_for_a_moment),
		TEST(it_is_bounded),
		TEST(it_yields),
		TEST(the_busy_are_not_dropped),
		TEST(windows_are_known_for_a_moment),
		TEST(nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
