#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/metrics.h"
#include "server/pool_counts.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* Everything there is to tell, of one moment as far as that is possible. */
struct view {
	struct board_pool pool;
	struct board_worker sum; /* of all workers */
	uint64_t open; /* connections now */
	uint64_t slots;
	uint64_t uptime_s;
};

struct writer {
	struct buf *out;
	size_t before; /* bytes in out */
	bool failed;
};

/* A counter of a worker's place by its name. */
struct field {
	const char *name;
	const char *meaning;
	size_t offset;
};

static const struct field fields[] = {
#define FIELD(field, meaning) \
	{ #field, meaning, offsetof(struct board_worker, field) },
	BOARD_COUNTERS(FIELD)
#undef FIELD
};

/* ---- reading ---- */
static void view_take(struct view *, const struct board *, uint64_t now_ms);
static uint64_t open_now(const struct view *, const struct board *, unsigned);
static uint64_t field_get(const struct board_worker *, const struct field *);
static uint64_t requests_of(const struct board_worker *);
/* ---- writing ---- */
static void writer_begin(struct writer *, struct buf *);
static void put(struct writer *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static int writer_end(struct writer *);
/* ---- JSON ---- */
static void json_pool_counts(struct writer *, const struct fdpool_counts *);
static void json_counters(struct writer *, const char *name,
    const struct board_counter *, size_t n, const char *(*label)(unsigned));
static void json_durations(struct writer *, const struct board_worker *);
static void json_worker(
    struct writer *, const struct view *, const struct board *, unsigned index);
/* ---- Prometheus ---- */
static void prom_family(
    struct writer *, const char *name, const char *type, const char *meaning);
static void prom_master(struct writer *, const struct view *);
static void prom_counters(struct writer *, const char *name,
    const char *meaning, const char *label, const struct board_counter *,
    size_t n, const char *(*value)(unsigned));
static void prom_durations(struct writer *, const struct board_worker *);
static void
prom_workers(struct writer *, const struct view *, const struct board *);

int
metrics_status(struct buf *out, const struct board *b, uint64_t now_ms)
{
	static struct view v;
	struct writer w;

	view_take(&v, b, now_ms);
	writer_begin(&w, out);
	put(&w,
	    "{\"version\": \"%s\", \"pid\": %" PRId64 ", \"started\": %" PRId64
	    ", \"uptime\": %" PRIu64 ", \"draining\": %s,\n \"total\": {",
	    NETPAN_VERSION, v.pool.pid, v.pool.started_s, v.uptime_s,
	    v.pool.draining ? "true" : "false");
	json_pool_counts(&w, &v.pool.total);
	put(&w, "},\n \"slots\": %" PRIu64 ", \"open\": %" PRIu64, v.slots,
	    v.open);
	for (size_t i = 0; i < nitems(fields); i++)
		put(&w, ", \"%s\": %" PRIu64, fields[i].name,
		    field_get(&v.sum, &fields[i]));
	json_counters(&w, "train_requests", v.sum.train_requests,
	    BOARD_N_TRAINS, board_train_name);
	json_counters(
	    &w, "methods", v.sum.requests, BOARD_N_METHODS, board_method_name);
	json_counters(&w, "statuses", v.sum.statuses, BOARD_N_STATUSES,
	    board_status_name);
	json_durations(&w, &v.sum);
	put(&w, ",\n \"workers\": [");
	for (unsigned i = 0; i < v.pool.n_workers; i++)
		json_worker(&w, &v, b, i);
	put(&w, "\n ]}\n");
	return writer_end(&w);
}

int
metrics_prometheus(struct buf *out, const struct board *b, uint64_t now_ms)
{
	static struct view v;
	struct writer w;
	char name[64];

	view_take(&v, b, now_ms);
	writer_begin(&w, out);
	prom_master(&w, &v);
	prom_family(&w, "netpan_connections", "gauge",
	    "Connections that workers have open.");
	put(&w, "netpan_connections %" PRIu64 "\n", v.open);
	for (size_t i = 0; i < nitems(fields); i++) {
		snprintf(name, sizeof(name), "netpan_%s_total", fields[i].name);
		prom_family(&w, name, "counter", fields[i].meaning);
		put(&w, "%s %" PRIu64 "\n", name,
		    field_get(&v.sum, &fields[i]));
	}
	prom_counters(&w, "netpan_train_requests_total", "Train requests.",
	    "type", v.sum.train_requests, BOARD_N_TRAINS, board_train_name);
	prom_counters(&w, "netpan_requests_total",
	    "HTTP requests by the status of their answer.", "status",
	    v.sum.statuses, BOARD_N_STATUSES, board_status_name);
	prom_counters(&w, "netpan_method_requests_total",
	    "HTTP requests by their method.", "method", v.sum.requests,
	    BOARD_N_METHODS, board_method_name);
	prom_durations(&w, &v.sum);
	prom_workers(&w, &v, b);
	return writer_end(&w);
}

bool
metrics_health(struct buf *out, const struct board *b, uint64_t now_ms)
{
	static struct board_pool p;
	const char *word = "no ready worker";
	struct writer w;

	board_read(b, &p);
	for (unsigned i = 0; i < p.n_workers; i++)
		if (p.row[i].state == FDPOOL_READY)
			word = "ok";
	if (p.draining)
		word = "draining";
	if (now_ms > p.published_ms &&
	    now_ms - p.published_ms > METRICS_SILENT_MS)
		word = p.published_ms == 0 ? "starting"
					   : "the master is silent";
	writer_begin(&w, out);
	put(&w, "%s\n", word);
	writer_end(&w);
	return strcmp(word, "ok") == 0;
}

/* ---- reading ---- */

static void
view_take(struct view *v, const struct board *b, uint64_t now_ms)
{
	struct board_counter *sum = (void *)&v->sum;

	board_read(b, &v->pool);
	memset(&v->sum, 0, sizeof(v->sum));
	v->open = v->slots = 0;
	for (unsigned i = 0; i < v->pool.n_workers; i++) {
		const struct board_counter *c = (const void *)board_worker(
		    b, i);

		for (size_t k = 0;
		     k < offsetof(struct board_worker, served) / sizeof(*c);
		     k++)
			board_add(&sum[k], board_get(&c[k]));
		v->open += open_now(v, b, i);
		v->slots += v->pool.row[i].slots;
	}
	v->uptime_s = now_ms > v->pool.started_ms && v->pool.started_ms > 0
			  ? (now_ms - v->pool.started_ms) / 1000
			  : 0;
}

/* What a worker that is dead has left there is over. */
static uint64_t
open_now(const struct view *v, const struct board *b, unsigned index)
{
	switch ((enum fdpool_worker_state)v->pool.row[index].state) {
	case FDPOOL_EMPTY:
	case FDPOOL_STARTING:
		return 0;
	default:
		return board_get(&board_worker(b, index)->open);
	}
}

static uint64_t
field_get(const struct board_worker *w, const struct field *f)
{
	return board_get((const void *)((const char *)w + f->offset));
}

static uint64_t
requests_of(const struct board_worker *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < BOARD_N_METHODS; i++)
		n += board_get(&w->requests[i]);
	return n;
}

/* ---- writing ---- */

static void
writer_begin(struct writer *w, struct buf *out)
{
	w->out = out;
	w->before = buf_len(out);
	w->failed = false;
}

static void
put(struct writer *w, const char *fmt, ...)
{
	size_t room = buf_room(w->out);
	va_list ap;
	int n;

	if (w->failed)
		return;
	va_start(ap, fmt);
	n = vsnprintf((char *)buf_tail(w->out), room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		w->failed = true; /* vsnprintf wants a byte for its NUL */
	else
		buf_added(w->out, (size_t)n);
}

static int
writer_end(struct writer *w)
{
	if (!w->failed)
		return 0;
	buf_cut(w->out, w->before);
	return -ENOBUFS;
}

/* ---- JSON ---- */

static void
json_pool_counts(struct writer *w, const struct fdpool_counts *c)
{
	for (size_t i = 0; i < POOL_N_COUNTS; i++)
		put(w, "%s\"%s\": %" PRIu64, i == 0 ? "" : ", ",
		    pool_counts[i].name, pool_count_get(c, i));
}

static void
json_counters(struct writer *w, const char *name, const struct board_counter *c,
    size_t n, const char *(*label)(unsigned))
{
	put(w, ",\n \"%s\": {", name);
	for (unsigned i = 0; i < n; i++)
		put(w, "%s\"%s\": %" PRIu64, i == 0 ? "" : ", ", label(i),
		    board_get(&c[i]));
	put(w, "}");
}

/* By their upper bounds. */
static void
json_durations(struct writer *w, const struct board_worker *c)
{
	put(w, ",\n \"duration_us\": %" PRIu64 ",\n \"durations_us\": {",
	    board_get(&c->duration_us));
	for (unsigned i = 0; i < BOARD_N_BOUNDS; i++)
		put(w, "\"%" PRIu32 "\": %" PRIu64 ", ", board_bounds_us[i],
		    board_get(&c->durations[i]));
	put(w, "\"longer\": %" PRIu64 "}",
	    board_get(&c->durations[BOARD_N_BOUNDS]));
}

static void
json_worker(struct writer *w, const struct view *v, const struct board *b,
    unsigned index)
{
	const struct board_row *row = &v->pool.row[index];
	const struct board_worker *c = board_worker(b, index);

	put(w,
	    "%s\n  {\"worker\": %u, \"state\": \"%s\", \"pid\": %" PRId64
	    ", \"slots\": %" PRIu64 ", ",
	    index == 0 ? "" : ",", index,
	    fdpool_worker_state_name((enum fdpool_worker_state)row->state),
	    row->pid, row->slots);
	json_pool_counts(w, &row->counts);
	put(w,
	    ", \"open\": %" PRIu64 ", \"connections\": %" PRIu64
	    ", \"requests\": %" PRIu64 ", \"bytes_received\": %" PRIu64
	    ", \"bytes_sent\": %" PRIu64 "}",
	    open_now(v, b, index), board_get(&c->connections), requests_of(c),
	    board_get(&c->bytes_received), board_get(&c->bytes_sent));
}

/* ---- Prometheus ---- */

static void
prom_family(
    struct writer *w, const char *name, const char *type, const char *meaning)
{
	put(w, "# HELP %s %s\n# TYPE %s %s\n", name, meaning, name, type);
}

static void
prom_master(struct writer *w, const struct view *v)
{
	char name[64];

	prom_family(w, "netpan_build_info", "gauge", "The version that runs.");
	put(w, "netpan_build_info{version=\"%s\"} 1\n", NETPAN_VERSION);
	prom_family(w, "netpan_start_time_seconds", "gauge",
	    "When it was started, in seconds since the epoch.");
	put(w, "netpan_start_time_seconds %" PRId64 "\n", v->pool.started_s);
	prom_family(w, "netpan_draining", "gauge",
	    "1 while it finishes what it holds, to end then.");
	put(w, "netpan_draining %" PRIu64 "\n", v->pool.draining);
	prom_family(w, "netpan_slots", "gauge",
	    "Connections that all workers together can hold.");
	put(w, "netpan_slots %" PRIu64 "\n", v->slots);
	for (size_t i = 0; i < POOL_N_COUNTS; i++) {
		const struct pool_count *c = &pool_counts[i];

		snprintf(name, sizeof(name), "netpan_pool_%s%s", c->name,
		    c->only_grows ? "_total" : "");
		prom_family(
		    w, name, c->only_grows ? "counter" : "gauge", c->meaning);
		put(w, "%s %" PRIu64 "\n", name,
		    pool_count_get(&v->pool.total, i));
	}
}

static void
prom_counters(struct writer *w, const char *name, const char *meaning,
    const char *label, const struct board_counter *c, size_t n,
    const char *(*value)(unsigned))
{
	prom_family(w, name, "counter", meaning);
	for (unsigned i = 0; i < n; i++)
		put(w, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value(i),
		    board_get(&c[i]));
}

/* A histogram of Prometheus counts in each bucket what is in those before. */
static void
prom_durations(struct writer *w, const struct board_worker *c)
{
	static const char name[] = "netpan_request_duration_seconds";
	uint64_t us = board_get(&c->duration_us), n = 0;

	prom_family(w, name, "histogram",
	    "HTTP requests, from their first byte to the last byte of the"
	    " answer handed to the kernel.");
	for (unsigned i = 0; i < BOARD_N_BOUNDS; i++) {
		n += board_get(&c->durations[i]);
		put(w, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
		    board_bounds_us[i] / 1e6, n);
	}
	n += board_get(&c->durations[BOARD_N_BOUNDS]);
	put(w, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, n);
	put(w, "%s_sum %" PRIu64 ".%06" PRIu64 "\n%s_count %" PRIu64 "\n", name,
	    us / 1000000, us % 1000000, name, n);
}

static void
prom_workers(struct writer *w, const struct view *v, const struct board *b)
{
	unsigned n = (unsigned)v->pool.n_workers;

	prom_family(w, "netpan_worker_ready", "gauge",
	    "1 for a worker that gets clients.");
	for (unsigned i = 0; i < n; i++)
		put(w, "netpan_worker_ready{worker=\"%u\"} %d\n", i,
		    v->pool.row[i].state == FDPOOL_READY);
	prom_family(w, "netpan_worker_connections", "gauge",
	    "Connections that the worker has open.");
	for (unsigned i = 0; i < n; i++)
		put(w, "netpan_worker_connections{worker=\"%u\"} %" PRIu64 "\n",
		    i, open_now(v, b, i));
	prom_family(w, "netpan_worker_requests_total", "counter",
	    "HTTP requests that the worker has answered.");
	for (unsigned i = 0; i < n; i++)
		put(w,
		    "netpan_worker_requests_total{worker=\"%u\"} %" PRIu64 "\n",
		    i, requests_of(board_worker(b, i)));
	prom_family(w, "netpan_worker_bytes_sent_total", "counter",
	    "Bytes that the worker has sent.");
	for (unsigned i = 0; i < n; i++)
		put(w,
		    "netpan_worker_bytes_sent_total{worker=\"%u\"} %" PRIu64
		    "\n",
		    i, board_get(&board_worker(b, i)->bytes_sent));
}
