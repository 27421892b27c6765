/* What is shown of the board fits where it is said to fit, and says it. */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "server/metrics.h"

static struct board master, worker, look;
static char mem[METRICS_ROOM + 1];

static struct buf
fresh(size_t cap)
{
	struct buf b;

	memset(mem, 0, sizeof(mem));
	buf_init(&b, mem, cap);
	return b;
}

static int
set_up(void **state)
{
	(void)state;
	return board_new(&master) != 0 ||
	       board_open(&worker, dup(master.write_fd), dup(master.read_fd),
		   1) != 0 ||
	       board_open(&look, -1, dup(master.read_fd), 0) != 0;
}

static int
tear_down(void **state)
{
	(void)state;
	board_close(&look);
	board_close(&worker);
	board_close(&master);
	return 0;
}

static void
publish(unsigned n_workers, enum fdpool_worker_state state)
{
	struct board_pool *p = &master.now;

	p->published_ms = 61000;
	p->started_ms = 1000;
	p->started_s = 1795000000;
	p->pid = 4711;
	p->draining = 0;
	p->n_workers = n_workers;
	memset(&p->total, 0, sizeof(p->total));
	p->total.lost = 21;
	p->total.restarted = 22;
	for (unsigned i = 0; i < n_workers; i++)
		p->row[i] = (struct board_row){
			.state = state,
			.pid = 100 + i,
			.slots = 8,
			.counts = { .held = 1 },
		};
	board_publish(&master);
}

static void
what_was_counted_is_shown(void **state)
{
	static const char *const status[] = {
		"\"pid\": 4711, \"started\": 1795000000, \"uptime\": 60,"
		" \"draining\": false",
		"\"total\": {\"free\": 0, \"in_flight\": 0, \"held\": 0,"
		" \"queued\": 0, \"stuck\": 0, \"given\": 0, \"taken\": 0, "
		"\"done\": 0,"
		" \"lost\": 21, \"given_again\": 0, \"refused\": 0,"
		" \"restarted\": 22}",
		"\"slots\": 16, \"open\": 3, \"connections\": 9",
		"\"train_requests\": {\"get\": 0, \"tree\": 4, \"list\": 0}",
		"\"methods\": {\"get\": 1, \"head\": 2,",
		"\"304\": 1,",
		"\"404\": 1,",
		"\"5xx\": 1, \"other\": 0}",
		"\"duration_us\": 1700060",
		"\"50\": 0, \"100\": 1,",
		"\"2000000\": 1,",
		"{\"worker\": 1, \"state\": \"ready\", \"pid\": 101,"
		" \"slots\": 8, \"free\": 0, \"in_flight\": 0, \"held\": 1,",
		"\"open\": 3, \"connections\": 9, \"requests\": 3,",
	};
	static const char *const prometheus[] = {
		"# TYPE netpan_pool_free gauge\nnetpan_pool_free 0\n",
		"# TYPE netpan_pool_lost_total counter\n",
		"\nnetpan_pool_lost_total 21\n",
		"netpan_start_time_seconds 1795000000\n",
		"netpan_slots 16\n",
		"netpan_connections 3\n",
		"netpan_connections_total 9\n",
		"netpan_train_requests_total{type=\"tree\"} 4\n",
		"netpan_requests_total{status=\"304\"} 1\n",
		"netpan_requests_total{status=\"4xx\"} 0\n",
		"netpan_method_requests_total{method=\"head\"} 2\n",
		"netpan_request_duration_seconds_bucket{le=\"5e-05\"} 0\n",
		"netpan_request_duration_seconds_bucket{le=\"0.0001\"} 1\n",
		"netpan_request_duration_seconds_bucket{le=\"1\"} 2\n",
		"netpan_request_duration_seconds_bucket{le=\"60\"} 3\n",
		"netpan_request_duration_seconds_bucket{le=\"+Inf\"} 3\n",
		"netpan_request_duration_seconds_sum 1.700060\n",
		"netpan_request_duration_seconds_count 3\n",
		"netpan_worker_ready{worker=\"1\"} 1\n",
		"netpan_worker_connections{worker=\"0\"} 0\n",
		"netpan_worker_connections{worker=\"1\"} 3\n",
		"netpan_worker_requests_total{worker=\"1\"} 3\n",
	};
	struct buf out;

	(void)state;
	publish(2, FDPOOL_READY);
	board_set(&worker.mine->open, 3);
	board_add(&worker.mine->connections, 9);
	board_add(&worker.mine->train_requests[BOARD_TRAIN_TREE], 4);
	board_count_request(worker.mine, BOARD_GET, 404, 60);
	board_count_request(worker.mine, BOARD_HEAD, 304, 500000);
	board_count_request(worker.mine, BOARD_HEAD, 507, 1200000);

	out = fresh(METRICS_ROOM);
	assert_int_equal(metrics_status(&out, &look, 61000), 0);
	for (size_t i = 0; i < nitems(status); i++)
		CHECK(__LINE__, mem, status[i], strstr(mem, status[i]) != NULL);
	out = fresh(METRICS_ROOM);
	assert_int_equal(metrics_prometheus(&out, &look, 61000), 0);
	for (size_t i = 0; i < nitems(prometheus); i++)
		CHECK(__LINE__, mem, prometheus[i],
		    strstr(mem, prometheus[i]) != NULL);
}

/* What it left in its place when it died is not open any more. */
static void
the_dead_have_nothing_open(void **state)
{
	static const struct {
		int line;
		enum fdpool_worker_state state;
		const char *want;
	} rows[] = {
		{ __LINE__, FDPOOL_EMPTY, "netpan_connections 0\n" },
		{ __LINE__, FDPOOL_STARTING, "netpan_connections 0\n" },
		{ __LINE__, FDPOOL_READY, "netpan_connections 5\n" },
		{ __LINE__, FDPOOL_SILENT, "netpan_connections 5\n" },
		{ __LINE__, FDPOOL_DRAINING, "netpan_connections 5\n" },
		{ __LINE__, FDPOOL_DYING, "netpan_connections 5\n" },
	};

	(void)state;
	board_set(&worker.mine->open, 5);
	for (size_t i = 0; i < nitems(rows); i++) {
		struct buf out = fresh(METRICS_ROOM);

		publish(2, rows[i].state);
		assert_int_equal(metrics_prometheus(&out, &look, 61000), 0);
		CHECK(rows[i].line, mem, rows[i].want,
		    strstr(mem, rows[i].want) != NULL);
	}
}

/* The longest that there can be, and one byte less. */
static void
the_room_is_enough(void **state)
{
	static const struct {
		const char *name;
		int (*write)(struct buf *, const struct board *, uint64_t);
	} rows[] = {
		{ "status", metrics_status },
		{ "prometheus", metrics_prometheus },
	};
	struct board w;
	struct buf out;
	size_t len;

	(void)state;
	memset(&master.now, 0xff, sizeof(master.now));
	master.now.n_workers = FDPOOL_WORKERS_MAX;
	for (unsigned i = 0; i < FDPOOL_WORKERS_MAX; i++) {
		master.now.row[i].state = FDPOOL_STARTING;
		master.now.row[i].pid = INT64_MIN;
		assert_int_equal(board_open(&w, dup(master.write_fd),
				     dup(master.read_fd), i),
		    0);
		memset(w.mine, 0xff, sizeof(*w.mine));
		board_close(&w);
	}
	/* the longest word for a state, of those with their counts shown */
	for (unsigned i = 0; i < FDPOOL_WORKERS_MAX; i++)
		master.now.row[i].state = FDPOOL_DRAINING;
	board_publish(&master);
	for (size_t i = 0; i < nitems(rows); i++) {
		out = fresh(METRICS_ROOM);
		assert_int_equal(rows[i].write(&out, &look, UINT64_MAX), 0);
		len = buf_len(&out);
		print_message(
		    "%s: %zu of %d\n", rows[i].name, len, METRICS_ROOM);
		out = fresh(len + 1);
		assert_int_equal(rows[i].write(&out, &look, UINT64_MAX), 0);
		out = fresh(len + 1);
		buf_put(&out, "x", 1);
		assert_int_equal(
		    rows[i].write(&out, &look, UINT64_MAX), -ENOBUFS);
		CHECK_MEM(__LINE__, rows[i].name, "as before", "x", 1,
		    buf_head(&out), buf_len(&out));
		for (size_t cap = 0; cap < len; cap += len / 50) {
			out = fresh(cap);
			assert_int_equal(
			    rows[i].write(&out, &look, 0), -ENOBUFS);
			assert_int_equal(buf_len(&out), 0);
			assert_int_equal(mem[cap], 0);
		}
	}
}

static void
health_in_a_word(void **state)
{
	static const struct {
		int line;
		enum fdpool_worker_state state;
		bool draining;
		uint64_t published_ms;
		uint64_t now_ms;
		const char *want;
	} rows[] = {
		{ __LINE__, FDPOOL_READY, false, 50000, 50000, "ok\n" },
		{ __LINE__, FDPOOL_READY, false, 50000, 60000, "ok\n" },
		{ __LINE__, FDPOOL_READY, false, 50000, 49999, "ok\n" },
		{ __LINE__, FDPOOL_READY, false, 50000, 60001,
		    "the master is silent\n" },
		{ __LINE__, FDPOOL_READY, true, 50000, 50000, "draining\n" },
		{ __LINE__, FDPOOL_DRAINING, true, 50000, 50000, "draining\n" },
		{ __LINE__, FDPOOL_SILENT, false, 50000, 50000,
		    "no ready worker\n" },
		{ __LINE__, FDPOOL_EMPTY, false, 50000, 50000,
		    "no ready worker\n" },
		{ __LINE__, FDPOOL_STARTING, false, 0, 50000, "starting\n" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct buf out = fresh(METRICS_HEALTH_ROOM);
		bool ok;

		publish(2, rows[i].state);
		master.now.row[0].state = FDPOOL_EMPTY;
		master.now.draining = rows[i].draining;
		master.now.published_ms = rows[i].published_ms;
		board_publish(&master);
		ok = metrics_health(&out, &look, rows[i].now_ms);
		CHECK_STR(
		    rows[i].line, "health", "the word", rows[i].want, mem);
		CHECK_INT(rows[i].line, "health", "is it ok",
		    strcmp(rows[i].want, "ok\n") == 0, ok);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_was_counted_is_shown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_dead_have_nothing_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_room_is_enough, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    health_in_a_word, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
