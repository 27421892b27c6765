/*
 * The folder on the local disk that receives a tree.  Everything is named as
 * one segment under a held folder descriptor, and no symlink is followed, so
 * nothing outside is reached whatever a server sends and whatever lies there.
 */
#ifndef CLIENT_TARGET_H
#define CLIENT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "client/tree.h"

struct target;

/* The user's own path is followed as any path is.  It is made if it is not
 * there (its parent must be).  0 or -errno. */
int target_open(struct target **, const char *name);
/* Could it be opened, or made?  Makes nothing.  0 or -errno. */
int target_probe(const char *name);
void target_close(struct target *); /* NULL is fine */

/* Has somebody removed it? */
bool target_is_gone(const struct target *);

/* The folder a thread works in: opened once for entries beside each other. */
struct place {
	int fd; /* -1: none */
	uint32_t folder; /* TREE_ROOT: the user's own, else one of the tree */
};

void place_init(struct place *);
void place_close(struct place *);

/*
 * Opens the folder (TREE_ROOT or an index).  place->fd is the place's, good
 * for *at calls only.  0, -ENOTDIR or -ELOOP (something else is in the way),
 * -errno.
 */
int place_go(struct place *, const struct target *, const struct tree *,
    uint32_t folder);

/*
 * After EACCES: another run may have ended meanwhile, and have given the folder
 * a mode that does not let us work in it.  True: it does now, so try again; the
 * end of this run sets the mode.  False: that was not it, or it was tried often
 * enough; *tries begins with 0.  Keeps errno.
 */
bool place_open_up(const struct place *, unsigned *tries);

/* Makes a folder, or is content with one that is there and lets us work in it.
 * 1 made, 0 was there, -ENOTDIR (something else is in the way), -errno. */
int target_make_folder(int parent_fd, const char *name);

/* May a file have this name?  0, also when a file or a link has it, which is
 * replaced; -EISDIR (a folder), -EEXIST (a device, a socket, a pipe, or a link
 * to one), -errno */
int target_is_free(int parent_fd, const char *name);

enum target_has { TARGET_NOTHING, TARGET_SAME, TARGET_OTHER };

/* Compares what is there with the file by kind, size and mtime.  The mode of
 * what is the same is set, as far as we may.  A link is TARGET_OTHER wherever
 * it leads.  enum target_has, or as target_is_free says. */
int target_compare(int parent_fd, const struct entry *);

/* Is there a part of this file?  Its length must be more than 0. */
bool target_has_part(int parent_fd, const struct entry *);

/* Sets a folder's mode and mtime.  0 or -errno. */
int target_finish_folder(int parent_fd, const struct entry *);

/* Sets the mode of what seen was taken of, and of nothing that has come in its
 * place since.  0, -ESTALE (it is another one now), -errno. */
struct stat;
int target_chmod(
    int parent_fd, const char *name, const struct stat *seen, unsigned mode);

/* Are there bytes free for so many more? */
bool target_has_room(int dir_fd, uint64_t bytes);

/* Waits until all is on the disk.  0 or -errno. */
int target_sync(const struct target *);

/*
 * A sentence on what is in the way of an entry here, or on what the disk says:
 * -EISDIR, -EEXIST, -ENOTDIR as above, -EBADF: the name is one of ours, another
 * -errno.  Returns out.
 */
#define TARGET_REFUSAL_SIZE 256
char *target_refusal(char out[TARGET_REFUSAL_SIZE], int err);

#endif
