#include <stddef.h>

#include "client/mtime.h"

static struct timespec cut(const struct timespec *, long);
static bool is_equal(const struct timespec *, const struct timespec *);

struct timespec
mtime_to_timespec(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / 1000000000,
		.tv_nsec = ns % 1000000000 };

	if (t.tv_nsec < 0) {
		t.tv_sec--;
		t.tv_nsec += 1000000000;
	}
	return t;
}

bool
mtime_is_kept(
    const struct timespec *mtime, const struct timespec *ctime, int64_t ns)
{
	/* SMB and NTFS, exFAT, FAT */
	static const long grains[] = { 100, 10000000, 2000000000 };
	struct timespec want = mtime_to_timespec(ns), kept;
	size_t i;

	/* whole seconds are also what many who copy files keep */
	if (mtime->tv_sec == want.tv_sec &&
	    (mtime->tv_nsec == want.tv_nsec || mtime->tv_nsec == 0))
		return true;
	for (i = 0; i < sizeof(grains) / sizeof(grains[0]); i++) {
		kept = cut(ctime, grains[i]);
		if (!is_equal(&kept, ctime))
			continue; /* times are kept better than that */
		kept = cut(&want, grains[i]);
		if (is_equal(&kept, mtime))
			return true;
	}
	return false;
}

/* To a multiple of so many ns, downwards; up to 2 s. */
static struct timespec
cut(const struct timespec *t, long grain)
{
	const struct timespec even = { .tv_sec = t->tv_sec & ~(time_t)1 };
	const struct timespec fine = { .tv_sec = t->tv_sec,
		.tv_nsec = t->tv_nsec - t->tv_nsec % grain };

	return grain == 2000000000 ? even : fine;
}

static bool
is_equal(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}
