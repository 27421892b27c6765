/*
 * What the tests of the train share: any message in one union, a receiver of
 * whole frames, rows of hex.
 */
#ifndef TRAIN_RIG_H
#define TRAIN_RIG_H

#include "helper.h"
#include "train/train.h"

#define C TRAIN_FROM_CLIENT
#define S TRAIN_FROM_SERVER

/* The payload of any type. */
union message {
	struct train_get get;
	struct train_tree tree;
	struct train_list list;
	struct train_head head;
	struct train_end end;
	struct train_sum sum;
	struct train_error error;
};

static const char *const seeds[] = {
	[TRAIN_FROM_CLIENT] = "fuzz_train_client",
	[TRAIN_FROM_SERVER] = "fuzz_train_server",
};

static inline enum train_result
payload_parse(const struct train_frame *f, const void *p, union message *m,
    const char **why)
{
	switch (f->type) {
	case TRAIN_GET:
		return train_get_parse(f, p, &m->get, why);
	case TRAIN_TREE:
		return train_tree_parse(f, p, &m->tree, why);
	case TRAIN_LIST:
		return train_list_parse(f, p, &m->list, why);
	case TRAIN_HEAD:
		return train_head_parse(f, p, &m->head, why);
	case TRAIN_END:
		return train_end_parse(f, p, &m->end, why);
	case TRAIN_SUM:
		return train_sum_parse(f, p, &m->sum, why);
	case TRAIN_ERROR:
		return train_error_parse(f, p, &m->error, why);
	default:
		return TRAIN_OK; /* DATA is bytes */
	}
}

static inline int
message_put(struct buf *b, uint8_t type, const union message *m)
{
	switch (type) {
	case TRAIN_GET:
		return train_get_put(b, &m->get);
	case TRAIN_TREE:
		return train_tree_put(b, &m->tree);
	case TRAIN_LIST:
		return train_list_put(b, &m->list);
	case TRAIN_HEAD:
		return train_head_put(b, &m->head);
	case TRAIN_END:
		return train_end_put(b, &m->end);
	case TRAIN_SUM:
		return train_sum_put(b, &m->sum);
	default:
		return train_error_put(
		    b, m->error.code, m->error.scope, m->error.text);
	}
}

/* Header, then payload when it is there: what a receiver does. */
static inline enum train_result
receive(const unsigned char *p, size_t len, enum train_side side,
    struct train_frame *frame, union message *m, const char **why)
{
	enum train_result r = train_frame_parse(p, len, side, frame, why);

	if (r != TRAIN_OK)
		return r;
	if (len - TRAIN_HEADER_SIZE < frame->len)
		return TRAIN_MORE;
	return payload_parse(frame, p + TRAIN_HEADER_SIZE, m, why);
}

/* ---- rows of hex ---- */

static inline int
digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	return at == NULL || c == '\0' ? -1 : (int)(at - digits);
}

/* "01 0203 'text'" -> bytes; returns how many. */
static inline size_t
from_hex(int line, const char *hex, unsigned char *out, size_t cap)
{
	size_t n = 0;

	while (*hex != '\0') {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		CHECK(line, hex, "has room", n < cap);
		if (*hex == '\'') {
			for (hex++; *hex != '\''; hex++)
				out[n++] = (unsigned char)*hex;
			hex++;
			continue;
		}
		CHECK(line, hex, "is hex",
		    digit(hex[0]) >= 0 && digit(hex[1]) >= 0);
		out[n++] = (unsigned char)(digit(hex[0]) << 4 | digit(hex[1]));
		hex += 2;
	}
	return n;
}

static inline bool
is_zero(const void *p, size_t n)
{
	const unsigned char *bytes = p;

	while (n > 0)
		if (bytes[--n] != 0)
			return false;
	return true;
}

static inline size_t
message_size(uint8_t type)
{
	switch (type) {
	case TRAIN_GET:
		return sizeof(struct train_get);
	case TRAIN_TREE:
		return sizeof(struct train_tree);
	case TRAIN_LIST:
		return sizeof(struct train_list);
	case TRAIN_HEAD:
		return sizeof(struct train_head);
	case TRAIN_END:
		return sizeof(struct train_end);
	case TRAIN_SUM:
		return sizeof(struct train_sum);
	case TRAIN_ERROR:
		return sizeof(struct train_error);
	default:
		return 0;
	}
}

#endif
