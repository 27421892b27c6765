#include <errno.h>

#include "train/payload.h"

void
payload_open(struct payload *in, const struct train_frame *frame,
    enum train_type type, const void *p)
{
	const struct train_rule *rule = train_rule_of(type);

	reader_init(&in->r, p, frame->len);
	in->why = frame->type != type ? "another type of frame"
				      : train_rule_broken(rule, frame);
}

void
payload_refuse(struct payload *in, const char *why)
{
	if (in->why == NULL)
		in->why = in->r.bad ? "it ends too early" : why;
}

uint64_t
payload_get_size(struct payload *in, const char *why_over)
{
	uint64_t v = reader_u64(&in->r);

	if (v > PAYLOAD_SIZE_MAX)
		payload_refuse(in, why_over);
	return v;
}

void
payload_get_path(struct payload *in, struct path *path)
{
	const unsigned char *seg;
	enum path_result r;
	unsigned n, len;

	path_init(path);
	n = reader_u16(&in->r);
	if (n > LIM_PATH_SEGS) {
		payload_refuse(in, path_result_text(PATH_DEEP));
		return;
	}
	while (n-- > 0) {
		len = reader_u16(&in->r);
		seg = reader_bytes(&in->r, len);
		if (seg == NULL)
			return;
		r = path_push(path, seg, len);
		if (r != PATH_OK) {
			payload_refuse(in, path_result_text(r));
			return;
		}
	}
}

enum train_result
payload_close(const struct payload *in, const char **reason)
{
	if (in->why != NULL)
		return bad(reason, in->why);
	if (in->r.bad)
		return bad(reason, "it ends too early");
	if (!reader_done(&in->r))
		return bad(reason, "bytes left over at its end");
	*reason = NULL;
	return TRAIN_OK;
}

uint32_t
payload_path_size(const struct path *path)
{
	/* The names without the slashes between them. */
	uint32_t names = path->n == 0 ? 0 : path->len - (path->n - 1u);

	return 2 + 2u * path->n + names;
}

void
payload_put_path(struct buf *b, const struct path *path)
{
	const char *seg;
	size_t len;

	buf_put_u16(b, path->n);
	for (unsigned i = 0; i < path->n; i++) {
		seg = path_segment(path, i, &len);
		buf_put_u16(b, (uint16_t)len);
		buf_put(b, seg, len);
	}
}

int
payload_begin(struct buf *b, enum train_type type, uint8_t flags, uint32_t len)
{
	if (buf_room(b) < TRAIN_HEADER_SIZE ||
	    buf_room(b) - TRAIN_HEADER_SIZE < len)
		return -ENOBUFS;
	return train_frame_put(b, type, flags, len);
}
