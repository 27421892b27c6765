/* SHA-256 put down and taken up again is SHA-256, and a large file's digest
 * goes on where the last one who computed it was. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "store/hash.h"
#include "store/store.h"

#define MARK "user.netpan.sha256.part"
#define DIGEST "user.netpan.sha256"
#define MIB (UINT64_C(1) << 20)
#define SIZE (200 * MIB)

static uint64_t n_read;
static enum store_digest_how how = STORE_DIGEST_GO_ON;

ssize_t __real_pread64(int, void *, size_t, off64_t);
ssize_t __wrap_pread64(int, void *, size_t, off64_t);

ssize_t
__wrap_pread64(int fd, void *buf, size_t len, off64_t off)
{
	n_read += len;
	return __real_pread64(fd, buf, len, off);
}

static void
goes_on_anywhere(void **state)
{
	static unsigned char data[4096 + 13];
	uint8_t want[32], got[32];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 31 + i / 7);
	assert_int_equal(
	    EVP_Digest(data, sizeof(data), want, NULL, EVP_sha256(), NULL), 1);
	for (size_t cut = 0; cut <= sizeof(data); cut += HASH_BLOCK) {
		struct hash first, second;
		struct hash_mark mark;

		hash_begin(&first);
		hash_update(&first, data, cut);
		hash_put_down(&first, &mark);
		assert_int_equal(mark.len, cut);
		memset(&second, 0xee, sizeof(second));
		hash_take_up(&second, &mark);
		hash_update(&second, data + cut, sizeof(data) - cut);
		hash_end(&second, got);
		assert_memory_equal(got, want, sizeof(want));
	}
}

/* The length is kept in two halves: a mark past 2^29 and 2^32 bytes. */
static void
lengths_are_whole(void **state)
{
	static const uint64_t lens[] = { 0, 64, (UINT64_C(1) << 29) - 64,
		UINT64_C(1) << 29, UINT64_C(1) << 32, (UINT64_C(1) << 40) + 64,
		UINT64_C(1) << 55 };

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct hash_mark mark = { .len = lens[i], .h = { 1, 2, 3 } };
		struct hash_mark got;
		struct hash h;

		hash_take_up(&h, &mark);
		hash_put_down(&h, &got);
		assert_memory_equal(&got, &mark, sizeof(mark));
	}
}

/* ---- a file ---- */

static int compute(uint64_t stop_at, uint8_t sha256[32]);

static struct store *store;
static int file_fd;
static struct store_meta meta;
static char dir[] = "/var/tmp/netpan-hash-XXXXXX";

static int
set_up(void **state)
{
	static const struct timespec old[2] = { { .tv_sec = 1500000000 },
		{ .tv_sec = 1500000000 } };
	int root_fd;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	root_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file_fd = openat(root_fd, "large", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	/* a hole but for a few bytes here and there */
	if (ftruncate(file_fd, (off_t)SIZE) == -1)
		return -1;
	for (uint64_t off = 0; off < SIZE; off += 37 * MIB)
		if (pwrite(file_fd, "netpan", 6, (off_t)off) != 6)
			return -1;
	if (futimens(file_fd, old) == -1 || store_new(&store, root_fd) != 0)
		return -1;
	return store_fd_meta(file_fd, &meta);
}

static int
tear_down(void **state)
{
	char path[64];

	(void)state;
	store_free(store);
	close(file_fd);
	snprintf(path, sizeof(path), "%s/large", dir);
	unlink(path);
	return rmdir(dir);
}

/* As the file is now, or with meta as it was before. */
static int
compute_anew(uint64_t stop_at, uint8_t sha256[32])
{
	assert_int_equal(store_fd_meta(file_fd, &meta), 0);
	return compute(stop_at, sha256);
}

/* Until so many bytes are read: 1 then. */
static int
compute(uint64_t stop_at, uint8_t sha256[32])
{
	struct store_digest *d;
	int r;

	n_read = 0;
	assert_int_equal(store_digest_new(&d, store, file_fd, &meta, how), 0);
	do
		r = store_digest_step(d, sha256);
	while (r == 1 && n_read < stop_at);
	store_digest_free(d);
	return r;
}

static bool
has(const char *attr)
{
	return fgetxattr(file_fd, attr, NULL, 0) > 0;
}

static void
reference(uint8_t sha256[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *mem = malloc(MIB);

	assert_non_null(mem);
	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL), 1);
	for (uint64_t off = 0; off < SIZE; off += MIB) {
		assert_int_equal(
		    __real_pread64(file_fd, mem, MIB, (off64_t)off), MIB);
		EVP_DigestUpdate(ctx, mem, MIB);
	}
	EVP_DigestFinal_ex(ctx, sha256, NULL);
	EVP_MD_CTX_free(ctx);
	free(mem);
}

static void
a_digest_goes_on(void **state)
{
	uint8_t want[32], got[32];

	(void)state;
	reference(want);
	assert_int_equal(compute_anew(15 * MIB, got), 1);
	assert_false(has(MARK));
	assert_int_equal(compute_anew(135 * MIB, got), 1);
	if (!has(MARK)) {
		assert_int_equal(errno, EOPNOTSUPP);
		skip(); /* a file system without attributes */
	}
	assert_false(has(DIGEST));
	/* from the mark at 128 MiB */
	assert_int_equal(compute_anew(UINT64_MAX, got), 0);
	assert_int_equal(n_read, SIZE - 128 * MIB);
	assert_memory_equal(got, want, sizeof(want));
	assert_false(has(MARK));
	assert_true(has(DIGEST));
	assert_int_equal(store_fd_meta(file_fd, &meta), 0);
	assert_int_equal(store_digest_cached(store, file_fd, &meta, got), 0);
	assert_memory_equal(got, want, sizeof(want));
}

/* What is wrong with a mark makes it one that is not there. */
static void
a_broken_mark_is_none(void **state)
{
	unsigned char mark[64], bad[65];
	uint8_t want[32], got[32];

	(void)state;
	reference(want);
	fremovexattr(file_fd, DIGEST);
	if (compute_anew(135 * MIB, got) != 1 || !has(MARK))
		skip();
	assert_int_equal(fgetxattr(file_fd, MARK, mark, sizeof(mark)), 64);
	for (size_t at = 0; at < 32; at += 4) { /* identity and length */
		memcpy(bad, mark, sizeof(mark));
		bad[at] ^= 1;
		assert_int_equal(fsetxattr(file_fd, MARK, bad, 64, 0), 0);
		assert_int_equal(compute(1, got), 1);
		/* it began at the beginning: one read, no mark was reached */
		assert_int_equal(n_read, MIB);
	}
	assert_int_equal(fsetxattr(file_fd, MARK, mark, 63, 0), 0);
	assert_int_equal(compute(UINT64_MAX, got), 0);
	assert_int_equal(n_read, SIZE);
	assert_memory_equal(got, want, sizeof(want));
}

/* Until what is done now has a ctime that is later than the file's by more than
 * can be taken for the moment noted. */
static void
let_a_moment_pass(void)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	struct store_meta now;
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(store_fd_meta(file_fd, &meta), 0);
	do {
		nanosleep(&tick, NULL);
		assert_int_equal(fchmod(fileno(f), 0600), 0);
		assert_int_equal(store_fd_meta(fileno(f), &now), 0);
	} while (now.ctime_ns - meta.ctime_ns < INT64_C(30000000));
	fclose(f);
}

/* A change since the mark, with mtime put back: its bytes are not gone on
 * from. */
static void
a_mark_before_a_change_is_none(void **state)
{
	struct timespec times[2] = { { .tv_sec = 1500000000 },
		{ .tv_sec = 1500000000 } };
	uint8_t want[32], got[32];

	(void)state;
	fremovexattr(file_fd, DIGEST);
	if (compute_anew(135 * MIB, got) != 1 || !has(MARK))
		skip();
	let_a_moment_pass();
	assert_int_equal(pwrite(file_fd, "NETPAN", 6, 0), 6);
	assert_int_equal(futimens(file_fd, times), 0);
	reference(want);
	assert_int_equal(compute_anew(UINT64_MAX, got), 0);
	assert_int_equal(n_read, SIZE);
	assert_memory_equal(got, want, sizeof(want));
}

/* Nor when none is to be believed. */
static void
a_mark_is_passed_over(void **state)
{
	uint8_t got[32];

	(void)state;
	fremovexattr(file_fd, DIGEST);
	if (compute_anew(135 * MIB, got) != 1 || !has(MARK))
		skip();
	how = STORE_DIGEST_ANEW;
	assert_int_equal(compute_anew(UINT64_MAX, got), 0);
	how = STORE_DIGEST_GO_ON;
	assert_int_equal(n_read, SIZE);
	assert_false(has(MARK));
}

static void
steps(struct store_digest *d, unsigned n, int want, uint8_t sha256[32])
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(
		    store_digest_step(d, sha256), i + 1 < n ? 1 : want);
}

/* Who has been overtaken leaves the mark of the one that goes on: to remove it
 * would move ctime, and neither would keep anything. */
static void
a_loser_leaves_the_mark(void **state)
{
	struct store_digest *winner, *loser;
	struct store_meta before, after;
	uint8_t got[32];

	(void)state;
	fremovexattr(file_fd, DIGEST);
	fremovexattr(file_fd, MARK);
	assert_int_equal(store_fd_meta(file_fd, &meta), 0);
	assert_int_equal(
	    store_digest_new(&loser, store, file_fd, &meta, how), 0);
	assert_int_equal(
	    store_digest_new(&winner, store, file_fd, &meta, how), 0);
	steps(loser, 1, 1, got);
	steps(winner, 140, 1, got);
	if (!has(MARK))
		skip();
	assert_int_equal(store_fd_meta(file_fd, &before), 0);
	steps(loser, 199, 0, got);
	assert_true(has(MARK));
	assert_false(has(DIGEST));
	assert_int_equal(store_fd_meta(file_fd, &after), 0);
	assert_int_equal(after.ctime_ns, before.ctime_ns);
	/* The winner's goes on. */
	steps(winner, 60, 0, got);
	assert_false(has(MARK));
	assert_true(has(DIGEST));
	store_digest_free(winner);
	store_digest_free(loser);
}

/* The ctimes that its own marks have made are those of the very same file;
 * one that is made by another is not. */
static void
marks_are_of_the_same_file(void **state)
{
	struct store_meta first, marked, changed;
	struct store_digest *d;
	uint8_t got[32];

	(void)state;
	fremovexattr(file_fd, DIGEST);
	fremovexattr(file_fd, MARK);
	assert_int_equal(store_fd_meta(file_fd, &first), 0);
	assert_int_equal(store_digest_new(&d, store, file_fd, &first, how), 0);
	steps(d, 130, 1, got);
	if (!has(MARK))
		skip();
	assert_int_equal(store_fd_meta(file_fd, &marked), 0);
	assert_true(marked.ctime_ns > first.ctime_ns);
	assert_true(store_digest_is_of(d, &first));
	assert_true(store_digest_is_of(d, &marked));
	let_a_moment_pass();
	assert_int_equal(fchmod(file_fd, 0600), 0);
	assert_int_equal(store_fd_meta(file_fd, &changed), 0);
	steps(d, 65, 1, got);
	assert_true(store_digest_is_of(d, &marked));
	assert_false(store_digest_is_of(d, &changed));
	store_digest_free(d);
}

/* Changed meanwhile, with its mtime put back: nothing is kept for others. */
static void
a_hidden_change_is_not_kept(void **state)
{
	struct store_digest *d;
	uint8_t got[32];

	(void)state;
	fremovexattr(file_fd, DIGEST);
	fremovexattr(file_fd, MARK);
	assert_int_equal(store_fd_meta(file_fd, &meta), 0);
	assert_int_equal(store_digest_new(&d, store, file_fd, &meta, how), 0);
	steps(d, 1, 1, got);
	let_a_moment_pass();
	assert_int_equal(fchmod(file_fd, 0600), 0);
	steps(d, 199, 0, got);
	assert_false(has(DIGEST));
	assert_false(has(MARK));
	store_digest_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_anywhere),
		cmocka_unit_test(lengths_are_whole),
		cmocka_unit_test(a_digest_goes_on),
		cmocka_unit_test(a_broken_mark_is_none),
		cmocka_unit_test(a_mark_before_a_change_is_none),
		cmocka_unit_test(a_mark_is_passed_over),
		cmocka_unit_test(a_loser_leaves_the_mark),
		cmocka_unit_test(marks_are_of_the_same_file),
		cmocka_unit_test(a_hidden_change_is_not_kept),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
