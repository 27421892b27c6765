/*
 * A folder that is a symlink out of the tree at every other moment: whatever
 * the store opens meanwhile is inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "store_tree.h"

#define RACE_ROUNDS 10000

struct flipper {
	int dir_fd;
	_Atomic bool stop;
	_Atomic unsigned long turns;
	pthread_t thread;
};

static void *
flip(void *arg)
{
	struct flipper *f = arg;

	while (!f->stop) {
		if (renameat(f->dir_fd, "d", f->dir_fd, "d0") == -1 ||
		    symlinkat("../out", f->dir_fd, "d") == -1)
			abort();
		sched_yield();
		if (unlinkat(f->dir_fd, "d", 0) == -1 ||
		    renameat(f->dir_fd, "d0", f->dir_fd, "d") == -1)
			abort();
		sched_yield();
		f->turns++;
	}
	return NULL;
}

static void
flip_begin(struct flipper *f, struct tree *t)
{
	tree_mkdir(t->in_fd, "d");
	tree_write(t->in_fd, "d/f", "in");
	tree_write(t->out_fd, "f", "out");
	tree_write(t->out_fd, "secret", "out");
	tree_mkdir(t->out_fd, "secretdir");
	*f = (struct flipper){ .dir_fd = t->in_fd };
	assert_int_equal(pthread_create(&f->thread, NULL, flip, f), 0);
}

static void
flip_end(struct flipper *f)
{
	f->stop = true;
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	assert_true(f->turns > 0);
}

static bool
holds(int fd, const char *text)
{
	char got[8] = "";

	assert_true(pread(fd, got, sizeof(got) - 1, 0) >= 0);
	return strcmp(got, text) == 0;
}

/* The control: an open by name does come out outside, in this very race. */
static void
flip_control(struct tree *t)
{
	bool is_outside = false;
	int fd;

	while (!is_outside) {
		fd = openat(t->in_fd, "d/f", O_RDONLY | O_CLOEXEC);
		if (fd != -1)
			is_outside = holds(fd, "out");
		fd_close(&fd);
	}
}

static void
test_flip_open(void **state)
{
	struct tree *t = *state;
	struct path p = tree_path("d/f"), d = tree_path("d");
	struct store_meta meta, out_meta;
	unsigned long n_in = 0, n_refused = 0;
	struct flipper f;
	int fd = -1, r;

	assert_int_equal(store_fd_meta(t->out_fd, &out_meta), 0);
	flip_begin(&f, t);
	flip_control(t);
	for (int i = 0; i < RACE_ROUNDS || n_in == 0 || n_refused == 0; i++) {
		r = store_open_file(t->store, &p, STORE_WAIT, &fd, &meta);
		if (r == 0) {
			n_in++;
			assert_true(holds(fd, "in"));
			fd_close(&fd);
		} else {
			n_refused++;
			assert_int_equal(r, -ENOENT);
		}
		r = store_open_dir(t->store, &d, STORE_WAIT, &fd, &meta);
		if (r == 0) {
			assert_int_not_equal(meta.ino, out_meta.ino);
			fd_close(&fd);
		} else {
			assert_int_equal(r, -ENOENT);
		}
		r = store_stat(t->store, &p, STORE_WAIT, &meta);
		if (r == 0)
			assert_int_equal(meta.size, 2);
		else
			assert_int_equal(r, -ENOENT);
	}
	flip_control(t);
	flip_end(&f);
}

static void
test_flip_walk(void **state)
{
	struct tree *t = *state;
	struct path none = tree_path("");
	const struct path *path;
	struct store_walk *w;
	struct store_meta meta;
	unsigned long n_in = 0, n_refused = 0;
	struct flipper f;
	int fd, error, r;
	bool is_in;

	flip_begin(&f, t);
	flip_control(t);
	for (int i = 0; i < RACE_ROUNDS || n_in == 0 || n_refused == 0; i++) {
		is_in = false;
		assert_int_equal(
		    store_walk_new(&w, t->store, &none, &none, &none, 0), 0);
		while (
		    (r = store_walk_next(w, &path, &meta, &fd, &error)) == 1) {
			if (fd != -1) {
				is_in = true;
				assert_string_equal(path_leaf(path), "f");
				assert_true(holds(fd, "in"));
				fd_close(&fd);
			} else {
				assert_int_equal(meta.kind, STORE_DIR);
				assert_int_equal(error, 0);
			}
			assert_null(strstr(path_string(path), "secret"));
		}
		assert_int_equal(r, 0);
		if (is_in)
			n_in++;
		else
			n_refused++;
		store_walk_free(w);
	}
	flip_control(t);
	flip_end(&f);
}

int
main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_flip_open),
		TREE_TEST(test_flip_walk),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
