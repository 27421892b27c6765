/* One client's lines are bounded, and no client can silence another. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/limits.h"
#include "server/client_log.h"

static const unsigned char alice[16] = { 127, 0, 0, 1 };
static const unsigned char bob[16] = { 127, 0, 0, 2 };

static unsigned
say(struct client_log *l, const unsigned char addr[16], uint64_t second,
    unsigned n, uint32_t *dropped)
{
	unsigned written = 0;
	uint32_t one;

	*dropped = 0;
	while (n-- > 0) {
		written += client_log_may(l, addr, second, &one);
		*dropped += one;
	}
	return written;
}

static void
at_the_limit_and_past_it(void **state)
{
	static struct client_log l;
	uint32_t dropped;

	(void)state;
	assert_int_equal(
	    say(&l, alice, 5, LIM_LOG_LINES, &dropped), LIM_LOG_LINES);
	assert_int_equal(say(&l, alice, 5, 1, &dropped), 0);
	assert_int_equal(say(&l, alice, 5, 41, &dropped), 0);
	assert_int_equal(dropped, 0);
	assert_int_equal(say(&l, bob, 5, 10, &dropped), 10);
	/* the next second: told once, and all is well */
	assert_int_equal(say(&l, alice, 6, 3, &dropped), 3);
	assert_int_equal(dropped, 42);
	assert_int_equal(say(&l, alice, 7, 3, &dropped), 3);
	assert_int_equal(dropped, 0);
}

/* More sources than places: the oldest is forgotten, none is silenced. */
static void
many_sources(void **state)
{
	static struct client_log l;
	unsigned char addr[16] = { 10 };
	uint32_t dropped;

	(void)state;
	say(&l, alice, 1, 2 * LIM_LOG_LINES, &dropped);
	for (unsigned i = 0; i < 10 * CLIENT_LOG_SOURCES; i++) {
		memcpy(addr + 4, &i, sizeof(i));
		assert_int_equal(say(&l, addr, 1, 1, &dropped), 1);
		/* one that goes on writing stays known */
		assert_int_equal(
		    say(&l, bob, 1, 1, &dropped), i < LIM_LOG_LINES);
	}
	assert_int_equal(l.n_sources, CLIENT_LOG_SOURCES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_the_limit_and_past_it),
		cmocka_unit_test(many_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
