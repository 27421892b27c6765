#include "http/byte.h"
#include "http/chunk.h"

#include "base/limits.h"

#define SIZE_DIGITS 16

/* Where the next byte is, in the order they come. */
enum state {
	AT_SIZE,
	AT_BLANK, /* before a ";" */
	AT_EXTENSION_NAME, /* its first byte, or white space before it */
	AT_EXTENSION,
	AT_SIZE_LF,
	AT_DATA,
	AT_DATA_CR,
	AT_DATA_LF,
	AT_TRAILER, /* the first byte of a field, or the last line's CR */
	AT_FIELD_NAME,
	AT_FIELD_VALUE,
	AT_FIELD_LF,
	AT_LAST_LF,
	AT_END,
	AT_BAD
};

static const char bare_lf[] = "a line ends in a bare LF";

/* Each takes a byte: NULL, or why it cannot be there. */
static const char *step(struct chunk *, char);
static const char *in_size(struct chunk *, char);
static const char *in_extension(struct chunk *, char);
static const char *in_trailer(struct chunk *, char);
static const char *in_lf(struct chunk *, char, enum state next);

void
chunk_init(struct chunk *c)
{
	*c = (struct chunk){ .state = AT_SIZE };
}

enum chunk_result
chunk_next(
    struct chunk *c, struct str *in, struct str *data, const char **reason)
{
	const char *why = "the body was refused before";

	*data = (struct str){ NULL, 0 };
	while (in->len > 0 && c->state != AT_END && c->state != AT_BAD) {
		if (c->state == AT_DATA) {
			*data = *in;
			if (data->len > c->left)
				data->len = (size_t)c->left;
			in->p += data->len;
			in->len -= data->len;
			c->left -= data->len;
			if (c->left == 0)
				c->state = AT_DATA_CR;
			return CHUNK_DATA;
		}
		why = step(c, *in->p);
		if (why != NULL) {
			c->state = AT_BAD;
			break;
		}
		in->p++;
		in->len--;
	}
	if (c->state == AT_BAD) {
		*reason = why;
		return CHUNK_BAD;
	}
	return c->state == AT_END ? CHUNK_END : CHUNK_MORE;
}

static const char *
step(struct chunk *c, char b)
{
	switch ((enum state)c->state) {
	case AT_SIZE:
		return in_size(c, b);
	case AT_BLANK:
	case AT_EXTENSION_NAME:
	case AT_EXTENSION:
		return in_extension(c, b);
	case AT_SIZE_LF:
		return in_lf(c, b, c->left > 0 ? AT_DATA : AT_TRAILER);
	case AT_DATA_CR:
		if (b != '\r')
			return "a chunk's data does not end where its size "
			       "says";
		c->state = AT_DATA_LF;
		return NULL;
	case AT_DATA_LF:
		c->n_digits = 0;
		return in_lf(c, b, AT_SIZE);
	case AT_TRAILER:
	case AT_FIELD_NAME:
	case AT_FIELD_VALUE:
	case AT_FIELD_LF:
		return in_trailer(c, b);
	case AT_LAST_LF:
		return in_lf(c, b, AT_END);
	case AT_DATA:
	case AT_END:
	case AT_BAD:
		break;
	}
	return "no byte is looked at there";
}

static const char *
in_size(struct chunk *c, char b)
{
	int digit = byte_hex(b);

	if (digit >= 0) {
		if (c->n_digits == SIZE_DIGITS)
			return "a chunk's size is too long";
		c->left = c->left << 4 | (unsigned)digit;
		c->n_digits++;
		return NULL;
	}
	if (b == '\n')
		return bare_lf;
	if (c->n_digits == 0)
		return "a chunk has no size";
	c->state = b == '\r' ? AT_SIZE_LF : AT_BLANK;
	if (b == '\r')
		return NULL;
	return in_extension(c, b);
}

/* RFC 9112 7.1.1, as far as its end must be found. */
static const char *
in_extension(struct chunk *c, char b)
{
	if (c->state == AT_EXTENSION && b == '\r') {
		c->state = AT_SIZE_LF;
		return NULL;
	}
	if (b == '\n')
		return bare_lf;
	if (c->n_ext == LIM_HTTP_CHUNK_EXT_BYTES)
		return "too many bytes of chunk extensions";
	c->n_ext++;
	if (byte_is_blank(b))
		return NULL;
	if (c->state == AT_BLANK) {
		c->state = AT_EXTENSION_NAME;
		return b == ';' ? NULL
				: "a chunk's size is followed by no extension";
	}
	if (c->state == AT_EXTENSION_NAME) {
		c->state = AT_EXTENSION;
		return byte_is(b, BYTE_TOKEN)
			   ? NULL
			   : "a chunk's extension has no name";
	}
	return byte_is(b, BYTE_CONTROL)
		   ? "a chunk's extension has a control byte in it"
		   : NULL;
}

/* RFC 9112 7.1.2: lines as those of the head. */
static const char *
in_trailer(struct chunk *c, char b)
{
	if (c->state == AT_TRAILER && b == '\r') {
		c->state = AT_LAST_LF;
		return NULL;
	}
	if (c->n_trailer == LIM_HTTP_TRAILER_BYTES)
		return "too many bytes of trailer fields";
	c->n_trailer++;
	if (c->state == AT_FIELD_LF)
		return in_lf(c, b, AT_TRAILER);
	if (b == '\n')
		return bare_lf;
	if (c->state == AT_FIELD_VALUE) {
		if (b == '\r')
			c->state = AT_FIELD_LF;
		else if (byte_is(b, BYTE_CONTROL) && b != '\t')
			return "a trailer field has a control byte in it";
		return NULL;
	}
	if (c->state == AT_FIELD_NAME && b == ':') {
		c->state = AT_FIELD_VALUE;
		return NULL;
	}
	c->state = AT_FIELD_NAME;
	return byte_is(b, BYTE_TOKEN) ? NULL
				      : "a trailer field's name is no token";
}

static const char *
in_lf(struct chunk *c, char b, enum state next)
{
	c->state = next;
	return b == '\n' ? NULL : "a bare CR";
}
