/*
 * The disk threads of one worker: whatever may wait for a disk runs here, so
 * that the event loop never does.  A job is run on some thread, then its
 * done is called on the loop, by helpers_reap.
 *
 * Jobs are quick or long.  Of each kind everybody who asks has a lane, and
 * each lane its turn.  A long job may run in slices, between which others have
 * their turn: those that begin and those that go on alternately, so that a
 * short one among them is soon done.  While jobs of both kinds wait, a thread
 * at least is at each kind.
 */
#ifndef SERVER_HELPERS_H
#define SERVER_HELPERS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "server/board.h"
#include "server/source.h"

struct helpers;

/* Lives in its owner's memory, which must stay until done was called. */
struct job {
	struct link link;
	/* On a helper thread, never on two at once.  False: a slice is done,
	 * it wants to be run again.  It looks at stop now and then. */
	bool (*run)(struct job *);
	void (*done)(struct job *); /* on the loop */
	_Atomic bool stop; /* it was cancelled: end early */
	struct source_id from; /* who asks; set before it is submitted */
	bool is_long; /* reads a whole file or folder: leaves a thread free */
	bool is_out; /* submitted, done not called yet; the loop's */
	bool is_waiting; /* for a thread; the helpers' */
	bool has_run; /* a slice at least; the helpers' */
};

/* Starts n threads, 2 or more; jobs are counted in n_jobs, which is the
 * loop's.  0, -ENOMEM, -EAGAIN ... */
int helpers_new(struct helpers **, unsigned n, struct board_counter *n_jobs);

/* Each thread shows from now on in its place, of LIM_HELPERS, for whom it
 * works. */
void helpers_show(struct helpers *, struct board_served *);

/* Readable when jobs are ready to be reaped. */
int helpers_fd(const struct helpers *);

/* Runs job until it has said that it is done; it must not be out already. */
void helpers_submit(struct helpers *, struct job *);

/* Its outcome is not wanted any more: one that waits for a thread is not run
 * (again), one that runs is told to stop.  Its done is called as ever, by a
 * later helpers_reap.  Fine for a job that is not out. */
void helpers_cancel(struct helpers *, struct job *);

/* From any thread: j was run elsewhere, and its done is called as well.  The
 * loop has set its is_out; it was not submitted. */
void helpers_post(struct helpers *, struct job *j);

/* Calls done of each job that has been run, or needs not be. */
void helpers_reap(struct helpers *);

/* Drops the jobs that wait, lets those that run end, joins the threads; done
 * is not called any more.  NULL is fine. */
void helpers_free(struct helpers *);

#endif
