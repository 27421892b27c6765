/*
 * docs/protocol.md is true: its example is, byte by byte, what the codec
 * writes, and its tables have the codec's numbers.  argv[1] is the page.
 */
#include "helper.h"

#include "train/train.h"

static char *page;

static void
read_page(const char *path)
{
	FILE *f = fopen(path, "r");
	long size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
		perror(path);
		exit(1);
	}
	size = ftell(f);
	rewind(f);
	page = calloc(1, (size_t)size + 1);
	if (page == NULL || fread(page, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		exit(1);
	}
	fclose(f);
}

/* ---- the example ---- */

enum { C, S, SIDES };

struct talk {
	unsigned char mem[SIDES][4096];
	struct buf said[SIDES];
};

static void
talk_init(struct talk *t)
{
	for (int i = 0; i < SIDES; i++)
		buf_init(&t->said[i], t->mem[i], sizeof(t->mem[i]));
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "C 01 02 03   a note": bytes by ones, each after one space. */
static void
talk_add_line(struct talk *t, const char *line)
{
	int side = line[0] == 'C' ? C : S;

	CHECK(__LINE__, line, "begins with C or S",
	    line[0] == 'C' || line[0] == 'S');
	for (line++; line[0] == ' ' && digit(line[1]) >= 0 &&
		     digit(line[2]) >= 0 && (line[3] == ' ' || line[3] == '\n');
	     line += 3)
		buf_put_u8(&t->said[side],
		    (uint8_t)(digit(line[1]) << 4 | digit(line[2])));
}

/* The next block of hex from *at on, in t; false when there is none. */
static bool
next_block(const char **at, struct talk *t)
{
	const char *p = strstr(*at, "```hex\n");

	talk_init(t);
	if (p == NULL)
		return false;
	for (p = strchr(p, '\n') + 1; strncmp(p, "```", 3) != 0;
	     p = strchr(p, '\n') + 1)
		talk_add_line(t, p);
	*at = p + 3;
	return true;
}

static struct path
path_of(const char *a, const char *b)
{
	struct path p;

	path_init(&p);
	if (a != NULL)
		assert_int_equal(path_push(&p, a, strlen(a)), PATH_OK);
	if (b != NULL)
		assert_int_equal(path_push(&p, b, strlen(b)), PATH_OK);
	return p;
}

#define FILE_MTIME 1767323045123456789
#define IMG_MTIME 1767226500000000000

static void
put_file_head(struct buf *b, uint64_t offset)
{
	static struct train_head head;

	head = (struct train_head){
		.kind = TRAIN_FILE,
		.mode = 0644,
		.size = 12,
		.mtime_ns = FILE_MTIME,
		.offset = offset,
		.path = path_of("hello.txt", NULL),
	};
	assert_int_equal(train_head_put(b, &head), 0);
}

static void
put_folder_head(struct buf *b, const char *name, int64_t mtime_ns)
{
	static struct train_head head;

	head = (struct train_head){
		.kind = TRAIN_DIR,
		.mode = 0755,
		.mtime_ns = mtime_ns,
		.path = path_of(name, NULL),
	};
	assert_int_equal(train_head_put(b, &head), 0);
}

/* "hello world" and a newline, from an offset. */
static void
put_file(struct buf *b, uint64_t offset)
{
	static const char bytes[] = "hello world\n";
	/* printf 'hello world\n' | sha256sum */
	static const struct train_end end = {
		.flags = TRAIN_F_DIGEST,
		.size = 12,
		.sha256 = { 0xa9, 0x48, 0x90, 0x4f, 0x2f, 0x0f, 0x47, 0x9b,
		    0x8f, 0x81, 0x97, 0x69, 0x4b, 0x30, 0x18, 0x4b, 0x0d, 0x2e,
		    0xd1, 0xc1, 0xcd, 0x2a, 0x1e, 0xc0, 0xfb, 0x85, 0xd2, 0x99,
		    0xa1, 0x92, 0xa4, 0x47 },
	};
	uint32_t left = (uint32_t)(12 - offset);

	put_file_head(b, offset);
	train_frame_put(b, TRAIN_DATA, 0, left);
	buf_put(b, bytes + offset, left);
	assert_int_equal(train_end_put(b, &end), 0);
}

static void
write_get(struct talk *t)
{
	static struct train_get get;

	get.path = path_of("docs", "hello.txt");
	train_hello_put(&t->said[C], TRAIN_VERSION);
	train_get_put(&t->said[C], &get);
	train_hello_put(&t->said[S], TRAIN_VERSION);
	put_file(&t->said[S], 0);
}

static void
write_get_again(struct talk *t)
{
	static struct train_get get = {
		.flags = TRAIN_F_IF_SAME,
		.offset = 6,
		.same_size = 12,
		.same_mtime_ns = FILE_MTIME,
	};

	get.path = path_of("docs", "hello.txt");
	train_get_put(&t->said[C], &get);
	put_file(&t->said[S], 6);
}

static void
write_not_found(struct talk *t)
{
	static struct train_get get = { .flags = TRAIN_F_NO_DIGEST };

	get.path = path_of("nope", NULL);
	train_get_put(&t->said[C], &get);
	train_error_put(&t->said[S], TRAIN_E_NOT_FOUND, TRAIN_REQUEST,
	    "no such file or folder");
}

static void
write_tree(struct talk *t)
{
	static struct train_tree tree = { .flags = TRAIN_F_HEADS_ONLY };
	static const struct train_sum sum = {
		.files = 1, .folders = 1, .bytes = 12, .links = 1
	};

	tree.root = path_of("docs", NULL);
	train_tree_put(&t->said[C], &tree);
	put_file_head(&t->said[S], 0);
	put_folder_head(&t->said[S], "img", IMG_MTIME);
	train_sum_put(&t->said[S], &sum);
}

static void
write_list(struct talk *t)
{
	static struct train_list list;
	static const struct train_sum sum = { .folders = 1 };

	list.after = path_of("a", NULL);
	train_list_put(&t->said[C], &list);
	put_folder_head(&t->said[S], "docs", -1);
	train_sum_put(&t->said[S], &sum);
}

static void
write_push(struct talk *t)
{
	push_head_put(&t->said[S], "hi.txt", 6);
	buf_put_u32(&t->said[S], 6);
	buf_put(&t->said[S], "hello\n", 6);
}

static void
test_the_example(void **state)
{
	static const struct {
		int line;
		const char *in;
		void (*write)(struct talk *);
	} blocks[] = {
		{ __LINE__, "hello and GET", write_get },
		{ __LINE__, "GET with IF_SAME", write_get_again },
		{ __LINE__, "GET of what is not there", write_not_found },
		{ __LINE__, "TREE", write_tree },
		{ __LINE__, "LIST", write_list },
		{ __LINE__, "push", write_push },
	};
	static struct talk on_page, written;
	const char *at = page;

	(void)state;
	for (size_t i = 0; i < nitems(blocks); i++) {
		CHECK(blocks[i].line, blocks[i].in, "is on the page",
		    next_block(&at, &on_page));
		talk_init(&written);
		blocks[i].write(&written);
		for (int side = C; side <= S; side++)
			CHECK_MEM(blocks[i].line, blocks[i].in,
			    side == C ? "client" : "server",
			    buf_head(&on_page.said[side]),
			    buf_len(&on_page.said[side]),
			    buf_head(&written.said[side]),
			    buf_len(&written.said[side]));
	}
	assert_false(next_block(&at, &on_page));
}

/* ---- the tables ---- */

/* Is there a row whose first cells are these, whatever its spaces? */
static bool
has_row(const char *a, const char *b, const char *c)
{
	const char *const want[] = { a, b, c };
	const char *line = page, *p;

	for (; line != NULL; line = strchr(line, '\n')) {
		size_t i = 0;

		line += *line == '\n';
		for (p = line; *p == '|' && i < nitems(want); i++) {
			p += 1 + strspn(p + 1, " ");
			if (want[i] == NULL)
				break;
			if (strncmp(p, want[i], strlen(want[i])) != 0)
				break;
			p += strlen(want[i]);
			p += strspn(p, " ");
		}
		if (i == nitems(want) || (i > 0 && want[i] == NULL))
			return true;
		if (*line == '\0')
			break;
	}
	return false;
}

static void
test_has_row_can_fail(void **state)
{
	(void)state;
	assert_true(has_row("SEG_BYTES", "255", "bytes"));
	assert_false(has_row("SEG_BYTES", "256", "bytes"));
	assert_false(has_row("SEG_BYTES", "25", "bytes"));
	assert_false(has_row("BYTES", "255", "bytes"));
	assert_true(has_row("3", "not found", NULL));
	assert_false(has_row("4", "not found", NULL));
}

static void
test_limits(void **state)
{
	static const struct {
		const char *name;
		int value;
		const char *unit;
	} limits[] = {
#define LIMIT_ROW(name, value, unit, meaning) { #name, value, unit },
		LIMIT_TABLE(LIMIT_ROW)
#undef LIMIT_ROW
	};
	/* The limits of what goes over the wire, and of when. */
	static const char *const of_protocol[] = { "SEG_BYTES", "PATH_BYTES",
		"PATH_SEGS", "TRAIN_REQUEST_BYTES", "TRAIN_DATA_BYTES",
		"TRAIN_TEXT_BYTES", "PUSH_DATA_BYTES", "HELLO_MS", "REQUEST_MS",
		"IDLE_MS", "RATE_WINDOW_MS", "MIN_RATE" };
	unsigned found = 0;
	char value[16];

	(void)state;
	for (size_t i = 0; i < nitems(limits); i++)
		for (size_t j = 0; j < nitems(of_protocol); j++) {
			if (strcmp(limits[i].name, of_protocol[j]) != 0)
				continue;
			found++;
			snprintf(value, sizeof(value), "%d", limits[i].value);
			CHECK(__LINE__, limits[i].name, value,
			    has_row(limits[i].name, value, limits[i].unit));
		}
	assert_int_equal(found, nitems(of_protocol));
}

static void
test_codes(void **state)
{
	char number[16];

	(void)state;
	for (int code = 1; code <= TRAIN_CODE_MAX; code++) {
		const char *name = train_code_name((enum train_code)code);

		snprintf(number, sizeof(number), "%d", code);
		CHECK(__LINE__, name, number, has_row(number, name, NULL));
	}
	snprintf(number, sizeof(number), "%d", TRAIN_CODE_MAX + 1);
	assert_false(has_row(number, NULL, NULL));
}

static void
test_types(void **state)
{
	unsigned n = 0;
	char number[16];

	(void)state;
	for (int type = 0; type < 256; type++) {
		const char *name = train_type_name((uint8_t)type);

		if (strcmp(name, "?") == 0)
			continue;
		n++;
		snprintf(number, sizeof(number), "`0x%02x`", (unsigned)type);
		CHECK(__LINE__, name, number,
		    has_row(number, name, type < 0x80 ? "client" : "server"));
	}
	assert_int_equal(n, 8);
}

/* The lengths of the page's table of types: at them yes, one past no. */
static void
test_lengths(void **state)
{
	const char *p = page;
	unsigned n = 0, type;
	char side[8], name[8];
	uint32_t min, max;

	(void)state;
	while ((p = strstr(p, "\n| `0x")) != NULL) {
		unsigned char mem[TRAIN_HEADER_SIZE];
		enum train_side from;
		int fields = sscanf(p,
		    "\n| `0x%x` | %7s | %7s | %" SCNu32 " to %" SCNu32, &type,
		    name, side, &min, &max);

		p++;
		if (fields == 4)
			max = min;
		assert_true(fields >= 4);
		n++;
		from = strcmp(side, "client") == 0 ? TRAIN_FROM_CLIENT
						   : TRAIN_FROM_SERVER;
		for (int i = 0; i < 4; i++) {
			const uint32_t len[] = { min - 1, min, max, max + 1 };
			struct train_frame frame;
			const char *why;
			struct buf b;

			buf_init(&b, mem, sizeof(mem));
			train_frame_put(&b, (enum train_type)type, 0, len[i]);
			CHECK_INT(i, name, "result",
			    i == 0 || i == 3 ? TRAIN_BAD : TRAIN_OK,
			    train_frame_parse(
				mem, sizeof(mem), from, &frame, &why));
		}
	}
	assert_int_equal(n, 8);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_example),
		cmocka_unit_test(test_has_row_can_fail),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_lengths),
	};
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: test_protocol PAGE\n");
		return 2;
	}
	read_page(argv[1]);
	failed = cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
	free(page);
	return failed;
}
