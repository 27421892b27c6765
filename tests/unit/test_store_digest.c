/* Digests: right, kept, and never those of other bytes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "store/digest.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

#define ATTR "user.netpan.sha256"
#define ATTR_BYTES 56
#define NS_PER_S INT64_C(1000000000)
#define OLD_S 1500000000

#define SHA_EMPTY \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA_ABC \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
/* as no file has it */
#define SHA_ABC_FALSE \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ac"
#define SHA_MILLION_A \
	"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

/* The kernel as a test wants it; linked with --wrap. */
static struct {
	int setxattr_errno;
	int setxattr_asked;
	int64_t ahead_s; /* our clock, of the file system's */
	int pread_errno;
	void (*on_pread)(void); /* before the second read */
	int preads;
	int64_t wall_s; /* the time */
	int slow_sets; /* so many attributes wait before they are set */
	enum store_digest_how how;
	bool was_wrong; /* what was kept before the last one computed */
} fake;

static struct {
	struct tree *tree;
	_Atomic bool stop;
} hook;

static void let_time_pass(struct tree *, const char *);
static int64_t attr_shift(uint8_t *, int64_t);
static int64_t ctime_of(struct tree *, const char *);

int64_t __wrap_clock_wall_s(void);
int __real_fsetxattr(int, const char *, const void *, size_t, int);
int __wrap_fsetxattr(int, const char *, const void *, size_t, int);
ssize_t __real_pread64(int, void *, size_t, off64_t);
ssize_t __wrap_pread64(int, void *, size_t, off64_t);

int64_t
__wrap_clock_wall_s(void)
{
	return fake.wall_s;
}

int
__wrap_fsetxattr(
    int fd, const char *name, const void *value, size_t len, int flags)
{
	uint8_t skewed[ATTR_BYTES];

	fake.setxattr_asked++;
	if (fake.setxattr_errno != 0) {
		errno = fake.setxattr_errno;
		return -1;
	}
	if (fake.slow_sets > 0) {
		fake.slow_sets--;
		nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
	}
	if (fake.ahead_s != 0 && len == ATTR_BYTES) {
		memcpy(skewed, value, len);
		attr_shift(skewed, fake.ahead_s * NS_PER_S);
		value = skewed;
	}
	return __real_fsetxattr(fd, name, value, len, flags);
}

ssize_t
__wrap_pread64(int fd, void *buf, size_t len, off64_t off)
{
	if (fake.pread_errno != 0) {
		errno = fake.pread_errno;
		return -1;
	}
	if (++fake.preads == 2 && fake.on_pread != NULL) {
		let_time_pass(hook.tree, "file");
		fake.on_pread();
	}
	return __real_pread64(fd, buf, len, off);
}

static int
setup(void **state)
{
	int r = tree_setup(state);

	memset(&fake, 0, sizeof(fake));
	/* Files are old enough when they are made. */
	fake.wall_s = time(NULL) + 1000;
	hook.tree = *state;
	hook.stop = false;
	return r;
}

/* Of n bytes 'a', or of text; settled long ago. */
static void
make_file(struct tree *t, const char *name, const char *text, size_t n)
{
	char *mem = NULL;

	if (text == NULL) {
		mem = malloc(n + 1);
		assert_non_null(mem);
		memset(mem, 'a', n);
		mem[n] = '\0';
	}
	tree_write(t->in_fd, name, mem == NULL ? text : mem);
	tree_set_mtime(t->in_fd, name, OLD_S);
	free(mem);
}

static int
open_file(struct tree *t, const char *name, struct store_meta *meta)
{
	struct path p = tree_path(name);
	int fd = -1;

	assert_int_equal(
	    store_open_file(t->store, &p, STORE_WAIT, &fd, meta), 0);
	return fd;
}

static void
check_hex(int line, const uint8_t *got, const char *want)
{
	char hex[2 * STORE_SHA256_SIZE + 1];

	text_hex(hex, got, STORE_SHA256_SIZE);
	if (strcmp(hex, want) != 0)
		fail_line(line, "got %s, want %s", hex, want);
}

/* In steps, until it is told to stop: then -ECANCELED. */
static int
compute(struct tree *t, int fd, const struct store_meta *meta,
    uint8_t out[STORE_SHA256_SIZE])
{
	struct store_digest *d;
	int r;

	r = store_digest_new(&d, t->store, fd, meta, fake.how);
	if (r != 0)
		return r;
	do
		r = hook.stop ? -ECANCELED : store_digest_step(d, out);
	while (r == 1);
	fake.was_wrong = store_digest_was_wrong(d);
	store_digest_free(d);
	return r;
}

static void
check_compute(
    int line, struct tree *t, const char *name, int want, const char *want_hex)
{
	uint8_t got[STORE_SHA256_SIZE] = { 0 };
	static const uint8_t zero[STORE_SHA256_SIZE];
	struct store_meta meta;
	int fd = open_file(t, name, &meta), r;

	fake.preads = 0;
	r = compute(t, fd, &meta, got);
	if (r != want)
		fail_line(line, "compute %s: got %d, want %d", name, r, want);
	if (r == 0)
		check_hex(line, got, want_hex);
	else
		assert_memory_equal(got, zero, sizeof(zero));
	fd_close(&fd);
}

/* want_hex NULL: none is kept. */
static void
check_cached(int line, struct tree *t, const char *name, const char *want_hex)
{
	uint8_t got[STORE_SHA256_SIZE];
	struct store_meta meta;
	int fd = open_file(t, name, &meta), r;

	r = store_digest_cached(t->store, fd, &meta, got);
	if (r != (want_hex == NULL ? -ENODATA : 0))
		fail_line(line, "cached %s: got %d", name, r);
	if (want_hex != NULL)
		check_hex(line, got, want_hex);
	fd_close(&fd);
}

/* As another process would know it: the store's memory is gone. */
static void
forget(struct tree *t)
{
	store_free(t->store);
	assert_int_equal(store_new(&t->store, dup(t->in_fd)), 0);
}

static ssize_t
attr_of(struct tree *t, const char *name, void *value, size_t cap)
{
	struct store_meta meta;
	int fd = open_file(t, name, &meta);
	ssize_t n = fgetxattr(fd, ATTR, value, cap);

	if (n == -1)
		n = -errno;
	fd_close(&fd);
	return n;
}

static void
set_attr(struct tree *t, const char *name, const void *value, size_t len)
{
	struct store_meta meta;
	int fd = open_file(t, name, &meta);

	assert_int_equal(__real_fsetxattr(fd, ATTR, value, len, 0), 0);
	fd_close(&fd);
}

/* The moment noted becomes that of setting it. */
static void
set_attr_now(struct tree *t, const char *name, uint8_t *value, size_t len)
{
	int64_t late_ns;

	do {
		attr_shift(value, clock_wall_ns() - attr_shift(value, 0));
		set_attr(t, name, value, len);
		late_ns = ctime_of(t, name) - attr_shift(value, 0);
	} while (late_ns > 2000000);
}

static bool
has_attrs(struct tree *t)
{
	struct store_meta meta;
	int fd, r;

	make_file(t, "probe", "", 0);
	fd = open_file(t, "probe", &meta);
	r = __real_fsetxattr(fd, "user.probe", "", 0, 0);
	fd_close(&fd);
	return r == 0;
}

static void
need_attrs(struct tree *t)
{
	if (has_attrs(t))
		return;
	print_message("no user attributes here: set TMPDIR to a disk\n");
	skip();
}

/* Stops the clock when the file's times have these ages, in seconds. */
static void
set_ages(struct tree *t, const char *name, int64_t mtime_age, int64_t ctime_age)
{
	struct stat st;

	do {
		fake.wall_s = time(NULL) + ctime_age;
		tree_set_mtime(t->in_fd, name, fake.wall_s - mtime_age);
		assert_int_equal(fstatat(t->in_fd, name, &st, 0), 0);
	} while (st.st_ctim.tv_sec != fake.wall_s - ctime_age);
}

/* Adds ns to when the attribute says it was set; says when that is. */
static int64_t
attr_shift(uint8_t *value, int64_t ns)
{
	uint64_t set = 0;

	for (int i = 0; i < 8; i++)
		set |= (uint64_t)value[16 + i] << 8 * i;
	set += (uint64_t)ns;
	for (int i = 0; i < 8; i++)
		value[16 + i] = (uint8_t)(set >> 8 * i);
	return (int64_t)set;
}

static int64_t
ctime_of(struct tree *t, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(t->in_fd, name, &st, 0), 0);
	return st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec;
}

/* Until what is done now has a ctime more than ns after the file's. */
static void
let_pass(struct tree *t, const char *name, int64_t ns)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	int64_t then = ctime_of(t, name);

	for (;;) {
		tree_write(t->in_fd, "clock", "");
		if (ctime_of(t, "clock") - then > ns)
			return;
		nanosleep(&tick, NULL);
	}
}

static void
let_time_pass(struct tree *t, const char *name)
{
	let_pass(t, name, 0);
}

static void
test_vectors(void **state)
{
	static const struct {
		int line;
		const char *text;
		size_t n;
		const char *hex;
	} cases[] = {
		{ __LINE__, "", 0, SHA_EMPTY },
		{ __LINE__, "abc", 0, SHA_ABC },
		{ __LINE__,
		    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    0,
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419"
		    "db06c1" },
		{ __LINE__, NULL, 1000000, SHA_MILLION_A },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < nitems(cases); i++) {
		make_file(t, "file", cases[i].text, cases[i].n);
		check_cached(cases[i].line, t, "file", NULL);
		check_compute(cases[i].line, t, "file", 0, cases[i].hex);
		check_cached(cases[i].line, t, "file", cases[i].hex);
		assert_int_equal(unlinkat(t->in_fd, "file", 0), 0);
	}
}

/* Sizes at and beside those of a read, against OpenSSL at one go. */
static void
test_sizes(void **state)
{
	static const size_t mib = 1024 * 1024;
	const size_t sizes[] = { 1, 63, 64, 65, mib - 1, mib, mib + 1, 2 * mib,
		3 * mib + 7 };
	struct tree *t = *state;
	unsigned char want[EVP_MAX_MD_SIZE];
	char hex[2 * STORE_SHA256_SIZE + 1], *mem;

	mem = malloc(sizes[nitems(sizes) - 1]);
	assert_non_null(mem);
	memset(mem, 'a', sizes[nitems(sizes) - 1]);
	for (size_t i = 0; i < nitems(sizes); i++) {
		assert_int_equal(
		    EVP_Digest(mem, sizes[i], want, NULL, EVP_sha256(), NULL),
		    1);
		text_hex(hex, want, STORE_SHA256_SIZE);
		make_file(t, "file", NULL, sizes[i]);
		check_compute(__LINE__, t, "file", 0, hex);
		check_cached(__LINE__, t, "file", hex);
	}
	free(mem);
}

/* Other bytes under the same name are not answered with the old digest. */
static void
test_changed(void **state)
{
	struct tree *t = *state;
	struct store_meta meta;
	int fd;

	/* Once with the attribute, once in memory. */
	for (int i = 0; i < 2; i++) {
		fake.setxattr_errno = i == 0 ? 0 : ENOTSUP;
		make_file(t, "file", "abc", 0);
		check_compute(__LINE__, t, "file", 0, SHA_ABC);
		check_cached(__LINE__, t, "file", SHA_ABC);
		/* written again */
		tree_write(t->in_fd, "file", "abd");
		check_cached(__LINE__, t, "file", NULL);
		/* the same bytes, another mtime: not known to be the same */
		tree_write(t->in_fd, "file", "abc");
		tree_set_mtime(t->in_fd, "file", OLD_S + 1);
		check_cached(__LINE__, t, "file", NULL);
		check_compute(__LINE__, t, "file", 0, SHA_ABC);
		check_cached(__LINE__, t, "file", SHA_ABC);
		/* longer, mtime put back */
		tree_write(t->in_fd, "file", "abcd");
		tree_set_mtime(t->in_fd, "file", OLD_S + 1);
		check_cached(__LINE__, t, "file", NULL);
		/* another file in its place */
		make_file(t, "other", "xyz", 0);
		tree_set_mtime(t->in_fd, "other", OLD_S + 1);
		assert_int_equal(
		    renameat(t->in_fd, "other", t->in_fd, "file"), 0);
		check_cached(__LINE__, t, "file", NULL);
		/* The meta of one file with the descriptor of another. */
		make_file(t, "a", "abc", 0);
		check_compute(__LINE__, t, "a", 0, SHA_ABC);
		fd = open_file(t, "a", &meta);
		fd_close(&fd);
		meta.ino++;
		fd = open_file(t, "a", &(struct store_meta){ 0 });
		assert_int_equal(
		    compute(t, fd, &meta, (uint8_t[STORE_SHA256_SIZE]){ 0 }),
		    -ESTALE);
		fd_close(&fd);
	}
}

/* A digest of a file that may still change unseen is told and not kept. */
static void
test_racy(void **state)
{
	static const struct {
		int line;
		int error; /* of setting the attribute: then it is memory */
		int64_t mtime_age;
		int64_t ctime_age;
		bool is_kept;
	} cases[] = {
		{ __LINE__, 0, 0, 0, false },
		{ __LINE__, 0, 1, 0, false },
		{ __LINE__, 0, 60, 0, false },
		{ __LINE__, 0, 61, 0, true },
		{ __LINE__, 0, 100, 0, true },
		{ __LINE__, 0, 1700000000, 0, true },
		{ __LINE__, 0, -1, 0, false },
		{ __LINE__, 0, -100000, 0, false },
		{ __LINE__, 0, 60, 100, false },
		/* What memory proves by ctime needs that to be settled too. */
		{ __LINE__, ENOTSUP, 0, 0, false },
		{ __LINE__, ENOTSUP, 100, 0, false },
		{ __LINE__, ENOTSUP, 100, 60, false },
		{ __LINE__, ENOTSUP, 100, 61, true },
		{ __LINE__, ENOTSUP, 60, 100, false },
		{ __LINE__, ENOTSUP, 61, 100, true },
		{ __LINE__, ENOTSUP, -1, 100, false },
	};
	struct tree *t = *state;

	need_attrs(t);
	for (size_t i = 0; i < nitems(cases); i++) {
		fake.setxattr_errno = cases[i].error;
		make_file(t, "file", "abc", 0);
		set_ages(t, "file", cases[i].mtime_age, cases[i].ctime_age);
		check_compute(cases[i].line, t, "file", 0, SHA_ABC);
		check_cached(cases[i].line, t, "file",
		    cases[i].is_kept ? SHA_ABC : NULL);
		assert_int_equal(unlinkat(t->in_fd, "file", 0), 0);
	}
}

static void
test_attr(void **state)
{
	struct tree *t = *state;
	uint8_t want[ATTR_BYTES], value[ATTR_BYTES + 8];
	struct store_meta meta;
	uint64_t before = (uint64_t)clock_wall_ns();
	int fd;

	need_attrs(t);
	make_file(t, "file", "abc", 0);
	assert_int_equal(attr_of(t, "file", value, sizeof(value)), -ENODATA);
	check_compute(__LINE__, t, "file", 0, SHA_ABC);
	assert_int_equal(fake.setxattr_asked, 1);
	assert_int_equal(attr_of(t, "file", value, sizeof(value)), ATTR_BYTES);

	/* The layout is on disks: size and version, mtime, when, digest. */
	fd = open_file(t, "file", &meta);
	fd_close(&fd);
	memset(want, 0, sizeof(want));
	want[0] = 3;
	want[7] = 2;
	for (int i = 0; i < 8; i++)
		want[8 + i] = (uint8_t)((uint64_t)meta.mtime_ns >> 8 * i);
	assert_in_range(
	    attr_shift(value, 0), before, (uint64_t)clock_wall_ns());
	memcpy(want + 16, value + 16, 8 + STORE_SHA256_SIZE);
	check_hex(__LINE__, want + 24, SHA_ABC);
	assert_memory_equal(value, want, ATTR_BYTES);

	/* Kept for the next store. */
	forget(t);
	check_cached(__LINE__, t, "file", SHA_ABC);
}

/* It counts while ctime is where setting it has put it. */
static void
test_attr_ctime(void **state)
{
	static const struct {
		int line;
		int64_t late_ns; /* ctime, of the moment noted */
		bool is_kept;
	} cases[] = {
		{ __LINE__, 0, true },
		{ __LINE__, -20000000, true },
		{ __LINE__, -20000001, false },
		{ __LINE__, 2000000, true },
		{ __LINE__, 2000001, false },
		{ __LINE__, NS_PER_S, false },
		{ __LINE__, -NS_PER_S, false },
		{ __LINE__, 100000 * NS_PER_S, false },
		{ __LINE__, -100000 * NS_PER_S, false },
	};
	struct tree *t = *state;
	uint8_t value[ATTR_BYTES], got[STORE_SHA256_SIZE];
	struct store_meta meta;
	int64_t set_ns;
	int fd;

	need_attrs(t);
	make_file(t, "file", "abc", 0);
	check_compute(__LINE__, t, "file", 0, SHA_ABC);
	assert_int_equal(attr_of(t, "file", value, sizeof(value)), ATTR_BYTES);
	set_ns = attr_shift(value, 0);
	fd = open_file(t, "file", &meta);
	for (size_t i = 0; i < nitems(cases); i++) {
		forget(t); /* the true ctime */
		meta.ctime_ns = set_ns + cases[i].late_ns;
		if (store_digest_cached(t->store, fd, &meta, got) !=
		    (cases[i].is_kept ? 0 : -ENODATA))
			fail_line(cases[i].line, "not as wanted");
	}
	forget(t);
	/* No difference of the two can be written. */
	meta.ctime_ns = INT64_MIN;
	assert_int_equal(
	    store_digest_cached(t->store, fd, &meta, got), -ENODATA);
	attr_shift(value, INT64_MIN);
	set_attr(t, "file", value, sizeof(value));
	meta.ctime_ns = INT64_MAX;
	assert_int_equal(
	    store_digest_cached(t->store, fd, &meta, got), -ENODATA);
	fd_close(&fd);
}

/* Other bytes, as many, with mtime put back. */
static void
rewrite(struct tree *t, const char *bytes)
{
	int fd = openat(t->in_fd, "file", O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, 3, 0), 3);
	fd_close(&fd);
	tree_set_mtime(t->in_fd, "file", OLD_S);
}

/* What was done since, with mtime put back, is noticed by ctime alone: by the
 * store that has kept it a tick later, by any other some ticks later. */
static void
test_attr_hidden_change(void **state)
{
	static const struct {
		int line;
		int64_t after_ns;
		bool is_other;
	} cases[] = {
		{ __LINE__, 0, false },
		{ __LINE__, 25000000, true },
		{ __LINE__, NS_PER_S / 5, true },
	};
	struct tree *t = *state;
	uint8_t value[ATTR_BYTES];

	need_attrs(t);
	for (size_t i = 0; i < nitems(cases); i++) {
		make_file(t, "file", "abc", 0);
		check_compute(cases[i].line, t, "file", 0, SHA_ABC);
		check_cached(cases[i].line, t, "file", SHA_ABC);
		let_pass(t, "file", cases[i].after_ns);
		rewrite(t, "abd");
		if (cases[i].is_other)
			forget(t);
		check_cached(cases[i].line, t, "file", NULL);
		/* Nor does a mode. */
		rewrite(t, "abc");
		check_compute(cases[i].line, t, "file", 0, SHA_ABC);
		let_pass(t, "file", cases[i].after_ns);
		assert_int_equal(fchmodat(t->in_fd, "file", 0600, 0), 0);
		if (cases[i].is_other)
			forget(t);
		check_cached(cases[i].line, t, "file", NULL);
		/* Computed anew, it is right again. */
		check_compute(cases[i].line, t, "file", 0, SHA_ABC);
		check_cached(cases[i].line, t, "file", SHA_ABC);
	}
	/* Copied with its attributes. */
	assert_int_equal(attr_of(t, "file", value, sizeof(value)), ATTR_BYTES);
	let_pass(t, "file", 25000000);
	make_file(t, "copy", "abc", 0);
	set_attr(t, "copy", value, sizeof(value));
	check_cached(__LINE__, t, "copy", NULL);
}

/* An attribute that some process has believed is not believed for another
 * ctime, be that near enough. */
static void
test_attr_believed_once(void **state)
{
	struct tree *t = *state;

	need_attrs(t);
	make_file(t, "file", "abc", 0);
	check_compute(__LINE__, t, "file", 0, SHA_ABC);
	forget(t);
	check_cached(__LINE__, t, "file", SHA_ABC);
	let_time_pass(t, "file");
	rewrite(t, "abd");
	check_cached(__LINE__, t, "file", NULL);
}

/* One that was held up while it was set is set again; when all are, memory
 * keeps it. */
static void
test_attr_slow(void **state)
{
	struct tree *t = *state;

	need_attrs(t);
	make_file(t, "file", "abc", 0);
	fake.slow_sets = 2;
	check_compute(__LINE__, t, "file", 0, SHA_ABC);
	assert_int_equal(fake.setxattr_asked, 3);
	forget(t);
	check_cached(__LINE__, t, "file", SHA_ABC);
	make_file(t, "slow", "abc", 0);
	fake.slow_sets = 1000;
	check_compute(__LINE__, t, "slow", 0, SHA_ABC);
	check_cached(__LINE__, t, "slow", SHA_ABC);
	forget(t);
	check_cached(__LINE__, t, "slow", NULL);
}

/* Keeps a digest of other bytes, as a change within the moment that setting it
 * may take would leave it. */
static void
plant(struct tree *t, const char *name)
{
	uint8_t value[ATTR_BYTES];

	assert_int_equal(attr_of(t, name, value, sizeof(value)), ATTR_BYTES);
	value[ATTR_BYTES - 1] ^= 1;
	set_attr_now(t, name, value, sizeof(value));
}

/* Nothing that was kept stands against what is computed. */
static void
test_anew(void **state)
{
	static const int errors[] = { 0, EPERM };
	struct tree *t = *state;

	need_attrs(t);
	for (size_t i = 0; i < nitems(errors); i++) {
		make_file(t, "file", "abc", 0);
		fake.setxattr_errno = 0;
		check_compute(__LINE__, t, "file", 0, SHA_ABC);
		plant(t, "file");
		forget(t);
		check_cached(__LINE__, t, "file", SHA_ABC_FALSE);
		check_cached(__LINE__, t, "file", SHA_ABC_FALSE);
		fake.how = STORE_DIGEST_ANEW;
		fake.setxattr_errno = errors[i];
		check_compute(__LINE__, t, "file", 0, SHA_ABC);
		assert_true(fake.was_wrong);
		check_cached(__LINE__, t, "file", SHA_ABC);
		check_compute(__LINE__, t, "file", 0, SHA_ABC);
		assert_false(fake.was_wrong);
		forget(t);
		check_cached(__LINE__, t, "file",
		    errors[i] == 0 ? SHA_ABC : SHA_ABC_FALSE);
	}
}

/* A file system with another clock: what it keeps is never believed, so memory
 * keeps it too. */
static void
test_attr_other_clock(void **state)
{
	static const int64_t ahead_s[] = { 2, 100000, -2, -100000 };
	struct tree *t = *state;
	uint8_t value[ATTR_BYTES];

	need_attrs(t);
	for (size_t i = 0; i < nitems(ahead_s); i++) {
		fake.ahead_s = ahead_s[i];
		make_file(t, "file", "abc", 0);
		check_compute(__LINE__, t, "file", 0, SHA_ABC);
		assert_int_equal(
		    attr_of(t, "file", value, sizeof(value)), ATTR_BYTES);
		check_cached(__LINE__, t, "file", SHA_ABC);
		forget(t);
		check_cached(__LINE__, t, "file", NULL);
		assert_int_equal(unlinkat(t->in_fd, "file", 0), 0);
	}
}

/* Any other value is none: each bit of what proves it flipped (of the time only
 * those that are more than its tolerance), each length. */
static void
test_attr_bad(void **state)
{
	struct tree *t = *state;
	uint8_t good[ATTR_BYTES], bad[ATTR_BYTES + 9] = { 0 };

	need_attrs(t);
	make_file(t, "file", "abc", 0);
	check_compute(__LINE__, t, "file", 0, SHA_ABC);
	assert_int_equal(attr_of(t, "file", good, sizeof(good)), ATTR_BYTES);
	for (int i = 0; i < ATTR_BYTES - STORE_SHA256_SIZE; i++) {
		for (int bit = 0; bit < 8; bit++) {
			if (i >= 16 && 8 * (i - 16) + bit < 31)
				continue;
			attr_shift(good, clock_wall_ns() - attr_shift(good, 0));
			memcpy(bad, good, sizeof(good));
			bad[i] ^= (uint8_t)(1 << bit);
			forget(t);
			set_attr(t, "file", bad, sizeof(good));
			check_cached(__LINE__, t, "file", NULL);
		}
	}
	memcpy(bad, good, sizeof(good));
	for (size_t len = 0; len <= sizeof(bad); len++) {
		forget(t);
		set_attr_now(t, "file", bad, len);
		check_cached(
		    __LINE__, t, "file", len == ATTR_BYTES ? SHA_ABC : NULL);
	}
	/* Computed anew, it is put right. */
	check_compute(__LINE__, t, "file", 0, SHA_ABC);
	check_cached(__LINE__, t, "file", SHA_ABC);
}

/* Where no attribute can be set, memory keeps it. */
static void
test_no_attr(void **state)
{
	static const int errors[] = { ENOTSUP, EROFS, EACCES, EPERM, ENOSPC,
		EDQUOT, E2BIG, ENOSYS, EIO };
	struct tree *t = *state;
	uint8_t value[ATTR_BYTES];
	char name[16];

	for (size_t i = 0; i < nitems(errors); i++) {
		snprintf(name, sizeof(name), "file%zu", i);
		make_file(t, name, "abc", 0);
		fake.setxattr_errno = errors[i];
		check_compute(__LINE__, t, name, 0, SHA_ABC);
		assert_true(attr_of(t, name, value, sizeof(value)) < 0);
		check_cached(__LINE__, t, name, SHA_ABC);
	}
	for (size_t i = 0; i < nitems(errors); i++) {
		snprintf(name, sizeof(name), "file%zu", i);
		check_cached(__LINE__, t, name, SHA_ABC);
	}
	/* Nothing of ours moves ctime here, so a ctime that moved is a change
	 * that may have put mtime back. */
	let_time_pass(t, "file0");
	tree_write(t->in_fd, "file0", "abd");
	tree_set_mtime(t->in_fd, "file0", OLD_S);
	check_cached(__LINE__, t, "file0", NULL);
	/* Another store knows nothing of it. */
	forget(t);
	check_cached(__LINE__, t, "file1", NULL);
}

/* The same with true rights: a file that may be read only. */
static void
test_read_only_file(void **state)
{
	struct tree *t = *state;
	uint8_t value[ATTR_BYTES];

	make_file(t, "file", "abc", 0);
	assert_int_equal(fchmodat(t->in_fd, "file", 0444, 0), 0);
	tree_drop_rights();
	check_cached(__LINE__, t, "file", NULL);
	check_compute(__LINE__, t, "file", 0, SHA_ABC);
	assert_true(attr_of(t, "file", value, sizeof(value)) < 0);
	check_cached(__LINE__, t, "file", SHA_ABC);
	tree_regain_rights();
}

/* ---- a file that changes while it is read ---- */

static void
append(void)
{
	int fd = openat(
	    hook.tree->in_fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(fd_write_full(fd, "x", 1), 1);
	fd_close(&fd);
}

static void
append_and_hide(void)
{
	append();
	tree_set_mtime(hook.tree->in_fd, "file", OLD_S);
}

static void
overwrite(void)
{
	int fd = openat(hook.tree->in_fd, "file", O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, "a", 1, 0), 1);
	fd_close(&fd);
}

static void
overwrite_and_hide(void)
{
	overwrite();
	tree_set_mtime(hook.tree->in_fd, "file", OLD_S);
}

static void
cut(void)
{
	int fd = openat(hook.tree->in_fd, "file", O_WRONLY | O_CLOEXEC);

	assert_int_equal(ftruncate(fd, 10), 0);
	fd_close(&fd);
}

static void
cut_and_hide(void)
{
	cut();
	tree_set_mtime(hook.tree->in_fd, "file", OLD_S);
}

static void
touch(void)
{
	tree_set_mtime(hook.tree->in_fd, "file", OLD_S + 1);
}

static void
change_mode(void)
{
	assert_int_equal(fchmodat(hook.tree->in_fd, "file", 0600, 0), 0);
}

static void
replace(void)
{
	/* What is open stays as it is. */
	assert_int_equal(unlinkat(hook.tree->in_fd, "file", 0), 0);
	tree_write(hook.tree->in_fd, "file", "new");
}

static void
set_stop(void)
{
	hook.stop = true;
}

static void
test_while_read(void **state)
{
	static const struct {
		int line;
		void (*act)(void);
		int want;
		bool is_kept;
	} cases[] = {
		{ __LINE__, NULL, 0, true },
		{ __LINE__, append, -ESTALE, false },
		{ __LINE__, append_and_hide, -ESTALE, false },
		{ __LINE__, overwrite, -ESTALE, false },
		{ __LINE__, cut, -ESTALE, false },
		{ __LINE__, cut_and_hide, -ESTALE, false },
		{ __LINE__, touch, -ESTALE, false },
		/* ctime alone: told, not kept */
		{ __LINE__, overwrite_and_hide, 0, false },
		{ __LINE__, change_mode, 0, false },
		{ __LINE__, replace, 0, false },
		{ __LINE__, set_stop, -ECANCELED, false },
	};
	const size_t n = 3 * 1024 * 1024;
	struct tree *t = *state;
	unsigned char want[EVP_MAX_MD_SIZE];
	char hex[2 * STORE_SHA256_SIZE + 1], *mem = malloc(n);

	assert_non_null(mem);
	memset(mem, 'a', n);
	assert_int_equal(EVP_Digest(mem, n, want, NULL, EVP_sha256(), NULL), 1);
	text_hex(hex, want, STORE_SHA256_SIZE);
	free(mem);
	for (size_t i = 0; i < 2 * nitems(cases); i++) {
		fake.setxattr_errno = i % 2 == 0 ? 0 : ENOTSUP;
		make_file(t, "file", NULL, n);
		fake.on_pread = cases[i / 2].act;
		hook.stop = false;
		check_compute(
		    cases[i / 2].line, t, "file", cases[i / 2].want, hex);
		check_cached(cases[i / 2].line, t, "file",
		    cases[i / 2].is_kept ? hex : NULL);
		assert_int_equal(unlinkat(t->in_fd, "file", 0), 0);
	}
}

static void
test_stop_and_errors(void **state)
{
	struct tree *t = *state;
	struct store_meta meta;
	uint8_t out[STORE_SHA256_SIZE];
	int fd;

	make_file(t, "file", "abc", 0);
	hook.stop = true;
	check_compute(__LINE__, t, "file", -ECANCELED, NULL);
	assert_int_equal(fake.preads, 0);
	hook.stop = false;
	fake.pread_errno = EIO;
	check_compute(__LINE__, t, "file", -EIO, NULL);
	check_cached(__LINE__, t, "file", NULL);
	fake.pread_errno = 0;

	/* Not as meta says to begin with: nothing is read. */
	fd = open_file(t, "file", &meta);
	tree_write(t->in_fd, "file", "other");
	assert_int_equal(compute(t, fd, &meta, out), -ESTALE);
	assert_int_equal(fake.preads, 0);
	fd_close(&fd);
	/* A folder has none. */
	assert_int_equal(store_fd_meta(t->in_fd, &meta), 0);
	assert_int_equal(compute(t, t->in_fd, &meta, out), -EISDIR);
	assert_int_equal(
	    store_digest_cached(t->store, t->in_fd, &meta, out), -ENODATA);
	meta.kind = STORE_FILE;
	assert_int_equal(compute(t, -1, &meta, out), -EBADF);
	assert_int_equal(
	    store_digest_cached(t->store, -1, &meta, out), -ENODATA);
	meta.size = UINT64_C(1) << 56;
	assert_int_equal(compute(t, -1, &meta, out), -EOVERFLOW);
}

/* ---- several at once ---- */

/* Two of one file, each a step after the other: the second to end finds what
 * the first has kept, or, when nothing is kept, ends by itself. */
static void
test_side_by_side(void **state)
{
	const size_t n = 3 * 1024 * 1024 + 5;
	uint8_t one[STORE_SHA256_SIZE], two[STORE_SHA256_SIZE];
	struct store_digest *a, *b, *c;
	struct tree *t = *state;
	struct store_meta meta;
	int fd, r;

	for (int is_young = 0; is_young < 2; is_young++) {
		make_file(t, "file", NULL, n);
		if (is_young)
			fake.wall_s = OLD_S;
		fd = open_file(t, "file", &meta);
		assert_int_equal(
		    store_digest_new(&a, t->store, fd, &meta, fake.how), 0);
		assert_int_equal(
		    store_digest_new(&b, t->store, fd, &meta, fake.how), 0);
		assert_int_equal(
		    store_digest_new(&c, t->store, fd, &meta, fake.how), 0);
		fake.preads = 10;
		for (int i = 0; i < 3; i++) {
			assert_int_equal(store_digest_step(a, one), 1);
			assert_int_equal(store_digest_step(b, two), 1);
		}
		assert_int_equal(store_digest_step(a, one), 0);
		assert_int_equal(store_digest_step(b, two), 0);
		assert_int_equal(fake.preads, 10 + 8);
		assert_memory_equal(one, two, sizeof(one));
		/* the one that has not begun yet */
		do
			r = store_digest_step(c, two);
		while (r == 1);
		assert_int_equal(r, 0);
		assert_int_equal(fake.preads, 10 + (is_young ? 12 : 8));
		assert_memory_equal(one, two, sizeof(one));
		store_digest_free(a);
		store_digest_free(b);
		store_digest_free(c);
		fd_close(&fd);
		assert_int_equal(unlinkat(t->in_fd, "file", 0), 0);
	}
	store_digest_free(NULL);
}

/* Who else's digest is it?  Of those who see the very same file. */
static void
test_is_of(void **state)
{
	struct store_meta meta, other;
	struct store_digest *d;
	struct tree *t = *state;
	uint8_t out[STORE_SHA256_SIZE];
	int fd;

	make_file(t, "file", NULL, 2 * 1024 * 1024);
	fd = open_file(t, "file", &meta);
	assert_int_equal(
	    store_digest_new(&d, t->store, fd, &meta, fake.how), 0);
	for (int step = 0; step < 2; step++) {
		assert_true(store_digest_is_of(d, &meta));
		other = meta, other.size++;
		assert_false(store_digest_is_of(d, &other));
		other = meta, other.ino++;
		assert_false(store_digest_is_of(d, &other));
		other = meta, other.dev++;
		assert_false(store_digest_is_of(d, &other));
		other = meta, other.mtime_ns++;
		assert_false(store_digest_is_of(d, &other));
		other = meta, other.ctime_ns++;
		assert_false(store_digest_is_of(d, &other));
		other = meta, other.ctime_ns--;
		assert_false(store_digest_is_of(d, &other));
		assert_int_equal(store_digest_step(d, out), step == 0);
	}
	store_digest_free(d);
	fd_close(&fd);

	/* The first step looks anew: at another mode here, and from then on
	 * it is also of the file that looks so. */
	assert_int_equal(unlinkat(t->in_fd, "file", 0), 0);
	make_file(t, "file", NULL, 2 * 1024 * 1024);
	fd = open_file(t, "file", &meta);
	assert_int_equal(
	    store_digest_new(&d, t->store, fd, &meta, fake.how), 0);
	let_time_pass(t, "file");
	assert_int_equal(fchmodat(t->in_fd, "file", 0600, 0), 0);
	assert_int_equal(store_fd_meta(fd, &other), 0);
	assert_false(store_digest_is_of(d, &other));
	assert_int_equal(store_digest_step(d, out), 1);
	assert_true(store_digest_is_of(d, &other));
	assert_true(store_digest_is_of(d, &meta));
	/* what is done to the file later is not its */
	let_time_pass(t, "file");
	assert_int_equal(fchmodat(t->in_fd, "file", 0644, 0), 0);
	assert_int_equal(store_fd_meta(fd, &other), 0);
	assert_false(store_digest_is_of(d, &other));
	store_digest_free(d);
	fd_close(&fd);
}

/* ---- the table in memory ---- */

static struct store_meta
row_meta(uint32_t i)
{
	return (struct store_meta){ .kind = STORE_FILE,
		.dev = i % 3,
		.ino = i,
		.size = i * 5,
		.mtime_ns = i * 7,
		.ctime_ns = i * 11 };
}

static void
row_digest(uint32_t i, uint8_t out[STORE_SHA256_SIZE])
{
	memset(out, 0, STORE_SHA256_SIZE);
	memcpy(out, &i, sizeof(i));
}

static void
test_table(void **state)
{
	struct digest_table *d = digest_table_new();
	uint8_t want[STORE_SHA256_SIZE], got[STORE_SHA256_SIZE];
	struct store_meta m;
	uint32_t n_there = 0;
	int64_t set_ns;

	(void)state;
	assert_non_null(d);
	/* Of neighbours it keeps as many as it has room for. */
	for (uint32_t i = 0; i < DIGEST_TABLE_SIZE; i++) {
		m = row_meta(i);
		assert_false(digest_table_get(d, &m, got, &set_ns));
		row_digest(i, want);
		digest_table_put(d, &m, m.size + 1, want);
	}
	for (uint32_t i = 0; i < DIGEST_TABLE_SIZE; i++) {
		m = row_meta(i);
		row_digest(i, want);
		if (!digest_table_get(d, &m, got, &set_ns))
			continue;
		n_there++;
		assert_memory_equal(got, want, sizeof(got));
		assert_int_equal(set_ns, m.size + 1);
		/* of other bytes: the file is known all the same */
		m.size++;
		set_ns = 0;
		assert_false(digest_table_get(d, &m, got, &set_ns));
		assert_int_equal(set_ns, m.size);
		m = row_meta(i), m.ctime_ns++;
		assert_false(digest_table_get(d, &m, got, &set_ns));
		m = row_meta(i), m.mtime_ns--;
		assert_false(digest_table_get(d, &m, got, &set_ns));
		m = row_meta(i), m.dev++;
		assert_false(digest_table_get(d, &m, got, &set_ns));
		assert_int_equal(set_ns, 0);
	}
	assert_true(n_there > DIGEST_TABLE_SIZE / 2);
	/* Later ones push out earlier ones, never mix with them. */
	n_there = 0;
	for (uint32_t i = 0; i < 3 * DIGEST_TABLE_SIZE; i++) {
		m = row_meta(i);
		row_digest(i, want);
		digest_table_put(d, &m, m.size + 1, want);
		assert_true(digest_table_get(d, &m, got, &set_ns));
		assert_memory_equal(got, want, sizeof(got));
	}
	for (uint32_t i = 0; i < 3 * DIGEST_TABLE_SIZE; i++) {
		m = row_meta(i);
		row_digest(i, want);
		if (!digest_table_get(d, &m, got, &set_ns))
			continue;
		n_there++;
		assert_memory_equal(got, want, sizeof(got));
	}
	assert_true(n_there > DIGEST_TABLE_SIZE / 2);
	assert_true(n_there <= DIGEST_TABLE_SIZE);
	digest_table_drop(d, &m);
	assert_false(digest_table_get(d, &m, got, &set_ns));
	assert_int_equal(set_ns, 0);
	digest_table_drop(d, &m);
	digest_table_free(d);
	digest_table_free(NULL);
}

static void *
hammer(void *arg)
{
	struct digest_table *d = arg;
	uint8_t want[STORE_SHA256_SIZE], got[STORE_SHA256_SIZE];
	struct store_meta m;
	int64_t set_ns;

	for (uint32_t i = 0; i < 20000; i++) {
		m = row_meta(i % 500);
		row_digest(i % 500, want);
		if (i % 3 == 0)
			digest_table_put(d, &m, m.size + 1, want);
		else if (digest_table_get(d, &m, got, &set_ns) &&
			 memcmp(got, want, sizeof(got)) != 0)
			return d;
	}
	return NULL;
}

static void
test_table_threads(void **state)
{
	struct digest_table *d = digest_table_new();
	pthread_t threads[4];
	void *wrong;

	(void)state;
	assert_non_null(d);
	for (size_t i = 0; i < nitems(threads); i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, hammer, d), 0);
	for (size_t i = 0; i < nitems(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	digest_table_free(d);
}

int
main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_vectors),
		TREE_TEST(test_sizes),
		TREE_TEST(test_changed),
		TREE_TEST(test_racy),
		TREE_TEST(test_attr),
		TREE_TEST(test_attr_ctime),
		TREE_TEST(test_attr_hidden_change),
		TREE_TEST(test_attr_believed_once),
		TREE_TEST(test_attr_slow),
		TREE_TEST(test_anew),
		TREE_TEST(test_attr_other_clock),
		TREE_TEST(test_attr_bad),
		TREE_TEST(test_no_attr),
		TREE_TEST(test_read_only_file),
		TREE_TEST(test_while_read),
		TREE_TEST(test_stop_and_errors),
		TREE_TEST(test_side_by_side),
		TREE_TEST(test_is_of),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_threads),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
