/* What netpand says of itself, under /@/: the pages' style, its counts, and
 * whether it is well. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http/listing.h"
#include "server/http_state.h"
#include "server/metrics.h"
#include "server/worker.h"

/* A page of ours; 0 or -errno of a full buffer.  *status may be made another
 * than 200. */
struct page {
	struct str name;
	const char *type;
	const char *cache;
	int (*write)(struct buf *, const struct worker *, unsigned *status);
};

static int write_style(struct buf *, const struct worker *, unsigned *);
static int write_health(struct buf *, const struct worker *, unsigned *);
static int write_status(struct buf *, const struct worker *, unsigned *);
static int write_metrics(struct buf *, const struct worker *, unsigned *);

static const struct page pages[] = {
	{ STR("style.css"), "text/css; charset=utf-8", "max-age=3600",
	    write_style },
	{ STR("health"), "text/plain; charset=utf-8", "no-store",
	    write_health },
	{ STR("status"), "application/json", "no-store", write_status },
	{ STR("metrics"), METRICS_PROMETHEUS_TYPE, "no-store", write_metrics },
};

#define PREFIX "/@/"
#define HEAD_MAX 512

static_assert(HTTP_FLUSH_AT + HEAD_MAX + METRICS_ROOM <= CONN_OUT_SIZE,
    "a page fits behind the answers that are kept back");

bool
http_is_self(struct str path)
{
	return path.len >= 2 && memcmp(path.p, PREFIX, 2) == 0 &&
	       (path.len == 2 || path.p[2] == '/');
}

enum want
http_self(const struct http_ask *ask)
{
	struct conn *c = ask->conn;
	struct worker *w = c->worker;
	struct str name = { .p = ask->head->path.p,
		.len = ask->head->path.len };
	size_t skip = name.len < sizeof(PREFIX) - 1 ? name.len
						    : sizeof(PREFIX) - 1;
	const struct page *page = NULL;
	unsigned status = 200;
	enum want want = WANT_CLOSE;
	struct reply r;
	struct buf body;
	void *mem;

	name.p += skip;
	name.len -= skip;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (str_is(name, pages[i].name))
			page = &pages[i];
	if (page == NULL)
		return http_say(ask, 404, "There is nothing of this name.");
	mem = malloc(METRICS_ROOM);
	if (mem == NULL)
		return WANT_CLOSE;
	buf_init(&body, mem, METRICS_ROOM);
	if (page->write(&body, w, &status) != 0 || conn_need_out(c) != 0)
		goto out;
	if (buf_room(&c->out) < HEAD_MAX + METRICS_ROOM)
		buf_compact(&c->out);
	http_begin(&r, &c->out, &w->http.second, status, ask->keep);
	reply_field(&r, "Content-Type",
	    (struct str){ .p = page->type, .len = strlen(page->type) });
	reply_field_u64(&r, "Content-Length", buf_len(&body));
	reply_field(&r, "Cache-Control",
	    (struct str){ .p = page->cache, .len = strlen(page->cache) });
	reply_field(&r, "X-Content-Type-Options", STR("nosniff"));
	if (reply_end(&r) != 0)
		goto out;
	if (ask->head->method != HTTP_HEAD &&
	    buf_put(&c->out, buf_head(&body), buf_len(&body)) != 0)
		goto out;
	want = http_answered(
	    ask, status, ask->head->method == HTTP_HEAD ? 0 : buf_len(&body));
out:
	free(mem);
	return want;
}

static int
write_style(struct buf *out, const struct worker *w, unsigned *status)
{
	(void)w;
	(void)status;
	return buf_put(out, listing_css, listing_css_len);
}

static int
write_health(struct buf *out, const struct worker *w, unsigned *status)
{
	if (!metrics_health(out, &w->board, w->now_ms))
		*status = 503;
	return 0;
}

static int
write_status(struct buf *out, const struct worker *w, unsigned *status)
{
	(void)status;
	return metrics_status(out, &w->board, w->now_ms);
}

static int
write_metrics(struct buf *out, const struct worker *w, unsigned *status)
{
	(void)status;
	return metrics_prometheus(out, &w->board, w->now_ms);
}
