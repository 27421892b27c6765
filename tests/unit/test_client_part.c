#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/fd.h"
#include "client/part.h"
#include "client/parts.h"
#include "client/target.h"

#define MTIME 1234567890123456789

/* ---- the kernel, which can be told to fail ---- */

ssize_t __real_write(int, const void *, size_t);
ssize_t __wrap_write(int, const void *, size_t);
int __real_fsync(int);
int __wrap_fsync(int);
int __real_renameat(int, const char *, int, const char *);
int __wrap_renameat(int, const char *, int, const char *);
int __real_flock(int, int);
int __wrap_flock(int, int);
int __real_close(int);
int __wrap_close(int);
int __real_fchmod(int, mode_t);
int __wrap_fchmod(int, mode_t);

static int fail_write, fail_fsync, fail_renameat, fail_flock, fail_fchmod;
static int fail_close; /* once, as the kernel tells it */
static bool short_writes;
static void (*before_flock)(void); /* once */

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (fail_write != 0) {
		errno = fail_write;
		return -1;
	}
	return __real_write(fd, p, short_writes && n > 3 ? 3 : n);
}

int
__wrap_fsync(int fd)
{
	errno = fail_fsync;
	return fail_fsync != 0 ? -1 : __real_fsync(fd);
}

int
__wrap_renameat(int a, const char *from, int b, const char *to)
{
	errno = fail_renameat;
	return fail_renameat != 0 ? -1 : __real_renameat(a, from, b, to);
}

int
__wrap_flock(int fd, int how)
{
	void (*hook)(void) = before_flock;

	before_flock = NULL;
	if (hook != NULL)
		hook();
	errno = fail_flock;
	return fail_flock != 0 ? -1 : __real_flock(fd, how);
}

int
__wrap_close(int fd)
{
	int err = fail_close, r = __real_close(fd);

	fail_close = 0;
	if (err != 0)
		errno = err;
	return err != 0 ? -1 : r;
}

int
__wrap_fchmod(int fd, mode_t mode)
{
	errno = fail_fchmod;
	return fail_fchmod != 0 ? -1 : __real_fchmod(fd, mode);
}

/* ---- a folder of its own for each test ---- */

static int dir_fd = -1;
static struct place place; /* the same */
static char dir_name[64];

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir_name, "/tmp/netpan-part-XXXXXX");
	if (mkdtemp(dir_name) == NULL)
		return -1;
	dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place = (struct place){ .fd = dir_fd, .folder = TREE_ROOT };
	return dir_fd == -1 ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	fail_write = fail_fsync = fail_renameat = fail_flock = 0;
	fail_fchmod = fail_close = 0;
	short_writes = false;
	fd_close(&dir_fd);
	snprintf(command, sizeof(command), "rm -rf %s", dir_name);
	return system(command);
}

static bool
is_there(const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
put(const char *name, const char *bytes)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd != -1);
	assert_int_equal(
	    fd_write_full(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	fd_close(&fd);
}

static void
has(const char *name, const char *want)
{
	char got[256] = "";
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW);
	ssize_t n;

	assert_true(fd != -1);
	n = fd_read_full(fd, got, sizeof(got) - 1);
	fd_close(&fd);
	CHECK_MEM(__LINE__, name, "bytes", want, strlen(want), got,
	    n < 0 ? 0 : (size_t)n);
}

static struct train_end
end_of(const char *bytes)
{
	struct train_end end = { .flags = TRAIN_F_DIGEST,
		.size = strlen(bytes) };

	SHA256((const unsigned char *)bytes, strlen(bytes), end.sha256);
	return end;
}

static struct part *
open_part(const char *name, uint64_t size)
{
	struct part *p = NULL;

	assert_int_equal(part_open(&p, &place, name, size, MTIME), 0);
	return p;
}

/* ---- the tests ---- */

/* What another run does between our open and our lock. */
static void
another_run_finishes(void)
{
	struct part *p = open_part("f", 5);
	struct train_end end = end_of("other");

	assert_int_equal(part_write(p, "other", 5), 0);
	assert_int_equal(part_publish(p, &end, 0644, PART_SOON), 0);
}

static void
test_finished_by_another_before_the_lock(void **state)
{
	struct part *p;

	(void)state;
	before_flock = another_run_finishes;
	p = open_part("f", 5);
	has("f", "other");
	assert_int_equal(part_write(p, "mine", 4), 0);
	has("f", "other"); /* the target is not written in place */
	part_drop(p);
	has("f", "other");
}

static void
test_names(void **state)
{
	static const struct {
		int line;
		const char *in;
		bool want;
	} rows[] = {
#define FILE_KEY "0123456789abcdef"
#define VERSION_KEY "fedcba9876543210"
		{ __LINE__, ".netpan-" FILE_KEY "-" VERSION_KEY ".part", true },
		{ __LINE__, ".netpan-0123456789ABCDEF-" VERSION_KEY ".part",
		    true },
		{ __LINE__, ".NETPAN-" FILE_KEY "-FEDCBA9876543210.PART",
		    true },
		{ __LINE__, ".netpan-" FILE_KEY ".part", false },
		{ __LINE__, ".netpan-" FILE_KEY "-.part", false },
		{ __LINE__, ".netpan-0123456789abcde-" VERSION_KEY ".part",
		    false },
		{ __LINE__, ".netpan-" FILE_KEY "-" VERSION_KEY "0.part",
		    false },
		{ __LINE__, ".netpan-" FILE_KEY "0-" VERSION_KEY ".part",
		    false },
		{ __LINE__, ".netpan-" FILE_KEY "-0" VERSION_KEY "part",
		    false },
		{ __LINE__, ".netpan-" FILE_KEY "+" VERSION_KEY ".part",
		    false },
		{ __LINE__, ".netpan-0123456789abcdeg-" VERSION_KEY ".part",
		    false },
		{ __LINE__, ".netpan-" FILE_KEY "-gedcba9876543210.part",
		    false },
		{ __LINE__, ".netpan-" FILE_KEY "-" VERSION_KEY ".parts",
		    false },
		{ __LINE__, ".netpan-" FILE_KEY "-" VERSION_KEY "-part",
		    false },
		{ __LINE__, "xnetpan-" FILE_KEY "-" VERSION_KEY ".part",
		    false },
		{ __LINE__, ".netpan", false },
		{ __LINE__, "", false },
	};
	char a[PART_NAME_SIZE], b[PART_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_INT(rows[i].line, rows[i].in, "is one", rows[i].want,
		    part_is_name(rows[i].in));
	part_name(a, "f", 1, 2);
	assert_true(part_is_name(a));
	part_name(b, "f", 1, 2);
	assert_string_equal(a, b);
	/* another file, another version of this one */
	part_name(b, "g", 1, 2);
	assert_memory_not_equal(a, b, PART_FILE_LEN);
	part_name(b, "f", 2, 2);
	assert_string_not_equal(a, b);
	assert_memory_equal(a, b, PART_FILE_LEN);
	part_name(b, "f", 1, 3);
	assert_string_not_equal(a, b);
	assert_memory_equal(a, b, PART_FILE_LEN);
}

static void
test_whole(void **state)
{
	struct train_end end = end_of("hello, world");
	struct stat st;

	(void)state;
	short_writes = true;
	for (int how = PART_SOON; how <= PART_DURABLE; how++) {
		struct part *p = open_part("f", end.size);
		char temp[PART_NAME_SIZE];

		part_name(temp, "f", end.size, MTIME);
		assert_true(is_there(temp));
		assert_int_equal(part_write(p, "hello", 5), 0);
		assert_int_equal(part_write(p, ", world", 7), 0);
		assert_int_equal(part_got(p), 12);
		assert_false(how == PART_SOON && is_there("f"));
		assert_int_equal(
		    part_publish(p, &end, 0640, (enum part_how)how), 0);
		has("f", "hello, world");
		assert_false(is_there(temp));
		assert_int_equal(fstatat(dir_fd, "f", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		assert_int_equal(
		    st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, MTIME);
	}
}

static void
test_wrong(void **state)
{
	static const struct {
		int line;
		const char *come;
		const char *promised; /* its size is the head's */
		const char *in_the_end;
	} rows[] = {
		{ __LINE__, "hello", "hello", "hellp" },
		{ __LINE__, "hello", "hellp", "hellp" },
		{ __LINE__, "hell", "hello", "hello" },
		{ __LINE__, "hell", "hello", "hell" },
		{ __LINE__, "", "hello", "hello" },
		{ __LINE__, "hello", "hello", "hello!" },
		{ __LINE__, "hello", "hello", "" },
	};

	(void)state;
	put("f", "mine");
	for (size_t i = 0; i < nitems(rows); i++) {
		struct part *p = open_part("f", strlen(rows[i].promised));
		struct train_end end = end_of(rows[i].in_the_end);
		char temp[PART_NAME_SIZE];

		assert_int_equal(
		    part_write(p, rows[i].come, strlen(rows[i].come)), 0);
		CHECK_INT(rows[i].line, rows[i].come, "publish", -EBADMSG,
		    part_publish(p, &end, 0644, PART_SOON));
		part_name(temp, "f", strlen(rows[i].promised), MTIME);
		CHECK(rows[i].line, rows[i].come, "it is removed",
		    !is_there(temp));
		has("f", "mine");
	}
}

static void
test_too_much(void **state)
{
	struct part *p = open_part("f", 5);

	(void)state;
	assert_int_equal(part_write(p, "hello!", 6), -EMSGSIZE);
	assert_int_equal(part_write(p, "hello", 5), 0);
	assert_int_equal(part_write(p, "!", 1), -EMSGSIZE);
	assert_int_equal(part_got(p), 5);
	part_drop(p);
	p = NULL;
	assert_int_equal(
	    part_open(&p, &place, "f", (uint64_t)INT64_MAX + 1, MTIME), -EFBIG);
	assert_null(p);
}

static void
test_resume(void **state)
{
	struct train_end end = end_of("hello, world");
	struct part *p = open_part("f", 12);
	char temp[PART_NAME_SIZE];

	(void)state;
	assert_int_equal(part_write(p, "hello", 5), 0);
	part_keep(p);
	p = open_part("f", 12);
	assert_int_equal(part_got(p), 5);
	assert_int_equal(part_feed(p, -1), 0);
	assert_int_equal(part_write(p, ", world", 7), 0);
	assert_int_equal(part_publish(p, &end, 0644, PART_SOON), 0);
	has("f", "hello, world");

	/* or begun anew */
	p = open_part("f", 12);
	assert_int_equal(part_write(p, "hello", 5), 0);
	part_keep(p);
	p = open_part("f", 12);
	assert_int_equal(part_restart(p), 0);
	assert_int_equal(part_got(p), 0);
	assert_int_equal(part_write(p, "hello, world", 12), 0);
	assert_int_equal(part_publish(p, &end, 0644, PART_SOON), 0);
	has("f", "hello, world");

	/* nothing is kept of nothing */
	p = open_part("g", 12);
	part_keep(p);
	part_name(temp, "g", 12, MTIME);
	assert_false(is_there(temp));
}

static void
test_longer_than_the_file(void **state)
{
	char temp[PART_NAME_SIZE];
	struct part *p;

	(void)state;
	part_name(temp, "f", 3, MTIME);
	put(temp, "longer");
	p = open_part("f", 3);
	assert_int_equal(part_got(p), 0);
	part_keep(p);
}

/* It became shorter behind our back. */
static void
test_cut(void **state)
{
	char temp[PART_NAME_SIZE];
	struct part *p;

	(void)state;
	part_name(temp, "f", 10, MTIME);
	put(temp, "hello");
	p = open_part("f", 10);
	assert_int_equal(part_got(p), 5);
	put(temp, "h");
	assert_int_equal(part_feed(p, -1), -EBADMSG);
	part_drop(p);
}

/* Whoever comes second gets another temporary name. */
static void
test_held(void **state)
{
	struct train_end end = end_of("hello");
	struct part *first = open_part("f", 5), *second = open_part("f", 5);
	struct part *third;

	(void)state;
	assert_int_equal(part_write(first, "hel", 3), 0);
	assert_int_equal(part_got(second), 0);
	assert_int_equal(part_write(second, "hello", 5), 0);
	assert_int_equal(part_publish(second, &end, 0644, PART_SOON), 0);
	has("f", "hello");
	assert_int_equal(part_write(first, "lo", 2), 0);
	assert_int_equal(part_publish(first, &end, 0644, PART_SOON), 0);
	has("f", "hello");

	/* one that nobody could find is not kept */
	first = open_part("f", 5);
	second = open_part("f", 5);
	assert_int_equal(part_write(second, "hel", 3), 0);
	part_keep(second);
	part_drop(first);
	third = open_part("f", 5);
	assert_int_equal(part_got(third), 0);
	part_drop(third);
}

/* The other one finished between our open and our lock: what is open is the
 * target now. */
static void
test_finished_meanwhile(void **state)
{
	char temp[PART_NAME_SIZE];
	struct part *p;
	struct stat st;

	(void)state;
	part_name(temp, "f", 5, MTIME);
	put(temp, "hello");
	/* the same file under both names is the nearest a test gets to it */
	assert_int_equal(linkat(dir_fd, temp, dir_fd, "f", 0), 0);
	p = open_part("f", 5);
	assert_int_equal(part_got(p), 0);
	assert_int_equal(part_write(p, "HELLO", 5), 0);
	has("f", "hello");
	assert_int_equal(fstatat(dir_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	part_drop(p);
}

static void
test_no_locks(void **state)
{
	struct train_end end = end_of("hello");
	struct part *first, *second;

	(void)state;
	fail_flock = ENOLCK;
	first = open_part("f", 5);
	second = open_part("f", 5);
	assert_int_equal(part_write(first, "hel", 3), 0);
	assert_int_equal(part_write(second, "hello", 5), 0);
	assert_int_equal(part_publish(second, &end, 0644, PART_SOON), 0);
	assert_int_equal(part_write(first, "lo", 2), 0);
	assert_int_equal(part_publish(first, &end, 0644, PART_SOON), 0);
	has("f", "hello");
}

/* ---- what earlier runs left ---- */

static char left[PART_NAME_SIZE];

static void
leave(const char *file, uint64_t size)
{
	part_name(left, file, size, MTIME);
	put(left, "left");
}

static void
another_run_finishes_it(void)
{
	assert_int_equal(renameat(dir_fd, left, dir_fd, "f"), 0);
}

static void
another_run_removes_it(void)
{
	assert_int_equal(unlinkat(dir_fd, left, 0), 0);
}

static void
test_remove(void **state)
{
	struct part *holder;

	(void)state;
	leave("f", 4);
	part_remove(dir_fd, left);
	assert_false(is_there(left));
	part_remove(dir_fd, left);

	/* what it is now, nobody else's */
	leave("f", 4);
	before_flock = another_run_finishes_it;
	part_remove(dir_fd, left);
	has("f", "left");

	/* held */
	holder = open_part("f", 4);
	part_name(left, "f", 4, MTIME);
	part_remove(dir_fd, left);
	assert_true(is_there(left));
	part_drop(holder);

	/* a second name, no file, no locks */
	leave("f", 4);
	assert_int_equal(linkat(dir_fd, left, dir_fd, "second", 0), 0);
	part_remove(dir_fd, left);
	assert_true(is_there(left));
	assert_int_equal(unlinkat(dir_fd, left, 0), 0);
	assert_int_equal(symlinkat("second", dir_fd, left), 0);
	part_remove(dir_fd, left);
	assert_true(is_there(left));
	assert_int_equal(unlinkat(dir_fd, left, 0), 0);
	assert_int_equal(mkdirat(dir_fd, left, 0700), 0);
	part_remove(dir_fd, left);
	assert_true(is_there(left));
	assert_int_equal(unlinkat(dir_fd, left, AT_REMOVEDIR), 0);
	leave("f", 4);
	fail_flock = ENOLCK;
	part_remove(dir_fd, left);
	assert_true(is_there(left));
}

/* Somebody removes it between our open and our lock. */
static void
test_removed_before_the_lock(void **state)
{
	struct train_end end = end_of("mine");
	struct part *p;

	(void)state;
	part_name(left, "f", 4, MTIME);
	before_flock = another_run_removes_it;
	p = open_part("f", 4);
	assert_int_equal(part_write(p, "mine", 4), 0);
	assert_int_equal(part_publish(p, &end, 0644, PART_SOON), 0);
	has("f", "mine");
}

/* Only those of the file, in that folder, but for one version. */
static void
test_parts(void **state)
{
	static const struct {
		int line;
		const char *folder; /* "": the root */
		const char *file;
		uint64_t size;
		bool is_kept;
	} rows[] = {
		{ __LINE__, ".", "f", 1, false },
		{ __LINE__, ".", "f", 2, true },
		{ __LINE__, ".", "f", 3, false },
		{ __LINE__, ".", "g", 1, true },
		{ __LINE__, "a", "f", 1, true },
		{ __LINE__, "b", "f", 1, false },
		{ __LINE__, "b", "f", 2, false },
		{ __LINE__, "b", "h", 2, true },
	};
	char name[PART_NAME_SIZE + 2], keep[PART_NAME_SIZE];
	struct parts parts;
	int b_fd;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "a", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "b", 0700), 0);
	b_fd = openat(dir_fd, "b", O_PATH | O_DIRECTORY);
	assert_true(b_fd != -1);
	for (size_t i = 0; i < nitems(rows); i++) {
		part_name(left, rows[i].file, rows[i].size, MTIME);
		snprintf(name, sizeof(name), "%s/%s", rows[i].folder, left);
		put(name, "left");
	}
	for (int i = 0; i < 100; i++) { /* it grows */
		part_name(left, "other", (uint64_t)i, MTIME);
		put(left, "left");
	}
	put("f", "mine");

	parts_init(&parts);
	parts_drop(&parts, TREE_ROOT, dir_fd, "f", NULL);
	parts_note(&parts, TREE_ROOT, dir_fd, ".");
	parts_note(&parts, 0, dir_fd, "a");
	parts_note(&parts, 7, dir_fd, "b");
	parts_note(&parts, 8, dir_fd, "no such folder");
	part_name(keep, "f", 2, MTIME);
	parts_drop(&parts, TREE_ROOT, dir_fd, "f", keep);
	parts_drop(&parts, 7, b_fd, "f", NULL);
	parts_drop(&parts, 8, b_fd, "h", NULL);
	parts_free(&parts);
	for (size_t i = 0; i < nitems(rows); i++) {
		part_name(left, rows[i].file, rows[i].size, MTIME);
		snprintf(name, sizeof(name), "%s/%s", rows[i].folder, left);
		CHECK_INT(rows[i].line, name, "is there", rows[i].is_kept,
		    is_there(name));
	}
	for (int i = 0; i < 100; i++) {
		part_name(left, "other", (uint64_t)i, MTIME);
		assert_true(is_there(left));
	}
	has("f", "mine");
	fd_close(&b_fd);
}

/* A disk that fails: the result says so, the target stays as it was. */
static void
test_disk(void **state)
{
	static const struct {
		int line;
		int *fail;
		int err;
		int want_write, want_publish;
		bool is_kept;
	} rows[] = {
		{ __LINE__, &fail_write, ENOSPC, -ENOSPC, -EBADMSG, false },
		{ __LINE__, &fail_write, EIO, -EIO, -EBADMSG, false },
		{ __LINE__, &fail_fsync, EIO, 0, -EIO, false },
		{ __LINE__, &fail_fsync, ENOSPC, 0, -ENOSPC, false },
		{ __LINE__, &fail_close, EDQUOT, 0, -EDQUOT, false },
		{ __LINE__, &fail_renameat, EISDIR, 0, -EISDIR, true },
		{ __LINE__, &fail_renameat, EACCES, 0, -EACCES, true },
		{ __LINE__, &fail_fchmod, EPERM, 0, 1, false },
	};
	char temp[PART_NAME_SIZE];

	(void)state;
	part_name(temp, "f", 5, MTIME);
	for (size_t i = 0; i < nitems(rows); i++) {
		struct train_end end = end_of("hello");
		struct part *p = open_part("f", 5);

		put("f", "mine");
		*rows[i].fail = rows[i].err;
		CHECK_INT(rows[i].line, strerrorname_np(rows[i].err), "write",
		    rows[i].want_write, part_write(p, "hello", 5));
		CHECK_INT(rows[i].line, strerrorname_np(rows[i].err), "publish",
		    rows[i].want_publish,
		    part_publish(p, &end, 0400,
			rows[i].fail == &fail_fsync ? PART_DURABLE
						    : PART_SOON));
		*rows[i].fail = 0;
		has("f", rows[i].want_publish == 1 ? "hello" : "mine");
		CHECK_INT(rows[i].line, strerrorname_np(rows[i].err), "kept",
		    rows[i].is_kept, is_there(temp));
		if (!rows[i].is_kept)
			continue;
		/* and can be gone on with */
		p = open_part("f", 5);
		CHECK_U64(rows[i].line, "", "got", 5, part_got(p));
		assert_int_equal(part_feed(p, -1), 0);
		assert_int_equal(part_publish(p, &end, 0644, PART_SOON), 0);
		has("f", "hello");
	}
}

/* A mode goes to what was looked at only. */
static void
test_chmod(void **state)
{
	struct stat f, g, link;

	(void)state;
	assert_int_equal(mknodat(dir_fd, "f", S_IFREG | 0600, 0), 0);
	assert_int_equal(mknodat(dir_fd, "g", S_IFREG | 0600, 0), 0);
	assert_int_equal(symlinkat("g", dir_fd, "link"), 0);
	assert_int_equal(fstatat(dir_fd, "f", &f, 0), 0);
	assert_int_equal(
	    fstatat(dir_fd, "link", &link, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(target_chmod(dir_fd, "f", &f, 0), 0);
	assert_int_equal(target_chmod(dir_fd, "g", &f, 0644), -ESTALE);
	assert_int_equal(target_chmod(dir_fd, "link", &f, 0644), -ESTALE);
	assert_int_equal(target_chmod(dir_fd, "link", &link, 0644), -ESTALE);
	assert_int_equal(target_chmod(dir_fd, "no", &f, 0644), -ENOENT);
	assert_int_equal(fstatat(dir_fd, "f", &f, 0), 0);
	assert_int_equal(fstatat(dir_fd, "g", &g, 0), 0);
	assert_int_equal(f.st_mode & 07777, 0);
	assert_int_equal(g.st_mode & 07777, 0600);
	/* without a right to read it */
	assert_int_equal(target_chmod(dir_fd, "f", &f, 0640), 0);
	assert_int_equal(fstatat(dir_fd, "f", &f, 0), 0);
	assert_int_equal(f.st_mode & 07777, 0640);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_too_much, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_resume, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_longer_than_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_finished_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_no_locks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_removed_before_the_lock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_chmod, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_finished_by_another_before_the_lock, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
