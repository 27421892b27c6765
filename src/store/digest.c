#include <assert.h>
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
 *
 * Where that is exactly cannot be written into the file, for it would move on
 * again.  The attribute is as good as the moment it notes, a few milliseconds;
 * the process that has set it, or has believed it once, keeps the true ctime in
 * its table beside it, and is not deceived by a change within those either.
 */
#define DIGEST_ATTR "user.netpan.sha256"
#define DIGEST_ATTR_BYTES 56
#define DIGEST_VERSION 2
#define DIGEST_SIZE_MAX ((UINT64_C(1) << 56) - 1)

/*
 * While a large file's digest is computed: the same first 24 bytes, then u64
 * how many bytes were read and u32[8] SHA-256's state after them.  One core
 * with instructions for it makes a hundred marks a second, one without fifteen.
 */
#define MARK_ATTR "user.netpan.sha256.part"
#define MARK_ATTR_BYTES (24 + 8 + 32)
#define MARK_EVERY_BYTES (UINT64_C(16) * 1024 * 1024)

/* How far ctime may be from the moment noted: a file system's clock may be a
 * tick behind, and it takes a moment.  One that was held up longer, by a
 * journal say, is set again. */
#define DIGEST_EARLY_NS (INT64_C(20) * 1000 * 1000)
#define DIGEST_LATE_NS (INT64_C(2) * 1000 * 1000)
#define ATTR_TRIES 4

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
	int64_t set_ns;
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

struct store_digest {
	struct store *store;
	int fd;
	enum store_digest_how how;
	bool has_begun;
	bool is_kept; /* what is computed may be told to others */
	bool is_marked;
	bool was_wrong;
	bool had_other; /* other was kept when it began */
	uint8_t other[STORE_SHA256_SIZE];
	struct hash hash;
	uint64_t off;
	struct store_meta meta; /* ctime is that of the first step's look */
	int64_t asked_ctime_ns;
	_Atomic int64_t ctime_ns; /* as it was, or as our marks have made it */
	int64_t began_s;
};

static_assert(MARK_EVERY_BYTES % STORE_DIGEST_STEP_BYTES == 0,
    "marks are made between steps");

/* computing */
static int digest_begin(struct store_digest *, uint8_t *);
static int digest_read(struct store_digest *);
static int digest_end(struct store_digest *, uint8_t *);
static void mark_put_down(struct store_digest *);
static void mark_take_up(struct store_digest *, const struct store_meta *);
static int
digest_unchanged(int, const struct store_meta *, struct store_meta *);
static bool is_settled(int64_t, int64_t);
static void digest_keep(const struct store_digest *, const uint8_t *);

/* the attributes */
static bool attr_get(int, const struct store_meta *, int64_t *, uint8_t *);
static int attr_put(int, const char *, const struct store_meta *, const void *,
    size_t, struct store_meta *, int64_t *);
static bool attr_is_of(struct reader *, const struct store_meta *, int64_t *);
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
	uint8_t found[STORE_SHA256_SIZE];
	int64_t known_ns, set_ns;

	if (meta->kind != STORE_FILE)
		return -ENODATA;
	if (digest_table_get(s->digests, meta, out, &known_ns))
		return 0;
	/* The one whose ctime is known has been found to be of other bytes. */
	if (!attr_get(fd, meta, &set_ns, found) || set_ns == known_ns)
		return -ENODATA;
	digest_table_put(s->digests, meta, set_ns, found);
	memcpy(out, found, sizeof(found));
	return 0;
}

int
store_digest_new(struct store_digest **out, struct store *s, int fd,
    const struct store_meta *meta, enum store_digest_how how)
{
	struct store_digest *d;

	if (meta->kind != STORE_FILE)
		return -EISDIR;
	if (meta->size > DIGEST_SIZE_MAX)
		return -EOVERFLOW;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	d->store = s;
	d->fd = fd;
	d->how = how;
	d->meta = *meta;
	d->asked_ctime_ns = meta->ctime_ns;
	atomic_store(&d->ctime_ns, meta->ctime_ns);
	*out = d;
	return 0;
}

void
store_digest_free(struct store_digest *d)
{
	free(d);
}

int
store_digest_step(struct store_digest *d, uint8_t out[STORE_SHA256_SIZE])
{
	int r;

	if (!d->has_begun) {
		r = digest_begin(d, out);
		if (r != 1)
			return r;
	}
	r = digest_read(d);
	if (r != 0)
		return r;
	return d->off < d->meta.size ? 1 : digest_end(d, out);
}

/* Every ctime from the one asked with to the last one that was looked at, and
 * found to be our own mark's, is one of this computing. */
bool
store_digest_is_of(const struct store_digest *d, const struct store_meta *meta)
{
	return store_meta_same(&d->meta, meta) &&
	       meta->ctime_ns >= d->asked_ctime_ns &&
	       meta->ctime_ns <= atomic_load(&d->ctime_ns);
}

bool
store_digest_was_wrong(const struct store_digest *d)
{
	return d->was_wrong;
}

/* 1, 0 when it has been kept meanwhile, or -errno. */
static int
digest_begin(struct store_digest *d, uint8_t *out)
{
	struct store_meta now;
	int r;

	d->began_s = clock_wall_s();
	r = digest_unchanged(d->fd, &d->meta, &now);
	if (r != 0)
		return r;
	d->had_other = store_digest_cached(d->store, d->fd, &now, d->other) ==
		       0;
	if (d->had_other && d->how != STORE_DIGEST_ANEW) {
		memcpy(out, d->other, sizeof(d->other));
		return 0;
	}
	d->meta.ctime_ns = now.ctime_ns;
	atomic_store(&d->ctime_ns, now.ctime_ns);
	d->is_kept = is_settled(now.mtime_ns, d->began_s);
	hash_begin(&d->hash);
	if (d->how == STORE_DIGEST_ANEW)
		digest_table_drop(d->store->digests, &now);
	else
		mark_take_up(d, &now);
	d->has_begun = true;
	return 1;
}

static int
digest_read(struct store_digest *d)
{
	uint64_t left = d->meta.size - d->off;
	size_t want = left < STORE_DIGEST_STEP_BYTES ? (size_t)left
						     : STORE_DIGEST_STEP_BYTES;
	unsigned char *mem;
	ssize_t n;
	int r = 0;

	if (want == 0)
		return 0;
	mem = malloc(want);
	if (mem == NULL)
		return -ENOMEM;
	n = fd_pread_full(d->fd, mem, want, (off_t)d->off);
	if (n < 0)
		r = (int)n;
	else if ((size_t)n < want)
		r = -ESTALE;
	else
		hash_update(&d->hash, mem, want);
	free(mem);
	d->off += want;
	if (r == 0 && d->off % MARK_EVERY_BYTES == 0)
		mark_put_down(d);
	return r;
}

static int
digest_end(struct store_digest *d, uint8_t *out)
{
	struct store_meta now;
	int r;

	r = digest_unchanged(d->fd, &d->meta, &now);
	if (r != 0)
		return r;
	hash_end(&d->hash, out);
	d->was_wrong = d->had_other &&
		       memcmp(out, d->other, sizeof(d->other)) != 0;
	/* A ctime that moved may be a chmod, or a change whose author put
	 * mtime back: told to those who asked, but not to those after them. */
	if (d->is_kept && now.ctime_ns == atomic_load(&d->ctime_ns))
		digest_keep(d, out);
	return 0;
}

/*
 * The state so far, in an attribute beside the digest's: the next who needs
 * the digest goes on from it, should this process die.  Setting it moves
 * ctime, which is looked at before, so that no change hides behind it.
 */
static void
mark_put_down(struct store_digest *d)
{
	unsigned char state[MARK_ATTR_BYTES];
	struct store_meta now;
	struct hash_mark mark;
	struct buf b;
	int64_t set_ns;
	int r;

	if (!d->is_kept || digest_unchanged(d->fd, &d->meta, &now) != 0 ||
	    now.ctime_ns != atomic_load(&d->ctime_ns)) {
		d->is_kept = false;
		return;
	}
	hash_put_down(&d->hash, &mark);
	buf_init(&b, state, sizeof(state));
	buf_put_u64(&b, mark.len);
	for (int i = 0; i < 8; i++)
		buf_put_u32(&b, mark.h[i]);
	r = attr_put(
	    d->fd, MARK_ATTR, &d->meta, state, buf_len(&b), &now, &set_ns);
	d->is_marked |= r == 0 || r == -ETIME;
	atomic_store(&d->ctime_ns, now.ctime_ns);
}

static void
mark_take_up(struct store_digest *d, const struct store_meta *now)
{
	unsigned char value[MARK_ATTR_BYTES];
	struct hash_mark mark;
	struct reader r;
	int64_t set_ns;

	if (d->meta.size < MARK_EVERY_BYTES ||
	    fgetxattr(d->fd, MARK_ATTR, value, sizeof(value)) != sizeof(value))
		return;
	reader_init(&r, value, sizeof(value));
	if (!attr_is_of(&r, now, &set_ns))
		return;
	mark.len = reader_u64(&r);
	for (int i = 0; i < 8; i++)
		mark.h[i] = reader_u32(&r);
	if (!reader_done(&r) || mark.len > d->meta.size ||
	    mark.len % MARK_EVERY_BYTES != 0)
		return;
	hash_take_up(&d->hash, &mark);
	d->off = mark.len;
	d->is_marked = true;
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
digest_keep(const struct store_digest *d, const uint8_t *sha256)
{
	struct store_meta now = d->meta;
	int64_t set_ns;
	int r;

	if (d->is_marked) {
		fremovexattr(d->fd, MARK_ATTR);
		if (digest_unchanged(d->fd, &d->meta, &now) != 0)
			return;
	}
	r = attr_put(d->fd, DIGEST_ATTR, &d->meta, sha256, STORE_SHA256_SIZE,
	    &now, &set_ns);
	if (r == 0)
		digest_table_put(d->store->digests, &now, set_ns, sha256);
	else if (r != -ESTALE && is_settled(d->meta.ctime_ns, d->began_s))
		digest_table_put(d->store->digests, &now, 0, sha256);
}

static bool
attr_get(int fd, const struct store_meta *meta, int64_t *set_ns, uint8_t *out)
{
	unsigned char value[DIGEST_ATTR_BYTES];
	const unsigned char *sha256;
	struct reader r;

	if (fgetxattr(fd, DIGEST_ATTR, value, sizeof(value)) != sizeof(value))
		return false;
	reader_init(&r, value, sizeof(value));
	if (!attr_is_of(&r, meta, set_ns))
		return false;
	sha256 = reader_bytes(&r, STORE_SHA256_SIZE);
	if (!reader_done(&r))
		return false;
	memcpy(out, sha256, STORE_SHA256_SIZE);
	return true;
}

/*
 * Sets one of the two: how both begin, of which bytes they speak, to be set at
 * once; then the rest.  *now becomes what the file is with it, *set_ns the
 * moment noted.  0, -ESTALE (it is another file now), -ETIME: it is set, but
 * will not be believed (a network file system may go by another clock), or why
 * it could not be set.
 */
static int
attr_put(int fd, const char *name, const struct store_meta *meta,
    const void *rest, size_t len, struct store_meta *now, int64_t *set_ns)
{
	unsigned char value[MARK_ATTR_BYTES];
	struct buf b;
	int r;

	for (int i = 0; i < ATTR_TRIES; i++) {
		*set_ns = clock_wall_ns();
		buf_init(&b, value, sizeof(value));
		buf_put_u64(&b, meta->size | (uint64_t)DIGEST_VERSION << 56);
		buf_put_u64(&b, (uint64_t)meta->mtime_ns);
		buf_put_u64(&b, (uint64_t)*set_ns);
		buf_put(&b, rest, len);
		if (fsetxattr(fd, name, value, buf_len(&b), 0) == -1)
			return -errno;
		r = digest_unchanged(fd, meta, now);
		if (r != 0)
			return r;
		if (is_set_at(now->ctime_ns, *set_ns))
			return 0;
	}
	return -ETIME;
}

static bool
attr_is_of(struct reader *r, const struct store_meta *meta, int64_t *set_ns)
{
	bool is_same = meta->size <= DIGEST_SIZE_MAX;

	is_same &= reader_u64(r) ==
		   (meta->size | (uint64_t)DIGEST_VERSION << 56);
	is_same &= reader_u64(r) == (uint64_t)meta->mtime_ns;
	*set_ns = (int64_t)reader_u64(r);
	return is_same && is_set_at(meta->ctime_ns, *set_ns);
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
    uint8_t out[STORE_SHA256_SIZE], int64_t *set_ns)
{
	struct digest_row *row;
	bool is_there;

	pthread_mutex_lock(&t->lock);
	row = set_row(table_set(t, meta), meta);
	*set_ns = row != NULL ? row->set_ns : 0;
	is_there = row != NULL && store_meta_same(&row->meta, meta) &&
		   row->meta.ctime_ns == meta->ctime_ns;
	if (is_there)
		memcpy(out, row->sha256, STORE_SHA256_SIZE);
	pthread_mutex_unlock(&t->lock);
	return is_there;
}

void
digest_table_put(struct digest_table *t, const struct store_meta *meta,
    int64_t set_ns, const uint8_t sha256[STORE_SHA256_SIZE])
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
	row->set_ns = set_ns;
	memcpy(row->sha256, sha256, STORE_SHA256_SIZE);
	pthread_mutex_unlock(&t->lock);
}

void
digest_table_drop(struct digest_table *t, const struct store_meta *meta)
{
	struct digest_row *row;

	pthread_mutex_lock(&t->lock);
	row = set_row(table_set(t, meta), meta);
	if (row != NULL)
		row->is_used = false;
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
