#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/client.h"
#include "client/compare.h"
#include "client/job.h"
#include "client/listing.h"
#include "client/say.h"
#include "client/stop.h"

struct get {
	const struct client_get *ask;
	struct target *target;
	struct conn *conn;
	struct tree *tree;
	struct listing_skipped skipped;
	struct compare_missing missing;
	struct tally tally;
	struct progress progress;
	struct job job;
};

static enum client_exit get_run(struct get *);
static enum client_exit get_list(struct get *);
static enum client_exit get_compare(struct get *);
static enum client_exit get_fetch(struct get *);
static enum client_exit get_finish(struct get *);
static enum client_exit get_settle(struct get *);
static void get_summary(struct get *, uint64_t);
static enum client_exit disk_failed(const struct get *, int);
static void count_left(struct get *);
static uint64_t count_unfetched(const struct get *);

enum client_exit
client_get_tree(const struct client_get *ask)
{
	enum client_exit verdict;
	struct get *get;
	int r;

	get = calloc(1, sizeof(*get));
	if (get == NULL) {
		say("get: no memory");
		return CLIENT_FAILED;
	}
	get->ask = ask;
	tally_init(&get->tally, ask->path);
	r = target_probe(ask->out);
	get->conn = conn_new(ask->session);
	get->tree = tree_new(0);
	if (r == 0 && (get->conn == NULL || get->tree == NULL))
		r = -ENOMEM;
	verdict = r == 0 ? get_run(get) : disk_failed(get, r);
	conn_free(get->conn);
	tree_free(get->tree);
	target_close(get->target);
	free(get);
	return verdict;
}

static enum client_exit
get_run(struct get *get)
{
	enum { STEP_LIST, STEP_COMPARE, STEP_FETCH, STEP_FINISH, STEPS };
	static enum client_exit (*const steps[STEPS])(struct get *) = {
		[STEP_LIST] = get_list,
		[STEP_COMPARE] = get_compare,
		[STEP_FETCH] = get_fetch,
		[STEP_FINISH] = get_finish,
	};
	enum client_exit verdict = CLIENT_DONE;
	uint64_t began_ms, took_ms;
	size_t i;

	progress_init(&get->progress, false, "");
	began_ms = get->progress.begun_ms;
	for (i = 0; i < STEPS; i++) {
		verdict = steps[i](get);
		if (verdict != CLIENT_DONE)
			break;
	}
	/* what has come by now is as whole as what comes in one go */
	if (get->target != NULL && i < STEP_FINISH &&
	    get_settle(get) == CLIENT_STOPPED)
		verdict = CLIENT_STOPPED;
	progress_end(&get->progress);
	took_ms = progress_elapsed_ms(&get->progress) +
		  (get->progress.begun_ms - began_ms);
	/* before it is known what is here there is nothing to sum up */
	if (verdict != CLIENT_STOPPED && i > STEP_COMPARE)
		get_summary(get, took_ms);
	if (verdict == CLIENT_STOPPED)
		say("get: stopped; run the same command again to go on");
	if (verdict == CLIENT_DONE && get->tally.failed > 0)
		verdict = CLIENT_FAILED;
	return verdict;
}

static enum client_exit
get_list(struct get *get)
{
	enum client_exit verdict;

	progress_init(
	    &get->progress, !get->ask->quiet && say_has_status(), "listing");
	verdict = listing_fetch(get->conn, get->ask->session, get->ask->path,
	    get->tree, &get->skipped, &get->progress);
	progress_end(&get->progress);
	return verdict;
}

static enum client_exit
get_compare(struct get *get)
{
	int r;

	/* not before: a wrong address should leave no folder */
	r = target_open(&get->target, get->ask->out);
	if (r != 0)
		return disk_failed(get, r);
	r = compare_tree(get->tree, get->target, get->ask->session->stop_fd,
	    &get->tally, &get->missing);
	if (r == -EINTR)
		return CLIENT_STOPPED;
	return r == 0 ? CLIENT_DONE : disk_failed(get, r);
}

static enum client_exit
get_fetch(struct get *get)
{
	struct job *job = &get->job;
	enum client_exit verdict;

	if (get->missing.files == 0)
		return CLIENT_DONE;
	progress_init(&get->progress, !get->ask->quiet && say_has_status(), "");
	get->progress.items_due = get->missing.files;
	get->progress.bytes_due = get->missing.bytes;
	job->session = get->ask->session;
	job->root = get->ask->path;
	job->tree = get->tree;
	job->target = get->target;
	job->tally = &get->tally;
	job->progress = &get->progress;
	verdict = job_run(job, &get->missing, get->ask->jobs, get->conn);
	progress_draw(&get->progress);
	return verdict;
}

static enum client_exit
get_finish(struct get *get)
{
	count_left(get);
	return get_settle(get);
}

/* Folders get their modes and times, and all of it gets to the disk, also when
 * the user wants an end: who does not want to wait for that asks twice. */
static enum client_exit
get_settle(struct get *get)
{
	int r;

	stop_postpone();
	compare_finish(get->tree, get->target, &get->tally);
	r = target_sync(get->target);
	if (r != 0) {
		disk_failed(get, r);
		compare_distrust(get->tree, get->target, &get->tally);
		(void)target_sync(get->target);
	}
	if (stop_is_postponed())
		return CLIENT_STOPPED;
	return r == 0 ? CLIENT_DONE : CLIENT_FAILED;
}

/* Every file has become something, unless memory ran out on the way. */
static void
count_left(struct get *get)
{
	uint32_t i, n = tree_count(get->tree);
	struct path path;

	for (i = 0; i < n; i++) {
		struct entry *e = tree_entry(get->tree, i);

		if (e->state != ENTRY_MISSING && e->state != ENTRY_AGAIN)
			continue;
		e->state = ENTRY_FAILED;
		tree_path(get->tree, i, &path);
		tally_fail(&get->tally, &path, "There was no memory for it");
	}
}

/* Those that a run which ended too early did not come to. */
static uint64_t
count_unfetched(const struct get *get)
{
	uint32_t i, n = tree_count(get->tree);
	uint64_t left = 0;

	for (i = 0; i < n; i++) {
		const struct entry *e = tree_entry(get->tree, i);

		left += e->state == ENTRY_MISSING || e->state == ENTRY_AGAIN;
	}
	return left;
}

static void
get_summary(struct get *get, uint64_t took_ms)
{
	const struct tally *t = &get->tally;
	const struct listing_skipped *skipped = &get->skipped;
	char bytes[16], rate[16], took[32];
	uint64_t left = count_unfetched(get);

	if (t->lax > 0)
		say("get: the mode or time of %" PRIu64
		    " entries could not be set",
		    t->lax);
	if (get->ask->quiet)
		return;
	text_size(bytes, sizeof(bytes), t->bytes);
	text_size(rate, sizeof(rate),
	    took_ms > 0 ? t->bytes * 1000 / took_ms : t->bytes);
	printf("%" PRIu64 " files and %" PRIu64
	       " folders, %s in %s, %s/s; %" PRIu64
	       " files were there; not served: %s%" PRIu64 " links, %" PRIu64
	       " special, %" PRIu64 " unreadable; %" PRIu64 " failed",
	    t->files, t->folders, bytes,
	    progress_duration(took, sizeof(took), took_ms), rate, t->there,
	    skipped->is_partial ? "at least " : "", skipped->links,
	    skipped->special, skipped->unreadable, t->failed);
	if (left > 0)
		printf(", %" PRIu64 " not fetched", left);
	putchar('\n');
}

static enum client_exit
disk_failed(const struct get *get, int err)
{
	char shown[SAY_PATH_SIZE];

	say("get: Cannot write in %s: %s",
	    text_escape(
		shown, sizeof(shown), get->ask->out, strlen(get->ask->out)),
	    strerrordesc_np(-err));
	return CLIENT_FAILED;
}
