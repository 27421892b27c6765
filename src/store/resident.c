#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/store.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* the same number on every architecture */
#endif

#define SAMPLE_BYTES 65536 /* between two bytes that are tried */
#define FETCH_BYTES 65536 /* one read */
#define FETCH_AHEAD (4 * 1024 * 1024) /* asked of the disk at once */

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

int
store_fetch(int fd, uint64_t off, uint64_t len)
{
	char *scratch;
	uint64_t end, ahead = off;
	size_t want;
	ssize_t n = 0;

	if (off > INT64_MAX || len > INT64_MAX - off)
		return -EINVAL;
	scratch = malloc(FETCH_BYTES);
	if (scratch == NULL)
		return -ENOMEM;
	for (end = off + len; off < end; off += (uint64_t)n) {
		if (off >= ahead) {
			/* Only advice: the reads below do the waiting. */
			(void)posix_fadvise(fd, (off_t)off,
			    end - off < FETCH_AHEAD ? (off_t)(end - off)
						    : FETCH_AHEAD,
			    POSIX_FADV_WILLNEED);
			ahead = off + FETCH_AHEAD;
		}
		want = end - off < FETCH_BYTES ? (size_t)(end - off)
					       : FETCH_BYTES;
		n = fd_pread_full(fd, scratch, want, (off_t)off);
		if (n <= 0)
			break;
	}
	free(scratch);
	return n < 0 ? (int)n : 0;
}
