/* What a server sends, and a client therefore parses. */
#include "train_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
put_error(struct buf *b, const struct train_error *error)
{
	must(strlen(error->text) == error->len);
	return train_error_put(b, error->code, error->scope, error->text);
}

STREAM_CHECK(head, train_head_put)
STREAM_CHECK(end, train_end_put)
STREAM_CHECK(sum, train_sum_put)
STREAM_CHECK(error, put_error)

static void
look_into(const struct train_frame *frame, const unsigned char *p)
{
	const struct train_head *head;
	const struct train_error *error;

	switch (frame->type) {
	case TRAIN_HEAD:
		head = check_head(frame, p);
		if (head == NULL)
			return;
		must(head->kind == TRAIN_FILE || head->kind == TRAIN_DIR);
		must(head->kind == TRAIN_FILE || head->size == 0);
		must(head->mode <= 0777);
		must(head->offset <= head->size && head->size <= INT64_MAX);
		must(head->path.n > 0);
		stream_check_path(&head->path);
		STREAM_CHECK_CUT(head, frame, p);
		break;
	case TRAIN_END:
		if (check_end(frame, p) != NULL)
			STREAM_CHECK_CUT(end, frame, p);
		break;
	case TRAIN_SUM:
		must(check_sum(frame, p) != NULL);
		STREAM_CHECK_CUT(sum, frame, p);
		break;
	case TRAIN_ERROR:
		error = check_error(frame, p);
		if (error == NULL)
			return;
		must(error->len <= LIM_TRAIN_TEXT_BYTES);
		for (size_t i = 0; i < error->len; i++)
			must((unsigned char)error->text[i] >= 0x20 &&
			     error->text[i] != 0x7f);
		break;
	default:
		must(!"a type that no server sends");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stream_run(data, size, TRAIN_FROM_SERVER, look_into);
	return 0;
}
