/* Archives and the loop: the same bytes however they are taken, bounded ahead
 * of a slow client, ended at any moment, and not too many at once. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "helper.h"

#include "base/fd.h"
#include "server/helpers.h"
#include "server/pack.h"
#include "server/pack_tree.h"
#include "server/worker.h"
#include "store_tree.h"

#define BUFFER (128 * 1024)
#define BIG (8 * 1024 * 1024)

/* What was read of files, by all threads. */
static _Atomic size_t n_read;

ssize_t __real_pread64(int, void *, size_t, off_t);
ssize_t __wrap_pread64(int, void *, size_t, off_t);

ssize_t
__wrap_pread64(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = __real_pread64(fd, buf, len, off);

	if (n > 0)
		atomic_fetch_add(&n_read, (size_t)n);
	return n;
}

/* ---- a loop ---- */

struct rig {
	void *tree; /* struct tree */
	struct worker worker;
	struct board_counter n_jobs;
};

static int
rig_setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	assert_int_equal(tree_setup_quick(&g->tree), 0);
	g->worker.store = ((struct tree *)g->tree)->store;
	assert_int_equal(helpers_new(&g->worker.helpers, 2, &g->n_jobs), 0);
	*state = g;
	return 0;
}

static int
rig_teardown(void **state)
{
	struct rig *g = *state;
	int r;

	CHECK_U64(__LINE__, "", "archives", 0, g->worker.n_packs);
	helpers_free(g->worker.helpers);
	r = tree_teardown(&g->tree);
	free(g);
	return r;
}

static void
wake(void *arg)
{
	++*(unsigned *)arg;
}

/* Waits until the archive has woken us. */
static void
await(struct rig *g, const unsigned *n_wakes)
{
	struct pollfd p = { .fd = helpers_fd(g->worker.helpers),
		.events = POLLIN };
	unsigned before = *n_wakes;

	while (*n_wakes == before) {
		assert_int_equal(poll(&p, 1, 60000), 1);
		helpers_reap(g->worker.helpers);
	}
}

/* As pack_peek, but waits. */
static ssize_t
peek(struct rig *g, struct pack *p, const unsigned *n_wakes, const void **bytes)
{
	ssize_t n;

	while ((n = pack_peek(p, bytes)) == -EAGAIN)
		await(g, n_wakes);
	return n;
}

static struct pack *
begin(struct rig *g, const char *folder, enum pack_form form, unsigned *n_wakes)
{
	struct path path = tree_path(folder);
	struct pack *p = NULL;

	*n_wakes = 0;
	assert_int_equal(
	    pack_begin(&p, &g->worker, &path, form, wake, n_wakes), 0);
	return p;
}

static void
end(struct rig *g, struct pack *p, const unsigned *n_wakes)
{
	while (pack_stop(p))
		await(g, n_wakes);
	pack_free(p);
}

static void
grow(const struct tree *t)
{
	char name[32];
	int fd;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		tree_write(t->in_fd, name, name);
	}
	tree_write(t->in_fd, "big", "");
	fd = openat(t->in_fd, "big", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, BIG), 0);
	fd_close(&fd);
}

/* ---- tests ---- */

struct whole {
	unsigned char *bytes;
	size_t len;
	size_t room;
};

static int
whole_write(void *arg, const void *bytes, size_t len)
{
	struct whole *w = arg;

	if (len > w->room - w->len) {
		w->room = 2 * w->room + len;
		w->bytes = realloc(w->bytes, w->room);
		assert_non_null(w->bytes);
	}
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
	return 0;
}

/* Taken in pieces of all sizes, the bytes are those of pack_tree. */
static void
test_same_bytes(void **state)
{
	static const size_t takes[] = { 1000, 4096, 65537, BUFFER, 1 << 30 };
	static _Atomic bool never;
	struct rig *g = *state;
	struct path root = tree_path("");
	unsigned n_wakes;
	const void *bytes;

	grow(g->tree);
	for (enum pack_form form = PACK_TAR; form <= PACK_ZIP; form++) {
		struct whole want = { 0 };
		struct pack_sink sink = {
			.write = whole_write, .arg = &want, .stop = &never
		};

		assert_int_equal(
		    pack_tree(g->worker.store, &root, form, &sink), 0);
		assert_true(want.len > BIG);
		for (size_t i = 0; i < nitems(takes); i++) {
			struct pack *p = begin(g, "", form, &n_wakes);
			size_t off = 0;
			ssize_t n;

			while ((n = peek(g, p, &n_wakes, &bytes)) > 0) {
				size_t take = (size_t)n < takes[i] ? (size_t)n
								   : takes[i];

				assert_true((size_t)n <= want.len - off);
				assert_memory_equal(
				    bytes, want.bytes + off, take);
				pack_taken(p, take);
				off += take;
			}
			assert_int_equal(n, 0);
			assert_int_equal(off, want.len);
			/* and it stays so */
			assert_int_equal(pack_peek(p, &bytes), 0);
			pack_free(p);
		}
		free(want.bytes);
	}
}

/* A client that takes nothing: no more is read than two buffers hold, and the
 * bytes that were promised stay where they are. */
static void
test_bounded_ahead(void **state)
{
	struct rig *g = *state;
	const void *bytes, *again;
	unsigned n_wakes;
	struct pack *p;
	ssize_t n;

	grow(g->tree);
	for (size_t whole = 1; whole <= 5; whole++) {
		atomic_store(&n_read, 0);
		p = begin(g, "", PACK_TAR, &n_wakes);
		for (size_t i = 0; i < whole; i++) {
			n = peek(g, p, &n_wakes, &bytes);
			assert_int_equal(n, BUFFER);
			pack_taken(p, BUFFER);
		}
		n = peek(g, p, &n_wakes, &bytes);
		assert_int_equal(n, BUFFER);
		/* time for the thread to go further than it may */
		for (int i = 0; i < 100; i++)
			sched_yield();
		assert_int_equal(pack_peek(p, &again), n);
		assert_ptr_equal(again, bytes);
		end(g, p, &n_wakes);
		/* the buffers taken, the two, and the piece in hand */
		assert_true(
		    atomic_load(&n_read) <= (whole + 2) * BUFFER + 65536);
	}
}

/* The archive is let go after any number of bytes, at once or when it has had
 * to wait; its thread and its descriptors are gone then. */
static void
test_stop(void **state)
{
	struct rig *g = *state;
	unsigned n_wakes;
	const void *bytes;
	int fds;

	grow(g->tree);
	fds = fd_count_open();
	for (enum pack_form form = PACK_TAR; form <= PACK_ZIP; form++)
		for (size_t i = 0; i < 80; i++) {
			struct pack *p = begin(g, "", form, &n_wakes);
			ssize_t n = 1;

			for (size_t k = 0; k < i && n > 0; k++) {
				n = peek(g, p, &n_wakes, &bytes);
				if (n > 0)
					pack_taken(p, (size_t)n);
			}
			if (i % 3 == 1)
				pack_peek(p, &bytes);
			if (i % 3 == 2)
				sched_yield();
			end(g, p, &n_wakes);
			assert_int_equal(fd_count_open(), fds);
		}
}

static _Atomic bool other_ran;
static bool other_done;

static bool
other_run(struct job *j)
{
	(void)j;
	atomic_store(&other_ran, true);
	return true;
}

static void
on_other_done(struct job *j)
{
	(void)j;
	other_done = true;
}

/* What is not reaped for a while is reaped once, and so is what else came
 * back. */
static void
test_one_wake(void **state)
{
	static struct job other = { .run = other_run, .done = on_other_done };
	struct rig *g = *state;
	unsigned n_wakes;
	const void *bytes;
	struct pack *p;
	ssize_t n;

	grow(g->tree);
	p = begin(g, "", PACK_TAR, &n_wakes);
	while ((n = pack_peek(p, &bytes)) != 0) {
		assert_true(n > 0 || n == -EAGAIN);
		if (n > 0)
			pack_taken(p, (size_t)n);
		if (n < 0 || other.is_out)
			continue;
		helpers_submit(g->worker.helpers, &other);
		while (!atomic_load(&other_ran))
			sched_yield();
	}
	assert_int_equal(n_wakes, 0);
	while (pack_stop(p) || !other_done)
		helpers_reap(g->worker.helpers);
	assert_true(n_wakes <= 1);
	pack_free(p);
}

static void
test_not_too_many(void **state)
{
	struct rig *g = *state;
	struct pack *p[LIM_ARCHIVES], *one_more = NULL;
	unsigned n_wakes[LIM_ARCHIVES];
	struct path root = tree_path("");

	grow(g->tree);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < LIM_ARCHIVES; i++)
			p[i] = begin(g, "", PACK_TAR, &n_wakes[i]);
		assert_int_equal(pack_begin(&one_more, &g->worker, &root,
				     PACK_TAR, wake, &n_wakes[0]),
		    -EBUSY);
		assert_null(one_more);
		end(g, p[0], &n_wakes[0]);
		p[0] = begin(g, "", PACK_ZIP, &n_wakes[0]);
		for (int i = 0; i < LIM_ARCHIVES; i++)
			end(g, p[i], &n_wakes[i]);
	}
}

static void
test_fails(void **state)
{
	struct rig *g = *state;
	unsigned n_wakes;
	const void *bytes;
	struct pack *p;

	tree_write(((struct tree *)g->tree)->in_fd, "file", "");
	p = begin(g, "no/such", PACK_TAR, &n_wakes);
	assert_int_equal(peek(g, p, &n_wakes, &bytes), -ENOENT);
	assert_int_equal(pack_peek(p, &bytes), -ENOENT);
	pack_free(p);
	p = begin(g, "file", PACK_ZIP, &n_wakes);
	assert_int_equal(peek(g, p, &n_wakes, &bytes), -ENOTDIR);
	end(g, p, &n_wakes);
	pack_free(NULL);
}

/* A file gets shorter while nobody takes what was packed of it: the archive
 * has failed, also when bytes were left to be taken. */
static void
test_fails_later(void **state)
{
	struct rig *g = *state;
	struct tree *t = g->tree;
	unsigned n_wakes;
	const void *bytes;
	struct pack *p;
	size_t n_taken = 0;
	ssize_t n;
	int fd;

	grow(t);
	p = begin(g, "", PACK_TAR, &n_wakes);
	assert_int_equal(peek(g, p, &n_wakes, &bytes), BUFFER);
	fd = openat(t->in_fd, "big", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, BIG - 1), 0);
	fd_close(&fd);
	while ((n = peek(g, p, &n_wakes, &bytes)) > 0) {
		pack_taken(p, (size_t)n);
		n_taken += (size_t)n;
	}
	assert_int_equal(n, -ESTALE);
	assert_true(n_taken < BIG);
	pack_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		RIG_TEST(test_same_bytes),
		RIG_TEST(test_bounded_ahead),
		RIG_TEST(test_stop),
		RIG_TEST(test_one_wake),
		RIG_TEST(test_not_too_many),
		RIG_TEST(test_fails),
		RIG_TEST(test_fails_later),
	};

	tree_guard(100);
	pack_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
