#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "server/hot.h"
#include "server/http_head.h"

#define BUCKETS 16384 /* a power of two */
#define FILES_MAX 65536
#define FOLDERS_MAX 1024

/* A file's bytes are kept when it was asked for so often ... */
#define BODY_ASKED 2
/* ... and is older than that: a program that has it mapped can change a page
 * again and again without moving any time, for as long as the kernel takes to
 * write the page back, some 35 s. */
#define SETTLED_NS (INT64_C(60) * 1000 * 1000 * 1000)

/* A name that nobody looked at for so long may have left the kernel's memory:
 * it is opened anew, which does not wait for a disk. */
#define PROVED_MS 30000

/* One that was asked for so lately is not dropped for another. */
#define BUSY_MS 10000

/* The order of who was asked for last is not kept nearer than this. */
#define MOVE_MS 1000

/* So many make room for one new folder at most, or the file is not kept. */
#define DROP_AT_ONCE 8

struct hot {
	struct hot_options opt;
	struct held_table *names;
	unsigned max_fds; /* of files; beside those of folders */
	unsigned n_files;
	unsigned n_fds;
	uint64_t n_bytes;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct link lru; /* the latest used first */
	struct hot_file *bucket[BUCKETS];
};

/* ---- finding ---- */
static uint32_t hash_of(const struct hot *, const struct path *);
static struct hot_file *find(struct hot *, const struct path *, uint32_t hash);
static bool is_fresh(const struct hot *, struct hot_file *, uint64_t now_ms);
static int file_open(
    struct hot *, const struct path *, uint64_t now_ms, struct hot_file **);
/* ---- making ---- */
static int file_new(const struct path *, const struct store_meta *,
    uint32_t hash, struct hot_file **);
static void list_file(struct hot *, struct hot_file *, const struct path *);
static void keep_body(struct hot *, struct hot_file *);
static bool is_settled(const struct store_meta *);
/* ---- dropping ---- */
static bool
make_room(struct hot *, unsigned fds, uint64_t bytes, uint64_t now_ms);
static bool drop_last(struct hot *, uint64_t now_ms);
static void drop_fds(struct hot *, unsigned max);
static void unlist_file(struct hot *, struct hot_file *);
static void file_free(struct hot_file *);

struct hot *
hot_new(const struct hot_options *opt)
{
	struct hot *h;

	if (sodium_init() < 0)
		return NULL;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->opt = *opt;
	link_init(&h->lru);
	crypto_shorthash_keygen(h->key);
	h->names = held_table_new(opt->store);
	if (h->names == NULL) {
		free(h);
		return NULL;
	}
	return h;
}

void
hot_free(struct hot *h)
{
	if (h == NULL)
		return;
	while (link_is_linked(&h->lru))
		unlist_file(h, link_entry(h->lru.next, struct hot_file, lru));
	held_table_free(h->names);
	free(h);
}

void
hot_limit_fds(struct hot *h, unsigned max)
{
	unsigned folders;

	if (max > LIM_HOT_FDS)
		max = LIM_HOT_FDS;
	folders = max / 4 < FOLDERS_MAX ? max / 4 : FOLDERS_MAX;
	held_table_limit(h->names, folders);
	h->max_fds = max - folders;
	if (hot_fds(h) > max)
		drop_fds(h, max);
}

unsigned
hot_fds(const struct hot *h)
{
	return h->n_fds + held_table_folders(h->names);
}

int
hot_get(struct hot *h, const struct path *path, uint64_t now_ms,
    struct hot_file **out)
{
	struct hot_file *f = NULL;

	if (!path->wants_dir)
		f = find(h, path, hash_of(h, path));
	if (f != NULL && !is_fresh(h, f, now_ms)) {
		unlist_file(h, f);
		f = NULL;
	}
	board_add(f == NULL ? h->opt.n_misses : h->opt.n_hits, 1);
	if (f == NULL)
		return file_open(h, path, now_ms, out);
	f->n_users++;
	if (now_ms - f->moved_ms >= MOVE_MS) {
		f->moved_ms = now_ms;
		link_remove(&f->lru);
		link_add_last(h->lru.next, &f->lru);
	}
	if (f->whole == NULL && f->n_asked < BODY_ASKED &&
	    ++f->n_asked == BODY_ASKED)
		keep_body(h, f);
	*out = f;
	return 0;
}

int
hot_admit(struct hot *h, const struct path *path, int fd,
    const struct store_meta *meta, uint64_t now_ms, struct hot_file **out)
{
	uint32_t hash = hash_of(h, path);
	struct hot_file *f = find(h, path, hash);
	int r;

	if (f != NULL)
		unlist_file(h, f);
	r = file_new(path, meta, hash, &f);
	if (r != 0) {
		fd_close(&fd);
		return r;
	}
	f->fd = fd;
	f->proved_ms = now_ms;
	list_file(h, f, path);
	f->n_users++;
	*out = f;
	return 0;
}

void
hot_release(struct hot *h, struct hot_file *f)
{
	(void)h;
	if (f != NULL && --f->n_users == 0 && !f->is_listed)
		file_free(f);
}

bool
hot_window_is_known(const struct hot_file *f, uint64_t number, uint64_t now_ms)
{
	const struct hot_window *w = &f->first;

	if (number > 0 && f->windows == NULL)
		return false;
	if (number > 0)
		w = &f->windows[number % HOT_WINDOWS];
	return w->number == (uint32_t)number && w->seen_s != 0 &&
	       (uint32_t)(now_ms / 1000) + 1 - w->seen_s <= WINDOW_MS / 1000;
}

void
hot_window_seen(struct hot_file *f, uint64_t number, uint64_t now_ms)
{
	struct hot_window *w = &f->first;

	if (number > 0 && f->windows == NULL)
		f->windows = calloc(HOT_WINDOWS, sizeof(*f->windows));
	if (number > 0 && f->windows == NULL)
		return;
	if (number > 0)
		w = &f->windows[number % HOT_WINDOWS];
	*w = (struct hot_window){ .number = (uint32_t)number,
		.seen_s = (uint32_t)(now_ms / 1000) + 1 };
}

static uint32_t
hash_of(const struct hot *h, const struct path *path)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint32_t hash;

	crypto_shorthash(
	    out, (const unsigned char *)path_string(path), path->len, h->key);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

static struct hot_file *
find(struct hot *h, const struct path *path, uint32_t hash)
{
	struct hot_file *f;

	for (f = h->bucket[hash % BUCKETS]; f != NULL; f = f->next)
		if (f->hash == hash && f->name_len == path->len &&
		    memcmp(f->name, path_string(path), path->len) == 0)
			return f;
	return NULL;
}

static bool
is_fresh(const struct hot *h, struct hot_file *f, uint64_t now_ms)
{
	uint64_t moment = *h->opt.moment;
	struct store_meta now;

	if (f->proved_at == moment)
		return true;
	if (now_ms - f->proved_ms > PROVED_MS ||
	    held_look(&f->held, moment, &now) != 0 ||
	    !store_meta_same(&now, &f->meta) ||
	    now.ctime_ns != f->meta.ctime_ns)
		return false;
	f->proved_ms = now_ms;
	f->proved_at = moment;
	return true;
}

static int
file_open(struct hot *h, const struct path *path, uint64_t now_ms,
    struct hot_file **out)
{
	struct store_meta meta;
	int fd, r;

	r = store_open_file(h->opt.store, path, STORE_NOWAIT, &fd, &meta);
	return r != 0 ? r : hot_admit(h, path, fd, &meta, now_ms, out);
}

static int
file_new(const struct path *path, const struct store_meta *meta, uint32_t hash,
    struct hot_file **out)
{
	char head[HTTP_FILE_HEAD_MAX], etag[ETAG_MAX];
	struct hot_file *f;
	size_t etag_len, len;

	etag_len = etag_format(etag, meta->ino, meta->size, meta->mtime_ns);
	len = http_file_head(
	    head, path, meta, (struct str){ .p = etag, .len = etag_len });
	assert(len > 0);
	/* name, NUL, head */
	f = malloc(sizeof(*f) + path->len + 1u + len);
	if (f == NULL)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->meta = *meta;
	f->hash = hash;
	f->n_asked = 1;
	link_init(&f->lru);
	f->name_len = path->len;
	memcpy(f->name, path_string(path), path->len + 1u);
	memcpy(f->etag, etag, etag_len);
	f->etag_len = (uint8_t)etag_len;
	f->head_len = (uint16_t)len;
	memcpy(f->name + path->len + 1, head, len);
	f->head = f->name + path->len + 1;
	*out = f;
	return 0;
}

/* A file that finds no place is sent all the same, just not kept. */
static void
list_file(struct hot *h, struct hot_file *f, const struct path *path)
{
	const char *leaf = f->name + (path_leaf(path) - path_string(path));
	int r;

	if (!make_room(h, 1, 0, f->proved_ms))
		return;
	r = held_init(&f->held, h->names, path, leaf, &f->meta);
	for (int i = 0;
	     r == -ENOSPC && i < DROP_AT_ONCE && drop_last(h, f->proved_ms);
	     i++)
		r = held_init(&f->held, h->names, path, leaf, &f->meta);
	if (r != 0)
		return;
	f->next = h->bucket[f->hash % BUCKETS];
	h->bucket[f->hash % BUCKETS] = f;
	link_add_last(h->lru.next, &f->lru);
	f->is_listed = true;
	h->n_files++;
	h->n_fds++;
}

/* f is in use by who asked.  The look after the read proves that the bytes are
 * of this version. */
static void
keep_body(struct hot *h, struct hot_file *f)
{
	uint64_t size = f->meta.size;
	struct store_meta now;
	unsigned char *whole;
	struct iovec iov;

	if (size > HOT_BODY_MAX || !is_settled(&f->meta) ||
	    !make_room(h, 0, size + f->head_len, f->proved_ms) || !f->is_listed)
		return;
	whole = malloc(f->head_len + size);
	if (whole == NULL)
		return;
	memcpy(whole, f->head, f->head_len);
	iov.iov_base = whole + f->head_len;
	iov.iov_len = size;
	if ((size > 0 &&
		preadv2(f->fd, &iov, 1, 0, RWF_NOWAIT) != (ssize_t)size) ||
	    held_look(&f->held, HELD_NOW, &now) != 0 ||
	    !store_meta_same(&now, &f->meta) ||
	    now.ctime_ns != f->meta.ctime_ns) {
		free(whole);
		return;
	}
	f->whole = whole;
	h->n_bytes += f->head_len + size;
	/* others took it before it had bytes, and may need the descriptor */
	if (f->n_users == 1) {
		fd_close(&f->fd);
		h->n_fds--;
	}
}

static bool
is_settled(const struct store_meta *m)
{
	int64_t before = clock_wall_ns() - SETTLED_NS;

	return m->mtime_ns < before && m->ctime_ns < before;
}

/*
 * Drops what nobody has asked for lately.  False when even then there is no
 * room: to drop what is asked for all the time, and read it again a moment
 * later, would cost more than not to keep it.
 */
static bool
make_room(struct hot *h, unsigned fds, uint64_t bytes, uint64_t now_ms)
{
	if (fds > h->max_fds || bytes > h->opt.max_bytes)
		return false;
	while (h->n_files >= FILES_MAX || h->n_fds > h->max_fds - fds ||
	       h->n_bytes > h->opt.max_bytes - bytes) {
		if (!drop_last(h, now_ms))
			return false;
	}
	return true;
}

static bool
drop_last(struct hot *h, uint64_t now_ms)
{
	struct hot_file *last;

	if (!link_is_linked(&h->lru))
		return false;
	last = link_entry(h->lru.prev, struct hot_file, lru);
	if (now_ms - last->proved_ms < BUSY_MS)
		return false;
	unlist_file(h, last);
	return true;
}

/* The files that need a descriptor go first, and with the last files of them
 * the folders. */
static void
drop_fds(struct hot *h, unsigned max)
{
	struct link *l, *prev;
	struct hot_file *f;

	for (l = h->lru.prev; l != &h->lru && hot_fds(h) > max; l = prev) {
		prev = l->prev;
		f = link_entry(l, struct hot_file, lru);
		if (f->fd != -1)
			unlist_file(h, f);
	}
	while (link_is_linked(&h->lru) && hot_fds(h) > max)
		unlist_file(h, link_entry(h->lru.prev, struct hot_file, lru));
}

static void
unlist_file(struct hot *h, struct hot_file *f)
{
	struct hot_file **at = &h->bucket[f->hash % BUCKETS];

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	link_remove(&f->lru);
	held_end(&f->held, h->names);
	f->is_listed = false;
	h->n_files--;
	if (f->fd != -1)
		h->n_fds--;
	if (f->whole != NULL)
		h->n_bytes -= f->head_len + f->meta.size;
	if (f->n_users == 0)
		file_free(f);
}

static void
file_free(struct hot_file *f)
{
	assert(!f->is_listed && f->n_users == 0);
	fd_close(&f->fd);
	free((void *)(uintptr_t)f->whole);
	free(f->windows);
	free(f);
}
