#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fd.h"
#include "server/train_fill.h"
#include "server/train_state.h"
#include "server/worker.h"
#include "store/hash.h"

/* A file up to this is sent whole from the helper's buffer. */
#define SMALL_BYTES (32 * 1024)
/* The largest head, data frame of a small file, end or sum, together. */
#define ENTRY_ROOM (3 * LIM_PATH_BYTES + SMALL_BYTES + 1024)

static_assert(ENTRY_ROOM < CONN_OUT_SIZE, "one entry fits an empty buffer");

static int fill_open(struct answer *);
static int fill_entries(struct answer *);
static bool fill_entry(struct answer *, const struct path *,
    const struct store_meta *, int *fd, int open_error);
static uint64_t offset_asked(
    const struct answer *, const struct path *, const struct store_meta *);
static int fill_small(struct answer *, int fd, const struct store_meta *);
static void fill_failed(struct answer *, int error);
static void fill_sum(struct answer *);
static void fill_refuse(struct answer *, int error);

static const struct {
	int error;
	enum train_code code;
	const char *text;
} errno_codes[] = {
	{ ENOENT, TRAIN_E_NOT_FOUND, "there is no such file or folder" },
	{ EISDIR, TRAIN_E_NOT_FILE, "that is a folder" },
	{ ENOTDIR, TRAIN_E_NOT_FOLDER, "that is not a folder" },
	{ EACCES, TRAIN_E_DENIED, "the server may not read it" },
	{ EPERM, TRAIN_E_DENIED, "the server may not read it" },
	{ EMFILE, TRAIN_E_BUSY, "the server is busy" },
	{ ENFILE, TRAIN_E_BUSY, "the server is busy" },
	{ ENOMEM, TRAIN_E_BUSY, "the server is busy" },
	{ EBUSY, TRAIN_E_BUSY, "the server is busy" },
	{ ESTALE, TRAIN_E_CHANGED, "the file changed while it was sent" },
};

enum train_code
fill_code_of_errno(int error, const char **text)
{
	for (size_t i = 0; i < sizeof(errno_codes) / sizeof(errno_codes[0]);
	     i++)
		if (errno_codes[i].error == -error) {
			*text = errno_codes[i].text;
			return errno_codes[i].code;
		}
	*text = "the server could not read it";
	return TRAIN_E_IO;
}

const struct path *
answer_path(const struct answer *a)
{
	switch (a->frame.type) {
	case TRAIN_GET:
		return &a->ask.get.path;
	case TRAIN_TREE:
		return &a->ask.tree.root;
	default:
		return &a->ask.list.folder;
	}
}

void
fill_begin(struct answer *a)
{
	struct worker *w = a->conn->worker;

	a->state = ANSWER_FILL;
	if (w->store != NULL)
		return;
	a->state = ANSWER_ENDED;
	buf_compact(&a->conn->out);
	a->fill = a->conn->out;
	fill_refuse(a, -ENOENT);
	a->conn->out = a->fill;
	buf_init(&a->fill, NULL, 0);
}

void
fill_end(struct answer *a)
{
	struct worker *w = a->conn->worker;

	walks_end(w->walks, &a->walk);
	slab_put(&w->outs, a->fill.mem);
	buf_init(&a->fill, NULL, 0);
}

bool
fill_run(struct job *j)
{
	struct answer *a = link_entry(j, struct answer, disk);
	struct walks *walks = a->conn->worker->walks;
	int r = 0;

	walks_begin(walks, &a->walk);
	if (a->walk.walk == NULL)
		r = fill_open(a);
	if (r == 0)
		r = fill_entries(a);
	if (r < 0)
		fill_refuse(a, r);
	if (a->fill_ended)
		walks_end(walks, &a->walk);
	else
		walks_pause(walks, &a->walk);
	return true;
}

/* Until the buffer is full, a large file is met (a->fd), or the walk has
 * ended.  0 or -errno. */
static int
fill_entries(struct answer *a)
{
	bool with_data = !(a->flags & TRAIN_F_HEADS_ONLY);
	const struct path *path;
	struct store_meta meta;
	int fd = -1, open_error = 0, r = 1;

	while (r == 1 && buf_room(&a->fill) > ENTRY_ROOM &&
	       !atomic_load(&a->disk.stop)) {
		r = store_walk_next(a->walk.walk, &path, &meta,
		    with_data ? &fd : NULL, &open_error);
		if (r == 1 && fill_entry(a, path, &meta, &fd, open_error))
			return 0;
		fd_close(&fd);
	}
	if (r == 0)
		fill_sum(a);
	return r < 0 ? r : 0;
}

static int
fill_open(struct answer *a)
{
	const struct store *s = a->conn->worker->store;
	struct path none;

	path_init(&none);
	if (a->frame.type == TRAIN_TREE)
		return store_walk_new(&a->walk.walk, s, &a->ask.tree.root,
		    &a->ask.tree.from, &a->ask.tree.until, 0);
	return store_walk_new(&a->walk.walk, s, &a->ask.list.folder,
	    &a->ask.list.after, &none, 1);
}

/*
 * One entry's frames.  True: it is a large file whose head is written, and
 * a->fd and a->fill_offset say what to send of it.
 */
static bool
fill_entry(struct answer *a, const struct path *path,
    const struct store_meta *meta, int *fd, int open_error)
{
	bool is_file = meta->kind == STORE_FILE;
	bool is_tree = a->frame.type == TRAIN_TREE;
	struct train_head head = {
		.kind = is_file ? TRAIN_FILE : TRAIN_DIR,
		.mode = meta->mode,
		.size = is_file ? meta->size : 0,
		.mtime_ns = meta->mtime_ns,
		.path = *path,
	};
	bool wants_data = is_file && !(a->flags & TRAIN_F_HEADS_ONLY);
	int r;

	if (!is_tree && path_cmp(path, &a->ask.list.after) == 0)
		return false; /* after it, not from it */
	if (wants_data)
		head.offset = offset_asked(a, path, meta);
	if (train_head_put(&a->fill, &head) != 0)
		return false;
	a->sum.files += is_file;
	a->sum.folders += !is_file;
	a->sum.bytes += head.size;
	if (!wants_data)
		return false;
	if (*fd != -1 && (meta->size > SMALL_BYTES || head.offset > 0)) {
		a->fd = fd_take(fd);
		a->meta = *meta;
		a->fill_offset = head.offset;
		answer_look_up_digest(a);
		return true;
	}
	r = *fd == -1 ? open_error : fill_small(a, *fd, meta);
	if (r != 0)
		fill_failed(a, r);
	return false;
}

/* Of the entry that the request begins with; one that is shorter now comes
 * from its beginning. */
static uint64_t
offset_asked(const struct answer *a, const struct path *path,
    const struct store_meta *meta)
{
	const struct train_tree *t = &a->ask.tree;

	if (t->offset == 0 || t->offset > meta->size ||
	    path_cmp(path, &t->from) != 0)
		return 0;
	return t->offset;
}

/* Data and end of a small file, or nothing and -errno. */
static int
fill_small(struct answer *a, int fd, const struct store_meta *meta)
{
	struct train_end end = { .size = meta->size };
	unsigned char *data = buf_tail(&a->fill) + TRAIN_HEADER_SIZE;
	uint32_t len = (uint32_t)meta->size;
	struct store_meta now;
	struct hash hash;
	ssize_t n;
	int r;

	n = fd_pread_full(fd, data, len, 0);
	if (n < 0)
		return (int)n;
	r = store_fd_meta(fd, &now);
	if (r != 0)
		return r;
	if ((size_t)n != len || !store_meta_same(&now, meta))
		return -ESTALE;
	if (!(a->flags & TRAIN_F_NO_DIGEST)) {
		hash_begin(&hash);
		hash_update(&hash, data, len);
		hash_end(&hash, end.sha256);
		end.flags = TRAIN_F_DIGEST;
	}
	if (len > 0) {
		train_frame_put(&a->fill, TRAIN_DATA, 0, len);
		buf_added(&a->fill, len);
	}
	train_end_put(&a->fill, &end);
	return 0;
}

static void
fill_failed(struct answer *a, int error)
{
	const char *text;
	enum train_code code = fill_code_of_errno(error, &text);

	train_error_put(&a->fill, code, TRAIN_ENTRY, text);
}

static void
fill_sum(struct answer *a)
{
	const struct store_skipped *k = store_walk_skipped(a->walk.walk);

	a->sum.links = k->links;
	a->sum.special = k->special;
	a->sum.unreadable = k->unreadable;
	a->sum.flags = store_walk_has_more(a->walk.walk) ? TRAIN_F_MORE : 0;
	train_sum_put(&a->fill, &a->sum);
	a->fill_ended = true;
}

static void
fill_refuse(struct answer *a, int error)
{
	const char *text;

	a->code = fill_code_of_errno(error, &text);
	train_error_put(&a->fill, a->code, TRAIN_REQUEST, text);
	a->fill_ended = true;
}
