/* netpand's command line: every option at its limits and one past them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/options.h"

#define ARGS_MAX 8

static int
parse(struct options *o, const char *const *args, char *why, int cap)
{
	char *argv[ARGS_MAX + 2] = { (char *)(uintptr_t) "netpand" };
	int argc = 1;

	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	return options_parse(o, argc, argv, why, cap);
}

static void
defaults(void **state)
{
	static const char *const args[] = { "/srv", NULL };
	struct options o;
	char why[256];

	(void)state;
	assert_int_equal(parse(&o, args, why, sizeof(why)), 0);
	assert_int_equal(o.action, OPTIONS_SERVE);
	assert_string_equal(o.dir, "/srv");
	assert_int_equal(o.n_listen, 0);
	assert_int_equal(o.workers, 0);
	assert_int_equal(o.slots, 0);
	assert_int_equal(o.queue, 1024);
	assert_int_equal(o.helpers, 4);
	assert_int_equal(o.hello_ms, LIM_HELLO_MS);
	assert_int_equal(o.request_ms, LIM_REQUEST_MS);
	assert_int_equal(o.idle_ms, LIM_IDLE_MS);
	assert_int_equal(o.rate_window_ms, LIM_RATE_WINDOW_MS);
	assert_int_equal(o.min_rate, LIM_MIN_RATE);
	assert_int_equal(o.drain_ms, 30000);
	assert_int_equal(o.log_level, LOG_INFO);
	assert_false(o.anonymous_read);
	assert_null(o.access_log);
}

static void
numbers_at_their_limits(void **state)
{
	static const struct {
		const char *name;
		size_t field;
		unsigned long long min, max;
		unsigned scale;
	} cases[] = {
#define CASE(name, f, min, max, scale) \
	{ name, offsetof(struct options, f), min, max, scale }
		CASE("--workers", workers, 1, LIM_WORKERS, 1),
		CASE("--slots", slots, 1, LIM_SLOTS, 1),
		CASE("--queue", queue, 1, LIM_QUEUE, 1),
		CASE("--helpers", helpers, 2, LIM_HELPERS, 1),
		CASE("--hello-timeout", hello_ms, 1, 3600, 1000),
		CASE("--request-timeout", request_ms, 1, 3600, 1000),
		CASE("--idle-timeout", idle_ms, 1, 86400, 1000),
		CASE("--rate-window", rate_window_ms, 1, 3600, 1000),
		CASE("--min-rate", min_rate, 0, 1u << 30, 1),
		CASE("--drain-limit", drain_ms, 0, 86400, 1000),
#undef CASE
	};
	struct options o;
	char why[256], text[32];
	unsigned got;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *args[] = { cases[i].name, text, "/srv", NULL };
		const unsigned long long good[] = { cases[i].min,
			cases[i].max };
		const unsigned long long bad[] = { cases[i].min - 1,
			cases[i].max + 1, 1ull << 32, ~0ull };

		for (size_t k = 0; k < 2; k++) {
			snprintf(text, sizeof(text), "%llu", good[k]);
			assert_int_equal(parse(&o, args, why, sizeof(why)), 0);
			memcpy(&got, (char *)&o + cases[i].field, sizeof(got));
			assert_int_equal(got, good[k] * cases[i].scale);
		}
		for (size_t k = 0; k < 4; k++) {
			snprintf(text, sizeof(text), "%llu", bad[k]);
			if (parse(&o, args, why, sizeof(why)) == 0)
				fail_msg("%s %s was taken", args[0], text);
			assert_non_null(strstr(why, args[0]));
		}
	}
}

static void
listeners_at_their_limit(void **state)
{
	char *argv[2 * (LIM_LISTENERS + 1) + 2];
	struct options o;
	char why[256];
	int argc = 0;

	(void)state;
	argv[argc++] = (char *)(uintptr_t) "netpand";
	argv[argc++] = (char *)(uintptr_t) "/srv";
	for (int i = 0; i < LIM_LISTENERS; i++) {
		argv[argc++] = (char *)(uintptr_t) "--listen";
		argv[argc++] = (char *)(uintptr_t) "127.0.0.1:0";
	}
	assert_int_equal(options_parse(&o, argc, argv, why, sizeof(why)), 0);
	assert_int_equal(o.n_listen, LIM_LISTENERS);
	argv[0] = (char *)(uintptr_t) "--listen"; /* and once more */
	memmove(argv + 2, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
	argv[0] = (char *)(uintptr_t) "netpand";
	argv[1] = (char *)(uintptr_t) "--listen=127.0.0.1:1";
	assert_int_equal(
	    options_parse(&o, argc + 1, argv, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "64 times"));
}

static void
words(void **state)
{
	static const struct {
		int line;
		const char *args[ARGS_MAX];
		const char *why; /* NULL: it is taken */
	} cases[] = {
		{ __LINE__, { "/srv", NULL }, NULL },
		{ __LINE__, { "--status", NULL }, NULL },
		{ __LINE__, { "--status=json", NULL }, NULL },
		{ __LINE__, { "--help", NULL }, NULL },
		{ __LINE__, { "--version", NULL }, NULL },
		{ __LINE__, { "--anonymous", "read", "/srv", NULL }, NULL },
		{ __LINE__, { "--log-level", "error", "/srv", NULL }, NULL },
		{ __LINE__, { "--push", "f", "--push-listen", "a:1", NULL },
		    NULL },
		{ __LINE__,
		    { "--push", "f", "--push-listen", "a:1", "/srv", NULL },
		    NULL },
		{ __LINE__, { NULL }, "name the folder" },
		{ __LINE__, { "a", "b", NULL }, "one folder" },
		{ __LINE__, { "--anonymous", "write", "a", NULL }, "read" },
		{ __LINE__, { "--anonymous", "", "a", NULL }, "read" },
		{ __LINE__, { "--log-level", "", "a", NULL }, "error" },
		{ __LINE__, { "--log-level", "INFO", "a", NULL }, "error" },
		{ __LINE__, { "--status=", NULL }, "=json" },
		{ __LINE__, { "--status=text", NULL }, "=json" },
		{ __LINE__, { "--push", "f", NULL }, "together" },
		{ __LINE__, { "--push-listen", "a:1", "b", NULL }, "together" },
		{ __LINE__, { "--workers", "", "a", NULL }, "number" },
		{ __LINE__, { "--workers", " 1", "a", NULL }, "number" },
		{ __LINE__, { "--workers", "+1", "a", NULL }, "number" },
		{ __LINE__, { "--workers", "0x1", "a", NULL }, "number" },
		{ __LINE__, { "--workers", "1.5", "a", NULL }, "number" },
		{ __LINE__, { "--workers", NULL }, "needs a value" },
		{ __LINE__, { "--control", "", "a", NULL }, "--control needs" },
		{ __LINE__, { "--congestion=", "a", NULL },
		    "--congestion needs" },
		{ __LINE__, { "--nothing", "a", NULL }, "no such option" },
		{ __LINE__, { "-x", "a", NULL }, "no such option" },
		{ __LINE__,
		    { "--heartbeat", "100", "--silent-limit", "199", "a",
			NULL },
		    "two heartbeats" },
		{ __LINE__,
		    { "--heartbeat", "100", "--silent-limit", "200", "a",
			NULL },
		    NULL },
	};
	struct options o;
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = parse(&o, cases[i].args, why, sizeof(why));

		if ((r == 0) != (cases[i].why == NULL))
			fail_msg("line %d: got %d %s", cases[i].line, r,
			    r == 0 ? "" : why);
		if (r != 0 && strstr(why, cases[i].why) == NULL)
			fail_msg("line %d: got %s", cases[i].line, why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(numbers_at_their_limits),
		cmocka_unit_test(listeners_at_their_limit),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
