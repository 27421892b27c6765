/* A held name says what an open beneath the root would find, and no more. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "helper.h"
#include "store/held.h"
#include "store_tree.h"

#define FOLDERS 4

struct rig {
	struct store *store;
	struct held_table *table;
	struct held held;
	struct store_meta meta;
};

static const char *
leaf_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash == NULL ? name : slash + 1;
}

/* Everything is relative to the served folder; name stays. */
static void
rig_start(struct rig *r, void *state, const char *name)
{
	struct tree *t = state;
	struct path p = tree_path(name);
	int fd;

	r->store = t->store;
	r->table = held_table_new(r->store);
	held_table_limit(r->table, FOLDERS);
	assert_non_null(r->table);
	assert_int_equal(
	    store_open_file(r->store, &p, STORE_WAIT, &fd, &r->meta), 0);
	close(fd);
	assert_int_equal(
	    held_init(&r->held, r->table, &p, leaf_of(name), &r->meta), 0);
}

static void
rig_end(struct rig *r)
{
	held_end(&r->held, r->table);
	held_table_free(r->table);
}

static struct tree *
enter(void **state)
{
	struct tree *t = *state;

	tree_empty(t->in_fd);
	assert_int_equal(fchdir(t->in_fd), 0);
	return t;
}

static void
replace(const char *name, const char *bytes)
{
	tree_write(AT_FDCWD, "fresh", bytes);
	assert_int_equal(rename("fresh", name), 0);
}

/* What is done to the name, and what is found then. */
static void
do_nothing(void)
{
}

static void
do_replace(void)
{
	replace("a/b/file", "another");
}

static void
do_grow(void)
{
	tree_write(AT_FDCWD, "a/b/file", "longer than before");
}

static void
do_remove(void)
{
	assert_int_equal(unlink("a/b/file"), 0);
}

static void
do_link(void)
{
	assert_int_equal(rename("a/b/file", "a/b/target"), 0);
	assert_int_equal(symlink("target", "a/b/file"), 0);
}

static void
do_folder(void)
{
	assert_int_equal(unlink("a/b/file"), 0);
	assert_int_equal(mkdir("a/b/file", 0755), 0);
}

static void
do_pipe(void)
{
	assert_int_equal(unlink("a/b/file"), 0);
	assert_int_equal(mkfifo("a/b/file", 0644), 0);
}

static void
do_move_folder(void)
{
	assert_int_equal(rename("a/b", "a/c"), 0);
}

static void
do_link_folder(void)
{
	assert_int_equal(rename("a/b", "a/c"), 0);
	assert_int_equal(symlink("c", "a/b"), 0);
}

static void
do_link_first_folder(void)
{
	assert_int_equal(rename("a", "z"), 0);
	assert_int_equal(symlink("z", "a"), 0);
}

static void
do_another_folder(void)
{
	assert_int_equal(rename("a/b", "a/c"), 0);
	assert_int_equal(mkdir("a/b", 0755), 0);
	assert_int_equal(rename("a/c/file", "a/b/file"), 0);
}

static void
do_and_undo(void)
{
	do_link_first_folder();
	assert_int_equal(unlink("a"), 0);
	assert_int_equal(rename("z", "a"), 0);
}

static void
what_is_found(void **state)
{
	static const struct {
		int line;
		const char *what;
		void (*act)(void);
		int want;
		bool same;
	} rows[] = {
		{ __LINE__, "nothing", do_nothing, 0, true },
		{ __LINE__, "there and back", do_and_undo, 0, true },
		{ __LINE__, "replaced", do_replace, 0, false },
		{ __LINE__, "grown", do_grow, 0, false },
		{ __LINE__, "a folder now", do_folder, 0, false },
		{ __LINE__, "removed", do_remove, -ENOENT, false },
		{ __LINE__, "a link now", do_link, -ENOENT, false },
		{ __LINE__, "a pipe now", do_pipe, -ENOENT, false },
		{ __LINE__, "its folder moved", do_move_folder, -ENOENT,
		    false },
		{ __LINE__, "its folder a link", do_link_folder, -ENOENT,
		    false },
		{ __LINE__, "the first folder a link", do_link_first_folder,
		    -ENOENT, false },
		{ __LINE__, "its folder another", do_another_folder, -ENOENT,
		    false },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		int fds = fd_count_open();
		struct store_meta now;
		struct rig r;

		enter(state);
		mkdir("a", 0755);
		mkdir("a/b", 0755);
		tree_write(AT_FDCWD, "a/b/file", "bytes");
		rig_start(&r, *state, "a/b/file");
		rows[i].act();
		CHECK_INT(rows[i].line, rows[i].what, "look", rows[i].want,
		    held_look(&r.held, HELD_NOW, &now));
		if (rows[i].want == 0)
			CHECK(rows[i].line, rows[i].what, "the same",
			    store_meta_same(&now, &r.meta) == rows[i].same);
		rig_end(&r);
		CHECK_INT(rows[i].line, rows[i].what, "descriptors", fds,
		    fd_count_open());
	}
}

/* Names in one folder share its descriptor. */
static void
folders_are_shared(void **state)
{
	struct held more[8];
	char names[8][32];
	struct store_meta meta;
	struct rig r;
	struct path p;
	int fds, fd;

	enter(state);
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	tree_write(AT_FDCWD, "a/b/file", "bytes");
	rig_start(&r, *state, "a/b/file");
	fds = fd_count_open();
	for (int i = 0; i < 8; i++) {
		snprintf(names[i], sizeof(names[i]), "a/b/f%d", i);
		tree_write(AT_FDCWD, names[i], "x");
		p = tree_path(names[i]);
		assert_int_equal(
		    store_open_file(r.store, &p, STORE_WAIT, &fd, &meta), 0);
		close(fd);
		assert_int_equal(
		    held_init(&more[i], r.table, &p, leaf_of(names[i]), &meta),
		    0);
	}
	assert_int_equal(fd_count_open(), fds);
	for (int i = 0; i < 8; i++)
		held_end(&more[i], r.table);
	rig_end(&r);
}

static void
at_most_so_many_folders(void **state)
{
	struct held held[FOLDERS + 1];
	struct store_meta meta;
	struct rig r;
	struct path p;
	char name[32];
	int fd, n = 0, error = 0;

	enter(state);
	tree_write(AT_FDCWD, "file", "bytes");
	rig_start(&r, *state, "file");
	for (; n <= FOLDERS && error == 0; n += error == 0) {
		snprintf(name, sizeof(name), "d%d", n);
		mkdir(name, 0755);
		snprintf(name, sizeof(name), "d%d/f", n);
		tree_write(AT_FDCWD, name, "x");
		p = tree_path(name);
		assert_int_equal(
		    store_open_file(r.store, &p, STORE_WAIT, &fd, &meta), 0);
		close(fd);
		error = held_init(&held[n], r.table, &p, "f", &meta);
	}
	assert_int_equal(n, FOLDERS);
	assert_int_equal(error, -ENOSPC);
	held_end(&held[0], r.table);
	assert_int_equal(held_init(&held[0], r.table, &p, "f", &meta), 0);
	while (n-- > 0)
		held_end(&held[n], r.table);
	rig_end(&r);
}

static void
what_cannot_be_held(void **state)
{
	struct store_meta other;
	struct held held;
	int fds;
	struct rig r;
	struct path p = tree_path("file"), root = tree_path("");

	enter(state);
	tree_write(AT_FDCWD, "file", "bytes");
	rig_start(&r, *state, "file");
	fds = fd_count_open();
	other = r.meta;
	other.size++;
	assert_int_equal(
	    held_init(&held, r.table, &p, "file", &other), -EAGAIN);
	other = r.meta;
	other.dev++;
	assert_int_equal(
	    held_init(&held, r.table, &p, "file", &other), -EAGAIN);
	assert_int_equal(
	    held_init(&held, r.table, &root, "", &r.meta), -EAGAIN);
	p = tree_path("nothing/file");
	assert_int_equal(
	    held_init(&held, r.table, &p, "file", &r.meta), -EAGAIN);
	assert_int_equal(fd_count_open(), fds);
	rig_end(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_found),
		TEST(folders_are_shared),
		TEST(at_most_so_many_folders),
		TEST(what_cannot_be_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
