#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "server/helpers.h"
#include "server/pack.h"
#include "server/pack_tree.h"
#include "server/worker.h"

#define BUFFER_BYTES (128 * 1024)
#define STACK_BYTES (256 * 1024)

struct pack {
	struct worker *worker;
	struct path folder;
	enum pack_form form;
	void (*wake)(void *arg);
	void *wake_arg;
	struct job job; /* out while wake is due */
	_Atomic bool stop;
	pthread_t thread;
	pthread_mutex_t lock; /* of these: */
	pthread_cond_t emptied;
	bool is_full[2]; /* the buffer is the loop's, else the thread's */
	bool is_awaited; /* the job is out, and the thread has not posted it */
	bool has_ended;
	int result;
	/* the thread's */
	unsigned filling;
	/* the loop's */
	unsigned sending;
	struct buf buf[2];
	unsigned char mem[2][BUFFER_BYTES];
};

/* ---- the loop's side ---- */
static int pack_start(struct pack *);
static void pack_await(struct pack *);
static void pack_woken(struct job *);
/* ---- the thread ---- */
static void *pack_main(void *);
static int pack_write(void *, const void *, size_t);
static int pack_hand_over(struct pack *);
static void pack_end(struct pack *, int result);
static void pack_post(struct pack *);

int
pack_begin(struct pack **out, struct worker *w, const struct path *folder,
    enum pack_form form, void (*wake)(void *arg), void *arg)
{
	struct pack *p;
	int r;

	if (w->n_packs == LIM_ARCHIVES)
		return -EBUSY;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->worker = w;
	p->folder = *folder;
	p->form = form;
	p->wake = wake;
	p->wake_arg = arg;
	p->job.done = pack_woken;
	for (int i = 0; i < 2; i++)
		buf_init(&p->buf[i], p->mem[i], BUFFER_BYTES);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->emptied, NULL);
	r = pack_start(p);
	if (r != 0) {
		pthread_cond_destroy(&p->emptied);
		pthread_mutex_destroy(&p->lock);
		free(p);
		return r;
	}
	w->n_packs++;
	*out = p;
	return 0;
}

static int
pack_start(struct pack *p)
{
	pthread_attr_t attr;
	sigset_t all;
	int r;

	/* signals are the loop's business */
	sigfillset(&all);
	r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (r == 0)
		r = pthread_attr_setsigmask_np(&attr, &all);
	if (r == 0)
		r = pthread_create(&p->thread, &attr, pack_main, p);
	pthread_attr_destroy(&attr);
	return -r;
}

ssize_t
pack_peek(struct pack *p, const void **bytes)
{
	struct buf *b = &p->buf[p->sending];
	ssize_t n = 0;

	pthread_mutex_lock(&p->lock);
	if (p->has_ended && p->result != 0) {
		n = p->result;
	} else if (p->is_full[p->sending]) {
		*bytes = buf_head(b);
		n = (ssize_t)buf_len(b);
	} else if (!p->has_ended) {
		n = -EAGAIN;
		pack_await(p);
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

void
pack_taken(struct pack *p, size_t n)
{
	struct buf *b = &p->buf[p->sending];

	buf_drop(b, n);
	if (buf_len(b) > 0)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_full[p->sending] = false;
	pthread_cond_signal(&p->emptied);
	pthread_mutex_unlock(&p->lock);
	p->sending ^= 1;
}

bool
pack_stop(struct pack *p)
{
	bool is_busy;

	atomic_store(&p->stop, true);
	pthread_mutex_lock(&p->lock);
	pthread_cond_signal(&p->emptied);
	if (!p->has_ended)
		pack_await(p);
	/* also one that has ended may have posted its job */
	is_busy = p->job.is_out;
	pthread_mutex_unlock(&p->lock);
	return is_busy;
}

/* One that was posted, and not yet reaped, will do: who is woken by it asks
 * again. */
static void
pack_await(struct pack *p)
{
	if (p->job.is_out)
		return;
	p->job.is_out = true;
	p->is_awaited = true;
}

static void
pack_woken(struct job *j)
{
	struct pack *p = link_entry(j, struct pack, job);

	p->wake(p->wake_arg);
}

void
pack_free(struct pack *p)
{
	if (p == NULL)
		return;
	/* it has nothing left to do but to return */
	pthread_join(p->thread, NULL);
	assert(p->has_ended && !p->job.is_out);
	p->worker->n_packs--;
	pthread_cond_destroy(&p->emptied);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- the thread ---- */

static void *
pack_main(void *arg)
{
	struct pack *p = arg;
	struct pack_sink sink = {
		.write = pack_write,
		.arg = p,
		.stop = &p->stop,
	};

	pack_end(p, pack_tree(p->worker->store, &p->folder, p->form, &sink));
	return NULL;
}

static int
pack_write(void *arg, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	struct pack *p = arg;
	struct buf *b;
	size_t n;
	int r;

	while (len > 0) {
		b = &p->buf[p->filling];
		n = len < buf_room(b) ? len : buf_room(b);
		buf_put(b, from, n);
		from += n;
		len -= n;
		r = buf_room(b) == 0 ? pack_hand_over(p) : 0;
		if (r != 0)
			return r;
	}
	return 0;
}

/* The one that is full to the loop; returns when the other is empty. */
static int
pack_hand_over(struct pack *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_full[p->filling] = true;
	pack_post(p);
	p->filling ^= 1;
	while (p->is_full[p->filling] && !atomic_load(&p->stop))
		pthread_cond_wait(&p->emptied, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return atomic_load(&p->stop) ? -ECANCELED : 0;
}

static void
pack_end(struct pack *p, int result)
{
	pthread_mutex_lock(&p->lock);
	if (result == 0)
		p->is_full[p->filling] = buf_len(&p->buf[p->filling]) > 0;
	/* "not yet" is not the last word, whatever file system says it */
	p->result = result == -EAGAIN ? -EIO : result;
	p->has_ended = true;
	pack_post(p);
	pthread_mutex_unlock(&p->lock);
}

static void
pack_post(struct pack *p)
{
	if (!p->is_awaited)
		return;
	p->is_awaited = false;
	helpers_post(p->worker->helpers, &p->job);
}
