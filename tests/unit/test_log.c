#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define TIME \
	"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z "

/* Where the lines go, and what has come of them. */
static int pipe_fds[2];
static char said[64 * 1024];

static void
begin(void)
{
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(fd_set_nonblock(pipe_fds[0], 1), 0);
	log_set_fd(pipe_fds[1]);
}

/* What is in the pipe now, in said. */
static void
hear(void)
{
	ssize_t n = read(pipe_fds[0], said, sizeof(said) - 1);

	said[n > 0 ? n : 0] = '\0';
}

static void
end(void)
{
	log_set_fd(STDERR_FILENO);
	fd_close(&pipe_fds[0]);
	fd_close(&pipe_fds[1]);
}

static void
check_matches(int line, const char *pattern, const char *text)
{
	regex_t re;
	int r;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	r = regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	if (r != 0)
		check_failed(
		    __FILE__, line, "a line", "pattern", pattern, text);
}

/* Runs last words in a child; returns its exit status. */
static int
in_child(void (*last_words)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		last_words();
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
fatal_no_such_file(void)
{
	errno = ENOENT;
	fatal("open %s", "/nowhere");
}

static void
fatalx_two_folders(void)
{
	fatalx("name %d folder", 1);
}

/* A program that opened no log says its own name, and no time. */
static void
test_before_log_open(void **state)
{
	(void)state;
	begin();
	log_info("hello");
	hear();
	assert_string_equal(said, "test_log: hello\n");
	log_error("trouble");
	hear();
	assert_string_equal(said, "test_log: error: trouble\n");
	log_debug("not at this level");
	hear();
	assert_string_equal(said, "");
	assert_int_equal(in_child(fatal_no_such_file), 1);
	hear();
	assert_string_equal(
	    said, "test_log: open /nowhere: No such file or directory\n");
	assert_int_equal(in_child(fatalx_two_folders), 1);
	hear();
	assert_string_equal(said, "test_log: name 1 folder\n");
	end();
}

static void
test_levels(void **state)
{
	static void (*const says[])(
	    const char *, ...) = { log_error, log_warn, log_info, log_debug };
	static const char *const words[] = { "error: ", "warning: ", "",
		"debug: " };
	char pattern[160];

	(void)state;
	begin();
	unsetenv("JOURNAL_STREAM");
	for (int level = LOG_ERROR; level < LOG_LEVELS; level++) {
		log_open("netpand worker 2", (enum log_level)level);
		assert_int_equal(log_level(), level);
		for (int i = LOG_ERROR; i < LOG_LEVELS; i++) {
			says[i]("conn %d: %s", 17, "gone");
			hear();
			snprintf(pattern, sizeof(pattern),
			    TIME "netpand worker 2: %sconn 17: gone\n$",
			    words[i]);
			if (i <= level)
				check_matches(__LINE__, pattern, said);
			else
				CHECK_STR(__LINE__, words[i], "said", "", said);
		}
	}
	end();
}

static void
test_no_time_for_a_journal(void **state)
{
	(void)state;
	begin();
	setenv("JOURNAL_STREAM", "8:1234", 1);
	log_open("netpand", LOG_INFO);
	log_warn("x");
	hear();
	assert_string_equal(said, "netpand: warning: x\n");
	assert_int_equal(in_child(fatal_no_such_file), 1);
	hear();
	assert_string_equal(
	    said, "netpand: error: open /nowhere: No such file or directory\n");
	end();
}

static void
test_errno_is_kept(void **state)
{
	int closed = -1;

	(void)state;
	begin();
	log_set_fd(closed);
	errno = EXDEV;
	log_error("nobody hears");
	assert_int_equal(errno, EXDEV);
	log_set_fd(pipe_fds[1]);
	log_error("x");
	assert_int_equal(errno, EXDEV);
	hear();
	assert_string_equal(
	    said, "netpand: warning: log lines lost: 1\nnetpand: error: x\n");
	end();
}

static void
test_nobody_is_there_to_read(void **state)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);

	(void)state;
	begin();
	fd_close(&pipe_fds[0]);
	errno = EXDEV;
	log_error("x");
	assert_int_equal(errno, EXDEV);
	end();
	begin();
	log_error("y");
	hear();
	assert_string_equal(
	    said, "netpand: warning: log lines lost: 1\nnetpand: error: y\n");
	end();
	signal(SIGPIPE, before);
}

/* The name is cut; a line stays one line, of its length at most. */
static void
test_lines_are_bounded(void **state)
{
	char text[3 * LOG_LINE_BYTES], name[100];

	(void)state;
	begin();
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	log_open(name, LOG_INFO);
	log_info("x");
	hear();
	assert_int_equal(strlen(said), 63 + strlen(": x\n"));

	log_open("n", LOG_INFO);
	for (size_t len = LOG_LINE_BYTES - 8; len < sizeof(text); len++) {
		size_t full = len + strlen("n: \n");

		memset(text, 'x', len);
		text[len] = '\0';
		log_info("%s", text);
		hear();
		assert_true(strlen(said) <= LOG_LINE_BYTES);
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
		if (full <= LOG_LINE_BYTES - 1)
			assert_int_equal(strlen(said), full);
		else if (full > LOG_LINE_BYTES)
			assert_non_null(strstr(said, "xxx...\n"));
	}

	/* Not in the middle of a character: 3 bytes each, in all positions. */
	for (size_t at = 0; at < 3; at++) {
		const char *p;

		memset(text, 'x', at);
		for (size_t i = at; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe7\xbd\x91", 4);
		log_info("%s", text);
		hear();
		p = strstr(said, "...\n");
		assert_non_null(p);
		assert_memory_equal(p - 3, "\xe7\xbd\x91", 3);
	}
	end();
}

static void
test_control_bytes_do_not_pass(void **state)
{
	(void)state;
	begin();
	log_open("n", LOG_INFO);
	log_info("a\nb\r\x1b[2J\x7f%c", '\t');
	hear();
	assert_string_equal(said, "n: a?b??[2J??\n");
	end();
}

/* Nobody reads: lines are lost, and then it is said how many. */
static void
test_a_full_pipe_is_not_waited_for(void **state)
{
	unsigned lost = 0;
	size_t whole = 0;
	char *p;

	(void)state;
	begin();
	assert_true(fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096) >= 4096);
	log_open("n", LOG_INFO);
	for (unsigned i = 0; i < 1000; i++)
		log_info("line %04u, of some length so that few fit", i);
	hear();
	for (p = strtok(said, "\n"); p != NULL; p = strtok(NULL, "\n")) {
		check_matches(__LINE__,
		    "^n: line [0-9]{4}, of some length so that few fit$", p);
		whole++;
	}
	assert_true(whole > 0 && whole < 1000);
	log_info("again");
	hear();
	assert_int_equal(
	    sscanf(said, "n: warning: log lines lost: %u", &lost), 1);
	assert_int_equal(lost, 1000 - whole);
	assert_non_null(strstr(said, "\nn: again\n"));
	log_info("and again");
	hear();
	assert_string_equal(said, "n: and again\n");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_log_open), /* must be the first */
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_no_time_for_a_journal),
		cmocka_unit_test(test_errno_is_kept),
		cmocka_unit_test(test_nobody_is_there_to_read),
		cmocka_unit_test(test_lines_are_bounded),
		cmocka_unit_test(test_control_bytes_do_not_pass),
		cmocka_unit_test(test_a_full_pipe_is_not_waited_for),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
