#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static void
test_count_is_of_all(void **state)
{
	int open_fds = 0;

	(void)state;
	for (int fd = 0; fd < 1024; fd++)
		open_fds += fcntl(fd, F_GETFD) != -1;
	assert_int_equal(fd_count_open(), open_fds);
}

/* Of those from 3 on: just the ones named. */
static void
test_check_open(void **state)
{
	int own[64], pipes[2], n = 0, which = -1;

	(void)state;
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			own[n++] = fd;
	assert_int_equal(fd_check_open(own, (size_t)n, &which), 0);
	assert_int_equal(which, -1);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	own[n] = pipes[0];
	assert_int_equal(fd_check_open(own, (size_t)n + 1, &which), -EEXIST);
	assert_int_equal(which, pipes[1]);
	own[n + 1] = pipes[1];
	assert_int_equal(fd_check_open(own, (size_t)n + 2, &which), 0);
	close(pipes[0]);
	assert_int_equal(fd_check_open(own, (size_t)n + 2, &which), -EBADF);
	assert_int_equal(which, pipes[0]);
	close(pipes[1]);
	assert_int_equal(fd_check_open(own, (size_t)n, &which), 0);
	/* far up, and with a hole below */
	assert_int_equal(dup2(0, 900), 900);
	assert_int_equal(fd_check_open(own, (size_t)n, &which), -EEXIST);
	assert_int_equal(which, 900);
	close(900);
}

static void
test_close_and_take(void **state)
{
	int fds[2], taken, before = fd_count_open();

	(void)state;
	assert_true(before > 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_count_open(), before + 2);
	taken = fd_take(&fds[0]);
	assert_int_equal(fds[0], -1);
	assert_true(fcntl(taken, F_GETFD) >= 0);

	errno = EXDEV;
	fd_close(&fds[0]); /* holds none */
	assert_int_equal(fd_count_open(), before + 2);
	fd_close(&fds[1]);
	assert_int_equal(fds[1], -1);
	fd_close(&fds[1]);
	fd_close(&taken);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fd_count_open(), before);

	taken = 1 << 20; /* not open: errno is kept all the same */
	fd_close(&taken);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(taken, -1);
}

/* Every choice of the three, in a process of its own. */
static int
fill_std(unsigned closed)
{
	char c = 'x';
	int fd;

	for (fd = 0; fd < 3; fd++)
		if ((closed & (1u << fd)) != 0)
			close(fd);
	if (fd_fill_std() != 0)
		return 1;
	for (fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) == -1)
			return 2;
		if ((closed & (1u << fd)) == 0)
			continue;
		if ((fd == 0 ? read(fd, &c, 1) : write(fd, &c, 1)) != -1)
			return 3;
	}
	fd = open("/dev/null", O_RDONLY);
	return fd > 2 ? 0 : 4;
}

static void
test_fill_std(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 8; closed++) {
		pid_t pid = fork();
		int status = -1;

		assert_true(pid != -1);
		if (pid == 0)
			_exit(fill_std(closed));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void
test_nonblock(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_set_nonblock(fds[0], 1), 0);
	assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fd_set_nonblock(fds[0], 1), 0);
	assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fd_set_nonblock(fds[0], 0), 0);
	assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0);
	assert_true((fcntl(fds[1], F_GETFL) & O_NONBLOCK) == 0);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	assert_int_equal(fd_set_nonblock(-1, 1), -EBADF);
}

/* More than a pipe holds at once, so that every call is short. */
#define MUCH (1 << 20)

static void *
write_much(void *arg)
{
	static unsigned char bytes[MUCH];
	int fd = *(int *)arg;
	ssize_t n;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7);
	n = fd_write_full(fd, bytes, sizeof(bytes));
	close(fd);
	return n == (ssize_t)sizeof(bytes) ? arg : NULL;
}

static void
test_short_counts_are_looped_over(void **state)
{
	static unsigned char bytes[MUCH + 1];
	pthread_t writer;
	void *written;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_much, &fds[1]), 0);
	/* One byte more is asked for than comes: the end of file. */
	assert_int_equal(fd_read_full(fds[0], bytes, sizeof(bytes)), MUCH);
	assert_int_equal(pthread_join(writer, &written), 0);
	assert_non_null(written);
	for (size_t i = 0; i < MUCH; i++)
		assert_int_equal(bytes[i], (unsigned char)(i * 7));
	assert_int_equal(fd_read_full(fds[0], bytes, 10), 0);
	fd_close(&fds[0]);
}

static void
test_pread(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		off_t off;
		const char *want;
	} rows[] = {
		{ __LINE__, "all", 10, 0, "0123456789" },
		{ __LINE__, "the middle", 3, 4, "456" },
		{ __LINE__, "past the end", 5, 8, "89" },
		{ __LINE__, "at the end", 5, 10, "" },
		{ __LINE__, "far past the end", 5, 1000, "" },
		{ __LINE__, "nothing", 0, 3, "" },
	};
	char bytes[16];
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	assert_int_equal(fd_write_full(fileno(f), "0123456789", 10), 10);
	for (size_t i = 0; i < nitems(rows); i++) {
		ssize_t n = fd_pread_full(
		    fileno(f), bytes, rows[i].len, rows[i].off);

		CHECK_MEM(rows[i].line, rows[i].in, "read", rows[i].want,
		    strlen(rows[i].want), bytes, (size_t)n);
	}
	fclose(f);
}

static void
test_errors_are_told(void **state)
{
	char byte = 0;
	int fds[2];

	(void)state;
	assert_int_equal(fd_read_full(-1, &byte, 1), -EBADF);
	assert_int_equal(fd_write_full(-1, &byte, 1), -EBADF);
	assert_int_equal(fd_pread_full(-1, &byte, 1, 0), -EBADF);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fd_read_full(fds[0], &byte, 1), -EAGAIN);
	assert_int_equal(fd_pread_full(fds[0], &byte, 1, 0), -ESPIPE);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

static void
test_clock_goes_forward(void **state)
{
	uint64_t ms = clock_ms(), ns = clock_ns();

	(void)state;
	assert_true(ns / 1000000 >= ms);
	assert_true(clock_ns() >= ns);
	assert_true(clock_wall_s() > 1700000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_is_of_all),
		cmocka_unit_test(test_check_open),
		cmocka_unit_test(test_close_and_take),
		cmocka_unit_test(test_fill_std),
		cmocka_unit_test(test_nonblock),
		cmocka_unit_test(test_short_counts_are_looped_over),
		cmocka_unit_test(test_pread),
		cmocka_unit_test(test_errors_are_told),
		cmocka_unit_test(test_clock_goes_forward),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
