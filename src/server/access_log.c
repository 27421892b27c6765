#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "http/escape.h"
#include "server/access_log.h"

/* The shares of a line, escaped, that what a client chooses may take. */
#define ADDR_BYTES 64
#define USER_BYTES 128
#define REQUEST_BYTES 1024
#define REFERER_BYTES 384
#define AGENT_BYTES 320
/* Brackets, quotes, spaces, status (10 digits), bytes (20), newline. */
#define REST_BYTES (DATE_CLF_LEN + 64)

static_assert(ADDR_BYTES + USER_BYTES + REQUEST_BYTES + REFERER_BYTES +
		      AGENT_BYTES + REST_BYTES <=
		  LIM_ACCESS_LINE_BYTES,
    "a line is never too long");
static_assert(
    LIM_ACCESS_LINE_BYTES <= PIPE_BUF, "a line goes into a pipe in one piece");

static const char dots[] = "..."; /* a field is cut here */

static void put_field(struct buf *, struct str, size_t share);
static void put_begin(struct buf *, struct str);
static void put_date(struct access_log *, int64_t time_s);
static void put_text(struct buf *, const char *);
static size_t whole_lines(const struct buf *);
static void drop_all(struct access_log *);

void
access_log_init(
    struct access_log *l, int pipe_fd, struct board_counter *n_dropped)
{
	l->pipe_fd = pipe_fd;
	l->n_dropped = n_dropped;
	l->date_s = INT64_MIN;
	buf_init(&l->lines, l->mem, sizeof(l->mem));
}

void
access_log_add(struct access_log *l, const struct access_line *line)
{
	struct buf *b = &l->lines;
	char numbers[48];

	if (!access_log_is_on(l))
		return;
	if (buf_room(b) < LIM_ACCESS_LINE_BYTES)
		access_log_flush(l);
	put_field(b, line->addr, ADDR_BYTES);
	put_text(b, " - ");
	put_field(b, line->user, USER_BYTES);
	put_date(l, line->time_s);
	put_field(b, line->request, REQUEST_BYTES);
	snprintf(numbers, sizeof(numbers), "\" %u %" PRIu64 " \"", line->status,
	    line->bytes);
	put_text(b, numbers);
	put_field(b, line->referer, REFERER_BYTES);
	put_text(b, "\" \"");
	put_field(b, line->agent, AGENT_BYTES);
	put_text(b, "\"\n");
}

static void
put_date(struct access_log *l, int64_t time_s)
{
	if (time_s != l->date_s)
		date_format_clf(l->date, time_s);
	l->date_s = time_s;
	put_text(&l->lines, " [");
	put_text(&l->lines, l->date);
	put_text(&l->lines, "] \"");
}

/* Nothing is "-", as everywhere in this format. */
static void
put_field(struct buf *b, struct str s, size_t share)
{
	struct buf part;
	bool is_cut;

	if (s.len == 0) {
		put_text(b, "-");
		return;
	}
	buf_init(&part, buf_tail(b), share - strlen(dots));
	is_cut = escape_log(&part, s) != 0;
	if (is_cut)
		put_begin(&part, s);
	buf_added(b, buf_len(&part));
	if (is_cut)
		put_text(b, dots);
}

/* As much of it as there is room for, byte by byte: what one becomes is never
 * cut. */
static void
put_begin(struct buf *part, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (escape_log(part, (struct str){ s.p + i, 1 }) != 0)
			break;
}

static void
put_text(struct buf *b, const char *text)
{
	int r = buf_put(b, text, strlen(text));

	assert(r == 0);
	(void)r;
}

/* A write of PIPE_BUF bytes at most is whole, or not done at all: so are the
 * lines in it. */
void
access_log_flush(struct access_log *l)
{
	ssize_t n;

	while (buf_len(&l->lines) > 0) {
		do
			n = write(l->pipe_fd, buf_head(&l->lines),
			    whole_lines(&l->lines));
		while (n == -1 && errno == EINTR);
		if (n == -1)
			drop_all(l);
		else
			buf_drop(&l->lines, (size_t)n);
	}
}

/* As many bytes of whole lines as go in one write. */
static size_t
whole_lines(const struct buf *b)
{
	const unsigned char *head = buf_head(b), *end;

	if (buf_len(b) <= PIPE_BUF)
		return buf_len(b);
	end = memrchr(head, '\n', PIPE_BUF);
	assert(end != NULL);
	return (size_t)(end + 1 - head);
}

static void
drop_all(struct access_log *l)
{
	const unsigned char *p = buf_head(&l->lines);
	uint64_t n = 0;

	for (size_t i = 0; i < buf_len(&l->lines); i++)
		n += p[i] == '\n';
	board_add(l->n_dropped, n);
	buf_reset(&l->lines);
}

void
access_log_close(struct access_log *l)
{
	fd_close(&l->pipe_fd);
}
