#include <errno.h>
#include <string.h>

#include "train/train.h"

int
push_head_put(struct buf *b, const char *name, uint64_t size)
{
	size_t len = strlen(name);

	if (path_check_segment(name, len) != PATH_OK)
		return -EINVAL;
	if (buf_room(b) < 4 + len + 8)
		return -ENOBUFS;
	buf_put_u32(b, (uint32_t)len);
	buf_put(b, name, len);
	return buf_put_u64(b, size);
}
