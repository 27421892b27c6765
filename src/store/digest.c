#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "store/inner.h"

/*
 * The attribute's value: 56 little-endian bytes.  With this name just that
 * many fit into an ext4 inode of 256 bytes; one more would cost every file a
 * block of its own.
 *
 *	u64 size in the low 56 bits, DIGEST_VERSION in the high 8
 *	i64 mtime, ns
 *	u64 inode
 *	u8[32] SHA-256
 */
#define DIGEST_ATTR "user.netpan.sha256"
#define DIGEST_ATTR_BYTES 56
#define DIGEST_VERSION 1
#define DIGEST_SIZE_MAX ((UINT64_C(1) << 56) - 1)

#define DIGEST_READ_BYTES (1024 * 1024)

/* A change within the resolution of a file system's clock may leave mtime as
 * it was; FAT's is the coarsest. */
#define DIGEST_SETTLED_S 2

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

/* computing */
static int digest_read(EVP_MD_CTX *, int, uint64_t, const _Atomic bool *);
static int
digest_unchanged(int, const struct store_meta *, struct store_meta *);
static bool is_settled(const struct store_meta *, int64_t);
static void
digest_keep(struct store *, int, const struct store_meta *, const uint8_t *);

/* the attribute */
static bool attr_get(int, const struct store_meta *, uint8_t *);
static int attr_put(int, const struct store_meta *, const uint8_t *);

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
	uint8_t sha256[STORE_SHA256_SIZE];
	int64_t began_s = clock_wall_s();
	struct store_meta now;
	EVP_MD_CTX *ctx;
	int r;

	if (meta->kind != STORE_FILE)
		return -EISDIR;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL)
		return -ENOMEM;
	r = -ENOMEM;
	if (EVP_DigestInit_ex2(ctx, s->sha256, NULL) != 1)
		goto out;
	r = digest_unchanged(fd, meta, &now);
	if (r != 0)
		goto out;
	r = digest_read(ctx, fd, meta->size, stop);
	if (r != 0)
		goto out;
	r = digest_unchanged(fd, meta, &now);
	if (r != 0)
		goto out;
	r = -EIO;
	if (EVP_DigestFinal_ex(ctx, sha256, NULL) != 1)
		goto out;
	/* A ctime that moved may be a chmod, or a change whose author put
	 * mtime back: told to this caller, but not to those after him. */
	if (now.ctime_ns == meta->ctime_ns && is_settled(meta, began_s))
		digest_keep(s, fd, meta, sha256);
	memcpy(out, sha256, sizeof(sha256));
	r = 0;
out:
	EVP_MD_CTX_free(ctx);
	return r;
}

static int
digest_read(EVP_MD_CTX *ctx, int fd, uint64_t size, const _Atomic bool *stop)
{
	unsigned char *mem;
	uint64_t off;
	size_t want;
	ssize_t n;
	int r = 0;

	if (size > INT64_MAX)
		return -EOVERFLOW;
	mem = malloc(DIGEST_READ_BYTES);
	if (mem == NULL)
		return -ENOMEM;
	for (off = 0; off < size && r == 0; off += want) {
		if (stop != NULL && atomic_load(stop)) {
			r = -ECANCELED;
			break;
		}
		want = size - off < DIGEST_READ_BYTES ? (size_t)(size - off)
						      : DIGEST_READ_BYTES;
		n = fd_pread_full(fd, mem, want, (off_t)off);
		if (n < 0)
			r = (int)n;
		else if ((size_t)n < want)
			r = -ESTALE;
		else if (EVP_DigestUpdate(ctx, mem, want) != 1)
			r = -EIO;
	}
	free(mem);
	return r;
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
is_settled(const struct store_meta *meta, int64_t now_s)
{
	return meta->mtime_ns / INT64_C(1000000000) < now_s - DIGEST_SETTLED_S;
}

static void
digest_keep(struct store *s, int fd, const struct store_meta *meta,
    const uint8_t *sha256)
{
	if (attr_put(fd, meta, sha256) != 0)
		digest_table_put(s->digests, meta, sha256);
}

static bool
attr_get(int fd, const struct store_meta *meta, uint8_t *out)
{
	unsigned char value[DIGEST_ATTR_BYTES];
	const unsigned char *sha256;
	struct reader r;
	uint64_t size, mtime, ino;
	ssize_t n;

	n = fgetxattr(fd, DIGEST_ATTR, value, sizeof(value));
	if (n != sizeof(value) || meta->size > DIGEST_SIZE_MAX)
		return false;
	reader_init(&r, value, sizeof(value));
	size = reader_u64(&r);
	mtime = reader_u64(&r);
	ino = reader_u64(&r);
	sha256 = reader_bytes(&r, STORE_SHA256_SIZE);
	if (!reader_done(&r) ||
	    size != (meta->size | (uint64_t)DIGEST_VERSION << 56) ||
	    mtime != (uint64_t)meta->mtime_ns || ino != meta->ino)
		return false;
	memcpy(out, sha256, STORE_SHA256_SIZE);
	return true;
}

static int
attr_put(int fd, const struct store_meta *meta, const uint8_t *sha256)
{
	unsigned char value[DIGEST_ATTR_BYTES];
	struct buf b;

	if (meta->size > DIGEST_SIZE_MAX)
		return -EOVERFLOW;
	buf_init(&b, value, sizeof(value));
	if (buf_put_u64(&b, meta->size | (uint64_t)DIGEST_VERSION << 56) != 0 ||
	    buf_put_u64(&b, (uint64_t)meta->mtime_ns) != 0 ||
	    buf_put_u64(&b, meta->ino) != 0 ||
	    buf_put(&b, sha256, STORE_SHA256_SIZE) != 0)
		return -ENOBUFS;
	if (fsetxattr(fd, DIGEST_ATTR, value, buf_len(&b), 0) == -1)
		return -errno;
	return 0;
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
