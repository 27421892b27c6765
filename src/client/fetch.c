#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fetch.h"
#include "client/refusal.h"
#include "client/say.h"

/* More is asked for when less than this is still to come. */
#define AHEAD_BYTES (4ull << 20)
/* More than this that nobody wants is left by a new connection. */
#define DRAIN_MAX (4ull << 20)
/* Entries in a row at which the connection broke for good. */
#define DEAD_MAX 3
#define ROOM_CHECK (1 << 20)
/* Entries of one answer that were not listed: more is no new file, but an
 * answer without an end. */
#define STRANGE_MAX 100000

enum rx { RX_NONE, RX_FILE, RX_DRAIN };

/* Results of a step, beside 0 and what conn_next says. */
#define STEP_SKIP (-ECANCELED) /* a new connection is cheaper than the rest */
#define STEP_OVER (-ESHUTDOWN) /* the job is over */
#define STEP_LEAVE (-EUSERS) /* the others need the descriptors */

struct fetcher {
	struct job *job;
	pthread_t thread;
	struct conn *conn;
	bool owns_conn;
	struct place place;

	struct stretch *ring[CONN_AHEAD]; /* in the order they were asked */
	unsigned first, n;
	unsigned tries; /* since the last new byte */
	unsigned dead; /* entries in a row that were given up */

	/* the answer that is coming: of ring[first] */
	unsigned strange; /* entries of it that were not listed */
	bool has_seen;
	struct path seen; /* the last entry of it */
	struct path until;
	enum rx rx;
	uint64_t left; /* of the file's bytes */

	/* scratch, too big for a stack frame each */
	struct path path;
	struct train_head head;
	struct train_tree request;
	char why[REFUSAL_SIZE];
};

/* the thread */
static void *fetcher_main(void *);
static bool recover(struct fetcher *, int);
static bool give_up_entry(struct fetcher *);
static void give_all_back(struct fetcher *);

/* asking */
static int ask_ahead(struct fetcher *);
static int ask(struct fetcher *, struct stretch *);
static void ask_part(struct fetcher *, struct stretch *);
static int reconnect(struct fetcher *);
static void answer_begin(struct fetcher *);

/* the answer */
static int step(struct fetcher *);
static int on_head(struct fetcher *, const struct arrival *);
static int on_data(struct fetcher *, const struct arrival *);
static int on_end(struct fetcher *, const struct arrival *);
static int on_sum(struct fetcher *, const struct arrival *);
static int on_error(struct fetcher *, const struct arrival *);

/* entries */
static const char *order_fault(struct fetcher *);
static bool pass_to_head(struct fetcher *, struct stretch *);
static int file_begin(struct fetcher *, struct stretch *);
static int file_open(struct fetcher *, struct stretch *, struct entry *);
static int file_local(struct fetcher *, struct stretch *, int);
static void file_wrong(struct fetcher *, struct stretch *, uint64_t);
static void file_fail(struct fetcher *, struct stretch *, const char *);
static void pass(struct fetcher *, struct stretch *, const char *);
static void advance(struct stretch *);
static int drain(struct fetcher *);
static void await_end(struct fetcher *);
static int proto(struct fetcher *, const char *);

struct fetcher *
fetcher_start(struct job *job, struct conn *conn)
{
	struct fetcher *f;

	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->job = job;
	f->conn = conn;
	place_init(&f->place);
	if (conn == NULL) {
		f->conn = conn_new(job->session);
		f->owns_conn = true;
	}
	if (f->conn == NULL ||
	    pthread_create(&f->thread, NULL, fetcher_main, f) != 0) {
		if (f->owns_conn)
			conn_free(f->conn);
		free(f);
		return NULL;
	}
	return f;
}

void
fetcher_join(struct fetcher *f)
{
	if (f == NULL)
		return;
	pthread_join(f->thread, NULL);
	if (f->owns_conn)
		conn_free(f->conn);
	free(f);
}

/* ---- the thread ---- */

static void *
fetcher_main(void *arg)
{
	struct fetcher *f = arg;
	bool goes_on = true;
	int r;

	while (goes_on) {
		r = ask_ahead(f);
		if (f->n == 0) {
			job_retire(f->job);
			break;
		}
		if (r == 0)
			r = conn_is_open(f->conn) ? step(f) : reconnect(f);
		if (r != 0)
			goes_on = recover(f, r);
	}
	give_all_back(f);
	place_close(&f->place);
	return NULL;
}

/* Decides what a failure means.  False: this thread ends. */
static bool
recover(struct fetcher *f, int err)
{
	bool was_open = conn_is_open(f->conn);
	int r = err;

	conn_disconnect(f->conn);
	if (err == STEP_SKIP)
		return true;
	if (err == STEP_LEAVE) {
		give_all_back(f);
		job_leave(f->job, CLIENT_FAILED, strerrordesc_np(EMFILE));
		return false;
	}
	if (was_open && err != -EINTR && err != STEP_OVER) {
		r = session_retry(f->job->session, &f->tries, err);
		if (r == 0)
			return true;
	}
	if (r == -EINTR)
		job_end(f->job, CLIENT_STOPPED);
	if (r == -EINTR || err == STEP_OVER) {
		job_retire(f->job);
		return false;
	}
	if (was_open && err != -EBUSY)
		return give_up_entry(f);
	give_all_back(f);
	job_leave(f->job, CLIENT_NO_CONNECTION,
	    err == -EBUSY ? "The server is busy" : conn_reason(f->conn));
	return false;
}

/* The server can be reached, but never gets beyond this entry: others may
 * come, unless it is all the same with them. */
static bool
give_up_entry(struct fetcher *f)
{
	struct stretch *s = f->ring[f->first];
	char path[SAY_PATH_SIZE];

	f->tries = 0;
	if (++f->dead < DEAD_MAX) {
		snprintf(f->why, sizeof(f->why), "%s here, again and again",
		    conn_reason(f->conn));
		if (s->next < s->end)
			pass(f, s, f->why);
		return true;
	}
	if (job_end(f->job, CLIENT_NO_CONNECTION))
		say("get %s: %s, again and again: run the same command again "
		    "to go on",
		    say_path(path, f->job->root), conn_reason(f->conn));
	job_retire(f->job);
	return false;
}

static void
give_all_back(struct fetcher *f)
{
	while (f->n > 0) {
		job_give_back(f->job, f->ring[f->first]);
		f->first = (f->first + 1) % CONN_AHEAD;
		f->n--;
	}
}

/* ---- asking ---- */

static int
ask_ahead(struct fetcher *f)
{
	struct stretch *s;
	uint64_t due = 0;
	unsigned i;
	int r = 0;

	for (i = 0; i < f->n; i++)
		due += f->ring[(f->first + i) % CONN_AHEAD]->due;
	while (
	    r == 0 && f->n < CONN_AHEAD && (f->n == 0 || due < AHEAD_BYTES)) {
		s = job_take(f->job, f->n == 0);
		if (s == NULL)
			break;
		due += s->due;
		f->ring[(f->first + f->n) % CONN_AHEAD] = s;
		f->n++;
		if (conn_is_open(f->conn)) {
			r = ask(f, s);
			if (f->n == 1)
				answer_begin(f);
		}
	}
	return r;
}

static int
ask(struct fetcher *f, struct stretch *s)
{
	struct train_tree *t = &f->request;
	struct tree *tree = f->job->tree;

	ask_part(f, s);
	/* what came wrong is asked for alone; its digest may be of old bytes */
	t->flags = tree_entry(tree, s->next)->state == ENTRY_AGAIN
		       ? TRAIN_F_ANEW
		       : 0;
	t->root = *f->job->root;
	tree_path(tree, s->next, &t->from);
	path_init(&t->until);
	if (s->end < tree_count(tree))
		tree_path(tree, s->end, &t->until);
	t->offset = s->offset;
	/* the ring is no longer than what the connection has room for; an
	 * answer to what was not asked would be taken for the next one's */
	return train_tree_put(conn_out(f->conn), t);
}

/* Opens what an earlier run left of the first file. */
static void
ask_part(struct fetcher *f, struct stretch *s)
{
	struct entry *e = tree_entry(f->job->tree, s->next);

	if (s->part == NULL && (e->marks & ENTRY_HAS_PART) != 0 &&
	    place_go(&f->place, f->job->target, f->job->tree, e->parent) == 0 &&
	    part_open(&s->part, &f->place, e->name, e->size, e->mtime_ns) == 0)
		atomic_fetch_add(&f->job->progress->kept, part_got(s->part));
	e->marks &= (uint8_t)~ENTRY_HAS_PART;
	s->offset = s->part != NULL ? part_got(s->part) : 0;
}

static int
reconnect(struct fetcher *f)
{
	unsigned i;
	int r;

	r = conn_reach(f->conn, &f->tries);
	if (r != 0)
		return r;
	f->rx = RX_NONE;
	while (f->n > 0 && f->ring[f->first]->next == f->ring[f->first]->end) {
		job_done(f->job, f->ring[f->first]);
		f->first = (f->first + 1) % CONN_AHEAD;
		f->n--;
	}
	for (i = 0; i < f->n && r == 0; i++)
		r = ask(f, f->ring[(f->first + i) % CONN_AHEAD]);
	if (f->n > 0)
		answer_begin(f);
	return r;
}

static void
answer_begin(struct fetcher *f)
{
	const struct stretch *s = f->ring[f->first];
	struct tree *tree = f->job->tree;

	f->rx = RX_NONE;
	f->strange = 0;
	f->has_seen = false;
	path_init(&f->until);
	if (s->end < tree_count(tree))
		tree_path(tree, s->end, &f->until);
	/* what comes is not before the first entry */
	tree_path(tree, s->next, &f->seen);
}

/* ---- the answer ---- */

static int
step(struct fetcher *f)
{
	struct arrival a;
	int r;

	r = conn_next(f->conn, &a);
	if (r == -EPROTO)
		return proto(f, conn_reason(f->conn));
	if (r != 0)
		return r;
	switch (a.frame.type) {
	case TRAIN_HEAD:
		return on_head(f, &a);
	case TRAIN_DATA:
		return on_data(f, &a);
	case TRAIN_END:
		return on_end(f, &a);
	case TRAIN_SUM:
		return on_sum(f, &a);
	case TRAIN_ERROR:
		return on_error(f, &a);
	default:
		return proto(f, "an unknown frame");
	}
}

static int
on_head(struct fetcher *f, const struct arrival *a)
{
	struct stretch *s = f->ring[f->first];
	const char *reason;
	struct entry *e;
	bool is_next;

	if (f->rx != RX_NONE)
		return proto(f, "an entry within a file");
	if (train_head_parse(&a->frame, a->bytes, &f->head, &reason) !=
	    TRAIN_OK)
		return proto(f, reason);
	reason = order_fault(f);
	if (reason != NULL)
		return proto(f, reason);
	f->left = f->head.size - f->head.offset;
	is_next = pass_to_head(f, s);
	if (f->head.offset != 0 && (!is_next || f->head.offset != s->offset))
		return proto(f, "an offset that was not asked for");
	if (!is_next) { /* was not listed: is not wanted */
		if (++f->strange > STRANGE_MAX)
			return proto(
			    f, "no end of entries that it never listed");
		return f->head.kind == TRAIN_FILE ? drain(f) : 0;
	}
	e = tree_entry(f->job->tree, s->next);
	if (e->kind == TRAIN_DIR && f->head.kind == TRAIN_DIR) {
		advance(s);
		return 0;
	}
	if (e->kind == TRAIN_FILE && f->head.kind == TRAIN_FILE)
		return file_begin(f, s);
	pass(f, s, "It is a folder now");
	return f->head.kind == TRAIN_FILE ? drain(f) : 0;
}

static int
on_data(struct fetcher *f, const struct arrival *a)
{
	struct stretch *s = f->ring[f->first];
	struct progress *progress = f->job->progress;
	int r;

	if (f->rx == RX_NONE)
		return proto(f, "data of no file");
	if (a->len > f->left && f->rx == RX_DRAIN)
		return proto(f, "more data than announced");
	if (a->len > f->left) {
		file_wrong(f, s, part_got(s->part));
		return STEP_SKIP; /* what is its end cannot be told */
	}
	f->left -= a->len;
	await_end(f);
	if (f->rx == RX_DRAIN)
		return 0;
	r = part_write(s->part, a->bytes, a->len);
	if (r != 0) {
		r = file_local(f, s, r);
		return r != 0 ? r : drain(f);
	}
	if (part_got(s->part) > s->most) {
		s->most = part_got(s->part);
		f->tries = 0;
		f->dead = 0;
	}
	s->due -= a->len < s->due ? a->len : s->due;
	atomic_fetch_add(&progress->bytes, a->len);
	return 0;
}

static int
on_end(struct fetcher *f, const struct arrival *a)
{
	struct stretch *s = f->ring[f->first];
	struct tally *tally = f->job->tally;
	struct train_end end;
	const char *reason;
	struct entry *e;
	struct part *part;
	enum rx rx = f->rx;
	int r;

	if (rx == RX_NONE)
		return proto(f, "an end of no file");
	if (train_end_parse(&a->frame, a->bytes, &end, &reason) != TRAIN_OK)
		return proto(f, reason);
	f->rx = RX_NONE;
	if (rx == RX_DRAIN)
		return 0;
	e = tree_entry(f->job->tree, s->next);
	if (f->left != 0) {
		file_wrong(f, s, part_got(s->part));
		return 0;
	}
	if ((end.flags & TRAIN_F_DIGEST) == 0) {
		part_drop(s->part);
		s->part = NULL;
		file_fail(f, s, "The server gave no digest for it");
		return 0;
	}
	part = s->part;
	s->part = NULL;
	r = part_publish(part, &end, e->mode, PART_SOON);
	if (r == -EBADMSG) {
		file_wrong(f, s, e->size);
		return 0;
	}
	if (r < 0)
		return file_local(f, s, r);
	if (r > 0)
		atomic_fetch_add(&tally->lax, 1);
	e->state = ENTRY_DONE;
	atomic_fetch_add(&tally->files, 1);
	atomic_fetch_add(&tally->bytes, e->size);
	atomic_fetch_add(&f->job->progress->items, 1);
	f->tries = 0;
	f->dead = 0;
	advance(s);
	return 0;
}

static int
on_sum(struct fetcher *f, const struct arrival *a)
{
	struct stretch *s = f->ring[f->first];
	struct train_sum sum;
	const char *reason;

	if (f->rx != RX_NONE)
		return proto(f, "a sum within a file");
	if (train_sum_parse(&a->frame, a->bytes, &sum, &reason) != TRAIN_OK)
		return proto(f, reason);
	while (s->next < s->end)
		pass(f, s, "It is no longer there");
	job_done(f->job, s);
	f->first = (f->first + 1) % CONN_AHEAD;
	f->n--;
	if (f->n > 0)
		answer_begin(f);
	return 0;
}

static int
on_error(struct fetcher *f, const struct arrival *a)
{
	struct stretch *s = f->ring[f->first];
	struct train_error e;
	const char *reason;
	char path[SAY_PATH_SIZE];
	enum rx rx = f->rx;

	if (train_error_parse(&a->frame, a->bytes, &e, &reason) != TRAIN_OK)
		return proto(f, reason);
	if (refusal_passes(&e))
		return -EBUSY;
	refusal_text(f->why, &e);
	if (e.scope != TRAIN_ENTRY) {
		if (job_end(f->job, CLIENT_FAILED))
			say("get %s: %s", say_path(path, f->job->root), f->why);
		return STEP_OVER;
	}
	if (rx == RX_NONE)
		return proto(f, "an error of no entry");
	f->rx = RX_NONE;
	if (rx == RX_FILE &&
	    (e.code == TRAIN_E_CHANGED || e.code == TRAIN_E_OFFSET))
		file_wrong(f, s, part_got(s->part));
	else if (rx == RX_FILE)
		file_fail(f, s, f->why);
	return 0;
}

/* ---- entries ---- */

/* Strictly rising, within what was asked for. */
static const char *
order_fault(struct fetcher *f)
{
	int c = path_cmp(&f->seen, &f->head.path);

	if (c > 0 || (c == 0 && f->has_seen))
		return "entries out of order";
	if (f->until.n > 0 && path_cmp(&f->head.path, &f->until) >= 0)
		return "entries that were not asked for";
	f->has_seen = true;
	f->seen = f->head.path;
	return NULL;
}

/* Passes over the entries that do not come any more.  True: the next one is
 * that of the head. */
static bool
pass_to_head(struct fetcher *f, struct stretch *s)
{
	int c;

	while (s->next < s->end) {
		tree_path(f->job->tree, s->next, &f->path);
		c = path_cmp(&f->path, &f->head.path);
		if (c >= 0)
			return c == 0;
		pass(f, s, "It is no longer there");
	}
	return false;
}

/* Its head has come: makes ready for its data. */
static int
file_begin(struct fetcher *f, struct stretch *s)
{
	struct entry *e = tree_entry(f->job->tree, s->next);
	struct train_head *h = &f->head;
	struct progress *progress = f->job->progress;
	int r;

	atomic_fetch_add(&progress->bytes_due, h->size - e->size);
	e->size = h->size;
	e->mtime_ns = h->mtime_ns;
	e->mode = h->mode & 0777;
	if (s->part != NULL && !part_is_for(s->part, h->size, h->mtime_ns)) {
		part_drop(s->part);
		s->part = NULL;
		/* the end of the new version does not fit what was here */
		if (h->offset != 0) {
			file_wrong(f, s, s->offset);
			return drain(f);
		}
	}
	r = file_open(f, s, e);
	if (r == -EINTR)
		return r;
	if (r == -EBADMSG) {
		file_wrong(f, s, s->offset);
		return drain(f);
	}
	if (r != 0) {
		r = file_local(f, s, r);
		return r != 0 ? r : drain(f);
	}
	f->rx = RX_FILE;
	await_end(f);
	return 0;
}

static int
file_open(struct fetcher *f, struct stretch *s, struct entry *e)
{
	struct job *job = f->job;
	int r;

	r = place_go(&f->place, job->target, job->tree, e->parent);
	if (r == 0 && s->part == NULL)
		r = part_open(
		    &s->part, &f->place, e->name, e->size, e->mtime_ns);
	if (r == 0 && part_got(s->part) != f->head.offset)
		r = part_restart(s->part);
	if (r != 0)
		return r;
	if (f->left > ROOM_CHECK && !target_has_room(f->place.fd, f->left))
		return -EFBIG;
	return part_feed(s->part, job->session->stop_fd);
}

/* The disk refused.  0: only this entry, which has failed now. */
static int
file_local(struct fetcher *f, struct stretch *s, int err)
{
	char root[SAY_PATH_SIZE], path[SAY_PATH_SIZE];
	char why[TARGET_REFUSAL_SIZE];
	struct job *job = f->job;

	if (err == -EMFILE)
		return STEP_LEAVE;
	target_refusal(why, err);
	if (!compare_is_fatal(job->target, err)) {
		file_fail(f, s, why);
		return 0;
	}
	tree_path(job->tree, s->next, &f->path);
	if (job_end(job, CLIENT_FAILED))
		say("get %s%s: %s",
		    job->root->n > 0 ? say_path(root, job->root) : "",
		    say_path(path, &f->path), why);
	return STEP_OVER;
}

/* It is not what was announced.  It gets one fresh try, from its first byte,
 * for it may have changed while it was sent.  got: bytes that were in vain. */
static void
file_wrong(struct fetcher *f, struct stretch *s, uint64_t got)
{
	struct entry *e = tree_entry(f->job->tree, s->next);
	uint32_t i = s->next;

	part_drop(s->part);
	s->part = NULL;
	atomic_fetch_sub(&f->job->progress->kept, got);
	if (e->state == ENTRY_AGAIN) {
		file_fail(f, s,
		    "It came wrong twice: its size or its digest is not the "
		    "one announced");
		return;
	}
	e->state = ENTRY_AGAIN;
	advance(s);
	(void)job_add(f->job, i); /* without memory it is told in the end */
}

static void
file_fail(struct fetcher *f, struct stretch *s, const char *why)
{
	struct entry *e = tree_entry(f->job->tree, s->next);
	struct progress *progress = f->job->progress;
	uint64_t got = s->part != NULL ? part_got(s->part) : 0;

	part_keep(s->part);
	s->part = NULL;
	e->state = ENTRY_FAILED;
	tree_path(f->job->tree, s->next, &f->path);
	tally_fail(f->job->tally, &f->path, why);
	atomic_fetch_add(&progress->items, 1);
	if (got < e->size)
		atomic_fetch_sub(&progress->bytes_due, e->size - got);
	advance(s);
}

/* Leaves the next entry: a file that way has failed. */
static void
pass(struct fetcher *f, struct stretch *s, const char *why)
{
	if (tree_entry(f->job->tree, s->next)->kind == TRAIN_FILE)
		file_fail(f, s, why);
	else
		advance(s);
}

static void
advance(struct stretch *s)
{
	s->next++;
	s->offset = 0;
	s->most = 0;
	s->due -= s->due < JOB_FILE_COST ? s->due : JOB_FILE_COST;
}

/* Lets the rest of the file pass by, or leaves it by a new connection. */
static int
drain(struct fetcher *f)
{
	f->rx = RX_DRAIN;
	await_end(f);
	return f->left > DRAIN_MAX ? STEP_SKIP : 0;
}

static void
await_end(struct fetcher *f)
{
	if (f->left == 0)
		conn_await_digest(f->conn, f->head.size);
}

static int
proto(struct fetcher *f, const char *reason)
{
	char path[SAY_PATH_SIZE];

	if (job_end(f->job, CLIENT_FAILED))
		say("get %s: The server breaks the protocol: %s",
		    say_path(path, f->job->root), reason);
	return STEP_OVER;
}
