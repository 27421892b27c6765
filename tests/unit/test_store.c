/* The store: what opens, and what does not. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/magic.h>
#include <linux/openat2.h>

#include "base/fd.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* The kernel as a test wants it; linked with --wrap. */
static struct {
	int openat2_errno;
	int openat2_fails; /* so many times; -1: always */
	uint64_t openat2_refuses; /* resolve flags an older kernel lacks */
	int opens; /* of what may be no folder, not to look at it alone */
	uint32_t fs_magic; /* 0: the true one */
} fake;

long __real_syscall(long, ...);
long __wrap_syscall(long, long, long, long, long, long, long);
int __real_fstatfs64(int, struct statfs64 *);
int __wrap_fstatfs64(int, struct statfs64 *);

long
__wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	const struct open_how *how;

	if (nr == SYS_openat2) {
		how = (const struct open_how *)(uintptr_t)c;
		if (fake.openat2_fails != 0) {
			if (fake.openat2_fails > 0)
				fake.openat2_fails--;
			errno = fake.openat2_errno;
			return -1;
		}
		if (how->resolve & fake.openat2_refuses) {
			errno = EINVAL;
			return -1;
		}
		if ((how->flags & (O_PATH | O_DIRECTORY)) == 0)
			fake.opens++;
	}
	return __real_syscall(nr, a, b, c, d, e, f);
}

int
__wrap_fstatfs64(int fd, struct statfs64 *sf)
{
	int r = __real_fstatfs64(fd, sf);

	if (r == 0 && fake.fs_magic != 0)
		sf->f_type = fake.fs_magic;
	return r;
}

static bool
is_fuse(const struct tree *t)
{
	struct statfs sf;

	assert_int_equal(fstatfs(t->in_fd, &sf), 0);
	return sf.f_type == FUSE_SUPER_MAGIC;
}

/* What a caller holds before a call that must not touch it. */
static const struct store_meta untouched = { .size = 4711, .ino = 815 };

static void
check_untouched(int line, int fd, const struct store_meta *meta)
{
	if (fd != -7)
		fail_line(line, "the descriptor was touched: %d", fd);
	if (memcmp(meta, &untouched, sizeof(*meta)) != 0)
		fail_line(line, "the meta was touched");
}

static void
check_open(struct tree *t, int line, const char *path, enum store_how how,
    int want, bool as_dir)
{
	struct path p = tree_path(path);
	struct store_meta meta = untouched, stat_meta;
	int fd = -7, r;

	r = as_dir ? store_open_dir(t->store, &p, how, &fd, &meta)
		   : store_open_file(t->store, &p, how, &fd, &meta);
	if (r != want)
		fail_line(line, "open_%s %s: got %d, want %d",
		    as_dir ? "dir" : "file", path, r, want);
	if (r != 0) {
		check_untouched(line, fd, &meta);
		return;
	}
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(meta.kind, as_dir ? STORE_DIR : STORE_FILE);
	assert_int_equal(store_fd_meta(fd, &stat_meta), 0);
	assert_memory_equal(&meta, &stat_meta, sizeof(meta));
	fd_close(&fd);
}

static void
check_stat(struct tree *t, int line, const char *path, int want)
{
	struct path p = tree_path(path);
	struct store_meta meta = untouched;
	int r;

	r = store_stat(t->store, &p, STORE_WAIT, &meta);
	if (r != want)
		fail_line(line, "stat %s: got %d, want %d", path, r, want);
	if (r != 0)
		check_untouched(line, -7, &meta);
}

static void
make_kinds(struct tree *t)
{
	tree_write(t->out_fd, "secret", "out");
	tree_mkdir(t->in_fd, "dir");
	tree_mkdir(t->in_fd, "dir/sub");
	tree_write(t->in_fd, "file", "hello");
	tree_write(t->in_fd, "empty", "");
	tree_write(t->in_fd, "dir/file", "in");
	tree_write(t->in_fd, "dir/sub/file", "in");
	tree_symlink(t->in_fd, "dangling", "nowhere");
	tree_symlink(t->in_fd, "absolute", "/etc/passwd");
	tree_symlink(t->in_fd, "absdir", "/etc");
	tree_symlink(t->in_fd, "up", "..");
	tree_symlink(t->in_fd, "out", "../out");
	tree_symlink(t->in_fd, "outfile", "../out/secret");
	tree_symlink(t->in_fd, "within", "dir/file");
	tree_symlink(t->in_fd, "withindir", "dir");
	tree_symlink(t->in_fd, "self", "self");
	tree_symlink(t->in_fd, "dot", ".");
	tree_symlink(t->in_fd, "magic", "/proc/self/root/etc/passwd");
	tree_symlink(t->in_fd, "dir/back", "../file");
	tree_fifo(t->in_fd, "fifo");
	tree_socket(t->in_fd, "socket");
	tree_fifo(t->in_fd, "closedfifo");
	assert_int_equal(fchmodat(t->in_fd, "closedfifo", 0, 0), 0);
	tree_write(t->in_fd, "noread", "x");
	tree_mkdir(t->in_fd, "nolist");
	tree_write(t->in_fd, "nolist/file", "x");
	tree_mkdir(t->in_fd, "noenter");
	tree_write(t->in_fd, "noenter/file", "x");
	assert_int_equal(fchmodat(t->in_fd, "noread", 0, 0), 0);
	assert_int_equal(fchmodat(t->in_fd, "nolist", 0111, 0), 0);
	assert_int_equal(fchmodat(t->in_fd, "noenter", 0444, 0), 0);
}

static const struct kind_case {
	int line;
	const char *path;
	int file; /* store_open_file */
	int dir; /* store_open_dir */
	int stat; /* store_stat */
} kind_cases[] = {
	{ __LINE__, "", -EISDIR, 0, 0 },
	{ __LINE__, "file", 0, -ENOTDIR, 0 },
	{ __LINE__, "empty", 0, -ENOTDIR, 0 },
	{ __LINE__, "dir", -EISDIR, 0, 0 },
	{ __LINE__, "dir/file", 0, -ENOTDIR, 0 },
	{ __LINE__, "dir/sub/file", 0, -ENOTDIR, 0 },
	/* with a slash at the end */
	{ __LINE__, "file/", -ENOTDIR, -ENOTDIR, -ENOTDIR },
	{ __LINE__, "dir/", -EISDIR, 0, 0 },
	{ __LINE__, "dir/sub/", -EISDIR, 0, 0 },
	{ __LINE__, "gone/", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "withindir/", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "absdir/", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "out/", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "fifo/", -ENOENT, -ENOENT, -ENOENT },
	/* not there */
	{ __LINE__, "gone", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "dir/gone", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "gone/file", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "file/file", -ENOTDIR, -ENOTDIR, -ENOTDIR },
	{ __LINE__, "File", -ENOENT, -ENOENT, -ENOENT },
	/* a symlink is the leaf */
	{ __LINE__, "dangling", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "absolute", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "absdir", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "up", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "out", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "outfile", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "within", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "withindir", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "self", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "dot", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "magic", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "dir/back", -ENOENT, -ENOENT, -ENOENT },
	/* a symlink is on the way */
	{ __LINE__, "absdir/passwd", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "up/out/secret", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "out/secret", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "withindir/file", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "withindir/sub/file", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "dot/file", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "self/file", -ENOENT, -ENOENT, -ENOENT },
	/* special files */
	{ __LINE__, "fifo", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "socket", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "closedfifo", -ENOENT, -ENOENT, -ENOENT },
	/* with no right to it */
	{ __LINE__, "noread", -EACCES, -ENOTDIR, 0 },
	{ __LINE__, "nolist", -EISDIR, -EACCES, 0 },
	{ __LINE__, "nolist/file", 0, -ENOTDIR, 0 },
	{ __LINE__, "nolist/gone", -ENOENT, -ENOENT, -ENOENT },
	{ __LINE__, "noenter", -EISDIR, 0, 0 },
	{ __LINE__, "noenter/file", -EACCES, -EACCES, -EACCES },
	{ __LINE__, "noenter/gone", -EACCES, -EACCES, -EACCES },
};

static void
test_kinds(void **state)
{
	struct tree *t = *state;
	const struct kind_case *c;

	make_kinds(t);
	tree_drop_rights();
	for (c = kind_cases; c < kind_cases + nitems(kind_cases); c++) {
		check_open(t, c->line, c->path, STORE_WAIT, c->file, false);
		check_open(t, c->line, c->path, STORE_WAIT, c->dir, true);
		check_stat(t, c->line, c->path, c->stat);
		/* What is cached now is told without waiting, the same. */
		if (is_fuse(t))
			continue;
		if (c->file == 0)
			check_open(t, c->line, c->path, STORE_NOWAIT, 0, false);
		if (c->dir == 0)
			check_open(t, c->line, c->path, STORE_NOWAIT, 0, true);
	}
	tree_regain_rights();
}

static void
test_device(void **state)
{
	struct tree *t = *state;

	/* A terminal would become the process's own, a tape would wind. */
	if (mknodat(t->in_fd, "null", S_IFCHR | 0666, makedev(1, 3)) == -1) {
		assert_int_not_equal(getuid(), 0);
		print_message("only root can make a device node\n");
		skip();
	}
	assert_int_equal(
	    mknodat(t->in_fd, "nodriver", S_IFBLK | 0666, makedev(200, 7)), 0);
	check_open(t, __LINE__, "null", STORE_WAIT, -ENOENT, false);
	check_open(t, __LINE__, "null", STORE_WAIT, -ENOENT, true);
	check_stat(t, __LINE__, "null", -ENOENT);
	check_open(t, __LINE__, "nodriver", STORE_WAIT, -ENOENT, false);
	check_open(t, __LINE__, "nodriver", STORE_WAIT, -ENOENT, true);
	check_stat(t, __LINE__, "nodriver", -ENOENT);
}

/* What is no file is not even opened to find that out. */
static void
test_only_files_are_opened(void **state)
{
	static const char *const others[] = { "", "dir", "fifo", "socket",
		"closedfifo", "within", "withindir", "dangling", "gone", "null",
		"fifo/", "file/" };
	struct tree *t = *state;
	struct path p;
	struct store_meta meta;
	int fd = -1;

	make_kinds(t);
	(void)mknodat(t->in_fd, "null", S_IFCHR | 0666, makedev(1, 3));
	fake.opens = 0;
	for (size_t i = 0; i < nitems(others); i++) {
		p = tree_path(others[i]);
		assert_true(
		    store_open_file(t->store, &p, STORE_WAIT, &fd, &meta) < 0);
		assert_true(store_open_file(
				t->store, &p, STORE_NOWAIT, &fd, &meta) < 0);
		(void)store_stat(t->store, &p, STORE_WAIT, &meta);
		if (store_open_dir(t->store, &p, STORE_WAIT, &fd, &meta) == 0)
			fd_close(&fd);
		assert_int_equal(fake.opens, 0);
	}
	check_open(t, __LINE__, "file", STORE_WAIT, 0, false);
	assert_int_equal(fake.opens, 1);
}

static void
test_look(void **state)
{
	static const struct {
		int line;
		const char *name;
		int want;
	} cases[] = {
		{ __LINE__, "file", 0 },
		{ __LINE__, "dir", 0 },
		{ __LINE__, "noread", 0 },
		{ __LINE__, "gone", -ENOENT },
		{ __LINE__, "within", -ENOENT },
		{ __LINE__, "withindir", -ENOENT },
		{ __LINE__, "outfile", -ENOENT },
		{ __LINE__, "dangling", -ENOENT },
		{ __LINE__, "fifo", -ENOENT },
		{ __LINE__, "socket", -ENOENT },
		/* not one leaf name */
		{ __LINE__, "", -ENOENT },
		{ __LINE__, ".", -ENOENT },
		{ __LINE__, "..", -ENOENT },
		{ __LINE__, "/", -ENOENT },
		{ __LINE__, "dir/", -ENOENT },
		{ __LINE__, "dir/file", -ENOENT },
		{ __LINE__, "/etc/passwd", -ENOENT },
		{ __LINE__, "../out", -ENOENT },
		{ __LINE__, PATH_RESERVED_NAME, -ENOENT },
	};
	struct tree *t = *state;
	struct store_meta meta;
	int r;

	make_kinds(t);
	tree_mkdir(t->in_fd, PATH_RESERVED_NAME);
	tree_drop_rights();
	for (size_t i = 0; i < nitems(cases); i++) {
		meta = untouched;
		r = store_look(t->in_fd, cases[i].name, &meta);
		if (r != cases[i].want)
			fail_line(cases[i].line, "look %s: got %d, want %d",
			    cases[i].name, r, cases[i].want);
		if (r != 0)
			check_untouched(cases[i].line, -7, &meta);
	}
	tree_regain_rights();
}

static void
test_meta(void **state)
{
	struct tree *t = *state;
	struct path p = tree_path("file");
	struct store_meta meta;
	struct stat st;

	tree_write(t->in_fd, "file", "hello");
	assert_int_equal(fchmodat(t->in_fd, "file", 06640, 0), 0);
	tree_set_mtime(t->in_fd, "file", 1234567890);
	assert_int_equal(fstatat(t->in_fd, "file", &st, 0), 0);
	assert_int_equal(store_stat(t->store, &p, STORE_WAIT, &meta), 0);
	assert_int_equal(meta.kind, STORE_FILE);
	assert_int_equal(meta.mode, 0640);
	assert_int_equal(meta.size, 5);
	assert_int_equal(meta.mtime_ns, INT64_C(1234567890000000000));
	assert_int_equal(meta.ctime_ns,
	    st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec);
	assert_int_equal(meta.ino, st.st_ino);
	assert_int_equal(meta.dev, st.st_dev);

	path_init(&p);
	assert_int_equal(store_stat(t->store, &p, STORE_WAIT, &meta), 0);
	assert_int_equal(meta.kind, STORE_DIR);
	assert_int_equal(meta.mode, 0755);
	assert_int_equal(meta.size, 0);
}

/* Times that do not fit into 64 bits of ns become the nearest that do. */
static void
test_meta_times(void **state)
{
	static const int64_t secs[] = { 0, 1, -1, -2000000000,
		INT64_C(4102444800), INT64_C(9223372035), INT64_C(9223372037),
		INT64_C(13569465600), -INT64_C(9223372038), INT64_C(1) << 60 };
	struct tree *t = *state;
	struct path p = tree_path("file");
	struct store_meta meta;
	struct stat st;
	__extension__ __int128 want;

	tree_write(t->in_fd, "file", "hello");
	for (size_t i = 0; i < nitems(secs); i++) {
		/* The file system may know fewer times than asked for. */
		tree_set_mtime(t->in_fd, "file", secs[i]);
		assert_int_equal(fstatat(t->in_fd, "file", &st, 0), 0);
		want = st.st_mtim.tv_sec;
		want = want * 1000000000 + st.st_mtim.tv_nsec;
		want = want > INT64_MAX ? INT64_MAX : want;
		want = want < INT64_MIN ? INT64_MIN : want;
		assert_int_equal(
		    store_stat(t->store, &p, STORE_WAIT, &meta), 0);
		assert_true(meta.mtime_ns == (int64_t)want);
	}
}

static void
test_meta_same(void **state)
{
	const struct store_meta a = { .kind = STORE_FILE,
		.mode = 0644,
		.size = 1,
		.mtime_ns = 2,
		.ctime_ns = 3,
		.ino = 4,
		.dev = 5 };
	struct store_meta b = a;

	(void)state;
	assert_true(store_meta_same(&a, &b));
	b.ctime_ns++;
	b.mode = 0600;
	assert_true(store_meta_same(&a, &b));
	b = a, b.kind = STORE_DIR;
	assert_false(store_meta_same(&a, &b));
	b = a, b.size++;
	assert_false(store_meta_same(&a, &b));
	b = a, b.mtime_ns++;
	assert_false(store_meta_same(&a, &b));
	b = a, b.ino++;
	assert_false(store_meta_same(&a, &b));
	b = a, b.dev++;
	assert_false(store_meta_same(&a, &b));
}

/* Any bytes but / and NUL, up to 255 of them. */
static void
test_names(void **state)
{
	struct tree *t = *state;
	char long_name[LIM_SEG_BYTES + 1], one[2] = "";
	struct path p;

	memset(long_name, 'n', LIM_SEG_BYTES);
	long_name[LIM_SEG_BYTES] = '\0';
	tree_write(t->in_fd, long_name, "x");
	check_open(t, __LINE__, long_name, STORE_WAIT, 0, false);
	long_name[LIM_SEG_BYTES - 1] = '\0';
	check_open(t, __LINE__, long_name, STORE_WAIT, -ENOENT, false);
	for (int c = 1; c < 256; c++) {
		one[0] = (char)c;
		if (c == '/' || c == '.')
			continue;
		tree_write(t->in_fd, one, "x");
		check_open(t, __LINE__, one, STORE_WAIT, 0, false);
	}
	tree_write(t->in_fd, "...", "x");
	check_open(t, __LINE__, "...", STORE_WAIT, 0, false);

	/* The reserved name has no path, at any depth. */
	path_init(&p);
	assert_int_equal(path_push(&p, PATH_RESERVED_NAME, 7), PATH_RESERVED);
	p = tree_path("a/b");
	assert_int_equal(path_push(&p, PATH_RESERVED_NAME, 7), PATH_RESERVED);
}

/* The deepest and the longest path. */
static void
test_deep(void **state)
{
	struct tree *t = *state;
	char name[LIM_SEG_BYTES + 1];
	struct path p;
	struct store_meta meta;
	int fd = dup(t->in_fd), sub_fd;

	path_init(&p);
	for (int i = 0; i < LIM_PATH_SEGS; i++) {
		assert_int_equal(path_push(&p, "d", 1), PATH_OK);
		tree_mkdir(fd, "d");
		sub_fd = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(sub_fd >= 0);
		fd_close(&fd);
		fd = sub_fd;
	}
	fd_close(&fd);
	assert_int_equal(store_stat(t->store, &p, STORE_WAIT, &meta), 0);
	assert_int_equal(
	    store_open_dir(t->store, &p, STORE_WAIT, &fd, &meta), 0);
	fd_close(&fd);

	memset(name, 'n', LIM_SEG_BYTES);
	name[LIM_SEG_BYTES] = '\0';
	path_init(&p);
	fd = dup(t->in_fd);
	while (path_push(&p, name, LIM_SEG_BYTES) == PATH_OK) {
		tree_mkdir(fd, name);
		sub_fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(sub_fd >= 0);
		fd_close(&fd);
		fd = sub_fd;
	}
	fd_close(&fd);
	assert_int_equal(p.len, LIM_PATH_BYTES);
	assert_int_equal(
	    store_open_dir(t->store, &p, STORE_WAIT, &fd, &meta), 0);
	fd_close(&fd);
}

static void
test_new(void **state)
{
	static const int flags[] = { O_RDONLY, O_RDONLY | O_DIRECTORY,
		O_PATH | O_DIRECTORY };
	static const char *const paths[] = { "file", "dir", "dir" };
	static const int wants[] = { -ENOTDIR, 0, -EBADF };
	struct tree *t = *state;
	struct store *s;
	int fd, r;

	tree_write(t->in_fd, "file", "x");
	tree_mkdir(t->in_fd, "dir");
	for (size_t i = 0; i < nitems(wants); i++) {
		s = NULL;
		fd = openat(t->in_fd, paths[i], flags[i] | O_CLOEXEC);
		assert_true(fd >= 0);
		r = store_new(&s, fd);
		assert_int_equal(r, wants[i]);
		assert_int_equal(s != NULL, r == 0);
		/* Taken on every path. */
		store_free(s);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
	s = NULL;
	assert_int_equal(store_new(&s, -1), -EBADF);
	assert_null(s);
	store_free(NULL);
}

static void
test_open_root(void **state)
{
	struct tree *t = *state;
	char path[512];
	int fd;

	tree_write(t->in_fd, "file", "x");
	tree_symlink(t->top_fd, "link", "in");
	snprintf(path, sizeof(path), "%s/in", t->dir);
	fd = store_open_root(path);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	fd_close(&fd);
	/* The operator's own path is followed. */
	snprintf(path, sizeof(path), "%s/link", t->dir);
	fd = store_open_root(path);
	assert_true(fd >= 0);
	fd_close(&fd);
	snprintf(path, sizeof(path), "%s/in/file", t->dir);
	assert_int_equal(store_open_root(path), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/gone", t->dir);
	assert_int_equal(store_open_root(path), -ENOENT);
	assert_int_equal(store_open_root(""), -ENOENT);
}

/* A kernel or a filter without openat2: no way in, and no other is tried. */
static void
test_no_openat2(void **state)
{
	static const int errors[] = { ENOSYS, EPERM };
	struct tree *t = *state;
	struct store *s = NULL;
	int fd;

	for (size_t i = 0; i < nitems(errors); i++) {
		fd = dup(t->in_fd);
		fake.openat2_errno = errors[i];
		fake.openat2_fails = -1;
		assert_int_equal(store_new(&s, fd), -ENOSYS);
		fake.openat2_fails = 0;
		assert_null(s);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
}

static void
test_nowait(void **state)
{
	struct tree *t = *state;

	if (is_fuse(t)) {
		print_message("FUSE promises nothing\n");
		skip();
	}
	tree_write(t->in_fd, "file", "x");
	check_open(t, __LINE__, "file", STORE_NOWAIT, 0, false);
	/* A name that nobody asked for yet is not known without a look. */
	check_open(t, __LINE__, "never", STORE_NOWAIT, -EAGAIN, false);
	check_open(t, __LINE__, "never", STORE_NOWAIT, -EAGAIN, true);
	check_open(t, __LINE__, "never", STORE_WAIT, -ENOENT, false);

	/* Linux before 5.12. */
	fake.openat2_refuses = RESOLVE_CACHED;
	check_open(t, __LINE__, "file", STORE_NOWAIT, -EAGAIN, false);
	check_open(t, __LINE__, "file", STORE_WAIT, 0, false);
	fake.openat2_refuses = 0;
}

/* On a file system that asks a server, nothing is promised. */
static void
test_nowait_remote(void **state)
{
	static const struct {
		int line;
		uint32_t magic;
		int want;
	} cases[] = {
		{ __LINE__, EXT4_SUPER_MAGIC, 0 },
		{ __LINE__, XFS_SUPER_MAGIC, 0 },
		{ __LINE__, BTRFS_SUPER_MAGIC, 0 },
		{ __LINE__, TMPFS_MAGIC, 0 },
		{ __LINE__, FUSE_SUPER_MAGIC, -EAGAIN },
		{ __LINE__, NFS_SUPER_MAGIC, -EAGAIN },
		{ __LINE__, CEPH_SUPER_MAGIC, -EAGAIN },
		{ __LINE__, CIFS_SUPER_MAGIC, -EAGAIN },
		{ __LINE__, SMB2_SUPER_MAGIC, -EAGAIN },
		{ __LINE__, V9FS_MAGIC, -EAGAIN },
	};
	struct tree *t = *state;
	struct store *s = t->store;
	struct path p = tree_path("file");
	struct store_meta meta;

	tree_write(t->in_fd, "file", "x");
	for (size_t i = 0; i < nitems(cases); i++) {
		fake.fs_magic = cases[i].magic;
		assert_int_equal(store_new(&t->store, dup(t->in_fd)), 0);
		fake.fs_magic = 0;
		assert_int_equal(store_may_stall(t->store), cases[i].want != 0);
		check_open(t, cases[i].line, "file", STORE_NOWAIT,
		    cases[i].want, false);
		check_open(
		    t, cases[i].line, "", STORE_NOWAIT, cases[i].want, true);
		assert_int_equal(store_stat(t->store, &p, STORE_NOWAIT, &meta),
		    cases[i].want);
		check_open(t, cases[i].line, "file", STORE_WAIT, 0, false);
		store_free(t->store);
	}
	t->store = s;
}

/* What the kernel may say, and what a caller hears. */
static void
test_errors(void **state)
{
	static const struct {
		int line, error;
		int wait, nowait;
	} cases[] = {
		{ __LINE__, ENOENT, -ENOENT, -ENOENT },
		{ __LINE__, ELOOP, -ENOENT, -ENOENT },
		{ __LINE__, EXDEV, -ENOENT, -EAGAIN },
		{ __LINE__, ENXIO, -ENOENT, -ENOENT },
		{ __LINE__, ENODEV, -ENOENT, -ENOENT },
		{ __LINE__, ENAMETOOLONG, -ENOENT, -ENOENT },
		{ __LINE__, EILSEQ, -ENOENT, -ENOENT },
		{ __LINE__, EINVAL, -ENOENT, -EAGAIN },
		{ __LINE__, EAGAIN, -EBUSY, -EAGAIN },
		{ __LINE__, EACCES, -EACCES, -EACCES },
		{ __LINE__, EMFILE, -EMFILE, -EMFILE },
		{ __LINE__, ENFILE, -ENFILE, -ENFILE },
		{ __LINE__, EIO, -EIO, -EIO },
		{ __LINE__, ESTALE, -ESTALE, -ESTALE },
		{ __LINE__, ENOMEM, -ENOMEM, -ENOMEM },
	};
	struct tree *t = *state;

	tree_write(t->in_fd, "file", "x");
	for (size_t i = 0; i < nitems(cases); i++) {
		fake.openat2_errno = cases[i].error;
		fake.openat2_fails = -1;
		check_open(
		    t, cases[i].line, "file", STORE_WAIT, cases[i].wait, false);
		check_open(t, cases[i].line, "file", STORE_NOWAIT,
		    cases[i].nowait, false);
		fake.openat2_fails = 0;
	}
	/* What passes is waited for, what is interrupted is begun again. */
	fake.openat2_errno = EAGAIN;
	fake.openat2_fails = 3;
	check_open(t, __LINE__, "file", STORE_WAIT, 0, false);
	assert_int_equal(fake.openat2_fails, 0);
	fake.openat2_errno = EINTR;
	fake.openat2_fails = 100;
	check_open(t, __LINE__, "file", STORE_NOWAIT, 0, false);
	assert_int_equal(fake.openat2_fails, 0);
}

/* A child that holds a write lease on in/file, until it is asked to let go
 * (when it obeys: by dying of SIGIO). */
static pid_t
lease_holder(struct tree *t, bool obeys)
{
	char ok = 'n';
	int ready[2], fd;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGIO, obeys ? SIG_DFL : SIG_IGN);
		fd = openat(t->in_fd, "file", O_RDWR | O_CLOEXEC);
		ok = fcntl(fd, F_SETLEASE, F_WRLCK) == 0 ? 'y' : 'n';
		if (write(ready[1], &ok, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	fd_close(&ready[1]);
	assert_int_equal(fd_read_full(ready[0], &ok, 1), 1);
	fd_close(&ready[0]);
	assert_int_equal(ok, 'y');
	return pid;
}

static void
test_lease(void **state)
{
	struct tree *t = *state;
	pid_t pid;
	int status;

	tree_write(t->in_fd, "file", "x");
	pid = lease_holder(t, true);
	/* To look breaks no lease. */
	check_stat(t, __LINE__, "file", 0);
	check_open(t, __LINE__, "file", STORE_WAIT, 0, false);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGIO);

	pid = lease_holder(t, false);
	check_open(t, __LINE__, "file", STORE_NOWAIT, -EAGAIN, false);
	check_open(t, __LINE__, "file", STORE_WAIT, -EBUSY, false);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* In a namespace that has a file system mounted on in/mnt: 0 when it is
 * served, and by NOWAIT never, however well it is known. */
static int
check_mounted(struct tree *t)
{
	struct path file = tree_path("mnt/file"), mnt = tree_path("mnt");
	struct store_meta meta;
	int fd = -1;

	/* Opened anew, as a descriptor stays with its namespace. */
	if (store_new(&t->store, store_open_root("in")) != 0)
		return 1;
	if (store_open_file(t->store, &file, STORE_WAIT, &fd, &meta) != 0)
		return 2;
	if (store_open_file(t->store, &file, STORE_NOWAIT, &fd, &meta) !=
	    -EAGAIN)
		return 3;
	if (store_open_dir(t->store, &mnt, STORE_WAIT, &fd, &meta) != 0)
		return 4;
	if (store_open_dir(t->store, &mnt, STORE_NOWAIT, &fd, &meta) != -EAGAIN)
		return 5;
	return 0;
}

/* A file system that is mounted in the tree belongs to it. */
static void
test_mount(void **state)
{
	struct tree *t = *state;
	int status;
	pid_t pid;

	tree_mkdir(t->in_fd, "mnt");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) == -1 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
		    chdir(t->dir) == -1 ||
		    mount("none", "in/mnt", "tmpfs", 0, NULL) == -1)
			_exit(77);
		tree_write(AT_FDCWD, "in/mnt/file", "x");
		_exit(check_mounted(t));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("this user may not mount\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_emfile(void **state)
{
	struct tree *t = *state;
	struct rlimit old, low;
	int fd;

	tree_write(t->in_fd, "file", "x");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	fd = dup(t->in_fd);
	low.rlim_cur = (rlim_t)fd;
	fd_close(&fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	check_open(t, __LINE__, "file", STORE_WAIT, -EMFILE, false);
	check_open(t, __LINE__, "", STORE_WAIT, -EMFILE, true);
	check_stat(t, __LINE__, "file", -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	check_open(t, __LINE__, "file", STORE_WAIT, 0, false);
}

int
main(void)
{
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_kinds),
		TREE_TEST(test_device),
		TREE_TEST(test_only_files_are_opened),
		TREE_TEST(test_look),
		TREE_TEST(test_meta),
		TREE_TEST(test_meta_times),
		cmocka_unit_test(test_meta_same),
		TREE_TEST(test_names),
		TREE_TEST(test_deep),
		TREE_TEST(test_new),
		TREE_TEST(test_open_root),
		TREE_TEST(test_no_openat2),
		TREE_TEST(test_nowait),
		TREE_TEST(test_nowait_remote),
		TREE_TEST(test_errors),
		TREE_TEST(test_lease),
		TREE_TEST(test_mount),
		TREE_TEST(test_emfile),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
