/* A file's time as the train says it, in ns since 1970, may be negative. */
#ifndef CLIENT_MTIME_H
#define CLIENT_MTIME_H

#include <stdint.h>
#include <time.h>

/* Whatever a server says, 64 bits of ns are the years 1677 to 2262. */
static inline struct timespec
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

#endif
