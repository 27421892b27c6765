#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/helpers.h"
#include "server/lanes.h"

struct helpers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct lanes quick; /* waiting jobs */
	struct lanes begin; /* long ones, never run yet */
	struct lanes go_on; /* long ones, between two slices */
	struct link ran; /* wait for their done */
	unsigned n_long_running;
	unsigned n_threads;
	unsigned n_running; /* threads that have begun */
	struct board_served *served; /* each one's place, or NULL */
	bool is_begins_turn; /* of the two queues of long ones */
	bool ending;
	int event_fd;
	struct board_counter *n_jobs;
	pthread_t thread[];
};

/* ---- the threads ---- */
static void *helper_main(void *);
static struct job *helper_take(struct helpers *);
static bool may_take_long(const struct helpers *);
static struct lanes *next_long(struct helpers *);
static void helper_finish(struct helpers *, struct job *, bool is_done);
/* ---- all, with the lock ---- */
static struct lanes *queue_of(struct helpers *, const struct job *);
static void job_wait(struct helpers *, struct job *);
static void job_ran(struct helpers *, struct job *);
/* ---- the loop's side ---- */
static int helpers_start(struct helpers *, unsigned n);

int
helpers_new(struct helpers **out, unsigned n, struct board_counter *n_jobs)
{
	struct helpers *h;
	int r;

	h = calloc(1, sizeof(*h) + n * sizeof(h->thread[0]));
	if (h == NULL)
		return -ENOMEM;
	h->n_jobs = n_jobs;
	lanes_init(&h->quick);
	lanes_init(&h->begin);
	lanes_init(&h->go_on);
	link_init(&h->ran);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->work, NULL);
	h->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = h->event_fd == -1 ? -errno : helpers_start(h, n);
	if (r != 0) {
		helpers_free(h);
		return r;
	}
	*out = h;
	return 0;
}

static int
helpers_start(struct helpers *h, unsigned n)
{
	sigset_t all, old;
	int r = 0;

	/* signals are the loop's business */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&h->lock); /* the first ones look at n_threads */
	while (r == 0 && h->n_threads < n) {
		r = pthread_create(
		    &h->thread[h->n_threads], NULL, helper_main, h);
		if (r == 0)
			h->n_threads++;
	}
	pthread_mutex_unlock(&h->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

void
helpers_show(struct helpers *h, struct board_served *served)
{
	pthread_mutex_lock(&h->lock);
	h->served = served;
	pthread_mutex_unlock(&h->lock);
}

int
helpers_fd(const struct helpers *h)
{
	return h->event_fd;
}

void
helpers_submit(struct helpers *h, struct job *j)
{
	j->is_out = true;
	j->has_run = false;
	atomic_store(&j->stop, false);
	board_add(h->n_jobs, 1);
	pthread_mutex_lock(&h->lock);
	job_wait(h, j);
	pthread_cond_signal(&h->work);
	pthread_mutex_unlock(&h->lock);
}

void
helpers_post(struct helpers *h, struct job *j)
{
	pthread_mutex_lock(&h->lock);
	job_ran(h, j);
	pthread_mutex_unlock(&h->lock);
}

void
helpers_cancel(struct helpers *h, struct job *j)
{
	if (!j->is_out)
		return;
	pthread_mutex_lock(&h->lock);
	atomic_store(&j->stop, true);
	if (j->is_waiting) {
		j->is_waiting = false;
		lanes_remove(queue_of(h, j), j->from.lane, &j->link);
		job_ran(h, j);
	}
	pthread_mutex_unlock(&h->lock);
}

void
helpers_reap(struct helpers *h)
{
	struct link ran;
	uint64_t n;

	while (read(h->event_fd, &n, sizeof(n)) == -1 && errno == EINTR)
		;
	link_init(&ran);
	pthread_mutex_lock(&h->lock);
	link_move_all(&ran, &h->ran);
	pthread_mutex_unlock(&h->lock);
	while (link_is_linked(&ran)) {
		struct job *j = link_entry(ran.next, struct job, link);

		link_remove(&j->link);
		j->is_out = false;
		j->done(j);
	}
}

void
helpers_free(struct helpers *h)
{
	if (h == NULL)
		return;
	pthread_mutex_lock(&h->lock);
	h->ending = true;
	pthread_cond_broadcast(&h->work);
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < h->n_threads; i++)
		pthread_join(h->thread[i], NULL);
	pthread_cond_destroy(&h->work);
	pthread_mutex_destroy(&h->lock);
	fd_close(&h->event_fd);
	free(h);
}

static void *
helper_main(void *arg)
{
	struct helpers *h = arg;
	struct board_served *served;
	struct job *j;
	bool is_done;
	unsigned i;

	pthread_mutex_lock(&h->lock);
	i = h->n_running++;
	while (!h->ending) {
		j = helper_take(h);
		if (j == NULL) {
			pthread_cond_wait(&h->work, &h->lock);
			continue;
		}
		/* a long one that could not be taken before perhaps can */
		if (may_take_long(h))
			pthread_cond_signal(&h->work);
		served = h->served != NULL ? &h->served[i] : NULL;
		pthread_mutex_unlock(&h->lock);
		board_serves(served, &j->from.addr);
		is_done = j->run(j);
		board_rests(served);
		pthread_mutex_lock(&h->lock);
		helper_finish(h, j, is_done);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* Quick ones first, as long as one thread is at the long ones, which never
 * have all threads. */
static struct job *
helper_take(struct helpers *h)
{
	struct lanes *from = &h->quick;
	struct job *j;

	if (may_take_long(h) &&
	    (h->n_long_running == 0 || !lanes_has_any(from))) {
		from = next_long(h);
		h->n_long_running++;
	}
	if (!lanes_has_any(from))
		return NULL;
	j = link_entry(lanes_take(from), struct job, link);
	j->is_waiting = false;
	return j;
}

static bool
may_take_long(const struct helpers *h)
{
	return h->n_long_running + 1 < h->n_threads &&
	       (lanes_has_any(&h->begin) || lanes_has_any(&h->go_on));
}

static struct lanes *
next_long(struct helpers *h)
{
	bool begins = lanes_has_any(&h->begin) &&
		      (h->is_begins_turn || !lanes_has_any(&h->go_on));

	h->is_begins_turn = !begins;
	return begins ? &h->begin : &h->go_on;
}

static void
helper_finish(struct helpers *h, struct job *j, bool is_done)
{
	if (j->is_long)
		h->n_long_running--;
	j->has_run = true;
	if (is_done || atomic_load(&j->stop))
		job_ran(h, j);
	else
		job_wait(h, j);
}

static struct lanes *
queue_of(struct helpers *h, const struct job *j)
{
	if (!j->is_long)
		return &h->quick;
	return j->has_run ? &h->go_on : &h->begin;
}

static void
job_wait(struct helpers *h, struct job *j)
{
	j->is_waiting = true;
	link_init(&j->link);
	lanes_add(queue_of(h, j), j->from.lane, &j->link);
}

/* One wake-up for all that the loop has not taken yet. */
static void
job_ran(struct helpers *h, struct job *j)
{
	uint64_t one = 1;
	bool is_first = !link_is_linked(&h->ran);

	link_add_last(&h->ran, &j->link);
	while (is_first && write(h->event_fd, &one, sizeof(one)) == -1 &&
	       errno == EINTR)
		;
}
