/* The parts that earlier runs left in the folders of a target. */
#ifndef CLIENT_PARTS_H
#define CLIENT_PARTS_H

#include <stddef.h>
#include <stdint.h>

struct parts {
	struct parts_found *found; /* rising */
	size_t n, cap;
};

void parts_init(struct parts *);
void parts_free(struct parts *);

/*
 * Notes what lies in dir_fd's folder `name` ("." for itself), which has this
 * index, TREE_ROOT or more than that of the last call.  What cannot be read or
 * kept in mind is not noted.
 */
void parts_note(struct parts *, uint32_t folder, int dir_fd, const char *name);

/*
 * Removes the parts of this file in this folder (whose descriptor is dir_fd),
 * but for the one called keep, which may be NULL.  What another process holds,
 * and what is not surely ours, stays.
 */
void parts_drop(const struct parts *, uint32_t folder, int dir_fd,
    const char *file, const char *keep);

#endif
