#include "helper.h"

#include <errno.h>

#include "http/listing.h"

#define B(s) s, sizeof(s) - 1

#define FFFD "\xef\xbf\xbd"
#define YEAR_2026 INT64_C(1767323045) /* 2026-01-02 03:04:05 */

static char page[4 * LISTING_HEAD_ROOM];

/* "a/b/c" */
static struct path
path_of(const char *text)
{
	struct path p;
	size_t len;

	path_init(&p);
	while (*text != '\0') {
		len = strcspn(text, "/");
		assert_int_equal(path_push(&p, text, len), PATH_OK);
		text += len;
		text += *text == '/';
	}
	return p;
}

/* All of a listing, as text in page. */
static const char *
write_listing(struct listing *l, const struct listing_entry *e, unsigned n,
    struct str next_after)
{
	struct buf b;

	buf_init(&b, page, sizeof(page) - 1);
	assert_int_equal(listing_begin(l, &b), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(listing_entry(l, &b, &e[i]), 0);
	assert_int_equal(l->n, n);
	assert_int_equal(listing_end(l, &b, next_after), 0);
	page[buf_len(&b)] = '\0';
	assert_int_equal(strlen(page), buf_len(&b));
	return page;
}

static const struct listing_entry two[] = {
	{ .name = { B("d & e") }, .is_dir = true, .mtime = YEAR_2026 },
	{ .name = { B("x.txt") }, .size = 1536, .mtime = YEAR_2026 },
};

static void
test_a_whole_page(void **state)
{
	static const char want[] =
	    "<!DOCTYPE html>\n"
	    "<html lang=\"en\">\n"
	    "<head>\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\""
	    " content=\"width=device-width, initial-scale=1\">\n"
	    "<link rel=\"stylesheet\" href=\"/@/style.css\">\n"
	    "<title>b&lt;c - netpan</title>\n"
	    "</head>\n"
	    "<body>\n"
	    "<nav aria-label=\"Folder\"><a href=\"../../\">Home</a>"
	    " / <a href=\"../\">a</a>"
	    " / <a href=\"./\" aria-current=\"page\">b&lt;c</a></nav>\n"
	    "<p>Download as <a href=\"?tar\">.tar</a>"
	    " <a href=\"?zip\">.zip</a></p>\n"
	    "<table>\n"
	    "<thead><tr>"
	    "<th scope=\"col\" aria-sort=\"ascending\">"
	    "<a href=\"?limit=2&amp;desc\">Name \u25b2</a></th>"
	    "<th scope=\"col\">"
	    "<a href=\"?limit=2&amp;sort=size\">Size</a></th>"
	    "<th scope=\"col\">"
	    "<a href=\"?limit=2&amp;sort=time\">Changed (UTC)</a></th>"
	    "</tr></thead>\n"
	    "<tbody>\n"
	    "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n"
	    "<tr><td><a href=\"d%20%26%20e/\">d &amp; e/</a></td><td></td>"
	    "<td><time datetime=\"2026-01-02T03:04:05Z\">2026-01-02 03:04"
	    "</time></td></tr>\n"
	    "<tr><td><a href=\"x.txt\">x.txt</a></td>"
	    "<td title=\"1536 bytes\">1.5 KiB</td>"
	    "<td><time datetime=\"2026-01-02T03:04:05Z\">2026-01-02 03:04"
	    "</time></td></tr>\n"
	    "</tbody>\n"
	    "</table>\n"
	    "<nav aria-label=\"Pages\">"
	    "<a rel=\"next\" href=\"?after=x.txt&amp;limit=2\">Next page</a>"
	    "</nav>\n"
	    "</body>\n"
	    "</html>\n";
	struct path folder = path_of("a/b<c");
	struct listing l = { .folder = &folder, .is_sorted = true, .limit = 2 };

	(void)state;
	CHECK_STR(__LINE__, "/a/b<c/", "page", want,
	    write_listing(&l, two, 2, STR("x.txt")));
}

static void
test_a_whole_json(void **state)
{
	static const char want[] =
	    "{\"path\":\"/a/b\\u003Cc/\",\"entries\":[\n"
	    "{\"name\":\"d \\u0026 e\",\"type\":\"folder\","
	    "\"mtime\":\"2026-01-02T03:04:05Z\"},\n"
	    "{\"name\":\"x.txt\",\"type\":\"file\",\"size\":1536,"
	    "\"mtime\":\"2026-01-02T03:04:05Z\"}\n"
	    "],\"next\":null}\n";
	struct path folder = path_of("a/b<c");
	struct listing l = { .form = LISTING_JSON, .folder = &folder };

	(void)state;
	CHECK_STR(__LINE__, "/a/b<c/", "JSON", want,
	    write_listing(&l, two, 2, (struct str){ NULL, 0 }));
}

static void
test_nothing_in_it(void **state)
{
	static const struct {
		int line;
		enum listing_form form;
		const char *after, *want;
	} rows[] = {
		{ __LINE__, LISTING_HTML, "",
		    "<tbody>\n"
		    "</tbody>\n"
		    "</table>\n"
		    "<p>This folder is empty.</p>\n"
		    "</body>\n"
		    "</html>\n" },
		{ __LINE__, LISTING_HTML, "z",
		    "<tbody>\n"
		    "</tbody>\n"
		    "</table>\n"
		    "<p>Nothing more.</p>\n"
		    "<nav aria-label=\"Pages\"><a href=\"./\">First page</a>"
		    " </nav>\n"
		    "</body>\n"
		    "</html>\n" },
		{ __LINE__, LISTING_JSON, "",
		    "{\"path\":\"/\",\"entries\":[],\"next\":null}\n" },
		{ __LINE__, LISTING_JSON, "z",
		    "{\"path\":\"/\",\"entries\":[],\"next\":null}\n" },
	};
	struct path root = path_of("");

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct listing l = { .form = rows[i].form,
			.folder = &root,
			.after = { rows[i].after, strlen(rows[i].after) } };
		const char *got = write_listing(
		    &l, NULL, 0, (struct str){ NULL, 0 });
		size_t n = strlen(rows[i].want);

		CHECK_STR(rows[i].line, rows[i].after, "end", rows[i].want,
		    strlen(got) < n ? got : got + strlen(got) - n);
	}
}

/* What fuzz_http_listing takes: what the page is, how deep the folder, then
 * each name behind its length. */
static void
keep_seed(unsigned flags, const char *name, size_t len)
{
	char seed[2 + 3 * 256];
	size_t at = 0;

	seed[at++] = (char)flags;
	seed[at++] = 1;
	for (unsigned i = 0; i < 3; i++) {
		seed[at++] = (char)len;
		memcpy(seed + at, name, len);
		at += len;
	}
	seed_keep("fuzz_http_listing", seed, at);
}

/* A name where names go: the link, what is read, and the JSON. */
static void
test_names(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *href, *text, *json;
	} rows[] = {
		{ __LINE__, B("x"), "x", "x", "\"x\"" },
		{ __LINE__, B("a b.txt"), "a%20b.txt", "a b.txt",
		    "\"a b.txt\"" },
		{ __LINE__, B("\xe7\xbd\x91"), "%E7%BD%91", "\xe7\xbd\x91",
		    "\"\xe7\xbd\x91\"" },
		/* markup */
		{ __LINE__, B("<img src=x onerror=alert(1)>"),
		    "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
		    "&lt;img src=x onerror=alert(1)&gt;",
		    "\"\\u003Cimg src=x onerror=alert(1)\\u003E\"" },
		{ __LINE__, B("\"onmouseover=\"a"), "%22onmouseover%3D%22a",
		    "&quot;onmouseover=&quot;a", "\"\\\"onmouseover=\\\"a\"" },
		{ __LINE__, B("'&amp;"), "%27%26amp%3B", "&#39;&amp;amp;",
		    "\"\\u0027\\u0026amp;\"" },
		{ __LINE__, B("</a></table>"), "%3C%2Fa%3E%3C%2Ftable%3E",
		    "&lt;/a&gt;&lt;/table&gt;",
		    "\"\\u003C/a\\u003E\\u003C/table\\u003E\"" },
		{ __LINE__, B("-->"), "--%3E", "--&gt;", "\"--\\u003E\"" },
		{ __LINE__, B("a\\"), "a%5C", "a\\", "\"a\\\\\"" },
		/* what a URL could be made of */
		{ __LINE__, B("javascript:alert(1)"),
		    "javascript%3Aalert%281%29", "javascript:alert(1)",
		    "\"javascript:alert(1)\"" },
		{ __LINE__, B("http:"), "http%3A", "http:", "\"http:\"" },
		{ __LINE__, B("?tar"), "%3Ftar", "?tar", "\"?tar\"" },
		{ __LINE__, B("#x"), "%23x", "#x", "\"#x\"" },
		{ __LINE__, B("100%41"), "100%2541", "100%41", "\"100%41\"" },
		{ __LINE__, B("\\\\evil"), "%5C%5Cevil", "\\\\evil",
		    "\"\\\\\\\\evil\"" },
		{ __LINE__, B("@"), "%40", "@", "\"@\"" },
		{ __LINE__, B("..."), "...", "...", "\"...\"" },
		{ __LINE__, B(" "), "%20", " ", "\" \"" },
		/* control characters, and what steers text */
		{ __LINE__, B("a\nb"), "a%0Ab", "a" FFFD "b", "\"a\\u000Ab\"" },
		{ __LINE__, B("\x1b[0m\x7f"), "%1B%5B0m%7F", FFFD "[0m" FFFD,
		    "\"\\u001B[0m\\u007F\"" },
		{ __LINE__, B("exe.\xe2\x80\xaegpj"), "exe.%E2%80%AEgpj",
		    "exe." FFFD "gpj", "\"exe.\\u202Egpj\"" },
		/* no UTF-8 */
		{ __LINE__, B("\xff"), "%FF", FFFD,
		    "\"" FFFD "\",\"url\":\"%FF\"" },
		{ __LINE__, B("\xe7\xbd<"), "%E7%BD%3C", FFFD FFFD "&lt;",
		    "\"" FFFD FFFD "\\u003C\",\"url\":\"%E7%BD%3C\"" },
		{ __LINE__, B("\xc0\xaf"), "%C0%AF", FFFD FFFD,
		    "\"" FFFD FFFD "\",\"url\":\"%C0%AF\"" },
	};
	struct path root = path_of("");
	char want[512];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		struct listing_entry e = { .name = { in, rows[i].len } };
		struct listing html = { .folder = &root };
		struct listing json = { .form = LISTING_JSON, .folder = &root };

		keep_seed((unsigned)i, in, rows[i].len);
		snprintf(want, sizeof(want),
		    "<tr><td><a href=\"%s\">%s</a></td><td title=\"0 bytes\">"
		    "0 B</td>",
		    rows[i].href, rows[i].text);
		CHECK(rows[i].line, want, "is in the page",
		    strstr(write_listing(&html, &e, 1, (struct str){ NULL, 0 }),
			want));
		snprintf(want, sizeof(want),
		    "{\"name\":%s,\"type\":\"file\",\"size\":0,", rows[i].json);
		CHECK(rows[i].line, want, "is in the JSON",
		    strstr(write_listing(&json, &e, 1, (struct str){ NULL, 0 }),
			want));
		/* A folder's ends in a slash. */
		e.is_dir = true;
		snprintf(want, sizeof(want),
		    "<tr><td><a href=\"%s/\">%s/</a></td><td></td>",
		    rows[i].href, rows[i].text);
		CHECK(rows[i].line, want, "is in the page",
		    strstr(write_listing(&html, &e, 1, (struct str){ NULL, 0 }),
			want));
		if (strstr(rows[i].json, "\"url\"") != NULL) {
			snprintf(want, sizeof(want),
			    "\"url\":\"%s/\",\"type\":\"folder\",\"mtime\"",
			    rows[i].href);
			CHECK(rows[i].line, want, "is in the JSON",
			    strstr(write_listing(
				       &json, &e, 1, (struct str){ NULL, 0 }),
				want));
		}
		/* As the last of a page it is in the next one's query. */
		snprintf(want, sizeof(want),
		    "<a rel=\"next\" href=\"?after=%s\">", rows[i].href);
		CHECK(rows[i].line, want, "is in the page",
		    strstr(write_listing(&html, &e, 1, e.name), want));
		snprintf(want, sizeof(want), "\"next\":\"?after=%s&json\"}\n",
		    rows[i].href);
		CHECK(rows[i].line, want, "is in the JSON",
		    strstr(write_listing(&json, &e, 1, e.name), want));
		free(in);
	}
}

/* The folder's own names: the title, the crumbs, and JSON's path. */
static void
test_folders(void **state)
{
	static const struct {
		int line;
		const char *in, *title, *crumbs, *json;
		bool has_parent;
	} rows[] = {
		{ __LINE__, "", "Home",
		    "<a href=\"./\" aria-current=\"page\">Home</a>",
		    "\"path\":\"/\",\"entries\"", false },
		{ __LINE__, "a", "a",
		    "<a href=\"../\">Home</a>"
		    " / <a href=\"./\" aria-current=\"page\">a</a>",
		    "\"path\":\"/a/\",\"entries\"", true },
		{ __LINE__, "a/b c/d", "d",
		    "<a href=\"../../../\">Home</a>"
		    " / <a href=\"../../\">a</a>"
		    " / <a href=\"../\">b c</a>"
		    " / <a href=\"./\" aria-current=\"page\">d</a>",
		    "\"path\":\"/a/b c/d/\",\"entries\"", true },
		{ __LINE__, "</title>/\"><script>", "&quot;&gt;&lt;script&gt;",
		    "<a href=\"../../../\">Home</a>"
		    " / <a href=\"../../\">&lt;</a>"
		    " / <a href=\"../\">title&gt;</a>"
		    " / <a href=\"./\" aria-current=\"page\">"
		    "&quot;&gt;&lt;script&gt;</a>",
		    "\"path\":\"/\\u003C/title\\u003E/"
		    "\\\"\\u003E\\u003Cscript\\u003E/\",\"entries\"",
		    true },
		{ __LINE__, "a/\xff\n/b", "b",
		    "<a href=\"../../../\">Home</a>"
		    " / <a href=\"../../\">a</a>"
		    " / <a href=\"../\">" FFFD FFFD "</a>"
		    " / <a href=\"./\" aria-current=\"page\">b</a>",
		    "\"path\":\"/a/" FFFD "\\u000A/b/\","
		    "\"url\":\"/a/%FF%0A/b/\",\"entries\"",
		    true },
	};
	char want[512];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct path folder = path_of(rows[i].in);
		struct listing l = { .folder = &folder };
		const char *got = write_listing(
		    &l, NULL, 0, (struct str){ NULL, 0 });

		snprintf(want, sizeof(want), "<title>%s - netpan</title>",
		    rows[i].title);
		CHECK(rows[i].line, want, "is in the page", strstr(got, want));
		snprintf(want, sizeof(want),
		    "<nav aria-label=\"Folder\">%s</nav>", rows[i].crumbs);
		CHECK(rows[i].line, want, "is in the page", strstr(got, want));
		CHECK_INT(rows[i].line, rows[i].in, "a parent",
		    rows[i].has_parent, strstr(got, ">../</a>") != NULL);
		l.form = LISTING_JSON;
		got = write_listing(&l, NULL, 0, (struct str){ NULL, 0 });
		CHECK(rows[i].line, rows[i].json, "is in the JSON",
		    strstr(got, rows[i].json));
	}
}

/* What the links of the headings and of the other pages carry on. */
static void
test_orders_and_pages(void **state)
{
	static const struct {
		int line;
		struct listing in;
		const char *name, *size, *time; /* headings */
		const char *pages, *next;
	} rows[] = {
		{ __LINE__, { .is_sorted = true },
		    " aria-sort=\"ascending\"><a href=\"?desc\">Name \u25b2"
		    "</a>",
		    "><a href=\"?sort=size\">Size</a>",
		    "><a href=\"?sort=time\">Changed (UTC)</a>",
		    "<a rel=\"next\" href=\"?after=z\">Next page</a>",
		    "?after=z&json" },
		{ __LINE__, { .is_sorted = true, .descending = true },
		    " aria-sort=\"descending\"><a href=\"./\">Name \u25bc"
		    "</a>",
		    "><a href=\"?sort=size\">Size</a>",
		    "><a href=\"?sort=time\">Changed (UTC)</a>",
		    "<a rel=\"next\" href=\"?after=z&amp;desc\">Next page</a>",
		    "?after=z&desc&json" },
		{ __LINE__, { .is_sorted = true, .key = LISTING_BY_SIZE },
		    "><a href=\"./\">Name</a>",
		    " aria-sort=\"ascending\">"
		    "<a href=\"?sort=size&amp;desc\">Size \u25b2</a>",
		    "><a href=\"?sort=time\">Changed (UTC)</a>",
		    "<a rel=\"next\" href=\"?after=z&amp;sort=size\">Next page"
		    "</a>",
		    "?after=z&sort=size&json" },
		{ __LINE__,
		    { .is_sorted = true,
			.key = LISTING_BY_TIME,
			.descending = true,
			.limit = UINT32_MAX,
			.after = { B("y\"") } },
		    "><a href=\"?limit=4294967295\">Name</a>",
		    "><a href=\"?limit=4294967295&amp;sort=size\">Size</a>",
		    " aria-sort=\"descending\">"
		    "<a href=\"?limit=4294967295&amp;sort=time\">"
		    "Changed (UTC) \u25bc</a>",
		    "<a href=\"?limit=4294967295&amp;sort=time&amp;desc\">"
		    "First page</a> <a rel=\"next\" href=\"?after=z&amp;limit="
		    "4294967295&amp;sort=time&amp;desc\">Next page</a>",
		    "?after=z&limit=4294967295&sort=time&desc&json" },
		/* it does not fit: there is no other order */
		{ __LINE__, { .limit = 10 },
		    " aria-sort=\"ascending\">Name \u25b2", ">Size",
		    ">Changed (UTC)",
		    "<a rel=\"next\" href=\"?after=z&amp;limit=10\">Next page"
		    "</a>",
		    "?after=z&limit=10&json" },
	};
	struct path root = path_of("");
	char want[512];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct listing l = rows[i].in;
		const char *got;

		l.folder = &root;
		got = write_listing(&l, two, 2, STR("z"));
		snprintf(want, sizeof(want),
		    "<thead><tr><th scope=\"col\"%s</th>"
		    "<th scope=\"col\"%s</th>"
		    "<th scope=\"col\"%s</th></tr></thead>\n",
		    rows[i].name, rows[i].size, rows[i].time);
		CHECK(rows[i].line, want, "is in the page", strstr(got, want));
		snprintf(want, sizeof(want),
		    "<nav aria-label=\"Pages\">%s</nav>", rows[i].pages);
		CHECK(rows[i].line, want, "is in the page", strstr(got, want));
		l.form = LISTING_JSON;
		got = write_listing(&l, two, 2, STR("z"));
		snprintf(
		    want, sizeof(want), "\n],\"next\":\"%s\"}\n", rows[i].next);
		CHECK(rows[i].line, want, "is in the JSON", strstr(got, want));
	}
}

static void
test_numbers(void **state)
{
	static const struct {
		int line;
		uint64_t size;
		int64_t mtime;
		const char *html, *json;
	} rows[] = {
		{ __LINE__, UINT64_MAX, 0,
		    "<td title=\"18446744073709551615 bytes\">16.0 EiB</td>"
		    "<td><time datetime=\"1970-01-01T00:00:00Z\">"
		    "1970-01-01 00:00</time>",
		    "\"size\":18446744073709551615,"
		    "\"mtime\":\"1970-01-01T00:00:00Z\"}" },
		{ __LINE__, 1023, INT64_MAX,
		    "<td title=\"1023 bytes\">1023 B</td>"
		    "<td><time datetime=\"9999-12-31T23:59:59Z\">"
		    "9999-12-31 23:59</time>",
		    "\"size\":1023,\"mtime\":\"9999-12-31T23:59:59Z\"}" },
		{ __LINE__, 0, INT64_MIN,
		    "<td title=\"0 bytes\">0 B</td>"
		    "<td><time datetime=\"0001-01-01T00:00:00Z\">"
		    "0001-01-01 00:00</time>",
		    "\"size\":0,\"mtime\":\"0001-01-01T00:00:00Z\"}" },
	};
	struct path root = path_of("");

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct listing_entry e = { .name = STR("x"),
			.size = rows[i].size,
			.mtime = rows[i].mtime };
		struct listing l = { .folder = &root };

		CHECK(rows[i].line, rows[i].html, "is in the page",
		    strstr(write_listing(&l, &e, 1, (struct str){ NULL, 0 }),
			rows[i].html));
		l.form = LISTING_JSON;
		CHECK(rows[i].line, rows[i].json, "is in the JSON",
		    strstr(write_listing(&l, &e, 1, (struct str){ NULL, 0 }),
			rows[i].json));
	}
}

/* A path of the most names with the most bytes, each byte c. */
static void
longest_path(struct path *p, char c, unsigned n)
{
	char seg[LIM_SEG_BYTES];
	size_t room = LIM_PATH_BYTES - (n - 1), len;

	memset(seg, c, sizeof(seg));
	path_init(p);
	for (unsigned left = n; left > 0; left--) {
		len = room - (left - 1);
		if (len > sizeof(seg))
			len = sizeof(seg);
		assert_int_equal(path_push(p, seg, len), PATH_OK);
		room -= len;
	}
}

/* Whatever the names, the rooms that listing.h promises are enough; and with
 * less than is needed nothing is written. */
static void
test_rooms(void **state)
{
	static const char bytes[] = { '"', '\n', '\xff', 'x' };
	static const unsigned depths[] = { 17, LIM_PATH_SEGS };
	char name[LIM_SEG_BYTES];
	struct path folder;

	(void)state;
	for (unsigned i = 0; i < 2 * nitems(bytes) * nitems(depths); i++) {
		struct listing_entry e = { .name = { name, sizeof(name) },
			.size = UINT64_MAX,
			.mtime = INT64_MAX };
		struct listing l = { .form = i % 2,
			.folder = &folder,
			.key = LISTING_BY_TIME,
			.is_sorted = true,
			.descending = true,
			.after = e.name,
			.limit = UINT32_MAX };
		char c = bytes[i / 2 % nitems(bytes)];
		struct buf b;
		size_t need;

		memset(name, c, sizeof(name));
		longest_path(&folder, c, depths[i / 2 / nitems(bytes)]);
		buf_init(&b, page, LISTING_HEAD_ROOM);
		assert_int_equal(listing_begin(&l, &b), 0);
		need = buf_len(&b);
		buf_init(&b, page, need - 1);
		assert_int_equal(listing_begin(&l, &b), -ENOBUFS);
		assert_int_equal(buf_len(&b), 0);

		buf_init(&b, page, LISTING_ENTRY_ROOM);
		assert_int_equal(listing_entry(&l, &b, &e), 0);
		assert_int_equal(l.n, 1);
		need = buf_len(&b);
		buf_init(&b, page, need - 1);
		assert_int_equal(listing_entry(&l, &b, &e), -ENOBUFS);
		assert_int_equal(buf_len(&b), 0);
		assert_int_equal(l.n, 1);

		buf_init(&b, page, LISTING_TAIL_ROOM);
		assert_int_equal(listing_end(&l, &b, e.name), 0);
		need = buf_len(&b);
		buf_init(&b, page, need - 1);
		assert_int_equal(listing_end(&l, &b, e.name), -ENOBUFS);
		assert_int_equal(buf_len(&b), 0);
	}
}

/* Every room that is too small. */
static void
test_all_or_nothing(void **state)
{
	struct path folder = path_of("a/b");

	(void)state;
	for (unsigned form = 0; form < 2; form++) {
		struct listing l = { .form = form, .folder = &folder };
		struct buf b;
		size_t cap = 0;

		for (int r = -1; r != 0; cap++) {
			buf_init(&b, page, 6 + cap);
			buf_put(&b, "before", 6);
			r = listing_begin(&l, &b);
			if (r == 0)
				r = listing_entry(&l, &b, &two[0]);
			if (r == 0)
				r = listing_end(&l, &b, STR("x"));
			CHECK(__LINE__, "any room", "result",
			    r == 0 || r == -ENOBUFS);
			CHECK_MEM(__LINE__, "any room", "before", "before", 6,
			    buf_head(&b), 6);
		}
		assert_int_equal(buf_len(&b), 6 + cap - 1);
	}
}

static void
test_the_style(void **state)
{
	int depth = 0;

	(void)state;
	assert_int_equal(strlen(listing_css), listing_css_len);
	assert_non_null(strstr(listing_css, "prefers-color-scheme: dark"));
	assert_null(strstr(listing_css, "url("));
	assert_null(strstr(listing_css, "@import"));
	for (const char *p = listing_css; *p != '\0'; p++) {
		depth += (*p == '{') - (*p == '}');
		assert_in_range(depth, 0, 2);
	}
	assert_int_equal(depth, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_page),
		cmocka_unit_test(test_a_whole_json),
		cmocka_unit_test(test_nothing_in_it),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_orders_and_pages),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_rooms),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_the_style),
	};

	return cmocka_run_group_tests_name("http_listing", tests, NULL, NULL);
}
