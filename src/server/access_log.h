/*
 * The access log, in a worker: one line for each HTTP request, in the Combined
 * Log Format.  The lines of one turn of the loop go into a pipe at its end, in
 * writes that are never mixed with those of other workers; logger.h has the
 * other end.  A worker never waits for it: what the pipe has no room for is
 * dropped and counted.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "http/date.h"
#include "http/str.h"
#include "server/board.h"

struct access_line {
	struct str addr; /* the client's, as text */
	struct str user; /* len 0: nobody named himself */
	int64_t time_s; /* since the epoch */
	struct str request; /* the request line as it came; may be empty */
	unsigned status;
	uint64_t bytes; /* of the body that was sent */
	struct str referer; /* len 0: there is none */
	struct str agent;
};

struct access_log {
	int pipe_fd; /* -1: no log is written */
	struct board_counter *n_dropped; /* lines */
	struct buf lines; /* whole ones, not sent yet */
	int64_t date_s; /* what date is */
	char date[DATE_CLF_LEN + 1];
	char mem[16 * LIM_ACCESS_LINE_BYTES];
};

/* pipe_fd, which is taken, does not block; -1: no log is written, and adding
 * costs nothing. */
void access_log_init(
    struct access_log *, int pipe_fd, struct board_counter *n_dropped);

/* Whether it is worth it to gather what a line is made of. */
static inline bool
access_log_is_on(const struct access_log *l)
{
	return l->pipe_fd != -1;
}

/* Whatever bytes a client sends: the line is one line, LIM_ACCESS_LINE_BYTES
 * at most, with all its fields; a field that is too long ends in dots. */
void access_log_add(struct access_log *, const struct access_line *);

/* At the end of a turn of the loop. */
void access_log_flush(struct access_log *);

void access_log_close(struct access_log *);

#endif
