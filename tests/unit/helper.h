/*
 * Typed checks for tables, over cmocka.  A row carries its own __LINE__; a
 * check that fails prints file, that line, the input, what was looked at,
 * what was wanted and what came, and ends the test.  A check is a statement.
 *
 *	CHECK_U64(row->line, row->in, "offset", row->want, got);
 */
#ifndef HELPER_H
#define HELPER_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

#define CHECK_U64(line, in, what, want, got) \
	check_u64(__FILE__, line, in, what, want, got)
#define CHECK_INT(line, in, what, want, got) \
	check_int(__FILE__, line, in, what, want, got)
#define CHECK_STR(line, in, what, want, got) \
	check_str(__FILE__, line, in, what, want, got)
#define CHECK_MEM(line, in, what, want, want_len, got, got_len) \
	check_mem(__FILE__, line, in, what, want, want_len, got, got_len)
#define CHECK(line, in, what, is_so) check_is(__FILE__, line, in, what, is_so)

static inline void
check_failed(const char *file, int line, const char *in, const char *what,
    const char *want, const char *got)
{
	print_error("%s:%d: in: %s\n", file, line, in);
	print_error("%s:%d: %s: want %s\n", file, line, what, want);
	print_error("%s:%d: %s: got  %s\n", file, line, what, got);
	_fail(file, line);
}

static inline void
check_u64(const char *file, int line, const char *in, const char *what,
    uint64_t want, uint64_t got)
{
	char w[32], g[32];

	if (want == got)
		return;
	snprintf(w, sizeof(w), "%" PRIu64, want);
	snprintf(g, sizeof(g), "%" PRIu64, got);
	check_failed(file, line, in, what, w, g);
}

static inline void
check_int(const char *file, int line, const char *in, const char *what,
    intmax_t want, intmax_t got)
{
	char w[32], g[32];

	if (want == got)
		return;
	snprintf(w, sizeof(w), "%" PRIdMAX, want);
	snprintf(g, sizeof(g), "%" PRIdMAX, got);
	check_failed(file, line, in, what, w, g);
}

/* NULL is a value of its own. */
static inline void
check_str(const char *file, int line, const char *in, const char *what,
    const char *want, const char *got)
{
	if (want == got)
		return;
	if (want == NULL || got == NULL || strcmp(want, got) != 0)
		check_failed(file, line, in, what,
		    want == NULL ? "nothing" : want,
		    got == NULL ? "nothing" : got);
}

static inline void
check_hex(char *out, size_t cap, const unsigned char *p, size_t n)
{
	size_t at = (size_t)snprintf(out, cap, "%zu bytes:", n);

	for (size_t i = 0; i < n && at + 4 < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, " %02x", p[i]);
}

static inline void
check_mem(const char *file, int line, const char *in, const char *what,
    const void *want, size_t want_len, const void *got, size_t got_len)
{
	char w[1024], g[1024];

	if (want_len == got_len &&
	    (want_len == 0 || memcmp(want, got, want_len) == 0))
		return;
	check_hex(w, sizeof(w), want, want_len);
	check_hex(g, sizeof(g), got, got_len);
	check_failed(file, line, in, what, w, g);
}

static inline void
check_is(
    const char *file, int line, const char *in, const char *what, bool is_so)
{
	if (!is_so)
		check_failed(file, line, in, what, "so", "not so");
}

/* The bytes in memory of just their size: a step past the end is seen by
 * ASan.  The caller frees it. */
static inline void *
exact_copy(const void *p, size_t len)
{
	void *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, p, len);
	return copy;
}

/* ---- chance that is the same in every run (splitmix64) ---- */

struct rng {
	uint64_t state;
};

static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* 0 to n - 1. */
static inline uint64_t
rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

/* ---- inputs of tests are the seeds of the fuzz targets ---- */

/*
 * With SEEDS=DIR in the environment (fuzz/README.md) an input is also kept as
 * DIR/TARGET/HASH.  Else this does nothing.
 */
static inline void
seed_keep(const char *target, const void *bytes, size_t len)
{
	const char *dir = getenv("SEEDS");
	const unsigned char *p = bytes;
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
	char path[4096];
	FILE *f;

	if (dir == NULL)
		return;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3;
	snprintf(path, sizeof(path), "%s/%s/%016" PRIx64, dir, target, hash);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		abort();
	}
}

#endif
