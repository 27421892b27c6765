/* Numbers that others read while they are written, and nobody else's. */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/board.h"

static const struct board_counter *
counter(const struct board_worker *w, size_t i)
{
	return (const struct board_counter *)(const void *)w + i;
}

#define N_COUNTERS (sizeof(struct board_worker) / sizeof(struct board_counter))

static uint64_t
sum(const struct board_worker *w)
{
	uint64_t n = 0;

	for (size_t i = 0; i < N_COUNTERS; i++)
		n += board_get(counter(w, i));
	return n;
}

static void
open_place(struct board *w, const struct board *master, unsigned index)
{
	assert_int_equal(
	    board_open(w, fcntl(master->write_fd, F_DUPFD_CLOEXEC, 3),
		fcntl(master->read_fd, F_DUPFD_CLOEXEC, 3), index),
	    0);
}

static void
statuses_and_durations(void **state)
{
	static const struct {
		int line;
		unsigned status;
		enum board_status want;
		const char *name;
		uint64_t us;
		unsigned bucket;
	} rows[] = {
		{ __LINE__, 200, BOARD_STATUS_200, "200", 0, 0 },
		{ __LINE__, 204, BOARD_STATUS_204, "204", 50, 0 },
		{ __LINE__, 206, BOARD_STATUS_206, "206", 51, 1 },
		{ __LINE__, 201, BOARD_STATUS_2XX, "2xx", 100, 1 },
		{ __LINE__, 299, BOARD_STATUS_2XX, "2xx", 101, 2 },
		{ __LINE__, 301, BOARD_STATUS_301, "301", 999, 4 },
		{ __LINE__, 304, BOARD_STATUS_304, "304", 1000, 4 },
		{ __LINE__, 300, BOARD_STATUS_3XX, "3xx", 1001, 5 },
		{ __LINE__, 400, BOARD_STATUS_400, "400", 500000, 12 },
		{ __LINE__, 403, BOARD_STATUS_403, "403", 1000000, 13 },
		{ __LINE__, 404, BOARD_STATUS_404, "404", 1000001, 14 },
		{ __LINE__, 405, BOARD_STATUS_405, "405", 20000000, 17 },
		{ __LINE__, 408, BOARD_STATUS_408, "408", 20000001, 18 },
		{ __LINE__, 412, BOARD_STATUS_412, "412", 60000000, 18 },
		{ __LINE__, 416, BOARD_STATUS_416, "416", 60000001, 19 },
		{ __LINE__, 417, BOARD_STATUS_417, "417", UINT64_MAX, 19 },
		{ __LINE__, 431, BOARD_STATUS_431, "431", 1, 0 },
		{ __LINE__, 414, BOARD_STATUS_4XX, "4xx", 1, 0 },
		{ __LINE__, 500, BOARD_STATUS_500, "500", 1, 0 },
		{ __LINE__, 501, BOARD_STATUS_501, "501", 1, 0 },
		{ __LINE__, 503, BOARD_STATUS_503, "503", 1, 0 },
		{ __LINE__, 599, BOARD_STATUS_5XX, "5xx", 1, 0 },
		{ __LINE__, 0, BOARD_STATUS_OTHER, "other", 1, 0 },
		{ __LINE__, 100, BOARD_STATUS_OTHER, "other", 1, 0 },
		{ __LINE__, 600, BOARD_STATUS_OTHER, "other", 1, 0 },
		{ __LINE__, UINT32_MAX, BOARD_STATUS_OTHER, "other", 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct board_worker w = { 0 };
		enum board_method m = (enum board_method)(i % BOARD_N_METHODS);

		board_count_request(&w, m, rows[i].status, rows[i].us);
		CHECK_U64(rows[i].line, rows[i].name, "the status", 1,
		    board_get(&w.statuses[rows[i].want]));
		CHECK_STR(rows[i].line, rows[i].name, "its name", rows[i].name,
		    board_status_name(rows[i].want));
		CHECK_U64(rows[i].line, rows[i].name, "the duration", 1,
		    board_get(&w.durations[rows[i].bucket]));
		CHECK_U64(rows[i].line, rows[i].name, "the method", 1,
		    board_get(&w.requests[m]));
		CHECK_U64(rows[i].line, rows[i].name, "all durations",
		    rows[i].us, board_get(&w.duration_us));
		CHECK_U64(rows[i].line, rows[i].name, "nothing else",
		    3 + rows[i].us, sum(&w));
	}
	for (unsigned i = 0; i < BOARD_N_METHODS; i++)
		assert_non_null(board_method_name(i));
	for (unsigned i = 0; i < BOARD_N_TRAINS; i++)
		assert_non_null(board_train_name(i));
	for (unsigned i = 0; i < BOARD_N_STATUSES; i++)
		assert_non_null(board_status_name(i));
	for (int i = 1; i < BOARD_N_BOUNDS; i++)
		assert_true(board_bounds_us[i] > board_bounds_us[i - 1]);
}

/* Every place is seen by all, and is nobody else's. */
static void
places_are_apart(void **state)
{
	static struct board master, look;
	static struct board worker[FDPOOL_WORKERS_MAX];

	(void)state;
	assert_int_equal(board_new(&master), 0);
	for (unsigned i = 0; i < FDPOOL_WORKERS_MAX; i++)
		open_place(&worker[i], &master, i);
	for (unsigned i = 0; i < FDPOOL_WORKERS_MAX; i++)
		for (size_t c = 0; c < N_COUNTERS; c++)
			board_add(
			    (struct board_counter *)worker[i].mine + c, i + 1);
	assert_int_equal(
	    board_open(&look, -1, fcntl(master.read_fd, F_DUPFD_CLOEXEC, 3), 0),
	    0);
	assert_null(look.mine);
	for (unsigned i = 0; i < FDPOOL_WORKERS_MAX; i++) {
		assert_int_equal(
		    sum(board_worker(&look, i)), N_COUNTERS * (i + 1));
		assert_int_equal(
		    sum(board_worker(&master, i)), N_COUNTERS * (i + 1));
	}
	board_read(&look, &look.now);
	assert_int_equal(look.now.published_ms, 0);
	assert_int_equal(look.now.n_workers, 0);
	for (unsigned i = 0; i < FDPOOL_WORKERS_MAX; i++)
		board_close(&worker[i]);
	board_close(&look);
	board_close(&master);
}

/* What is not its own a worker cannot make writable, and nobody can resize
 * the whole: the others would die of it. */
static void
nobody_elses_can_be_written(void **state)
{
	struct board master, w;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd;

	(void)state;
	assert_int_equal(board_new(&master), 0);
	open_place(&w, &master, 7);
	assert_int_equal(w.write_fd, -1);
	assert_int_equal(w.read_fd, -1);
	assert_int_equal(
	    mprotect((void *)(uintptr_t)w.all, page, PROT_READ | PROT_WRITE),
	    -1);
	assert_int_equal(errno, EACCES);
	assert_ptr_equal(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED,
			     master.read_fd, 0),
	    MAP_FAILED);
	assert_int_equal(ftruncate(master.write_fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(master.write_fd, 1 << 30), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(master.write_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	/* both are taken also when it fails */
	fd = fcntl(master.read_fd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(board_open(&w, -1, fd, FDPOOL_WORKERS_MAX), -EINVAL);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(w.all);
	board_close(&w);
	board_close(&master);
}

static int
one_life(const struct board *master, unsigned index)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct board w;

		if (board_open(&w, dup(master->write_fd), dup(master->read_fd),
			index) != 0 ||
		    board_get(&w.mine->open) != 0)
			_exit(1);
		board_set(&w.mine->open, 5);
		board_add(&w.mine->connections, 7);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 0 : 1;
}

/* The replacement of a worker that was killed goes on counting. */
static void
counters_outlive_their_worker(void **state)
{
	struct board master;

	(void)state;
	assert_int_equal(board_new(&master), 0);
	for (unsigned life = 1; life <= 3; life++) {
		assert_int_equal(one_life(&master, 200), 0);
		assert_int_equal(
		    board_get(&board_worker(&master, 200)->connections),
		    life * 7);
		assert_int_equal(
		    board_get(&board_worker(&master, 200)->open), 5);
	}
	board_close(&master);
}

#define PUBLISHED 20000

/* All that it publishes at once is the same number. */
static void *
publisher(void *arg)
{
	struct board *b = arg;

	for (uint64_t n = 1; n <= PUBLISHED; n++) {
		uint64_t *word = (void *)&b->now;

		for (size_t i = 0; i < sizeof(b->now) / sizeof(*word); i++)
			word[i] = n;
		b->now.n_workers = n % (FDPOOL_WORKERS_MAX + 1);
		board_publish(b);
	}
	return NULL;
}

static void
check_whole(const struct board_pool *p)
{
	const uint64_t *word = (const void *)p;
	size_t n = (offsetof(struct board_pool, row) +
		       p->n_workers * sizeof(p->row[0])) /
		   sizeof(*word);

	assert_int_equal(
	    p->n_workers, p->published_ms % (FDPOOL_WORKERS_MAX + 1));
	for (size_t i = 0; i < n; i++)
		if (&word[i] != &p->n_workers)
			assert_int_equal(word[i], p->published_ms);
}

static void
nobody_sees_half(void **state)
{
	static struct board master, look;
	uint64_t seen = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(board_new(&master), 0);
	assert_int_equal(board_open(&look, -1, dup(master.read_fd), 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, publisher, &master), 0);
	while (seen < PUBLISHED) {
		board_read(&look, &look.now);
		check_whole(&look.now);
		assert_true(look.now.published_ms >= seen);
		seen = look.now.published_ms;
	}
	pthread_join(thread, NULL);
	board_close(&look);
	board_close(&master);
}

static int
idle(int chan_fd, void *arg)
{
	(void)chan_fd;
	(void)arg;
	pause();
	return 0;
}

/* At most so often, at least so often. */
static void
what_is_due(void **state)
{
	static const struct {
		int line;
		const char *what;
		uint64_t at_ms;
		bool had_event;
		bool draining;
		uint64_t want_ms; /* published then */
		int wait_ms;
	} rows[] = {
		{ __LINE__, "the first", 5000, false, false, 5000, 1000 },
		{ __LINE__, "nothing", 5050, false, false, 5000, 950 },
		{ __LINE__, "an event", 5060, true, true, 5000, 40 },
		{ __LINE__, "and another", 5099, true, true, 5000, 1 },
		{ __LINE__, "it is time", 5100, false, true, 5100, 1000 },
		{ __LINE__, "rest", 6099, false, true, 5100, 1 },
		{ __LINE__, "a second", 6100, false, true, 6100, 1000 },
		{ __LINE__, "an event late", 6900, true, false, 6900, 1000 },
	};
	struct fdpool_options o = { .run = idle, .workers = 2 };
	static struct board master, look;
	struct fdpool *pool = NULL;

	(void)state;
	assert_int_equal(fdpool_new(&pool, &o), 0);
	assert_int_equal(board_new(&master), 0);
	assert_int_equal(board_open(&look, -1, dup(master.read_fd), 0), 0);
	for (size_t i = 0; i < nitems(rows); i++) {
		board_refresh(&master, pool, rows[i].draining,
		    rows[i].had_event, rows[i].at_ms);
		board_read(&look, &look.now);
		CHECK_U64(rows[i].line, rows[i].what, "published",
		    rows[i].want_ms, look.now.published_ms);
		CHECK_INT(rows[i].line, rows[i].what, "wait", rows[i].wait_ms,
		    board_wait_ms(&master, rows[i].at_ms));
	}
	assert_int_equal(look.now.pid, getpid());
	assert_int_equal(look.now.n_workers, 2);
	assert_int_equal(look.now.row[1].state, FDPOOL_STARTING);
	assert_true(look.now.row[1].pid > 0);
	assert_true(look.now.started_ms > 0 && look.now.started_s > 0);
	board_close(&look);
	board_close(&master);
	fdpool_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_and_durations),
		cmocka_unit_test(places_are_apart),
		cmocka_unit_test(nobody_elses_can_be_written),
		cmocka_unit_test(counters_outlive_their_worker),
		cmocka_unit_test(nobody_sees_half),
		cmocka_unit_test(what_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
