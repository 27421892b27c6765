/* Jobs run to their end, come back once, and leave each other room. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "server/helpers.h"

#define N_JOBS 1000

struct counted {
	struct job job;
	int slices; /* it wants; 0: without end */
	_Atomic int n_run;
	int last_run; /* when, in the order of all runs */
	int n_done;
};

static struct board_counter n_jobs;
static _Atomic bool gate_open;
static _Atomic int n_at_gate;
static _Atomic int n_runs;

static bool
count_run(struct job *j)
{
	struct counted *c = (struct counted *)j;

	c->last_run = atomic_fetch_add(&n_runs, 1);
	return atomic_fetch_add(&c->n_run, 1) + 1 == c->slices ||
	       atomic_load(&j->stop);
}

static void
count_done(struct job *j)
{
	((struct counted *)j)->n_done++;
}

static bool
gate_run(struct job *j)
{
	static const struct timespec tick = { .tv_nsec = 1000000 };

	atomic_fetch_add(&n_at_gate, 1);
	while (!atomic_load(&gate_open) && !atomic_load(&j->stop))
		nanosleep(&tick, NULL);
	return count_run(j);
}

static void
submit(struct helpers *h, struct counted *c, bool (*run)(struct job *),
    bool is_long, int slices)
{
	memset(c, 0, sizeof(*c));
	c->job.run = run;
	c->job.done = count_done;
	c->job.is_long = is_long;
	c->slices = slices;
	helpers_submit(h, &c->job);
	assert_true(c->job.is_out);
}

static void
close_gate(void)
{
	atomic_store(&gate_open, false);
	atomic_store(&n_at_gate, 0);
}

static void
reap_until(struct helpers *h, struct counted *c, size_t n)
{
	for (;;) {
		struct pollfd p = { .fd = helpers_fd(h), .events = POLLIN };
		size_t done = 0;

		for (size_t i = 0; i < n; i++)
			done += c[i].n_done > 0;
		if (done == n)
			return;
		assert_int_equal(poll(&p, 1, 30000), 1);
		helpers_reap(h);
	}
}

static void
each_job_runs_to_its_end(void **state)
{
	static struct counted jobs[N_JOBS];
	struct helpers *h = NULL;

	(void)state;
	assert_int_equal(helpers_new(&h, 4, &n_jobs), 0);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < N_JOBS; i++)
			submit(h, &jobs[i], count_run, i % 3 == 0, 1 + i % 4);
		reap_until(h, jobs, N_JOBS);
		for (int i = 0; i < N_JOBS; i++) {
			assert_int_equal(jobs[i].n_run, 1 + i % 4);
			assert_int_equal(jobs[i].n_done, 1);
			assert_false(jobs[i].job.is_out);
		}
	}
	assert_int_equal(board_get(&n_jobs), 3 * N_JOBS);
	helpers_free(h);
}

/* With every long job stuck, a quick one still comes back. */
static void
long_jobs_leave_a_thread(void **state)
{
	static struct counted slow[8];
	struct counted quick;
	struct helpers *h = NULL;

	(void)state;
	close_gate();
	assert_int_equal(helpers_new(&h, 3, &n_jobs), 0);
	for (int i = 0; i < 8; i++)
		submit(h, &slow[i], gate_run, true, 1);
	while (atomic_load(&n_at_gate) < 2)
		;
	submit(h, &quick, count_run, false, 1);
	reap_until(h, &quick, 1);
	assert_int_equal(atomic_load(&n_at_gate), 2);
	/* one is told to stop, the others are let through */
	helpers_cancel(h, &slow[0].job);
	reap_until(h, slow, 1);
	atomic_store(&gate_open, true);
	reap_until(h, slow, 8);
	helpers_free(h);
}

struct poster {
	struct helpers *helpers;
	struct counted *jobs;
};

static void *
post_jobs(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < N_JOBS; i++)
		helpers_post(p->helpers, &p->jobs[i].job);
	return NULL;
}

/* What another thread has run comes back like a helper's own. */
static void
posted_jobs_come_back(void **state)
{
	static struct counted jobs[2 * N_JOBS];
	struct poster p = { .jobs = jobs + N_JOBS };
	pthread_t thread;

	(void)state;
	assert_int_equal(helpers_new(&p.helpers, 2, &n_jobs), 0);
	for (int i = 0; i < 2 * N_JOBS; i++) {
		jobs[i].job.run = count_run;
		jobs[i].job.done = count_done;
		jobs[i].job.is_out = true;
		jobs[i].slices = 1;
	}
	assert_int_equal(pthread_create(&thread, NULL, post_jobs, &p), 0);
	for (int i = 0; i < N_JOBS; i++)
		helpers_submit(p.helpers, &jobs[i].job);
	reap_until(p.helpers, jobs, 2 * N_JOBS);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 2 * N_JOBS; i++) {
		assert_int_equal(jobs[i].n_run, i < N_JOBS);
		assert_int_equal(jobs[i].n_done, 1);
		assert_false(jobs[i].job.is_out);
	}
	helpers_free(p.helpers);
}

/* Many of one kind, and none of them ever done: whatever else is asked for is
 * done all the same. */
static void
nobody_starves(void **state)
{
	static const struct {
		int line;
		unsigned threads;
		bool crowd_is_long;
		bool other_is_long;
	} cases[] = {
		{ __LINE__, 2, false, false },
		{ __LINE__, 2, false, true },
		{ __LINE__, 2, true, false },
		{ __LINE__, 2, true, true },
		{ __LINE__, 4, false, true },
		{ __LINE__, 4, true, false },
		{ __LINE__, 4, true, true },
	};
	static struct counted crowd[20];
	struct counted other;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct helpers *h = NULL;

		print_message("line %d\n", cases[i].line);
		assert_int_equal(helpers_new(&h, cases[i].threads, &n_jobs), 0);
		for (int k = 0; k < 20; k++)
			submit(
			    h, &crowd[k], count_run, cases[i].crowd_is_long, 0);
		submit(h, &other, count_run, cases[i].other_is_long, 5);
		reap_until(h, &other, 1);
		assert_int_equal(other.n_run, 5);
		for (int k = 0; k < 20; k++)
			helpers_cancel(h, &crowd[k].job);
		reap_until(h, crowd, 20);
		for (int k = 0; k < 20; k++)
			assert_int_equal(crowd[k].n_done, 1);
		helpers_free(h);
	}
}

/* Long ones that begin take turns with those that go on: neither waits for
 * all of the others. */
static void
long_jobs_take_turns(void **state)
{
	static struct counted old[20], young[20];
	struct counted gate;
	struct helpers *h = NULL;

	(void)state;
	assert_int_equal(helpers_new(&h, 2, &n_jobs), 0);
	for (int k = 0; k < 20; k++)
		submit(h, &old[k], count_run, true, 0);
	for (int k = 0; k < 20; k++)
		while (atomic_load(&old[k].n_run) == 0)
			;
	/* the one thread that long jobs have here is held while they come */
	close_gate();
	submit(h, &gate, gate_run, true, 1);
	while (atomic_load(&n_at_gate) < 1)
		;
	for (int k = 0; k < 20; k++)
		submit(h, &young[k], count_run, true, 1);
	atomic_store(&n_runs, 0);
	atomic_store(&gate_open, true);
	reap_until(h, young, 20);
	/* the gate's run was the first, then every other one is an old one's */
	for (int k = 0; k < 20; k++)
		assert_int_equal(young[k].last_run, 2 * (k + 1));
	for (int k = 0; k < 20; k++)
		helpers_cancel(h, &old[k].job);
	reap_until(h, old, 20);
	helpers_free(h);
}

/* Who asks for little does not wait for all that another has asked for. */
static void
everybody_has_a_lane(void **state)
{
	static struct counted crowd[20];
	struct counted gates[2], other;

	(void)state;
	for (int is_long = 0; is_long < 2; is_long++) {
		int n_threads = 1 + is_long; /* of all, for these */
		struct helpers *h = NULL;

		close_gate();
		assert_int_equal(helpers_new(&h, 2, &n_jobs), 0);
		for (int i = 0; i < 2; i++)
			submit(h, &gates[i], gate_run, is_long, 1);
		while (atomic_load(&n_at_gate) < 2 - is_long)
			;
		for (int k = 0; k < 20; k++)
			submit(h, &crowd[k], count_run, is_long, 1);
		memset(&other, 0, sizeof(other));
		other.job.run = count_run;
		other.job.done = count_done;
		other.job.is_long = is_long;
		other.job.from.lane = 7;
		other.slices = 1;
		helpers_submit(h, &other.job);
		atomic_store(&n_runs, 0);
		atomic_store(&gate_open, true);
		reap_until(h, &other, 1);
		/* behind the gates, and one of the crowd's for each thread */
		assert_true(other.last_run < 4 + n_threads);
		reap_until(h, crowd, 20);
		reap_until(h, gates, 2);
		for (int k = 0; k < 20; k++)
			helpers_cancel(h, &crowd[k].job);
		helpers_free(h);
	}
}

/* Cancelling the only thing of a lane takes its turn away. */
static void
an_empty_lane_has_no_turn(void **state)
{
	struct counted gates[2], jobs[3];
	struct helpers *h = NULL;

	(void)state;
	close_gate();
	assert_int_equal(helpers_new(&h, 2, &n_jobs), 0);
	for (int i = 0; i < 2; i++)
		submit(h, &gates[i], gate_run, false, 1);
	while (atomic_load(&n_at_gate) < 2)
		;
	memset(jobs, 0, sizeof(jobs));
	for (int i = 0; i < 3; i++) {
		jobs[i].job.run = count_run;
		jobs[i].job.done = count_done;
		jobs[i].job.from.lane = (uint32_t)i;
		jobs[i].slices = 1;
		helpers_submit(h, &jobs[i].job);
	}
	helpers_cancel(h, &jobs[1].job);
	atomic_store(&gate_open, true);
	reap_until(h, jobs, 3);
	reap_until(h, gates, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(jobs[i].n_run, i != 1);
	helpers_free(h);
}

/* What is cancelled comes back, whether it has run or not, and once. */
static void
cancelled_jobs_come_back(void **state)
{
	static struct counted jobs[10];
	struct counted first, ran;
	struct helpers *h = NULL;

	(void)state;
	close_gate();
	assert_int_equal(helpers_new(&h, 2, &n_jobs), 0);
	submit(h, &first, gate_run, true, 1);
	while (atomic_load(&n_at_gate) < 1)
		;
	for (int k = 0; k < 10; k++)
		submit(h, &jobs[k], count_run, true, 1);
	for (int k = 0; k < 10; k += 2)
		helpers_cancel(h, &jobs[k].job);
	helpers_cancel(h, &jobs[0].job);
	submit(h, &ran, count_run, false, 1);
	while (atomic_load(&ran.n_run) == 0)
		;
	helpers_cancel(h, &ran.job);
	reap_until(h, &ran, 1);
	for (int k = 0; k < 10; k++)
		assert_int_equal(jobs[k].n_done, k % 2 == 0);
	helpers_cancel(h, &first.job);
	reap_until(h, &first, 1);
	reap_until(h, jobs, 10);
	for (int k = 0; k < 10; k++) {
		assert_int_equal(jobs[k].n_run, k % 2);
		assert_int_equal(jobs[k].n_done, 1);
		/* back it is none of theirs any more, and may go out anew */
		helpers_cancel(h, &jobs[k].job);
		submit(h, &jobs[k], count_run, false, 2);
	}
	reap_until(h, jobs, 10);
	for (int k = 0; k < 10; k++)
		assert_int_equal(jobs[k].n_run, 2);
	assert_int_equal(first.n_done, 1);
	assert_int_equal(ran.n_done, 1);
	helpers_free(h);
}

static void
free_drops_what_waits(void **state)
{
	static struct counted jobs[N_JOBS];
	struct helpers *h = NULL;

	(void)state;
	assert_int_equal(helpers_new(&h, 2, &n_jobs), 0);
	for (int i = 0; i < N_JOBS; i++)
		submit(h, &jobs[i], count_run, i % 2 == 0, 1);
	helpers_free(h);
	for (int i = 0; i < N_JOBS; i++) {
		assert_true(jobs[i].n_run <= 1);
		assert_int_equal(jobs[i].n_done, 0);
	}
	helpers_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_runs_to_its_end),
		cmocka_unit_test(everybody_has_a_lane),
		cmocka_unit_test(an_empty_lane_has_no_turn),
		cmocka_unit_test(long_jobs_leave_a_thread),
		cmocka_unit_test(posted_jobs_come_back),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(long_jobs_take_turns),
		cmocka_unit_test(cancelled_jobs_come_back),
		cmocka_unit_test(free_drops_what_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
