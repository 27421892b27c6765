/* A folder's listing as an answer: made piece by piece on a helper, sent piece
 * by piece as chunks. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "http/listing.h"
#include "server/client_log.h"
#include "server/http_state.h"
#include "server/walks.h"
#include "server/worker.h"
#include "store/store.h"

/* Entries of a page for people, unless another number is asked for. */
#define PAGE_ENTRIES 1000

/* A chunk's size line, of fixed length, is written before its bytes are
 * known; what ends it and the body needs this much behind them. */
#define CHUNK_HEAD 10 /* "0003fff0\r\n" */
#define CHUNK_END 2 /* "\r\n" */
#define CHUNK_LAST 5 /* "0\r\n\r\n" */
#define CHUNK_TAIL (CHUNK_END + CHUNK_LAST)

/* A page may load its style from here, and nothing else from anywhere. */
#define PAGE_POLICY                                                       \
	"default-src 'none'; style-src 'self'; img-src 'self'; base-uri " \
	"'none'; form-action 'none'; frame-ancestors 'self'"

static_assert(LISTING_HEAD_ROOM + LISTING_ENTRY_ROOM + LISTING_TAIL_ROOM +
		      CHUNK_HEAD + CHUNK_TAIL <
		  CONN_OUT_SIZE,
    "a page's head and an entry fit one piece");

/* One that is held to be sorted. */
struct kept {
	struct store_meta meta;
	uint32_t name; /* where it begins in names */
	uint32_t len;
};

struct http_folder {
	struct listing listing;
	unsigned limit; /* entries of this page at most; 0: all */
	struct path path;
	char after[LIM_SEG_BYTES + 1];
	char last[LIM_SEG_BYTES + 1]; /* the last name that was written */
	bool is_head; /* HEAD: no body */
	bool is_chunked; /* else the body ends with the connection */
	bool has_begun; /* the head of the answer is out */
	bool is_whole; /* fill has the end of the listing */
	bool filled; /* fill waits to be sent */
	int result; /* of the job */
	struct buf fill;
	struct walk_place walk;
	bool is_counted; /* in worker->n_sorted */
	/* sorted by another key than the name */
	struct kept *kept;
	unsigned n_kept, next_kept;
	char *names;
	size_t names_len, names_cap;
};

/* ---- what is asked ---- */
static bool is_resorted(const struct listing *);
static unsigned page_limit(const struct listing *);
static enum listing_key key_of(struct str);
static const char *folder_ask(struct http_folder *, const struct http_ask *);
/* ---- on a helper ---- */
static bool folder_run(struct job *);
static int folder_open(struct http *);
static int fill_by_name(struct http *);
static int fill_sorted(struct http *);
static int write_entry(struct http_folder *, const char *name, size_t len,
    const struct store_meta *);
static int sort_all(struct http *);
static int
keep_entry(struct http_folder *, const char *name, const struct store_meta *);
static int kept_cmp(const void *, const void *, void *);
static bool has_room(const struct http_folder *);
/* ---- on the loop ---- */
static bool folder_begin(struct http *, enum want *);
static int folder_need_fill(struct http *);
static void frame_chunk(struct http_folder *);

enum want
http_folder(const struct http_ask *ask)
{
	struct conn *c = ask->conn;
	struct worker *w = c->worker;
	struct http_folder *f;
	struct http *h;
	const char *bad;

	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return http_say_errno(ask, -ENOMEM);
	bad = folder_ask(f, ask);
	if (bad != NULL) {
		free(f);
		return http_say(ask, 400, bad);
	}
	if (is_resorted(&f->listing) &&
	    !source_may_take(c->source->n_sorted, w->n_sorted, LIM_SORTED)) {
		free(f);
		return http_say_errno(ask, -EBUSY);
	}
	h = http_new(ask);
	if (h == NULL) {
		free(f);
		return WANT_CLOSE;
	}
	h->folder = f;
	h->state = HTTP_FOLDER;
	f->is_counted = is_resorted(&f->listing);
	w->n_sorted += f->is_counted;
	c->source->n_sorted += f->is_counted;
	conn_set_state(c, CONN_ANSWER);
	if (folder_need_fill(h) != 0)
		return WANT_CLOSE;
	http_submit(h, folder_run);
	return WANT_DISK;
}

/* Must it be held to be put in its order? */
static bool
is_resorted(const struct listing *l)
{
	return l->key != LISTING_BY_NAME || l->descending;
}

/* NULL, or why it cannot be. */
static const char *
folder_ask(struct http_folder *f, const struct http_ask *ask)
{
	const struct query *q = &ask->conn->worker->http.query;
	struct str after = query_get(q, STR("after"));
	struct str limit = query_get(q, STR("limit"));
	struct listing *l = &f->listing;
	char digits[16];
	uint64_t n;

	memcpy(&f->path, &ask->conn->worker->http.path, sizeof(f->path));
	f->path.wants_dir = true;
	l->folder = &f->path;
	l->form = http_wants_json(ask) ? LISTING_JSON : LISTING_HTML;
	l->key = key_of(query_get(q, STR("sort")));
	l->descending = query_has(q, STR("desc"));
	f->is_head = ask->head->method == HTTP_HEAD;
	f->is_chunked = ask->head->minor > 0;
	if (limit.p != NULL) {
		snprintf(digits, sizeof(digits), "%.*s",
		    (int)(limit.len < 15 ? limit.len : 15), limit.p);
		if (limit.len > 15 ||
		    !text_to_u64(digits, 1, LIM_LISTING_ENTRIES, &n))
			return "The limit is not a number in its range.";
		l->limit = (unsigned)n;
	}
	if (after.len > 0) {
		if (path_check_segment(after.p, after.len) != PATH_OK)
			return "The name to begin after is none.";
		memcpy(f->after, after.p, after.len);
		l->after = (struct str){ .p = f->after, .len = after.len };
	}
	l->is_sorted = l->after.len == 0;
	if (!l->is_sorted) {
		l->key = LISTING_BY_NAME;
		l->descending = false;
	}
	f->limit = page_limit(l);
	return NULL;
}

/* Another order is one page: there is no name to go on after. */
static unsigned
page_limit(const struct listing *l)
{
	if (l->limit == 0 && l->form == LISTING_HTML && !is_resorted(l))
		return PAGE_ENTRIES;
	return l->limit;
}

static enum listing_key
key_of(struct str name)
{
	if (str_is(name, STR("size")))
		return LISTING_BY_SIZE;
	if (str_is(name, STR("time")))
		return LISTING_BY_TIME;
	return LISTING_BY_NAME;
}

/* ---- on a helper ---- */

static bool
folder_run(struct job *j)
{
	struct http *h = link_entry(j, struct http, job);
	struct http_folder *f = h->folder;
	struct walks *walks = h->conn->worker->walks;
	bool walks_on = f->kept == NULL;
	int r = 0;

	if (walks_on)
		walks_begin(walks, &f->walk);
	if (walks_on && f->walk.walk == NULL)
		r = folder_open(h);
	if (r == 0 && f->is_head)
		f->is_whole = true;
	else if (r == 0)
		r = f->kept != NULL ? fill_sorted(h) : fill_by_name(h);
	if (r == 0 && !f->is_head)
		frame_chunk(f);
	f->result = r;
	if (r != 0 || f->is_whole || f->kept != NULL)
		walks_end(walks, &f->walk);
	else
		walks_pause(walks, &f->walk);
	return true;
}

static int
folder_open(struct http *h)
{
	struct http_folder *f = h->folder;
	struct listing *l = &f->listing;
	struct path from, none;
	int r;

	path_init(&from);
	path_init(&none);
	if (l->after.len > 0)
		(void)path_push(&from, l->after.p, l->after.len);
	r = store_walk_new(
	    &f->walk.walk, h->conn->worker->store, &f->path, &from, &none, 1);
	if (r != 0)
		return r;
	if (f->is_head)
		return 0;
	if (is_resorted(l)) {
		r = sort_all(h);
		if (r != 0)
			return r;
	}
	return listing_begin(l, &f->fill);
}

static int
fill_by_name(struct http *h)
{
	struct http_folder *f = h->folder;
	struct listing *l = &f->listing;
	const struct path *path;
	struct store_meta meta;
	const char *name;
	int r = 0;

	while (has_room(f) && !atomic_load(&h->job.stop)) {
		r = store_walk_next(f->walk.walk, &path, &meta, NULL, NULL);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		name = path_leaf(path);
		if (l->n == 0 && strcmp(name, f->after) == 0)
			continue; /* after it, not from it */
		if (!path_is_in_urls(name))
			continue; /* nobody could ask for it here */
		if (f->limit > 0 && l->n == f->limit) {
			f->is_whole = true;
			return listing_end(l, &f->fill,
			    (struct str){
				.p = f->last, .len = strlen(f->last) });
		}
		r = write_entry(f, name, strlen(name), &meta);
		if (r != 0)
			return r;
		r = 1;
	}
	if (r != 0)
		return 0;
	f->is_whole = true;
	return listing_end(l, &f->fill, (struct str){ .p = NULL });
}

static int
fill_sorted(struct http *h)
{
	struct http_folder *f = h->folder;
	const struct kept *k;
	int r;

	unsigned n = f->limit > 0 && f->limit < f->n_kept ? f->limit
							  : f->n_kept;

	while (f->next_kept < n && has_room(f)) {
		k = &f->kept[f->next_kept++];
		r = write_entry(f, f->names + k->name, k->len, &k->meta);
		if (r != 0)
			return r;
	}
	if (f->next_kept < n)
		return 0;
	f->is_whole = true;
	return listing_end(&f->listing, &f->fill, (struct str){ .p = NULL });
}

static int
write_entry(struct http_folder *f, const char *name, size_t len,
    const struct store_meta *meta)
{
	struct listing_entry e = {
		.name = { .p = name, .len = len },
		.is_dir = meta->kind == STORE_DIR,
		.size = meta->size,
		.mtime = http_seconds(meta->mtime_ns),
	};

	memcpy(f->last, name, len);
	f->last[len] = '\0';
	return listing_entry(&f->listing, &f->fill, &e);
}

/* All of it, in the order asked for; when the folder has more than that the
 * walk begins anew, and the order is by name. */
static int
sort_all(struct http *h)
{
	struct http_folder *f = h->folder;
	struct listing *l = &f->listing;
	const struct path *path;
	struct store_meta meta;
	struct path none;
	int r;

	f->kept = malloc(LIM_SORTED_ENTRIES * sizeof(*f->kept));
	if (f->kept == NULL)
		return -ENOMEM;
	while ((r = store_walk_next(f->walk.walk, &path, &meta, NULL, NULL)) ==
		   1 &&
	       f->n_kept < LIM_SORTED_ENTRIES && !atomic_load(&h->job.stop)) {
		if (!path_is_in_urls(path_leaf(path)))
			continue;
		r = keep_entry(f, path_leaf(path), &meta);
		if (r != 0)
			return r;
	}
	if (r < 0)
		return r;
	store_walk_free(f->walk.walk);
	f->walk.walk = NULL;
	if (r == 0) {
		qsort_r(f->kept, f->n_kept, sizeof(*f->kept), kept_cmp, f);
		return 0;
	}
	free(f->kept);
	f->kept = NULL;
	l->key = LISTING_BY_NAME;
	l->descending = l->is_sorted = false;
	f->limit = page_limit(l);
	path_init(&none);
	return store_walk_new(
	    &f->walk.walk, h->conn->worker->store, &f->path, &none, &none, 1);
}

static int
keep_entry(
    struct http_folder *f, const char *name, const struct store_meta *meta)
{
	size_t len = strlen(name), cap;
	char *names;

	if (len > f->names_cap - f->names_len) {
		cap = 2 * f->names_cap + 65536;
		names = realloc(f->names, cap);
		if (names == NULL)
			return -ENOMEM;
		f->names = names;
		f->names_cap = cap;
	}
	memcpy(f->names + f->names_len, name, len);
	f->kept[f->n_kept++] = (struct kept){ .meta = *meta,
		.name = (uint32_t)f->names_len,
		.len = (uint32_t)len };
	f->names_len += len;
	return 0;
}

/* Folders first; among equals by name, which is the order they came in. */
static int
kept_cmp(const void *pa, const void *pb, void *arg)
{
	const struct http_folder *f = arg;
	const struct kept *a = pa, *b = pb;
	int c = 0;

	if (a->meta.kind != b->meta.kind)
		return a->meta.kind == STORE_DIR ? -1 : 1;
	if (f->listing.key == LISTING_BY_SIZE)
		c = (a->meta.size > b->meta.size) -
		    (a->meta.size < b->meta.size);
	else if (f->listing.key == LISTING_BY_TIME)
		c = (a->meta.mtime_ns > b->meta.mtime_ns) -
		    (a->meta.mtime_ns < b->meta.mtime_ns);
	if (c == 0)
		c = (a->name > b->name) - (a->name < b->name);
	return f->listing.descending ? -c : c;
}

static bool
has_room(const struct http_folder *f)
{
	return buf_room(&f->fill) >
	       LISTING_ENTRY_ROOM + LISTING_TAIL_ROOM + CHUNK_TAIL;
}

/* ---- on the loop ---- */

enum want
http_folder_step(struct http *h)
{
	struct http_folder *f = h->folder;
	struct conn *c = h->conn;
	enum want want;
	int r;

	if (!f->has_begun) {
		if (!folder_begin(h, &want))
			return want;
	} else if (f->result != 0) {
		/* what was begun must not look whole */
		client_warn(c, "closed: the listing: %s", strerror(-f->result));
		return WANT_CLOSE;
	}
	r = conn_flush(c, f->filled);
	if (r != 0)
		return r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
	if (f->filled) {
		c->out = f->fill;
		buf_init(&f->fill, NULL, 0);
		f->filled = false;
		if (f->is_chunked)
			h->n_framing += CHUNK_HEAD + CHUNK_END +
					(f->is_whole ? CHUNK_LAST : 0);
		else
			buf_drop(&c->out, CHUNK_HEAD);
		return WANT_NOTHING;
	}
	if (f->is_whole)
		return http_ended(h);
	if (c->turn_left == 0)
		return WANT_TURN;
	if (folder_need_fill(h) != 0)
		return WANT_CLOSE;
	http_submit(h, folder_run);
	return WANT_DISK;
}

/* The first piece is there, or there will be none.  False: h is gone, and *want
 * says how it goes on. */
static bool
folder_begin(struct http *h, enum want *want)
{
	struct http_folder *f = h->folder;
	struct conn *c = h->conn;
	struct worker *w = c->worker;
	bool is_json = f->listing.form == LISTING_JSON;
	int result = f->result;
	struct http_ask ask;
	struct reply r;

	*want = WANT_CLOSE;
	if (!http_look_again(h, &ask))
		return false;
	if (result != 0) {
		http_free(c);
		*want = http_say_errno(&ask, result);
		return false;
	}
	f->has_begun = true;
	h->status = 200;
	if (!f->is_chunked)
		http_end_by_close(h);
	http_take_request(h, &ask);
	if (conn_need_out(c) != 0)
		return false;
	http_begin(&r, &c->out, &w->http.second, 200, h->keep);
	reply_field(&r, "Content-Type",
	    is_json ? STR("application/json")
		    : STR("text/html; charset=utf-8"));
	if (f->is_chunked)
		reply_field(&r, "Transfer-Encoding", STR("chunked"));
	reply_field(&r, "Vary", STR("Accept"));
	reply_field(&r, "Cache-Control", STR("no-cache"));
	reply_field(&r, "X-Content-Type-Options", STR("nosniff"));
	reply_field(&r, "Referrer-Policy", STR("same-origin"));
	reply_field(&r, "Content-Security-Policy", STR(PAGE_POLICY));
	if (reply_end(&r) != 0)
		return false;
	http_body_begins(h);
	if (!f->is_head)
		return true;
	*want = http_ended(h);
	return false;
}

static int
folder_need_fill(struct http *h)
{
	struct http_folder *f = h->folder;
	static const char blank[CHUNK_HEAD] = "00000000\r\n";
	void *mem = slab_get(&h->conn->worker->outs);

	if (mem == NULL)
		return -ENOMEM;
	buf_init(&f->fill, mem, CONN_OUT_SIZE);
	return buf_put(&f->fill, blank, sizeof(blank));
}

static void
frame_chunk(struct http_folder *f)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = buf_len(&f->fill) - CHUNK_HEAD;
	unsigned char *digit = f->fill.mem + f->fill.off + 8;

	f->filled = true;
	for (size_t n = len; n > 0; n >>= 4)
		*--digit = (unsigned char)hex[n & 15];
	if (!f->is_chunked)
		return;
	buf_put(&f->fill, "\r\n", CHUNK_END);
	if (f->is_whole)
		buf_put(&f->fill, "0\r\n\r\n", CHUNK_LAST);
}

void
http_folder_free(struct http *h)
{
	struct http_folder *f = h->folder;
	struct worker *w = h->conn->worker;

	if (f == NULL)
		return;
	walks_end(w->walks, &f->walk);
	slab_put(&w->outs, f->fill.mem);
	w->n_sorted -= f->is_counted;
	h->conn->source->n_sorted -= f->is_counted;
	free(f->kept);
	free(f->names);
	free(f);
	h->folder = NULL;
}
