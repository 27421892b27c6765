/*
 * Names of any bytes, in a listing and in each escape.  Whatever they are, the
 * page and the JSON have the shape that they have with harmless names in their
 * place, hold nothing but UTF-8 that shows as itself, and the names can be
 * read back from the links and from the JSON.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "http/escape.h"
#include "http/listing.h"
#include "http/reply.h"
#include "must.h"

#define MAX_ENTRIES 8
#define PAGE_MAX                                                \
	(LISTING_HEAD_ROOM + MAX_ENTRIES * LISTING_ENTRY_ROOM + \
	    LISTING_TAIL_ROOM)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What is listed. */
struct scene {
	struct listing l;
	struct path folder;
	unsigned n;
	struct listing_entry e[MAX_ENTRIES];
	struct str next_after;
};

static char page[PAGE_MAX], harmless[PAGE_MAX];

/* ---- escapes, read back ---- */

static int
hex(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	must(at != NULL);
	return (int)(at - digits);
}

static bool
is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

/* Takes the URL form of name off the front of s. */
static struct str
past_url(struct str s, struct str name)
{
	unsigned char c;

	for (size_t i = 0; i < name.len; i++) {
		must(s.len > 0);
		c = (unsigned char)*s.p;
		if (c == '%') {
			must(s.len >= 3);
			c = (unsigned char)(hex(s.p[1]) << 4 | hex(s.p[2]));
			s.p += 2;
			s.len -= 2;
		} else {
			must(is_unreserved(*s.p));
		}
		must(c == (unsigned char)name.p[i]);
		s.p++;
		s.len--;
	}
	return s;
}

static void
check_log(struct str name)
{
	char mem[ESCAPE_LOG_MAX * 256];
	struct buf out;
	const char *p;
	size_t i = 0;

	buf_init(&out, mem, sizeof(mem));
	must(escape_log(&out, name) == 0);
	p = (const char *)buf_head(&out);
	for (size_t at = 0; at < buf_len(&out); at++, i++) {
		must(p[at] >= 0x20 && p[at] < 0x7f && p[at] != '"');
		must(i < name.len);
		if (p[at] == '\\') {
			must(at + 3 < buf_len(&out) && p[at + 1] == 'x');
			must((hex(p[at + 2]) << 4 | hex(p[at + 3])) ==
			     (unsigned char)name.p[i]);
			at += 3;
		} else {
			must(p[at] == name.p[i]);
		}
	}
	must(i == name.len);
}

/* One line, in which nothing ends a string too early. */
static void
check_disposition(struct str name)
{
	static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	char mem[256 + 4 * 256];
	unsigned lines = 0, quotes = 0;
	struct reply r;
	struct buf out;
	const char *p;

	buf_init(&out, mem, sizeof(mem));
	reply_begin(&r, &out, 200, date);
	reply_disposition(&r, false, name);
	must(reply_end(&r) == 0);
	p = (const char *)buf_head(&out);
	for (size_t i = 0; i < buf_len(&out); i++) {
		lines += p[i] == '\n';
		quotes += p[i] == '"';
		must((p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\') ||
		     p[i] == '\r' || p[i] == '\n');
	}
	must(lines == 5 && quotes == 2);
}

/* ---- listings ---- */

static struct str
write_scene(const struct scene *scene, char *mem)
{
	struct listing l = scene->l;
	struct buf out;
	size_t before;

	buf_init(&out, mem, PAGE_MAX);
	must(listing_begin(&l, &out) == 0);
	must(buf_len(&out) <= LISTING_HEAD_ROOM);
	for (unsigned i = 0; i < scene->n; i++) {
		before = buf_len(&out);
		must(listing_entry(&l, &out, &scene->e[i]) == 0);
		must(buf_len(&out) - before <= LISTING_ENTRY_ROOM);
	}
	before = buf_len(&out);
	must(listing_end(&l, &out, scene->next_after) == 0);
	must(buf_len(&out) - before <= LISTING_TAIL_ROOM);
	return (struct str){ mem, buf_len(&out) };
}

/* The same with "x" for every name, which changes no shape. */
static void
make_harmless(struct scene *to, const struct scene *from)
{
	*to = *from;
	path_init(&to->folder);
	for (unsigned i = 0; i < from->folder.n; i++)
		must(path_push(&to->folder, "x", 1) == PATH_OK);
	to->l.folder = &to->folder;
	for (unsigned i = 0; i < to->n; i++)
		to->e[i].name = STR("x");
	if (to->l.after.len > 0)
		to->l.after = STR("x");
	if (to->next_after.p != NULL)
		to->next_after = STR("x");
}

/* Text, at its byte i: it ends nothing and begins nothing. */
static void
check_text(const char *p, size_t i, size_t len)
{
	static const char *const entities[] = { "&amp;", "&lt;", "&gt;",
		"&quot;", "&#39;" };
	bool is_entity = false;
	size_t n;

	must(p[i] == '\0' || strchr("<>\"'", p[i]) == NULL);
	if (p[i] != '&')
		return;
	for (size_t k = 0; k < sizeof(entities) / sizeof(entities[0]); k++) {
		n = strlen(entities[k]);
		is_entity |= n <= len - i && memcmp(p + i, entities[k], n) == 0;
	}
	must(is_entity);
}

/* In place, all but the text: what is between tags, and in quotes. */
static struct str
html_shape(char *p, size_t len)
{
	bool in_tag = false, in_quotes = false;
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		char c = p[i];

		if (in_quotes ? c != '"' : !in_tag && c != '<' && c != '\n') {
			check_text(p, i, len);
			continue;
		}
		if (!in_tag)
			in_tag = c == '<';
		else if (c == '"')
			in_quotes = !in_quotes;
		else
			in_tag = c != '>';
		must(to == 0 || c != '<' || p[to - 1] == '>' ||
		     p[to - 1] == '\n');
		p[to++] = c;
	}
	must(!in_tag && !in_quotes);
	return (struct str){ p, to };
}

static struct str
json_shape(char *p, size_t len)
{
	bool in_string = false;
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		if (!in_string || p[i] == '"')
			p[to++] = p[i];
		if (p[i] == '"')
			in_string = !in_string;
		if (!in_string)
			continue;
		must(
		    p[i] != '<' && p[i] != '>' && p[i] != '\'' && p[i] != '\n');
		if (p[i] == '\\') {
			must(++i < len);
			if (p[i] == 'u') {
				must(len - i > 4);
				for (int k = 1; k <= 4; k++)
					hex(p[i + k]);
				i += 4;
			} else {
				must(p[i] == '"' || p[i] == '\\');
			}
		}
	}
	must(!in_string);
	return (struct str){ p, to };
}

static bool
takes(struct str *s, const char *text)
{
	size_t n = strlen(text);

	if (s->len < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	s->len -= n;
	return true;
}

/* Moves on to behind the next text, which is there. */
static void
skip_past(struct str *s, const char *text)
{
	while (!takes(s, text)) {
		must(s->len > 0);
		s->p++;
		s->len--;
	}
}

/* The name in s, a JSON string behind its quote, is this one. */
static struct str
past_json(struct str s, struct str name)
{
	uint32_t want, got;
	size_t n, m;

	while (name.len > 0) {
		n = text_utf8(name.p, name.len, &want);
		if (n == 0) {
			n = 1;
			want = 0xfffd;
		}
		name.p += n;
		name.len -= n;
		if (takes(&s, "\\u")) {
			must(s.len >= 4);
			got = (uint32_t)(hex(s.p[0]) << 12 | hex(s.p[1]) << 8 |
					 hex(s.p[2]) << 4 | hex(s.p[3]));
			m = 4;
		} else {
			takes(&s, "\\");
			m = text_utf8(s.p, s.len, &got);
			must(m > 0);
		}
		must(got == want);
		s.p += m;
		s.len -= m;
	}
	return s;
}

static void
check_entries(const struct scene *scene, struct str s)
{
	const struct listing_entry *e;

	for (unsigned i = 0; i < scene->n; i++) {
		e = &scene->e[i];
		if (scene->l.form == LISTING_HTML) {
			skip_past(&s, "<tr><td><a href=\"");
			if (i == 0 && scene->folder.n > 0)
				skip_past(&s, "<tr><td><a href=\"");
			s = past_url(s, e->name);
			must(!e->is_dir || takes(&s, "/"));
			must(takes(&s, "\">"));
			continue;
		}
		skip_past(&s, "\n{\"name\":\"");
		s = past_json(s, e->name);
		must(takes(&s, "\","));
		if (!text_is_utf8(e->name.p, e->name.len)) {
			must(takes(&s, "\"url\":\""));
			s = past_url(s, e->name);
			must(!e->is_dir || takes(&s, "/"));
			must(takes(&s, "\","));
		}
		must(takes(&s, "\"type\""));
	}
	if (scene->next_after.p != NULL) {
		skip_past(&s, "\"?after=");
		s = past_url(s, scene->next_after);
		must(s.len > 0 && (*s.p == '"' || *s.p == '&'));
	}
}

/* "url" comes and goes with what the names are. */
static bool
all_utf8(const struct scene *scene)
{
	bool all = text_is_utf8(scene->folder.bytes, scene->folder.len);

	for (unsigned i = 0; i < scene->n; i++)
		all &= text_is_utf8(scene->e[i].name.p, scene->e[i].name.len);
	return all;
}

static void
check_scene(const struct scene *scene)
{
	struct str got = write_scene(scene, page), want, shape;
	static struct scene plain;
	uint32_t cp;

	for (size_t at = 0, n; at < got.len; at += n) {
		n = text_utf8(got.p + at, got.len - at, &cp);
		must(n > 0 && (cp == '\n' || text_is_shown(cp)));
	}
	check_entries(scene, got);
	make_harmless(&plain, scene);
	want = write_scene(&plain, harmless);
	if (scene->l.form == LISTING_HTML) {
		shape = html_shape(page, got.len);
		want = html_shape(harmless, want.len);
	} else {
		shape = json_shape(page, got.len);
		want = json_shape(harmless, want.len);
	}
	if (scene->l.form == LISTING_HTML || all_utf8(scene))
		must(str_is(shape, want));
}

/* A byte of length, then as many bytes of a name. */
static struct str
next_name(struct str *in)
{
	struct str name = STR("");

	if (in->len == 0)
		return name;
	name.len = (unsigned char)*in->p;
	in->p++;
	in->len--;
	if (name.len > in->len)
		name.len = in->len;
	name.p = in->p;
	in->p += name.len;
	in->len -= name.len;
	return name;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str in = { (const char *)data, len }, name;
	static struct scene scene;
	unsigned flags, depth;

	static_assert(LIM_SEG_BYTES == UINT8_MAX, "any length is a name's");
	if (len < 2)
		return 0;
	flags = data[0];
	depth = data[1];
	in.p += 2;
	in.len -= 2;
	memset(&scene.l, 0, sizeof(scene.l));
	scene.l.form = flags & 1 ? LISTING_JSON : LISTING_HTML;
	scene.l.key = (enum listing_key)(flags >> 1 & 3) % 3;
	scene.l.descending = flags & 8;
	scene.l.is_sorted = flags & 16;
	scene.l.limit = flags & 32 ? UINT32_MAX : 0;
	scene.l.folder = &scene.folder;
	scene.next_after = (struct str){ NULL, 0 };
	scene.n = 0;
	path_init(&scene.folder);
	/* What is no segment is passed over. */
	for (; depth > 0 && in.len > 0; depth--) {
		name = next_name(&in);
		(void)path_push(&scene.folder, name.p, name.len);
	}
	if (flags & 64)
		scene.l.after = next_name(&in);
	while (in.len > 0 && scene.n < MAX_ENTRIES) {
		name = next_name(&in);
		check_log(name);
		check_disposition(name);
		scene.e[scene.n].name = name;
		scene.e[scene.n].is_dir = scene.n % 2;
		scene.e[scene.n].size = len;
		scene.e[scene.n++].mtime = (int64_t)((uint64_t)len
						     << flags % 64);
	}
	if (flags & 128 && scene.n > 0)
		scene.next_after = scene.e[scene.n - 1].name;
	check_scene(&scene);
	return 0;
}
