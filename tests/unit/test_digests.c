/* Digests for those who wait: computed once, told to all, ended when nobody
 * waits, and small ones beside huge ones. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/digests.h"
#include "server/helpers.h"
#include "store_tree.h"

#define MIB (1024 * 1024)
#define HUGE_BYTES (UINT64_C(1) << 40)

/* Reads are counted, and held while hold is set. */
static _Atomic uint64_t n_read;
static _Atomic bool hold;

ssize_t __real_pread64(int, void *, size_t, off64_t);
ssize_t __wrap_pread64(int, void *, size_t, off64_t);

ssize_t
__wrap_pread64(int fd, void *buf, size_t len, off64_t off)
{
	static const struct timespec tick = { .tv_nsec = 1000000 };

	while (atomic_load(&hold))
		nanosleep(&tick, NULL);
	atomic_fetch_add(&n_read, len);
	return __real_pread64(fd, buf, len, off);
}

static struct board_counter n_jobs;

struct rig {
	struct tree *tree;
	struct helpers *helpers;
	struct digests *digests;
};

/* One who asks. */
struct asker {
	struct digest_wait wait;
	int fd;
	struct store_meta meta;
	int n_done;
	struct asker *then_cancels; /* when it is told */
	struct rig *then_asks; /* again */
};

static int
set_up(void **state)
{
	static struct rig rig;
	void *tree;

	atomic_store(&n_read, 0);
	atomic_store(&hold, false);
	if (tree_setup_quick(&tree) != 0)
		return -1;
	rig.tree = tree;
	*state = &rig;
	return helpers_new(&rig.helpers, 3, &n_jobs) ||
	       digests_new(&rig.digests, rig.tree->store, rig.helpers);
}

static int
tear_down(void **state)
{
	struct rig *rig = *state;
	void *tree = rig->tree;

	helpers_free(rig->helpers);
	digests_free(rig->digests);
	return tree_teardown(&tree);
}

/* Just made, so that its digest is not kept; its bytes are a hole's but for
 * the first. */
static void
make_file(struct rig *rig, const char *name, uint64_t size)
{
	int fd;

	tree_write(rig->tree->in_fd, name, name);
	fd = openat(rig->tree->in_fd, name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	fd_close(&fd);
}

static void
told(struct digest_wait *w)
{
	struct asker *a = (struct asker *)w;

	a->n_done++;
	assert_false(digest_is_awaited(w));
	if (a->then_cancels != NULL)
		digests_cancel(&a->then_cancels->wait, &a->then_cancels->fd);
	if (a->then_asks != NULL)
		assert_int_equal(digests_ask(a->then_asks->digests, w, a->fd,
				     &a->meta, STORE_DIGEST_GO_ON),
		    0);
	a->then_asks = NULL;
}

static void
ask_how(struct rig *rig, struct asker *a, const char *name,
    enum store_digest_how how)
{
	struct path p = tree_path(name);

	memset(a, 0, sizeof(*a));
	a->wait.done = told;
	assert_int_equal(
	    store_open_file(rig->tree->store, &p, STORE_WAIT, &a->fd, &a->meta),
	    0);
	assert_int_equal(
	    digests_ask(rig->digests, &a->wait, a->fd, &a->meta, how), 0);
	assert_true(digest_is_awaited(&a->wait));
}

static void
ask(struct rig *rig, struct asker *a, const char *name)
{
	ask_how(rig, a, name, STORE_DIGEST_GO_ON);
}

static void
reap(struct rig *rig)
{
	struct pollfd p = { .fd = helpers_fd(rig->helpers), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 60000), 1);
	helpers_reap(rig->helpers);
}

static void
reap_until_told(struct rig *rig, const struct asker *a)
{
	while (a->n_done == 0)
		reap(rig);
}

static void
check_told(const struct asker *a, const char *name, size_t size)
{
	unsigned char want[EVP_MAX_MD_SIZE];
	char *mem = calloc(1, size);

	assert_non_null(mem);
	memcpy(mem, name, strlen(name));
	assert_int_equal(
	    EVP_Digest(mem, size, want, NULL, EVP_sha256(), NULL), 1);
	free(mem);
	assert_int_equal(a->n_done, 1);
	assert_int_equal(a->wait.result, 0);
	assert_memory_equal(a->wait.sha256, want, sizeof(a->wait.sha256));
}

static void
each_is_told(void **state)
{
	static const size_t sizes[] = { 4, MIB, 4 * MIB, 9 * MIB + 1 };
	struct rig *rig = *state;
	struct asker a;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_file(rig, "file", sizes[i]);
		ask(rig, &a, "file");
		assert_int_equal(digests_count(rig->digests), 1);
		reap_until_told(rig, &a);
		check_told(&a, "file", sizes[i]);
		assert_int_equal(digests_count(rig->digests), 0);
		fd_close(&a.fd);
	}
}

static void
what_cannot_be_asked(void **state)
{
	struct rig *rig = *state;
	struct asker a = { .wait.done = told };

	assert_int_equal(store_fd_meta(rig->tree->in_fd, &a.meta), 0);
	assert_int_equal(digests_ask(rig->digests, &a.wait, rig->tree->in_fd,
			     &a.meta, STORE_DIGEST_GO_ON),
	    -EISDIR);
	assert_false(digest_is_awaited(&a.wait));
	assert_int_equal(digests_count(rig->digests), 0);
	/* nor can what was not asked be cancelled: the fd stays */
	a.fd = 12345;
	digests_cancel(&a.wait, &a.fd);
	assert_int_equal(a.fd, 12345);
}

/* A file that nothing is kept of is read once for all of them. */
static void
many_wait_for_one_computing(void **state)
{
	static struct asker a[100];
	struct rig *rig = *state;

	make_file(rig, "file", 5 * MIB);
	make_file(rig, "other", 5 * MIB);
	atomic_store(&hold, true);
	for (int i = 0; i < 100; i++)
		ask(rig, &a[i], i % 10 == 0 ? "other" : "file");
	assert_int_equal(digests_count(rig->digests), 2);
	atomic_store(&hold, false);
	for (int i = 0; i < 100; i++)
		reap_until_told(rig, &a[i]);
	assert_int_equal(atomic_load(&n_read), 10 * MIB);
	for (int i = 0; i < 100; i++) {
		check_told(&a[i], i % 10 == 0 ? "other" : "file", 5 * MIB);
		fd_close(&a[i].fd);
	}
	assert_int_equal(digests_count(rig->digests), 0);
}

/* Who wants it anew joins nobody, whose bytes were read before; others may
 * join him. */
static void
anew_begins_anew(void **state)
{
	struct rig *rig = *state;
	struct asker a[4];

	make_file(rig, "file", 2 * MIB);
	atomic_store(&hold, true);
	ask_how(rig, &a[0], "file", STORE_DIGEST_ANEW);
	ask(rig, &a[1], "file");
	assert_int_equal(digests_count(rig->digests), 1);
	ask_how(rig, &a[2], "file", STORE_DIGEST_ANEW);
	assert_int_equal(digests_count(rig->digests), 2);
	ask(rig, &a[3], "file");
	assert_int_equal(digests_count(rig->digests), 2);
	atomic_store(&hold, false);
	for (int i = 0; i < 4; i++) {
		reap_until_told(rig, &a[i]);
		check_told(&a[i], "file", 2 * MIB);
		assert_false(a[i].wait.was_wrong);
		fd_close(&a[i].fd);
	}
	assert_int_equal(atomic_load(&n_read), 4 * MIB);
}

/* Of another version it is another digest. */
static void
a_changed_file_is_another(void **state)
{
	struct rig *rig = *state;
	struct asker before, after;
	int fd;

	make_file(rig, "file", 2 * MIB);
	atomic_store(&hold, true);
	ask(rig, &before, "file");
	do {
		fd = openat(rig->tree->in_fd, "file", O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, "FILE", 4, 0), 4);
		fd_close(&fd);
		ask(rig, &after, "file");
		if (after.meta.mtime_ns != before.meta.mtime_ns)
			break;
		digests_cancel(&after.wait, &after.fd);
	} while (true);
	assert_int_equal(digests_count(rig->digests), 2);
	atomic_store(&hold, false);
	reap_until_told(rig, &before);
	reap_until_told(rig, &after);
	assert_int_equal(before.wait.result, -ESTALE);
	check_told(&after, "FILE", 2 * MIB);
	fd_close(&before.fd);
	fd_close(&after.fd);
}

/* Whoever goes, also the one whose descriptor is read from: the others are
 * told, and no descriptor is left. */
static void
the_others_are_told(void **state)
{
	struct rig *rig = *state;
	struct asker a[4];

	make_file(rig, "file", 3 * MIB);
	for (int goes = 0; goes < 4; goes++) {
		atomic_store(&hold, true);
		for (int i = 0; i < 4; i++)
			ask(rig, &a[i], "file");
		digests_cancel(&a[goes].wait, &a[goes].fd);
		assert_int_equal(a[goes].fd, -1);
		assert_false(digest_is_awaited(&a[goes].wait));
		atomic_store(&hold, false);
		for (int i = 0; i < 4; i++) {
			if (i == goes)
				continue;
			reap_until_told(rig, &a[i]);
			check_told(&a[i], "file", 3 * MIB);
			fd_close(&a[i].fd);
		}
		assert_int_equal(a[goes].n_done, 0);
		assert_int_equal(digests_count(rig->digests), 0);
	}
}

/* When the last one goes: those of a thread, and those that wait for one. */
static void
what_nobody_waits_for_ends(void **state)
{
	static struct asker a[10][2];
	struct rig *rig = *state;
	char name[16];

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "huge%d", i);
		make_file(rig, name, HUGE_BYTES);
		ask(rig, &a[i][0], name);
		ask(rig, &a[i][1], name);
	}
	assert_int_equal(digests_count(rig->digests), 10);
	while (atomic_load(&n_read) < 30 * MIB)
		;
	for (int i = 0; i < 10; i++) {
		digests_cancel(&a[i][1].wait, &a[i][1].fd);
		digests_cancel(&a[i][0].wait, &a[i][0].fd);
	}
	while (digests_count(rig->digests) > 0)
		reap(rig);
	for (int i = 0; i < 10; i++)
		assert_int_equal(a[i][0].n_done + a[i][1].n_done, 0);
	/* one that comes while they end begins anew */
	make_file(rig, "file", MIB);
	ask(rig, &a[0][0], "file");
	digests_cancel(&a[0][0].wait, &a[0][0].fd);
	ask(rig, &a[0][0], "file");
	reap_until_told(rig, &a[0][0]);
	check_told(&a[0][0], "file", MIB);
	fd_close(&a[0][0].fd);
}

/* However many huge ones are being computed, a small one is soon there. */
static void
small_beside_huge(void **state)
{
	static struct asker huge[20];
	struct rig *rig = *state;
	struct asker small;
	char name[16];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "huge%d", i);
		make_file(rig, name, HUGE_BYTES);
		ask(rig, &huge[i], name);
	}
	make_file(rig, "small", 100000);
	for (int i = 0; i < 5; i++) {
		ask(rig, &small, "small");
		reap_until_told(rig, &small);
		check_told(&small, "small", 100000);
		fd_close(&small.fd);
	}
	for (int i = 0; i < 20; i++) {
		assert_int_equal(huge[i].n_done, 0);
		digests_cancel(&huge[i].wait, &huge[i].fd);
	}
	while (digests_count(rig->digests) > 0)
		reap(rig);
}

/* In done one may cancel another that is not told yet, and ask again. */
static void
done_may_do_what_it_likes(void **state)
{
	struct rig *rig = *state;
	struct asker a[3];

	make_file(rig, "file", MIB);
	atomic_store(&hold, true);
	for (int i = 0; i < 3; i++)
		ask(rig, &a[i], "file");
	a[0].then_asks = rig;
	a[0].then_cancels = &a[1];
	a[2].then_asks = rig;
	atomic_store(&hold, false);
	while (a[0].n_done < 2 || a[2].n_done < 2)
		reap(rig);
	assert_int_equal(a[0].n_done, 2);
	assert_int_equal(a[1].n_done, 0);
	assert_int_equal(a[1].fd, -1);
	assert_int_equal(a[2].n_done, 2);
	assert_int_equal(digests_count(rig->digests), 0);
	fd_close(&a[0].fd);
	fd_close(&a[2].fd);
}

/* Freed while some are waited for, and some are not any more. */
static void
free_forgets_all(void **state)
{
	struct rig *rig = *state;
	struct asker a, b, c;

	make_file(rig, "huge", HUGE_BYTES);
	make_file(rig, "huge2", HUGE_BYTES);
	ask(rig, &a, "huge");
	ask(rig, &b, "huge2");
	ask(rig, &c, "huge2");
	digests_cancel(&b.wait, &b.fd);
	while (atomic_load(&n_read) < 20 * MIB)
		;
	digests_cancel(&a.wait, &a.fd);
	helpers_free(rig->helpers);
	digests_free(rig->digests);
	rig->helpers = NULL;
	rig->digests = NULL;
	assert_int_equal(c.n_done, 0);
	fd_close(&c.fd);
}

int
main(void)
{
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RIG_TEST(each_is_told),
		RIG_TEST(what_cannot_be_asked),
		RIG_TEST(many_wait_for_one_computing),
		RIG_TEST(anew_begins_anew),
		RIG_TEST(a_changed_file_is_another),
		RIG_TEST(the_others_are_told),
		RIG_TEST(what_nobody_waits_for_ends),
		RIG_TEST(small_beside_huge),
		RIG_TEST(done_may_do_what_it_likes),
		RIG_TEST(free_forgets_all),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
