#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/listing.h"
#include "client/refusal.h"
#include "client/say.h"

struct listing {
	struct conn *conn;
	struct session *session;
	const struct path *root;
	struct tree *tree;
	struct listing_skipped *skipped;
	struct progress *progress;
	unsigned tries;
	uint32_t most; /* entries there ever were: more is new */
	bool is_done;
	struct train_tree request;
	struct train_head head;
	char why[REFUSAL_SIZE];
};

static void listing_ask(struct listing *);
static int listing_frame(struct listing *);
static int listing_head(struct listing *, const struct arrival *);
static int listing_sum(struct listing *, const struct arrival *);
static int listing_error(struct listing *, const struct arrival *);
static int proto(struct listing *, const char *);
static enum client_exit listing_verdict(struct listing *, int);

enum client_exit
listing_fetch(struct conn *conn, struct session *session,
    const struct path *root, struct tree *tree, struct listing_skipped *skipped,
    struct progress *progress)
{
	enum client_exit verdict;
	struct listing *l;
	int r = 0, w = 0;

	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		say("get: no memory");
		return CLIENT_FAILED;
	}
	l->conn = conn;
	l->session = session;
	l->root = root;
	l->tree = tree;
	l->skipped = skipped;
	memset(skipped, 0, sizeof(*skipped));
	l->progress = progress;
	while (!l->is_done && w == 0) {
		l->why[0] = '\0'; /* what failed before is over */
		if (!conn_is_open(conn)) {
			r = conn_reach(conn, &l->tries);
			if (r != 0) {
				w = r;
				break;
			}
			listing_ask(l);
		}
		r = listing_frame(l);
		if (r == 0)
			continue;
		conn_disconnect(conn);
		if (r == -EPROTO || r == -EINTR || r == -ECANCELED ||
		    r == -E2BIG)
			w = r;
		else
			w = session_retry(session, &l->tries, r);
	}
	verdict = listing_verdict(l, w);
	free(l);
	return verdict;
}

/* From the last entry on: it is taken out, and comes again if it is still
 * there. */
static void
listing_ask(struct listing *l)
{
	struct train_tree *t = &l->request;
	uint32_t n = tree_count(l->tree);

	memset(t, 0, sizeof(*t));
	t->flags = TRAIN_F_HEADS_ONLY;
	t->root = *l->root;
	if (n > 0) {
		l->skipped->is_partial = true;
		tree_path(l->tree, n - 1, &t->from);
		tree_forget_last(l->tree);
	}
	(void)train_tree_put(conn_out(l->conn), t); /* out is empty */
}

static int
listing_frame(struct listing *l)
{
	struct arrival a;
	int r;

	progress_tick(l->progress);
	r = conn_next(l->conn, &a);
	if (r == -EPROTO)
		return proto(l, conn_reason(l->conn));
	if (r != 0)
		return r;
	switch (a.frame.type) {
	case TRAIN_HEAD:
		return listing_head(l, &a);
	case TRAIN_SUM:
		return listing_sum(l, &a);
	case TRAIN_ERROR:
		return listing_error(l, &a);
	default:
		return proto(l, "a listing has no such frame");
	}
}

static int
listing_head(struct listing *l, const struct arrival *a)
{
	const char *reason;
	int r;

	if (train_head_parse(&a->frame, a->bytes, &l->head, &reason) !=
	    TRAIN_OK)
		return proto(l, reason);
	r = tree_add(l->tree, &l->head, &reason);
	if (r == -EPROTO)
		return proto(l, reason);
	if (r == 0 && tree_count(l->tree) > l->most) {
		l->most = tree_count(l->tree);
		l->tries = 0;
		atomic_store(&l->progress->items, l->most);
	}
	return r;
}

static int
listing_sum(struct listing *l, const struct arrival *a)
{
	struct train_sum sum;
	const char *reason;

	if (train_sum_parse(&a->frame, a->bytes, &sum, &reason) != TRAIN_OK)
		return proto(l, reason);
	if ((sum.flags & TRAIN_F_MORE) != 0)
		return proto(l, "a whole listing that says it is not whole");
	l->skipped->links = sum.links;
	l->skipped->special = sum.special;
	l->skipped->unreadable = sum.unreadable;
	l->is_done = true;
	return 0;
}

static int
listing_error(struct listing *l, const struct arrival *a)
{
	struct train_error e;
	const char *reason;

	if (train_error_parse(&a->frame, a->bytes, &e, &reason) != TRAIN_OK)
		return proto(l, reason);
	if (e.scope == TRAIN_ENTRY)
		return proto(l, "an error of no entry");
	refusal_text(l->why, &e);
	return refusal_passes(&e) ? -EBUSY : -ECANCELED;
}

static int
proto(struct listing *l, const char *reason)
{
	snprintf(l->why, sizeof(l->why), "The server breaks the protocol: %s",
	    reason);
	return -EPROTO;
}

/*
 * r: 0, -EINTR, -ECANCELED and -EPROTO with a reason in why, -E2BIG, else the
 * server cannot be reached (any more).
 */
static enum client_exit
listing_verdict(struct listing *l, int r)
{
	char path[SAY_PATH_SIZE];

	say_path(path, l->root);
	if (l->is_done)
		return CLIENT_DONE;
	if (r == -EINTR)
		return CLIENT_STOPPED;
	if (l->why[0] != '\0' && (r == -ECANCELED || r == -EPROTO)) {
		say("get %s: %s", path, l->why);
		return CLIENT_FAILED;
	}
	if (r == -E2BIG) {
		say("get %s: The tree has too many entries for one run: get "
		    "its folders one by one",
		    path);
		return CLIENT_FAILED;
	}
	say("get %s: %s", path,
	    l->why[0] != '\0' ? l->why : conn_reason(l->conn));
	return CLIENT_NO_CONNECTION;
}
