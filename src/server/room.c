#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "server/client_log.h"
#include "server/conn.h"
#include "server/room.h"
#include "server/source.h"
#include "server/worker.h"

#define ROOM_AT_ONCE 64
#define LOOK_MS 50 /* from one look at the table to the next */
/* The master asks again with each heartbeat: what is older is over. */
#define OVER_MS 2000

/* One that may go, and what decides who goes first. */
struct candidate {
	struct conn *conn;
	uint32_t n_idle; /* its source's */
	uint64_t since_ms;
};

static unsigned find(struct worker *, struct candidate *, unsigned cap);
static bool goes_before(const struct candidate *, const struct candidate *);

void
room_wanted(struct worker *w, unsigned n)
{
	w->n_wanted = n < w->slots ? n : w->slots;
	w->wanted_ms = w->now_ms;
	w->room_ms = 0;
}

void
room_make(struct worker *w)
{
	struct candidate first[ROOM_AT_ONCE];
	unsigned n;

	if (w->n_wanted == 0 || w->now_ms < w->room_ms)
		return;
	if (w->n_free > 0 || w->now_ms - w->wanted_ms > OVER_MS) {
		w->n_wanted = 0;
		return;
	}
	w->room_ms = w->now_ms + LOOK_MS;
	n = find(
	    w, first, w->n_wanted < ROOM_AT_ONCE ? w->n_wanted : ROOM_AT_ONCE);
	for (unsigned i = 0; i < n; i++) {
		client_info(first[i].conn, "closed: idle, and others wait");
		conn_drop(first[i].conn);
	}
	board_add(&w->board.mine->made_room, n);
	w->n_wanted -= n;
}

int
room_wait_ms(const struct worker *w, int wait_ms)
{
	if (w->n_wanted == 0 || (wait_ms >= 0 && wait_ms < LOOK_MS))
		return wait_ms;
	return LOOK_MS;
}

/* Of whom most are idle goes first, so that one who has filled the place
 * does not push out those who use it; then who has been idle longest. */
static unsigned
find(struct worker *w, struct candidate *first, unsigned cap)
{
	struct candidate one;
	unsigned n = 0, at;

	for (uint32_t i = 0; i < w->slots; i++)
		if (w->conns[i].source != NULL)
			w->conns[i].source->n_idle = 0;
	for (uint32_t i = 0; i < w->slots; i++)
		if (conn_may_go(&w->conns[i], &one.since_ms))
			w->conns[i].source->n_idle++;
	for (uint32_t i = 0; i < w->slots; i++) {
		one.conn = &w->conns[i];
		if (!conn_may_go(one.conn, &one.since_ms))
			continue;
		one.n_idle = one.conn->source->n_idle;
		for (at = n; at > 0 && goes_before(&one, &first[at - 1]); at--)
			;
		if (at == cap)
			continue;
		if (n < cap)
			n++;
		memmove(&first[at + 1], &first[at],
		    (n - 1 - at) * sizeof(first[0]));
		first[at] = one;
	}
	return n;
}

static bool
goes_before(const struct candidate *a, const struct candidate *b)
{
	if (a->n_idle != b->n_idle)
		return a->n_idle > b->n_idle;
	return a->since_ms < b->since_ms;
}
