#include <assert.h>
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
#define KEY_BYTES 8
#define KEY_LEN (2 * KEY_BYTES) /* its hex digits */
static_assert(sizeof(PREFIX) - 1 + KEY_LEN == PART_FILE_LEN, "of the file");
static_assert(PART_FILE_LEN + 1 + KEY_LEN + sizeof(SUFFIX) == PART_NAME_SIZE,
    "of the version");
#define FEED_BYTES (256 * 1024)
#define OPEN_LEFT (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

struct part {
	struct digest *digest;
	struct place place;
	int fd;
	uint64_t size;
	int64_t mtime_ns;
	uint64_t got;
	uint64_t fed; /* of got: what the digest knows */
	bool is_lone; /* of no version: no later run would go on with it */
	char temp[PART_NAME_SIZE];
	char name[LIM_SEG_BYTES + 1];
};

/* the temporary file */
static int temp_open(struct part *);
static int temp_create(const struct part *);
static int temp_rename(const struct part *);
static void temp_unlink(const struct part *);
static int temp_join(struct part *);
static int temp_open_lone(struct part *);
static int temp_hold(int, const char *, struct stat *);
static int temp_open_sealed(int, const char *);
static bool is_ours(int, int, const char *, struct stat *);
static bool has_name(int, int, const char *);
static void key_hex(char *, const void *, size_t);
static bool is_key(const char *);

/* the end */
static int check(const struct part *, const struct train_end *);
static int move_in(struct part *, uint32_t, enum part_how);
static int flush(int);
static void part_free(struct part *);

void
part_name(
    char out[PART_NAME_SIZE], const char *name, uint64_t size, int64_t mtime_ns)
{
	char file[KEY_LEN + 1], version[KEY_LEN + 1];
	unsigned char key[8 + 8];

	memcpy(key, &size, 8);
	memcpy(key + 8, &mtime_ns, 8);
	key_hex(file, name, strlen(name));
	key_hex(version, key, sizeof(key));
	snprintf(out, PART_NAME_SIZE, PREFIX "%s-%s" SUFFIX, file, version);
}

bool
part_is_name(const char *name)
{
	return strlen(name) == PART_NAME_SIZE - 1 &&
	       strncasecmp(name, PREFIX, strlen(PREFIX)) == 0 &&
	       is_key(name + strlen(PREFIX)) && name[PART_FILE_LEN] == '-' &&
	       is_key(name + PART_FILE_LEN + 1) &&
	       strcasecmp(name + PART_FILE_LEN + 1 + KEY_LEN, SUFFIX) == 0;
}

int
part_open(struct part **out, const struct place *place, const char *name,
    uint64_t size, int64_t mtime_ns)
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
	p->fd = -1;
	p->size = size;
	p->mtime_ns = mtime_ns;
	memcpy(p->name, name, strlen(name));
	part_name(p->temp, name, size, mtime_ns);
	p->place.folder = place->folder;
	p->place.fd = fcntl(place->fd, F_DUPFD_CLOEXEC, 3);
	if (p->place.fd == -1) {
		r = -errno;
		goto out;
	}
	p->digest = digest_new(DIGEST_SHA256);
	if (p->digest == NULL)
		goto out;
	r = temp_open(p);
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
part_remove(int dir_fd, const char *temp)
{
	struct stat st;
	int fd;

	fd = temp_hold(dir_fd, temp, &st);
	if (fd != -1)
		unlinkat(dir_fd, temp, 0);
	fd_close(&fd);
}

void
part_keep(struct part *p)
{
	/* nothing to go on from, or nobody to find it */
	if (p != NULL && (p->got == 0 || p->is_lone))
		temp_unlink(p);
	part_free(p);
}

void
part_drop(struct part *p)
{
	if (p != NULL)
		temp_unlink(p);
	part_free(p);
}

/* ---- the temporary file ---- */

static int
temp_open(struct part *p)
{
	p->fd = temp_create(p);
	if (p->fd == -1 && errno != EEXIST)
		return -errno;
	if (p->fd == -1)
		return temp_join(p);
	/* Another process may have locked it before we did, and may have
	 * finished or removed it as well: then it is the target now, or
	 * nothing, and not ours to write.  Where there are no locks nobody else
	 * will join it. */
	if ((flock(p->fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) ||
	    !has_name(p->fd, p->place.fd, p->temp)) {
		fd_close(&p->fd);
		return temp_open_lone(p);
	}
	return 0;
}

/* -1 and errno when it cannot be. */
static int
temp_create(const struct part *p)
{
	unsigned tries = 0;
	int fd;

	do
		fd = openat(p->place.fd, p->temp,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (fd == -1 && errno == EACCES && place_open_up(&p->place, &tries));
	return fd;
}

/* -1 and errno when it cannot be. */
static int
temp_rename(const struct part *p)
{
	unsigned tries = 0;
	int r;

	do
		r = renameat(p->place.fd, p->temp, p->place.fd, p->name);
	while (r == -1 && errno == EACCES && place_open_up(&p->place, &tries));
	return r;
}

static void
temp_unlink(const struct part *p)
{
	unsigned tries = 0;
	int r;

	do
		r = unlinkat(p->place.fd, p->temp, 0);
	while (r == -1 && errno == EACCES && place_open_up(&p->place, &tries));
}

/* Takes over what an earlier run left. */
static int
temp_join(struct part *p)
{
	struct stat st;

	p->fd = temp_hold(p->place.fd, p->temp, &st);
	if (p->fd == -1)
		return temp_open_lone(p);
	p->got = (uint64_t)st.st_size;
	if (p->got > p->size)
		return part_restart(p);
	return 0;
}

/* Random in place of the version: no other run goes on with it, but each can
 * tell which file it was for. */
static int
temp_open_lone(struct part *p)
{
	unsigned char key[KEY_BYTES];
	char *version = p->temp + PART_FILE_LEN + 1;

	p->is_lone = true;
	do {
		fd_close(&p->fd);
		if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
			return -EIO;
		text_hex(version, key, KEY_BYTES);
		memcpy(version + KEY_LEN, SUFFIX, sizeof(SUFFIX));
		p->fd = temp_create(p);
		if (p->fd == -1)
			return -errno;
		/* without a lock, until now, another run may remove it */
		(void)flock(p->fd, LOCK_EX | LOCK_NB);
	} while (!has_name(p->fd, p->place.fd, p->temp));
	return 0;
}

/*
 * Opens and locks what an earlier run left, or -1.  Once it is locked it must
 * still have its name: another process may have finished it in between, and
 * it is the target then.
 */
static int
temp_hold(int dir_fd, const char *temp, struct stat *st)
{
	int fd;

	fd = openat(dir_fd, temp, O_RDWR | OPEN_LEFT);
	if (fd == -1 && errno == EACCES)
		fd = temp_open_sealed(dir_fd, temp);
	if (fd != -1 && !is_ours(fd, dir_fd, temp, st))
		fd_close(&fd);
	return fd;
}

/* A run that ended just before the rename left it with its last mode.  Nobody
 * may hold it: one who is about to rename it wants it to have that mode. */
static int
temp_open_sealed(int dir_fd, const char *temp)
{
	struct stat st;
	int fd;
	bool is_free;

	fd = openat(dir_fd, temp, O_RDONLY | OPEN_LEFT);
	if (fd == -1)
		return -1;
	is_free = is_ours(fd, dir_fd, temp, &st) && fchmod(fd, 0600) == 0;
	fd_close(&fd);
	return is_free ? openat(dir_fd, temp, O_RDWR | OPEN_LEFT) : -1;
}

/* Locks a plain file that only we can have written, that has no second name,
 * and has this one. */
static bool
is_ours(int fd, int dir_fd, const char *temp, struct stat *st)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, st) == 0 &&
	       S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	       st->st_nlink == 1 && has_name(fd, dir_fd, temp);
}

/* Is the open file the one that the name leads to? */
static bool
has_name(int fd, int dir_fd, const char *name)
{
	struct stat st, named;

	return fstat(fd, &st) == 0 &&
	       fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == st.st_dev && named.st_ino == st.st_ino;
}

static void
key_hex(char *out, const void *bytes, size_t len)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	SHA256(bytes, len, sum);
	text_hex(out, sum, KEY_BYTES);
}

static bool
is_key(const char *text)
{
	size_t i;

	for (i = 0; i < KEY_LEN; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return true;
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
move_in(struct part *p, uint32_t mode, enum part_how how)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	int lax, r;

	times[1] = mtime_to_timespec(p->mtime_ns);
	/* a later run must be able to open it if this one ends here */
	lax = fchmod(p->fd, (mode & 0777) | 0400) == -1 ||
	      futimens(p->fd, times) == -1;
	r = how == PART_DURABLE && fsync(p->fd) == -1 ? -errno : flush(p->fd);
	if (r != 0) {
		/* it reads well from memory now, and may be lost on the disk:
		 * nobody may go on with it */
		p->got = 0;
		return r;
	}
	if (temp_rename(p) == -1) {
		int err = errno;

		(void)fchmod(p->fd, 0600);
		return -err;
	}
	if ((mode & 0400) == 0 && fchmod(p->fd, mode & 0777) == -1)
		lax = 1;
	if (how == PART_DURABLE && fsync(p->place.fd) == -1)
		return -errno;
	return lax;
}

/* What close(2) would say, which is where a file system on a network tells that
 * it could not write; the lock stays. */
static int
flush(int fd)
{
	int copy;

	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy == -1)
		return 0; /* no descriptor is left: then it is not asked */
	return close(copy) == -1 ? -errno : 0;
}

static void
part_free(struct part *p)
{
	if (p == NULL)
		return;
	fd_close(&p->fd);
	place_close(&p->place);
	digest_free(p->digest);
	free(p);
}
