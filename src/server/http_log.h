/* What is told of an HTTP request when it is over: its line in the log, its
 * line in the access log, and the counters. */
#ifndef SERVER_HTTP_LOG_H
#define SERVER_HTTP_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "http/head.h"
#include "server/board.h"

struct conn;

/* Who asked what, in the client's own words. */
struct http_note {
	struct str line; /* the request line */
	struct str referer;
	struct str agent;
};

/* head NULL: it could not be read, there is only the line. */
void http_note(struct http_note *, const struct head *, struct str line);

/* A copy for an answer that takes its time, each part cut at
 * HTTP_NOTE_MAX; for free().  NULL: nobody wants it, or no memory. */
#define HTTP_NOTE_MAX 512
struct http_note *http_note_copy(const struct conn *, const struct http_note *);

enum board_method http_board_method(const struct head *);

/* note may be NULL.  body: how many bytes of it were sent; is_cut: not all. */
void http_log(struct conn *, const struct http_note *, enum board_method,
    unsigned status, uint64_t body, uint64_t began_ns, bool is_cut);

#endif
