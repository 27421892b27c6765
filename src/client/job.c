#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/fetch.h"
#include "client/job.h"
#include "client/say.h"
#include "client/stop.h"

#define STRETCH_FILES 256
#define STRETCH_FILES_MIN 16
#define STRETCH_BYTES (64ull << 20)
#define STRETCH_BYTES_MIN (1ull << 20)
#define SHARES 4 /* stretches for each thread, so that all end together */
#define TICK_MS 100

static int stop_either(int, int);
static void job_watch(struct job *, int, int);
static void job_scale(struct job *, const struct compare_missing *, unsigned);
static struct stretch *job_cut(struct job *);
static struct stretch *stretch_new(uint32_t, uint32_t);

enum client_exit
job_run(struct job *job, const struct compare_missing *missing, unsigned jobs,
    struct conn *first)
{
	struct fetcher *fetchers[LIM_JOBS] = { NULL };
	int stop_fd = job->session->stop_fd, either_fd = -1;
	struct stretch *s;
	unsigned i, n;

	n = jobs < LIM_JOBS ? jobs : LIM_JOBS;
	n = missing->files < n ? (unsigned)missing->files : n;
	job_scale(job, missing, n);
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->change, NULL);
	job->cursor = 0;
	job->back = NULL;
	job->out = 0;
	job->is_over = false;
	job->verdict = CLIENT_DONE;
	job->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	either_fd = job->over_fd == -1 ? -1
				       : stop_either(stop_fd, job->over_fd);
	if (either_fd == -1) {
		say("get: %s", strerrordesc_np(errno));
		job->verdict = CLIENT_FAILED;
		goto out;
	}
	job->session->stop_fd = either_fd;
	job->threads = n;
	for (i = 0; i < n; i++) {
		fetchers[i] = fetcher_start(job, i == 0 ? first : NULL);
		if (fetchers[i] == NULL)
			job_leave(
			    job, CLIENT_FAILED, "no memory for another thread");
	}
	job_watch(job, either_fd, stop_fd);
	for (i = 0; i < n; i++)
		fetcher_join(fetchers[i]);
	job->session->stop_fd = stop_fd;
out:
	while ((s = job->back) != NULL) {
		job->back = s->more;
		part_keep(s->part);
		free(s);
	}
	fd_close(&either_fd);
	fd_close(&job->over_fd);
	pthread_cond_destroy(&job->change);
	pthread_mutex_destroy(&job->lock);
	return job->verdict;
}

struct stretch *
job_take(struct job *job, bool wait)
{
	struct stretch *s = NULL;

	pthread_mutex_lock(&job->lock);
	while (!job->is_over) {
		s = job->back;
		if (s != NULL)
			job->back = s->more;
		else
			s = job_cut(job);
		if (s != NULL || !wait || job->out == 0)
			break;
		pthread_cond_wait(&job->change, &job->lock);
	}
	if (s != NULL)
		job->out++;
	pthread_mutex_unlock(&job->lock);
	return s;
}

void
job_done(struct job *job, struct stretch *s)
{
	free(s);
	pthread_mutex_lock(&job->lock);
	if (--job->out == 0)
		pthread_cond_broadcast(&job->change);
	pthread_mutex_unlock(&job->lock);
}

void
job_give_back(struct job *job, struct stretch *s)
{
	pthread_mutex_lock(&job->lock);
	s->more = job->back;
	job->back = s;
	job->out--;
	pthread_cond_broadcast(&job->change);
	pthread_mutex_unlock(&job->lock);
}

int
job_add(struct job *job, uint32_t entry)
{
	struct stretch *s = stretch_new(entry, entry + 1);

	if (s == NULL)
		return -ENOMEM;
	s->due = tree_entry(job->tree, entry)->size + JOB_FILE_COST;
	pthread_mutex_lock(&job->lock);
	s->more = job->back;
	job->back = s;
	pthread_cond_broadcast(&job->change);
	pthread_mutex_unlock(&job->lock);
	return 0;
}

bool
job_end(struct job *job, enum client_exit verdict)
{
	const uint64_t one = 1;
	bool is_first;

	pthread_mutex_lock(&job->lock);
	is_first = !job->is_over;
	if (is_first) {
		job->is_over = true;
		job->verdict = verdict;
		/* wakes those that wait for the server */
		(void)!write(job->over_fd, &one, sizeof(one));
		pthread_cond_broadcast(&job->change);
	}
	pthread_mutex_unlock(&job->lock);
	return is_first;
}

void
job_retire(struct job *job)
{
	bool is_last;

	pthread_mutex_lock(&job->lock);
	is_last = --job->threads == 0;
	pthread_mutex_unlock(&job->lock);
	if (is_last)
		job_end(job, CLIENT_DONE);
}

bool
job_is_over(struct job *job)
{
	bool is_over;

	pthread_mutex_lock(&job->lock);
	is_over = job->is_over;
	pthread_mutex_unlock(&job->lock);
	return is_over;
}

void
job_leave(struct job *job, enum client_exit verdict, const char *why)
{
	char path[SAY_PATH_SIZE];
	bool is_last;

	pthread_mutex_lock(&job->lock);
	is_last = --job->threads == 0 && !job->is_over;
	pthread_mutex_unlock(&job->lock);
	if (is_last) {
		say("get %s: %s: run the same command again to go on",
		    say_path(path, job->root), why);
		job_end(job, verdict);
	}
}

/* The main thread's part: it draws, and hears the user's wish to stop. */
static void
job_watch(struct job *job, int either_fd, int stop_fd)
{
	while (!job_is_over(job)) {
		(void)stop_wait(either_fd, TICK_MS);
		if (stop_is_asked(stop_fd))
			job_end(job, CLIENT_STOPPED);
		progress_tick(job->progress);
	}
}

/* Small enough that each thread gets several. */
static void
job_scale(struct job *job, const struct compare_missing *missing, unsigned n)
{
	uint64_t shares = (uint64_t)n * SHARES + 1;
	uint64_t files = missing->files / shares;
	uint64_t bytes = missing->bytes / shares;

	files = files < STRETCH_FILES_MIN ? STRETCH_FILES_MIN : files;
	bytes = bytes < STRETCH_BYTES_MIN ? STRETCH_BYTES_MIN : bytes;
	job->stretch_files = files < STRETCH_FILES ? (uint32_t)files
						   : STRETCH_FILES;
	job->stretch_bytes = bytes < STRETCH_BYTES ? bytes : STRETCH_BYTES;
}

/* The next stretch from the cursor on; NULL when there is none (or no memory:
 * then what is left is seen as not fetched). */
static struct stretch *
job_cut(struct job *job)
{
	uint32_t n = tree_count(job->tree), i = job->cursor, files = 0;
	uint64_t left = job->stretch_bytes;
	struct stretch *s;
	struct entry *e;

	while (i < n && tree_entry(job->tree, i)->state != ENTRY_MISSING)
		i++;
	job->cursor = i;
	if (i == n)
		return NULL;
	s = stretch_new(i, i);
	if (s == NULL)
		return NULL;
	for (; i < n && files < job->stretch_files && left > 0; i++) {
		e = tree_entry(job->tree, i);
		if (e->kind == TRAIN_DIR && e->state == ENTRY_DONE)
			continue;
		/* only the first of a stretch may begin at an offset */
		if (e->state != ENTRY_MISSING ||
		    (files > 0 &&
			((e->marks & ENTRY_HAS_PART) != 0 || e->size > left)))
			break;
		files++;
		s->end = i + 1;
		s->due += e->size + JOB_FILE_COST;
		left -= e->size < left ? e->size : left;
	}
	job->cursor = s->end;
	return s;
}

static struct stretch *
stretch_new(uint32_t next, uint32_t end)
{
	struct stretch *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->next = next;
		s->end = end;
	}
	return s;
}

/* A descriptor that is readable when one of the two is; b is one. */
static int
stop_either(int a, int b)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd;

	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((a != -1 && epoll_ctl(fd, EPOLL_CTL_ADD, a, &ev) == -1) ||
	    epoll_ctl(fd, EPOLL_CTL_ADD, b, &ev) == -1)
		fd_close(&fd);
	return fd;
}
