#include "helper.h"

#include "http/mime.h"

#define B(s) s, sizeof(s) - 1

#define UNKNOWN "application/octet-stream"

static void
test_the_ending_decides(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
		bool is_inline;
	} rows[] = {
		/* what is shown in place */
		{ __LINE__, B("a.png"), "image/png", true },
		{ __LINE__, B("a.jpg"), "image/jpeg", true },
		{ __LINE__, B("a.jpeg"), "image/jpeg", true },
		{ __LINE__, B("a.gif"), "image/gif", true },
		{ __LINE__, B("a.webp"), "image/webp", true },
		{ __LINE__, B("a.mp4"), "video/mp4", true },
		{ __LINE__, B("a.webm"), "video/webm", true },
		{ __LINE__, B("a.mp3"), "audio/mpeg", true },
		{ __LINE__, B("a.txt"), "text/plain; charset=utf-8", true },
		/* what could be active, or is shown by a plug-in */
		{ __LINE__, B("a.html"), "text/html; charset=utf-8", false },
		{ __LINE__, B("a.htm"), "text/html; charset=utf-8", false },
		{ __LINE__, B("a.xhtml"), "application/xhtml+xml", false },
		{ __LINE__, B("a.svg"), "image/svg+xml", false },
		{ __LINE__, B("a.pdf"), "application/pdf", false },
		{ __LINE__, B("a.css"), "text/css; charset=utf-8", false },
		{ __LINE__, B("a.csv"), "text/csv; charset=utf-8", false },
		{ __LINE__, B("a.zip"), "application/zip", false },
		{ __LINE__, B("a.json"), "application/json", false },
		/* letters are folded, the last ending counts */
		{ __LINE__, B("A.PNG"), "image/png", true },
		{ __LINE__, B("a.Svg"), "image/svg+xml", false },
		{ __LINE__, B("a.txt.png"), "image/png", true },
		{ __LINE__, B("a.png.html"), "text/html; charset=utf-8",
		    false },
		{ __LINE__, B("a.tar.gz"), "application/gzip", false },
		{ __LINE__, B("..png"), "image/png", true },
		{ __LINE__, B("\xff\n.png"), "image/png", true },
		{ __LINE__, B("a.html\0.png"), "image/png", true },
		/* none, or not in the list */
		{ __LINE__, B(""), UNKNOWN, false },
		{ __LINE__, B("."), UNKNOWN, false },
		{ __LINE__, B("png"), UNKNOWN, false },
		{ __LINE__, B(".png"), UNKNOWN, false },
		{ __LINE__, B("a."), UNKNOWN, false },
		{ __LINE__, B("a.png."), UNKNOWN, false },
		{ __LINE__, B("a.png "), UNKNOWN, false },
		{ __LINE__, B("a. png"), UNKNOWN, false },
		{ __LINE__, B("a.pn"), UNKNOWN, false },
		{ __LINE__, B("a.pngx"), UNKNOWN, false },
		{ __LINE__, B("a.xpng"), UNKNOWN, false },
		{ __LINE__, B("a.p\xffg"), UNKNOWN, false },
		{ __LINE__, B("a.png\0"), UNKNOWN, false },
		{ __LINE__, B("a.png\0.html.x\0"), UNKNOWN, false },
		{ __LINE__, B("a.\0"), UNKNOWN, false },
		{ __LINE__, B("a.\x01"), UNKNOWN, false },
		{ __LINE__, B("a.\xff\xff"), UNKNOWN, false },
		{ __LINE__, B("a.no-such-ending"), UNKNOWN, false },
		{ __LINE__, B("a.x23456789012345678901234567890x"), UNKNOWN,
		    false },
		{ __LINE__, B("a.x234567890123456789012345678901x"), UNKNOWN,
		    false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		struct mime got = mime_of_name(in, rows[i].len);

		CHECK_STR(
		    rows[i].line, rows[i].in, "type", rows[i].want, got.type);
		CHECK_INT(rows[i].line, rows[i].in, "is_inline",
		    rows[i].is_inline, got.is_inline);
		free(in);
	}
}

static void
test_no_name(void **state)
{
	(void)state;
	assert_string_equal(mime_of_name(NULL, 0).type, UNKNOWN);
}

/* Whatever the list has: every ending of up to three letters, digits or +
 * gives a type that can stand in a header, and none that is active is shown in
 * place. */
static void
test_every_short_ending(void **state)
{
	static const char letters[] =
	    "\0abcdefghijklmnopqrstuvwxyz0123456789+-_~%";
	static const char *const shown[] = { "image/png", "image/jpeg",
		"image/gif", "image/webp", "video/mp4", "video/webm",
		"audio/mpeg", "text/plain; charset=utf-8" };
	size_t n = sizeof(letters) - 1, known = 0;
	char name[] = "a.\0\0\0";

	(void)state;
	for (size_t i = 0; i < n * n * n; i++) {
		struct mime m;
		bool is_shown = false, is_text;

		name[2] = letters[i % n];
		name[3] = letters[i / n % n];
		name[4] = letters[i / n / n];
		m = mime_of_name(name, strlen(name));
		known += strcmp(m.type, UNKNOWN) != 0;
		is_text = strncmp(m.type, "text/", 5) == 0;
		CHECK(__LINE__, name, "is a type", strchr(m.type, '/'));
		CHECK_INT(__LINE__, name, "has its charset", is_text,
		    strstr(m.type, "; charset=utf-8") != NULL);
		for (const char *p = m.type; *p != '\0'; p++)
			CHECK(__LINE__, name, "is printable",
			    *p >= 0x20 && *p < 0x7f);
		for (size_t j = 0; j < nitems(shown); j++)
			is_shown |= strcmp(m.type, shown[j]) == 0;
		CHECK_INT(__LINE__, name, "is_inline", is_shown, m.is_inline);
	}
	assert_true(known > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_ending_decides),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_every_short_ending),
	};

	return cmocka_run_group_tests_name("http_mime", tests, NULL, NULL);
}
