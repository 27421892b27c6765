/* Time.  Deadlines are absolute, in ms of the monotonic clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void); /* CLOCK_MONOTONIC */
uint64_t clock_ns(void); /* CLOCK_MONOTONIC */
uint64_t clock_cpu_ns(void); /* CLOCK_THREAD_CPUTIME_ID: while it ran */
/* CLOCK_REALTIME, since the epoch */
int64_t clock_wall_s(void);
int64_t clock_wall_ns(void);

#endif
