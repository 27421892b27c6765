/* A file as an answer: whole, in part, in parts, or not at all. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "server/client_log.h"
#include "server/http_state.h"
#include "server/worker.h"
#include "store/store.h"

#define BOUNDARY_LEN 32
#define PART_HEAD_MAX 512
/* A file that goes to the socket's buffer with its head. */
#define AT_ONCE_BYTES (64 * 1024)

/* An answer of several ranges: multipart/byteranges, RFC 9110 14.6. */
struct http_parts {
	struct ranges ranges;
	unsigned next; /* the range whose head is due */
	const char *type; /* of each part */
	char boundary[BOUNDARY_LEN + 1];
};

/* ---- its digest ---- */
static bool wants_digest(const struct head *);
static bool digest_at_hand(
    const struct http_ask *, const struct hot_file *, uint8_t *sha256);
static enum want await_digest(const struct http_ask *, struct hot_file *);
static void digest_done(struct digest_wait *);
/* ---- choosing ---- */
static unsigned
choose(const struct http_ask *, const struct hot_file *, struct ranges *);
static enum want answer(const struct http_ask *, struct hot_file *,
    unsigned status, const struct ranges *);
static bool has_conditions(const struct head *);
static struct cond_of
cond_of_file(const struct http_ask *, const struct hot_file *);
static bool is_download(const struct http_ask *);
static enum want answer_without_body(
    const struct http_ask *, struct hot_file *, unsigned status);
static enum want answer_whole(const struct http_ask *, struct hot_file *);
static enum want answer_ranges(
    const struct http_ask *, struct hot_file *, const struct ranges *);
/* ---- heads ---- */
static void
put_fields(struct reply *, const struct http_ask *, const struct hot_file *);
static struct str leaf_of(const struct hot_file *);
static uint64_t parts_length(const struct http_parts *, uint64_t size);
static int
part_head(const struct http_parts *, unsigned i, uint64_t size, struct buf *);
/* ---- sending ---- */
static enum want send_from_memory(
    const struct http_ask *, struct hot_file *, const char *, size_t);
static enum want send_with_head(const struct http_ask *, struct hot_file *);
static void
put_rest(struct buf *, const struct iovec *, int n_iov, size_t skip);
static bool is_small_and_near(const struct http_ask *, const struct hot_file *);
static enum want send_file(const struct http_ask *, struct hot_file *,
    unsigned status, uint64_t off, uint64_t end, struct http_parts *);
static bool next_part(struct http *);
static ssize_t send_stretch(struct http *);
static bool have_window(struct http *);
static bool fetch_run(struct job *);

enum want
http_file(const struct http_ask *asked, struct hot_file *file)
{
	struct http_ask ask = *asked;
	uint8_t sha256[STORE_SHA256_SIZE];
	struct ranges ranges;
	unsigned status = choose(&ask, file, &ranges);

	/* what is not sent needs no digest */
	if (status < 300 && ask.head->n_of[HEAD_WANT_REPR_DIGEST] > 0 &&
	    wants_digest(ask.head)) {
		if (!digest_at_hand(&ask, file, sha256))
			return await_digest(&ask, file);
		ask.sha256 = sha256;
	}
	return answer(&ask, file, status, &ranges);
}

/* The status; with 206 ranges. */
static unsigned
choose(const struct http_ask *ask, const struct hot_file *file,
    struct ranges *ranges)
{
	const struct head *head = ask->head;
	struct cond_of of;

	if (has_conditions(head)) {
		of = cond_of_file(ask, file);
		switch (cond_check(head, &of)) {
		case COND_NOT_MODIFIED:
			return 304;
		case COND_FAILED:
			return 412;
		case COND_GO_ON:
			break;
		}
	}
	if (head->n_of[HEAD_RANGE] > 0 && head->method == HTTP_GET) {
		of = cond_of_file(ask, file);
		if (cond_range_holds(head, &of))
			switch (ranges_parse(ranges, head_get(head, HEAD_RANGE),
			    file->meta.size)) {
			case RANGE_PARTS:
				return 206;
			case RANGE_NONE:
				return 416;
			case RANGE_WHOLE:
				break;
			}
	}
	return 200;
}

static enum want
answer(const struct http_ask *ask, struct hot_file *file, unsigned status,
    const struct ranges *ranges)
{
	switch (status) {
	case 200:
		return answer_whole(ask, file);
	case 206:
		return answer_ranges(ask, file, ranges);
	default:
		return answer_without_body(ask, file, status);
	}
}

/* ---- its digest ---- */

static bool
wants_digest(const struct head *head)
{
	struct str line;
	unsigned i = 0;

	while (head_next(head, HEAD_WANT_REPR_DIGEST, &i, &line))
		if (reply_wants_sha256(line))
			return true;
	return false;
}

static bool
digest_at_hand(
    const struct http_ask *ask, const struct hot_file *f, uint8_t *sha256)
{
	struct store *s = ask->conn->worker->store;

	if (f->whole != NULL)
		return EVP_Digest(f->whole + f->head_len, f->meta.size, sha256,
			   NULL, EVP_sha256(), NULL) == 1;
	return !store_may_stall(s) &&
	       store_digest_cached(s, f->fd, &f->meta, sha256) == 0;
}

/* The request stays in the buffer, and is read anew when it is there. */
static enum want
await_digest(const struct http_ask *ask, struct hot_file *file)
{
	struct http *h = http_new(ask);
	int r = -EMFILE;

	if (h == NULL) {
		hot_release(ask->conn->worker->hot, file);
		return WANT_CLOSE;
	}
	h->state = HTTP_DIGEST;
	h->file = file;
	h->digest.done = digest_done;
	h->digest.from = ask->conn->source->id;
	conn_set_state(ask->conn, CONN_ANSWER);
	h->digest_fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	if (h->digest_fd != -1)
		r = digests_ask(ask->conn->worker->digests, &h->digest,
		    h->digest_fd, &file->meta, STORE_DIGEST_GO_ON);
	if (r != 0)
		h->digest.result = r;
	return WANT_NOTHING;
}

static void
digest_done(struct digest_wait *w)
{
	conn_job_done(link_entry(w, struct http, digest)->conn);
}

/*
 * It was a wish: without it the answer is the same but for one field.  A
 * client that says no more may be gone, which only an answer can find out: it
 * is not computed for him.
 */
enum want
http_digest_step(struct http *h)
{
	struct hot_file *file = h->file;
	struct conn *c = h->conn;
	uint8_t sha256[STORE_SHA256_SIZE];
	bool is_there = h->digest.result == 0;
	struct ranges ranges;
	struct http_ask ask;

	if (digest_is_awaited(&h->digest)) {
		if (!c->is_half)
			return WANT_DISK;
		is_there = false;
	}
	if (!http_look_again(h, &ask))
		return WANT_CLOSE;
	memcpy(sha256, h->digest.sha256, sizeof(sha256));
	ask.sha256 = is_there ? sha256 : NULL;
	h->file = NULL;
	http_free(c);
	return answer(&ask, file, choose(&ask, file, &ranges), &ranges);
}

static bool
has_conditions(const struct head *head)
{
	return (head->n_of[HEAD_IF_MATCH] | head->n_of[HEAD_IF_NONE_MATCH] |
		   head->n_of[HEAD_IF_MODIFIED_SINCE] |
		   head->n_of[HEAD_IF_UNMODIFIED_SINCE]) != 0;
}

static struct cond_of
cond_of_file(const struct http_ask *ask, const struct hot_file *file)
{
	return (struct cond_of){ .exists = true,
		.etag = { .p = file->etag, .len = file->etag_len },
		.has_mtime = true,
		.mtime = http_seconds(file->meta.mtime_ns),
		.now = ask->conn->worker->wall_s };
}

static bool
is_download(const struct http_ask *ask)
{
	return query_has(&ask->conn->worker->http.query, STR("download"));
}

/* 304 has the fields that a 200 would have (RFC 9110 15.4.5). */
static enum want
answer_without_body(
    const struct http_ask *ask, struct hot_file *file, unsigned status)
{
	struct conn *c = ask->conn;
	char range[32];
	struct reply r;
	int n;

	if (status != 304) {
		n = snprintf(range, sizeof(range), "bytes */%llu",
		    (unsigned long long)file->meta.size);
		hot_release(c->worker->hot, file);
		if (status == 412)
			return http_say(ask, 412,
			    "The file is not as the request supposes.");
		return http_say_with(ask, 416, "The file has no such part.",
		    "Content-Range",
		    (struct str){ .p = range, .len = (size_t)n });
	}
	if (conn_need_out(c) != 0) {
		hot_release(c->worker->hot, file);
		return WANT_CLOSE;
	}
	http_begin(&r, &c->out, &c->worker->http.second, 304, ask->keep);
	put_fields(&r, ask, file);
	hot_release(c->worker->hot, file);
	if (reply_end(&r) != 0)
		return WANT_CLOSE;
	return http_answered(ask, 304, 0);
}

static enum want
answer_whole(const struct http_ask *ask, struct hot_file *file)
{
	struct conn *c = ask->conn;
	const struct http_second *second = &c->worker->http.second;
	bool wants_body = ask->head->method == HTTP_GET;
	struct mime mime;
	struct reply r;

	if (is_download(ask) || ask->sha256 != NULL) {
		if (conn_need_out(c) != 0) {
			hot_release(c->worker->hot, file);
			return WANT_CLOSE;
		}
		mime = mime_of_name(leaf_of(file).p, leaf_of(file).len);
		http_begin(&r, &c->out, second, 200, ask->keep);
		reply_field(&r, "Content-Type",
		    (struct str){ .p = mime.type, .len = strlen(mime.type) });
		reply_field_u64(&r, "Content-Length", file->meta.size);
		put_fields(&r, ask, file);
		if (reply_end(&r) != 0) {
			hot_release(c->worker->hot, file);
			return WANT_CLOSE;
		}
		return send_file(
		    ask, file, 200, 0, wants_body ? file->meta.size : 0, NULL);
	}
	if (wants_body && file->whole != NULL)
		return send_from_memory(ask, file, (const char *)file->whole,
		    file->head_len + file->meta.size);
	if (!wants_body)
		return send_from_memory(ask, file, file->head, file->head_len);
	return send_with_head(ask, file);
}

static enum want
answer_ranges(const struct http_ask *ask, struct hot_file *file,
    const struct ranges *ranges)
{
	struct conn *c = ask->conn;
	struct mime mime = mime_of_name(leaf_of(file).p, leaf_of(file).len);
	struct http_parts *parts = NULL;
	uint64_t off = 0, end = 0;
	unsigned char random[BOUNDARY_LEN / 2];
	char type[64 + BOUNDARY_LEN];
	struct reply r;
	int n;

	if (conn_need_out(c) != 0)
		goto fail;
	http_begin(&r, &c->out, &c->worker->http.second, 206, ask->keep);
	if (ranges->n == 1) {
		off = ranges->range[0].first;
		end = ranges->range[0].last + 1;
		reply_field(&r, "Content-Type",
		    (struct str){ .p = mime.type, .len = strlen(mime.type) });
		reply_field_u64(&r, "Content-Length", end - off);
		reply_content_range(&r, off, end - 1, file->meta.size);
	} else {
		parts = calloc(1, sizeof(*parts));
		if (parts == NULL)
			goto fail;
		parts->ranges = *ranges;
		parts->type = mime.type;
		randombytes_buf(random, sizeof(random));
		sodium_bin2hex(parts->boundary, sizeof(parts->boundary), random,
		    sizeof(random));
		n = snprintf(type, sizeof(type),
		    "multipart/byteranges; boundary=%s", parts->boundary);
		reply_field(&r, "Content-Type",
		    (struct str){ .p = type, .len = (size_t)n });
		reply_field_u64(
		    &r, "Content-Length", parts_length(parts, file->meta.size));
	}
	put_fields(&r, ask, file);
	if (reply_end(&r) == 0)
		return send_file(ask, file, 206, off, end, parts);
fail:
	free(parts);
	hot_release(c->worker->hot, file);
	return WANT_CLOSE;
}

/* ---- heads ---- */

static void
put_fields(
    struct reply *r, const struct http_ask *ask, const struct hot_file *file)
{
	struct http_file_fields fields = {
		.name = leaf_of(file),
		.etag = { .p = file->etag, .len = file->etag_len },
		.mtime_ns = file->meta.mtime_ns,
		.is_download = is_download(ask),
		.sha256 = ask->sha256,
	};

	http_put_file_fields(r, &fields);
}

static struct str
leaf_of(const struct hot_file *file)
{
	const char *slash = memrchr(file->name, '/', file->name_len);
	const char *leaf = slash == NULL ? file->name : slash + 1;

	return (struct str){ .p = leaf,
		.len = file->name_len - (size_t)(leaf - file->name) };
}

/* What part_head writes, and the bytes between. */
static uint64_t
parts_length(const struct http_parts *p, uint64_t size)
{
	char bytes[PART_HEAD_MAX];
	uint64_t length = 0;
	struct buf b;

	for (unsigned i = 0; i <= p->ranges.n; i++) {
		buf_init(&b, bytes, sizeof(bytes));
		part_head(p, i, size, &b);
		length += buf_len(&b);
		if (i < p->ranges.n)
			length += p->ranges.range[i].last -
				  p->ranges.range[i].first + 1;
	}
	return length;
}

/* The head of part i; behind the last the end of them all. */
static int
part_head(
    const struct http_parts *p, unsigned i, uint64_t size, struct buf *out)
{
	char bytes[PART_HEAD_MAX];
	int n;

	if (i == p->ranges.n)
		n = snprintf(
		    bytes, sizeof(bytes), "\r\n--%s--\r\n", p->boundary);
	else
		n = snprintf(bytes, sizeof(bytes),
		    "\r\n--%s\r\n"
		    "Content-Type: %s\r\n"
		    "Content-Range: bytes %llu-%llu/%llu\r\n\r\n",
		    p->boundary, p->type,
		    (unsigned long long)p->ranges.range[i].first,
		    (unsigned long long)p->ranges.range[i].last,
		    (unsigned long long)size);
	assert(n > 0 && (size_t)n < sizeof(bytes));
	return buf_put(out, bytes, (size_t)n);
}

/* ---- sending ---- */

/*
 * The common case, and the hottest code here: everything is in memory.  It
 * goes straight to the socket when no other request waits behind this one,
 * else behind the answers that are kept back for company.
 */
static enum want
send_from_memory(const struct http_ask *ask, struct hot_file *file,
    const char *p, size_t len)
{
	struct conn *c = ask->conn;
	const struct http_second *second = &c->worker->http.second;
	struct iovec iov[2] = {
		{ .iov_base = (void *)(uintptr_t)second->ok[ask->keep].bytes,
		    .iov_len = second->ok[ask->keep].len },
		{ .iov_base = (void *)(uintptr_t)p, .iov_len = len },
	};
	enum want want = WANT_CLOSE;
	size_t skip = 0;
	ssize_t n = 0;

	if (buf_len(&c->out) == 0 && buf_len(&c->in) == ask->head->size) {
		n = conn_writev(c, iov, 2, ask->keep == HTTP_CLOSE);
		if (n < 0 && n != -EAGAIN)
			goto out;
		skip = n < 0 ? 0 : (size_t)n;
	}
	if (skip < iov[0].iov_len + len) {
		if (conn_need_out(c) != 0)
			goto out;
		put_rest(&c->out, iov, 2, skip);
	}
	want = http_answered(ask, 200, len - file->head_len);
out:
	hot_release(c->worker->hot, file);
	return want;
}

/*
 * The head is at hand, and the bytes of a small file as well: mostly it is
 * done with two calls.  What does not go at once goes the longer way.
 */
static enum want
send_with_head(const struct http_ask *ask, struct hot_file *file)
{
	struct conn *c = ask->conn;
	const struct http_second *second = &c->worker->http.second;
	struct iovec iov[2] = {
		{ .iov_base = (void *)(uintptr_t)second->ok[ask->keep].bytes,
		    .iov_len = second->ok[ask->keep].len },
		{ .iov_base = (void *)(uintptr_t)file->head,
		    .iov_len = file->head_len },
	};
	size_t head_len = iov[0].iov_len + iov[1].iov_len;
	uint64_t off = 0, body_from;
	enum want want = WANT_CLOSE;
	ssize_t n = 0;

	if (is_small_and_near(ask, file)) {
		n = conn_writev(c, iov, 2, true);
		if (n < 0 && n != -EAGAIN)
			goto fail;
		if (n < 0)
			n = 0;
		if ((size_t)n == head_len)
			(void)conn_sendfile(c, file->fd, &off, file->meta.size);
		if (off == file->meta.size) {
			want = http_answered(ask, 200, off);
			hot_release(c->worker->hot, file);
			return want;
		}
	}
	if (conn_need_out(c) != 0)
		goto fail;
	put_rest(&c->out, iov, 2, (size_t)n);
	body_from = c->n_sent + buf_len(&c->out) - off;
	want = send_file(ask, file, 200, off, file->meta.size, NULL);
	if (c->answer != NULL)
		((struct http *)c->answer)->body_from = body_from;
	return want;
fail:
	hot_release(c->worker->hot, file);
	return WANT_CLOSE;
}

static bool
is_small_and_near(const struct http_ask *ask, const struct hot_file *file)
{
	const struct conn *c = ask->conn;

	return buf_len(&c->out) == 0 && buf_len(&c->in) == ask->head->size &&
	       file->fd != -1 && file->meta.size > 0 &&
	       file->meta.size <= AT_ONCE_BYTES &&
	       file->meta.size <= c->turn_left &&
	       hot_window_is_known(file, 0, c->worker->now_ms);
}

/* All but the first skip bytes.  The buffer has room. */
static void
put_rest(struct buf *b, const struct iovec *iov, int n_iov, size_t skip)
{
	size_t n;

	for (int i = 0; i < n_iov; i++) {
		n = skip < iov[i].iov_len ? skip : iov[i].iov_len;
		buf_put(
		    b, (const char *)iov[i].iov_base + n, iov[i].iov_len - n);
		skip -= n;
	}
}

/* The head is in out; bytes off to end of the file follow, or parts. */
static enum want
send_file(const struct http_ask *ask, struct hot_file *file, unsigned status,
    uint64_t off, uint64_t end, struct http_parts *parts)
{
	struct http *h = http_new(ask);

	if (h == NULL) {
		free(parts);
		hot_release(ask->conn->worker->hot, file);
		return WANT_CLOSE;
	}
	h->state = HTTP_FILE;
	h->status = (uint16_t)status;
	h->file = file;
	h->off = off;
	h->end = end;
	h->parts = parts;
	http_take_request(h, ask);
	return WANT_NOTHING;
}

enum want
http_file_step(struct http *h)
{
	struct conn *c = h->conn;
	ssize_t n;
	int r;

	while (h->off < h->end || next_part(h)) {
		r = conn_flush(c, true);
		if (r != 0)
			return r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
		if (c->turn_left == 0)
			return WANT_TURN;
		if (h->file->fd != -1 && !have_window(h))
			return WANT_DISK;
		n = send_stretch(h);
		if (n == -EAGAIN)
			return WANT_WRITE;
		if (n <= 0) {
			/* bytes were promised that cannot come any more */
			if (n == 0)
				client_warn(c, "closed: the file shrank while"
					       " it was sent");
			else if (n != -EPIPE && n != -ECONNRESET)
				client_warn(c, "closed: sendfile: %s",
				    strerror((int)-n));
			return WANT_CLOSE;
		}
	}
	return http_ended(h);
}

void
http_file_free(struct http *h)
{
	digests_cancel(&h->digest, &h->digest_fd);
	fd_close(&h->digest_fd);
	hot_release(h->conn->worker->hot, h->file);
	h->file = NULL;
	free(h->parts);
	h->parts = NULL;
}

/* out is empty.  As conn_sendfile. */
static ssize_t
send_stretch(struct http *h)
{
	uint64_t end = h->window.end < h->end ? h->window.end : h->end;
	struct hot_file *f = h->file;
	ssize_t n;

	if (f->fd != -1)
		return conn_sendfile(h->conn, f->fd, &h->off, end - h->off);
	n = (ssize_t)(h->end - h->off);
	if (conn_need_out(h->conn) != 0 ||
	    buf_put(
		&h->conn->out, f->whole + f->head_len + h->off, (size_t)n) != 0)
		return -ENOMEM;
	h->off = h->end;
	return n;
}

/* False: there is none, all is in out or sent. */
static bool
next_part(struct http *h)
{
	struct http_parts *p = h->parts;

	if (p == NULL || p->next > p->ranges.n)
		return false;
	if (conn_need_out(h->conn) != 0) {
		h->is_cut = true;
		return false;
	}
	part_head(p, p->next, h->file->meta.size, &h->conn->out);
	if (p->next < p->ranges.n) {
		h->off = p->ranges.range[p->next].first;
		h->end = p->ranges.range[p->next].last + 1;
		h->window.end = 0;
	}
	p->next++;
	return p->next <= p->ranges.n;
}

/* Is what comes next in memory?  If not, a job that brings it is out. */
static bool
have_window(struct http *h)
{
	struct worker *w = h->conn->worker;
	struct hot_file *f = h->file;
	uint64_t number = h->off / WINDOW_BYTES;
	uint64_t begin = number * WINDOW_BYTES;
	uint64_t end = f->meta.size - begin < WINDOW_BYTES
			   ? f->meta.size
			   : begin + WINDOW_BYTES;

	if (window_covers(&h->window, h->off, w->now_ms))
		return true;
	h->window.end = end;
	h->window.asked_ms = w->now_ms;
	if (hot_window_is_known(f, number, w->now_ms))
		return true;
	if (!store_may_stall(w->store)) {
		if (store_is_resident(f->fd, begin, end - begin)) {
			hot_window_seen(f, number, w->now_ms);
			return true;
		}
		/* of a range the rest of its window need not be there */
		if (h->end < end)
			h->window.end = end = h->end;
		if (store_is_resident(f->fd, h->off, end - h->off))
			return true;
	}
	http_submit(h, fetch_run);
	return false;
}

static bool
fetch_run(struct job *j)
{
	struct http *h = link_entry(j, struct http, job);

	/* a failure shows when the bytes are sent */
	store_fetch(h->file->fd, h->off, h->window.end - h->off);
	return true;
}
