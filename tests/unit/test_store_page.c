/* Pages of a folder: by name, in bounded memory, whatever is in the folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

#define MANY 5000

/* The kernel as a test wants it; linked with --wrap. */
static struct {
	bool hides_types; /* d_type is DT_UNKNOWN */
	bool doubles; /* each entry is told twice */
	const char *removes; /* this name, once it was told */
	int fails_at; /* this call, from 1, fails with EIO */
	int interrupts; /* so many calls give EINTR first */
	int calls;
} fake;

ssize_t __real_getdents64(int, void *, size_t);
ssize_t __wrap_getdents64(int, void *, size_t);

static ssize_t
dents_double(unsigned char *buf, ssize_t n)
{
	memcpy(buf + n, buf, (size_t)n);
	return n * 2;
}

ssize_t
__wrap_getdents64(int fd, void *buf, size_t cap)
{
	struct dirent64 *d;
	ssize_t n;

	if (fake.interrupts > 0) {
		fake.interrupts--;
		errno = EINTR;
		return -1;
	}
	if (++fake.calls == fake.fails_at) {
		errno = EIO;
		return -1;
	}
	n = __real_getdents64(fd, buf, fake.doubles ? cap / 2 : cap);
	if (fake.removes != NULL)
		unlinkat(fd, fake.removes, 0);
	for (ssize_t off = 0; fake.hides_types && off < n;) {
		d = (struct dirent64 *)(void *)((char *)buf + off);
		d->d_type = DT_UNKNOWN;
		off += d->d_reclen;
	}
	return fake.doubles && n > 0 ? dents_double(buf, n) : n;
}

static int
setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	return tree_setup_quick(state);
}

/* The i-th that is made, not the i-th in order; len bytes. */
static void
name_of(char name[LIM_SEG_BYTES + 1], int i, int len)
{
	snprintf(name, LIM_SEG_BYTES + 1, "n%05d%0*d",
	    (int)((i * 7919LL) % 100000), len - 6, 0);
	name[len] = '\0';
}

static void
make_files(int dir_fd, int from, int to, int len)
{
	char name[LIM_SEG_BYTES + 1];

	for (int i = from; i < to; i++) {
		name_of(name, i, len);
		assert_int_equal(mknodat(dir_fd, name, S_IFREG | 0644, 0), 0);
	}
}

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Reads the folder to its end: n names as make_files made them, in pages that
 * are full but for the last. */
static void
check_all(int line, int dir_fd, int n, int len, int full)
{
	struct store_page *p = store_page_new();
	char after[LIM_SEG_BYTES + 1] = "", want[LIM_SEG_BYTES + 1];
	int *numbers = malloc(((size_t)n + 1) * sizeof(numbers[0]));
	int got = 0, count;

	assert_non_null(p);
	assert_non_null(numbers);
	for (int i = 0; i < n; i++)
		numbers[i] = (int)((i * 7919LL) % 100000);
	qsort(numbers, (size_t)n, sizeof(numbers[0]), by_number);
	assert_int_equal(store_page_count(p), 0);
	do {
		count = store_page_read(p, dir_fd, after, NULL);
		assert_int_equal(count, n - got < full ? n - got : full);
		assert_int_equal(count, store_page_count(p));
		for (int i = 0; i < count; i++, got++) {
			snprintf(want, sizeof(want), "n%05d%0*d", numbers[got],
			    len - 6, 0);
			want[len] = '\0';
			if (strcmp(store_page_name(p, i), want) != 0)
				fail_line(line, "name %d: got %s, want %s", got,
				    store_page_name(p, i), want);
		}
		if (count > 0)
			strcpy(after, store_page_name(p, count - 1));
		if (store_page_has_more(p) != (got < n))
			fail_line(line, "after %d of %d: has_more is %d", got,
			    n, store_page_has_more(p));
	} while (store_page_has_more(p));
	assert_int_equal(got, n);
	assert_int_equal(store_page_read(p, dir_fd, after, NULL), 0);
	assert_false(store_page_has_more(p));
	store_page_free(p);
	free(numbers);
}

static void
test_sizes(void **state)
{
	static const int sizes[] = { 0, 1, 2, 1023, 1024, 1025, MANY };
	struct tree *t = *state;
	int made = 0;

	for (size_t i = 0; i < nitems(sizes); i++) {
		make_files(t->in_fd, made, sizes[i], 10);
		made = sizes[i];
		check_all(__LINE__, t->in_fd, made, 10, LIM_DIR_PAGE);
		fake.hides_types = true;
		check_all(__LINE__, t->in_fd, made, 10, LIM_DIR_PAGE);
		fake.hides_types = false;
		fake.doubles = true;
		check_all(__LINE__, t->in_fd, made, 10, LIM_DIR_PAGE);
		fake.doubles = false;
	}
	store_page_free(NULL);
}

/* At the limits of a page, and one past them. */
static void
test_limits(void **state)
{
	const int by_bytes = LIM_DIR_PAGE_BYTES / (LIM_SEG_BYTES + 1);
	const int sizes[] = { by_bytes - 1, by_bytes, by_bytes + 1,
		2 * by_bytes, 2 * by_bytes + 1 };
	struct tree *t = *state;
	int made = 0;

	for (size_t i = 0; i < nitems(sizes); i++) {
		make_files(t->in_fd, made, sizes[i], LIM_SEG_BYTES);
		made = sizes[i];
		check_all(__LINE__, t->in_fd, made, LIM_SEG_BYTES, by_bytes);
	}
	tree_empty(t->in_fd);
	made = 0;
	for (int n = LIM_DIR_PAGE - 1; n <= LIM_DIR_PAGE + 1; n++) {
		make_files(t->in_fd, made, n, 7);
		made = n;
		check_all(__LINE__, t->in_fd, made, 7, LIM_DIR_PAGE);
	}
}

/* A folder that tells each name twice, as one that is changed while it is
 * read may: each comes once, in order, none is missed. */
static void
test_doubled(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	char after[LIM_SEG_BYTES + 1] = "";
	int got = 0, count;

	make_files(t->in_fd, 0, 2 * MANY, LIM_SEG_BYTES);
	fake.doubles = true;
	while ((count = store_page_read(p, t->in_fd, after, NULL)) > 0) {
		for (int i = 0; i < count; i++, got++) {
			assert_true(strcmp(store_page_name(p, i), after) > 0);
			strcpy(after, store_page_name(p, i));
		}
	}
	assert_int_equal(count, 0);
	assert_int_equal(got, 2 * MANY);
	store_page_free(p);
}

/* Names come and go between the pages: those that stay are neither missed
 * nor doubled. */
static void
test_changes(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	char after[LIM_SEG_BYTES + 1] = "", name[LIM_SEG_BYTES + 1];
	uint32_t seed = 1;
	int stable = 0, pages = 0, count;

	make_files(t->in_fd, 0, MANY, LIM_SEG_BYTES);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%05u-%0200d-old",
		    tree_random(&seed, 100000), 0);
		tree_write(t->in_fd, name, "");
	}
	while ((count = store_page_read(p, t->in_fd, after, NULL)) > 0) {
		pages++;
		for (int i = 0; i < count; i++) {
			strcpy(name, store_page_name(p, i));
			assert_true(strcmp(name, after) > 0);
			strcpy(after, name);
			if (strlen(name) == LIM_SEG_BYTES)
				stable++;
			else
				unlinkat(t->in_fd, name, 0);
		}
		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "n%05u-%0200d-%s",
			    tree_random(&seed, 100000), 0,
			    i % 2 ? "old" : "new");
			if (unlinkat(t->in_fd, name, 0) == -1)
				tree_write(t->in_fd, name, "");
		}
	}
	assert_int_equal(count, 0);
	assert_int_equal(stable, MANY);
	assert_true(pages > 2);
	store_page_free(p);
}

static void
test_after(void **state)
{
	static const struct {
		int line;
		const char *after;
		const char *want; /* the first name, NULL: none */
	} cases[] = {
		{ __LINE__, "", "B" },
		{ __LINE__, "A", "B" },
		{ __LINE__, "B", "a" },
		{ __LINE__, "Bb", "a" },
		{ __LINE__, "a", "a!" },
		{ __LINE__, "a!", "a-b" },
		{ __LINE__, "a/", "aa" }, /* no name, but has its place */
		{ __LINE__, "a0", "aa" },
		{ __LINE__, "aa", "\xc3\xa4" },
		{ __LINE__, "zzz", "\xc3\xa4" },
		{ __LINE__, "\xc3\xa4", "\xff" },
		{ __LINE__, "\xff", NULL },
		{ __LINE__, "\xff\xff", NULL },
	};
	static const char *const names[] = { "a", "aa", "a!", "a-b", "B",
		"\xc3\xa4", "\xff" };
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	const char *got;
	int n;

	for (size_t i = 0; i < nitems(names); i++)
		tree_write(t->in_fd, names[i], "");
	for (size_t i = 0; i < nitems(cases); i++) {
		n = store_page_read(p, t->in_fd, cases[i].after, NULL);
		assert_true(n >= 0);
		got = n == 0 ? NULL : store_page_name(p, 0);
		if ((got == NULL) != (cases[i].want == NULL) ||
		    (got != NULL && strcmp(got, cases[i].want) != 0))
			fail_line(cases[i].line,
			    "after \"%s\": got %s, want %s", cases[i].after,
			    got == NULL ? "none" : got,
			    cases[i].want == NULL ? "none" : cases[i].want);
	}
	store_page_free(p);
}

static void
make_mixed(int dir_fd, int n)
{
	char name[32];

	tree_mkdir(dir_fd, PATH_RESERVED_NAME);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		tree_write(dir_fd, name, "");
		snprintf(name, sizeof(name), "link%d", i);
		tree_symlink(dir_fd, name, i % 2 ? "file0" : "nowhere");
		snprintf(name, sizeof(name), "dirlink%d", i);
		tree_symlink(dir_fd, name, "/etc");
		if (i % 2 == 0)
			continue;
		snprintf(name, sizeof(name), "fifo%d", i);
		tree_fifo(dir_fd, name);
		snprintf(name, sizeof(name), "dir%d", i);
		tree_mkdir(dir_fd, name);
	}
	tree_socket(dir_fd, "socket");
}

/* What is not served is never there, and counted once a folder, whatever page
 * it is asked with. */
static void
test_skipped(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	struct store_skipped skipped;
	const char *after[] = { "", "file7", "zzzz" };
	int n;

	make_mixed(t->in_fd, 800);
	for (int hide = 0; hide < 2; hide++) {
		fake.hides_types = hide == 1;
		for (size_t i = 0; i < nitems(after); i++) {
			skipped = (struct store_skipped){ .links = 1 };
			n = store_page_read(p, t->in_fd, after[i], &skipped);
			assert_true(n >= 0);
			assert_int_equal(skipped.links, 1 + 1600);
			assert_int_equal(skipped.special, 401);
			assert_int_equal(skipped.unreadable, 0);
			for (int k = 0; k < n; k++)
				assert_true(strncmp(store_page_name(p, k),
						"file", 4) == 0 ||
					    strncmp(store_page_name(p, k),
						"dir", 3) == 0);
		}
		/* 800 files, 400 folders: not a symlink among them. */
		assert_int_equal(store_page_read(p, t->in_fd, "", NULL), 1200);
		assert_false(store_page_has_more(p));
		/* After a name of the page itself. */
		assert_int_equal(
		    store_page_read(p, t->in_fd, store_page_name(p, 399), NULL),
		    800);
		assert_string_equal(store_page_name(p, 0), "file0");
	}
	store_page_free(p);
}

/* What comes after a full page is no more, if it is not served. */
static void
test_more_is_served(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();

	const int full = LIM_DIR_PAGE_BYTES / (LIM_SEG_BYTES + 1);

	make_files(t->in_fd, 0, full, LIM_SEG_BYTES);
	tree_symlink(t->in_fd, "zlink", "x");
	tree_fifo(t->in_fd, "zfifo");
	for (int hide = 0; hide < 2; hide++) {
		fake.hides_types = hide == 1;
		assert_int_equal(store_page_read(p, t->in_fd, "", NULL), full);
		assert_false(store_page_has_more(p));
	}
	store_page_free(p);
}

/* Names of any bytes and of any length; only the reserved one is refused. */
static void
test_names(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	struct store_skipped skipped = { 0 };
	char long_name[LIM_SEG_BYTES + 1];
	int n;

	memset(long_name, 0xfe, LIM_SEG_BYTES);
	long_name[LIM_SEG_BYTES] = '\0';
	tree_write(t->in_fd, long_name, "");
	tree_write(t->in_fd, "\x01\n\x1b[31m", "");
	tree_write(t->in_fd, "...", "");
	tree_write(t->in_fd, ".netpan.", "");
	tree_write(t->in_fd, ".netpa", "");
	tree_write(t->in_fd, "-rf", "");
	tree_write(t->in_fd, "%2e%2e", "");
	tree_write(t->in_fd, "a\\b", "");
	tree_write(t->in_fd, PATH_RESERVED_NAME, "");
	n = store_page_read(p, t->in_fd, "", &skipped);
	assert_int_equal(n, 8);
	assert_string_equal(store_page_name(p, 0), "\x01\n\x1b[31m");
	assert_string_equal(store_page_name(p, 1), "%2e%2e");
	assert_string_equal(store_page_name(p, 2), "-rf");
	assert_string_equal(store_page_name(p, 3), "...");
	assert_string_equal(store_page_name(p, 4), ".netpa");
	assert_string_equal(store_page_name(p, 5), ".netpan.");
	assert_string_equal(store_page_name(p, 6), "a\\b");
	assert_string_equal(store_page_name(p, 7), long_name);
	assert_int_equal(
	    skipped.links + skipped.special + skipped.unreadable, 0);
	store_page_free(p);
}

/* A folder that may be read and not entered: the names are there, what they
 * are is not known where the folder does not tell. */
static void
test_unreadable(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	struct store_skipped skipped = { 0 };
	struct store_meta meta;
	int fd;

	tree_mkdir(t->in_fd, "dir");
	tree_write(t->in_fd, "dir/a", "");
	tree_write(t->in_fd, "dir/b", "");
	assert_int_equal(fchmodat(t->in_fd, "dir", 0444, 0), 0);
	tree_drop_rights();
	fd = openat(t->in_fd, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (tree_tells_types(t->in_fd)) {
		assert_int_equal(store_page_read(p, fd, "", &skipped), 2);
		assert_int_equal(skipped.unreadable, 0);
	}
	assert_int_equal(store_look(fd, "a", &meta), -EACCES);
	fake.hides_types = true;
	assert_int_equal(store_page_read(p, fd, "", &skipped), 0);
	assert_int_equal(skipped.unreadable, 2);
	tree_regain_rights();
	fd_close(&fd);
	store_page_free(p);
}

/* Where a look is needed to know what an entry is, it may be gone by then, or
 * there may be no descriptor to look with. */
static void
test_looks(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	struct store_skipped skipped = { 0 };
	struct rlimit old, low;
	int fd;

	tree_write(t->in_fd, "a", "");
	tree_write(t->in_fd, "b", "");
	tree_write(t->in_fd, "c", "");
	fake.hides_types = true;
	fake.removes = "b";
	assert_int_equal(store_page_read(p, t->in_fd, "", &skipped), 2);
	assert_string_equal(store_page_name(p, 0), "a");
	assert_string_equal(store_page_name(p, 1), "c");
	fake.removes = NULL;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	fd = dup(t->in_fd);
	low.rlim_cur = (rlim_t)fd;
	fd_close(&fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(store_page_read(p, t->in_fd, "", &skipped), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(skipped.unreadable, 0);
	store_page_free(p);
}

static void
test_errors(void **state)
{
	struct tree *t = *state;
	struct store_page *p = store_page_new();
	struct store_skipped skipped = { 0 };
	int fd;

	make_files(t->in_fd, 0, MANY, 10);
	tree_symlink(t->in_fd, "link", "x");

	/* In the middle: the page is empty, nothing is counted. */
	assert_int_equal(store_page_read(p, t->in_fd, "", NULL), MANY);
	fake.calls = 0;
	fake.fails_at = 2;
	assert_int_equal(store_page_read(p, t->in_fd, "", &skipped), -EIO);
	assert_int_equal(fake.calls, 2);
	assert_int_equal(store_page_count(p), 0);
	assert_false(store_page_has_more(p));
	assert_int_equal(skipped.links, 0);
	fake.fails_at = 0;

	fake.interrupts = 5;
	assert_int_equal(store_page_read(p, t->in_fd, "", &skipped), MANY);
	assert_int_equal(skipped.links, 1);

	/* No folder, none that is open, one that is gone. */
	fd = openat(t->in_fd, "n000000000", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(store_page_read(p, fd, "", NULL), -ENOTDIR);
	fd_close(&fd);
	assert_int_equal(store_page_read(p, -1, "", NULL), -EBADF);
	tree_mkdir(t->in_fd, "dir");
	fd = openat(t->in_fd, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(unlinkat(t->in_fd, "dir", AT_REMOVEDIR), 0);
	assert_int_equal(store_page_read(p, fd, "", NULL), -ENOENT);
	fd_close(&fd);
	store_page_free(p);
}

int
main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_sizes),
		TREE_TEST(test_limits),
		TREE_TEST(test_doubled),
		TREE_TEST(test_changes),
		TREE_TEST(test_after),
		TREE_TEST(test_skipped),
		TREE_TEST(test_more_is_served),
		TREE_TEST(test_names),
		TREE_TEST(test_unreadable),
		TREE_TEST(test_looks),
		TREE_TEST(test_errors),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
