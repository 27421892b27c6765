/*
 * The disk threads of one worker: whatever may wait for a disk runs here, so
 * that the event loop never does.  A job is run on some thread, then its
 * done is called on the loop, by helpers_reap.
 */
#ifndef SERVER_HELPERS_H
#define SERVER_HELPERS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "server/board.h"

struct helpers;

/*
 * Lives in its owner's memory, which must stay until done was called.  stop
 * is set by the loop when the answer is not wanted any more; run looks at it.
 */
struct job {
	struct link link;
	void (*run)(struct job *); /* on a helper thread */
	void (*done)(struct job *); /* on the loop */
	_Atomic bool stop;
	bool is_long; /* reads a whole file: leaves a thread free for others */
	bool is_out; /* submitted, done not called yet; the loop's */
};

/* Starts n threads, 2 or more; jobs are counted in n_jobs, which is the
 * loop's.  0, -ENOMEM, -EAGAIN ... */
int helpers_new(struct helpers **, unsigned n, struct board_counter *n_jobs);

/* Readable when jobs are ready to be reaped. */
int helpers_fd(const struct helpers *);

/* Runs job once; it must not be out already. */
void helpers_submit(struct helpers *, struct job *);

/* From any thread: j was run elsewhere, and its done is called as well.  The
 * loop has set its is_out; it was not submitted. */
void helpers_post(struct helpers *, struct job *j);

/* Calls done of each job that has been run. */
void helpers_reap(struct helpers *);

/* Drops the jobs that wait, lets those that run end, joins the threads; done
 * is not called any more.  NULL is fine. */
void helpers_free(struct helpers *);

#endif
