#include <assert.h>
#include <errno.h>
#include <string.h>

#include "path/path.h"

static_assert(LIM_PATH_BYTES <= UINT16_MAX, "positions are of 16 bits");

static const char *const result_texts[] = {
	[PATH_OK] = "the path is fine",
	[PATH_EMPTY] = "a name in the path is empty",
	[PATH_DOTS] = "a name in the path is . or ..",
	[PATH_SLASH] = "a name in the path has a slash in it",
	[PATH_NUL] = "a name in the path has a zero byte in it",
	[PATH_CONTROL] = "the path has a control byte in it",
	[PATH_ESCAPE] = "the path has a % without two hex digits",
	[PATH_NO_SLASH] = "the path does not begin with a slash",
	[PATH_SEG_LONG] = "a name in the path is too long",
	[PATH_LONG] = "the path is too long",
	[PATH_DEEP] = "the path is too deep",
	[PATH_RESERVED] = "a name in the path is reserved",
};
static_assert(sizeof(result_texts) / sizeof(result_texts[0]) == PATH_RESULTS,
    "each result has its text");

/* ---- URLs ---- */
struct url_reader {
	const char *p;
	size_t left;
};

static enum path_result
url_segment(struct url_reader *, char *seg, size_t *len);
static enum path_result url_byte(struct url_reader *, unsigned char *);
static bool is_control(unsigned char);
static int hex_value(char);
static bool is_unreserved(unsigned char);
/* ---- order ---- */
static int order_of(const struct path *, size_t i);

const char *
path_result_text(enum path_result r)
{
	return (unsigned)r < PATH_RESULTS ? result_texts[r]
					  : "the path is not valid";
}

void
path_init(struct path *p)
{
	p->n = 0;
	p->len = 0;
	p->wants_dir = false;
	p->bytes[0] = '\0';
}

enum path_result
path_check_segment(const void *seg, size_t len)
{
	const char *s = seg;

	if (len == 0)
		return PATH_EMPTY;
	if (len > LIM_SEG_BYTES)
		return PATH_SEG_LONG;
	if (s[0] == '.' && (len == 1 || (len == 2 && s[1] == '.')))
		return PATH_DOTS;
	if (memchr(s, '/', len) != NULL)
		return PATH_SLASH;
	if (memchr(s, '\0', len) != NULL)
		return PATH_NUL;
	if (len == sizeof(PATH_RESERVED_NAME) - 1 &&
	    memcmp(s, PATH_RESERVED_NAME, len) == 0)
		return PATH_RESERVED;
	return PATH_OK;
}

enum path_result
path_push(struct path *p, const void *seg, size_t len)
{
	enum path_result r;
	size_t start = p->n == 0 ? 0 : p->len + 1u;

	r = path_check_segment(seg, len);
	if (r != PATH_OK)
		return r;
	if (p->n == LIM_PATH_SEGS)
		return PATH_DEEP;
	if (start > LIM_PATH_BYTES || len > LIM_PATH_BYTES - start)
		return PATH_LONG;
	if (start > 0)
		p->bytes[start - 1] = '/';
	memcpy(p->bytes + start, seg, len);
	p->bytes[start + len] = '\0';
	p->start[p->n++] = (uint16_t)start;
	p->len = (uint16_t)(start + len);
	p->wants_dir = false;
	return PATH_OK;
}

void
path_pop(struct path *p)
{
	assert(p->n > 0);
	p->n--;
	p->len = p->n == 0 ? 0 : p->start[p->n] - 1;
	p->bytes[p->len] = '\0';
	p->wants_dir = false;
}

enum path_result
path_append(struct path *p, const struct path *b)
{
	size_t at = p->n == 0 ? 0 : p->len + 1u;

	if (b->n == 0)
		return PATH_OK;
	if (b->n > LIM_PATH_SEGS - p->n)
		return PATH_DEEP;
	if (at > LIM_PATH_BYTES || b->len > LIM_PATH_BYTES - at)
		return PATH_LONG;
	if (at > 0)
		p->bytes[at - 1] = '/';
	memcpy(p->bytes + at, b->bytes, b->len);
	for (unsigned i = 0; i < b->n; i++)
		p->start[p->n + i] = (uint16_t)(at + b->start[i]);
	p->n += b->n;
	p->len = (uint16_t)(at + b->len);
	p->bytes[p->len] = '\0';
	p->wants_dir = b->wants_dir;
	return PATH_OK;
}

enum path_result
path_from_url(struct path *p, const char *url, size_t len)
{
	struct url_reader in = { .p = url, .left = len };
	char seg[LIM_SEG_BYTES];
	enum path_result r;
	bool wants_dir = false;

	path_init(p);
	if (in.left == 0 || *in.p != '/')
		return PATH_NO_SLASH;
	while (in.left > 0) {
		in.p++; /* each round begins at a slash */
		in.left--;
		if (in.left == 0) {
			wants_dir = true;
			break;
		}
		r = url_segment(&in, seg, &len);
		if (r == PATH_OK)
			r = path_push(p, seg, len);
		if (r != PATH_OK) {
			path_init(p);
			return r;
		}
	}
	p->wants_dir = wants_dir;
	return PATH_OK;
}

/* Decodes up to the next slash that is one, or the end. */
static enum path_result
url_segment(struct url_reader *in, char *seg, size_t *len)
{
	enum path_result r;
	unsigned char c;

	for (*len = 0; in->left > 0 && *in->p != '/';) {
		r = url_byte(in, &c);
		if (r != PATH_OK)
			return r;
		if (*len == LIM_SEG_BYTES)
			return PATH_SEG_LONG;
		seg[(*len)++] = (char)c;
	}
	return PATH_OK;
}

/* The one place where a percent-escape is decoded, and it is done once. */
static enum path_result
url_byte(struct url_reader *in, unsigned char *c)
{
	size_t used = 1;
	int high, low;

	*c = (unsigned char)*in->p;
	if (*c == '%') {
		if (in->left < 3)
			return PATH_ESCAPE;
		high = hex_value(in->p[1]);
		low = hex_value(in->p[2]);
		if (high < 0 || low < 0)
			return PATH_ESCAPE;
		*c = (unsigned char)(high << 4 | low);
		used = 3;
	}
	if (*c == '\0')
		return PATH_NUL;
	if (*c == '/')
		return PATH_SLASH;
	if (is_control(*c))
		return PATH_CONTROL;
	in->p += used;
	in->left -= used;
	return PATH_OK;
}

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

bool
path_is_in_urls(const char *name)
{
	while (*name != '\0' && !is_control((unsigned char)*name))
		name++;
	return *name == '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long
path_to_url(const struct path *p, char *out, size_t cap)
{
	static const char digits[] = "0123456789ABCDEF";
	/* With wants_dir there is one more: the slash after the last name. */
	size_t end = p->len + (p->n > 0 && p->wants_dir ? 1u : 0u);
	size_t at = 0, need;
	unsigned char c;

	if (cap < 2)
		return -ENOBUFS;
	out[at++] = '/';
	for (size_t i = 0; i < end; i++) {
		c = i < p->len ? (unsigned char)p->bytes[i] : '/';
		need = c == '/' || is_unreserved(c) ? 1 : 3;
		if (need > cap - 1 - at)
			return -ENOBUFS;
		if (need == 3) {
			out[at++] = '%';
			out[at++] = digits[c >> 4];
			out[at++] = digits[c & 0xf];
		} else {
			out[at++] = (char)c;
		}
	}
	out[at] = '\0';
	return (long)at;
}

static bool
is_unreserved(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

int
path_cmp(const struct path *a, const struct path *b)
{
	size_t i = 0, least = a->len < b->len ? a->len : b->len;

	while (i < least && a->bytes[i] == b->bytes[i])
		i++;
	return order_of(a, i) - order_of(b, i);
}

/* The end sorts before a slash, a slash before every byte of a name. */
static int
order_of(const struct path *p, size_t i)
{
	if (i == p->len)
		return -1;
	return p->bytes[i] == '/' ? 0 : (unsigned char)p->bytes[i];
}

bool
path_is_within(const struct path *p, const struct path *dir)
{
	if (dir->n == 0)
		return true;
	if (p->n < dir->n || p->len < dir->len ||
	    memcmp(p->bytes, dir->bytes, dir->len) != 0)
		return false;
	return p->len == dir->len || p->bytes[dir->len] == '/';
}

const char *
path_string(const struct path *p)
{
	return p->n == 0 ? "." : p->bytes;
}

const char *
path_leaf(const struct path *p)
{
	return p->n == 0 ? "" : p->bytes + p->start[p->n - 1];
}

const char *
path_segment(const struct path *p, unsigned i, size_t *len)
{
	assert(i < p->n);
	*len = (i + 1u < p->n ? p->start[i + 1] - 1u : p->len) - p->start[i];
	return p->bytes + p->start[i];
}
