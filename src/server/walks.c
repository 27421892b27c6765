#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "server/walks.h"
#include "store/store.h"

/* Walks are used by helpers alone, one by each. */
static_assert(LIM_HELPERS <= LIM_WALKS, "who needs a place always finds one");

struct walks {
	pthread_mutex_t lock;
	struct link waiting; /* ready, not in use; the longest first */
	unsigned n_ready; /* those in use too */
	unsigned max;
};

static void longest_rest(struct walks *);
static void place_lose(struct walks *, struct walk_place *);

int
walks_new(struct walks **out, unsigned max)
{
	struct walks *ws;

	ws = calloc(1, sizeof(*ws));
	if (ws == NULL)
		return -ENOMEM;
	pthread_mutex_init(&ws->lock, NULL);
	link_init(&ws->waiting);
	ws->max = max;
	*out = ws;
	return 0;
}

void
walks_free(struct walks *ws)
{
	if (ws == NULL)
		return;
	pthread_mutex_destroy(&ws->lock);
	free(ws);
}

void
walks_begin(struct walks *ws, struct walk_place *p)
{
	pthread_mutex_lock(&ws->lock);
	if (p->is_ready) {
		link_remove(&p->link);
	} else {
		if (ws->n_ready == ws->max)
			longest_rest(ws);
		link_init(&p->link);
		p->is_ready = true;
		ws->n_ready++;
	}
	pthread_mutex_unlock(&ws->lock);
}

void
walks_pause(struct walks *ws, struct walk_place *p)
{
	pthread_mutex_lock(&ws->lock);
	link_add_last(&ws->waiting, &p->link);
	pthread_mutex_unlock(&ws->lock);
}

void
walks_end(struct walks *ws, struct walk_place *p)
{
	pthread_mutex_lock(&ws->lock);
	if (p->is_ready)
		place_lose(ws, p);
	pthread_mutex_unlock(&ws->lock);
	store_walk_free(p->walk);
	p->walk = NULL;
}

static void
longest_rest(struct walks *ws)
{
	struct walk_place *p;

	assert(link_is_linked(&ws->waiting));
	p = link_entry(ws->waiting.next, struct walk_place, link);
	store_walk_rest(p->walk);
	place_lose(ws, p);
}

static void
place_lose(struct walks *ws, struct walk_place *p)
{
	link_remove(&p->link);
	p->is_ready = false;
	ws->n_ready--;
}

unsigned
walks_count(struct walks *ws)
{
	unsigned n;

	pthread_mutex_lock(&ws->lock);
	n = ws->n_ready;
	pthread_mutex_unlock(&ws->lock);
	return n;
}
