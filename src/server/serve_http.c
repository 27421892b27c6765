#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "http/accept.h"
#include "http/proxy.h"
#include "server/client_log.h"
#include "server/door.h"
#include "server/http_state.h"
#include "server/worker.h"

/* A body that nobody wants is read up to this, to keep the connection. */
#define SKIP_BYTES (64 * 1024)
/* For the log alone: nobody was there any more to be answered. */
#define STATUS_GONE 499
static_assert(
    HOT_BODY_MAX + HTTP_FILE_HEAD_MAX + 256 < CONN_OUT_SIZE - HTTP_FLUSH_AT,
    "an answer from memory fits behind those that are kept back");

/* ---- the conversation, in its order ---- */
static enum want http_step(struct conn *);
static enum want http_next(struct conn *);
static enum want http_more(struct conn *);
static enum want http_refuse(struct conn *, const struct head *);
static enum want http_request(struct conn *, const struct head *);
static bool speaks_for(struct conn *, const struct head *);
static enum http_keep keep_of(const struct conn *, const struct head *);
static bool body_is_unwelcome(const struct head *);
/* ---- what is asked for ---- */
static enum want http_route(const struct http_ask *);
static const char *look_at_query(struct http_desk *);
static enum want http_path(const struct http_ask *);
static enum want http_folder_or_pack(const struct http_ask *);
static enum want http_open(const struct http_ask *, const struct path *);
static bool open_run(struct job *);
static enum want http_opened(struct http *);
static enum want http_redirect(const struct http_ask *);
/* ---- its end ---- */
static enum want next_or_leave(struct conn *, enum http_keep, bool is_cut);
static enum want skip_body(struct http *);
static enum want http_skip(struct http *);
static bool must_skip(const struct head *);
static uint64_t body_sent(const struct http *, uint64_t until);
static void job_done(struct job *);
static void http_closed(struct conn *);
static bool http_stop_jobs(struct conn *);

/* A file that is not in the kernel's memory. */
struct http_opening {
	int result;
	int fd;
	struct store_meta meta;
	struct path path;
};

static const struct {
	int error;
	unsigned status;
	const char *sentence;
} errno_statuses[] = {
	{ ENOENT, 404, "There is nothing of this name." },
	{ ENOTDIR, 404, "There is nothing of this name." },
	{ EACCES, 403, "The server may not read it." },
	{ EPERM, 403, "The server may not read it." },
	{ EMFILE, 503, "The server is busy; try again in a moment." },
	{ ENFILE, 503, "The server is busy; try again in a moment." },
	{ ENOMEM, 503, "The server is busy; try again in a moment." },
	{ EBUSY, 503, "The server is busy; try again in a moment." },
};

static enum want
http_step(struct conn *c)
{
	struct http *h;
	enum want want;
	int r;

	do {
		h = c->answer;
		if (h == NULL)
			want = http_next(c);
		else if (h->job.is_out)
			want = WANT_DISK;
		else
			switch (h->state) {
			case HTTP_OPEN:
				want = http_opened(h);
				break;
			case HTTP_DIGEST:
				want = http_digest_step(h);
				break;
			case HTTP_FILE:
				want = http_file_step(h);
				break;
			case HTTP_FOLDER:
				want = http_folder_step(h);
				break;
			case HTTP_PACK:
				want = http_pack_step(h);
				break;
			case HTTP_SKIP:
				want = http_skip(h);
				break;
			}
	} while (want == WANT_NOTHING);
	/* what is answered does not wait for the disk of what comes behind */
	if (want == WANT_DISK && buf_len(&c->out) > 0) {
		r = conn_flush(c, false);
		if (r != 0 && r != -EAGAIN)
			want = WANT_CLOSE;
	}
	return want;
}

/* The next request, or what is to be done while there is none. */
static enum want
http_next(struct conn *c)
{
	struct http_desk *d = &c->worker->http;
	int r;

	if (buf_len(&c->out) > HTTP_FLUSH_AT) {
		r = conn_flush(c, false);
		if (r != 0)
			return r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
	}
	if (c->turn_left == 0)
		return WANT_TURN;
	if (buf_len(&c->in) == 0)
		return http_more(c);
	switch (head_parse(&d->head, (const char *)buf_head(&c->in),
	    buf_len(&c->in), &c->scanned)) {
	case HEAD_MORE:
		return http_more(c);
	case HEAD_BAD:
		return http_refuse(c, &d->head);
	case HEAD_OK:
		break;
	}
	return http_request(c, &d->head);
}

/* Not enough is here to go on: read, and send what was kept back. */
static enum want
http_more(struct conn *c)
{
	ssize_t n;
	int r;

	if (buf_len(&c->in) > 0 && c->state == CONN_IDLE)
		conn_set_state(c, CONN_REQUEST);
	n = conn_read(c);
	if (n > 0)
		return WANT_NOTHING;
	if (n != -EAGAIN && n != 0)
		return WANT_CLOSE;
	r = conn_flush(c, false);
	if (r != 0)
		return r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
	if (n == 0)
		return WANT_CLOSE;
	if (c->worker->draining && buf_len(&c->in) == 0)
		return WANT_LEAVE;
	return WANT_READ;
}

/* What cannot be read ends the connection: nobody knows where the next
 * request begins. */
static enum want
http_refuse(struct conn *c, const struct head *head)
{
	struct http_ask ask = { .conn = c,
		.line = head->line,
		.keep = HTTP_CLOSE,
		.began_ns = c->worker->now_ns };

	/* of whom it comes is as unknown as what it is */
	if (c->is_proxy)
		c->peer.addr = c->accepted;
	http_second_set(&c->worker->http.second, c->worker->wall_s);
	return http_say(&ask, head->status, head->reason);
}

static enum want
http_request(struct conn *c, const struct head *head)
{
	struct http_ask ask = { .conn = c,
		.head = head,
		.line = head->line,
		.keep = keep_of(c, head),
		.began_ns = c->worker->now_ns };

	http_second_set(&c->worker->http.second, c->worker->wall_s);
	conn_charge(c, CONN_REQUEST_COST);
	if (c->is_proxy && !speaks_for(c, head))
		return WANT_CLOSE;
	if (body_is_unwelcome(head))
		ask.keep = HTTP_CLOSE;
	/* RFC 9112 9.6: behind its "close" there is nothing */
	c->says_no_more = !head->keep_alive && !must_skip(head) &&
			  buf_len(&c->in) == head->size;
	return http_route(&ask);
}

/* One connection of a proxy may carry requests of many, and the proxy before
 * it may have written a line of its own. */
static bool
speaks_for(struct conn *c, const struct head *head)
{
	const struct wire_config *cf = &c->worker->config;
	enum proxy_forwarded r = FORWARDED_TRUSTED;
	struct str lines[LIM_HTTP_FIELDS];
	unsigned i = 0, n = 0;

	c->peer.addr = c->accepted;
	while (head_next(head, HEAD_FORWARDED_FOR, &i, &lines[n]))
		n++;
	while (r == FORWARDED_TRUSTED && n-- > 0)
		r = proxy_forwarded_for(lines[n].p, lines[n].len, cf->trusted,
		    cf->n_trusted, &c->peer.addr);
	return conn_set_source(c);
}

/* While others wait for a slot and nobody is idle, those who ask now make
 * room when they are answered. */
static enum http_keep
keep_of(const struct conn *c, const struct head *head)
{
	if (!head->keep_alive || c->worker->draining)
		return HTTP_CLOSE;
	/* what comes behind it may be meant for the other end of a tunnel, and
	 * who traces probes */
	if (head->method == HTTP_CONNECT || head->method == HTTP_TRACE)
		return HTTP_CLOSE;
	if (c->worker->n_wanted > 0) {
		c->worker->n_wanted--;
		return HTTP_CLOSE;
	}
	return head->minor > 0 ? HTTP_KEEP : HTTP_KEEP_SAID;
}

/* A client that waits to be told to go on is told the answer instead, and may
 * then send its body or not: only a new connection is clear. */
static bool
body_is_unwelcome(const struct head *head)
{
	return head->length > SKIP_BYTES ||
	       ((head->is_chunked || head->length > 0) &&
		   head->expects_continue);
}

/* ---- what is asked for ---- */

static enum want
http_route(const struct http_ask *ask)
{
	const char *bad = look_at_query(&ask->conn->worker->http);

	if (bad != NULL)
		return http_say(ask, 400, bad);
	switch (ask->head->method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return http_path(ask);
	case HTTP_OPTIONS:
		return http_say_with(
		    ask, 204, NULL, "Allow", STR("GET, HEAD, OPTIONS"));
	default:
		return http_say_with(ask, 405,
		    "This disk is only read from here.", "Allow",
		    STR("GET, HEAD, OPTIONS"));
	}
}

/* NULL, or why it is none. */
static const char *
look_at_query(struct http_desk *d)
{
	d->query.n = 0;
	if (d->head.query.p == NULL)
		return NULL;
	return query_parse(&d->query, d->head.query);
}

static enum want
http_path(const struct http_ask *ask)
{
	struct worker *w = ask->conn->worker;
	struct path *path = &w->http.path;
	struct str raw = ask->head->path;
	struct hot_file *file;
	enum path_result bad;
	int r;

	if (http_is_self(raw))
		return http_self(ask);
	bad = path_from_url(path, raw.p, raw.len);
	if (bad == PATH_RESERVED)
		return http_say_errno(ask, -ENOENT);
	if (bad == PATH_SEG_LONG || bad == PATH_LONG || bad == PATH_DEEP)
		return http_say(ask, 414, path_result_text(bad));
	if (bad != PATH_OK)
		return http_say(ask, 400, path_result_text(bad));
	if (w->store == NULL)
		return http_say_errno(ask, -ENOENT);
	if (path->wants_dir || path->n == 0)
		return http_folder_or_pack(ask);
	r = hot_get(w->hot, path, w->now_ms, &file);
	if (r == -EAGAIN)
		return http_open(ask, path);
	if (r == -EISDIR)
		return http_redirect(ask);
	if (r != 0)
		return http_say_errno(ask, r);
	return http_file(ask, file);
}

static enum want
http_folder_or_pack(const struct http_ask *ask)
{
	const struct query *q = &ask->conn->worker->http.query;

	if (query_has(q, STR("tar")))
		return http_pack(ask, PACK_TAR);
	if (query_has(q, STR("zip")))
		return http_pack(ask, PACK_ZIP);
	return http_folder(ask);
}

/* The request stays in the buffer, and is read anew when the file is open. */
static enum want
http_open(const struct http_ask *ask, const struct path *path)
{
	struct http *h = http_new(ask);

	if (h == NULL)
		return WANT_CLOSE;
	h->opening = malloc(sizeof(*h->opening));
	if (h->opening == NULL)
		return WANT_CLOSE;
	h->opening->fd = -1;
	memcpy(&h->opening->path, path, sizeof(*path));
	h->state = HTTP_OPEN;
	conn_set_state(ask->conn, CONN_ANSWER);
	http_submit(h, open_run);
	return WANT_DISK;
}

static bool
open_run(struct job *j)
{
	struct http *h = link_entry(j, struct http, job);
	struct http_opening *o = h->opening;

	o->result = store_open_file(
	    h->conn->worker->store, &o->path, STORE_WAIT, &o->fd, &o->meta);
	return true;
}

static enum want
http_opened(struct http *h)
{
	struct conn *c = h->conn;
	struct worker *w = c->worker;
	struct http_opening *o = h->opening;
	struct hot_file *file = NULL;
	struct http_ask ask;
	int r = o->result;

	if (!http_look_again(h, &ask))
		return WANT_CLOSE;
	if (r == 0)
		r = hot_admit(w->hot, &o->path, fd_take(&o->fd), &o->meta,
		    w->now_ms, &file);
	memcpy(&w->http.path, &o->path, sizeof(w->http.path));
	http_free(c);
	if (r == -EISDIR)
		return http_redirect(&ask);
	if (r != 0)
		return http_say_errno(&ask, r);
	return http_file(&ask, file);
}

/* To the same path with a slash: a path, so that no host can be in it. */
static enum want
http_redirect(const struct http_ask *ask)
{
	const struct path *path = &ask->conn->worker->http.path;
	char url[3 * LIM_PATH_BYTES + LIM_HTTP_QUERY_BYTES + 8];
	struct str query = ask->head->query;
	struct path folder;
	long n;

	memcpy(&folder, path, sizeof(folder));
	folder.wants_dir = true;
	n = path_to_url(&folder, url, sizeof(url));
	if (n < 0)
		return http_say_errno(ask, (int)n);
	if (query.p != NULL)
		n += snprintf(url + n, sizeof(url) - (size_t)n, "?%.*s",
		    (int)query.len, query.p);
	return http_say_with(ask, 301,
	    "This is a folder; its address ends in a slash.", "Location",
	    (struct str){ .p = url, .len = (size_t)n });
}

/* ---- short answers ---- */

enum want
http_say(const struct http_ask *ask, unsigned status, const char *sentence)
{
	return http_say_with(
	    ask, status, sentence, "", (struct str){ .p = NULL });
}

enum want
http_say_busy(const struct http_ask *ask, const char *sentence)
{
	return http_say_with(ask, 503, sentence, "Retry-After", STR("10"));
}

enum want
http_say_errno(const struct http_ask *ask, int error)
{
	for (size_t i = 0;
	     i < sizeof(errno_statuses) / sizeof(errno_statuses[0]); i++) {
		if (errno_statuses[i].error != -error)
			continue;
		if (errno_statuses[i].status == 503)
			return http_say_busy(ask, errno_statuses[i].sentence);
		return http_say(
		    ask, errno_statuses[i].status, errno_statuses[i].sentence);
	}
	return http_say(ask, 500, "The server could not read it.");
}

enum want
http_say_with(const struct http_ask *ask, unsigned status, const char *sentence,
    const char *name, struct str value)
{
	struct conn *c = ask->conn;
	bool is_json = sentence != NULL && http_wants_json(ask);
	size_t len = sentence == NULL ? 0 : strlen(sentence);
	struct reply r;
	char body[512];

	if (conn_need_out(c) != 0)
		return WANT_CLOSE;
	if (is_json)
		len = (size_t)snprintf(body, sizeof(body),
		    "{\"status\":%u,\"error\":\"%s\"}\n", status, sentence);
	else
		len = (size_t)snprintf(body, sizeof(body), "%s\n",
		    sentence == NULL ? "" : sentence);
	http_begin(&r, &c->out, &c->worker->http.second, status, ask->keep);
	if (value.p != NULL)
		reply_field(&r, name, value);
	if (sentence != NULL) {
		reply_field(&r, "Content-Type",
		    is_json ? STR("application/json")
			    : STR("text/plain; charset=utf-8"));
		/* else caches may keep it, a 301 for ever */
		reply_field(&r, "Cache-Control", STR("no-cache"));
		reply_field(&r, "X-Content-Type-Options", STR("nosniff"));
		reply_field_u64(&r, "Content-Length", len);
	}
	if (reply_end(&r) != 0)
		return WANT_CLOSE;
	if (sentence == NULL ||
	    (ask->head != NULL && ask->head->method == HTTP_HEAD))
		len = 0;
	buf_put(&c->out, body, len);
	return http_answered(ask, status, len);
}

/* ---- the end of an answer ---- */

struct http *
http_new(const struct http_ask *ask)
{
	struct conn *c = ask->conn;
	struct http_note note;
	struct http *h;

	h = slab_get(&c->worker->https);
	if (h == NULL)
		return NULL;
	memset(h, 0, sizeof(*h));
	h->conn = c;
	h->keep = ask->keep;
	h->began_ns = ask->began_ns;
	h->method = http_board_method(ask->head);
	h->job.done = job_done;
	h->digest_fd = -1;
	http_body_begins(h);
	http_note(&note, ask->head, ask->line);
	h->note = http_note_copy(c, &note);
	c->answer = h;
	return h;
}

void
http_free(struct conn *c)
{
	struct http *h = c->answer;

	if (h == NULL)
		return;
	http_file_free(h);
	http_folder_free(h);
	http_pack_free(h);
	if (h->opening != NULL)
		fd_close(&h->opening->fd);
	free(h->opening);
	free(h->note);
	slab_put(&c->worker->https, h);
	c->answer = NULL;
}

enum want
http_answered(const struct http_ask *ask, unsigned status, uint64_t body)
{
	const struct head *head = ask->head;
	struct conn *c = ask->conn;
	struct http_note note;
	struct http *h;

	http_note(&note, head, ask->line);
	http_log(c, &note, http_board_method(head), status, body, ask->began_ns,
	    false);
	/* without a head there is nothing to go on with */
	if (ask->keep == HTTP_CLOSE || !must_skip(head)) {
		if (ask->keep != HTTP_CLOSE)
			buf_drop(&c->in, head->size);
		c->scanned = 0;
		return next_or_leave(c, ask->keep, false);
	}
	h = http_new(ask);
	if (h == NULL)
		return WANT_CLOSE;
	http_take_request(h, ask);
	return skip_body(h);
}

bool
http_look_again(const struct http *h, struct http_ask *ask)
{
	struct conn *c = h->conn;
	struct http_desk *d = &c->worker->http;

	*ask = (struct http_ask){ .conn = c,
		.head = &d->head,
		.keep = h->keep,
		.began_ns = h->began_ns };
	http_second_set(&d->second, c->worker->wall_s);
	c->scanned = 0;
	if (head_parse(&d->head, (const char *)buf_head(&c->in),
		buf_len(&c->in), &c->scanned) != HEAD_OK)
		return false;
	ask->line = d->head.line;
	return look_at_query(d) == NULL;
}

void
http_take_request(struct http *h, const struct http_ask *ask)
{
	const struct head *head = ask->head;
	struct conn *c = ask->conn;

	if (h->keep != HTTP_CLOSE) {
		h->skips_chunked = head->is_chunked;
		h->skip_left = head->is_chunked ? SKIP_BYTES : head->length;
		chunk_init(&h->chunk);
	}
	buf_drop(&c->in, head->size);
	c->scanned = 0;
	if (c->state != CONN_ANSWER)
		conn_set_state(c, CONN_ANSWER);
}

void
http_submit(struct http *h, bool (*run)(struct job *))
{
	h->job.run = run;
	h->job.from = h->conn->source->id;
	h->job.is_long = h->state == HTTP_FOLDER;
	helpers_submit(h->conn->worker->helpers, &h->job);
}

static void
job_done(struct job *j)
{
	struct http *h = link_entry(j, struct http, job);

	/* what it fetched is there from now on, however long that took */
	h->window.asked_ms = h->conn->worker->now_ms;
	conn_job_done(h->conn);
}

bool
http_wants_json(const struct http_ask *ask)
{
	return ask->head != NULL &&
	       (query_has(&ask->conn->worker->http.query, STR("json")) ||
		   accept_prefers(
		       ask->head, STR("application/json"), STR("text/html")));
}

enum want
http_ended(struct http *h)
{
	struct conn *c = h->conn;
	enum http_keep keep = h->keep;
	bool is_cut = h->is_cut;

	/* the kernel has all of it */
	if (h->ends_by_close && !is_cut)
		conn_reset_on_close(c, false);
	http_log(c, h->note, h->method, h->status,
	    body_sent(h, c->n_sent + buf_len(&c->out)), h->began_ns, is_cut);
	if (h->skip_left > 0 && keep != HTTP_CLOSE && !is_cut) {
		http_file_free(h);
		http_folder_free(h);
		http_pack_free(h);
		return skip_body(h);
	}
	http_free(c);
	return next_or_leave(c, keep, is_cut);
}

static enum want
next_or_leave(struct conn *c, enum http_keep keep, bool is_cut)
{
	if (is_cut)
		return WANT_CLOSE;
	if (keep == HTTP_CLOSE)
		return WANT_LEAVE;
	conn_idle(c);
	return WANT_NOTHING;
}

static bool
must_skip(const struct head *head)
{
	return head->is_chunked || head->length > 0;
}

/* From now on the client is waited for, and not the other way round. */
static enum want
skip_body(struct http *h)
{
	h->state = HTTP_SKIP;
	conn_set_state(h->conn, CONN_REQUEST);
	return WANT_NOTHING;
}

/* The body of a request that needs none. */
static enum want
http_skip(struct http *h)
{
	struct conn *c = h->conn;
	size_t len = buf_len(&c->in), n;
	struct str in = { .p = (const char *)buf_head(&c->in), .len = len };
	enum chunk_result r = CHUNK_MORE;
	struct str data;
	const char *reason;

	if (!h->skips_chunked) {
		n = len < h->skip_left ? len : (size_t)h->skip_left;
		buf_drop(&c->in, n);
		h->skip_left -= n;
		if (h->skip_left > 0)
			return http_more(c);
	} else {
		while ((r = chunk_next(&h->chunk, &in, &data, &reason)) ==
		       CHUNK_DATA)
			;
		n = len - in.len;
		buf_drop(&c->in, n);
		h->skip_left -= n < h->skip_left ? n : h->skip_left;
		if (r == CHUNK_BAD || h->skip_left == 0 ||
		    h->chunk.left > h->skip_left)
			return WANT_LEAVE;
		if (r == CHUNK_MORE)
			return http_more(c);
	}
	http_free(c);
	conn_idle(c);
	return WANT_NOTHING;
}

void
http_body_begins(struct http *h)
{
	h->body_from = h->conn->n_sent + buf_len(&h->conn->out);
}

void
http_end_by_close(struct http *h)
{
	h->keep = HTTP_CLOSE;
	h->ends_by_close = true;
	conn_reset_on_close(h->conn, true);
}

/* until: of conn->n_sent.  In one that is cut off the last framing may not have
 * been sent: a few bytes too little then. */
static uint64_t
body_sent(const struct http *h, uint64_t until)
{
	uint64_t before = h->body_from + h->n_framing;

	return until > before ? until - before : 0;
}

static void
http_closed(struct conn *c)
{
	struct http *h = c->answer;

	if (h == NULL)
		return;
	if (h->state != HTTP_SKIP) {
		if (h->status == 0)
			h->status = c->is_gone ? STATUS_GONE : 500;
		http_log(c, h->note, h->method, h->status,
		    body_sent(h, c->n_sent), h->began_ns, true);
	}
	http_free(c);
}

static bool
http_stop_jobs(struct conn *c)
{
	struct http *h = c->answer;

	if (h == NULL)
		return false;
	helpers_cancel(c->worker->helpers, &h->job);
	return http_pack_stop(h) || h->job.is_out;
}

const struct door door_http = {
	.step = http_step,
	.hears_first = true,
	.closed = http_closed,
	.stop_jobs = http_stop_jobs,
};
