#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "train/payload.h"

static const char *const code_names[] = {
	[TRAIN_E_PROTOCOL] = "protocol",
	[TRAIN_E_VERSION] = "version",
	[TRAIN_E_NOT_FOUND] = "not found",
	[TRAIN_E_NOT_FILE] = "not a file",
	[TRAIN_E_NOT_FOLDER] = "not a folder",
	[TRAIN_E_DENIED] = "denied",
	[TRAIN_E_OFFSET] = "offset",
	[TRAIN_E_CHANGED] = "changed",
	[TRAIN_E_IO] = "unreadable",
	[TRAIN_E_BUSY] = "busy",
	[TRAIN_E_ENDING] = "ending",
};
static_assert(sizeof(code_names) / sizeof(code_names[0]) == TRAIN_CODE_MAX + 1,
    "each code has its name");

/* ---- the sentence of an error ---- */
static size_t sentence_step(const char *text, size_t len, size_t *used);
static bool is_sentence(const char *text, size_t len);
static uint16_t make_sentence(char *out, const char *text);

const char *
train_code_name(enum train_code code)
{
	if (code < 1 || code > TRAIN_CODE_MAX)
		return "unknown";
	return code_names[code];
}

enum train_result
train_head_parse(const struct train_frame *frame, const void *p,
    struct train_head *head, const char **reason)
{
	struct payload in;
	enum train_result r;
	unsigned kind, zero;

	memset(head, 0, sizeof(*head));
	payload_open(&in, frame, TRAIN_HEAD, p);
	kind = reader_u8(&in.r);
	zero = reader_u8(&in.r);
	zero |= reader_u16(&in.r);
	head->mode = reader_u32(&in.r);
	head->size = payload_get_size(&in, "a size over 2^63 - 1");
	head->mtime_ns = (int64_t)reader_u64(&in.r);
	head->offset = reader_u64(&in.r);
	if (kind != TRAIN_FILE && kind != TRAIN_DIR)
		payload_refuse(&in, "neither a file nor a folder");
	else
		head->kind = (enum train_kind)kind;
	if (zero != 0)
		payload_refuse(&in, "bytes that must be zero are not");
	if (head->mode > 0777)
		payload_refuse(&in, "a mode over 0777");
	if (kind == TRAIN_DIR && head->size != 0)
		payload_refuse(&in, "a folder with a size");
	if (head->offset > head->size)
		payload_refuse(&in, "an offset past the size");
	payload_get_path(&in, &head->path);
	if (head->path.n == 0)
		payload_refuse(&in, "no name");
	r = payload_close(&in, reason);
	if (r != TRAIN_OK)
		memset(head, 0, sizeof(*head));
	return r;
}

int
train_head_put(struct buf *b, const struct train_head *head)
{
	uint32_t len = 4 + 4 + 3 * 8 + payload_path_size(&head->path);

	if (payload_begin(b, TRAIN_HEAD, 0, len) != 0)
		return -ENOBUFS;
	buf_put_u8(b, (uint8_t)head->kind);
	buf_put_u8(b, 0);
	buf_put_u16(b, 0);
	buf_put_u32(b, head->mode);
	buf_put_u64(b, head->size);
	buf_put_u64(b, (uint64_t)head->mtime_ns);
	buf_put_u64(b, head->offset);
	payload_put_path(b, &head->path);
	return 0;
}

enum train_result
train_end_parse(const struct train_frame *frame, const void *p,
    struct train_end *end, const char **reason)
{
	static const uint8_t none[TRAIN_SHA256_SIZE];
	const unsigned char *digest;
	struct payload in;
	enum train_result r;

	memset(end, 0, sizeof(*end));
	payload_open(&in, frame, TRAIN_END, p);
	end->flags = frame->flags;
	end->size = payload_get_size(&in, "a size over 2^63 - 1");
	digest = reader_bytes(&in.r, sizeof(end->sha256));
	if (digest != NULL)
		memcpy(end->sha256, digest, sizeof(end->sha256));
	if ((frame->flags & TRAIN_F_DIGEST) == 0 &&
	    memcmp(end->sha256, none, sizeof(none)) != 0)
		payload_refuse(&in, "a digest that is not said to be there");
	r = payload_close(&in, reason);
	if (r != TRAIN_OK)
		memset(end, 0, sizeof(*end));
	return r;
}

int
train_end_put(struct buf *b, const struct train_end *end)
{
	static const uint8_t none[TRAIN_SHA256_SIZE];
	bool there = (end->flags & TRAIN_F_DIGEST) != 0;

	if (payload_begin(b, TRAIN_END, end->flags, 8 + sizeof(none)) != 0)
		return -ENOBUFS;
	buf_put_u64(b, end->size);
	return buf_put(b, there ? end->sha256 : none, sizeof(none));
}

enum train_result
train_sum_parse(const struct train_frame *frame, const void *p,
    struct train_sum *sum, const char **reason)
{
	struct payload in;
	enum train_result r;

	memset(sum, 0, sizeof(*sum));
	payload_open(&in, frame, TRAIN_SUM, p);
	sum->flags = frame->flags;
	sum->files = reader_u64(&in.r);
	sum->folders = reader_u64(&in.r);
	sum->bytes = reader_u64(&in.r);
	sum->links = reader_u64(&in.r);
	sum->special = reader_u64(&in.r);
	sum->unreadable = reader_u64(&in.r);
	r = payload_close(&in, reason);
	if (r != TRAIN_OK)
		memset(sum, 0, sizeof(*sum));
	return r;
}

int
train_sum_put(struct buf *b, const struct train_sum *sum)
{
	if (payload_begin(b, TRAIN_SUM, sum->flags, 6 * 8) != 0)
		return -ENOBUFS;
	buf_put_u64(b, sum->files);
	buf_put_u64(b, sum->folders);
	buf_put_u64(b, sum->bytes);
	buf_put_u64(b, sum->links);
	buf_put_u64(b, sum->special);
	return buf_put_u64(b, sum->unreadable);
}

enum train_result
train_error_parse(const struct train_frame *frame, const void *p,
    struct train_error *error, const char **reason)
{
	const unsigned char *text;
	struct payload in;
	enum train_result r;
	unsigned code, scope, zero;

	memset(error, 0, sizeof(*error));
	payload_open(&in, frame, TRAIN_ERROR, p);
	code = reader_u16(&in.r);
	scope = reader_u8(&in.r);
	zero = reader_u8(&in.r);
	if (code < 1 || code > TRAIN_CODE_MAX)
		payload_refuse(&in, "a code that is not known");
	else
		error->code = (enum train_code)code;
	if (scope < TRAIN_ENTRY || scope > TRAIN_CONNECTION)
		payload_refuse(&in, "a scope that is not known");
	else
		error->scope = (enum train_scope)scope;
	if (zero != 0)
		payload_refuse(&in, "bytes that must be zero are not");
	if (in.why == NULL) {
		error->len = (uint16_t)in.r.left;
		text = reader_bytes(&in.r, in.r.left);
		if (error->len > 0)
			memcpy(error->text, text, error->len);
		if (!is_sentence(error->text, error->len))
			payload_refuse(
			    &in, "a sentence that is not plain text");
	}
	r = payload_close(&in, reason);
	if (r != TRAIN_OK)
		memset(error, 0, sizeof(*error));
	return r;
}

int
train_error_put(struct buf *b, enum train_code code, enum train_scope scope,
    const char *text)
{
	char sentence[LIM_TRAIN_TEXT_BYTES];
	uint16_t len = make_sentence(sentence, text);

	if (payload_begin(b, TRAIN_ERROR, 0, 4u + len) != 0)
		return -ENOBUFS;
	buf_put_u16(b, (uint16_t)code);
	buf_put_u8(b, (uint8_t)scope);
	buf_put_u8(b, 0);
	return buf_put(b, sentence, len);
}

/* The length of the character at text, 0 when it has no place in a sentence:
 * then *used is the one byte to pass over. */
static size_t
sentence_step(const char *text, size_t len, size_t *used)
{
	uint32_t cp;
	size_t n = text_utf8(text, len, &cp);

	*used = n == 0 ? 1 : n;
	if (n > 0 && (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)))
		return 0;
	return n;
}

static bool
is_sentence(const char *text, size_t len)
{
	size_t used;

	for (; len > 0; text += used, len -= used)
		if (sentence_step(text, len, &used) == 0)
			return false;
	return true;
}

/* What has no place becomes "?"; what is too much is left out. */
static uint16_t
make_sentence(char *out, const char *text)
{
	size_t left = strlen(text), len = 0, n, used;

	for (; left > 0; text += used, left -= used) {
		n = sentence_step(text, left, &used);
		if ((n == 0 ? 1 : n) > LIM_TRAIN_TEXT_BYTES - len)
			break;
		if (n == 0)
			out[len++] = '?';
		else
			memcpy(out + len, text, n);
		len += n;
	}
	return (uint16_t)len;
}
