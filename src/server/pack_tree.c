#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "server/pack_tree.h"

#define NS_PER_S 1000000000
#define PIECE_BYTES (64 * 1024) /* of a file, read at once */
/* The longest line of the note, and of a name in it. */
#define NOTE_LINE_BYTES 640
#define NOTE_PATH_BYTES 512
/* What it says beside those. */
#define NOTE_REST_BYTES 2048
/* An entry in a zip's directory beside its name: 46 bytes, 24 for mtime and
 * owner, up to 28 for zip64. */
#define ZIP_ENTRY_BYTES 98
/* Room for any path, each of its names changed. */
#define NAME_BYTES ((LIM_PATH_SEGS + 1) * (LIM_SEG_BYTES + 1) + 1)

static_assert(LIM_ARCHIVE_NOTE_BYTES + NOTE_REST_BYTES <= PIECE_BYTES,
    "a piece has room for the whole note");

struct tree {
	const struct store *store;
	const struct path *folder;
	enum pack_form form;
	const struct pack_sink *sink;
	struct archive *archive;
	struct archive_entry *entry;
	struct store_walk *walk;
	int sink_error;
	uint64_t directory_len; /* of a zip, as far as it is known */
	uint64_t n_unread; /* files left out */
	uint64_t n_changed; /* files of which nobody knows what they are */
	uint64_t n_noted; /* of both, those that are in note */
	struct buf note; /* a line for each */
	size_t top_len;
	size_t name_len;
	char name[NAME_BYTES];
	unsigned char piece[PIECE_BYTES];
	unsigned char note_mem[LIM_ARCHIVE_NOTE_BYTES];
};

/* ---- all of it ---- */
static int tree_pack(struct tree *);
static int tree_measure(struct tree *);
static int tree_open(struct tree *);
static int tree_walk(struct tree *);
static int tree_close(struct tree *);
static void tree_drop(struct tree *, int error);
static int walk_new(struct tree *);
static la_ssize_t
on_write(struct archive *, void *arg, const void *bytes, size_t len);
/* ---- one entry ---- */
static int put_entry(struct tree *, const struct path *,
    const struct store_meta *, int fd, int open_error);
static int put_head(struct tree *, const struct store_meta *);
static int
put_file(struct tree *, const struct path *, const struct store_meta *, int fd);
static size_t piece_len(uint64_t left);
static int put_piece(struct tree *, int fd, uint64_t off, size_t len);
static int leave_out(struct tree *, const struct path *, int error);
static int put_data(struct tree *, const void *, size_t len);
static int put_done(struct tree *, int r);
static void set_mtime(struct tree *, int64_t ns);
/* ---- its name ---- */
static void name_top(struct tree *);
static void name_of(struct tree *, const struct path *);
static void name_add(struct tree *, const char *seg, size_t len, bool is_taken);
static int count_in_directory(struct tree *, enum store_kind);
/* ---- what is not in it ---- */
static void note_file(struct tree *, const struct path *, const char *what);
static int put_note(struct tree *);
static void note_add(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * libarchive asks the thread's locale what names are.  With UTF-8 it flags
 * them as such in a zip, and leaves them as they are in a tar; in the other
 * locale they are bytes of no known charset, in a tar marked as binary.
 */
static locale_t names_utf8, names_bytes;

void
pack_prepare(void)
{
	/* without it every name that is not ASCII is bytes: no harm */
	names_utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	names_bytes = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
	tzset(); /* a zip has local time */
}

int
pack_tree(const struct store *store, const struct path *folder,
    enum pack_form form, const struct pack_sink *sink)
{
	locale_t before;
	struct tree *t;
	int r;

	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->store = store;
	t->folder = folder;
	t->form = form;
	t->sink = sink;
	buf_init(&t->note, t->note_mem, sizeof(t->note_mem));
	before = uselocale(names_utf8);
	r = tree_pack(t);
	tree_drop(t, r);
	archive_entry_free(t->entry);
	store_walk_free(t->walk);
	uselocale(before);
	free(t);
	return r;
}

static int
tree_pack(struct tree *t)
{
	struct store_meta meta;
	int r;

	r = store_stat(t->store, t->folder, STORE_WAIT, &meta);
	if (r == 0 && meta.kind != STORE_DIR)
		r = -ENOTDIR;
	if (r == 0 && t->form == PACK_ZIP)
		r = tree_measure(t);
	name_top(t);
	if (r == 0)
		r = walk_new(t);
	if (r == 0)
		r = tree_open(t);
	if (r == 0)
		r = put_head(t, &meta);
	if (r == 0)
		r = tree_walk(t);
	if (r == 0)
		r = put_note(t);
	if (r == 0)
		r = tree_close(t);
	return r;
}

/* Is a zip's directory, which libarchive keeps in memory until the end, within
 * its bound? */
static int
tree_measure(struct tree *t)
{
	const struct path *path;
	struct store_meta meta;
	int r;

	name_top(t);
	r = count_in_directory(t, STORE_DIR);
	if (r == 0)
		r = walk_new(t);
	if (r != 0)
		return r;
	while (!atomic_load(t->sink->stop)) {
		r = store_walk_next(t->walk, &path, &meta, NULL, NULL);
		if (r <= 0)
			return r;
		name_of(t, path);
		r = count_in_directory(t, meta.kind);
		if (r != 0)
			return r;
	}
	return -ECANCELED;
}

static int
walk_new(struct tree *t)
{
	struct path none;

	store_walk_free(t->walk);
	t->walk = NULL;
	path_init(&none);
	return store_walk_new(&t->walk, t->store, t->folder, &none, &none, 0);
}

static int
tree_open(struct tree *t)
{
	struct archive *a;
	int r;

	t->directory_len = 0;
	t->archive = a = archive_write_new();
	t->entry = archive_entry_new();
	if (a == NULL || t->entry == NULL)
		return -ENOMEM;
	if (t->form == PACK_TAR) {
		r = archive_write_set_format_pax_restricted(a);
	} else {
		r = archive_write_set_format_zip(a);
		if (r == ARCHIVE_OK)
			r = archive_write_zip_set_compression_store(a);
	}
	/* nothing held back, nothing added to fill a block */
	if (r == ARCHIVE_OK)
		r = archive_write_set_bytes_per_block(a, 0);
	if (r == ARCHIVE_OK)
		r = archive_write_set_bytes_in_last_block(a, 1);
	if (r == ARCHIVE_OK)
		r = archive_write_open(a, t, NULL, on_write, NULL);
	return put_done(t, r);
}

static int
tree_walk(struct tree *t)
{
	const struct path *path;
	struct store_meta meta;
	int fd, open_error, r;

	while (!atomic_load(t->sink->stop)) {
		r = store_walk_next(t->walk, &path, &meta, &fd, &open_error);
		if (r <= 0)
			return r;
		r = put_entry(t, path, &meta, fd, open_error);
		fd_close(&fd);
		if (r != 0)
			return r;
	}
	return -ECANCELED;
}

static int
tree_close(struct tree *t)
{
	return put_done(t, archive_write_close(t->archive));
}

/* A close would write an end, and make an archive of what is none: so nothing
 * is written any more.  Without a close libarchive loses some memory. */
static void
tree_drop(struct tree *t, int error)
{
	if (t->archive == NULL)
		return;
	if (error != 0) {
		t->sink_error = error;
		archive_write_close(t->archive);
	}
	archive_write_free(t->archive);
}

static la_ssize_t
on_write(struct archive *a, void *arg, const void *bytes, size_t len)
{
	struct tree *t = arg;

	(void)a;
	/* a close goes on after what failed */
	if (t->sink_error == 0)
		t->sink_error = t->sink->write(t->sink->arg, bytes, len);
	return t->sink_error == 0 ? (la_ssize_t)len : -1;
}

/* ---- one entry ---- */

static int
put_entry(struct tree *t, const struct path *path,
    const struct store_meta *meta, int fd, int open_error)
{
	name_of(t, path);
	if (meta->kind == STORE_DIR)
		return put_head(t, meta);
	if (fd != -1)
		return put_file(t, path, meta, fd);
	return leave_out(t, path, open_error);
}

static int
leave_out(struct tree *t, const struct path *path, int error)
{
	t->n_unread++;
	note_file(t, path, strerrordesc_np(-error));
	return 0;
}

/* Of the entry that t->name names. */
static int
put_head(struct tree *t, const struct store_meta *meta)
{
	struct archive_entry *e = t->entry;
	locale_t names = text_is_utf8(t->name, t->name_len) ? names_utf8
							    : names_bytes;
	int r;

	if (t->form == PACK_ZIP) {
		/* it may have grown since it was measured */
		r = count_in_directory(t, meta->kind);
		if (r != 0)
			return r;
		uselocale(names);
	}
	archive_entry_clear(e);
	archive_entry_copy_pathname(e, t->name);
	archive_entry_set_filetype(
	    e, meta->kind == STORE_DIR ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(e, meta->mode & 0777);
	archive_entry_set_size(e, (la_int64_t)meta->size);
	set_mtime(t, meta->mtime_ns);
	return put_done(t, archive_write_header(t->archive, e));
}

/*
 * The head has the file's size and comes first, so what it promises must
 * follow.  The first piece is read before: a file that cannot be read is left
 * out then, and a small one has the size that it had when it was read.
 */
static int
put_file(struct tree *t, const struct path *path, const struct store_meta *meta,
    int fd)
{
	struct store_meta head = *meta, now;
	uint64_t off;
	ssize_t n;
	int r;

	n = fd_pread_full(fd, t->piece, piece_len(head.size), 0);
	if (n < 0)
		return leave_out(t, path, (int)n);
	off = (uint64_t)n;
	if (off < piece_len(head.size))
		head.size = off;
	r = put_head(t, &head);
	if (r == 0)
		r = put_data(t, t->piece, (size_t)n);
	while (r == 0 && off < head.size) {
		r = put_piece(t, fd, off, piece_len(head.size - off));
		off += piece_len(head.size - off);
	}
	if (r != 0)
		return r;
	if (store_fd_meta(fd, &now) != 0 || !store_meta_same(&now, meta)) {
		t->n_changed++;
		note_file(t, path, "changed while it was read");
	}
	return 0;
}

static size_t
piece_len(uint64_t left)
{
	return left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
}

static int
put_piece(struct tree *t, int fd, uint64_t off, size_t len)
{
	ssize_t n;

	n = fd_pread_full(fd, t->piece, len, (off_t)off);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? put_data(t, t->piece, len) : -ESTALE;
}

static int
put_data(struct tree *t, const void *bytes, size_t len)
{
	la_ssize_t n;

	if (len == 0)
		return 0;
	n = archive_write_data(t->archive, bytes, len);
	if (n >= 0)
		return (size_t)n == len ? 0 : -EIO;
	return put_done(t, (int)n);
}

/* A warning is about a name that is no UTF-8: it goes as it is. */
static int
put_done(struct tree *t, int r)
{
	if (r >= ARCHIVE_WARN)
		return 0;
	if (t->sink_error != 0)
		return t->sink_error;
	return archive_errno(t->archive) == ENOMEM ? -ENOMEM : -EIO;
}

static void
set_mtime(struct tree *t, int64_t ns)
{
	int64_t s = ns / NS_PER_S;

	if (ns % NS_PER_S < 0)
		s--;
	/* a zip has 32 bits, with a sign for some and without for others */
	if (t->form == PACK_ZIP && (s < 0 || s > INT32_MAX))
		s = s < 0 ? 0 : INT32_MAX;
	archive_entry_set_mtime(t->entry, (time_t)s, 0);
}

/* ---- its name ---- */

/* The name of the folder that is packed. */
static void
name_top(struct tree *t)
{
	const char *leaf = path_leaf(t->folder);

	if (*leaf == '\0')
		leaf = PACK_ROOT_NAME;
	t->name_len = 0;
	name_add(t, leaf, strlen(leaf), false);
	t->top_len = t->name_len;
}

static void
name_of(struct tree *t, const struct path *path)
{
	const char *seg;
	size_t len;

	t->name_len = t->top_len;
	for (unsigned i = 0; i < path->n; i++) {
		t->name[t->name_len++] = '/';
		seg = path_segment(path, i, &len);
		/* the note's name is the note's */
		name_add(t, seg, len,
		    path->n == 1 && len == strlen(PACK_NOTE_NAME) &&
			strncasecmp(seg, PACK_NOTE_NAME, len) == 0);
	}
}

static void
name_add(struct tree *t, const char *seg, size_t len, bool is_taken)
{
	t->name_len += pack_name(
	    t->name + t->name_len, seg, len, t->form, is_taken);
}

static int
count_in_directory(struct tree *t, enum store_kind kind)
{
	t->directory_len += ZIP_ENTRY_BYTES + t->name_len;
	if (kind == STORE_DIR)
		t->directory_len++; /* the slash */
	return t->directory_len <= LIM_ZIP_DIRECTORY_BYTES ? 0 : -EFBIG;
}

/* ---- what is not in it ---- */

static void
note_file(struct tree *t, const struct path *path, const char *what)
{
	char shown[NOTE_PATH_BYTES];

	if (buf_room(&t->note) < NOTE_LINE_BYTES)
		return;
	text_escape(shown, sizeof(shown), path_string(path), path->len);
	note_add(&t->note, "  %s: %s\n", shown, what);
	t->n_noted++;
}

static int
put_note(struct tree *t)
{
	const struct store_skipped *k = store_walk_skipped(t->walk);
	const struct {
		const char *what;
		uint64_t n;
	} counts[] = {
		{ "Files that could not be read", t->n_unread },
		{ "Files that changed while they were read", t->n_changed },
		{ "Symbolic links, which are never packed", k->links },
		{ "Sockets, devices and the like", k->special },
		{ "Files and folders that could not be looked at, or lie"
		  " too deep",
		    k->unreadable },
	};
	struct store_meta meta = { .kind = STORE_FILE, .mode = 0644 };
	struct buf text;
	uint64_t n = 0;
	int r;

	buf_init(&text, t->piece, sizeof(t->piece));
	note_add(&text, "Not everything is in this archive, or not as it was in"
			" the folder.\n\n");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		n += counts[i].n;
		if (counts[i].n > 0)
			note_add(&text, "%s: %llu\n", counts[i].what,
			    (unsigned long long)counts[i].n);
	}
	if (n == 0)
		return 0;
	if (t->n_unread + t->n_changed > 0)
		note_add(&text, "\nThe files:\n\n");
	buf_put(&text, buf_head(&t->note), buf_len(&t->note));
	if (t->n_noted < t->n_unread + t->n_changed)
		note_add(&text, "  and %llu more\n",
		    (unsigned long long)(t->n_unread + t->n_changed -
					 t->n_noted));
	t->name_len = t->top_len;
	t->name[t->name_len++] = '/';
	name_add(t, PACK_NOTE_NAME, strlen(PACK_NOTE_NAME), false);
	meta.size = buf_len(&text);
	meta.mtime_ns = clock_wall_ns();
	r = put_head(t, &meta);
	return r != 0 ? r : put_data(t, buf_head(&text), buf_len(&text));
}

static void
note_add(struct buf *b, const char *fmt, ...)
{
	char line[NOTE_LINE_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(line))
		buf_put(b, line, (size_t)n);
}
