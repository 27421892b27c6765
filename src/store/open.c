#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/fd.h"
#include "store/open.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* Retries of an open that a lease holds up: the first ones at once, then
 * after 1, 2, 4 ... 512 ms. */
#define OPEN_TRIES_AT_ONCE 4
#define OPEN_TRIES (OPEN_TRIES_AT_ONCE + 10)

static int open_once(int, const char *, int, enum store_how);
static void open_pause(int);
static int open_error(int, enum store_how);
static int
look(int, const char *, int flags, struct store_meta *, enum open_type *);
static int64_t time_ns(const struct statx_timestamp *);
static enum open_type mode_type(unsigned);

int
open_beneath(int dir_fd, const char *path, int flags, enum store_how how)
{
	int fd;

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = open_once(dir_fd, path, flags, how);
		if (fd >= 0)
			return fd;
		if (fd != -EAGAIN || how == STORE_NOWAIT)
			return open_error(fd, how);
		open_pause(i);
	}
	return -EBUSY;
}

static int
open_once(int dir_fd, const char *path, int flags, enum store_how how)
{
	struct open_how oh = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* What may stall is known of the root only, not of what is mounted
	 * below it. */
	if (how == STORE_NOWAIT)
		oh.resolve |= RESOLVE_CACHED | RESOLVE_NO_XDEV;
	do
		fd = syscall(SYS_openat2, dir_fd, path, &oh, sizeof(oh));
	while (fd == -1 && errno == EINTR);
	return fd == -1 ? -errno : (int)fd;
}

static void
open_pause(int i)
{
	struct timespec ts = { 0 };

	if (i < OPEN_TRIES_AT_ONCE)
		return;
	ts.tv_nsec = 1000000L << (i - OPEN_TRIES_AT_ONCE);
	(void)nanosleep(&ts, NULL);
}

static int
open_error(int error, enum store_how how)
{
	switch (error) {
	case -EXDEV: /* into a mount; waiting it can only be out of the tree */
		return how == STORE_NOWAIT ? -EAGAIN : -ENOENT;
	case -ELOOP: /* a symlink in the way */
	case -ENXIO: /* a socket, a device without a driver */
	case -ENODEV:
	case -ENAMETOOLONG: /* the file system's limit is below ours */
	case -EILSEQ: /* ... or it takes no such bytes */
		return -ENOENT;
	case -EINVAL:
		/* A kernel before 5.12 has no RESOLVE_CACHED; the other flags
		 * were probed, so here it is a name that cannot exist. */
		return how == STORE_NOWAIT ? -EAGAIN : -ENOENT;
	default:
		return error;
	}
}

int
open_meta(int fd, struct store_meta *meta, enum open_type *type)
{
	return look(fd, "", AT_EMPTY_PATH, meta, type);
}

int
open_look_leaf(
    int dir_fd, const char *leaf, struct store_meta *meta, enum open_type *type)
{
	return look(
	    dir_fd, leaf, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, meta, type);
}

static int
look(int fd, const char *name, int flags, struct store_meta *meta,
    enum open_type *type)
{
	struct statx sx;

	if (statx(fd, name, flags, STATX_BASIC_STATS, &sx) == -1)
		return -errno;
	*type = mode_type(sx.stx_mode);
	*meta = (struct store_meta){
		.kind = *type == OPEN_DIR ? STORE_DIR : STORE_FILE,
		.mode = sx.stx_mode & 0777,
		.size = *type == OPEN_DIR ? 0 : sx.stx_size,
		.mtime_ns = time_ns(&sx.stx_mtime),
		.ctime_ns = time_ns(&sx.stx_ctime),
		.ino = sx.stx_ino,
		.dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
	};
	return 0;
}

/* A file system may keep times that 64 bits of ns cannot: the nearest. */
static int64_t
time_ns(const struct statx_timestamp *t)
{
	int64_t ns;

	if (__builtin_mul_overflow(t->tv_sec, INT64_C(1000000000), &ns) ||
	    __builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
		return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static enum open_type
mode_type(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return OPEN_FILE;
	case S_IFDIR:
		return OPEN_DIR;
	case S_IFLNK:
		return OPEN_LINK;
	default:
		return OPEN_SPECIAL;
	}
}

int
open_look(int dir_fd, const char *path, enum store_how how,
    struct store_meta *meta, enum open_type *type)
{
	int fd, r;

	fd = open_beneath(dir_fd, path, OPEN_FLAGS_LOOK, how);
	if (fd < 0)
		return fd;
	r = open_meta(fd, meta, type);
	fd_close(&fd);
	return r;
}

int
open_regular(int dir_fd, const char *path, enum store_how how, int *fd,
    struct store_meta *meta)
{
	enum open_type type;
	int got, r;

	got = open_beneath(dir_fd, path, OPEN_FLAGS_FILE, how);
	if (got < 0)
		return got;
	r = open_meta(got, meta, &type);
	if (r == 0 && type != OPEN_FILE)
		r = -ENOENT;
	if (r == 0)
		*fd = fd_take(&got);
	fd_close(&got);
	return r;
}

int
open_check_served(enum open_type type)
{
	return type == OPEN_FILE || type == OPEN_DIR ? 0 : -ENOENT;
}

int
open_probe(int dir_fd)
{
	int fd = open_once(dir_fd, ".", OPEN_FLAGS_LOOK, STORE_WAIT);

	if (fd == -EPERM) /* how older container filters say ENOSYS */
		return -ENOSYS;
	if (fd < 0)
		return fd;
	fd_close(&fd);
	return 0;
}

bool
open_is_lack(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

int
store_fd_meta(int fd, struct store_meta *meta)
{
	struct store_meta m;
	enum open_type type;
	int r;

	r = open_meta(fd, &m, &type);
	if (r == 0)
		r = open_check_served(type);
	if (r == 0)
		*meta = m;
	return r;
}

int
store_look(int dir_fd, const char *name, struct store_meta *meta)
{
	struct store_meta m;
	enum open_type type;
	int r;

	if (path_check_segment(name, strlen(name)) != PATH_OK)
		return -ENOENT;
	r = open_look(dir_fd, name, STORE_WAIT, &m, &type);
	if (r == 0)
		r = open_check_served(type);
	if (r == 0)
		*meta = m;
	return r;
}

bool
store_meta_same(const struct store_meta *a, const struct store_meta *b)
{
	return a->kind == b->kind && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && a->mtime_ns == b->mtime_ns;
}
