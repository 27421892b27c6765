/* The inside of an answer, for train_answer.c and train_fill.c alone. */
#ifndef SERVER_TRAIN_STATE_H
#define SERVER_TRAIN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/conn.h"
#include "server/digests.h"
#include "server/walks.h"
#include "server/window.h"
#include "store/store.h"
#include "train/train.h"

enum answer_state {
	ANSWER_OPEN, /* a job opens the file */
	ANSWER_FILL, /* a job fills the buffer with entries */
	ANSWER_FILE, /* the open file's data frames */
	ANSWER_DIGEST, /* its bytes are sent; its digest is due */
	ANSWER_ENDED
};

struct answer {
	struct conn *conn;
	struct train_frame frame; /* the request's */
	enum answer_state state;
	enum train_code code; /* 0: it went well */
	bool is_broken; /* no memory for a word: the connection must end */
	uint8_t flags; /* of the request: NO_DIGEST, HEADS_ONLY, ANEW */
	uint64_t began_ns;
	uint64_t sent_before; /* conn->n_sent then */
	struct job disk; /* open, fill or fetch: one at a time */
	int disk_result;
	/* the open file */
	int fd;
	struct store_meta meta;
	uint64_t off; /* the next byte to send */
	struct window window;
	bool is_fresh; /* meta was asked for in this very turn */
	bool is_changed; /* seen by a job: it is another than meta says */
	uint32_t frame_left; /* due in the frame that was opened */
	struct digest_wait digest; /* result 0: its sha256 is the file's */
	/* the walk; while the fill job is out all of it is the job's */
	struct walk_place walk;
	bool filled; /* fill has what the job has made */
	bool fill_ended; /* and it is the last */
	uint64_t fill_offset; /* where to begin in the file it opened */
	struct buf fill;
	struct train_sum sum;
	/* what was asked; not cleared, it is big */
	union {
		struct train_get get;
		struct train_tree tree;
		struct train_list list;
	} ask;
};

/* Sends a->fd from offset on, after the HEAD that is in out already. */
void answer_begin_file(struct answer *, uint64_t offset);

/* Looks for the kept digest of the file just opened: on the loop only where
 * the store cannot stall. */
void answer_look_up_digest(struct answer *);

/* The path the request names. */
const struct path *answer_path(const struct answer *);

#endif
