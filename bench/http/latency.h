/* How long things took: a histogram whose buckets are 1.6 % wide. */
#ifndef LATENCY_H
#define LATENCY_H

#include <stdint.h>

#define LATENCY_BUCKETS 2304

struct latency {
	uint64_t n;
	uint64_t max_ns;
	uint32_t counts[LATENCY_BUCKETS];
};

uint64_t latency_now_ns(void);

/* More than about 18 minutes count as that. */
void latency_add(struct latency *, uint64_t ns);
void latency_merge(struct latency *to, const struct latency *from);

/* No more than this for that part (0 to 1) of them; 0.0 when there is none. */
double latency_us(const struct latency *, double part);

/* Members of a JSON object: "p50_us" and others, without a comma at the end. */
void latency_print(const struct latency *);

#endif
