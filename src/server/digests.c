#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "server/digests.h"
#include "server/helpers.h"

/* So many steps are made before others have their turn. */
#define SLICE_STEPS 4

/* Those being computed, by inode.  A worker has some thousands at most. */
#define DIGEST_BUCKETS 1024

struct digests {
	struct store *store;
	struct helpers *helpers;
	unsigned count;
	struct link bucket[DIGEST_BUCKETS];
};

/* One being computed; with nobody in waits it is only waited for its job. */
struct digest {
	struct link link; /* in its bucket */
	struct digests *all;
	struct job job;
	struct link waits;
	const struct digest_wait *lender; /* whose fd it is; NULL: our own */
	int fd;
	/* the job's, while it is out */
	struct store_digest *work;
	int result;
	uint8_t sha256[STORE_SHA256_SIZE];
};

static struct digest *digest_find(struct digests *, const struct store_meta *);
static int digest_begin(struct digest **, struct digests *, int fd,
    const struct store_meta *, enum store_digest_how,
    const struct source_id *from);
static bool digest_run(struct job *);
static void digest_done(struct job *);
static void digest_free(struct digest *);
static struct link *bucket_of(struct digests *, const struct store_meta *);

int
digests_new(struct digests **out, struct store *store, struct helpers *helpers)
{
	struct digests *all;

	all = calloc(1, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	all->store = store;
	all->helpers = helpers;
	for (int i = 0; i < DIGEST_BUCKETS; i++)
		link_init(&all->bucket[i]);
	*out = all;
	return 0;
}

void
digests_free(struct digests *all)
{
	if (all == NULL)
		return;
	for (int i = 0; i < DIGEST_BUCKETS; i++)
		while (link_is_linked(&all->bucket[i]))
			digest_free(link_entry(
			    all->bucket[i].next, struct digest, link));
	free(all);
}

unsigned
digests_count(const struct digests *all)
{
	return all->count;
}

int
digests_ask(struct digests *all, struct digest_wait *w, int fd,
    const struct store_meta *meta, enum store_digest_how how)
{
	struct digest *d = NULL;
	int r;

	if (how != STORE_DIGEST_ANEW)
		d = digest_find(all, meta);
	if (d == NULL) {
		r = digest_begin(&d, all, fd, meta, how, &w->from);
		if (r != 0)
			return r;
		d->lender = w;
	}
	w->digest = d;
	link_init(&w->link);
	link_add_last(&d->waits, &w->link);
	return 0;
}

bool
digest_is_awaited(const struct digest_wait *w)
{
	return w->digest != NULL;
}

void
digests_cancel(struct digest_wait *w, int *fd)
{
	struct digest *d = w->digest;

	if (d == NULL)
		return;
	w->digest = NULL;
	link_remove(&w->link);
	if (d->lender == w) {
		d->lender = NULL;
		d->fd = fd_take(fd);
	}
	fd_close(fd);
	if (!link_is_linked(&d->waits))
		helpers_cancel(d->all->helpers, &d->job);
}

static struct digest *
digest_find(struct digests *all, const struct store_meta *meta)
{
	struct link *head = bucket_of(all, meta);

	for (struct link *l = head->next; l != head; l = l->next) {
		struct digest *d = link_entry(l, struct digest, link);

		if (link_is_linked(&d->waits) &&
		    store_digest_is_of(d->work, meta))
			return d;
	}
	return NULL;
}

static int
digest_begin(struct digest **out, struct digests *all, int fd,
    const struct store_meta *meta, enum store_digest_how how,
    const struct source_id *from)
{
	struct digest *d;
	int r;

	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	r = store_digest_new(&d->work, all->store, fd, meta, how);
	if (r != 0) {
		free(d);
		return r;
	}
	d->all = all;
	d->fd = fd;
	link_init(&d->waits);
	link_init(&d->link);
	link_add_last(bucket_of(all, meta), &d->link);
	all->count++;
	d->job.run = digest_run;
	d->job.done = digest_done;
	d->job.is_long = true;
	d->job.from = *from;
	helpers_submit(all->helpers, &d->job);
	*out = d;
	return 0;
}

static bool
digest_run(struct job *j)
{
	struct digest *d = link_entry(j, struct digest, job);

	for (int i = 0; i < SLICE_STEPS && !atomic_load(&j->stop); i++) {
		d->result = store_digest_step(d->work, d->sha256);
		if (d->result != 1)
			return true;
	}
	return false;
}

static void
digest_done(struct job *j)
{
	struct digest *d = link_entry(j, struct digest, job);

	while (link_is_linked(&d->waits)) {
		struct digest_wait *w = link_entry(
		    d->waits.next, struct digest_wait, link);

		link_remove(&w->link);
		w->digest = NULL;
		w->result = d->result;
		w->was_wrong = w == d->lender &&
			       store_digest_was_wrong(d->work);
		memcpy(w->sha256, d->sha256, sizeof(w->sha256));
		w->done(w);
	}
	digest_free(d);
}

static void
digest_free(struct digest *d)
{
	link_remove(&d->link);
	d->all->count--;
	if (d->lender == NULL)
		fd_close(&d->fd);
	store_digest_free(d->work);
	free(d);
}

static struct link *
bucket_of(struct digests *all, const struct store_meta *meta)
{
	return &all->bucket[(meta->ino ^ meta->dev * 31) % DIGEST_BUCKETS];
}
