/*
 * A file that is being received: a temporary name beside the target, the hash
 * of what has come, the size that was promised.  It gets its real name only
 * when size and digest agree.
 *
 * The temporary name is made of the target's name, then of its size and mtime,
 * so that a later run finds what an earlier one left, goes on with the same
 * version only, and can tell that one of another version is of no use.
 */
#ifndef CLIENT_PART_H
#define CLIENT_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "train/train.h"

struct part;

#define PART_NAME_SIZE 47 /* with the NUL */
#define PART_FILE_LEN 24 /* so far it is the same for all versions of a file */

/* Writes the temporary name. */
void part_name(char out[PART_NAME_SIZE], const char *name, uint64_t size,
    int64_t mtime_ns);

/* Is this a temporary name, or would a file system that knows no case take it
 * for one?  No file of a server may be called so. */
bool part_is_name(const char *name);

/*
 * Opens or makes the temporary file for `name` in the place (borrowed for this
 * call) and holds it against other processes.  What lies in its place and is
 * not ours is left alone, and another temporary name taken.
 * 0, -EFBIG (no file can be so big), -errno.
 */
struct place;
int part_open(struct part **, const struct place *, const char *name,
    uint64_t size, int64_t mtime_ns);

/* Bytes that are there. */
uint64_t part_got(const struct part *);
/* Is it for this version of the file? */
bool part_is_for(const struct part *, uint64_t size, int64_t mtime_ns);

/*
 * Hashes what an earlier run left, before the first part_write.
 * 0, -EINTR (the user wants an end), -EBADMSG (it became shorter), -errno.
 */
int part_feed(struct part *, int stop_fd);

/* Throws away what is there.  0 or -errno. */
int part_restart(struct part *);

/* Appends.  0, -EMSGSIZE (more than was promised), or -errno. */
int part_write(struct part *, const void *, size_t);

enum part_how {
	PART_SOON, /* the caller syncs the file system later */
	PART_DURABLE /* bytes and name are on the disk on return */
};

/*
 * Checks size and digest against the end frame (which must carry a digest),
 * sets mode and mtime, and gives the file its name, in place of what had it
 * unless that is a folder.
 * Returns 0, 1 (done, but mode or mtime could not be set), -EBADMSG (these
 * are not the server's bytes), -errno.  Closes the part in any case: it is
 * removed on -EBADMSG and when the disk lost what was written, and kept on
 * another -errno.
 */
int part_publish(
    struct part *, const struct train_end *, uint32_t mode, enum part_how);

/* Removes what an earlier run left under this temporary name, unless another
 * process holds it or it is not surely ours. */
void part_remove(int dir_fd, const char *temp);

/* Closes; what was received stays for a later run. */
void part_keep(struct part *); /* NULL is fine */
/* Closes and removes. */
void part_drop(struct part *); /* NULL is fine */

#endif
