/*
 * The fetching of a tree's missing files, as work that several threads share:
 * stretches of consecutive entries, taken in tree order.
 */
#ifndef CLIENT_JOB_H
#define CLIENT_JOB_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"
#include "client/compare.h"
#include "client/part.h"
#include "client/progress.h"
#include "client/tally.h"
#include "client/target.h"
#include "client/tree.h"

/* What making a file costs, as bytes that could be written meanwhile. */
#define JOB_FILE_COST (16 * 1024)

/* Entries [next, end): folders and missing files.  Who has it alone changes
 * these entries. */
struct stretch {
	struct stretch *more; /* in a list */
	uint32_t next;
	uint32_t end;
	struct part *part; /* of entry next, or NULL */
	uint64_t offset; /* that was asked for, of entry next */
	uint64_t most; /* bytes of entry next there ever were */
	uint64_t due; /* bytes still to come, and JOB_FILE_COST a file */
};

struct job {
	struct session *session;
	const struct path *root;
	struct tree *tree;
	const struct target *target;
	struct tally *tally;
	struct progress *progress;
	uint32_t stretch_files; /* at most */
	uint64_t stretch_bytes; /* at most, but for one file that is bigger */

	pthread_mutex_t lock; /* for all that follows */
	pthread_cond_t change;
	uint32_t cursor; /* entries before it were given out */
	struct stretch *back; /* came back */
	unsigned out; /* stretches that threads have */
	unsigned threads; /* that are at work */
	bool is_over;
	enum client_exit verdict;
	int over_fd; /* readable once it is over */
};

/*
 * Fetches all entries that are ENTRY_MISSING with up to `jobs` threads, and
 * draws the progress.  first is an open connection or NULL; it is used and
 * stays the caller's.  The fields up to progress are the caller's to set.
 */
struct conn;
enum client_exit job_run(struct job *, const struct compare_missing *,
    unsigned jobs, struct conn *first);

/* ---- for its threads ---- */

/* The next stretch, or NULL: there is none.  wait: others may give one back,
 * so wait until that cannot be. */
struct stretch *job_take(struct job *, bool wait);
void job_done(struct job *, struct stretch *); /* frees it */
void job_give_back(struct job *, struct stretch *);
/* One more stretch of one entry.  0 or -ENOMEM. */
int job_add(struct job *, uint32_t entry);

/* Ends it for all threads.  True: this is the verdict that counts, and whose
 * reason is told; false: another came first. */
bool job_end(struct job *, enum client_exit);
bool job_is_over(struct job *);
/* A thread found nothing more to do. */
void job_retire(struct job *);
/* A thread cannot reach the server any more, or lacks what it needs, which the
 * others may have.  The last one ends the job so and says why. */
void job_leave(struct job *, enum client_exit, const char *why);

#endif
