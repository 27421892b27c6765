#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "http/date.h"
#include "http/escape.h"
#include "http/listing.h"

#define ROOT_NAME "Home"

/* What is written, until it fails. */
struct out {
	struct buf *buf;
	size_t before;
	int failed;
};

/* ---- writing ---- */
static void out_begin(struct out *, struct buf *);
static int out_end(struct out *); /* what has failed is taken back */
static void put(struct out *, const char *);
static void put_u64(struct out *, uint64_t);
static void put_html(struct out *, struct str);
static void put_json(struct out *, struct str);
static void put_url(struct out *, struct str);
/* ---- the page ---- */
static void html_begin(struct out *, const struct listing *);
static void html_crumbs(struct out *, const struct path *);
static void html_column(
    struct out *, const struct listing *, enum listing_key, const char *title);
static void html_entry(struct out *, const struct listing_entry *);
static void html_end(struct out *, const struct listing *, struct str after);
/* ---- JSON ---- */
static void json_begin(struct out *, const struct listing *);
static void json_entry(struct out *, const struct listing_entry *, bool first);
static void json_end(struct out *, const struct listing *, struct str after);
/* ---- both ---- */
static void put_ref(struct out *, const struct listing_entry *);
static void put_query(struct out *, const struct listing *, struct str after);
static const char *
put_param(struct out *, enum listing_form, const char *before, const char *);
static struct str leaf_of(const struct path *);
static struct str segment_of(const struct path *, unsigned i);

int
listing_begin(struct listing *l, struct buf *buf)
{
	struct out out;

	out_begin(&out, buf);
	if (l->form == LISTING_HTML)
		html_begin(&out, l);
	else
		json_begin(&out, l);
	l->n = 0;
	return out_end(&out);
}

int
listing_entry(struct listing *l, struct buf *buf, const struct listing_entry *e)
{
	struct out out;

	out_begin(&out, buf);
	if (l->form == LISTING_HTML)
		html_entry(&out, e);
	else
		json_entry(&out, e, l->n == 0);
	if (out_end(&out) != 0)
		return out.failed;
	l->n++;
	return 0;
}

int
listing_end(struct listing *l, struct buf *buf, struct str next_after)
{
	struct out out;

	out_begin(&out, buf);
	if (l->form == LISTING_HTML)
		html_end(&out, l, next_after);
	else
		json_end(&out, l, next_after);
	return out_end(&out);
}

static void
html_begin(struct out *out, const struct listing *l)
{
	put(out, "<!DOCTYPE html>\n"
		 "<html lang=\"en\">\n"
		 "<head>\n"
		 "<meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\""
		 " content=\"width=device-width, initial-scale=1\">\n"
		 "<link rel=\"stylesheet\" href=\"" LISTING_CSS_URL "\">\n"
		 "<title>");
	put_html(out, leaf_of(l->folder));
	put(out, " - netpan</title>\n"
		 "</head>\n"
		 "<body>\n");
	html_crumbs(out, l->folder);
	put(out, "<p>Download as <a href=\"?tar\">.tar</a>"
		 " <a href=\"?zip\">.zip</a></p>\n");
	put(out, "<table>\n"
		 "<thead><tr>");
	html_column(out, l, LISTING_BY_NAME, "Name");
	html_column(out, l, LISTING_BY_SIZE, "Size");
	html_column(out, l, LISTING_BY_TIME, "Changed (UTC)");
	put(out, "</tr></thead>\n"
		 "<tbody>\n");
	if (l->folder->n > 0)
		put(out, "<tr><td><a href=\"../\">../</a></td>"
			 "<td></td><td></td></tr>\n");
}

/* Each part of the path is a link to it: as many steps up as there are names
 * behind it. */
static void
html_crumbs(struct out *out, const struct path *p)
{
	put(out, "<nav aria-label=\"Folder\">");
	for (unsigned i = 0; i <= p->n; i++) {
		put(out, i == 0 ? "<a href=\"" : " / <a href=\"");
		if (i == p->n)
			put(out, "./\" aria-current=\"page");
		for (unsigned up = i; up < p->n; up++)
			put(out, "../");
		put(out, "\">");
		put_html(out, i == 0 ? STR(ROOT_NAME) : segment_of(p, i - 1));
		put(out, "</a>");
	}
	put(out, "</nav>\n");
}

/* The heading of the column that the page is sorted by turns the order round;
 * the others sort by theirs. */
static void
html_column(struct out *out, const struct listing *l, enum listing_key key,
    const char *title)
{
	bool is_key = l->key == key;
	struct listing other = {
		.key = key,
		.descending = is_key && !l->descending,
		.limit = l->limit,
	};

	put(out, "<th scope=\"col\"");
	if (is_key)
		put(out, l->descending ? " aria-sort=\"descending\">"
				       : " aria-sort=\"ascending\">");
	else
		put(out, ">");
	if (l->is_sorted) {
		put(out, "<a href=\"");
		put_query(out, &other, (struct str){ NULL, 0 });
		put(out, "\">");
	}
	put(out, title);
	if (is_key)
		put(out, l->descending ? " \u25bc" : " \u25b2");
	put(out, l->is_sorted ? "</a></th>" : "</th>");
}

static void
html_entry(struct out *out, const struct listing_entry *e)
{
	char date[DATE_ISO_LEN + 1], size[16];

	put(out, "<tr><td><a href=\"");
	put_ref(out, e);
	put(out, "\">");
	put_html(out, e->name);
	put(out, e->is_dir ? "/</a></td><td" : "</a></td><td");
	if (!e->is_dir) {
		put(out, " title=\"");
		put_u64(out, e->size);
		put(out, " bytes\">");
		put(out, text_size(size, sizeof(size), e->size));
	} else {
		put(out, ">");
	}
	date_format_iso(date, e->mtime);
	put(out, "</td><td><time datetime=\"");
	put(out, date);
	put(out, "\">");
	/* To the minute, and without the T. */
	date[10] = ' ';
	date[16] = '\0';
	put(out, date);
	put(out, "</time></td></tr>\n");
}

static void
html_end(struct out *out, const struct listing *l, struct str after)
{
	put(out, "</tbody>\n"
		 "</table>\n");
	if (l->n == 0)
		put(out, l->after.len > 0 ? "<p>Nothing more.</p>\n"
					  : "<p>This folder is empty.</p>\n");
	if (l->after.len > 0 || after.p != NULL)
		put(out, "<nav aria-label=\"Pages\">");
	if (l->after.len > 0) {
		put(out, "<a href=\"");
		put_query(out, l, (struct str){ NULL, 0 });
		put(out, "\">First page</a> ");
	}
	if (after.p != NULL) {
		put(out, "<a rel=\"next\" href=\"");
		put_query(out, l, after);
		put(out, "\">Next page</a>");
	}
	if (l->after.len > 0 || after.p != NULL)
		put(out, "</nav>\n");
	put(out, "</body>\n"
		 "</html>\n");
}

static void
json_begin(struct out *out, const struct listing *l)
{
	const struct path *p = l->folder;
	struct str bytes = { p->bytes, p->len };

	put(out, "{\"path\":\"/");
	put_json(out, bytes);
	put(out, p->n > 0 ? "/\"" : "\"");
	if (!text_is_utf8(bytes.p, bytes.len)) {
		put(out, ",\"url\":\"/");
		for (unsigned i = 0; i < p->n; i++) {
			put_url(out, segment_of(p, i));
			put(out, "/");
		}
		put(out, "\"");
	}
	put(out, ",\"entries\":[");
}

static void
json_entry(struct out *out, const struct listing_entry *e, bool first)
{
	char date[DATE_ISO_LEN + 1];

	put(out, first ? "\n{\"name\":\"" : ",\n{\"name\":\"");
	put_json(out, e->name);
	if (!text_is_utf8(e->name.p, e->name.len)) {
		put(out, "\",\"url\":\"");
		put_ref(out, e);
	}
	if (e->is_dir) {
		put(out, "\",\"type\":\"folder\"");
	} else {
		put(out, "\",\"type\":\"file\",\"size\":");
		put_u64(out, e->size);
	}
	date_format_iso(date, e->mtime);
	put(out, ",\"mtime\":\"");
	put(out, date);
	put(out, "\"}");
}

static void
json_end(struct out *out, const struct listing *l, struct str after)
{
	put(out, l->n > 0 ? "\n],\"next\":" : "],\"next\":");
	if (after.p != NULL) {
		put(out, "\"");
		put_query(out, l, after);
		put(out, "\"}\n");
	} else {
		put(out, "null}\n");
	}
}

/* The entry's URL, from the listing's. */
static void
put_ref(struct out *out, const struct listing_entry *e)
{
	put_url(out, e->name);
	if (e->is_dir)
		put(out, "/");
}

/* "?after=a&limit=10&sort=size&desc&json", what is as if not asked for left
 * out; "./" when that is all. */
static void
put_query(struct out *out, const struct listing *l, struct str after)
{
	static const char *const keys[] = {
		[LISTING_BY_NAME] = NULL,
		[LISTING_BY_SIZE] = "sort=size",
		[LISTING_BY_TIME] = "sort=time",
	};
	const char *before = "?";

	if (after.p != NULL) {
		before = put_param(out, l->form, before, "after=");
		put_url(out, after);
	}
	if (l->limit > 0) {
		before = put_param(out, l->form, before, "limit=");
		put_u64(out, l->limit);
	}
	if (keys[l->key] != NULL)
		before = put_param(out, l->form, before, keys[l->key]);
	if (l->descending)
		before = put_param(out, l->form, before, "desc");
	if (l->form == LISTING_JSON)
		before = put_param(out, l->form, before, "json");
	if (*before == '?')
		put(out, "./");
}

/* Returns what goes before the next one. */
static const char *
put_param(struct out *out, enum listing_form form, const char *before,
    const char *text)
{
	put(out, before);
	put(out, text);
	return form == LISTING_HTML ? "&amp;" : "&";
}

static struct str
leaf_of(const struct path *p)
{
	return p->n == 0 ? STR(ROOT_NAME) : segment_of(p, p->n - 1u);
}

static struct str
segment_of(const struct path *p, unsigned i)
{
	struct str s;

	s.p = path_segment(p, i, &s.len);
	return s;
}

static void
out_begin(struct out *out, struct buf *buf)
{
	out->buf = buf;
	out->before = buf_len(buf);
	out->failed = 0;
}

static int
out_end(struct out *out)
{
	if (out->failed != 0)
		buf_cut(out->buf, out->before);
	return out->failed;
}

static void
put(struct out *out, const char *text)
{
	if (out->failed == 0)
		out->failed = buf_put(out->buf, text, strlen(text));
}

static void
put_u64(struct out *out, uint64_t v)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, v);
	put(out, digits);
}

static void
put_html(struct out *out, struct str s)
{
	if (out->failed == 0)
		out->failed = escape_html(out->buf, s);
}

static void
put_json(struct out *out, struct str s)
{
	if (out->failed == 0)
		out->failed = escape_json(out->buf, s);
}

static void
put_url(struct out *out, struct str s)
{
	if (out->failed == 0)
		out->failed = escape_url(out->buf, s);
}
