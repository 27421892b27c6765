#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "client/client.h"
#include "client/conn.h"
#include "client/part.h"
#include "client/parts.h"
#include "client/progress.h"
#include "client/refusal.h"
#include "client/say.h"
#include "client/target.h"

#define TRIES 2 /* from the first byte; it may change while it is sent */

/* Results of a step, beside 0 and what conn_next says. */
#define STEP_ASK (-EAGAIN) /* ask again, on a new connection */
#define STEP_FAILED (-ECANCELED) /* why says it */

struct getting {
	const struct client_get *ask;
	struct conn *conn;
	struct place place;
	char name[LIM_SEG_BYTES + 1]; /* here */
	struct train_head head;
	struct part *part;
	bool is_receiving; /* head and part are of the answer that comes */
	bool is_done;
	bool was_there;
	bool is_lax;
	uint64_t asked; /* the offset that was asked for */
	uint64_t most; /* bytes there ever were: more is new */
	unsigned tries; /* since the last new byte */
	uint64_t hashed_by_ms; /* the server needs no longer; 0: not all came */
	unsigned wrong; /* tries that gave other bytes than announced */
	bool is_anew; /* the digest was wrong: it may be one of old bytes */
	struct train_end end;
	struct progress progress;
	char shown[SAY_PATH_SIZE]; /* its path on the server */
	char label[SAY_PATH_SIZE];
	char why[REFUSAL_SIZE];
};

/* the whole */
static int file_place(struct getting *);
static int file_look(struct getting *, const char *, const char *);
static bool names_folder(const char *);
static const char *last_name(const char *);
static int file_fetch(struct getting *);
static enum client_exit file_verdict(struct getting *, int);
static void file_summary(struct getting *);
static void file_draw(void *);

/* the answer */
static void file_ask(struct getting *);
static int file_step(struct getting *);
static int on_head(struct getting *, const struct arrival *);
static int on_data(struct getting *, const struct arrival *);
static int on_end(struct getting *, const struct arrival *);
static int on_error(struct getting *, const struct arrival *);

/* the file */
static int file_begin(struct getting *);
static bool file_is_there(struct getting *);
static void file_drop_parts(struct getting *);
static int file_wrong(struct getting *, const char *);
static void file_await_end(struct getting *);
static bool may_be_hashing(const struct getting *);
static int failed(struct getting *, const char *);
static int disk_failed(struct getting *, int);
static int folder_failed(struct getting *, const char *);
static int proto(struct getting *, const char *);

enum client_exit
client_get_file(const struct client_get *ask)
{
	enum client_exit verdict;
	struct getting *g;
	int r;

	g = calloc(1, sizeof(*g));
	if (g == NULL) {
		say("get: no memory");
		return CLIENT_FAILED;
	}
	g->ask = ask;
	place_init(&g->place);
	say_path(g->shown, ask->path);
	text_escape(g->label, sizeof(g->label), path_leaf(ask->path),
	    strlen(path_leaf(ask->path)));
	progress_init(&g->progress, !ask->quiet && say_has_status(), g->label);
	ask->session->on_wait = g->progress.is_shown ? file_draw : NULL;
	ask->session->wait_arg = g;
	r = file_place(g);
	if (r == 0) {
		g->conn = conn_new(ask->session);
		r = g->conn != NULL ? file_fetch(g)
				    : failed(g, "There is no memory for it");
	}
	ask->session->on_wait = NULL;
	progress_end(&g->progress);
	verdict = file_verdict(g, r);
	part_keep(g->part);
	conn_free(g->conn);
	place_close(&g->place);
	free(g);
	return verdict;
}

/* ---- the whole ---- */

/* Where it comes to: in the current folder, or in a folder that the user names,
 * it is called as it is there; else as the user says. */
static int
file_place(struct getting *g)
{
	const char *out = g->ask->out, *name = path_leaf(g->ask->path);
	char *folder = NULL;
	int r;

	if (out == NULL)
		return file_look(g, ".", name);
	if (names_folder(out))
		return file_look(g, out, name);
	name = last_name(out);
	if (name > out)
		folder = strndup(out, (size_t)(name - out));
	if (name > out && folder == NULL)
		return disk_failed(g, -ENOMEM);
	r = file_look(g, folder != NULL ? folder : ".", name);
	free(folder);
	return r;
}

/* The user's own path is followed as any path is, up to the file's name. */
static int
file_look(struct getting *g, const char *folder, const char *name)
{
	int r;

	if (strlen(name) > LIM_SEG_BYTES)
		return failed(g, "The name for it here is too long");
	if (part_is_name(name))
		return failed(
		    g, "netpan keeps such names for its own parts: use -o");
	memcpy(g->name, name, strlen(name) + 1);
	g->place.fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->place.fd == -1)
		return folder_failed(g, folder);
	r = target_is_free(g->place.fd, g->name);
	if (r == -EISDIR && g->ask->out == NULL)
		return failed(g, "A folder is in its place here: use -o");
	return r == 0 ? 0 : disk_failed(g, r);
}

/* What can be no file's name, and what a folder has. */
static bool
names_folder(const char *path)
{
	const char *name = last_name(path);
	struct stat st;

	return *name == '\0' || strcmp(name, ".") == 0 ||
	       strcmp(name, "..") == 0 ||
	       (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
file_fetch(struct getting *g)
{
	int r, w;

	while (!g->is_done) {
		if (!conn_is_open(g->conn)) {
			r = conn_reach(g->conn, &g->tries);
			if (r != 0)
				return r;
			file_ask(g);
		}
		progress_tick(&g->progress);
		r = file_step(g);
		if (r == 0)
			continue;
		conn_disconnect(g->conn);
		if (r == -EINTR || r == STEP_FAILED)
			return r;
		if (r == STEP_ASK)
			continue;
		if (may_be_hashing(g) && g->tries > 1)
			g->tries = 1;
		w = session_retry(g->ask->session, &g->tries, r);
		if (w != 0)
			return w == -EINTR ? w : r;
	}
	return 0;
}

static enum client_exit
file_verdict(struct getting *g, int r)
{
	if (r == 0) {
		file_summary(g);
		return CLIENT_DONE;
	}
	if (r == -EINTR) {
		say("get %s: stopped; run the same command again to go on",
		    g->shown);
		return CLIENT_STOPPED;
	}
	if (r == STEP_FAILED) {
		say("get %s: %s", g->shown, g->why);
		return CLIENT_FAILED;
	}
	say("get %s: %s%s", g->shown,
	    r == -EBUSY ? g->why : conn_reason(g->conn),
	    g->part != NULL && part_got(g->part) > 0
		? ": run the same command again to go on"
		: "");
	return CLIENT_NO_CONNECTION;
}

static void
file_summary(struct getting *g)
{
	uint64_t ms = progress_elapsed_ms(&g->progress);
	uint64_t came = atomic_load(&g->progress.bytes);
	char size[16], rate[16], took[32], hex[2 * TRAIN_SHA256_SIZE + 1];

	if (g->is_lax)
		say("get %s: its mode or time could not be set", g->shown);
	if (g->ask->quiet)
		return;
	text_size(size, sizeof(size), g->head.size);
	if (g->was_there) {
		printf("%s: %s, was there already\n", g->label, size);
		return;
	}
	text_size(rate, sizeof(rate), ms > 0 ? came * 1000 / ms : came);
	text_hex(hex, g->end.sha256, TRAIN_SHA256_SIZE);
	printf("%s: %s in %s, %s/s, sha256 %s\n", g->label, size,
	    progress_duration(took, sizeof(took), ms), rate, hex);
}

static void
file_draw(void *arg)
{
	struct getting *g = arg;

	progress_tick(&g->progress);
}

/* ---- the answer ---- */

static void
file_ask(struct getting *g)
{
	struct train_get ask = { .path = *g->ask->path };

	if (g->part != NULL && part_got(g->part) > 0) {
		ask.flags = TRAIN_F_IF_SAME;
		ask.offset = part_got(g->part);
		ask.same_size = g->head.size;
		ask.same_mtime_ns = g->head.mtime_ns;
	}
	if (g->is_anew)
		ask.flags |= TRAIN_F_ANEW;
	g->is_receiving = false;
	g->asked = ask.offset;
	(void)train_get_put(conn_out(g->conn), &ask); /* out is empty */
}

static int
file_step(struct getting *g)
{
	struct arrival a;
	int r;

	r = conn_next(g->conn, &a);
	if (r == -EPROTO)
		return proto(g, conn_reason(g->conn));
	if (r != 0)
		return r;
	switch (a.frame.type) {
	case TRAIN_HEAD:
		return on_head(g, &a);
	case TRAIN_DATA:
		return on_data(g, &a);
	case TRAIN_END:
		return on_end(g, &a);
	case TRAIN_ERROR:
		return on_error(g, &a);
	default:
		return proto(g, "the answer for a file has no such frame");
	}
}

static int
on_head(struct getting *g, const struct arrival *a)
{
	struct train_head head;
	const char *reason;

	if (g->is_receiving)
		return proto(g, "an entry within a file");
	if (train_head_parse(&a->frame, a->bytes, &head, &reason) != TRAIN_OK)
		return proto(g, reason);
	if (head.kind != TRAIN_FILE || head.path.n != 1 ||
	    strcmp(path_leaf(&head.path), path_leaf(g->ask->path)) != 0)
		return proto(g, "an entry that was not asked for");
	if (head.offset != 0 && head.offset != g->asked)
		return proto(g, "an offset that was not asked for");
	if (g->part != NULL &&
	    !part_is_for(g->part, head.size, head.mtime_ns)) {
		if (head.offset != 0)
			return proto(g, "an offset in another version");
		part_drop(g->part); /* it has changed since */
		g->part = NULL;
	}
	g->head = head;
	return file_begin(g);
}

static int
on_data(struct getting *g, const struct arrival *a)
{
	int r;

	if (!g->is_receiving)
		return proto(g, "data of no file");
	r = part_write(g->part, a->bytes, a->len);
	if (r == -EMSGSIZE)
		return file_wrong(g, "More came than was announced");
	if (r != 0)
		return disk_failed(g, r);
	if (part_got(g->part) > g->most) {
		g->most = part_got(g->part);
		g->tries = 0;
	}
	atomic_fetch_add(&g->progress.bytes, a->len);
	file_await_end(g);
	return 0;
}

static int
on_end(struct getting *g, const struct arrival *a)
{
	const char *reason;
	struct part *part = g->part;
	int r;

	if (!g->is_receiving)
		return proto(g, "an end of no file");
	if (train_end_parse(&a->frame, a->bytes, &g->end, &reason) != TRAIN_OK)
		return proto(g, reason);
	if (part_got(part) != g->head.size)
		return file_wrong(g, "Less came than was announced");
	if ((g->end.flags & TRAIN_F_DIGEST) == 0) {
		part_drop(part);
		g->part = NULL;
		return failed(g, "The server gave no digest for it");
	}
	progress_draw(&g->progress);
	g->part = NULL;
	r = part_publish(part, &g->end, g->head.mode, PART_DURABLE);
	if (r == -EBADMSG) {
		g->is_anew = true;
		return file_wrong(
		    g, "Its digest is not the one that was announced");
	}
	if (r < 0)
		return disk_failed(g, r);
	g->is_lax = r > 0;
	g->is_done = true;
	return 0;
}

static int
on_error(struct getting *g, const struct arrival *a)
{
	struct train_error e;
	const char *reason;

	if (train_error_parse(&a->frame, a->bytes, &e, &reason) != TRAIN_OK)
		return proto(g, reason);
	refusal_text(g->why, &e);
	if (refusal_passes(&e))
		return -EBUSY;
	if (e.code == TRAIN_E_CHANGED || e.code == TRAIN_E_OFFSET)
		return file_wrong(g, g->why);
	return STEP_FAILED;
}

/* ---- the file ---- */

/* Its head has come: what is here decides how to go on. */
static int
file_begin(struct getting *g)
{
	uint64_t got;
	int r = 0;

	g->was_there = file_is_there(g);
	if (g->part == NULL)
		file_drop_parts(g);
	if (g->was_there) {
		part_drop(g->part);
		g->part = NULL;
		g->is_done = true;
		return 0;
	}
	if (g->part == NULL)
		r = part_open(&g->part, &g->place, g->name, g->head.size,
		    g->head.mtime_ns);
	if (r != 0)
		return disk_failed(g, r);
	got = part_got(g->part);
	if (got > 0 && g->asked == 0)
		return STEP_ASK; /* an earlier run left it: begin behind it */
	if (got != g->head.offset)
		r = part_restart(g->part);
	if (r == 0 &&
	    !target_has_room(g->place.fd, g->head.size - g->head.offset))
		r = -ENOSPC;
	if (r == 0)
		r = part_feed(g->part, g->ask->session->stop_fd);
	if (r == -EBADMSG)
		return file_wrong(g, "What an earlier run left changes");
	if (r != 0)
		return r == -EINTR ? r : disk_failed(g, r);
	g->is_receiving = true;
	/* below 0 when what came was dropped */
	atomic_store(&g->progress.kept,
	    part_got(g->part) - atomic_load(&g->progress.bytes));
	atomic_store(&g->progress.bytes_due, g->head.size);
	file_await_end(g);
	return 0;
}

static bool
file_is_there(struct getting *g)
{
	struct entry e = { .name = g->name,
		.size = g->head.size,
		.mtime_ns = g->head.mtime_ns,
		.mode = g->head.mode & 0777 };

	return target_compare(g->place.fd, &e) == TARGET_SAME;
}

/* Those that no run can go on with: of other versions, or of a file that is
 * there. */
static void
file_drop_parts(struct getting *g)
{
	char keep[PART_NAME_SIZE];
	struct parts parts;

	part_name(keep, g->name, g->head.size, g->head.mtime_ns);
	parts_init(&parts);
	parts_note(&parts, TREE_ROOT, g->place.fd, ".");
	parts_drop(&parts, TREE_ROOT, g->place.fd, g->name,
	    g->was_there ? NULL : keep);
	parts_free(&parts);
}

/* It is dropped and asked for from its first byte, once: it may have changed
 * while it was sent. */
static int
file_wrong(struct getting *g, const char *why)
{
	part_drop(g->part);
	g->part = NULL;
	g->most = 0;
	return ++g->wrong < TRIES ? STEP_ASK : failed(g, why);
}

static void
file_await_end(struct getting *g)
{
	if (part_got(g->part) != g->head.size)
		return;
	conn_await_digest(g->conn, g->head.size);
	if (g->hashed_by_ms == 0)
		g->hashed_by_ms = clock_ms() + conn_digest_ms(g->head.size);
}

/* All has come and only the digest is missing: a server that goes away and
 * comes back meanwhile goes on with it, though not a byte comes. */
static bool
may_be_hashing(const struct getting *g)
{
	return g->part != NULL && part_got(g->part) == g->head.size &&
	       clock_ms() < g->hashed_by_ms;
}

static int
failed(struct getting *g, const char *why)
{
	if (why != g->why)
		snprintf(g->why, sizeof(g->why), "%s", why);
	return STEP_FAILED;
}

static int
disk_failed(struct getting *g, int err)
{
	char why[TARGET_REFUSAL_SIZE];

	return failed(g, target_refusal(why, err));
}

/* By errno. */
static int
folder_failed(struct getting *g, const char *folder)
{
	const char *text = strerrordesc_np(errno);
	char shown[REFUSAL_SIZE / 2];

	text_escape(shown, sizeof(shown), folder, strlen(folder));
	snprintf(g->why, sizeof(g->why), "Cannot write in %s: %s", shown, text);
	return STEP_FAILED;
}

static int
proto(struct getting *g, const char *reason)
{
	snprintf(g->why, sizeof(g->why), "The server breaks the protocol: %s",
	    reason);
	return STEP_FAILED;
}
