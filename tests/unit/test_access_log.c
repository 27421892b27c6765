/* Lines that stay lines, whatever a client sends and however many write. */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/access_log.h"

#define S(literal) STR(literal)

static struct access_log l;
static struct board_counter n_dropped;

static const struct access_line plain = {
	.addr = { "203.0.113.5", 11 },
	.time_s = 784111777,
	.request = { "GET / HTTP/1.1", 14 },
	.status = 200,
	.bytes = 7,
};

/* With O_DIRECT one read gives what one write gave. */
static int
open_log(int flags)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK | flags), 0);
	access_log_init(&l, fds[1], &n_dropped);
	board_set(&n_dropped, 0);
	return fds[0];
}

static void
forms(void **state)
{
	static const struct {
		int line;
		struct access_line in;
		const char *want;
	} rows[] = {
		{ __LINE__,
		    { S("203.0.113.5"), S(""), 784111777,
			S("GET /a%20b HTTP/1.1"), 200, 1048576,
			S("https://example.org/"), S("curl/8.0") },
		    "203.0.113.5 - - [06/Nov/1994:08:49:37 +0000]"
		    " \"GET /a%20b HTTP/1.1\" 200 1048576"
		    " \"https://example.org/\" \"curl/8.0\"\n" },
		{ __LINE__,
		    { S("2001:db8::1"), S("wang"), 784111778, S(""), 400, 0,
			S(""), S("") },
		    "2001:db8::1 - wang [06/Nov/1994:08:49:38 +0000] \"-\" 400"
		    " 0 \"-\" \"-\"\n" },
		/* a client that would like to write a line of its own */
		{ __LINE__,
		    { S("::1"), S(""), 784111778, S("GET /\r\n1.2.3.4 \" x"),
			408, UINT64_MAX, S("\\\"\x1b[31m\0"),
			S("\xe7\xbd\x91\x7f") },
		    "::1 - - [06/Nov/1994:08:49:38 +0000]"
		    " \"GET /\\x0D\\x0A1.2.3.4 \\x22 x\" 408"
		    " 18446744073709551615 \"\\x5C\\x22\\x1B[31m\\x00\""
		    " \"\\xE7\\xBD\\x91\\x7F\"\n" },
		{ __LINE__,
		    { S(""), S(""), 0, S("-"), UINT32_MAX, 1, S("-"), S("-") },
		    "- - - [01/Jan/1970:00:00:00 +0000] \"-\" 4294967295 1"
		    " \"-\" \"-\"\n" },
	};
	char got[4096];
	ssize_t n;
	int fd = open_log(0);

	(void)state;
	assert_true(access_log_is_on(&l));
	for (size_t i = 0; i < nitems(rows); i++) {
		access_log_add(&l, &rows[i].in);
		assert_int_equal(read(fd, got, sizeof(got)), -1);
		access_log_flush(&l);
		n = read(fd, got, sizeof(got) - 1);
		assert_true(n > 0);
		got[n] = '\0';
		CHECK_STR(rows[i].line, "a line", "written", rows[i].want, got);
	}
	access_log_flush(&l); /* nothing is there */
	assert_int_equal(read(fd, got, sizeof(got)), -1);
	access_log_close(&l);
	close(fd);
}

/* Every field may be as long as it likes. */
static void
long_fields_are_cut(void **state)
{
	static const struct {
		int line;
		char fill;
	} rows[] = {
		{ __LINE__, 'x' },
		{ __LINE__, '\xff' }, /* four bytes each */
		{ __LINE__, '\n' },
		{ __LINE__, '"' },
	};
	static char text[20000];
	char got[PIPE_BUF + 1];
	int fd = open_log(0);

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		for (size_t len = 1; len < sizeof(text); len += len / 7 + 1) {
			struct str s = { text, len };
			struct access_line in = { s, s, 1, s, 200, 1, s, s };
			unsigned quotes = 0;
			ssize_t n;

			memset(text, rows[i].fill, len);
			access_log_add(&l, &in);
			access_log_flush(&l);
			n = read(fd, got, sizeof(got));
			CHECK(rows[i].line, "a line", "not too long",
			    n > 0 && n <= LIM_ACCESS_LINE_BYTES);
			CHECK_INT(
			    rows[i].line, "a line", "last", '\n', got[n - 1]);
			for (ssize_t k = 0; k < n; k++) {
				quotes += got[k] == '"';
				CHECK(rows[i].line, "a line", "one line",
				    got[k] != '\n' || k == n - 1);
				CHECK(rows[i].line, "a line", "whole escapes",
				    got[k] != '\\' ||
					strspn(got + k + 2,
					    "0123456789ABCDEF") >= 2);
			}
			CHECK_INT(rows[i].line, "a line", "quotes", 6, quotes);
			CHECK(rows[i].line, "a line", "dots",
			    len < 1024 || memmem(got, (size_t)n, "...\"", 4));
		}
	}
	access_log_close(&l);
	close(fd);
}

/* Many at once go in few writes, each of whole lines. */
static void
lines_go_in_whole_pieces(void **state)
{
	static char text[2000];
	struct access_line in = plain;
	char got[2 * PIPE_BUF];
	unsigned n_lines = 0, n_writes = 0;
	int fd = open_log(O_DIRECT);
	ssize_t n;

	(void)state;
	fcntl(fd, F_SETPIPE_SZ, 1 << 20);
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < 400; i++) {
		in.agent = (struct str){ text, i * 7 % sizeof(text) };
		access_log_add(&l, &in);
	}
	access_log_flush(&l);
	while ((n = read(fd, got, sizeof(got))) > 0) {
		assert_true(n <= PIPE_BUF);
		assert_int_equal(got[n - 1], '\n');
		assert_memory_equal(got, "203.0.113.5 ", 12);
		for (ssize_t i = 0; i < n; i++)
			n_lines += got[i] == '\n';
		n_writes++;
	}
	assert_int_equal(n_lines, 400);
	assert_true(n_writes < 400 / 4);
	assert_int_equal(board_get(&n_dropped), 0);
	access_log_close(&l);
	close(fd);
}

/* Those that found no room are counted, those that found it are whole. */
static void
a_full_pipe_drops_whole_lines(void **state)
{
	struct access_line in = plain;
	unsigned n_lines = 0;
	static char got[1 << 20];
	int fd = open_log(0);
	ssize_t n;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		in.bytes = i;
		access_log_add(&l, &in);
		if (i % 10 == 0)
			access_log_flush(&l);
	}
	access_log_flush(&l);
	n = read(fd, got, sizeof(got));
	assert_true(n > 60000);
	assert_int_equal(got[n - 1], '\n');
	for (ssize_t i = 0; i < n; i++)
		n_lines += got[i] == '\n';
	assert_int_equal(n_lines + board_get(&n_dropped), 10000);
	assert_true(board_get(&n_dropped) > 0);
	/* and there is room again */
	access_log_add(&l, &in);
	access_log_flush(&l);
	assert_true(read(fd, got, sizeof(got)) > 0);
	/* nobody is there any more */
	close(fd);
	n_lines = (unsigned)board_get(&n_dropped);
	access_log_add(&l, &in);
	access_log_flush(&l);
	assert_int_equal(board_get(&n_dropped), n_lines + 1);
	access_log_close(&l);
}

static void
no_log_costs_nothing(void **state)
{
	(void)state;
	access_log_init(&l, -1, &n_dropped);
	board_set(&n_dropped, 0);
	assert_false(access_log_is_on(&l));
	for (unsigned i = 0; i < 10000; i++)
		access_log_add(&l, &plain);
	access_log_flush(&l);
	assert_int_equal(buf_len(&l.lines), 0);
	assert_int_equal(board_get(&n_dropped), 0);
	access_log_close(&l);
}

#define WRITERS 4
#define LINES_EACH 5000

static void
write_many(char digit)
{
	static char text[900];
	struct access_line in = plain;

	memset(text, digit, sizeof(text));
	in.user = (struct str){ text, 1 };
	for (unsigned i = 0; i < LINES_EACH; i++) {
		in.agent = (struct str){ text, i * 13 % sizeof(text) };
		in.request = (struct str){ text, i * 31 % sizeof(text) };
		access_log_add(&l, &in);
		if (i % 5 == 0)
			access_log_flush(&l);
	}
	access_log_flush(&l);
}

/* A line has its writer's digit, and no other. */
static void
check_writer(const char *line)
{
	const char *user = line + strlen("203.0.113.5 - ");
	char digit = *user;
	const char *p = strchr(line, '"') + 1;

	assert_true(digit >= 'a' && digit < 'a' + WRITERS);
	assert_memory_equal(user + 1, " [06/Nov/1994:", 14);
	p += strspn(p, (char[]){ digit, '.', '-', '\0' });
	assert_memory_equal(p, "\" 200 7 \"-\" \"", 13);
	p += 13;
	p += strspn(p, (char[]){ digit, '.', '-', '\0' });
	assert_string_equal(p, "\"\n");
}

static void
several_writers_do_not_mix(void **state)
{
	char *line = NULL;
	size_t cap = 0;
	uint64_t n_lines = 0;
	int fd = open_log(0);
	FILE *f;

	(void)state;
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0) {
			/* waiting for the reader loses none of them */
			fd_set_nonblock(l.pipe_fd, 0);
			write_many((char)('a' + i));
			_exit(board_get(&n_dropped) != 0);
		}
	access_log_close(&l);
	fd_set_nonblock(fd, 0);
	f = fdopen(fd, "r");
	while (getline(&line, &cap, f) > 0) {
		check_writer(line);
		n_lines++;
	}
	assert_int_equal(n_lines, WRITERS * LINES_EACH);
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	free(line);
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(long_fields_are_cut),
		cmocka_unit_test(lines_go_in_whole_pieces),
		cmocka_unit_test(a_full_pipe_drops_whole_lines),
		cmocka_unit_test(no_log_costs_nothing),
		cmocka_unit_test(several_writers_do_not_mix),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
