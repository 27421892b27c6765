/*
 * How far a transfer is.  Counted by any thread; drawn by one, a few times a
 * second, as the status line.
 */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_SAMPLES 16
#define PROGRESS_LINE_SIZE 2560

struct progress {
	/* counted by any thread */
	_Atomic uint64_t bytes; /* received in this run */
	/* left by an earlier run, less what was dropped: modulo 2^64 */
	_Atomic uint64_t kept;
	_Atomic uint64_t bytes_due; /* the sum that bytes and kept will be */
	_Atomic uint64_t items;
	_Atomic uint64_t items_due; /* 0: items are not counted down */

	/* the drawing thread's */
	const char *label; /* escaped; the caller's */
	bool is_shown;
	uint64_t begun_ms;
	uint64_t drawn_ms;
	struct {
		uint64_t ms, bytes;
	} sample[PROGRESS_SAMPLES]; /* a ring: the rate of the last seconds */
	unsigned n_samples;
};

void progress_init(struct progress *, bool is_shown, const char *label);

/* Draws if the last drawing is long enough ago.  Cheap when not. */
void progress_tick(struct progress *);
/* Draws: what follows may take long without another tick. */
void progress_draw(struct progress *);
void progress_end(struct progress *); /* takes the line away */

uint64_t progress_elapsed_ms(const struct progress *);

/* The line for a terminal so wide: shown columns are fewer than width. */
struct progress_view {
	const char *label;
	uint64_t bytes, bytes_due, items, items_due;
	uint64_t rate; /* bytes a second */
};
void progress_line(
    char out[PROGRESS_LINE_SIZE], unsigned width, const struct progress_view *);

/* "25 ms", "12.3 s", "3:07".  Returns out. */
char *progress_duration(char *out, size_t cap, uint64_t ms);

/* Columns that UTF-8 text takes on a terminal. */
unsigned progress_columns(const char *text);

#endif
