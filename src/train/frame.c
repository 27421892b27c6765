#include <assert.h>
#include <errno.h>
#include <string.h>

#include "train/payload.h"

#define GET_FIXED (3 * 8)
#define TREE_FIXED 8
#define HEAD_FIXED (4 + 4 + 3 * 8)
#define END_SIZE (8 + TRAIN_SHA256_SIZE)
#define SUM_SIZE (6 * 8)
#define ERROR_FIXED 4
#define NO_PATH 2 /* the root: a count of names, 0 */
#define SHORT_PATH 5 /* one name of one byte */

/* Every frame there is; protocol.md has the same table. */
static const struct train_rule rules[] = {
	{ TRAIN_GET, TRAIN_FROM_CLIENT, GET_FIXED + NO_PATH,
	    LIM_TRAIN_REQUEST_BYTES,
	    TRAIN_F_IF_SAME | TRAIN_F_NO_DIGEST | TRAIN_F_ANEW, "GET" },
	{ TRAIN_TREE, TRAIN_FROM_CLIENT, TREE_FIXED + 3 * NO_PATH,
	    LIM_TRAIN_REQUEST_BYTES,
	    TRAIN_F_HEADS_ONLY | TRAIN_F_NO_DIGEST | TRAIN_F_ANEW, "TREE" },
	{ TRAIN_LIST, TRAIN_FROM_CLIENT, 2 * NO_PATH, LIM_TRAIN_REQUEST_BYTES,
	    0, "LIST" },
	{ TRAIN_HEAD, TRAIN_FROM_SERVER, HEAD_FIXED + SHORT_PATH,
	    HEAD_FIXED + PAYLOAD_PATH_MAX, 0, "HEAD" },
	{ TRAIN_DATA, TRAIN_FROM_SERVER, 1, LIM_TRAIN_DATA_BYTES, 0, "DATA" },
	{ TRAIN_END, TRAIN_FROM_SERVER, END_SIZE, END_SIZE, TRAIN_F_DIGEST,
	    "END" },
	{ TRAIN_SUM, TRAIN_FROM_SERVER, SUM_SIZE, SUM_SIZE, TRAIN_F_MORE,
	    "SUM" },
	{ TRAIN_ERROR, TRAIN_FROM_SERVER, ERROR_FIXED,
	    ERROR_FIXED + LIM_TRAIN_TEXT_BYTES, 0, "ERROR" },
};

static_assert(TREE_FIXED + 3 * PAYLOAD_PATH_MAX <= LIM_TRAIN_REQUEST_BYTES,
    "a TREE with three longest paths is a request");

static const unsigned char hello_zeros[3];

const struct train_rule *
train_rule_of(uint8_t type)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

const char *
train_rule_broken(
    const struct train_rule *rule, const struct train_frame *frame)
{
	if ((frame->flags & ~rule->flags) != 0)
		return "a flag that this type does not have";
	if (frame->len < rule->min)
		return "too short for its type";
	if (frame->len > rule->max)
		return "too long for its type";
	return NULL;
}

const char *
train_type_name(uint8_t type)
{
	const struct train_rule *rule = train_rule_of(type);

	return rule == NULL ? "?" : rule->name;
}

enum train_result
train_hello_parse(
    const void *p, size_t len, uint8_t *version, const char **reason)
{
	const unsigned char *bytes = p;
	size_t magic = sizeof(TRAIN_MAGIC) - 1;

	*version = 0;
	*reason = NULL;
	if (len > TRAIN_HELLO_SIZE)
		len = TRAIN_HELLO_SIZE;
	if (len == 0)
		return TRAIN_MORE;
	if (memcmp(bytes, TRAIN_MAGIC, len < magic ? len : magic) != 0)
		return bad(reason, "it does not begin with the train's magic");
	if (len > magic + 1 &&
	    memcmp(bytes + magic + 1, hello_zeros, len - magic - 1) != 0)
		return bad(reason, "the hello's last three bytes are not zero");
	if (len < TRAIN_HELLO_SIZE)
		return TRAIN_MORE;
	*version = bytes[magic];
	return TRAIN_OK;
}

int
train_hello_put(struct buf *b, uint8_t version)
{
	if (buf_room(b) < TRAIN_HELLO_SIZE)
		return -ENOBUFS;
	buf_put(b, TRAIN_MAGIC, sizeof(TRAIN_MAGIC) - 1);
	buf_put_u8(b, version);
	return buf_put(b, hello_zeros, sizeof(hello_zeros));
}

enum train_result
train_frame_parse(const void *p, size_t len, enum train_side from,
    struct train_frame *out, const char **reason)
{
	const struct train_rule *rule;
	struct train_frame frame;
	const char *broken;
	struct reader r;
	uint16_t zero;

	memset(out, 0, sizeof(*out));
	*reason = NULL;
	if (len < TRAIN_HEADER_SIZE)
		return TRAIN_MORE;
	reader_init(&r, p, TRAIN_HEADER_SIZE);
	frame.len = reader_u32(&r);
	frame.type = reader_u8(&r);
	frame.flags = reader_u8(&r);
	zero = reader_u16(&r);
	rule = train_rule_of(frame.type);
	if (rule == NULL)
		return bad(reason, "a type of frame that is not known");
	if (rule->side != from)
		return bad(
		    reason, "a type of frame that this side never sends");
	if (zero != 0)
		return bad(reason, "the header's last two bytes are not zero");
	broken = train_rule_broken(rule, &frame);
	if (broken != NULL)
		return bad(reason, broken);
	*out = frame;
	return TRAIN_OK;
}

int
train_frame_put(
    struct buf *b, enum train_type type, uint8_t flags, uint32_t len)
{
	if (buf_room(b) < TRAIN_HEADER_SIZE)
		return -ENOBUFS;
	buf_put_u32(b, len);
	buf_put_u8(b, (uint8_t)type);
	buf_put_u8(b, flags);
	return buf_put_u16(b, 0);
}
