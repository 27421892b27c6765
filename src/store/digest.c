#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "store/hash.h"
#include "store/inner.h"

/*
 * The attribute's value: 56 little-endian bytes.  With this name just that
 * many fit into an ext4 inode of 256 bytes; one more would cost every file a
 * block of its own.
 *
 *	u64 size in the low 56 bits, DIGEST_VERSION in the high 8
 *	i64 mtime, ns
 *	i64 when the attribute was set, ns of the wall clock
 *	u8[32] SHA-256
 *
 * To set it moves the file's ctime to that moment.  Whatever is done to the
 * file later, be it with its mtime put back, moves ctime on and can not put it
 * back; and a copy has a ctime of its own.  So a value counts only as long as
 * ctime is still where setting it has put it.
 */
#define DIGEST_ATTR "user.netpan.sha256"
#define DIGEST_ATTR_BYTES 56
#define DIGEST_VERSION 2
#define DIGEST_SIZE_MAX ((UINT64_C(1) << 56) - 1)

/*
 * While a large file's digest is computed: the same first 24 bytes, then u64
 * how many bytes were read and u32[8] SHA-256's state after them.  One core
 * makes some twenty-five marks a second.
 */
#define MARK_ATTR "user.netpan.sha256.part"
#define MARK_ATTR_BYTES (24 + 8 + 32)
#define MARK_EVERY_BYTES (UINT64_C(64) * 1024 * 1024)

#define DIGEST_READ_BYTES (1024 * 1024)

/* How far ctime may be from the moment noted: a file system's clock may be a
 * tick behind, and setting an attribute may wait for a journal. */
#define DIGEST_EARLY_NS (INT64_C(20) * 1000 * 1000)
#define DIGEST_LATE_NS (INT64_C(1000) * 1000 * 1000)

/* A store through a mapping into a page that is dirty already moves neither
 * mtime nor ctime until that page has been written back, by default after some
 * 35 s.  And a change within the resolution of a file system's clock may leave
 * mtime as it was; FAT's, 2 s, is the coarsest. */
#define DIGEST_SETTLED_S 60

/* The table in memory: sets of this many neighbours. */
#define DIGEST_WAYS 4
#define DIGEST_SETS (DIGEST_TABLE_SIZE / DIGEST_WAYS)

struct digest_row {
	bool is_used;
	struct store_meta meta;
	uint8_t sha256[STORE_SHA256_SIZE];
};

struct digest_set {
	unsigned next; /* the row a new digest goes into */
	struct digest_row row[DIGEST_WAYS];
};

struct digest_table {
	pthread_mutex_t lock;
	struct digest_set set[DIGEST_SETS];
};

/* A digest being computed. */
struct digest_work {
	struct hash hash;
	int fd;
	uint64_t off;
	const struct store_meta *meta;
	const _Atomic bool *stop;
	int64_t ctime_ns; /* as it was, or as our own marks have made it */
	bool is_kept; /* what is computed may be told to others */
	bool is_marked;
};

/* computing */
static int digest_read(struct digest_work *);
static void mark_put_down(struct digest_work *);
static void mark_take_up(struct digest_work *, const struct store_meta *);
static int
digest_unchanged(int, const struct store_meta *, struct store_meta *);
static bool is_settled(int64_t, int64_t);
static void digest_keep(
    struct store *, const struct digest_work *, int64_t, const uint8_t *);

/* the attribute */
static bool attr_get(int, const struct store_meta *, uint8_t *);
static int attr_put(int, const struct store_meta *, const uint8_t *);
static void attr_put_identity(struct buf *, const struct store_meta *);
static bool attr_is_of(struct reader *, const struct store_meta *);
static bool is_set_at(int64_t, int64_t);

/* the table */
static struct digest_set *
table_set(struct digest_table *, const struct store_meta *);
static struct digest_row *
set_row(struct digest_set *, const struct store_meta *);

int
store_digest_cached(struct store *s, int fd, const struct store_meta *meta,
    uint8_t out[STORE_SHA256_SIZE])
{
	if (meta->kind != STORE_FILE)
		return -ENODATA;
	if (attr_get(fd, meta, out) || digest_table_get(s->digests, meta, out))
		return 0;
	return -ENODATA;
}

int
store_digest_compute(struct store *s, int fd, const struct store_meta *meta,
    const _Atomic bool *stop, uint8_t out[STORE_SHA256_SIZE])
{
	int64_t began_s = clock_wall_s();
	struct digest_work work = {
		.fd = fd,
		.meta = meta,
		.stop = stop,
		.ctime_ns = meta->ctime_ns,
		.is_kept = is_settled(meta->mtime_ns, began_s),
	};
	struct store_meta now;
	int r;

	if (meta->kind != STORE_FILE)
		return -EISDIR;
	if (meta->size > DIGEST_SIZE_MAX)
		return -EOVERFLOW;
	r = digest_unchanged(fd, meta, &now);
	if (r != 0)
		return r;
	hash_begin(&work.hash);
	mark_take_up(&work, &now);
	r = digest_read(&work);
	if (r != 0)
		return r;
	r = digest_unchanged(fd, meta, &now);
	if (r != 0)
		return r;
	hash_end(&work.hash, out);
	/* A ctime that moved may be a chmod, or a change whose author put
	 * mtime back: told to this caller, but not to those after him. */
	if (work.is_kept && now.ctime_ns == work.ctime_ns)
		digest_keep(s, &work, began_s, out);
	return 0;
}

static int
digest_read(struct digest_work *w)
{
	uint64_t size = w->meta->size;
	unsigned char *mem;
	size_t want;
	ssize_t n;
	int r = 0;

	mem = malloc(DIGEST_READ_BYTES);
	if (mem == NULL)
		return -ENOMEM;
	for (; w->off < size && r == 0; w->off += want) {
		if (w->stop != NULL && atomic_load(w->stop)) {
			r = -ECANCELED;
			break;
		}
		want = size - w->off < DIGEST_READ_BYTES
			   ? (size_t)(size - w->off)
			   : DIGEST_READ_BYTES;
		n = fd_pread_full(w->fd, mem, want, (off_t)w->off);
		if (n < 0)
			r = (int)n;
		else if ((size_t)n < want)
			r = -ESTALE;
		else
			hash_update(&w->hash, mem, want);
		if (r == 0 && (w->off + want) % MARK_EVERY_BYTES == 0)
			mark_put_down(w);
	}
	free(mem);
	return r;
}

/*
 * The state so far, in an attribute beside the digest's: the next who needs
 * the digest goes on from it, should this process die.  Setting it moves
 * ctime, which is looked at before, so that no change hides behind it.
 */
static void
mark_put_down(struct digest_work *w)
{
	unsigned char value[MARK_ATTR_BYTES];
	struct store_meta now;
	struct hash_mark mark;
	struct buf b;

	if (!w->is_kept || digest_unchanged(w->fd, w->meta, &now) != 0 ||
	    now.ctime_ns != w->ctime_ns) {
		w->is_kept = false;
		return;
	}
	hash_put_down(&w->hash, &mark);
	buf_init(&b, value, sizeof(value));
	attr_put_identity(&b, w->meta);
	buf_put_u64(&b, mark.len);
	for (int i = 0; i < 8; i++)
		buf_put_u32(&b, mark.h[i]);
	if (fsetxattr(w->fd, MARK_ATTR, value, buf_len(&b), 0) == -1)
		return;
	w->is_marked = true;
	if (store_fd_meta(w->fd, &now) == 0)
		w->ctime_ns = now.ctime_ns;
}

static void
mark_take_up(struct digest_work *w, const struct store_meta *now)
{
	unsigned char value[MARK_ATTR_BYTES];
	struct hash_mark mark;
	struct reader r;

	if (w->meta->size < MARK_EVERY_BYTES ||
	    fgetxattr(w->fd, MARK_ATTR, value, sizeof(value)) != sizeof(value))
		return;
	reader_init(&r, value, sizeof(value));
	if (!attr_is_of(&r, now))
		return;
	mark.len = reader_u64(&r);
	for (int i = 0; i < 8; i++)
		mark.h[i] = reader_u32(&r);
	if (!reader_done(&r) || mark.len > w->meta->size ||
	    mark.len % MARK_EVERY_BYTES != 0)
		return;
	hash_take_up(&w->hash, &mark);
	w->off = mark.len;
	w->is_marked = true;
}

static int
digest_unchanged(int fd, const struct store_meta *meta, struct store_meta *now)
{
	int r = store_fd_meta(fd, now);

	if (r == 0 && !store_meta_same(now, meta))
		r = -ESTALE;
	return r;
}

static bool
is_settled(int64_t time_ns, int64_t now_s)
{
	return time_ns / INT64_C(1000000000) < now_s - DIGEST_SETTLED_S;
}

/*
 * Only for the one that has not been overtaken: to remove a mark moves ctime,
 * which would spoil what another has set since.
 */
static void
digest_keep(struct store *s, const struct digest_work *w, int64_t began_s,
    const uint8_t *sha256)
{
	struct store_meta now = *w->meta;
	uint8_t found[STORE_SHA256_SIZE];
	bool is_set;

	if (w->is_marked)
		fremovexattr(w->fd, MARK_ATTR);
	is_set = attr_put(w->fd, w->meta, sha256) == 0;
	if ((is_set || w->is_marked) &&
	    digest_unchanged(w->fd, w->meta, &now) != 0)
		return;
	/* Not so where a network file system goes by another clock. */
	if (is_set && attr_get(w->fd, &now, found))
		return;
	if (is_settled(w->meta->ctime_ns, began_s))
		digest_table_put(s->digests, &now, sha256);
}

static bool
attr_get(int fd, const struct store_meta *meta, uint8_t *out)
{
	unsigned char value[DIGEST_ATTR_BYTES];
	const unsigned char *sha256;
	struct reader r;

	if (fgetxattr(fd, DIGEST_ATTR, value, sizeof(value)) != sizeof(value))
		return false;
	reader_init(&r, value, sizeof(value));
	if (!attr_is_of(&r, meta))
		return false;
	sha256 = reader_bytes(&r, STORE_SHA256_SIZE);
	if (!reader_done(&r))
		return false;
	memcpy(out, sha256, STORE_SHA256_SIZE);
	return true;
}

static int
attr_put(int fd, const struct store_meta *meta, const uint8_t *sha256)
{
	unsigned char value[DIGEST_ATTR_BYTES];
	struct buf b;

	buf_init(&b, value, sizeof(value));
	attr_put_identity(&b, meta);
	buf_put(&b, sha256, STORE_SHA256_SIZE);
	if (fsetxattr(fd, DIGEST_ATTR, value, buf_len(&b), 0) == -1)
		return -errno;
	return 0;
}

/* How both attributes begin: of which bytes they speak, to be set at once. */
static void
attr_put_identity(struct buf *b, const struct store_meta *meta)
{
	buf_put_u64(b, meta->size | (uint64_t)DIGEST_VERSION << 56);
	buf_put_u64(b, (uint64_t)meta->mtime_ns);
	buf_put_u64(b, (uint64_t)clock_wall_ns());
}

static bool
attr_is_of(struct reader *r, const struct store_meta *meta)
{
	bool is_same = meta->size <= DIGEST_SIZE_MAX;

	is_same &= reader_u64(r) ==
		   (meta->size | (uint64_t)DIGEST_VERSION << 56);
	is_same &= reader_u64(r) == (uint64_t)meta->mtime_ns;
	is_same &= is_set_at(meta->ctime_ns, (int64_t)reader_u64(r));
	return is_same;
}

static bool
is_set_at(int64_t ctime_ns, int64_t set_ns)
{
	int64_t late_ns;

	return !__builtin_sub_overflow(ctime_ns, set_ns, &late_ns) &&
	       late_ns >= -DIGEST_EARLY_NS && late_ns <= DIGEST_LATE_NS;
}

struct digest_table *
digest_table_new(void)
{
	struct digest_table *t = calloc(1, sizeof(*t));

	if (t != NULL && pthread_mutex_init(&t->lock, NULL) != 0) {
		free(t);
		t = NULL;
	}
	return t;
}

void
digest_table_free(struct digest_table *t)
{
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}

bool
digest_table_get(struct digest_table *t, const struct store_meta *meta,
    uint8_t out[STORE_SHA256_SIZE])
{
	struct digest_row *row;
	bool is_there;

	pthread_mutex_lock(&t->lock);
	row = set_row(table_set(t, meta), meta);
	is_there = row != NULL && store_meta_same(&row->meta, meta) &&
		   row->meta.ctime_ns == meta->ctime_ns;
	if (is_there)
		memcpy(out, row->sha256, STORE_SHA256_SIZE);
	pthread_mutex_unlock(&t->lock);
	return is_there;
}

void
digest_table_put(struct digest_table *t, const struct store_meta *meta,
    const uint8_t sha256[STORE_SHA256_SIZE])
{
	struct digest_set *set;
	struct digest_row *row;

	pthread_mutex_lock(&t->lock);
	set = table_set(t, meta);
	row = set_row(set, meta);
	if (row == NULL) {
		row = &set->row[set->next];
		set->next = (set->next + 1) % DIGEST_WAYS;
	}
	row->is_used = true;
	row->meta = *meta;
	memcpy(row->sha256, sha256, STORE_SHA256_SIZE);
	pthread_mutex_unlock(&t->lock);
}

static struct digest_set *
table_set(struct digest_table *t, const struct store_meta *meta)
{
	/* Inodes are handed out in runs: neighbours get different sets. */
	return &t->set[(meta->ino ^ meta->dev * 31) % DIGEST_SETS];
}

/* The row of this file, of whatever bytes. */
static struct digest_row *
set_row(struct digest_set *set, const struct store_meta *meta)
{
	for (unsigned i = 0; i < DIGEST_WAYS; i++)
		if (set->row[i].is_used && set->row[i].meta.ino == meta->ino &&
		    set->row[i].meta.dev == meta->dev)
			return &set->row[i];
	return NULL;
}
