/*
 * Files that were asked for lately, ready to be sent again: descriptor or
 * bytes, and the head of the answer.  What is given out was proved by a look at
 * its name (store/held.h) after the request for it was received, so a file that
 * was replaced, changed, moved or removed is seen by the very next request.
 * Bytes are kept only of a small file that has not changed for a minute:
 * whatever is done to it then moves its times visibly.
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

/* Bytes kept of one file: to copy more costs more than to send its pages. */
#define HOT_BODY_MAX (4 * 1024)
#define HOT_WINDOWS 256 /* of one file, that are known to be in memory */

struct hot;

/* When a window of a file was last seen in memory, by the number of
 * WINDOW_BYTES before it; all who send the file share the look. */
struct hot_window {
	uint32_t number;
	uint32_t seen_s; /* of the loop's clock, and one more; 0: never */
};

/* One version of one file.  It stays as it is while somebody uses it. */
struct hot_file {
	/* hot.c's own; what is looked at first comes first */
	struct hot_file *next; /* in its bucket */
	uint32_t hash;
	uint16_t name_len;
	/* for its users */
	uint8_t etag_len;
	bool is_listed;
	/* head_len bytes of head and then meta.size bytes of the file; NULL:
	 * they are not kept */
	const unsigned char *whole;
	uint64_t proved_at; /* the moment */
	uint64_t proved_ms;
	uint64_t moved_ms; /* to the front of lru */
	uint16_t n_asked;
	uint16_t head_len;
	unsigned n_users;
	struct store_meta meta;
	const char *head; /* of a 200, from Content-Type to the empty line */
	int fd; /* -1: bytes are all of it, no descriptor is needed */
	struct hot_window first; /* window, and the others if there are any: */
	struct hot_window *windows; /* HOT_WINDOWS of them; NULL: none yet */
	struct held held; /* while it is listed */
	struct link lru;
	char etag[ETAG_MAX];
	char name[]; /* the path */
};

struct hot_options {
	struct store *store;
	struct board_counter *n_hits, *n_misses;
	/* Not 0, and another one after each receiving.  While it stays, all
	 * requests came before the first look, and what was found then holds
	 * for them. */
	const uint64_t *moment;
	uint64_t max_bytes; /* of files' bytes and heads */
};

/* NULL: no memory.  Nothing is kept until hot_limit_fds. */
struct hot *hot_new(const struct hot_options *);
void hot_free(struct hot *); /* NULL is fine; no file is in use any more */

/* From now on at most so many descriptors of files and folders are kept, and
 * never more than LIM_HOT_FDS; those over it are dropped now. */
void hot_limit_fds(struct hot *, unsigned max);
unsigned hot_fds(const struct hot *); /* that are kept */

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

/* Was that window seen in memory a moment ago?  And: it is, now. */
bool
hot_window_is_known(const struct hot_file *, uint64_t number, uint64_t now_ms);
void hot_window_seen(struct hot_file *, uint64_t number, uint64_t now_ms);

#endif
