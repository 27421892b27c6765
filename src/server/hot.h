/*
 * Files that were asked for lately, ready to be sent again: descriptor or
 * bytes, and the head of the answer.  What is given out was proved a moment ago
 * by a look at its name (store/held.h), so a file that was replaced, changed,
 * moved or removed is seen by the very next request.  Bytes are kept only of
 * a small file that has not changed for a minute: whatever is done to it
 * then moves its times visibly.
 *
 * One table belongs to one worker's loop.
 */
#ifndef SERVER_HOT_H
#define SERVER_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "http/etag.h"
#include "server/board.h"
#include "server/window.h"
#include "store/held.h"
#include "store/store.h"

#define HOT_BODY_MAX (64 * 1024) /* bytes kept of one file */

struct hot;

/* One version of one file.  It stays as it is while somebody uses it. */
struct hot_file {
	struct store_meta meta;
	int fd; /* -1: bytes are all of it, no descriptor is needed */
	const char *head; /* of a 200, from Content-Type to the empty line */
	uint16_t head_len;
	uint8_t etag_len;
	char etag[ETAG_MAX];
	/* head_len bytes of head and then meta.size bytes of the file; NULL:
	 * they are not kept */
	const unsigned char *whole;
	struct window window; /* of its beginning */
	/* hot.c's own */
	unsigned n_users;
	bool is_listed;
	uint16_t n_asked;
	uint32_t hash;
	struct hot_file *next; /* in its bucket */
	struct link lru;
	struct held *held;
	uint64_t proved_ms;
	uint16_t name_len;
	char name[]; /* the path */
};

struct hot_options {
	struct store *store;
	struct board_counter *n_hits, *n_misses;
	unsigned max_fds; /* of files and folders; 0: nothing is kept */
	uint64_t max_bytes; /* of files' bytes and heads */
};

/* NULL: no memory. */
struct hot *hot_new(const struct hot_options *);
void hot_free(struct hot *); /* NULL is fine; no file is in use any more */

/*
 * The file that path names now, without waiting: 0, -EAGAIN (the disk would
 * have to be asked: open it on a helper and say hot_admit), or what
 * store_open_file says.  *file is one more user's, for hot_release.
 */
int hot_get(
    struct hot *, const struct path *, uint64_t now_ms, struct hot_file **file);

/* The same for one that was opened just now; takes fd on every path.  0 or
 * -ENOMEM. */
int hot_admit(struct hot *, const struct path *, int fd,
    const struct store_meta *, uint64_t now_ms, struct hot_file **file);

void hot_release(struct hot *, struct hot_file *); /* NULL is fine */

#endif
