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
static bool are_deathless; /* SIGKILL ends nobody */
static bool are_stuck; /* nor does the time pass that is waited for them */
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
	if (are_deathless || are_stuck)
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

static struct rig_work hundred = { .slots = 100 };

/* Its heartbeats are missed, and SIGKILL does nothing. */
static int
get_stuck(struct rig *rig, unsigned index)
{
	int pid;

	UNTIL(rig, rig_worker(rig, index).state == FDPOOL_READY);
	pid = rig_worker(rig, index).pid;
	rig_stop(pid);
	return pid;
}

static void
end_stuck(struct rig *rig, int pid)
{
	unsigned n = rig->n_of[FDPOOL_EV_ENDED];

	kill(pid, SIGKILL);
	UNTIL(rig, rig->n_of[FDPOOL_EV_ENDED] == n + 1);
	assert_int_equal(rig->last[FDPOOL_EV_ENDED].pid, pid);
	assert_int_equal(rig->last[FDPOOL_EV_ENDED].error, CLD_KILLED);
	assert_int_equal(rig->last[FDPOOL_EV_ENDED].value, SIGKILL);
}

/* What it held is lost with it, what waited for it is served by another; and
 * when it ends at last, it is reaped, and nothing counted twice. */
static void
a_stuck_one_is_replaced(void **state)
{
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &hundred,
		.heartbeat_ms = 20,
		.silent_ms = 600 };
	struct fdpool_counts counts, now;
	struct rig rig;
	int held, waiting, pid;

	(void)state;
	rig_start(&rig, &opt);
	held = rig_client(&rig);
	pid = rig_pid_of(&rig, held);
	UNTIL(&rig, rig_counts(&rig).held == 1);
	are_deathless = true;
	assert_int_equal(get_stuck(&rig, 0), pid);
	waiting = rig_client(&rig);
	assert_int_not_equal(rig_pid_of(&rig, waiting), pid);
	assert_int_equal(rig.n_of[FDPOOL_EV_STUCK], 1);
	assert_int_equal(rig.last[FDPOOL_EV_STUCK].pid, pid);
	assert_int_equal(rig.last[FDPOOL_EV_STUCK].error, 0);
	assert_int_equal(rig.last[FDPOOL_EV_STUCK].value, 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_ENDED], 0);
	UNTIL(&rig, rig_counts(&rig).held == 1);
	counts = rig_counts(&rig);
	assert_int_equal(counts.stuck, 1);
	assert_int_equal(rig_worker(&rig, 0).counts.stuck, 1);
	assert_int_equal(counts.lost, 1);
	assert_int_equal(counts.restarted, 1);

	end_stuck(&rig, pid);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].worker, 0);
	are_deathless = false;
	assert_int_equal(rig_worker(&rig, 0).state, FDPOOL_READY);
	assert_int_equal(rig_worker(&rig, 0).counts.stuck, 0);
	counts.stuck = 0;
	now = rig_counts(&rig);
	assert_memory_equal(&now, &counts, sizeof(counts));
	rig_leave(held);
	rig_leave(waiting);
	UNTIL(&rig, rig_counts(&rig).done == 1);
	rig_end(&rig);
}

/* No more than there are places; then they are waited for. */
static void
so_many_are_replaced(void **state)
{
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 2,
		.heartbeat_ms = 20,
		.silent_ms = 600 };
	int pids[3], pid, client;
	struct rig rig;
	unsigned i;

	(void)state;
	rig_start(&rig, &opt);
	are_deathless = true;
	for (i = 0; i < 3; i++) {
		pids[i] = get_stuck(&rig, 0);
		UNTIL(&rig, rig.n_of[FDPOOL_EV_STUCK] == i + 1);
	}
	assert_int_equal(rig.last[FDPOOL_EV_STUCK].pid, pids[2]);
	assert_int_equal(rig.last[FDPOOL_EV_STUCK].error, -EAGAIN);
	assert_int_equal(rig_counts(&rig).stuck, 2);
	assert_int_equal(rig_worker(&rig, 0).state, FDPOOL_DYING);
	/* Whether that is asked for again or not, it is told once. */
	rig_turns_for(&rig, 1500);
	assert_int_equal(rig.n_of[FDPOOL_EV_STUCK], 3);
	assert_int_equal(rig_worker(&rig, 0).state, FDPOOL_DYING);
	/* The other place goes on. */
	client = rig_client(&rig);
	assert_int_equal(rig_pid_of(&rig, client), rig_worker(&rig, 1).pid);
	rig_leave(client);

	end_stuck(&rig, pids[0]);
	UNTIL(&rig, rig_worker(&rig, 0).state == FDPOOL_READY);
	assert_int_equal(rig.n_of[FDPOOL_EV_STUCK], 4);
	assert_int_equal(rig.last[FDPOOL_EV_STUCK].error, 0);
	assert_int_equal(rig_counts(&rig).stuck, 2);
	/* One that is waited for may end as well. */
	pid = get_stuck(&rig, 1);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_STUCK] == 5);
	assert_int_equal(rig.last[FDPOOL_EV_STUCK].error, -EAGAIN);
	end_stuck(&rig, pid);
	UNTIL(&rig, rig_worker(&rig, 1).state == FDPOOL_READY);
	assert_int_equal(rig_counts(&rig).stuck, 2);
	end_stuck(&rig, pids[1]);
	end_stuck(&rig, pids[2]);
	are_deathless = false;
	assert_int_equal(rig_counts(&rig).stuck, 0);
	assert_int_equal(rig_in_state(&rig, FDPOOL_READY), 2);
	rig_end(&rig);
}

/* A drain does not wait for one, nor does a place that is to go. */
static void
a_stuck_one_leaves(void **state)
{
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 2,
		.heartbeat_ms = 20,
		.silent_ms = 600 };
	struct rig rig;
	int pids[2];

	(void)state;
	rig_start(&rig, &opt);
	are_deathless = true;
	pids[1] = get_stuck(&rig, 1);
	assert_int_equal(fdpool_resize(rig.pool, 1), 0);
	UNTIL(&rig, fdpool_workers(rig.pool) == 1);
	pids[0] = get_stuck(&rig, 0);
	fdpool_drain(rig.pool);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).stuck, 2);
	assert_int_equal(rig_counts(&rig).restarted, 0);
	end_stuck(&rig, pids[1]);
	assert_int_equal(rig_counts(&rig).stuck, 1);
	are_deathless = false;
	/* The last is reaped with the pool. */
	kill(pids[0], SIGKILL);
	rig_end(&rig);
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
		cmocka_unit_test(a_stuck_one_is_replaced),
		cmocka_unit_test(so_many_are_replaced),
		cmocka_unit_test(a_stuck_one_leaves),
		cmocka_unit_test(one_deadline_for_all),
		cmocka_unit_test(no_child_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
