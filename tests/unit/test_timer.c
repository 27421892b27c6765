#include "helper.h"

#include <limits.h>

#include "base/timer.h"

#define TURN_MS ((uint64_t)TIMER_TICK_MS * TIMER_SLOTS)

/* A timer fires at its deadline or up to one tick later, never before. */
static void
test_fires_within_a_tick(void **state)
{
	static const struct {
		int line;
		const char *in;
		uint64_t now, due;
	} rows[] = {
		{ __LINE__, "at once", 1000, 1000 },
		{ __LINE__, "a ms from now", 1000, 1001 },
		{ __LINE__, "on a tick", 0, TIMER_TICK_MS },
		{ __LINE__, "just after a tick", 0, TIMER_TICK_MS + 1 },
		{ __LINE__, "just before a tick", 0, TIMER_TICK_MS - 1 },
		{ __LINE__, "the last slot", 0, TURN_MS - TIMER_TICK_MS },
		{ __LINE__, "one turn", 0, TURN_MS },
		{ __LINE__, "one turn and a ms", 5, TURN_MS + 6 },
		{ __LINE__, "three turns", 123456, 123456 + 3 * TURN_MS },
		{ __LINE__, "in the past", 100000, 1 },
		{ __LINE__, "at zero, in the past", 100000, 0 },
	};
	struct timer_wheel w;
	struct timer t;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		uint64_t now = rows[i].now;
		uint64_t late = rows[i].due > now ? rows[i].due : now;

		timer_wheel_init(&w, now);
		timer_init(&t);
		assert_null(timer_next_due(&w, now));
		timer_set(&w, &t, rows[i].due);
		while (timer_next_due(&w, now) == NULL) {
			CHECK(rows[i].line, rows[i].in, "is still set",
			    timer_is_set(&t));
			CHECK(rows[i].line, rows[i].in, "is not late",
			    now < late + TIMER_TICK_MS);
			now++;
		}
		CHECK(rows[i].line, rows[i].in, "is not early",
		    now >= rows[i].due);
		CHECK(rows[i].line, rows[i].in, "is taken out",
		    !timer_is_set(&t));
		CHECK_INT(rows[i].line, rows[i].in, "wait", -1,
		    timer_wait_ms(&w, now));
		assert_null(timer_next_due(&w, now + 10 * TURN_MS));
	}
}

static void
test_cleared_and_moved(void **state)
{
	struct timer_wheel w;
	struct timer t;

	(void)state;
	timer_wheel_init(&w, 5000);
	timer_init(&t);
	timer_clear(&w, &t); /* fine when it is not set */
	timer_set(&w, &t, 6000);
	timer_clear(&w, &t);
	assert_false(timer_is_set(&t));
	assert_int_equal(timer_wait_ms(&w, 5000), -1);
	assert_null(timer_next_due(&w, 7000));

	timer_set(&w, &t, 8000);
	timer_set(&w, &t, 20000);
	assert_null(timer_next_due(&w, 19999));
	assert_ptr_equal(timer_next_due(&w, 20000 + TIMER_TICK_MS), &t);
	assert_null(timer_next_due(&w, 20000 + TIMER_TICK_MS));

	/* What was due and not yet given can still be moved or cleared. */
	timer_set(&w, &t, 1);
	assert_int_equal(timer_wait_ms(&w, 21000), 0);
	timer_set(&w, &t, 30000);
	assert_null(timer_next_due(&w, 21000));
	timer_set(&w, &t, 1);
	timer_clear(&w, &t);
	assert_null(timer_next_due(&w, 22000));
	assert_int_equal(timer_wait_ms(&w, 22000), -1);
}

static void
test_order_is_by_tick(void **state)
{
	struct timer t[4];
	struct timer_wheel w;

	(void)state;
	timer_wheel_init(&w, 0);
	for (size_t i = 0; i < nitems(t); i++)
		timer_init(&t[i]);
	timer_set(&w, &t[3], 2 * TURN_MS);
	timer_set(&w, &t[1], 700);
	timer_set(&w, &t[0], 100);
	timer_set(&w, &t[2], 700);
	for (size_t i = 0; i < nitems(t); i++)
		assert_ptr_equal(timer_next_due(&w, 5 * TURN_MS), &t[i]);
	assert_null(timer_next_due(&w, 5 * TURN_MS));
}

/* One that is given may be set again, also for the past, without an end. */
static void
test_set_again_while_due_are_taken(void **state)
{
	struct timer t[2], *due;
	struct timer_wheel w;

	(void)state;
	timer_wheel_init(&w, 0);
	for (size_t i = 0; i < nitems(t); i++) {
		timer_init(&t[i]);
		timer_set(&w, &t[i], 10);
	}
	due = timer_next_due(&w, 1000);
	assert_ptr_equal(due, &t[0]);
	timer_clear(&w, &t[1]);
	timer_set(&w, due, 2000);
	assert_null(timer_next_due(&w, 1000));
	assert_int_equal(w.count, 1);
	assert_ptr_equal(timer_next_due(&w, 2100), &t[0]);
	assert_int_equal(w.count, 0);
}

static void
test_wait(void **state)
{
	static const struct {
		int line;
		const char *in;
		uint64_t now, due;
		int min, max;
	} rows[] = {
		{ __LINE__, "past", 1000, 0, 0, 0 },
		{ __LINE__, "now", 1000, 1000, 0, TIMER_TICK_MS },
		{ __LINE__, "soon", 1000, 1500, 1, 500 + TIMER_TICK_MS },
		{ __LINE__, "near the turn's end", 64000,
		    64000 + TURN_MS - TIMER_TICK_MS, 1, TURN_MS },
		{ __LINE__, "beyond a turn: early is fine", 0, 10 * TURN_MS, 0,
		    TURN_MS },
		{ __LINE__, "never, nearly", 0, UINT64_MAX, 0, TURN_MS },
	};
	struct timer_wheel w;
	struct timer t;
	int ms;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		timer_wheel_init(&w, rows[i].now);
		assert_null(timer_next_due(&w, rows[i].now));
		timer_init(&t);
		timer_set(&w, &t, rows[i].due);
		ms = timer_wait_ms(&w, rows[i].now);
		CHECK(rows[i].line, rows[i].in, "wait is long enough",
		    ms >= rows[i].min);
		CHECK(rows[i].line, rows[i].in, "wait is short enough",
		    ms <= rows[i].max);
	}
}

/* Two in one slot: what is left in it is still waited for, and not busily. */
static void
test_wait_of_a_shared_slot(void **state)
{
	struct timer a, b, later;
	struct timer_wheel w;
	int ms;

	(void)state;
	timer_wheel_init(&w, 0);
	timer_init(&a);
	timer_init(&b);
	timer_init(&later);
	timer_set(&w, &a, 1000);
	timer_set(&w, &b, 1001);
	timer_set(&w, &later, 30000);
	timer_clear(&w, &a);
	ms = timer_wait_ms(&w, 0);
	assert_in_range(ms, 1, 1001 + TIMER_TICK_MS);
	timer_clear(&w, &b);
	ms = timer_wait_ms(&w, 0);
	assert_in_range(ms, 30000 - TIMER_TICK_MS, 30000 + TIMER_TICK_MS);
	timer_clear(&w, &later);

	timer_set(&w, &a, 1000);
	timer_set(&w, &b, 1000 + TURN_MS);
	assert_ptr_equal(timer_next_due(&w, 1100), &a);
	assert_null(timer_next_due(&w, 1100));
	ms = timer_wait_ms(&w, 1100);
	assert_in_range(ms, TIMER_TICK_MS, TURN_MS);
	assert_ptr_equal(timer_next_due(&w, 1100 + TURN_MS), &b);
}

/* After a long pause everything that was due is given, from every slot. */
static void
test_a_long_pause(void **state)
{
	static struct timer t[TIMER_SLOTS];
	struct timer_wheel w;

	(void)state;
	for (int64_t turns = 1; turns <= 3; turns++)
		for (int64_t early = -1; early <= 1; early++) {
			uint64_t now = (uint64_t)(turns * (int64_t)TURN_MS +
						  early);
			unsigned given = 0;

			timer_wheel_init(&w, 0);
			for (size_t i = 0; i < nitems(t); i++) {
				timer_init(&t[i]);
				timer_set(&w, &t[i], i * TIMER_TICK_MS);
			}
			while (timer_next_due(&w, now) != NULL)
				given++;
			assert_int_equal(given, nitems(t));
		}
}

/*
 * Timers set, moved and cleared by chance, beside a plain array: who
 * only waits as long as the wheel says misses none by more than a tick.
 */
static void
beside_a_plain_array(unsigned n)
{
	static struct timer t[300];
	static bool set[300];
	struct rng rng = { n };
	struct timer_wheel w;
	struct timer *due;
	uint64_t now = 777;
	unsigned fired = 0;
	int ms;

	assert_true(n <= nitems(t));
	timer_wheel_init(&w, now);
	for (unsigned i = 0; i < n; i++) {
		timer_init(&t[i]);
		set[i] = false;
	}
	for (int step = 0; step < 20000; step++) {
		unsigned i = (unsigned)rng_below(&rng, n), count = 0;

		if (rng_below(&rng, 4) == 0) {
			timer_clear(&w, &t[i]);
			set[i] = false;
		} else {
			timer_set(
			    &w, &t[i], now + rng_below(&rng, 2 * TURN_MS));
			set[i] = true;
		}
		ms = timer_wait_ms(&w, now);
		if (rng_below(&rng, 3) == 0 && ms > 0)
			now += (uint64_t)ms;
		else
			now += rng_below(&rng, 50);
		while ((due = timer_next_due(&w, now)) != NULL) {
			assert_true(set[due - t]);
			assert_true(due->due_ms <= now);
			set[due - t] = false;
			fired++;
		}
		for (i = 0; i < n; i++) {
			assert_int_equal(set[i], timer_is_set(&t[i]));
			if (set[i])
				assert_true(t[i].due_ms + TIMER_TICK_MS > now);
			count += set[i];
		}
		assert_int_equal(count, w.count);
	}
	assert_true(fired > 0);
}

static void
test_beside_a_plain_array(void **state)
{
	(void)state;
	beside_a_plain_array(1);
	beside_a_plain_array(2);
	beside_a_plain_array(3);
	beside_a_plain_array(300);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fires_within_a_tick),
		cmocka_unit_test(test_cleared_and_moved),
		cmocka_unit_test(test_order_is_by_tick),
		cmocka_unit_test(test_set_again_while_due_are_taken),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_wait_of_a_shared_slot),
		cmocka_unit_test(test_a_long_pause),
		cmocka_unit_test(test_beside_a_plain_array),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
