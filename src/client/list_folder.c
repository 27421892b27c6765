#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "client/client.h"
#include "client/conn.h"
#include "client/mtime.h"
#include "client/refusal.h"
#include "client/say.h"

#define STEP_FAILED (-ECANCELED) /* why says it */

struct lister {
	struct session *session;
	struct conn *conn;
	bool is_long;
	bool is_done;
	unsigned tries;
	struct train_list request; /* after: the last name that came */
	struct train_head head;
	struct train_sum sum;
	char why[REFUSAL_SIZE];
};

static int list_fetch(struct lister *);
static int list_step(struct lister *);
static int on_head(struct lister *, const struct arrival *);
static int on_error(struct lister *, const struct arrival *);
static void print_entry(const struct lister *);
static enum client_exit list_verdict(const struct lister *, int);
static int proto(struct lister *, const char *);

enum client_exit
client_list(struct session *session, const struct path *path, bool is_long)
{
	enum client_exit verdict;
	struct lister *l;

	l = calloc(1, sizeof(*l));
	if (l != NULL)
		l->conn = conn_new(session);
	if (l == NULL || l->conn == NULL) {
		free(l);
		say("ls: no memory");
		return CLIENT_FAILED;
	}
	l->session = session;
	l->is_long = is_long;
	l->request.folder = *path;
	path_init(&l->request.after);
	verdict = list_verdict(l, list_fetch(l));
	conn_free(l->conn);
	free(l);
	return verdict;
}

static int
list_fetch(struct lister *l)
{
	int r, w;

	/* main tells what became of stdout */
	while (!l->is_done && !ferror(stdout)) {
		if (!conn_is_open(l->conn)) {
			r = conn_reach(l->conn, &l->tries);
			if (r != 0)
				return r;
			/* out is empty */
			(void)train_list_put(conn_out(l->conn), &l->request);
		}
		r = list_step(l);
		if (r == 0)
			continue;
		conn_disconnect(l->conn);
		if (r == -EINTR || r == STEP_FAILED)
			return r;
		w = session_retry(l->session, &l->tries, r);
		if (w != 0)
			return w == -EINTR ? w : r;
	}
	return 0;
}

static int
list_step(struct lister *l)
{
	struct arrival a;
	const char *reason;
	int r;

	r = conn_next(l->conn, &a);
	if (r == -EPROTO)
		return proto(l, conn_reason(l->conn));
	if (r != 0)
		return r;
	switch (a.frame.type) {
	case TRAIN_HEAD:
		return on_head(l, &a);
	case TRAIN_SUM:
		if (train_sum_parse(&a.frame, a.bytes, &l->sum, &reason) !=
		    TRAIN_OK)
			return proto(l, reason);
		l->is_done = true;
		return 0;
	case TRAIN_ERROR:
		return on_error(l, &a);
	default:
		return proto(l, "a listing has no such frame");
	}
}

static int
on_head(struct lister *l, const struct arrival *a)
{
	const char *reason;

	if (train_head_parse(&a->frame, a->bytes, &l->head, &reason) !=
	    TRAIN_OK)
		return proto(l, reason);
	if (l->head.path.n != 1)
		return proto(l, "an entry that is not one name");
	if (path_cmp(&l->request.after, &l->head.path) >= 0)
		return proto(l, "entries out of order");
	l->request.after = l->head.path;
	l->tries = 0;
	print_entry(l);
	return 0;
}

static int
on_error(struct lister *l, const struct arrival *a)
{
	struct train_error e;
	const char *reason;

	if (train_error_parse(&a->frame, a->bytes, &e, &reason) != TRAIN_OK)
		return proto(l, reason);
	refusal_text(l->why, &e);
	return refusal_passes(&e) ? -EBUSY : STEP_FAILED;
}

/* Always escaped: a name is a stranger's bytes, wherever it is printed. */
static void
print_entry(const struct lister *l)
{
	char name[4 * LIM_SEG_BYTES + 1], mode[] = "----------", when[32];
	const struct train_head *h = &l->head;
	bool is_dir = h->kind == TRAIN_DIR;
	struct timespec at = mtime_to_timespec(h->mtime_ns);
	struct tm tm;
	unsigned i;

	text_escape(name, sizeof(name), h->path.bytes, h->path.len);
	if (l->is_long) {
		mode[0] = is_dir ? 'd' : '-';
		for (i = 0; i < 9; i++)
			if ((h->mode & (0400u >> i)) != 0)
				mode[1 + i] = "rwx"[i % 3];
		if (localtime_r(&at.tv_sec, &tm) == NULL ||
		    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm) == 0)
			snprintf(when, sizeof(when), "%-19s", "?");
		printf("%s %13" PRIu64 " %s ", mode, h->size, when);
	}
	printf("%s%s\n", name, is_dir ? "/" : "");
}

static enum client_exit
list_verdict(const struct lister *l, int r)
{
	const struct train_sum *sum = &l->sum;
	char path[SAY_PATH_SIZE];

	fflush(stdout); /* names come before what is said about them */
	say_path(path, &l->request.folder);
	if (r == -EINTR)
		return CLIENT_STOPPED;
	if (r != 0) {
		say("ls %s: %s", path,
		    r == STEP_FAILED || r == -EBUSY ? l->why
						    : conn_reason(l->conn));
		return r == STEP_FAILED ? CLIENT_FAILED : CLIENT_NO_CONNECTION;
	}
	if (sum->links > 0 || sum->special > 0 || sum->unreadable > 0)
		say("ls %s: not served: %" PRIu64 " links, %" PRIu64
		    " special, %" PRIu64 " unreadable",
		    path, sum->links, sum->special, sum->unreadable);
	return CLIENT_DONE;
}

static int
proto(struct lister *l, const char *reason)
{
	snprintf(l->why, sizeof(l->why), "The server breaks the protocol: %s",
	    reason);
	return STEP_FAILED;
}
