#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/store.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* the same number on every architecture */
#endif

#define SAMPLE_BYTES 65536 /* between two bytes that are tried */

/* Older headers have no struct of this call. */
struct cachestat_ask {
	uint64_t off;
	uint64_t len;
};

struct cachestat_got {
	uint64_t cached; /* pages, also those still being read */
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

enum cached { CACHED_ALL, CACHED_SOME, CACHED_UNKNOWN };

/* Linux before 6.5 lacks the call: asked once in a process. */
static _Atomic bool cachestat_is_missing;

static enum cached cached_count(int, uint64_t, uint64_t);
static bool sample_all(int, uint64_t, uint64_t);
static int sample(int, uint64_t);
static int send_to(int null_fd, int fd, uint64_t off, uint64_t len);
static int touch_pages(int fd, uint64_t off, uint64_t end);

bool
store_is_resident(int fd, uint64_t off, uint64_t len)
{
	int r;

	if (len == 0)
		return true;
	if (off > INT64_MAX || len > INT64_MAX - off)
		return false;
	switch (cached_count(fd, off, len)) {
	case CACHED_ALL:
		/* Pages are counted from when their read begins.  Reads end in
		 * order, so the last one speaks for all, where it can. */
		r = sample(fd, off + len - 1);
		return r == 0 || r == -EOPNOTSUPP;
	case CACHED_SOME:
		return false;
	case CACHED_UNKNOWN:
		break;
	}
	return sample_all(fd, off, len);
}

static enum cached
cached_count(int fd, uint64_t off, uint64_t len)
{
	struct cachestat_ask ask = { .off = off, .len = len };
	struct cachestat_got got = { 0 };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (cachestat_is_missing)
		return CACHED_UNKNOWN;
	if (syscall(SYS_cachestat, fd, &ask, &got, 0) == -1) {
		/* EPERM: newer kernels tell it only to who may write the
		 * file.  That is of this file, so it is not remembered. */
		if (errno == ENOSYS)
			cachestat_is_missing = true;
		return CACHED_UNKNOWN;
	}
	return got.cached > (off + len - 1) / page - off / page ? CACHED_ALL
								: CACHED_SOME;
}

/* Where counts are not to be had.  What is not there is begun to be read by
 * asking for it, so this comes second: that may wait for the file system's
 * own blocks. */
static bool
sample_all(int fd, uint64_t off, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += SAMPLE_BYTES)
		if (sample(fd, off + at) != 0)
			return false;
	return sample(fd, off + len - 1) == 0;
}

/* One byte, if it is there without waiting: 0 or -errno. */
static int
sample(int fd, uint64_t at)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	ssize_t n;

	do
		n = preadv2(fd, &iov, 1, (off_t)at, RWF_NOWAIT);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : 0;
}

/*
 * What is sent to nowhere comes into memory as it does for any reader in
 * order: read ahead, in large pieces, and not copied.  (Advice, as by
 * posix_fadvise, brings single pages, which cost twice as much then.)
 */
int
store_fetch(int fd, uint64_t off, uint64_t len)
{
	int null_fd, r;

	if (off > INT64_MAX || len > INT64_MAX - off)
		return -EINVAL;
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	r = send_to(null_fd, fd, off, len);
	fd_close(&null_fd);
	return r == 0 ? 0 : touch_pages(fd, off, off + len);
}

static int
send_to(int null_fd, int fd, uint64_t off, uint64_t len)
{
	off_t pos = (off_t)off;
	ssize_t n;

	while (len > 0) {
		n = sendfile(null_fd, fd, &pos, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : -errno;
		len -= (uint64_t)n;
	}
	return 0;
}

/* Where that cannot be done: one byte of each page. */
static int
touch_pages(int fd, uint64_t off, uint64_t end)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	ssize_t n = 1;
	char byte;

	for (; off < end && n == 1; off += page - off % page)
		n = fd_pread_full(fd, &byte, 1, (off_t)off);
	return n < 0 ? (int)n : 0;
}
