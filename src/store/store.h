/*
 * The served tree.  Holds the root's descriptor and opens everything under
 * it with openat2(2): beneath the root, through no symlink, no magic link.
 * Metadata only from an open descriptor.  Only regular files and folders
 * exist for a caller; a symlink or a special file is -ENOENT to open.
 *
 * Calls that say WAIT may block on a disk and belong on a helper thread.
 * A store may be used from several threads at once.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "path/path.h"

struct store;

enum store_kind { STORE_FILE, STORE_DIR };

/* What proves that a file is the one it was. */
struct store_meta {
	enum store_kind kind;
	uint32_t mode; /* permission bits, 0..0777 */
	uint64_t size; /* 0 for a folder */
	int64_t mtime_ns; /* the nearest that fits, as ctime_ns */
	int64_t ctime_ns;
	uint64_t ino;
	uint64_t dev;
};

/*
 * Same file with the same bytes, as far as kind, dev, ino, size and mtime
 * tell.  Not ctime: keeping a digest moves it, as chmod does.  Who must not
 * miss a change whose author put mtime back compares ctime_ns too.
 */
bool store_meta_same(const struct store_meta *, const struct store_meta *);

/*
 * Takes root_fd on every path.  Returns 0, -ENOTDIR, -EBADF (O_PATH will not
 * do), -ENOSYS (openat2 is missing or filtered; there is no other way in),
 * -ENOMEM.
 */
int store_new(struct store **, int root_fd);
void store_free(struct store *); /* NULL is fine */
/*
 * Is the root on a network or a FUSE file system?  Then also a call on an
 * open descriptor (statx, fgetxattr, a read of what is in memory) may ask a
 * server or a daemon and wait for it: it belongs on a helper as a WAIT does.
 */
bool store_may_stall(const struct store *);
/* A new descriptor of dir for store_new, or -errno: at start-up only, when
 * the operator's own path is followed as any path is. */
int store_open_root(const char *dir);

enum store_how {
	/* -EAGAIN when the disk would have to be asked; always so where the
	 * root is on a network or a FUSE file system, and for what another
	 * file system that is mounted below the root holds */
	STORE_NOWAIT,
	STORE_WAIT
};

/*
 * Opens a regular file for reading.  *fd is the caller's, CLOEXEC.  Returns
 * 0, -EAGAIN (only NOWAIT), -ENOENT (not there, a symlink in the way, a
 * special file), -EISDIR, -ENOTDIR (also when path wants a folder), -EACCES,
 * -EBUSY (leased to a process that does not let go), -EMFILE, -EIO ...; *fd
 * and *meta are untouched then.
 */
int store_open_file(const struct store *, const struct path *, enum store_how,
    int *fd, struct store_meta *);

/* The same for a folder; -ENOTDIR for a file. */
int store_open_dir(const struct store *, const struct path *, enum store_how,
    int *fd, struct store_meta *);

/* What path names now.  As store_open_file, but for both kinds, and no right
 * to the file itself is needed. */
int store_stat(const struct store *, const struct path *, enum store_how,
    struct store_meta *);

/* What is open now.  0 or -errno.  WAIT where store_may_stall. */
int store_fd_meta(int fd, struct store_meta *);

/* ---- folders: read by name, in byte order, in bounded memory ---- */

struct store_entry {
	char name[LIM_SEG_BYTES + 1];
	uint8_t name_len;
	struct store_meta meta;
};

/* Entries met but not served, by why. */
struct store_skipped {
	uint64_t links;
	uint64_t special;
	uint64_t unreadable; /* could not be looked at, or has no valid path */
};

/*
 * A page of a folder: up to LIM_DIR_PAGE names of LIM_DIR_PAGE_BYTES together
 * (each with its NUL), the smallest that are greater than the one it was asked
 * from.  One pass over the folder, whatever its size, with a bounded heap: a
 * folder is read whole in as many passes as it fills pages.
 */
struct store_page;
struct store_page *store_page_new(void); /* NULL: no memory */
void store_page_free(struct store_page *);

/*
 * WAIT.  Fills the page with names after `after` ("" for the first page; it
 * may be a name of this page) of the folder dir_fd, whose position is moved.
 * count_skipped may be NULL; entries that are not served are added to it over
 * the whole folder, so ask with it once a folder.  The reserved name is never
 * there, and not counted.  Names that stay are neither missed nor doubled from
 * page to page, whatever is made and removed meanwhile.  Returns how many
 * names, 0 when there are none after, -errno (the page is empty, nothing was
 * counted).
 */
int store_page_read(struct store_page *, int dir_fd, const char *after,
    struct store_skipped *count_skipped);
/* Was there more after this page?  No is sure; yes may be a name that was told
 * twice while the folder was changed. */
bool store_page_has_more(const struct store_page *);
/* Name i of the page, in order; valid until it is read again. */
const char *store_page_name(const struct store_page *, int i);
int store_page_count(const struct store_page *);

/* WAIT.  Looks at one leaf name of a folder: 0, -ENOENT (gone, or not
 * served), -errno. */
int store_look(int dir_fd, const char *name, struct store_meta *);

/* ---- a walk over a tree, in path_cmp order ---- */

struct store_walk;

/*
 * WAIT.  Begins at root's entries; those from `from` (inclusive; no segments:
 * the first) until `until` (exclusive; no segments: the last), both relative
 * to root.  With depth 1 folders are entries and not entered; 0 means no
 * bound but LIM_PATH_SEGS.  store must live as long.  Returns 0, -ENOENT,
 * -ENOTDIR, -ENOMEM, -errno.
 */
int store_walk_new(struct store_walk **, const struct store *,
    const struct path *root, const struct path *from, const struct path *until,
    unsigned depth);
void store_walk_free(struct store_walk *); /* NULL is fine */

/*
 * WAIT.  The next entry: its path relative to root (the walk's, valid until
 * the next call) and its meta.  Returns 1, 0 at the end, -errno when root
 * itself cannot be read or this process lacks something (-EMFILE, -ENFILE,
 * -ENOMEM); 0 and -errno are final.  A folder within that cannot be read is
 * counted as unreadable and passed over, as is an entry deeper than
 * LIM_PATH_SEGS or longer than LIM_PATH_BYTES below the store's root; what
 * vanishes is passed over.  A folder that is moved out of the tree is read on
 * only while the walk holds it, until it next goes into a folder below.
 * fd may be NULL, and open_error with it; else for a file *fd is opened for
 * reading (the caller's), or -1 when that failed, with *open_error = -errno;
 * -1 and 0 for a folder.
 * The walk holds one descriptor, for a moment two.
 */
int store_walk_next(struct store_walk *, const struct path **,
    struct store_meta *, int *fd, int *open_error);

/*
 * Gives back the walk's descriptor and most of its memory while it is not
 * gone on with.  Entries and counts are as if it had not rested, but that the
 * folder it is in is opened by its path again: when root is gone then, the
 * walk ends with -ENOENT or -ENOTDIR.  Before the first entry it does nothing.
 */
void store_walk_rest(struct store_walk *);

/*
 * What was passed over so far; valid as long as the walk.  What lies in a
 * folder is counted by the walk that gives out the folder itself (in root: by
 * the one without from), not by one that begins further inside.  So when a
 * tree is cut into stretches that are each walked to the end, their counts
 * add up to those of the whole.
 */
const struct store_skipped *store_walk_skipped(const struct store_walk *);
/* Did the walk end at until rather than at the tree's end? */
bool store_walk_has_more(const struct store_walk *);

/* ---- bytes ---- */

/*
 * Are all pages of [off, off+len) of the file in memory, so that sending them
 * will not wait for a disk?  A guess that is right nearly always (cachestat,
 * else preadv2 with RWF_NOWAIT).  False where it cannot be told (overlayfs):
 * after store_fetch send without asking again.
 */
bool store_is_resident(int fd, uint64_t off, uint64_t len);

/* WAIT.  Brings them there; pages behind the end of the file are no error.
 * 0 or -errno. */
int store_fetch(int fd, uint64_t off, uint64_t len);

/* ---- digests ---- */

#define STORE_SHA256_SIZE 32

/*
 * The SHA-256 kept for this file, if it was computed of these very bytes as
 * far as size, mtime and ctime tell; meta is a fresh look.  Kept in the
 * extended attribute user.netpan.sha256, which holds only until the file's
 * ctime moves again; and in memory, for the last few thousand files, also where
 * the file system or its rights allow no attribute or its clock is not ours.
 * Another process's attribute is believed also after a change with mtime put
 * back that was over a few milliseconds after it had been set.  WAIT where
 * store_may_stall.  Returns 0, -ENODATA (none, or of other bytes).
 */
int store_digest_cached(struct store *, int fd, const struct store_meta *,
    uint8_t out[STORE_SHA256_SIZE]);

enum store_digest_how {
	STORE_DIGEST_GO_ON, /* from where an earlier computation has come */
	STORE_DIGEST_ANEW /* of every byte; what was kept is replaced */
};

/*
 * A digest that is computed by reading the file, a step at a time; others may
 * do something between the steps, which need not all be of one thread.
 */
struct store_digest;

/* One step reads as much at most. */
#define STORE_DIGEST_STEP_BYTES (1024 * 1024)

/*
 * meta is what the file was seen as.  fd is borrowed and must, like store,
 * live as long as steps are made.  The kernel is not asked for anything.
 * Returns 0, -EISDIR, -EOVERFLOW (2^56 bytes or more), -ENOMEM.
 */
int store_digest_new(struct store_digest **, struct store *, int fd,
    const struct store_meta *meta, enum store_digest_how);
void store_digest_free(struct store_digest *); /* NULL is fine */

/*
 * WAIT.  Returns 1 when there is more to do, 0 when out is the digest, -ESTALE
 * (it is not as meta says, or changed while read), -ENOMEM, -EIO ...; after 0
 * and -errno it can only be freed.  Unless ANEW, the first step looks for a
 * digest that another has kept meanwhile.
 *
 * It is kept when the file has been the same from the first step until after
 * the last byte, ctime too, and its mtime (for memory: and ctime) is not so
 * recent, 60 s, that a change could hide behind it.  What is kept in
 * attributes moves the file's ctime: the digest, and of a large file on the
 * way how far it got (user.netpan.sha256.part), from where the next who needs
 * it goes on.
 */
int store_digest_step(struct store_digest *, uint8_t out[STORE_SHA256_SIZE]);

/*
 * Is it that of a file which looks like this too, that is the very same one
 * with the same bytes, as far as size, mtime and ctime tell?  Also while
 * another thread makes a step.
 */
bool store_digest_is_of(const struct store_digest *, const struct store_meta *);

/* After the last step: was another kept for the file when it began? */
bool store_digest_was_wrong(const struct store_digest *);

#endif
