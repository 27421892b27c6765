/*
 * The answer to one train request: it owns the file, the walk and the jobs
 * that it takes, and fills its connection's out buffer.
 */
#ifndef SERVER_TRAIN_ANSWER_H
#define SERVER_TRAIN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "server/conn.h"
#include "train/train.h"

struct answer;

extern const size_t answer_size; /* for the worker's slab */

enum answer_begun {
	ANSWER_BEGUN,
	ANSWER_BAD, /* not of the protocol: *reason says why */
	ANSWER_NO_ROOM /* no memory: the connection must end */
};

/* Begins the answer to a request whose payload is at p: conn->answer. */
enum answer_begun answer_begin(struct conn *, const struct train_frame *,
    const void *p, const char **reason);

/*
 * Does one turn.  True: the answer is whole (in out, or sent), conn->answer
 * is NULL again.  False: *want says what for.
 */
bool answer_step(struct conn *, enum want *want);

/* As a door's stop_jobs. */
bool answer_stop_jobs(struct conn *);
/* Frees it; no job may be out. */
void answer_free(struct conn *);
/* The same for one that is not whole, if there is one, with its log line. */
void answer_cut_off(struct conn *);

#endif
