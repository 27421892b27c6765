/* What a client sends, and a server therefore parses. */
#include "train_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

STREAM_CHECK(get, train_get_put)
STREAM_CHECK(tree, train_tree_put)
STREAM_CHECK(list, train_list_put)

static void
look_into(const struct train_frame *frame, const unsigned char *p)
{
	const struct train_get *get;
	const struct train_tree *tree;
	const struct train_list *list;

	must(frame->len <= LIM_TRAIN_REQUEST_BYTES);
	switch (frame->type) {
	case TRAIN_GET:
		get = check_get(frame, p);
		if (get == NULL)
			return;
		must(get->offset <= INT64_MAX);
		stream_check_path(&get->path);
		STREAM_CHECK_CUT(get, frame, p);
		break;
	case TRAIN_TREE:
		tree = check_tree(frame, p);
		if (tree == NULL)
			return;
		must(tree->offset == 0 || tree->from.n > 0);
		stream_check_path(&tree->root);
		stream_check_path(&tree->from);
		stream_check_path(&tree->until);
		STREAM_CHECK_CUT(tree, frame, p);
		break;
	case TRAIN_LIST:
		list = check_list(frame, p);
		if (list == NULL)
			return;
		must(list->after.n <= 1);
		stream_check_path(&list->folder);
		stream_check_path(&list->after);
		STREAM_CHECK_CUT(list, frame, p);
		break;
	default:
		must(!"a type that no client sends");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stream_run(data, size, TRAIN_FROM_CLIENT, look_into);
	return 0;
}
