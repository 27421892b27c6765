#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/fd.h"
#include "base/text.h"
#include "client/digest.h"
#include "client/mtime.h"
#include "client/part.h"
#include "client/stop.h"
#include "client/target.h"

#define PREFIX ".netpan-"
#define SUFFIX ".part"
#define KEY_BYTES 8 /* 16 hex digits */
#define FEED_BYTES (256 * 1024)

struct part {
	struct digest *digest;
	int dir_fd;
	int fd;
	uint64_t size;
	int64_t mtime_ns;
	uint64_t got;
	uint64_t fed; /* of got: what the digest knows */
	bool is_lone; /* a random name, which no later run would find */
	char temp[PART_NAME_SIZE];
	char name[LIM_SEG_BYTES + 1];
};

/* the temporary file */
static int temp_open(struct part *);
static int temp_join(struct part *);
static int temp_open_lone(struct part *);
static bool has_its_name(const struct part *);
static void name_of_key(char *, const unsigned char *);

/* the end */
static int check(const struct part *, const struct train_end *);
static int move_in(const struct part *, uint32_t, enum part_how);
static void part_free(struct part *);

void
part_name(
    char out[PART_NAME_SIZE], const char *name, uint64_t size, int64_t mtime_ns)
{
	unsigned char key[8 + 8 + LIM_SEG_BYTES], sum[SHA256_DIGEST_LENGTH];
	size_t len = strnlen(name, LIM_SEG_BYTES);

	memcpy(key, &size, 8);
	memcpy(key + 8, &mtime_ns, 8);
	memcpy(key + 16, name, len);
	SHA256(key, 16 + len, sum);
	name_of_key(out, sum);
}

bool
part_is_name(const char *name)
{
	size_t i;

	if (strlen(name) != PART_NAME_SIZE - 1 ||
	    strncasecmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	name += strlen(PREFIX);
	for (i = 0; i < 2 * KEY_BYTES; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return strcasecmp(name + i, SUFFIX) == 0;
}

int
part_open(struct part **out, int dir_fd, const char *name, uint64_t size,
    int64_t mtime_ns)
{
	struct part *p;
	int r = -ENOMEM;

	if (size > INT64_MAX)
		return -EFBIG;
	if (strlen(name) > LIM_SEG_BYTES)
		return -ENAMETOOLONG;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->dir_fd = p->fd = -1;
	p->size = size;
	p->mtime_ns = mtime_ns;
	memcpy(p->name, name, strlen(name));
	part_name(p->temp, name, size, mtime_ns);
	p->digest = digest_new(DIGEST_SHA256);
	if (p->digest == NULL)
		goto out;
	p->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	r = p->dir_fd == -1 ? -errno : temp_open(p);
	if (r == 0) {
		*out = p;
		p = NULL;
	}
out:
	part_free(p);
	return r;
}

uint64_t
part_got(const struct part *p)
{
	return p->got;
}

bool
part_is_for(const struct part *p, uint64_t size, int64_t mtime_ns)
{
	return p->size == size && p->mtime_ns == mtime_ns;
}

int
part_feed(struct part *p, int stop_fd)
{
	unsigned char *piece;
	ssize_t n;
	int r = 0;

	if (p->fed == p->got)
		return 0;
	piece = malloc(FEED_BYTES);
	if (piece == NULL)
		return -ENOMEM;
	while (r == 0 && p->fed < p->got) {
		n = fd_pread_full(p->fd, piece, FEED_BYTES, (off_t)p->fed);
		if (n > 0 && (uint64_t)n <= p->got - p->fed) {
			digest_add(p->digest, piece, (size_t)n);
			p->fed += (uint64_t)n;
		} else {
			r = n < 0 ? (int)n : -EBADMSG;
		}
		if (stop_is_asked(stop_fd))
			r = -EINTR;
	}
	free(piece);
	if (r == 0 && lseek(p->fd, (off_t)p->got, SEEK_SET) == -1)
		r = -errno;
	return r;
}

int
part_restart(struct part *p)
{
	p->got = p->fed = 0;
	digest_begin(p->digest);
	if (ftruncate(p->fd, 0) == -1 || lseek(p->fd, 0, SEEK_SET) == -1)
		return -errno;
	return 0;
}

int
part_write(struct part *p, const void *bytes, size_t len)
{
	ssize_t n;

	if (len > p->size - p->got)
		return -EMSGSIZE;
	digest_add(p->digest, bytes, len);
	n = fd_write_full(p->fd, bytes, len);
	if (n < 0)
		return (int)n;
	p->got += len;
	p->fed += len;
	return 0;
}

int
part_publish(struct part *p, const struct train_end *end, uint32_t mode,
    enum part_how how)
{
	int r;

	r = check(p, end);
	if (r == 0)
		r = move_in(p, mode, how);
	if (r >= 0)
		part_free(p);
	else if (r == -EBADMSG)
		part_drop(p);
	else
		part_keep(p);
	return r;
}

void
part_keep(struct part *p)
{
	/* nothing to go on from, or nobody to find it */
	if (p != NULL && (p->got == 0 || p->is_lone))
		unlinkat(p->dir_fd, p->temp, 0);
	part_free(p);
}

void
part_drop(struct part *p)
{
	if (p != NULL)
		unlinkat(p->dir_fd, p->temp, 0);
	part_free(p);
}

/* ---- the temporary file ---- */

static int
temp_open(struct part *p)
{
	p->fd = openat(p->dir_fd, p->temp,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->fd == -1 && errno != EEXIST)
		return -errno;
	if (p->fd == -1)
		return temp_join(p);
	/* Another process may have locked it before we did, and may have
	 * finished it as well: then it is the target now, and not ours to
	 * write.  Where there are no locks nobody else will join it. */
	if ((flock(p->fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) ||
	    !has_its_name(p)) {
		fd_close(&p->fd);
		return temp_open_lone(p);
	}
	return 0;
}

/* Is the open file the one that the temporary name leads to? */
static bool
has_its_name(const struct part *p)
{
	struct stat st, named;

	return fstat(p->fd, &st) == 0 &&
	       fstatat(p->dir_fd, p->temp, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == st.st_dev && named.st_ino == st.st_ino;
}

/*
 * Takes over what an earlier run left.  It must be a plain file that only we
 * can have written and that has no second name, and still have its name once
 * it is locked: another process may have finished it in between, and it is
 * the target then.
 */
static int
temp_join(struct part *p)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			  O_CLOEXEC;
	struct stat st;

	p->fd = openat(p->dir_fd, p->temp, flags);
	/* a run that ended just before the rename left it with its last mode */
	if (p->fd == -1 && errno == EACCES &&
	    fstatat(p->dir_fd, p->temp, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    target_chmod(p->dir_fd, p->temp, &st, 0600) == 0)
		p->fd = openat(p->dir_fd, p->temp, flags);
	if (p->fd == -1)
		return temp_open_lone(p);
	if (flock(p->fd, LOCK_EX | LOCK_NB) == -1 || fstat(p->fd, &st) == -1 ||
	    !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_nlink != 1 || !has_its_name(p)) {
		fd_close(&p->fd);
		return temp_open_lone(p);
	}
	p->got = (uint64_t)st.st_size;
	if (p->got > p->size)
		return part_restart(p);
	return 0;
}

static int
temp_open_lone(struct part *p)
{
	unsigned char key[KEY_BYTES];

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return -EIO;
	name_of_key(p->temp, key);
	p->is_lone = true;
	p->fd = openat(p->dir_fd, p->temp,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->fd == -1)
		return -errno;
	/* no other run may take it over; a failure harms nobody */
	(void)flock(p->fd, LOCK_EX | LOCK_NB);
	return 0;
}

static void
name_of_key(char *out, const unsigned char *key)
{
	char hex[2 * KEY_BYTES + 1];

	text_hex(hex, key, KEY_BYTES);
	snprintf(out, PART_NAME_SIZE, PREFIX "%s" SUFFIX, hex);
}

/* ---- the end ---- */

static int
check(const struct part *p, const struct train_end *end)
{
	unsigned char sum[DIGEST_MAX];

	if (p->got != p->size || p->fed != p->got || end->size != p->size)
		return -EBADMSG;
	if (digest_end(p->digest, sum) != TRAIN_SHA256_SIZE)
		return -EIO;
	if (memcmp(sum, end->sha256, TRAIN_SHA256_SIZE) != 0)
		return -EBADMSG;
	return 0;
}

static int
move_in(const struct part *p, uint32_t mode, enum part_how how)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	int lax;

	times[1] = mtime_to_timespec(p->mtime_ns);
	lax = fchmod(p->fd, mode & 0777) == -1 || futimens(p->fd, times) == -1;
	if (how == PART_DURABLE && fsync(p->fd) == -1)
		return -errno;
	if (renameat(p->dir_fd, p->temp, p->dir_fd, p->name) == -1) {
		int err = errno;

		(void)fchmod(p->fd, 0600);
		return -err;
	}
	if (how == PART_DURABLE && fsync(p->dir_fd) == -1)
		return -errno;
	return lax;
}

static void
part_free(struct part *p)
{
	if (p == NULL)
		return;
	fd_close(&p->fd);
	fd_close(&p->dir_fd);
	digest_free(p->digest);
	free(p);
}
