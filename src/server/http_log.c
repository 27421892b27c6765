#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "server/client_log.h"
#include "server/conn.h"
#include "server/http_log.h"
#include "server/worker.h"

static bool is_wanted(const struct worker *);
static struct str copy(char **to, struct str);
static void log_access(
    struct conn *, const struct http_note *, unsigned status, uint64_t body);

void
http_note(struct http_note *n, const struct head *head, struct str line)
{
	n->line = line;
	n->referer = n->agent = (struct str){ .p = NULL };
	if (head == NULL)
		return;
	n->referer = head_get(head, HEAD_REFERER);
	n->agent = head_get(head, HEAD_USER_AGENT);
}

struct http_note *
http_note_copy(const struct conn *c, const struct http_note *n)
{
	struct http_note *note;
	char *bytes;

	if (!is_wanted(c->worker))
		return NULL;
	note = malloc(sizeof(*note) + 3 * HTTP_NOTE_MAX);
	if (note == NULL)
		return NULL;
	bytes = (char *)(note + 1);
	note->line = copy(&bytes, n->line);
	note->referer = copy(&bytes, n->referer);
	note->agent = copy(&bytes, n->agent);
	return note;
}

static struct str
copy(char **to, struct str s)
{
	struct str got = { .p = *to,
		.len = s.len < HTTP_NOTE_MAX ? s.len : HTTP_NOTE_MAX };

	if (got.len > 0)
		memcpy(*to, s.p, got.len);
	*to += HTTP_NOTE_MAX;
	return got;
}

enum board_method
http_board_method(const struct head *head)
{
	if (head == NULL)
		return BOARD_OTHER;
	switch (head->method) {
	case HTTP_GET:
		return BOARD_GET;
	case HTTP_HEAD:
		return BOARD_HEAD;
	case HTTP_OPTIONS:
		return BOARD_OPTIONS;
	case HTTP_PROPFIND:
		return BOARD_PROPFIND;
	case HTTP_TRACE:
	case HTTP_CONNECT:
	case HTTP_N_METHODS:
		return BOARD_OTHER;
	case HTTP_PUT:
	case HTTP_DELETE:
	case HTTP_PATCH:
	case HTTP_POST:
	case HTTP_MKCOL:
	case HTTP_MOVE:
	case HTTP_COPY:
	case HTTP_PROPPATCH:
	case HTTP_LOCK:
	case HTTP_UNLOCK:
		return BOARD_WRITE;
	}
	return BOARD_OTHER;
}

void
http_log(struct conn *c, const struct http_note *n, enum board_method method,
    unsigned status, uint64_t body, uint64_t began_ns, bool is_cut)
{
	struct worker *w = c->worker;
	uint64_t us = (clock_ns() - began_ns) / 1000;
	char text[2 * HTTP_NOTE_MAX];

	board_count_request(w->board.mine, method, status, us);
	if (n == NULL || !is_wanted(w))
		return;
	if (log_level() >= LOG_INFO) {
		text_escape(text, sizeof(text), n->line.p,
		    n->line.len < HTTP_NOTE_MAX ? n->line.len : HTTP_NOTE_MAX);
		client_info(c, "%s %u %lluB %llums%s", text, status,
		    (unsigned long long)body, (unsigned long long)(us / 1000),
		    is_cut ? " cut off" : "");
	}
	if (access_log_is_on(&w->access_log))
		log_access(c, n, status, body);
}

static void
log_access(
    struct conn *c, const struct http_note *n, unsigned status, uint64_t body)
{
	char addr[ADDR_TEXT];
	struct access_line line = {
		.addr = { .p = addr_text(addr, &c->peer.addr) },
		.time_s = c->worker->wall_s,
		.request = n->line,
		.status = status,
		.bytes = body,
		.referer = n->referer,
		.agent = n->agent,
	};

	line.addr.len = strlen(addr);
	access_log_add(&c->worker->access_log, &line);
}

static bool
is_wanted(const struct worker *w)
{
	return log_level() >= LOG_INFO || access_log_is_on(&w->access_log);
}
