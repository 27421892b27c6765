/* Names in archives: what is replaced, what stays, and that no two are one. */
#include "helper.h"

#include "server/pack_name.h"

#define X47 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X235 X47 X47 X47 X47 X47
#define X236 X235 "x"

/* The digits are of sha256sum. */
static const struct {
	int line;
	const char *in;
	const char *tar;
	const char *zip; /* NULL: the same */
} rows[] = {
	/* stay as they are */
	{ __LINE__, "a", "a", NULL },
	{ __LINE__, "-rf", "-rf", NULL },
	{ __LINE__, ".hidden", ".hidden", NULL },
	{ __LINE__, "a b.c ~1", "a b.c ~1", NULL },
	{ __LINE__, "~0123456789a", "~0123456789a", NULL },
	{ __LINE__, "~0123456789aB", "~0123456789aB", NULL },
	{ __LINE__, "~012345~6789ab", "~012345~6789ab", NULL },
	{ __LINE__, "网盘.txt", "网盘.txt", NULL },
	{ __LINE__, "e\xcc\x81", "e\xcc\x81", NULL },
	{ __LINE__, "\xff", "\xff", "_~a8100ae6aa19" },
	{ __LINE__, "\xb2\xe2\xca\xd4", "\xb2\xe2\xca\xd4", NULL },
	{ __LINE__, "\xed\x9f\xbf", "\xed\x9f\xbf", NULL },
	{ __LINE__, "\xed", "\xed", NULL },
	{ __LINE__, X236 "1234567890123456789", X236 "1234567890123456789",
	    NULL },
	/* what an unpacker could take for something else */
	{ __LINE__, "a\\b", "a_b~c62016d0f8ee", NULL },
	{ __LINE__, "..\\..\\evil", ".._.~65592c3f3393._evil", NULL },
	{ __LINE__, "C:x", "C_x~93617f7079f2", NULL },
	{ __LINE__, ":", "_~e7ac0786668e", NULL },
	{ __LINE__, "new\nline", "new_line~58fb6729e555", NULL },
	{ __LINE__, "\x01", "_~4bf5122f3445", NULL },
	{ __LINE__, "nul\x7f", "nul_~14fe448db350", NULL },
	{ __LINE__, "\xed\xa0\x80x", "_\xa0\x80x~74a7e4a2ddd5", NULL },
	/* what Windows has no names with */
	{ __LINE__, "q?.txt", "q?.txt", "q_~f3c26718f4ef.txt" },
	{ __LINE__, "<>\"|*", "<>\"|*", "_____~0a6603f06a8b" },
	{ __LINE__, "end.", "end.", "end_~2e18562d37c3" },
	{ __LINE__, "a ", "a ", "a_~6583dcd6056f" },
	{ __LINE__, "...", "...", "___~ab5df625bc76" },
	{ __LINE__, "CON", "CON", "_ON~a3dbc4b644a9" },
	{ __LINE__, "nul.txt", "nul.txt", "_ul~7f3cbdd58ac5.txt" },
	{ __LINE__, "com1.tar.gz", "com1.tar.gz", "_om1.tar~78fee32f5c5d.gz" },
	{ __LINE__, "Aux .c", "Aux .c", "_ux ~c2cafd453c65.c" },
	{ __LINE__, "conout$", "conout$", "_onout$~13c9eb3d45bc" },
	{ __LINE__, "CONS", "CONS", NULL },
	{ __LINE__, "COM10", "COM10", NULL },
	{ __LINE__, "COMx", "COMx", NULL },
	{ __LINE__, ".con", ".con", NULL },
	{ __LINE__, "a.con", "a.con", NULL },
	/* the suffix stays at the end, if it is one */
	{ __LINE__, "a:b.txt", "a_b~1f0f1e95b083.txt", NULL },
	{ __LINE__, ".a:b", ".a_b~b927fe8c918b", NULL },
	{ __LINE__, "a.b:c.", "a.b_c~f6fb62b2c2d9.", "a~f6fb62b2c2d9.b_c_" },
	/* what looks like a changed name is changed too */
	{ __LINE__, "a~0123456789ab", "a~0123456789ab~b853f9b12215", NULL },
	{ __LINE__, "x~0123456789ab.c", "x~0123456789ab~a97204c955cf.c", NULL },
	/* there is no room for more: the stem gives way, whole characters */
	{ __LINE__, X236 "xxxx:1234567890.txt", X236 "xx~ad1a884694c7.txt",
	    NULL },
	{ __LINE__, X236 "网:.txt", X236 "~176a8b1daa32.txt", NULL },
	{ __LINE__, X236 "\xb2\xb2\xb2\xb2\xb2:.txt", X235 "~d44005a34407.txt",
	    NULL },
};

static void
check_row(int line, const char *in, enum pack_form form, const char *want)
{
	char out[LIM_SEG_BYTES + 1];
	size_t len;

	memset(out, 'Z', sizeof(out));
	len = pack_name(out, in, strlen(in), form, false);
	CHECK_STR(line, in, "name", want, out);
	CHECK_U64(line, in, "length", strlen(want), len);
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		check_row(rows[i].line, rows[i].in, PACK_TAR, rows[i].tar);
		check_row(rows[i].line, rows[i].in, PACK_ZIP,
		    rows[i].zip == NULL ? rows[i].tar : rows[i].zip);
	}
}

static void
test_taken(void **state)
{
	char out[LIM_SEG_BYTES + 1];

	(void)state;
	pack_name(out, "NOT IN THIS ARCHIVE.txt", 23, PACK_TAR, true);
	assert_string_equal(out, "NOT IN THIS ARCHIVE~5f41af29f527.txt");
}

static int
cmp_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names that these bytes make, up to four of them, the names those are
 * changed to, and the names that those would be changed to: no two get the
 * same, and none has a byte that is replaced. */
static void
test_no_two_are_one(void **state)
{
	static const char bytes[] = "a_\\:. \x01~";
	enum { N = 8 + 8 * 8 + 8 * 8 * 8 + 8 * 8 * 8 * 8 };
	static char in[3 * N][LIM_SEG_BYTES + 1], out[3 * N][LIM_SEG_BYTES + 1];
	size_t n, n_distinct;

	(void)state;
	for (int form = PACK_TAR; form <= PACK_ZIP; form++) {
		n = 0;
		for (unsigned len = 1; len <= 4; len++)
			for (unsigned k = 0; k < 1u << 3 * len; k++) {
				for (unsigned i = 0; i < len; i++)
					in[n][i] = bytes[k >> 3 * i & 7];
				in[n++][len] = '\0';
			}
		assert_int_equal(n, N);
		for (size_t i = 0; i < N; i++) {
			pack_name(in[n++], in[i], strlen(in[i]),
			    (enum pack_form)form, false);
			pack_name(in[n++], in[i], strlen(in[i]),
			    (enum pack_form)form, true);
		}
		qsort(in, n, sizeof(in[0]), cmp_names);
		n_distinct = 0;
		for (size_t i = 0; i < n; i++) {
			if (i > 0 && strcmp(in[i], in[i - 1]) == 0)
				continue;
			pack_name(out[n_distinct], in[i], strlen(in[i]),
			    (enum pack_form)form, false);
			assert_null(strpbrk(out[n_distinct++], "\\:\x01"));
		}
		assert_int_equal(n_distinct, 2 * N);
		qsort(out, n_distinct, sizeof(out[0]), cmp_names);
		for (size_t i = 1; i < n_distinct; i++)
			if (strcmp(out[i], out[i - 1]) == 0)
				check_failed(__FILE__, __LINE__, out[i],
				    "the name of", "one", "two");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_no_two_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
