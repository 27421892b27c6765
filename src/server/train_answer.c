#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "server/client_log.h"
#include "server/source.h"
#include "server/train_answer.h"
#include "server/train_fill.h"
#include "server/train_state.h"
#include "server/worker.h"

/* Up to this a file is read and sent with its frames in one call. */
#define INLINE_BYTES (64 * 1024)
/* An end or an error frame. */
#define END_ROOM (LIM_TRAIN_TEXT_BYTES + 64)

static_assert(
    INLINE_BYTES + 3 * TRAIN_HEADER_SIZE + 2 * LIM_PATH_BYTES < CONN_OUT_SIZE,
    "a small file and its frames fit the out buffer");

/* ---- beginning ---- */
static enum answer_begun
begin_get(struct answer *, const void *p, const char **reason);
static enum answer_begun
begin_tree(struct answer *, const void *p, const char **reason);
static enum answer_begun
begin_list(struct answer *, const void *p, const char **reason);
static bool open_run(struct job *);
static void open_ready(struct answer *, int result);
/* ---- steps: true when the state has changed, or want says what for ---- */
static bool step_file(struct answer *, enum want *);
static bool step_digest(struct answer *, enum want *);
static bool step_fill(struct answer *, enum want *);
/* ---- of a file ---- */
static int next_frame(struct answer *);
static bool try_inline(struct answer *, uint32_t len);
static bool have_window(struct answer *);
static bool is_changed(struct answer *);
static bool look_changed(const struct answer *);
static bool fetch_run(struct job *);
static void digest_done(struct digest_wait *);
static void entry_ended(struct answer *);
static void entry_failed(struct answer *, enum train_code, const char *);
/* ---- all ---- */
static void disk_submit(struct answer *, bool (*run)(struct job *));
static void disk_done(struct job *);
static void answer_log(const struct answer *, const char *how);
static void answer_end(struct conn *);

static const char changed_text[] = "the file changed while it was sent";

const size_t answer_size = sizeof(struct answer);

enum answer_begun
answer_begin(struct conn *c, const struct train_frame *frame, const void *p,
    const char **reason)
{
	struct answer *a;

	a = slab_get(&c->worker->answers);
	if (a == NULL)
		return ANSWER_NO_ROOM;
	memset(a, 0, offsetof(struct answer, ask));
	a->conn = c;
	a->fd = -1;
	a->frame = *frame;
	a->began_ns = clock_ns();
	a->sent_before = c->n_sent;
	a->disk.done = disk_done;
	a->digest.done = digest_done;
	a->digest.from = c->source->id;
	c->answer = a;
	if (conn_need_out(c) != 0) {
		answer_free(c);
		return ANSWER_NO_ROOM;
	}
	switch (frame->type) {
	case TRAIN_GET:
		return begin_get(a, p, reason);
	case TRAIN_TREE:
		return begin_tree(a, p, reason);
	default:
		return begin_list(a, p, reason);
	}
}

bool
answer_step(struct conn *c, enum want *want)
{
	struct answer *a = c->answer;
	bool goes_on = true;

	while (goes_on && a->state != ANSWER_ENDED) {
		if (a->is_broken) {
			*want = WANT_CLOSE;
			return false;
		}
		if (a->disk.is_out) {
			*want = WANT_DISK;
			return false;
		}
		switch (a->state) {
		case ANSWER_OPEN:
			open_ready(a, a->disk_result);
			break;
		case ANSWER_FILL:
			goes_on = step_fill(a, want);
			break;
		case ANSWER_FILE:
			goes_on = step_file(a, want);
			break;
		case ANSWER_DIGEST:
			goes_on = step_digest(a, want);
			break;
		case ANSWER_ENDED:
			break;
		}
	}
	if (goes_on)
		answer_end(c);
	return goes_on;
}

bool
answer_stop_jobs(struct conn *c)
{
	struct answer *a = c->answer;

	if (a == NULL)
		return false;
	helpers_cancel(c->worker->helpers, &a->disk);
	return a->disk.is_out;
}

void
answer_free(struct conn *c)
{
	struct answer *a = c->answer;

	if (a == NULL)
		return;
	fill_end(a);
	digests_cancel(&a->digest, &a->fd);
	fd_close(&a->fd);
	slab_put(&c->worker->answers, a);
	c->answer = NULL;
}

/* One line for each request, and its memory goes. */
static void
answer_end(struct conn *c)
{
	struct answer *a = c->answer;

	answer_log(a, a->code == 0 ? "ok" : train_code_name(a->code));
	answer_free(c);
}

void
answer_cut_off(struct conn *c)
{
	if (c->answer == NULL)
		return;
	answer_log(c->answer, "cut off");
	answer_free(c);
}

static void
answer_log(const struct answer *a, const char *how)
{
	struct conn *c = a->conn;
	const struct path *p = answer_path(a);
	char path[256];

	if (log_level() < LOG_INFO)
		return;
	text_escape(path, sizeof(path), path_string(p), p->len);
	client_info(c, "%s /%s %s %lluB %llums", train_type_name(a->frame.type),
	    path, how,
	    (unsigned long long)(c->n_sent - a->sent_before + buf_len(&c->out)),
	    (unsigned long long)((clock_ns() - a->began_ns) / 1000000));
}

/* ---- beginning ---- */

static enum answer_begun
begin_get(struct answer *a, const void *p, const char **reason)
{
	int r;

	if (train_get_parse(&a->frame, p, &a->ask.get, reason) != TRAIN_OK) {
		answer_free(a->conn);
		return ANSWER_BAD;
	}
	a->flags = a->ask.get.flags;
	a->state = ANSWER_OPEN;
	r = a->conn->worker->store == NULL
		? -ENOENT
		: store_open_file(a->conn->worker->store, &a->ask.get.path,
		      STORE_NOWAIT, &a->fd, &a->meta);
	a->is_fresh = r == 0;
	if (r == 0)
		answer_look_up_digest(a);
	if (r == -EAGAIN)
		disk_submit(a, open_run);
	else
		open_ready(a, r);
	return ANSWER_BEGUN;
}

static bool
open_run(struct job *j)
{
	struct answer *a = link_entry(j, struct answer, disk);

	a->disk_result = store_open_file(a->conn->worker->store,
	    &a->ask.get.path, STORE_WAIT, &a->fd, &a->meta);
	if (a->disk_result == 0)
		answer_look_up_digest(a);
	return true;
}

static void
open_ready(struct answer *a, int result)
{
	const struct train_get *g = &a->ask.get;
	struct train_head head = {
		.kind = TRAIN_FILE,
		.mode = a->meta.mode,
		.size = a->meta.size,
		.mtime_ns = a->meta.mtime_ns,
		.offset = g->offset,
	};
	enum train_code code;
	const char *text;

	if (conn_need_out(a->conn) != 0) {
		a->is_broken = true;
		return;
	}
	if (result != 0) {
		code = fill_code_of_errno(result, &text);
		entry_failed(a, code, text);
		return;
	}
	if ((g->flags & TRAIN_F_IF_SAME) &&
	    (g->same_size != head.size || g->same_mtime_ns != head.mtime_ns))
		head.offset = 0;
	if (head.offset > head.size) {
		entry_failed(a, TRAIN_E_OFFSET,
		    "the offset is past the end of the file");
		return;
	}
	path_init(&head.path);
	path_push(&head.path, path_leaf(&g->path), strlen(path_leaf(&g->path)));
	train_head_put(&a->conn->out, &head);
	answer_begin_file(a, head.offset);
}

void
answer_look_up_digest(struct answer *a)
{
	a->digest.result = a->flags & TRAIN_F_ANEW
			       ? -ENODATA
			       : store_digest_cached(a->conn->worker->store,
				     a->fd, &a->meta, a->digest.sha256);
}

void
answer_begin_file(struct answer *a, uint64_t offset)
{
	struct worker *w = a->conn->worker;

	a->off = offset;
	a->frame_left = 0;
	a->window = (struct window){ .end = offset };
	a->is_changed = false;
	if (a->digest.result != 0 && !(a->flags & TRAIN_F_NO_DIGEST))
		a->digest.result = digests_ask(w->digests, &a->digest, a->fd,
		    &a->meta,
		    a->flags & TRAIN_F_ANEW ? STORE_DIGEST_ANEW
					    : STORE_DIGEST_GO_ON);
	a->state = ANSWER_FILE;
}

static enum answer_begun
begin_tree(struct answer *a, const void *p, const char **reason)
{
	if (train_tree_parse(&a->frame, p, &a->ask.tree, reason) != TRAIN_OK) {
		answer_free(a->conn);
		return ANSWER_BAD;
	}
	a->flags = a->ask.tree.flags;
	fill_begin(a);
	return ANSWER_BEGUN;
}

static enum answer_begun
begin_list(struct answer *a, const void *p, const char **reason)
{
	if (train_list_parse(&a->frame, p, &a->ask.list, reason) != TRAIN_OK) {
		answer_free(a->conn);
		return ANSWER_BAD;
	}
	a->flags = TRAIN_F_HEADS_ONLY;
	fill_begin(a);
	return ANSWER_BEGUN;
}

/* ---- entries of a folder or a tree ---- */

/* The last filling is sent before the next begins, which then has the whole
 * buffer to itself. */
static bool
step_fill(struct answer *a, enum want *want)
{
	struct conn *c = a->conn;
	int r;

	if (a->filled) {
		a->filled = false;
		c->out = a->fill;
		buf_init(&a->fill, NULL, 0);
		if (a->fd != -1) {
			answer_begin_file(a, a->fill_offset);
			return true;
		}
		if (a->fill_ended) {
			a->state = ANSWER_ENDED;
			return true;
		}
	}
	r = conn_flush(c, false);
	if (r != 0) {
		*want = r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
		return false;
	}
	if (c->turn_left == 0) {
		*want = WANT_TURN;
		return false;
	}
	if (conn_need_out(c) != 0) {
		*want = WANT_CLOSE;
		return false;
	}
	a->fill = c->out;
	buf_init(&c->out, NULL, 0);
	a->filled = true;
	disk_submit(a, fill_run);
	*want = WANT_DISK;
	return false;
}

/* ---- a file ---- */

static bool
step_file(struct answer *a, enum want *want)
{
	struct conn *c = a->conn;
	ssize_t n;
	int r;

	if (a->frame_left == 0) {
		if (a->off == a->meta.size) {
			a->state = ANSWER_DIGEST;
			return true;
		}
		if (next_frame(a) != 0) {
			*want = WANT_CLOSE;
			return false;
		}
		if (a->frame_left == 0)
			return true; /* sent inline, or failed */
	}
	r = conn_flush(c, true);
	if (r != 0) {
		*want = r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
		return false;
	}
	if (c->turn_left == 0) {
		*want = WANT_TURN;
		return false;
	}
	if (!have_window(a)) {
		*want = WANT_DISK;
		return false;
	}
	n = a->window.end - a->off < a->frame_left
		? (ssize_t)(a->window.end - a->off)
		: (ssize_t)a->frame_left;
	n = conn_sendfile(c, a->fd, &a->off, (uint64_t)n);
	if (n > 0) {
		a->frame_left -= (uint32_t)n;
		return true;
	}
	if (n == 0)
		/* a frame was promised that cannot be filled any more */
		client_warn(c, "closed: the file shrank while it was sent");
	else if (n != -EAGAIN && n != -EPIPE && n != -ECONNRESET)
		client_warn(c, "closed: sendfile: %s", strerror((int)-n));
	*want = n == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
	return false;
}

/*
 * Opens the next data frame: a->frame_left bytes are due then.  A file that
 * has changed by now ends its entry with an error instead, as long as that
 * can be said.  0, or -ENOMEM.
 */
static int
next_frame(struct answer *a)
{
	uint64_t left = a->meta.size - a->off;
	uint32_t len;

	if (conn_need_out(a->conn) != 0)
		return -ENOMEM;
	if (!a->is_fresh && is_changed(a)) {
		entry_failed(a, TRAIN_E_CHANGED, changed_text);
		return 0;
	}
	a->is_fresh = false;
	len = left < LIM_TRAIN_DATA_BYTES ? (uint32_t)left
					  : LIM_TRAIN_DATA_BYTES;
	if (len == left && try_inline(a, len))
		return 0;
	if (train_frame_put(&a->conn->out, TRAIN_DATA, 0, len) != 0)
		return -ENOMEM;
	a->frame_left = len;
	return 0;
}

/*
 * A small rest that is in memory goes out with the frames around it.  Its
 * bytes are read behind the place of their header, which is written only
 * when all of them came.
 */
static bool
try_inline(struct answer *a, uint32_t len)
{
	struct buf *out = &a->conn->out;
	struct iovec iov;

	if (len > INLINE_BYTES || buf_room(out) < len + TRAIN_HEADER_SIZE)
		return false;
	iov.iov_base = buf_tail(out) + TRAIN_HEADER_SIZE;
	iov.iov_len = len;
	if (preadv2(a->fd, &iov, 1, (off_t)a->off, RWF_NOWAIT) != (ssize_t)len)
		return false;
	train_frame_put(out, TRAIN_DATA, 0, len);
	buf_added(out, len);
	a->off += len;
	return true;
}

/* Is what comes next in memory?  If not, a job that brings it is out. */
static bool
have_window(struct answer *a)
{
	const struct worker *w = a->conn->worker;
	uint64_t left = a->meta.size - a->off;
	uint64_t len = left < WINDOW_BYTES ? left : WINDOW_BYTES;

	if (window_covers(&a->window, a->off, w->now_ms))
		return true;
	a->window.end = a->off + len;
	a->window.asked_ms = w->now_ms;
	if (!store_may_stall(w->store) && store_is_resident(a->fd, a->off, len))
		return true;
	disk_submit(a, fetch_run);
	return false;
}

static bool
fetch_run(struct job *j)
{
	struct answer *a = link_entry(j, struct answer, disk);

	/* a failure shows when the bytes are sent */
	store_fetch(a->fd, a->off, a->window.end - a->off);
	a->is_changed = look_changed(a);
	return true;
}

/* Asks the file itself; where that may stall, what a job has seen last. */
static bool
is_changed(struct answer *a)
{
	return store_may_stall(a->conn->worker->store) ? a->is_changed
						       : look_changed(a);
}

static bool
look_changed(const struct answer *a)
{
	struct store_meta now;

	return store_fd_meta(a->fd, &now) != 0 ||
	       !store_meta_same(&now, &a->meta);
}

static bool
step_digest(struct answer *a, enum want *want)
{
	struct train_end end = { .size = a->meta.size };
	int r;

	if (digest_is_awaited(&a->digest)) {
		r = conn_flush(a->conn, false);
		*want = r == 0	       ? WANT_DISK
			: r == -EAGAIN ? WANT_WRITE
				       : WANT_CLOSE;
		return false;
	}
	if (conn_need_out(a->conn) != 0) {
		*want = WANT_CLOSE;
		return false;
	}
	if (buf_room(&a->conn->out) < END_ROOM) {
		r = conn_flush(a->conn, false);
		*want = r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
		return r == 0;
	}
	if (a->digest.result == 0) {
		end.flags = TRAIN_F_DIGEST;
		memcpy(end.sha256, a->digest.sha256, sizeof(end.sha256));
	}
	if (a->digest.result == -ESTALE || is_changed(a))
		entry_failed(a, TRAIN_E_CHANGED, changed_text);
	else if (a->digest.result != 0 && !(a->flags & TRAIN_F_NO_DIGEST))
		entry_failed(
		    a, TRAIN_E_IO, "the server could not read the file");
	else {
		train_end_put(&a->conn->out, &end);
		entry_ended(a);
	}
	return true;
}

static void
digest_done(struct digest_wait *w)
{
	struct answer *a = link_entry(w, struct answer, digest);
	const struct path *p = answer_path(a);
	char path[256];

	if (w->was_wrong) {
		text_escape(path, sizeof(path), path_string(p), p->len);
		client_warn(a->conn,
		    "%s /%s: a digest that was kept was of other bytes: it is"
		    " put right",
		    train_type_name(a->frame.type), path);
	}
	conn_wake(a->conn);
}

/* A file has its end: a GET is done with it, a tree goes on. */
static void
entry_ended(struct answer *a)
{
	fd_close(&a->fd);
	a->state = a->frame.type == TRAIN_GET ? ANSWER_ENDED : ANSWER_FILL;
}

/* A digest that is still on its way is of no use any more. */
static void
entry_failed(struct answer *a, enum train_code code, const char *text)
{
	bool is_get = a->frame.type == TRAIN_GET;

	digests_cancel(&a->digest, &a->fd);
	if (is_get)
		a->code = code;
	train_error_put(
	    &a->conn->out, code, is_get ? TRAIN_REQUEST : TRAIN_ENTRY, text);
	entry_ended(a);
}

/* ---- jobs ---- */

static void
disk_submit(struct answer *a, bool (*run)(struct job *))
{
	a->disk.run = run;
	a->disk.from = a->conn->source->id;
	a->disk.is_long = a->state == ANSWER_FILL;
	helpers_submit(a->conn->worker->helpers, &a->disk);
}

static void
disk_done(struct job *j)
{
	conn_job_done(link_entry(j, struct answer, disk)->conn);
}
