/* Signals: each row is a process of its own, that ends as the row says. */
#include "helper.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/stop.h"

/* What becomes of the process; its exit status says what it saw. */
static int
pending_then_die(void)
{
	int fd = stop_open();

	raise(SIGTERM);
	if (stop_is_asked(fd) && stop_wait(fd, 60000) != 0)
		stop_die();
	return 1;
}

static int
nothing_asked(void)
{
	int fd = stop_open();

	if (stop_is_asked(fd) || stop_is_postponed())
		return 1;
	stop_postpone();
	if (stop_is_postponed())
		return 2;
	stop_die();
	return 0;
}

static int
pending_is_kept(void)
{
	stop_open();
	raise(SIGINT);
	stop_postpone();
	if (!stop_is_postponed())
		return 1;
	stop_die();
	return 2;
}

static int
later_is_kept(void)
{
	stop_open();
	stop_postpone();
	raise(SIGHUP);
	if (!stop_is_postponed())
		return 1;
	stop_die();
	return 2;
}

static int
second_ends_it(void)
{
	stop_open();
	raise(SIGINT);
	stop_postpone();
	raise(SIGTERM);
	return 1;
}

static int
ignored_stays_ignored(void)
{
	int fd;

	signal(SIGHUP, SIG_IGN);
	fd = stop_open();
	raise(SIGHUP);
	if (stop_is_asked(fd))
		return 1;
	stop_postpone();
	raise(SIGHUP);
	if (stop_is_postponed())
		return 2;
	raise(SIGINT); /* the rest is heard */
	raise(SIGHUP);
	stop_die();
	return 3;
}

static void
test_ends(void **state)
{
	static const struct {
		int line;
		const char *in;
		int (*run)(void);
		int want; /* the signal; 0: it ends with 0 */
	} rows[] = {
		{ __LINE__, "pending, then die", pending_then_die, SIGTERM },
		{ __LINE__, "nothing asked", nothing_asked, 0 },
		{ __LINE__, "pending is kept", pending_is_kept, SIGINT },
		{ __LINE__, "later is kept", later_is_kept, SIGHUP },
		{ __LINE__, "a second ends it", second_ends_it, SIGTERM },
		{ __LINE__, "ignored", ignored_stays_ignored, SIGINT },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		pid_t pid = fork();
		int status = -1;

		assert_true(pid != -1);
		if (pid == 0)
			_exit(rows[i].run());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		CHECK_INT(rows[i].line, rows[i].in, "signal", rows[i].want,
		    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		if (rows[i].want == 0)
			CHECK_INT(rows[i].line, rows[i].in, "exit status", 0,
			    WEXITSTATUS(status));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
