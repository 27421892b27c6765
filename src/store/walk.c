#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "store/inner.h"
#include "store/open.h"
#include "store/page.h"

/*
 * The names that all levels of a walk hold at most, beside the level it is
 * in: over it the outermost folders forget theirs and are read again when
 * the walk comes back to them.
 */
#define WALK_NAMES_BYTES (1024 * 1024)

/* A folder the walk is in. */
struct level {
	char *names; /* one page of them, each with its NUL; or NULL */
	size_t pos; /* the next to take */
	size_t len;
	bool has_more; /* the folder has names after those */
};

enum walk_at {
	WALK_IN, /* rel is the folder of the last level */
	WALK_ENTRY, /* rel is the entry that was given out last */
	WALK_ENTER, /* the same, and a folder to go into */
	WALK_END
};

struct store_walk {
	const struct store *store;
	enum walk_at at;
	int error; /* why it ended */
	bool is_seeking; /* rel leads to from: what is met lies before it */
	bool has_more;
	unsigned depth;
	int dir_fd; /* of the last level, or -1: opened again when needed */
	unsigned n_levels;
	struct level levels[LIM_PATH_SEGS + 1];
	size_t names_len; /* of all levels */
	char last[LIM_SEG_BYTES + 1]; /* the name taken last in this level */
	struct store_skipped skipped;
	struct store_page *page; /* NULL after a rest */
	struct path full; /* rel below the store's root */
	struct path rel;
	struct path from;
	struct path until;
};

/* one entry */
static int walk_step(struct store_walk *, struct store_meta *, int *, int *);
static int walk_name(struct store_walk *);
static int walk_look(struct store_walk *, struct store_meta *, int *, int *);
static bool walk_seek(struct store_walk *);
static int walk_end(struct store_walk *, int);

/* in and out of folders */
static int walk_enter(struct store_walk *);
static int walk_cannot_enter(struct store_walk *, int);
static void walk_leave(struct store_walk *);
static int walk_reopen(struct store_walk *);
static int walk_broken(struct store_walk *, int);

/* the names of a level */
static int level_begin(struct store_walk *, bool);
static int level_fill(struct store_walk *, const struct page_ask *);
static int level_refill(struct store_walk *);
static void level_forget(struct store_walk *, struct level *);
static void levels_shed(struct store_walk *);
static size_t name_room(const struct store_walk *);

/* the path */
static bool path_down(struct store_walk *, const char *);
static void path_up(struct store_walk *);

int
store_walk_new(struct store_walk **out, const struct store *store,
    const struct path *root, const struct path *from, const struct path *until,
    unsigned depth)
{
	struct store_walk *w;
	struct store_meta meta;
	int r;

	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	w->dir_fd = -1;
	w->store = store;
	w->depth = depth;
	w->full = *root;
	path_init(&w->rel);
	w->from = *from;
	w->until = *until;
	r = store_open_dir(store, root, STORE_WAIT, &w->dir_fd, &meta);
	if (r != 0)
		goto out;
	w->is_seeking = from->n > 0;
	r = level_begin(w, w->is_seeking);
	if (r != 0)
		goto out;
	*out = w;
	w = NULL;
out:
	store_walk_free(w);
	return r;
}

void
store_walk_free(struct store_walk *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->n_levels; i++)
		free(w->levels[i].names);
	fd_close(&w->dir_fd);
	store_page_free(w->page);
	free(w);
}

/*
 * At an entry every level can be read on after a name that is known: the
 * entry's, and of the outer ones that of the folder the walk is in.
 */
void
store_walk_rest(struct store_walk *w)
{
	if (w->at != WALK_ENTRY && w->at != WALK_ENTER)
		return;
	for (unsigned i = 0; i < w->n_levels; i++)
		level_forget(w, &w->levels[i]);
	fd_close(&w->dir_fd);
	store_page_free(w->page);
	w->page = NULL;
}

const struct store_skipped *
store_walk_skipped(const struct store_walk *w)
{
	return &w->skipped;
}

bool
store_walk_has_more(const struct store_walk *w)
{
	return w->has_more;
}

int
store_walk_next(struct store_walk *w, const struct path **path,
    struct store_meta *meta, int *fd, int *open_error)
{
	int r;

	if (fd != NULL) {
		*fd = -1;
		*open_error = 0;
	}
	do {
		switch (w->at) {
		case WALK_IN:
			break;
		case WALK_ENTRY:
			path_up(w);
			w->at = WALK_IN;
			break;
		case WALK_ENTER:
			r = walk_enter(w);
			if (r != 0)
				return walk_end(w, r);
			break;
		case WALK_END:
			return w->error;
		}
		r = walk_step(w, meta, fd, open_error);
	} while (r == 0 && w->at != WALK_END);
	if (r < 0)
		return walk_end(w, r);
	if (r == 1)
		*path = &w->rel;
	return r;
}

/* Ends the walk for good, and lets go of its descriptor. */
static int
walk_end(struct store_walk *w, int error)
{
	fd_close(&w->dir_fd);
	w->at = WALK_END;
	w->error = error;
	return error;
}

/* In a folder: takes its next name.  1 when that is an entry, 0 when there
 * is more to be done, -errno. */
static int
walk_step(
    struct store_walk *w, struct store_meta *meta, int *fd, int *open_error)
{
	int r;

	r = walk_name(w);
	if (r < 0)
		return walk_broken(w, r);
	if (r == 0) {
		walk_leave(w);
		return 0;
	}
	if (!path_down(w, w->last)) {
		w->skipped.unreadable++;
		return 0;
	}
	w->at = WALK_ENTRY;
	if (w->is_seeking && walk_seek(w))
		return 0;
	if (w->until.n > 0 && path_cmp(&w->rel, &w->until) >= 0) {
		w->has_more = true;
		return walk_end(w, 0);
	}
	r = walk_look(w, meta, fd, open_error);
	if (r == 1 && meta->kind == STORE_DIR &&
	    (w->depth == 0 || w->rel.n < w->depth))
		w->at = WALK_ENTER;
	return r;
}

/* The next name of the last level into w->last, with its folder open: 1, 0
 * when there is none, -errno. */
static int
walk_name(struct store_walk *w)
{
	struct level *l = &w->levels[w->n_levels - 1];
	size_t len;
	int r;

	if (l->pos == l->len && l->has_more) {
		r = level_refill(w);
		if (r != 0)
			return r;
	}
	if (l->pos == l->len)
		return 0;
	r = walk_reopen(w);
	if (r != 0)
		return r;
	len = strlen(l->names + l->pos) + 1;
	memcpy(w->last, l->names + l->pos, len);
	l->pos += len;
	return 1;
}

/* Is the name just taken still before from?  Then either from is below it,
 * and the walk goes in there, or nothing is left of it to be sought. */
static bool
walk_seek(struct store_walk *w)
{
	unsigned i = w->rel.n - 1u;
	size_t len;
	const char *seg = path_segment(&w->from, i, &len);

	if (w->rel.n == w->from.n || strlen(w->last) != len ||
	    memcmp(w->last, seg, len) != 0) {
		w->is_seeking = false;
		return false;
	}
	if (w->depth == 0 || w->rel.n < w->depth)
		w->at = WALK_ENTER;
	else
		w->is_seeking = false;
	return true;
}

/* The entry that w->last names now: 1, 0 when there is none to give out, or
 * a lack of ours. */
static int
walk_look(
    struct store_walk *w, struct store_meta *meta, int *fd, int *open_error)
{
	int r;

	r = store_look(w->dir_fd, w->last, meta);
	if (r == -ENOENT)
		return 0;
	if (r != 0) {
		if (!open_is_lack(r))
			w->skipped.unreadable++;
		return open_is_lack(r) ? r : 0;
	}
	if (fd == NULL || meta->kind == STORE_DIR)
		return 1;
	r = open_regular(w->dir_fd, w->last, STORE_WAIT, fd, meta);
	if (r == -ENOENT)
		return 0;
	if (open_is_lack(r))
		return r;
	*open_error = r;
	return 1;
}

/*
 * Into the folder that rel names: from the store's root, so that a folder
 * which was moved out of the tree meanwhile leads nowhere.  0, or -errno that
 * ends the walk.
 */
static int
walk_enter(struct store_walk *w)
{
	int fd, r;

	fd = open_beneath(w->store->root_fd, path_string(&w->full),
	    OPEN_FLAGS_DIR, STORE_WAIT);
	if (fd < 0)
		return walk_cannot_enter(w, fd);
	fd_close(&w->dir_fd);
	w->dir_fd = fd_take(&fd);
	w->at = WALK_IN;
	r = level_begin(w, w->is_seeking);
	return r == 0 ? 0 : walk_broken(w, r);
}

static int
walk_cannot_enter(struct store_walk *w, int error)
{
	if (open_is_lack(error))
		return error;
	/* Sought in the middle, it was counted by who began with it. */
	if (error != -ENOENT && error != -ENOTDIR && !w->is_seeking)
		w->skipped.unreadable++;
	w->is_seeking = false;
	path_up(w);
	w->at = WALK_IN;
	return 0;
}

static void
walk_leave(struct store_walk *w)
{
	level_forget(w, &w->levels[--w->n_levels]);
	fd_close(&w->dir_fd);
	w->is_seeking = false;
	if (w->n_levels == 0) {
		w->at = WALK_END;
		return;
	}
	strcpy(w->last, path_leaf(&w->rel));
	path_up(w);
}

/* The folder of the last level, after the walk was in one below. */
static int
walk_reopen(struct store_walk *w)
{
	int fd;

	if (w->dir_fd != -1)
		return 0;
	fd = open_beneath(w->store->root_fd, path_string(&w->full),
	    OPEN_FLAGS_DIR, STORE_WAIT);
	if (fd < 0)
		return fd;
	w->dir_fd = fd;
	return 0;
}

/* The folder the walk is in cannot be read on: 0 when the walk can go on
 * behind it, -errno when it is the root or a lack of ours. */
static int
walk_broken(struct store_walk *w, int error)
{
	if (w->n_levels == 1 || open_is_lack(error))
		return error;
	if (error != -ENOENT && error != -ENOTDIR)
		w->skipped.unreadable++;
	walk_leave(w);
	return 0;
}

/* A new last level with the names of dir_fd: all of them, or in the middle
 * from from's next segment on. */
static int
level_begin(struct store_walk *w, bool in_the_middle)
{
	struct page_ask ask = { .after = "", .max_len = name_room(w) };
	char seg[LIM_SEG_BYTES + 1];
	const char *p;
	size_t len;

	w->levels[w->n_levels++] = (struct level){ 0 };
	if (in_the_middle) {
		p = path_segment(&w->from, w->rel.n, &len);
		memcpy(seg, p, len);
		seg[len] = '\0';
		ask.after = seg;
		ask.inclusive = true;
	} else {
		ask.skipped = &w->skipped;
	}
	return level_fill(w, &ask);
}

static int
level_fill(struct store_walk *w, const struct page_ask *ask)
{
	struct level *l = &w->levels[w->n_levels - 1];
	size_t len = 0, one;
	int n;

	if (w->page == NULL)
		w->page = store_page_new();
	if (w->page == NULL)
		return -ENOMEM;
	n = page_read(w->page, w->dir_fd, ask);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		len += strlen(store_page_name(w->page, i)) + 1;
	if (len > 0) {
		l->names = malloc(len);
		if (l->names == NULL)
			return -ENOMEM;
	}
	for (int i = 0; i < n; i++) {
		one = strlen(store_page_name(w->page, i)) + 1;
		memcpy(l->names + l->len, store_page_name(w->page, i), one);
		l->len += one;
	}
	w->names_len += len;
	l->has_more = store_page_has_more(w->page);
	page_forget(w->page);
	levels_shed(w);
	return 0;
}

/* The next page of the last level, after the name taken last. */
static int
level_refill(struct store_walk *w)
{
	struct page_ask ask = { .after = w->last, .max_len = name_room(w) };
	int r;

	r = walk_reopen(w);
	if (r != 0)
		return r;
	level_forget(w, &w->levels[w->n_levels - 1]);
	return level_fill(w, &ask);
}

static void
level_forget(struct store_walk *w, struct level *l)
{
	w->names_len -= l->len;
	free(l->names);
	*l = (struct level){ .has_more = l->has_more || l->pos < l->len };
}

static void
levels_shed(struct store_walk *w)
{
	for (unsigned i = 0;
	     i + 1 < w->n_levels && w->names_len > WALK_NAMES_BYTES; i++)
		level_forget(w, &w->levels[i]);
}

/* How long a name in this folder may be, so that its path is within limits;
 * 0: nothing in it has a path. */
static size_t
name_room(const struct store_walk *w)
{
	size_t used = w->full.len;

	if (w->full.n > 0)
		used++; /* the slash */
	if (w->full.n >= LIM_PATH_SEGS || used >= LIM_PATH_BYTES)
		return 0;
	return LIM_PATH_BYTES - used < LIM_SEG_BYTES ? LIM_PATH_BYTES - used
						     : LIM_SEG_BYTES;
}

static bool
path_down(struct store_walk *w, const char *name)
{
	size_t len = strlen(name);

	if (path_push(&w->full, name, len) != PATH_OK)
		return false;
	if (path_push(&w->rel, name, len) == PATH_OK)
		return true;
	path_pop(&w->full);
	return false;
}

static void
path_up(struct store_walk *w)
{
	path_pop(&w->full);
	path_pop(&w->rel);
}
