#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/list.h"
#include "store/held.h"
#include "store/inner.h"
#include "store/open.h"

/* A folder on the way to a name. */
struct folder {
	struct link link;
	struct folder *parent; /* NULL: it lies in the root */
	unsigned n_users; /* names and folders in it */
	int fd; /* O_PATH */
	uint64_t seen_at; /* the moment it was last found in its place */
	uint64_t ino;
	uint64_t dev;
	size_t len;
	char name[];
};

struct held_table {
	const struct store *store;
	uint64_t root_dev;
	unsigned n_folders;
	unsigned max_folders;
	struct link folders;
};

static int folder_of(
    struct held_table *, const struct path *, unsigned depth, struct folder **);
static struct folder *folder_find(
    struct held_table *, struct folder *parent, const char *name, size_t len);
static int folder_new(struct held_table *, struct folder *parent,
    const char *name, size_t len, struct folder **);
static void folder_release(struct held_table *, struct folder *);
static bool folder_is_there(struct folder *, int root_fd, uint64_t moment);
static bool folder_is_it(const struct folder *, int root_fd);
static int fd_of(const struct folder *, int root_fd);

struct held_table *
held_table_new(const struct store *s)
{
	struct held_table *t = calloc(1, sizeof(*t));
	struct store_meta root;

	if (t == NULL)
		return NULL;
	t->store = s;
	link_init(&t->folders);
	if (store_fd_meta(s->root_fd, &root) == 0)
		t->root_dev = root.dev;
	return t;
}

void
held_table_limit(struct held_table *t, unsigned max_folders)
{
	t->max_folders = max_folders;
}

unsigned
held_table_folders(const struct held_table *t)
{
	return t->n_folders;
}

void
held_table_free(struct held_table *t)
{
	free(t);
}

int
held_init(struct held *h, struct held_table *t, const struct path *path,
    const char *leaf, const struct store_meta *meta)
{
	struct store_meta now;
	int r;

	if (store_may_stall(t->store) || path->n == 0 ||
	    meta->dev != t->root_dev)
		return -EAGAIN;
	r = folder_of(t, path, path->n - 1u, &h->folder);
	if (r != 0)
		return r;
	h->root_fd = t->store->root_fd;
	h->leaf = leaf;
	if (held_look(h, HELD_NOW, &now) != 0 || !store_meta_same(&now, meta)) {
		held_end(h, t);
		return -EAGAIN;
	}
	return 0;
}

void
held_end(struct held *h, struct held_table *t)
{
	folder_release(t, h->folder);
	h->folder = NULL;
}

int
held_look(const struct held *h, uint64_t moment, struct store_meta *meta)
{
	enum open_type type;

	if (!folder_is_there(h->folder, h->root_fd, moment) ||
	    open_look_leaf(
		fd_of(h->folder, h->root_fd), h->leaf, meta, &type) != 0)
		return -ENOENT;
	return open_check_served(type);
}

/* The folder of the first depth segments, with a user more; NULL for none. */
static int
folder_of(struct held_table *t, const struct path *path, unsigned depth,
    struct folder **out)
{
	struct folder *at = NULL, *next;
	const char *name;
	size_t len;
	int r;

	for (unsigned i = 0; i < depth; i++) {
		name = path_segment(path, i, &len);
		next = folder_find(t, at, name, len);
		r = 0;
		if (next != NULL)
			next->n_users++;
		else
			r = folder_new(t, at, name, len, &next);
		/* the new one, or the one found, is a user of it already */
		if (at != NULL)
			folder_release(t, at);
		if (r != 0)
			return r;
		at = next;
	}
	*out = at;
	return 0;
}

static struct folder *
folder_find(
    struct held_table *t, struct folder *parent, const char *name, size_t len)
{
	struct link *l;
	struct folder *f;

	for (l = t->folders.next; l != &t->folders; l = l->next) {
		f = link_entry(l, struct folder, link);
		if (f->parent == parent && f->len == len &&
		    memcmp(f->name, name, len) == 0 &&
		    folder_is_it(f, t->store->root_fd))
			return f;
	}
	return NULL;
}

static int
folder_new(struct held_table *t, struct folder *parent, const char *name,
    size_t len, struct folder **out)
{
	struct store_meta meta;
	enum open_type type;
	struct folder *f;
	int r;

	if (t->n_folders >= t->max_folders)
		return -ENOSPC;
	f = calloc(1, sizeof(*f) + len + 1);
	if (f == NULL)
		return -ENOMEM;
	memcpy(f->name, name, len);
	f->len = len;
	f->fd = open_beneath(fd_of(parent, t->store->root_fd), f->name,
	    OPEN_FLAGS_LOOK | O_DIRECTORY, STORE_NOWAIT);
	r = f->fd < 0 ? -EAGAIN : open_meta(f->fd, &meta, &type);
	if (r != 0 || meta.dev != t->root_dev) {
		if (f->fd >= 0)
			fd_close(&f->fd);
		free(f);
		return -EAGAIN;
	}
	f->ino = meta.ino;
	f->dev = meta.dev;
	f->parent = parent;
	if (parent != NULL)
		parent->n_users++;
	f->n_users = 1;
	link_init(&f->link);
	link_add_last(&t->folders, &f->link);
	t->n_folders++;
	*out = f;
	return 0;
}

static void
folder_release(struct held_table *t, struct folder *f)
{
	struct folder *parent;

	while (f != NULL && --f->n_users == 0) {
		parent = f->parent;
		link_remove(&f->link);
		t->n_folders--;
		fd_close(&f->fd);
		free(f);
		f = parent;
	}
}

/* Is each folder on the way still what its name names? */
static bool
folder_is_there(struct folder *f, int root_fd, uint64_t moment)
{
	for (; f != NULL; f = f->parent) {
		if (moment != HELD_NOW && f->seen_at == moment)
			continue;
		if (!folder_is_it(f, root_fd))
			return false;
		f->seen_at = moment;
	}
	return true;
}

/* Is it still what its own name names in its parent? */
static bool
folder_is_it(const struct folder *f, int root_fd)
{
	struct store_meta now;
	enum open_type type;

	return open_look_leaf(
		   fd_of(f->parent, root_fd), f->name, &now, &type) == 0 &&
	       type == OPEN_DIR && now.ino == f->ino && now.dev == f->dev;
}

static int
fd_of(const struct folder *f, int root_fd)
{
	return f == NULL ? root_fd : f->fd;
}
