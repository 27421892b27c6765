#include <errno.h>
#include <string.h>

#include "train/payload.h"

enum train_result
train_get_parse(const struct train_frame *frame, const void *p,
    struct train_get *get, const char **reason)
{
	struct payload in;
	enum train_result r;

	memset(get, 0, sizeof(*get));
	payload_open(&in, frame, TRAIN_GET, p);
	get->flags = frame->flags;
	get->offset = payload_get_size(&in, "an offset over 2^63 - 1");
	get->same_size = payload_get_size(&in, "a size over 2^63 - 1");
	get->same_mtime_ns = (int64_t)reader_u64(&in.r);
	if ((frame->flags & TRAIN_F_IF_SAME) == 0 &&
	    (get->same_size != 0 || get->same_mtime_ns != 0))
		payload_refuse(&in, "a size or time to compare, unasked");
	payload_get_path(&in, &get->path);
	r = payload_close(&in, reason);
	if (r != TRAIN_OK)
		memset(get, 0, sizeof(*get));
	return r;
}

int
train_get_put(struct buf *b, const struct train_get *get)
{
	bool same = (get->flags & TRAIN_F_IF_SAME) != 0;
	uint32_t len = 3 * 8 + payload_path_size(&get->path);

	if (payload_begin(b, TRAIN_GET, get->flags, len) != 0)
		return -ENOBUFS;
	buf_put_u64(b, get->offset);
	buf_put_u64(b, same ? get->same_size : 0);
	buf_put_u64(b, same ? (uint64_t)get->same_mtime_ns : 0);
	payload_put_path(b, &get->path);
	return 0;
}

enum train_result
train_tree_parse(const struct train_frame *frame, const void *p,
    struct train_tree *tree, const char **reason)
{
	struct payload in;
	enum train_result r;

	memset(tree, 0, sizeof(*tree));
	payload_open(&in, frame, TRAIN_TREE, p);
	tree->flags = frame->flags;
	tree->offset = payload_get_size(&in, "an offset over 2^63 - 1");
	payload_get_path(&in, &tree->root);
	payload_get_path(&in, &tree->from);
	payload_get_path(&in, &tree->until);
	if (tree->offset > 0 && tree->from.n == 0)
		payload_refuse(&in, "an offset without an entry to begin in");
	if (tree->offset > 0 && (tree->flags & TRAIN_F_HEADS_ONLY) != 0)
		payload_refuse(&in, "an offset where no data is asked for");
	r = payload_close(&in, reason);
	if (r != TRAIN_OK)
		memset(tree, 0, sizeof(*tree));
	return r;
}

int
train_tree_put(struct buf *b, const struct train_tree *tree)
{
	uint32_t len = 8 + payload_path_size(&tree->root) +
		       payload_path_size(&tree->from) +
		       payload_path_size(&tree->until);

	if (payload_begin(b, TRAIN_TREE, tree->flags, len) != 0)
		return -ENOBUFS;
	buf_put_u64(b, tree->offset);
	payload_put_path(b, &tree->root);
	payload_put_path(b, &tree->from);
	payload_put_path(b, &tree->until);
	return 0;
}

enum train_result
train_list_parse(const struct train_frame *frame, const void *p,
    struct train_list *list, const char **reason)
{
	struct payload in;
	enum train_result r;

	memset(list, 0, sizeof(*list));
	payload_open(&in, frame, TRAIN_LIST, p);
	list->flags = frame->flags;
	payload_get_path(&in, &list->folder);
	payload_get_path(&in, &list->after);
	if (list->after.n > 1)
		payload_refuse(&in, "more than one name to list after");
	r = payload_close(&in, reason);
	if (r != TRAIN_OK)
		memset(list, 0, sizeof(*list));
	return r;
}

int
train_list_put(struct buf *b, const struct train_list *list)
{
	uint32_t len = payload_path_size(&list->folder) +
		       payload_path_size(&list->after);

	if (payload_begin(b, TRAIN_LIST, list->flags, len) != 0)
		return -ENOBUFS;
	payload_put_path(b, &list->folder);
	payload_put_path(b, &list->after);
	return 0;
}
