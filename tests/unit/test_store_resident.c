/* What is in memory, and bringing it there. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/magic.h>

#include "base/fd.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))
#define MIB (UINT64_C(1) << 20)
#define FILE_BYTES (8 * MIB)

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* The kernel as a test wants it; linked with --wrap. */
static struct {
	int cachestat_errno; /* 0: the true one */
	int cachestat_asked;
	int preadv2_errno;
	int preadv2_asked;
	bool heeds_no_advice;
} fake;

long __real_syscall(long, ...);
long __wrap_syscall(long, long, long, long, long, long, long);
int __real_posix_fadvise64(int, off64_t, off64_t, int);
int __wrap_posix_fadvise64(int, off64_t, off64_t, int);
ssize_t __real_preadv64v2(int, const struct iovec *, int, off64_t, int);
ssize_t __wrap_preadv64v2(int, const struct iovec *, int, off64_t, int);

long
__wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == SYS_cachestat) {
		fake.cachestat_asked++;
		if (fake.cachestat_errno != 0) {
			errno = fake.cachestat_errno;
			return -1;
		}
	}
	return __real_syscall(nr, a, b, c, d, e, f);
}

int
__wrap_posix_fadvise64(int fd, off64_t off, off64_t len, int advice)
{
	if (fake.heeds_no_advice && advice != POSIX_FADV_DONTNEED)
		return ENOSYS;
	return __real_posix_fadvise64(fd, off, len, advice);
}

ssize_t
__wrap_preadv64v2(
    int fd, const struct iovec *iov, int n, off64_t off, int flags)
{
	fake.preadv2_asked++;
	if (fake.preadv2_errno != 0) {
		errno = fake.preadv2_errno;
		return -1;
	}
	return __real_preadv64v2(fd, iov, n, off, flags);
}

static int
setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	return tree_setup(state);
}

static int
make_file(struct tree *t)
{
	struct statfs sf;
	static char mem[FILE_BYTES];
	int fd;

	assert_int_equal(fstatfs(t->in_fd, &sf), 0);
	if (sf.f_type == OVERLAYFS_SUPER_MAGIC) {
		print_message("overlayfs tells nothing of its pages: set "
			      "TMPDIR to a disk\n");
		skip();
	}
	memset(mem, 'x', sizeof(mem));
	fd = openat(t->in_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(
	    fd_write_full(fd, mem, sizeof(mem)), (ssize_t)sizeof(mem));
	assert_int_equal(fsync(fd), 0);
	return fd;
}

/* Pushes pages out.  The kernel may be using one for a moment. */
static bool
evict(int fd, uint64_t off, uint64_t len)
{
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(posix_fadvise(fd, (off_t)off, (off_t)len,
				     POSIX_FADV_DONTNEED),
		    0);
		if (!store_is_resident(fd, off, len))
			return true;
		usleep(1000);
	}
	return false;
}

static int
make_evictable_file(struct tree *t)
{
	int fd = make_file(t);

	if (!evict(fd, 0, FILE_BYTES)) {
		fd_close(&fd);
		print_message("this file system is memory, it lets go of no "
			      "page: set TMPDIR to a disk\n");
		skip();
	}
	return fd;
}

/* A page that is there may be in use for a moment: it is a guess. */
static void
check_resident(int line, int fd, uint64_t off, uint64_t len, bool want)
{
	for (int i = 0; i < 1000; i++) {
		if (store_is_resident(fd, off, len) == want)
			return;
		if (!want)
			break;
		usleep(1000);
	}
	fail_line(line, "[%lu, +%lu): got %d, want %d", off, len, !want, want);
}

static void
test_written(void **state)
{
	int fd = make_file(*state);

	check_resident(__LINE__, fd, 0, FILE_BYTES, true);
	check_resident(__LINE__, fd, 1, 1, true);
	check_resident(__LINE__, fd, FILE_BYTES - 1, 1, true);
	check_resident(__LINE__, fd, 0, 0, true);
	/* Numbers that are no place in a file. */
	check_resident(__LINE__, fd, UINT64_MAX, 1, false);
	check_resident(__LINE__, fd, INT64_MAX, 1, false);
	check_resident(__LINE__, fd, 1, UINT64_MAX, false);
	check_resident(__LINE__, fd, UINT64_MAX, UINT64_MAX, false);
	check_resident(__LINE__, -1, 0, 1, false);
	fd_close(&fd);
}

/* Without counts, to ask for a byte that is not there begins to read it. */
static void
evict_and_fetch(int line, int fd, bool is_counted)
{
	assert_true(evict(fd, 0, FILE_BYTES));
	if (is_counted)
		check_resident(line, fd, 0, 1, false);
	check_resident(line, fd, FILE_BYTES - 1, 1, false);
	/* A piece, neither its ends nor its length those of pages. */
	assert_int_equal(store_fetch(fd, 3 * MIB + 5, MIB + 17), 0);
	check_resident(line, fd, 3 * MIB + 5, MIB + 17, true);
	if (is_counted)
		check_resident(line, fd, 0, 4096, false);
	check_resident(line, fd, 0, FILE_BYTES, false);
	check_resident(line, fd, 5 * MIB, 2 * MIB, false);
	assert_int_equal(store_fetch(fd, 0, FILE_BYTES), 0);
	check_resident(line, fd, 0, FILE_BYTES, true);
}

static void
test_evicted(void **state)
{
	int fd = make_evictable_file(*state);

	evict_and_fetch(__LINE__, fd, true);
	/* Reading alone brings it all. */
	fake.heeds_no_advice = true;
	assert_int_equal(
	    __real_posix_fadvise64(fd, 0, 0, POSIX_FADV_RANDOM), 0);
	evict_and_fetch(__LINE__, fd, true);
	fake.heeds_no_advice = false;
	/* A hole in what is cached is seen, to the page. */
	assert_true(evict(fd, 5 * MIB, 4096));
	check_resident(__LINE__, fd, 0, FILE_BYTES, false);
	check_resident(__LINE__, fd, 5 * MIB, 1, false);
	check_resident(__LINE__, fd, 5 * MIB + 4096, MIB, true);
	check_resident(__LINE__, fd, 0, 5 * MIB, true);
	fd_close(&fd);
}

/* A reader who may not write the file is told no counts by newer kernels. */
static void
test_as_reader(void **state)
{
	struct tree *t = *state;
	struct path p = tree_path("file");
	struct store_meta meta;
	int fd = make_evictable_file(t), read_fd = -1;

	tree_drop_rights();
	assert_int_equal(
	    store_open_file(t->store, &p, STORE_WAIT, &read_fd, &meta), 0);
	evict_and_fetch(__LINE__, read_fd, false);
	tree_regain_rights();
	fd_close(&read_fd);
	fd_close(&fd);
}

/* The calls that are there, alone and together. */
static void
test_fallbacks(void **state)
{
	int fd = make_evictable_file(*state);

	fake.cachestat_errno = EPERM;
	evict_and_fetch(__LINE__, fd, false);
	fake.cachestat_errno = EOPNOTSUPP;
	evict_and_fetch(__LINE__, fd, false);
	fake.cachestat_errno = 0;
	/* None of these is for ever. */
	fake.cachestat_asked = 0;
	check_resident(__LINE__, fd, 0, FILE_BYTES, true);
	assert_int_equal(fake.cachestat_asked, 1);

	/* Pages that are still being read are counted, and tell on asking. */
	fake.preadv2_errno = EAGAIN;
	check_resident(__LINE__, fd, 0, FILE_BYTES, false);
	/* No way to ask them: then the count it is. */
	fake.preadv2_errno = EOPNOTSUPP;
	check_resident(__LINE__, fd, 0, FILE_BYTES, true);
	/* Neither: nothing is promised. */
	fake.cachestat_errno = EPERM;
	check_resident(__LINE__, fd, 0, FILE_BYTES, false);
	fake.preadv2_errno = 0;

	/* One byte in 64 KiB, and the last. */
	fake.preadv2_asked = 0;
	check_resident(__LINE__, fd, 0, 200000, true);
	assert_int_equal(fake.preadv2_asked, 4 + 1);
	fd_close(&fd);
}

/* Linux before 6.5: asked once and never again.  The last test, as that is
 * for the rest of the process. */
static void
test_no_cachestat(void **state)
{
	int fd = make_evictable_file(*state);

	fake.cachestat_errno = ENOSYS;
	fake.cachestat_asked = 0;
	check_resident(__LINE__, fd, 0, 1, false);
	assert_int_equal(fake.cachestat_asked, 1);
	evict_and_fetch(__LINE__, fd, false);
	assert_int_equal(fake.cachestat_asked, 1);
	fd_close(&fd);
}

static void
test_fetch(void **state)
{
	struct tree *t = *state;
	int fd = make_file(t);

	assert_int_equal(store_fetch(fd, 0, 0), 0);
	assert_int_equal(store_fetch(fd, 0, 1), 0);
	/* Behind the end there is nothing to bring. */
	assert_int_equal(store_fetch(fd, FILE_BYTES, MIB), 0);
	assert_int_equal(store_fetch(fd, FILE_BYTES - 1, 100 * MIB), 0);
	assert_int_equal(store_fetch(fd, INT64_MAX - 1, 1), 0);
	assert_int_equal(store_fetch(fd, UINT64_MAX, 1), -EINVAL);
	assert_int_equal(store_fetch(fd, 1, UINT64_MAX), -EINVAL);
	assert_int_equal(store_fetch(fd, INT64_MAX, 1), -EINVAL);
	assert_int_equal(store_fetch(-1, 0, 1), -EBADF);
	assert_int_equal(store_fetch(t->in_fd, 0, 1), -EISDIR);
	fd_close(&fd);
}

int
main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_written),
		TREE_TEST(test_evicted),
		TREE_TEST(test_as_reader),
		TREE_TEST(test_fallbacks),
		TREE_TEST(test_fetch),
		TREE_TEST(test_no_cachestat),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
