/* Walks in their places: never more open than may be, and each goes on where
 * it was. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "server/walks.h"
#include "store_list.h"
#include "store_tree.h"

#define FILES 50

static void
make_files(struct tree *t)
{
	char name[16];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%02d", i);
		tree_write(t->in_fd, name, "");
	}
	tree_symlink(t->in_fd, "link", "f00");
}

/* One entry, as a job takes it: i is which. */
static void
go_on(struct walks *ws, struct tree *t, struct walk_place *p, int i)
{
	char name[16];

	snprintf(name, sizeof(name), "f%02d", i);
	walks_begin(ws, p);
	if (p->walk == NULL)
		p->walk = walk_begin(t, "", "", "", 0);
	walk_expect(__LINE__, p->walk, name);
	walks_pause(ws, p);
}

static void
end(struct walks *ws, struct walk_place *p)
{
	struct store_skipped want = { .links = 1 };

	walks_begin(ws, p);
	walk_expect_end(__LINE__, p->walk, 0, false);
	walk_check_skipped(__LINE__, store_walk_skipped(p->walk), &want);
	walks_end(ws, p);
	assert_null(p->walk);
}

/* At the limit none rests, one past it the one that waited longest does. */
static void
the_longest_rests(void **state)
{
	struct tree *t = *state;
	struct walk_place p[4] = { 0 };
	struct walks *ws;
	int base;

	make_files(t);
	base = fd_count_open();
	assert_int_equal(walks_new(&ws, 3), 0);
	for (int k = 0; k < 3; k++)
		go_on(ws, t, &p[k], 0);
	assert_int_equal(walks_count(ws), 3);
	assert_int_equal(fd_count_open(), base + 3);
	/* the first has been used since */
	go_on(ws, t, &p[0], 1);
	go_on(ws, t, &p[3], 0);
	assert_false(p[1].is_ready);
	assert_true(p[0].is_ready && p[2].is_ready && p[3].is_ready);
	assert_int_equal(walks_count(ws), 3);
	assert_int_equal(fd_count_open(), base + 3);
	/* a place that is free again is taken first */
	walks_end(ws, &p[0]);
	assert_int_equal(walks_count(ws), 2);
	go_on(ws, t, &p[1], 1);
	assert_true(p[2].is_ready && p[3].is_ready);
	/* whether it rests, waits, or is in use */
	go_on(ws, t, &p[0], 0);
	assert_false(p[2].is_ready);
	walks_end(ws, &p[2]);
	walks_end(ws, &p[1]);
	walks_begin(ws, &p[3]);
	walks_end(ws, &p[3]);
	assert_int_equal(walks_count(ws), 1);
	walks_end(ws, &p[0]);
	walks_end(ws, &p[0]);
	assert_int_equal(walks_count(ws), 0);
	assert_int_equal(fd_count_open(), base);
	walks_free(ws);
	walks_free(NULL);
}

/* One that has no walk yet, or whose walk could not be made. */
static void
without_a_walk(void **state)
{
	struct walk_place p = { 0 };
	struct walks *ws;

	(void)state;
	assert_int_equal(walks_new(&ws, 1), 0);
	walks_end(ws, &p);
	walks_begin(ws, &p);
	assert_int_equal(walks_count(ws), 1);
	walks_end(ws, &p);
	assert_int_equal(walks_count(ws), 0);
	walks_free(ws);
}

/* Many more than there are places, in turns: all of them come to their end. */
static void
all_go_on(void **state)
{
	static struct walk_place p[20];
	struct tree *t = *state;
	struct walks *ws;
	int base;

	make_files(t);
	base = fd_count_open();
	assert_int_equal(walks_new(&ws, 3), 0);
	for (int i = 0; i < FILES; i++)
		for (int k = 0; k < 20; k++) {
			go_on(ws, t, &p[k], i);
			assert_true(fd_count_open() <= base + 3);
		}
	for (int k = 0; k < 20; k++)
		end(ws, &p[k]);
	assert_int_equal(walks_count(ws), 0);
	walks_free(ws);
}

/* ---- on several threads ---- */

struct walker {
	struct walks *walks;
	struct tree *tree;
	struct walk_place p[7];
	bool is_wrong;
};

static void *
walk_all(void *arg)
{
	struct walker *w = arg;
	char name[16];
	const char *got;

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%02d", i);
		for (int k = 0; k < 7; k++) {
			walks_begin(w->walks, &w->p[k]);
			if (walk_next(w->p[k].walk, &got) != 1 ||
			    strcmp(got, name) != 0)
				w->is_wrong = true;
			walks_pause(w->walks, &w->p[k]);
		}
	}
	return NULL;
}

static void
threads_take_turns(void **state)
{
	static struct walker w[4];
	struct tree *t = *state;
	pthread_t threads[4];
	struct walks *ws;

	make_files(t);
	assert_int_equal(walks_new(&ws, 5), 0);
	for (int i = 0; i < 4; i++) {
		w[i] = (struct walker){ .walks = ws, .tree = t };
		for (int k = 0; k < 7; k++)
			w[i].p[k].walk = walk_begin(t, "", "", "", 0);
		assert_int_equal(
		    pthread_create(&threads[i], NULL, walk_all, &w[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(w[i].is_wrong);
	}
	assert_int_equal(walks_count(ws), 5);
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 7; k++)
			end(ws, &w[i].p[k]);
	assert_int_equal(walks_count(ws), 0);
	walks_free(ws);
}

int
main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup_quick, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(the_longest_rests),
		TREE_TEST(without_a_walk),
		TREE_TEST(all_go_on),
		TREE_TEST(threads_take_turns),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
