/*
 * How far ahead of a place in a file its pages are known to be in memory.
 * The knowledge is short-lived: the kernel may take them back.
 */
#ifndef SERVER_WINDOW_H
#define SERVER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* As much of a file is made sure to be in memory at once. */
#define WINDOW_BYTES (4 * 1024 * 1024)
/* So long an answer is believed. */
#define WINDOW_MS 1000

struct window {
	uint64_t end; /* what is before it was in memory */
	uint64_t asked_ms;
};

static inline bool
window_covers(const struct window *w, uint64_t pos, uint64_t now_ms)
{
	return pos < w->end && now_ms - w->asked_ms < WINDOW_MS;
}

#endif
