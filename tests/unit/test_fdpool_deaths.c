/* libfdpool: workers that die, stop, hang or never begin, and masters that
 * die. */
#include "fdpool_rig.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct rig_work hundred = { .slots = 100 };

/* ---- deaths ---- */

/* Stopped first, so that what it was given stays un-taken. */
static void
untaken_are_given_again(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 2,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[20], victim, i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	victim = rig_worker(&rig, 0).pid;
	rig_stop(victim);
	for (i = 0; i < 20; i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_worker(&rig, 0).counts.in_flight, 10);
	kill(victim, SIGKILL);
	for (i = 0; i < 20; i++)
		assert_int_not_equal(rig_pid_of(&rig, clients[i]), victim);
	UNTIL(&rig, rig_counts(&rig).held == 20);
	assert_int_equal(rig_counts(&rig).given_again, 10);
	assert_int_equal(rig_counts(&rig).given, 30);
	assert_int_equal(rig_counts(&rig).taken, 20);
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig_worker(&rig, 0).counts.given_again, 10);
	for (i = 0; i < 20; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* What comes back goes before those who came later. */
static void
given_again_in_order(void **state)
{
	struct fdpool_options opt = {
		.run = rig_blocking_worker,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[4], i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	rig_stop(rig_worker(&rig, 0).pid);
	for (i = 0; i < 4; i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_counts(&rig).in_flight, 1);
	assert_int_equal(rig_counts(&rig).queued, 3);
	kill(rig_worker(&rig, 0).pid, SIGKILL);
	for (i = 0; i < 4; i++) {
		/* Only the first in the order is served by the one worker. */
		(void)rig_pid_of(&rig, clients[i]);
		rig_leave(clients[i]);
	}
	UNTIL(&rig, rig_counts(&rig).done == 4);
	assert_int_equal(rig_counts(&rig).given_again, 1);
	rig_end(&rig);
}

static void
held_are_lost(void **state)
{
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &hundred };
	struct rig rig;
	int clients[5], i;

	(void)state;
	rig_start(&rig, &opt);
	for (i = 0; i < 5; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 5);
	rig_say(clients[0], 'd');
	UNTIL(&rig, rig_counts(&rig).done == 1);
	kill(rig_worker(&rig, 0).pid, SIGKILL);
	UNTIL(&rig, rig_counts(&rig).restarted == 1);
	assert_int_equal(rig_counts(&rig).lost, 4);
	assert_int_equal(rig_counts(&rig).held, 0);
	assert_int_equal(rig_counts(&rig).given_again, 0);
	assert_int_equal(rig_worker(&rig, 0).counts.lost, 4);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].error, CLD_KILLED);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].value, SIGKILL);
	for (i = 0; i < 5; i++) {
		rig_hear_end(&rig, clients[i]);
		close(clients[i]);
	}
	rig_end(&rig);
}

/* A client whose bytes kill a worker kills one: nobody else gets it. */
static int
dies_of_any_client(int chan_fd, void *deaths)
{
	struct fdpool_worker *worker;
	struct fdpool_client client;
	struct pollfd pfd = { .fd = chan_fd, .events = POLLIN };

	if (*(int *)deaths > 0)
		return rig_event_worker(chan_fd, &hundred);
	if (fdpool_worker_open(&worker, chan_fd, 10) != 0)
		return 1;
	while (fdpool_worker_recv(worker, &client, 1) != 1)
		poll(&pfd, 1, -1);
	++*(int *)deaths;
	raise(SIGKILL);
	return 0;
}

static void
poison_kills_one(void **state)
{
	int *deaths = rig_shared(sizeof(*deaths));
	struct fdpool_options opt = { .run = dies_of_any_client,
		.run_arg = deaths };
	struct rig rig;
	int poison, client;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	poison = rig_client(&rig);
	rig_hear_end(&rig, poison);
	UNTIL(&rig, rig_counts(&rig).restarted == 1);
	client = rig_client(&rig);
	(void)rig_pid_of(&rig, client);
	assert_int_equal(*deaths, 1);
	assert_int_equal(rig_counts(&rig).lost, 1);
	assert_int_equal(rig_counts(&rig).given_again, 0);
	close(poison);
	rig_leave(client);
	rig_end(&rig);
	munmap(deaths, sizeof(*deaths));
}

/* What a worker said just before it died counts, even when nobody had time
 * to listen. */
static void
last_words_count(void **state)
{
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &hundred };
	struct pollfd pfd;
	struct rig rig;
	int clients[3], pidfd, i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	pidfd = pidfd_open(rig_worker(&rig, 0).pid, 0);
	for (i = 0; i < 3; i++)
		clients[i] = rig_client(&rig);
	/* From here until it is dead the master does not dispatch. */
	for (i = 0; i < 2; i++) {
		rig_say(clients[i], 'p');
		pfd = (struct pollfd){ .fd = clients[i], .events = POLLIN };
		assert_int_equal(poll(&pfd, 1, 30000), 1);
		rig_say(clients[i], 'd');
	}
	rig_say(clients[2], 'x');
	pfd = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	assert_int_equal(poll(&pfd, 1, 30000), 1);
	assert_int_equal(rig_counts(&rig).done, 0);

	UNTIL(&rig, rig_counts(&rig).restarted == 1);
	assert_int_equal(rig_counts(&rig).taken, 3);
	assert_int_equal(rig_counts(&rig).given_again, 0);
	assert_int_equal(rig_counts(&rig).done + rig_counts(&rig).lost, 3);
	assert_in_range(rig_counts(&rig).lost, 1, 3);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].error, CLD_EXITED);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].value, 3);
	for (i = 0; i < 3; i++)
		close(clients[i]);
	close(pidfd);
	rig_end(&rig);
}

static void
a_hundred_deaths(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 4,
		.restart_max_ms = 1,
	};
	struct rig rig;
	unsigned fds;
	int i, client;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 4);
	fds = rig_open_fds();
	for (i = 0; i < 100; i++) {
		client = rig_client(&rig);
		rig_say(client, 'k');
		rig_hear_end(&rig, client);
		close(client);
	}
	UNTIL(&rig, rig_counts(&rig).restarted == 100 &&
			rig_in_state(&rig, FDPOOL_READY) == 4);
	assert_int_equal(rig_counts(&rig).lost, 100);
	assert_int_equal(rig_counts(&rig).held, 0);
	assert_int_equal(rig_open_fds(), fds);
	/* Four children, none of them dead. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
	client = rig_client(&rig);
	(void)rig_pid_of(&rig, client);
	rig_leave(client);
	rig_end(&rig);
}

/* The exit status is somebody else's when SIGCHLD is ignored. */
static void
status_taken_by_others(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct rig rig;
	int client;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	kill(rig_worker(&rig, 0).pid, SIGKILL);
	UNTIL(&rig, rig_counts(&rig).restarted == 1);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].error, 0);
	client = rig_client(&rig);
	(void)rig_pid_of(&rig, client);
	rig_leave(client);
	rig_end(&rig);
	signal(SIGCHLD, SIG_DFL);
}

static int
ends_at_once(int chan_fd, void *arg)
{
	(void)chan_fd;
	(void)arg;
	return 3;
}

static void
reap_all(int sig)
{
	int saved = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

/* The pool has its hand on each child before that can end, whoever reaps it. */
static void
ended_before_it_is_known(void **state)
{
	void (*const reapers[])(int) = { SIG_IGN, reap_all };
	struct fdpool_options opt = { .run = ends_at_once, .workers = 16 };
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < nitems(reapers); i++) {
		signal(SIGCHLD, reapers[i]);
		rig_start(&rig, &opt);
		UNTIL(&rig, rig.n_of[FDPOOL_EV_ENDED] >= 32);
		assert_int_equal(rig.n_of[FDPOOL_EV_START_FAILED], 0);
		rig_end(&rig);
		signal(SIGCHLD, SIG_DFL);
	}
}

/* ---- stopped and silent ---- */

static void
stopped_and_continued(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 2,
		.heartbeat_ms = 20,
	};
	struct rig rig;
	int clients[6], pid, i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	pid = rig_worker(&rig, 0).pid;
	rig_stop(pid);
	UNTIL(&rig, rig_worker(&rig, 0).state == FDPOOL_SILENT);
	assert_int_equal(rig.last[FDPOOL_EV_SILENT].worker, 0);
	assert_int_equal(rig.last[FDPOOL_EV_SILENT].pid, pid);
	for (i = 0; i < 6; i++) {
		clients[i] = rig_client(&rig);
		assert_int_not_equal(rig_pid_of(&rig, clients[i]), pid);
	}
	kill(pid, SIGCONT);
	UNTIL(&rig, rig_worker(&rig, 0).state == FDPOOL_READY);
	assert_int_equal(rig.n_of[FDPOOL_EV_BACK], 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	rig_leave(clients[0]);
	clients[0] = rig_client(&rig);
	assert_int_equal(rig_pid_of(&rig, clients[0]), pid);
	for (i = 0; i < 6; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* What waits for a silent worker is given to others long before anybody kills
 * it, and it serves the rest when it comes back. */
static void
silent_ones_clients_move_on(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 2,
		.heartbeat_ms = 20,
		.silent_ms = 3600000,
	};
	struct rig rig;
	int clients[21], pid, i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	pid = rig_worker(&rig, 0).pid;
	clients[20] = rig_client(&rig);
	if (rig_pid_of(&rig, clients[20]) != pid)
		pid = rig_worker(&rig, 1).pid;
	rig_leave(clients[20]);
	UNTIL(&rig, rig_counts(&rig).done == 1);
	rig_stop(pid);
	for (i = 0; i < 20; i++)
		clients[i] = rig_client(&rig);
	for (i = 0; i < 20; i++)
		assert_int_not_equal(rig_pid_of(&rig, clients[i]), pid);
	assert_int_equal(rig.n_of[FDPOOL_EV_SILENT], 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	assert_in_range(rig_counts(&rig).given_again, 1, 10);
	kill(pid, SIGCONT);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	clients[20] = rig_client(&rig);
	assert_int_equal(rig_pid_of(&rig, clients[20]), pid);
	assert_int_equal(rig_counts(&rig).lost, 0);
	for (i = 0; i < 21; i++)
		rig_leave(clients[i]);
	UNTIL(&rig, rig_counts(&rig).done == 22);
	rig_end(&rig);
}

static void
stopped_too_long(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.heartbeat_ms = 20,
		.silent_ms = 100,
	};
	struct rig rig;
	int clients[10], pid, i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	pid = rig_worker(&rig, 0).pid;
	rig_stop(pid);
	for (i = 0; i < 10; i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_counts(&rig).in_flight, 10);
	for (i = 0; i < 10; i++)
		assert_int_not_equal(rig_pid_of(&rig, clients[i]), pid);
	assert_int_equal(rig.n_of[FDPOOL_EV_SILENT], 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 1);
	assert_int_equal(rig.last[FDPOOL_EV_KILLED].error, -ETIMEDOUT);
	assert_int_equal(rig_counts(&rig).given_again, 10);
	assert_int_equal(rig_counts(&rig).lost, 0);
	for (i = 0; i < 10; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* It runs, but does not come back to its loop. */
static void
busy_for_ever(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.heartbeat_ms = 20,
		.silent_ms = 100,
	};
	struct rig rig;
	int clients[2];

	(void)state;
	rig_start(&rig, &opt);
	clients[0] = rig_client(&rig);
	clients[1] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 2);
	rig_say(clients[0], 'b');
	UNTIL(&rig, rig_counts(&rig).restarted == 1);
	assert_int_equal(rig.last[FDPOOL_EV_KILLED].error, -ETIMEDOUT);
	assert_int_equal(rig_counts(&rig).lost, 2);
	close(clients[0]);
	close(clients[1]);
	rig_end(&rig);
}

/* A worker of one slot may take its time, but not be stopped. */
static void
blocking_and_busy(void **state)
{
	struct fdpool_options opt = {
		.run = rig_blocking_worker,
		.workers = 2,
		.heartbeat_ms = 20,
		.silent_ms = 100,
	};
	struct rig rig;
	int client, pid;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	client = rig_client(&rig);
	pid = rig_pid_of(&rig, client);
	rig_turns_for(&rig, 500);
	assert_int_equal(rig_pid_of(&rig, client), pid);
	assert_int_equal(rig.n_of[FDPOOL_EV_SILENT], 0);
	rig_say(client, 's');
	UNTIL(&rig, rig.n_of[FDPOOL_EV_SILENT] == 1);
	kill(pid, SIGCONT);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_BACK] == 1);
	assert_int_equal(rig_pid_of(&rig, client), pid);
	rig_say(client, 's');
	UNTIL(&rig, rig_counts(&rig).restarted == 1);
	assert_int_equal(rig.last[FDPOOL_EV_KILLED].error, -ETIMEDOUT);
	assert_int_equal(rig.last[FDPOOL_EV_KILLED].pid, pid);
	assert_int_equal(rig_counts(&rig).lost, 1);
	rig_hear_end(&rig, client);
	close(client);
	rig_end(&rig);
}

/* Told to leave while it serves: it takes its time. */
static void
blocking_and_leaving(void **state)
{
	struct fdpool_options opt = {
		.run = rig_blocking_worker,
		.workers = 2,
		.heartbeat_ms = 20,
		.silent_ms = 100,
	};
	struct rig rig;
	int clients[2], pids[2], i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	for (i = 0; i < 2; i++) {
		clients[i] = rig_client(&rig);
		pids[i] = rig_pid_of(&rig, clients[i]);
	}
	assert_int_equal(fdpool_resize(rig.pool, 1), 0);
	rig_turns_for(&rig, 500);
	for (i = 0; i < 2; i++)
		assert_int_equal(rig_pid_of(&rig, clients[i]), pids[i]);
	assert_int_equal(rig.n_of[FDPOOL_EV_SILENT], 0);
	for (i = 0; i < 2; i++)
		rig_leave(clients[i]);
	UNTIL(&rig, fdpool_workers(rig.pool) == 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].value, 0);
	rig_end(&rig);
}

/* A master that was itself stopped holds nothing against its workers. */
static void
a_late_master_blames_nobody(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 3,
		.heartbeat_ms = 20,
		.silent_ms = 100,
	};
	struct rig rig;
	int i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 3);
	for (i = 0; i < 3; i++) {
		usleep(300 * 1000);
		rig_turns_for(&rig, 50);
	}
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	assert_int_equal(rig_in_state(&rig, FDPOOL_READY), 3);
	rig_end(&rig);
}

/* Every worker stopped, many clients: full, not fatal, no spinning, and on
 * SIGCONT everybody is served. */
static void
all_stopped(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 3,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[250];
	unsigned i, dispatches;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 3);
	for (i = 0; i < 3; i++)
		rig_stop(rig_worker(&rig, i).pid);
	for (i = 0; i < nitems(clients); i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_counts(&rig).in_flight, 3 * FDPOOL_WINDOW);
	dispatches = rig.dispatches;
	rig_turns_for(&rig, 300);
	assert_in_range(rig.dispatches - dispatches, 0, 20);
	for (i = 0; i < 3; i++)
		kill(rig_worker(&rig, i).pid, SIGCONT);
	UNTIL(&rig, rig_counts(&rig).held == nitems(clients));
	assert_int_equal(rig_counts(&rig).given_again, 0);
	for (i = 0; i < nitems(clients); i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* ---- workers that do not begin, or do not end ---- */

static int
says_nothing(int chan_fd, void *nothing)
{
	(void)chan_fd;
	(void)nothing;
	while (pause() == -1)
		;
	return 0;
}

static void
never_ready(void **state)
{
	struct fdpool_options opt = { .run = says_nothing, .start_ms = 20 };
	struct rig rig;
	int client;

	(void)state;
	rig_start(&rig, &opt);
	client = rig_client(&rig);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_KILLED] == 3);
	assert_int_equal(rig.last[FDPOOL_EV_KILLED].error, -ETIMEDOUT);
	assert_int_equal(rig.n_of[FDPOOL_EV_READY], 0);
	assert_int_equal(rig_counts(&rig).queued, 1);
	close(client);
	rig_end(&rig);
}

/* At once the first time, then later and later, up to the limit. */
static void
restart_delays(void **state)
{
	static const char *const missing[] = { "/nonexistent/worker", NULL };
	static const int64_t want[] = { 100, 200, 250, 250 };
	struct fdpool_options opt = { .argv = missing, .restart_max_ms = 250 };
	struct rig rig;
	unsigned i, n = 0;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_RESTART_WAITS] == nitems(want));
	assert_int_equal(rig.n_of[FDPOOL_EV_ENDED], nitems(want) + 1);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].error, CLD_EXITED);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].value, 127);
	assert_int_equal(rig_in_state(&rig, FDPOOL_EMPTY), 1);
	assert_int_equal(rig_worker(&rig, 0).pid, -1);
	for (i = 0; i < rig.n_events; i++)
		if (rig.events[i].type == FDPOOL_EV_RESTART_WAITS)
			CHECK_INT(__LINE__, "delay", "ms", want[n++],
			    rig.events[i].value);
	/* A pool without a living worker drains at once. */
	fdpool_drain(rig.pool);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	rig_end(&rig);
}

static int
closes_and_stays(int chan_fd, void *starts)
{
	struct fdpool_worker *worker;

	if ((*(int *)starts)++ > 0)
		return rig_event_worker(chan_fd, &hundred);
	if (fdpool_worker_open(&worker, chan_fd, 10) != 0 ||
	    fdpool_worker_ready(worker) != 0)
		return 1;
	raise(SIGSTOP);
	fdpool_worker_close(worker);
	while (pause() == -1)
		;
	return 0;
}

/* What it was given goes to others at once, and it is not waited for. */
static void
channel_closed_but_stays(void **state)
{
	int *starts = rig_shared(sizeof(*starts));
	struct fdpool_options opt = {
		.run = closes_and_stays,
		.run_arg = starts,
		.silent_ms = 2000,
	};
	struct rig rig;
	siginfo_t status;
	int clients[2], pid;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	pid = rig_worker(&rig, 0).pid;
	assert_int_equal(
	    waitid(P_PID, (id_t)pid, &status, WSTOPPED | WNOWAIT), 0);
	clients[0] = rig_client(&rig);
	assert_int_equal(fdpool_resize(rig.pool, 2), 0);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	kill(pid, SIGCONT);
	UNTIL(&rig, rig_worker(&rig, 0).state == FDPOOL_DRAINING);
	assert_int_not_equal(rig_pid_of(&rig, clients[0]), pid);
	assert_int_equal(rig_counts(&rig).given_again, 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	clients[1] = rig_client(&rig);
	assert_int_not_equal(rig_pid_of(&rig, clients[1]), pid);
	UNTIL(&rig, rig_counts(&rig).restarted == 1);
	assert_int_equal(rig.last[FDPOOL_EV_KILLED].pid, pid);
	assert_int_equal(rig.last[FDPOOL_EV_KILLED].error, -ETIMEDOUT);
	assert_int_equal(rig_counts(&rig).lost, 0);
	rig_leave(clients[0]);
	rig_leave(clients[1]);
	rig_end(&rig);
	munmap(starts, sizeof(*starts));
}

/* ---- when there is nothing to start with ---- */

static rlim_t
set_fd_limit(rlim_t n)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

/* The limit that leaves room for n more. */
static rlim_t
limit_for(unsigned n)
{
	int fd = dup(0);

	assert_int_not_equal(fd, -1);
	close(fd);
	return (rlim_t)fd + n;
}

static void
no_descriptors_at_start(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.workers = 8 };
	struct fdpool *pool = NULL;
	unsigned fds = rig_open_fds(), n;
	rlim_t before;

	(void)state;
	for (n = 0; n < 15; n++) {
		before = set_fd_limit(limit_for(n));
		CHECK_INT(__LINE__, "few descriptors", "result", -EMFILE,
		    fdpool_new(&pool, &opt));
		(void)set_fd_limit(before);
		assert_null(pool);
		assert_int_equal(rig_open_fds(), fds);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void
no_descriptors_for_a_restart(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.restart_max_ms = 10 };
	struct rig rig;
	rlim_t before;
	int client;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	kill(rig_worker(&rig, 0).pid, SIGKILL);
	before = set_fd_limit(3);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_START_FAILED] == 3);
	assert_int_equal(rig.last[FDPOOL_EV_START_FAILED].error, -EMFILE);
	assert_int_equal(rig_counts(&rig).restarted, 0);
	(void)set_fd_limit(before);
	client = rig_client(&rig);
	(void)rig_pid_of(&rig, client);
	assert_int_equal(rig_counts(&rig).restarted, 1);
	rig_leave(client);
	rig_end(&rig);
}

/* What a dead worker left comes back when there are descriptors for it. */
static void
no_descriptors_to_take_back(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[20], i;
	rlim_t before;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	rig_stop(rig_worker(&rig, 0).pid);
	for (i = 0; i < 20; i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_counts(&rig).in_flight, 20);
	before = set_fd_limit(3);
	kill(rig_worker(&rig, 0).pid, SIGKILL);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_ENDED] == 1);
	rig_turns_for(&rig, 200);
	assert_int_equal(rig_counts(&rig).in_flight, 20);
	assert_int_equal(rig_counts(&rig).lost, 0);
	(void)set_fd_limit(before);
	for (i = 0; i < 20; i++)
		(void)rig_pid_of(&rig, clients[i]);
	assert_int_equal(rig_counts(&rig).given_again, 20);
	assert_int_equal(rig_counts(&rig).lost, 0);
	for (i = 0; i < 20; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* The queue has room for whatever comes back at once. */
static void
all_come_back(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 4,
		.queue_max = 1,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[4 * FDPOOL_WINDOW + 1];
	unsigned i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 4);
	for (i = 0; i < 4; i++)
		rig_stop(rig_worker(&rig, i).pid);
	for (i = 0; i < nitems(clients); i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_counts(&rig).queued, 1);
	for (i = 0; i < 4; i++)
		kill(rig_worker(&rig, i).pid, SIGKILL);
	UNTIL(&rig, rig_counts(&rig).held == nitems(clients));
	assert_int_equal(rig_counts(&rig).given_again, 4 * FDPOOL_WINDOW);
	assert_int_equal(rig_counts(&rig).lost, 0);
	for (i = 0; i < nitems(clients); i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* ---- in a process of their own ---- */

/* Runs this program again, as that master; its standard output is read from
 * *out_fd.  Its failed assertions end it with a status that is not 0. */
static int
start_master(const char *name, int *out_fd)
{
	int pipes[2], pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], 1);
		close(pipes[0]);
		close(pipes[1]);
		execl("/proc/self/exe", "test_fdpool_deaths", name, NULL);
		_exit(127);
	}
	close(pipes[1]);
	*out_fd = pipes[0];
	return pid;
}

#define FEW_REFS 30

/*
 * As a user without privilege, with a limit below what it sends: the kernel
 * counts a user's descriptors in flight against the sender's limit and says
 * ETOOMANYREFS.  That is "full", and passes.
 */
static int
few_refs_master(void)
{
	const struct rlimit few = { FEW_REFS, FEW_REFS };
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &hundred };
	struct rig rig;
	int ends[60][2], pid;
	unsigned i, dispatches;

	if (geteuid() == 0)
		assert_int_equal(setresuid(64321, 64321, 64321), 0);
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	pid = rig_worker(&rig, 0).pid;
	rig_stop(pid);
	for (i = 0; i < nitems(ends); i++)
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (i = 0; i < nitems(ends); i++)
		assert_int_equal(fdpool_give(rig.pool, ends[i][0], NULL), 0);
	assert_int_equal(rig_counts(&rig).in_flight, FEW_REFS + 1);
	assert_int_equal(rig_counts(&rig).queued, nitems(ends) - FEW_REFS - 1);
	dispatches = rig.dispatches;
	rig_turns_for(&rig, 300);
	assert_in_range(rig.dispatches - dispatches, 1, 20);
	kill(pid, SIGCONT);
	UNTIL(&rig, rig_counts(&rig).taken == nitems(ends));
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig.n_of[FDPOOL_EV_ENDED], 0);
	fdpool_free(rig.pool);
	return 0;
}

static void
too_many_refs(void **state)
{
	int status, out_fd, pid = start_master("few-refs", &out_fd);

	(void)state;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(out_fd);
}

enum { ORPHANS = 5 };

static int
forgets_its_master(int chan_fd, void *nothing)
{
	(void)nothing;
	prctl(PR_SET_PDEATHSIG, 0);
	return rig_event_worker(chan_fd, &hundred);
}

static int
blocks_and_forgets(int chan_fd, void *nothing)
{
	prctl(PR_SET_PDEATHSIG, 0);
	return rig_blocking_worker(chan_fd, nothing);
}

static void
print_pid(int pid)
{
	dprintf(1, "%d\n", pid);
}

/* Workers idle, busy, stopped; two that get no signal, but see the end of
 * their channel. */
static int
doomed_master(void)
{
	static int (*const runs[])(int, void *) = { rig_blocking_worker,
		blocks_and_forgets, forgets_its_master };
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct rig rigs[nitems(runs)];
	unsigned i;
	int client;

	for (i = 0; i < nitems(runs); i++) {
		opt.run = runs[i];
		opt.workers = i == 0 ? 3 : 1;
		rig_start(&rigs[i], &opt);
		UNTIL(&rigs[i],
		    rig_in_state(&rigs[i], FDPOOL_READY) == opt.workers);
	}
	client = rig_client(&rigs[0]);
	print_pid(rig_pid_of(&rigs[0], client));
	rig_say(client, 'b');
	client = rig_client(&rigs[0]);
	print_pid(rig_pid_of(&rigs[0], client));
	rig_say(client, 's');
	client = rig_client(&rigs[0]);
	print_pid(rig_pid_of(&rigs[0], client));
	rig_say(client, 'd');
	print_pid(rig_worker(&rigs[1], 0).pid);
	print_pid(rig_worker(&rigs[2], 0).pid);
	while (pause() == -1)
		;
	return 0;
}

static void
no_worker_outlives_its_master(void **state)
{
	struct pollfd pfds[ORPHANS];
	FILE *out;
	char line[32];
	int pids[ORPHANS], out_fd, pid, i;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid = start_master("doomed", &out_fd);
	out = fdopen(out_fd, "r");
	for (i = 0; i < ORPHANS; i++) {
		assert_non_null(fgets(line, sizeof(line), out));
		pids[i] = atoi(line);
		pfds[i] = (struct pollfd){ .fd = pidfd_open(pids[i], 0),
			.events = POLLIN };
		assert_int_not_equal(pfds[i].fd, -1);
		assert_int_equal(poll(&pfds[i], 1, 0), 0);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (i = 0; i < ORPHANS; i++) {
		assert_int_equal(poll(&pfds[i], 1, 30000), 1);
		close(pfds[i].fd);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	}
	fclose(out);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untaken_are_given_again),
		cmocka_unit_test(given_again_in_order),
		cmocka_unit_test(held_are_lost),
		cmocka_unit_test(poison_kills_one),
		cmocka_unit_test(last_words_count),
		cmocka_unit_test(a_hundred_deaths),
		cmocka_unit_test(status_taken_by_others),
		cmocka_unit_test(ended_before_it_is_known),
		cmocka_unit_test(stopped_and_continued),
		cmocka_unit_test(silent_ones_clients_move_on),
		cmocka_unit_test(stopped_too_long),
		cmocka_unit_test(busy_for_ever),
		cmocka_unit_test(blocking_and_busy),
		cmocka_unit_test(blocking_and_leaving),
		cmocka_unit_test(a_late_master_blames_nobody),
		cmocka_unit_test(all_stopped),
		cmocka_unit_test(never_ready),
		cmocka_unit_test(restart_delays),
		cmocka_unit_test(channel_closed_but_stays),
		cmocka_unit_test(no_descriptors_at_start),
		cmocka_unit_test(no_descriptors_for_a_restart),
		cmocka_unit_test(no_descriptors_to_take_back),
		cmocka_unit_test(all_come_back),
		cmocka_unit_test(too_many_refs),
		cmocka_unit_test(no_worker_outlives_its_master),
	};

	if (argc == 2 && strcmp(argv[1], "few-refs") == 0)
		return few_refs_master();
	if (argc == 2 && strcmp(argv[1], "doomed") == 0)
		return doomed_master();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
