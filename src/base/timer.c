#include <assert.h>
#include <limits.h>
#include <string.h>

#include "base/timer.h"

/* ---- one slot ---- */
static unsigned slot_of(const struct timer *);
static void mark(struct timer_wheel *, unsigned slot, bool used);
static void slot_run(struct timer_wheel *);
/* ---- the turn ---- */
static unsigned ticks_to_next(const struct timer_wheel *);

/* The first tick at which the deadline has passed. */
static uint64_t
due_tick(uint64_t due_ms)
{
	return due_ms / TIMER_TICK_MS + (due_ms % TIMER_TICK_MS != 0);
}

void
timer_wheel_init(struct timer_wheel *w, uint64_t now_ms)
{
	for (unsigned i = 0; i < TIMER_SLOTS; i++)
		link_init(&w->slot[i]);
	link_init(&w->due);
	memset(w->used, 0, sizeof(w->used));
	w->tick = now_ms / TIMER_TICK_MS;
	w->count = 0;
}

void
timer_init(struct timer *t)
{
	link_init(&t->link);
	t->due_ms = 0;
}

bool
timer_is_set(const struct timer *t)
{
	return link_is_linked(&t->link);
}

void
timer_set(struct timer_wheel *w, struct timer *t, uint64_t due_ms)
{
	timer_clear(w, t);
	t->due_ms = due_ms;
	w->count++;
	if (due_tick(due_ms) < w->tick) {
		link_add_last(&w->due, &t->link);
		return;
	}
	link_add_last(&w->slot[slot_of(t)], &t->link);
	mark(w, slot_of(t), true);
}

void
timer_clear(struct timer_wheel *w, struct timer *t)
{
	if (!timer_is_set(t))
		return;
	link_remove(&t->link);
	w->count--;
	if (!link_is_linked(&w->slot[slot_of(t)]))
		mark(w, slot_of(t), false);
}

struct timer *
timer_next_due(struct timer_wheel *w, uint64_t now_ms)
{
	uint64_t now = now_ms / TIMER_TICK_MS;
	struct timer *t;

	/* After a long pause one turn over all slots finds everything. */
	if (now >= w->tick && now - w->tick >= TIMER_SLOTS)
		w->tick = now - (TIMER_SLOTS - 1);
	while (w->tick <= now && !link_is_linked(&w->due)) {
		slot_run(w);
		w->tick++;
	}
	if (!link_is_linked(&w->due))
		return NULL;
	t = link_entry(w->due.next, struct timer, link);
	timer_clear(w, t);
	return t;
}

int
timer_wait_ms(const struct timer_wheel *w, uint64_t now_ms)
{
	uint64_t at_ms;

	if (w->count == 0)
		return -1;
	if (link_is_linked(&w->due))
		return 0;
	at_ms = (w->tick + ticks_to_next(w)) * TIMER_TICK_MS;
	if (at_ms <= now_ms)
		return 0;
	return at_ms - now_ms > INT_MAX ? INT_MAX : (int)(at_ms - now_ms);
}

static unsigned
slot_of(const struct timer *t)
{
	return (unsigned)(due_tick(t->due_ms) % TIMER_SLOTS);
}

/* used tells in 16 words which slots hold anything. */
static void
mark(struct timer_wheel *w, unsigned slot, bool used)
{
	uint64_t bit = (uint64_t)1 << slot % 64;

	if (used)
		w->used[slot / 64] |= bit;
	else
		w->used[slot / 64] &= ~bit;
}

/* Moves what is due in the present tick's slot; later turns' timers stay. */
static void
slot_run(struct timer_wheel *w)
{
	unsigned i = (unsigned)(w->tick % TIMER_SLOTS);
	struct link *slot = &w->slot[i], *l, *next;
	struct timer *t;

	for (l = slot->next; l != slot; l = next) {
		next = l->next;
		t = link_entry(l, struct timer, link);
		if (due_tick(t->due_ms) > w->tick)
			continue;
		link_remove(l);
		link_add_last(&w->due, l);
	}
	mark(w, i, link_is_linked(slot));
}

/* From the present tick to the next slot that holds anything. */
static unsigned
ticks_to_next(const struct timer_wheel *w)
{
	unsigned slot = (unsigned)(w->tick % TIMER_SLOTS), passed = 0, step;
	uint64_t word;

	while (passed < TIMER_SLOTS) {
		word = w->used[slot / 64] >> slot % 64;
		if (word != 0)
			return passed + (unsigned)__builtin_ctzll(word);
		step = 64 - slot % 64;
		slot = (slot + step) % TIMER_SLOTS;
		passed += step;
	}
	return 0;
}
