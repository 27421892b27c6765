#include "latency.h"

#include <stdio.h>
#include <time.h>

/* Below 1 << FINE_BITS a bucket is a nanosecond; above, each doubling has
 * 1 << FINE_BITS of them. */
#define FINE_BITS 6
#define FINE (1u << FINE_BITS)

uint64_t
latency_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static unsigned
bucket_of(uint64_t ns)
{
	unsigned shift, i;

	if (ns < FINE)
		return (unsigned)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - FINE_BITS;
	i = (shift + 1) * FINE + ((unsigned)(ns >> shift) & (FINE - 1));
	return i < LATENCY_BUCKETS ? i : LATENCY_BUCKETS - 1;
}

/* The first value that lies above the bucket. */
static uint64_t
bucket_end(unsigned i)
{
	if (i < FINE)
		return i + 1;
	return (uint64_t)(FINE + i % FINE + 1) << (i / FINE - 1);
}

void
latency_add(struct latency *l, uint64_t ns)
{
	l->n++;
	if (ns > l->max_ns)
		l->max_ns = ns;
	l->counts[bucket_of(ns)]++;
}

void
latency_merge(struct latency *to, const struct latency *from)
{
	to->n += from->n;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		to->counts[i] += from->counts[i];
}

double
latency_us(const struct latency *l, double part)
{
	uint64_t seen = 0, end;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += l->counts[i];
		if (seen == 0 || (double)seen < part * (double)l->n)
			continue;
		end = bucket_end(i);
		return (double)(end < l->max_ns ? end : l->max_ns) / 1e3;
	}
	return 0.0;
}

void
latency_print(const struct latency *l)
{
	printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
	       "\"max_us\": %.1f",
	    latency_us(l, 0.5), latency_us(l, 0.99), latency_us(l, 0.999),
	    (double)l->max_ns / 1e3);
}
