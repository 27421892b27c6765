#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/helpers.h"

struct helpers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct link quick; /* waiting jobs, oldest first */
	struct link slow;
	struct link ran; /* wait for their done */
	unsigned n_slow_running;
	unsigned n_threads;
	bool ending;
	int event_fd;
	struct board_counter *n_jobs;
	pthread_t thread[];
};

/* ---- the threads ---- */
static void *helper_main(void *);
static struct job *helper_take(struct helpers *);
static void helper_finish(struct helpers *, struct job *);
static void job_ran(struct helpers *, struct job *); /* with the lock */
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
	link_init(&h->quick);
	link_init(&h->slow);
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
	while (r == 0 && h->n_threads < n) {
		r = pthread_create(
		    &h->thread[h->n_threads], NULL, helper_main, h);
		if (r == 0)
			h->n_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
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
	board_add(h->n_jobs, 1);
	pthread_mutex_lock(&h->lock);
	link_init(&j->link);
	link_add_last(j->is_long ? &h->slow : &h->quick, &j->link);
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
	struct job *j;

	pthread_mutex_lock(&h->lock);
	while (!h->ending) {
		j = helper_take(h);
		if (j == NULL) {
			pthread_cond_wait(&h->work, &h->lock);
			continue;
		}
		pthread_mutex_unlock(&h->lock);
		j->run(j);
		pthread_mutex_lock(&h->lock);
		helper_finish(h, j);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* Quick ones first; the slow ones never have all threads. */
static struct job *
helper_take(struct helpers *h)
{
	struct link *from = &h->quick;
	struct job *j;

	if (!link_is_linked(from)) {
		from = &h->slow;
		if (!link_is_linked(from) ||
		    h->n_slow_running + 1 >= h->n_threads)
			return NULL;
		h->n_slow_running++;
	}
	j = link_entry(from->next, struct job, link);
	link_remove(&j->link);
	return j;
}

static void
helper_finish(struct helpers *h, struct job *j)
{
	if (j->is_long) {
		h->n_slow_running--;
		if (link_is_linked(&h->slow))
			pthread_cond_signal(&h->work);
	}
	job_ran(h, j);
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
