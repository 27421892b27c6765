#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tree.h"

/* Entries and names live in chunks that never move, so that pointers to them
 * stay good and nothing is copied as the tree grows. */
#define CHUNK_ENTRIES (1u << 15)
#define CHUNKS (LIM_TREE_ENTRIES / CHUNK_ENTRIES + 1)
#define NAMES_BYTES (256 * 1024)
#define BYTES_MAX (4ull << 30)

struct names {
	struct names *prev;
	size_t used;
	char bytes[NAMES_BYTES];
};

struct tree {
	uint64_t max_bytes;
	uint64_t bytes;
	uint32_t n;
	struct names *names; /* the one that is being filled */
	struct path last; /* the last entry's */
	unsigned depth; /* folders in chain */
	uint32_t chain[LIM_PATH_SEGS]; /* the last entry's own folders; itself
					  too when it is one */
	struct entry *chunk[CHUNKS];
};

static const char *order_fault(const struct tree *, const struct path *);
static int entry_take(struct tree *, struct entry **);
static const char *name_take(struct tree *, const char *, size_t);
static void chain_make(struct tree *);
static uint64_t sensible_bytes(void);

struct tree *
tree_new(uint64_t max_bytes)
{
	struct tree *t;

	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->max_bytes = max_bytes > 0 ? max_bytes : sensible_bytes();
	path_init(&t->last);
	return t;
}

void
tree_free(struct tree *t)
{
	struct names *names;
	size_t i;

	if (t == NULL)
		return;
	while ((names = t->names) != NULL) {
		t->names = names->prev;
		free(names);
	}
	for (i = 0; i < CHUNKS && t->chunk[i] != NULL; i++)
		free(t->chunk[i]);
	free(t);
}

uint32_t
tree_count(const struct tree *t)
{
	return t->n;
}

struct entry *
tree_entry(const struct tree *t, uint32_t i)
{
	return &t->chunk[i / CHUNK_ENTRIES][i % CHUNK_ENTRIES];
}

void
tree_path(const struct tree *t, uint32_t i, struct path *path)
{
	uint32_t at[LIM_PATH_SEGS];
	unsigned n = 0;
	const char *name;

	for (; i != TREE_ROOT; i = tree_entry(t, i)->parent)
		at[n++] = i;
	path_init(path);
	while (n > 0) {
		name = tree_entry(t, at[--n])->name;
		/* it was a path when it was listed */
		(void)path_push(path, name, strlen(name));
	}
}

int
tree_add(struct tree *t, const struct train_head *head, const char **reason)
{
	const char *leaf = path_leaf(&head->path), *name;
	unsigned above = head->path.n - 1u;
	struct entry *e;
	int r;

	*reason = order_fault(t, &head->path);
	if (*reason != NULL)
		return -EPROTO;
	r = entry_take(t, &e);
	if (r != 0)
		return r;
	name = name_take(t, leaf, strlen(leaf));
	if (name == NULL)
		return -E2BIG;
	*e = (struct entry){ .name = name,
		.size = head->size,
		.mtime_ns = head->mtime_ns,
		.parent = above > 0 ? t->chain[above - 1] : TREE_ROOT,
		.mode = head->mode & 0777,
		.kind = (uint8_t)head->kind,
		.state = ENTRY_LISTED };
	t->depth = above;
	if (head->kind == TRAIN_DIR)
		t->chain[t->depth++] = t->n;
	t->last = head->path;
	t->n++;
	return 0;
}

void
tree_forget_last(struct tree *t)
{
	t->n--;
	if (t->n > 0)
		tree_path(t, t->n - 1, &t->last);
	else
		path_init(&t->last);
	chain_make(t);
}

static const char *
order_fault(const struct tree *t, const struct path *path)
{
	const struct entry *folder;
	const char *seg;
	unsigned i;
	size_t len;

	if (path->n == 0)
		return "an entry without a name";
	if (t->n > 0 && path_cmp(&t->last, path) >= 0)
		return "entries out of order";
	if (path->n - 1u > t->depth)
		return "an entry below what is no folder";
	for (i = 0; i + 1u < path->n; i++) {
		folder = tree_entry(t, t->chain[i]);
		seg = path_segment(path, i, &len);
		if (strlen(folder->name) != len ||
		    memcmp(folder->name, seg, len) != 0)
			return "an entry below what is no folder";
	}
	return NULL;
}

static int
entry_take(struct tree *t, struct entry **e)
{
	struct entry **chunk = &t->chunk[t->n / CHUNK_ENTRIES];
	const size_t size = CHUNK_ENTRIES * sizeof(**chunk);

	if (t->n >= LIM_TREE_ENTRIES)
		return -E2BIG;
	if (*chunk == NULL) {
		if (t->max_bytes - t->bytes < size)
			return -E2BIG;
		*chunk = malloc(size);
		if (*chunk == NULL)
			return -E2BIG;
		t->bytes += size;
	}
	*e = tree_entry(t, t->n);
	return 0;
}

static const char *
name_take(struct tree *t, const char *leaf, size_t len)
{
	struct names *names = t->names;
	char *name;

	if (names == NULL || NAMES_BYTES - names->used <= len) {
		if (t->max_bytes - t->bytes < sizeof(*names))
			return NULL;
		names = malloc(sizeof(*names));
		if (names == NULL)
			return NULL;
		t->bytes += sizeof(*names);
		names->prev = t->names;
		names->used = 0;
		t->names = names;
	}
	name = names->bytes + names->used;
	memcpy(name, leaf, len);
	name[len] = '\0';
	names->used += len + 1;
	return name;
}

/* From the last entry upwards. */
static void
chain_make(struct tree *t)
{
	uint32_t i = t->n > 0 ? t->n - 1 : TREE_ROOT;

	t->depth = t->last.n;
	if (i != TREE_ROOT && tree_entry(t, i)->kind != TRAIN_DIR) {
		t->depth--;
		i = tree_entry(t, i)->parent;
	}
	for (unsigned d = t->depth; d > 0; d--) {
		t->chain[d - 1] = i;
		i = tree_entry(t, i)->parent;
	}
}

static uint64_t
sensible_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t half;

	if (pages <= 0 || size <= 0)
		return BYTES_MAX;
	half = (uint64_t)pages / 2 * (uint64_t)size;
	return half < BYTES_MAX ? half : BYTES_MAX;
}
