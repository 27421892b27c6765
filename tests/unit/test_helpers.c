/* Jobs run once, come back once, and long ones leave a thread free. */
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
	_Atomic int n_run;
	int n_done;
};

static struct board_counter n_jobs;
static _Atomic bool gate_open;
static _Atomic int n_at_gate;

static void
count_run(struct job *j)
{
	atomic_fetch_add(&((struct counted *)j)->n_run, 1);
}

static void
count_done(struct job *j)
{
	((struct counted *)j)->n_done++;
}

static void
gate_run(struct job *j)
{
	static const struct timespec tick = { .tv_nsec = 1000000 };

	atomic_fetch_add(&n_at_gate, 1);
	while (!atomic_load(&gate_open) && !atomic_load(&j->stop))
		nanosleep(&tick, NULL);
	count_run(j);
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
each_job_runs_once(void **state)
{
	static struct counted jobs[N_JOBS];
	struct helpers *h = NULL;

	(void)state;
	assert_int_equal(helpers_new(&h, 4, &n_jobs), 0);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < N_JOBS; i++) {
			memset(&jobs[i], 0, sizeof(jobs[i]));
			jobs[i].job.run = count_run;
			jobs[i].job.done = count_done;
			jobs[i].job.is_long = i % 3 == 0;
			helpers_submit(h, &jobs[i].job);
			assert_true(jobs[i].job.is_out);
		}
		reap_until(h, jobs, N_JOBS);
		for (int i = 0; i < N_JOBS; i++) {
			assert_int_equal(jobs[i].n_run, 1);
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
	struct counted quick = { .job = {
				     .run = count_run, .done = count_done } };
	struct helpers *h = NULL;

	(void)state;
	assert_int_equal(helpers_new(&h, 3, &n_jobs), 0);
	for (int i = 0; i < 8; i++) {
		slow[i].job.run = gate_run;
		slow[i].job.done = count_done;
		slow[i].job.is_long = true;
		helpers_submit(h, &slow[i].job);
	}
	while (atomic_load(&n_at_gate) < 2)
		;
	helpers_submit(h, &quick.job);
	reap_until(h, &quick, 1);
	assert_int_equal(atomic_load(&n_at_gate), 2);
	/* one is told to stop, the others are let through */
	atomic_store(&slow[0].job.stop, true);
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

static void
free_drops_what_waits(void **state)
{
	static struct counted jobs[N_JOBS];
	struct helpers *h = NULL;

	(void)state;
	assert_int_equal(helpers_new(&h, 2, &n_jobs), 0);
	for (int i = 0; i < N_JOBS; i++) {
		jobs[i].job.run = count_run;
		jobs[i].job.done = count_done;
		helpers_submit(h, &jobs[i].job);
	}
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
		cmocka_unit_test(each_job_runs_once),
		cmocka_unit_test(long_jobs_leave_a_thread),
		cmocka_unit_test(posted_jobs_come_back),
		cmocka_unit_test(free_drops_what_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
