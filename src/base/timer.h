/*
 * A timer wheel: deadlines that are set and moved often and seldom expire.
 * Setting, moving and clearing cost a few pointer writes.  A timer fires at
 * or up to one tick (TIMER_TICK_MS) after its deadline.  Pure: the caller
 * tells the time.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define TIMER_TICK_MS 64
#define TIMER_SLOTS 1024 /* one turn: 65 s; later deadlines go round */

struct timer {
	struct link link;
	uint64_t due_ms;
};

struct timer_wheel {
	struct link slot[TIMER_SLOTS];
	uint64_t used[TIMER_SLOTS / 64]; /* a bit for each non-empty slot */
	struct link due; /* taken out of the slots, not yet given */
	uint64_t tick; /* all ticks before this have been run */
	unsigned count; /* timers that are set */
};

void timer_wheel_init(struct timer_wheel *, uint64_t now_ms);
void timer_init(struct timer *);
bool timer_is_set(const struct timer *);

/* Sets or moves. */
void timer_set(struct timer_wheel *, struct timer *, uint64_t due_ms);
/* Fine when it is not set. */
void timer_clear(struct timer_wheel *, struct timer *);

/* Takes out one timer that is due, those of an earlier tick first; NULL when
 * none is (any more). */
struct timer *timer_next_due(struct timer_wheel *, uint64_t now_ms);

/* For epoll_wait: ms until something may be due, -1 when nothing is set.
 * Never too late by more than one tick; may be early. */
int timer_wait_ms(const struct timer_wheel *, uint64_t now_ms);

#endif
