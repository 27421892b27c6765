/* What the train's payloads are read and written with; for this folder. */
#ifndef TRAIN_PAYLOAD_H
#define TRAIN_PAYLOAD_H

#include "train/train.h"

/* A path with the most names that its bytes leave room for. */
#define PAYLOAD_PATH_MAX \
	(2 + 2 * LIM_PATH_SEGS + (LIM_PATH_BYTES - (LIM_PATH_SEGS - 1)))

/* What a file can have: off_t's largest. */
#define PAYLOAD_SIZE_MAX ((uint64_t)INT64_MAX)

/* One row of the table of frames. */
struct train_rule {
	enum train_type type;
	enum train_side side;
	uint32_t min; /* of the payload */
	uint32_t max;
	uint8_t flags; /* those it may have */
	const char *name;
};

/* NULL for a type that is not known. */
const struct train_rule *train_rule_of(uint8_t type);

/* What in the header breaks the rule, or NULL. */
const char *
train_rule_broken(const struct train_rule *, const struct train_frame *);

static inline enum train_result
bad(const char **reason, const char *why)
{
	*reason = why;
	return TRAIN_BAD;
}

/* A payload being read: the first thing wrong with it stays in why. */
struct payload {
	struct reader r;
	const char *why; /* NULL: nothing so far */
};

/* Sets why when the frame is not one of the type, by its header alone. */
void payload_open(struct payload *, const struct train_frame *, enum train_type,
    const void *p);
void payload_refuse(struct payload *, const char *why);
/* A size or offset. */
uint64_t payload_get_size(struct payload *, const char *why_over);
void payload_get_path(struct payload *, struct path *);
/* TRAIN_OK when all was right and nothing is left over. */
enum train_result payload_close(const struct payload *, const char **reason);

/* Bytes that the path takes in a payload. */
uint32_t payload_path_size(const struct path *);
/* The caller has made sure of the room. */
void payload_put_path(struct buf *, const struct path *);

/* The frame's header, if all of the frame fits; 0 or -ENOBUFS. */
int payload_begin(struct buf *, enum train_type, uint8_t flags, uint32_t len);

#endif
