/* A folder as a tar or zip archive, made while it is sent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "server/client_log.h"
#include "server/http_state.h"
#include "server/pack.h"
#include "server/pack_tree.h"
#include "server/worker.h"

struct http_pack {
	struct pack *pack;
	struct board_served *served; /* its thread's place, or NULL */
	enum pack_form form;
	bool is_head; /* HEAD: no body */
	bool has_begun; /* the head is out */
	bool is_chunked; /* else it ends with the connection */
	bool is_whole; /* all of it is in out or sent */
	size_t chunk_left; /* of the chunk that was announced */
};

static struct board_served *free_place(const struct worker *);
static void pack_wake(void *);
static bool pack_head(struct http *, enum want *);
static bool open_chunk(struct http *, enum want *);
static int put_frame(struct http *, const char *);
static enum want pack_failed(struct http *, int error);

static const char too_many[] =
    "Enough archives are being made; try again in a moment.";

enum want
http_pack(const struct http_ask *ask, enum pack_form form)
{
	struct conn *c = ask->conn;
	struct worker *w = c->worker;
	struct http *h;
	int r;

	if (!source_may_take(c->source->n_packs, w->n_packs, LIM_ARCHIVES))
		return http_say_busy(ask, too_many);
	h = http_new(ask);
	if (h == NULL)
		return WANT_CLOSE;
	h->pack = calloc(1, sizeof(*h->pack));
	if (h->pack != NULL && c->source->id.addr.family != 0)
		h->pack->served = free_place(w);
	if (h->pack != NULL)
		board_serves(h->pack->served, &c->source->id.addr);
	r = h->pack == NULL ? -ENOMEM
			    : pack_begin(&h->pack->pack, w, &w->http.path, form,
				  pack_wake, h);
	if (r != 0) {
		http_free(c);
		return http_say_busy(ask, too_many);
	}
	c->source->n_packs++;
	h->state = HTTP_PACK;
	h->pack->form = form;
	h->pack->is_head = ask->head->method == HTTP_HEAD;
	conn_set_state(c, CONN_ANSWER);
	return WANT_NOTHING;
}

static struct board_served *
free_place(const struct worker *w)
{
	struct board_served *places = &w->board.mine->served[BOARD_PACKS];

	for (int i = 0; i < LIM_ARCHIVES; i++)
		if (board_get(&places[i].family) == 0)
			return &places[i];
	return NULL;
}

static void
pack_wake(void *arg)
{
	struct http *h = arg;

	conn_job_done(h->conn);
}

enum want
http_pack_step(struct http *h)
{
	struct http_pack *p = h->pack;
	struct conn *c = h->conn;
	struct iovec iov;
	const void *bytes;
	enum want want;
	ssize_t n;
	int r;

	if (!p->has_begun && !pack_head(h, &want))
		return want;
	for (;;) {
		r = conn_flush(c, p->chunk_left > 0);
		if (r != 0)
			return r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
		if (p->is_whole)
			/* its wake may be on its way still */
			return http_pack_stop(h) ? WANT_DISK : http_ended(h);
		if (c->turn_left == 0)
			return WANT_TURN;
		if (p->chunk_left == 0) {
			if (!open_chunk(h, &want))
				return want;
			continue;
		}
		n = pack_peek(p->pack, &bytes);
		if (n <= 0)
			return pack_failed(h, (int)n);
		iov.iov_base = (void *)(uintptr_t)bytes;
		iov.iov_len = (size_t)n < p->chunk_left ? (size_t)n
							: p->chunk_left;
		n = conn_writev(c, &iov, 1, false);
		if (n < 0)
			return n == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
		pack_taken(p->pack, (size_t)n);
		p->chunk_left -= (size_t)n;
		if (p->chunk_left == 0 && put_frame(h, "\r\n") != 0)
			return WANT_CLOSE;
	}
}

/* What is to be sent next, announced.  False: *want says what is waited for,
 * or that it has failed. */
static bool
open_chunk(struct http *h, enum want *want)
{
	struct http_pack *p = h->pack;
	const void *bytes;
	char line[32];
	ssize_t n;

	n = pack_peek(p->pack, &bytes);
	if (n < 0) {
		*want = n == -EAGAIN ? WANT_DISK : pack_failed(h, (int)n);
		return false;
	}
	if (n == 0) {
		p->is_whole = true;
		snprintf(line, sizeof(line), "0\r\n\r\n");
	} else {
		p->chunk_left = (size_t)n;
		snprintf(line, sizeof(line), "%zx\r\n", (size_t)n);
	}
	*want = WANT_CLOSE;
	return put_frame(h, line) == 0;
}

/* HTTP/1.0 knows no chunks: there the end of the connection ends it. */
static int
put_frame(struct http *h, const char *line)
{
	if (!h->pack->is_chunked)
		return 0;
	if (conn_need_out(h->conn) != 0)
		return -ENOMEM;
	h->n_framing += strlen(line);
	return buf_put(&h->conn->out, line, strlen(line));
}

/* What was begun must not look whole. */
static enum want
pack_failed(struct http *h, int error)
{
	client_warn(h->conn, "closed: the archive: %s", strerror(-error));
	return WANT_CLOSE;
}

/* The first bytes are there, or there will be none.  False: *want says how it
 * goes on. */
static bool
pack_head(struct http *h, enum want *want)
{
	struct http_pack *p = h->pack;
	struct conn *c = h->conn;
	struct worker *w = c->worker;
	char name[LIM_SEG_BYTES + 8];
	struct http_ask ask;
	const void *bytes;
	struct reply r;
	ssize_t n;
	int len;

	n = pack_peek(p->pack, &bytes);
	if (n == -EAGAIN) {
		*want = WANT_DISK;
		return false;
	}
	*want = WANT_CLOSE;
	if (!http_look_again(h, &ask))
		return false;
	if (n < 0) {
		if (http_pack_stop(h)) { /* its wake is on its way still */
			*want = WANT_DISK;
			return false;
		}
		http_free(c);
		*want = n == -EFBIG
			    ? http_say(&ask, 413,
				  "The folder has too many entries for a zip;"
				  " ask for ?tar instead.")
			    : http_say_errno(&ask, (int)n);
		return false;
	}
	if (path_from_url(&w->http.path, ask.head->path.p,
		ask.head->path.len) != PATH_OK ||
	    conn_need_out(c) != 0)
		return false;
	p->has_begun = true;
	h->status = 200;
	p->is_chunked = ask.head->minor > 0;
	if (!p->is_chunked)
		http_end_by_close(h);
	len = snprintf(name, sizeof(name), "%s.%s",
	    w->http.path.n == 0 ? PACK_ROOT_NAME : path_leaf(&w->http.path),
	    p->form == PACK_ZIP ? "zip" : "tar");
	http_begin(&r, &c->out, &w->http.second, 200, h->keep);
	reply_field(&r, "Content-Type",
	    p->form == PACK_ZIP ? STR("application/zip")
				: STR("application/x-tar"));
	reply_disposition(
	    &r, false, (struct str){ .p = name, .len = (size_t)len });
	if (p->is_chunked)
		reply_field(&r, "Transfer-Encoding", STR("chunked"));
	reply_field(&r, "Cache-Control", STR("no-cache"));
	reply_field(&r, "X-Content-Type-Options", STR("nosniff"));
	if (reply_end(&r) != 0)
		return false;
	http_body_begins(h);
	http_take_request(h, &ask);
	p->is_whole = p->is_head;
	return true;
}

bool
http_pack_stop(struct http *h)
{
	return h->pack != NULL && h->pack->pack != NULL &&
	       pack_stop(h->pack->pack);
}

void
http_pack_free(struct http *h)
{
	if (h->pack == NULL)
		return;
	if (h->pack->pack != NULL)
		h->conn->source->n_packs--;
	pack_free(h->pack->pack);
	board_rests(h->pack->served);
	free(h->pack);
	h->pack = NULL;
}
