/* libfdpool: workers that SIGKILL does not end, and calls that are
 * interrupted. */
#include "fdpool_rig.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

enum { STUCK = 4 };

/* What the functions below put in place of the system's answers. */
static bool are_stuck;
static int64_t waited; /* ms that passed only in this test */
static int watches_left = -1; /* -1: no end */
static int interruptions;

int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);
int __real_epoll_ctl(int, int, int, struct epoll_event *);
int __wrap_epoll_ctl(int, int, int, struct epoll_event *);
int __real_pidfd_send_signal(int, int, siginfo_t *, unsigned);
int __wrap_pidfd_send_signal(int, int, siginfo_t *, unsigned);
int __real_poll(struct pollfd *, nfds_t, int);
int __wrap_poll(struct pollfd *, nfds_t, int);
int __real_waitid(idtype_t, id_t, siginfo_t *, int);
int __wrap_waitid(idtype_t, id_t, siginfo_t *, int);

int
__wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	int error = __real_clock_gettime(id, now);

	now->tv_sec += waited / 1000;
	return error;
}

int
__wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && watches_left == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (op == EPOLL_CTL_ADD && watches_left > 0)
		watches_left--;
	return __real_epoll_ctl(epoll_fd, op, fd, event);
}

int
__wrap_pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned flags)
{
	if (are_stuck)
		return 0;
	return __real_pidfd_send_signal(pidfd, sig, info, flags);
}

int
__wrap_poll(struct pollfd *pfds, nfds_t n, int ms)
{
	if (!are_stuck)
		return __real_poll(pfds, n, ms);
	waited += ms;
	return 0;
}

int
__wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	if (interruptions > 0 && !(options & WNOHANG)) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	return __real_waitid(type, id, info, options);
}

/* Two seconds for all together, not for each. */
static void
one_deadline_for_all(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.workers = STUCK };
	struct rig rig;
	int pids[STUCK];
	unsigned i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == STUCK);
	for (i = 0; i < STUCK; i++) {
		pids[i] = rig_worker(&rig, i).pid;
		rig_stop(pids[i]);
	}
	are_stuck = true;
	fdpool_free(rig.pool);
	are_stuck = false;
	assert_in_range(waited, 1, 2000);
	waited = 0;
	assert_int_equal(rig_open_fds(), rig.base_fds);
	for (i = 0; i < STUCK; i++) {
		kill(pids[i], SIGKILL);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	}
}

/* The timer's, then a worker's channel, then its process: whichever of them
 * cannot be watched, no child is left, though waiting for it is interrupted. */
static void
no_child_is_left(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct fdpool *pool = NULL;
	unsigned fds = rig_open_fds();
	int n;

	(void)state;
	for (n = 0; n < 3; n++) {
		watches_left = n;
		interruptions = 3;
		CHECK_INT(__LINE__, "cannot watch", "result", -ENOSPC,
		    fdpool_new(&pool, &opt));
		watches_left = -1;
		CHECK_INT(__LINE__, "cannot watch", "interruptions",
		    n == 0 ? 3 : 0, interruptions);
		interruptions = 0;
		assert_null(pool);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		assert_int_equal(rig_open_fds(), fds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_deadline_for_all),
		cmocka_unit_test(no_child_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
