/*
 * The store's own openings.  Everything that names a file comes through
 * open_beneath, so there is one place that can follow a link: none.
 */
#ifndef STORE_OPEN_H
#define STORE_OPEN_H

#include <fcntl.h>

#include "store/store.h"

/* What is found under a name, wider than what is served. */
enum open_type { OPEN_FILE, OPEN_DIR, OPEN_LINK, OPEN_SPECIAL };

/* To read a file.  Whatever else has taken its place is not waited for. */
#define OPEN_FLAGS_FILE (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)
/* To read a folder.  Not O_NOFOLLOW: with O_DIRECTORY it would make -ENOTDIR
 * of a symlink, and the resolve flags refuse that one anyway. */
#define OPEN_FLAGS_DIR (O_RDONLY | O_DIRECTORY | O_NONBLOCK)
/* To look: no right to the file itself is needed, no driver is woken, no
 * lease is broken, and a symlink as the leaf is what is looked at. */
#define OPEN_FLAGS_LOOK (O_PATH | O_NOFOLLOW)

/*
 * openat2 beneath dir_fd, through no symlink.  A new descriptor (CLOEXEC), or
 * -errno in the store's words: -ENOENT for whatever cannot be served, -EAGAIN
 * only under STORE_NOWAIT, -EBUSY when another process holds a lease on the
 * file and did not let go within a second.
 */
int open_beneath(int dir_fd, const char *path, int flags, enum store_how);

/* Of an open descriptor; O_PATH will do.  0 or -errno. */
int open_meta(int fd, struct store_meta *, enum open_type *);

/* Looks at what path names, whatever it is.  0 or -errno. */
int open_look(int dir_fd, const char *path, enum store_how, struct store_meta *,
    enum open_type *);

/* The same by one statx(2), for a leaf name (no slash in it) of an open
 * folder; nothing is followed, no automount triggered. */
int open_look_leaf(
    int dir_fd, const char *leaf, struct store_meta *, enum open_type *);

/*
 * Opens for reading what a look has found to be a file: to open a FIFO or a
 * device is to act on it, be it closed again at once (a writer who waited for
 * a reader dies of SIGPIPE).  What was put in its place since then is opened
 * and, unless it is a file too, -ENOENT.  0, and *fd is the caller's and *meta
 * its own; or -errno, and *fd is untouched.
 */
int open_regular(
    int dir_fd, const char *path, enum store_how, int *fd, struct store_meta *);

/* For a door that serves only files and folders: 0 or -ENOENT. */
int open_check_served(enum open_type);

/* 0, -ENOSYS: this kernel or a filter on it has no openat2; or -errno. */
int open_probe(int dir_fd);

/* A lack of ours that says nothing of the file: -EMFILE, -ENOMEM ... */
bool open_is_lack(int error);

#endif
