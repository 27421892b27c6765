/* libfdpool: what a pool does when nothing goes wrong, and what it refuses. */
#include "fdpool_rig.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct rig_work three = { .slots = 3 };
static struct rig_work hundred = { .slots = 100 };

/* ---- options ---- */

static const char *const no_argv[] = { NULL };
static const char *const true_argv[] = { "/bin/true", NULL };
static const int bad_keep[] = { -1 };
static const int closed_keep[] = { 1000 };
static int many_keep[FDPOOL_KEEP_MAX + 1];
static char big_hello[FDPOOL_HELLO_MAX + 1];

#define RUN .run = rig_blocking_worker
#define BAD(...)                        \
	{                               \
		__LINE__, #__VA_ARGS__, \
		{                       \
			__VA_ARGS__     \
		}                       \
	}

static const struct {
	int line;
	const char *in;
	struct fdpool_options opt;
} bad_options[] = {
	BAD(.workers = 1),
	BAD(RUN, .argv = true_argv),
	BAD(.program = "/bin/true"),
	BAD(RUN, .program = "/bin/true"),
	BAD(.argv = no_argv),
	BAD(RUN, .workers = FDPOOL_WORKERS_MAX + 1),
	BAD(RUN, .workers = UINT_MAX),
	BAD(RUN, .queue_max = FDPOOL_QUEUE_MAX + 1),
	BAD(RUN, .queue_max = UINT_MAX),
	BAD(RUN, .hello_len = FDPOOL_HELLO_MAX + 1, .hello = big_hello),
	BAD(RUN, .hello_len = SIZE_MAX, .hello = big_hello),
	BAD(RUN, .hello_len = 1),
	BAD(RUN, .n_keep_fds = 1),
	BAD(RUN, .n_keep_fds = FDPOOL_KEEP_MAX + 1, .keep_fds = many_keep),
	BAD(RUN, .n_keep_fds = 1, .keep_fds = bad_keep),
	BAD(RUN, .n_keep_fds = 1, .keep_fds = closed_keep),
	BAD(RUN, .heartbeat_ms = 9),
	BAD(RUN, .heartbeat_ms = 60001),
	BAD(RUN, .heartbeat_ms = UINT_MAX),
	BAD(RUN, .heartbeat_ms = 100, .silent_ms = 199),
	BAD(RUN, .silent_ms = 1999),
	BAD(RUN, .silent_ms = 3600001),
	BAD(RUN, .start_ms = 3600001),
	BAD(RUN, .restart_max_ms = 3600001),
	BAD(RUN, .accept_pause_ms = 3600001),
	BAD(RUN, .accept_batch = 257),
};

static const struct {
	int line;
	const char *in;
	struct fdpool_options opt;
} good_options[] = {
	BAD(RUN),
	BAD(RUN, .workers = 2, .queue_max = FDPOOL_QUEUE_MAX),
	BAD(RUN, .queue_max = 1, .accept_batch = 1),
	BAD(RUN, .accept_batch = 256, .accept_pause_ms = 3600000),
	BAD(RUN, .hello_len = FDPOOL_HELLO_MAX, .hello = big_hello),
	BAD(RUN, .n_keep_fds = FDPOOL_KEEP_MAX, .keep_fds = many_keep),
	BAD(RUN, .heartbeat_ms = 10, .silent_ms = 20),
	BAD(RUN, .heartbeat_ms = 60000),
	BAD(RUN, .heartbeat_ms = 60000, .silent_ms = 120000),
	BAD(RUN, .start_ms = 3600000, .restart_max_ms = 3600000),
	BAD(.argv = true_argv),
	BAD(.argv = true_argv, .program = "/bin/false"),
};

static void
options_refused(void **state)
{
	unsigned fds = rig_open_fds();
	struct fdpool *pool = (struct fdpool *)&fds;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad_options); i++) {
		CHECK_INT(bad_options[i].line, bad_options[i].in, "result",
		    -EINVAL, fdpool_new(&pool, &bad_options[i].opt));
		CHECK(bad_options[i].line, bad_options[i].in, "pool untouched",
		    pool == (struct fdpool *)&fds);
	}
	assert_int_equal(rig_open_fds(), fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void
options_taken(void **state)
{
	struct fdpool_options opt;
	struct rig rig;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(good_options); i++) {
		opt = good_options[i].opt;
		rig_start(&rig, &opt);
		CHECK_U64(good_options[i].line, good_options[i].in, "workers",
		    opt.workers != 0 ? opt.workers : 1,
		    fdpool_workers(rig.pool));
		rig_end(&rig);
	}
}

/* What options point to may change and go once the pool is made. */
static void
options_copied(void **state)
{
	char path[] = "/bin/true", hello[] = "abcde";
	const char *argv[] = { path, NULL };
	struct fdpool_options opt = { .argv = argv };
	struct rig rig;
	int client;

	(void)state;
	rig_start(&rig, &opt);
	path[1] = '!';
	UNTIL(&rig, rig.n_of[FDPOOL_EV_ENDED] >= 2);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].value, 0);
	rig_end(&rig);

	opt = (struct fdpool_options){
		.run = rig_blocking_worker, .hello = hello, .hello_len = 5
	};
	rig_start(&rig, &opt);
	client = rig_client(&rig);
	rig_say(client, 'h');
	assert_int_equal(rig_hear(&rig, client), 5);
	rig_leave(client);
	rig_end(&rig);
}

/* ---- names ---- */

static void
names(void **state)
{
	int i, j;

	(void)state;
	for (i = 0; i < FDPOOL_EVENTS; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(
			    fdpool_event_name((enum fdpool_event_type)i),
			    fdpool_event_name((enum fdpool_event_type)j));
	for (i = 0; i < FDPOOL_WORKER_STATES; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(fdpool_worker_state_name((
						    enum fdpool_worker_state)i),
			    fdpool_worker_state_name(
				(enum fdpool_worker_state)j));
	assert_string_equal(fdpool_event_name(FDPOOL_EVENTS), "unknown");
	assert_string_equal(
	    fdpool_worker_state_name(FDPOOL_WORKER_STATES), "unknown");
}

/* ---- counts ---- */

static void
check_counts(int line, const char *in, const struct rig *rig, uint64_t n_free,
    uint64_t held, uint64_t queued, uint64_t taken, uint64_t done)
{
	struct fdpool_counts counts = rig_counts(rig);

	CHECK_U64(line, in, "free", n_free, counts.free);
	CHECK_U64(line, in, "in flight", 0, counts.in_flight);
	CHECK_U64(line, in, "held", held, counts.held);
	CHECK_U64(line, in, "queued", queued, counts.queued);
	CHECK_U64(line, in, "given", taken, counts.given);
	CHECK_U64(line, in, "taken", taken, counts.taken);
	CHECK_U64(line, in, "done", done, counts.done);
	CHECK_U64(line, in, "lost", 0, counts.lost);
	CHECK_U64(line, in, "given again", 0, counts.given_again);
	CHECK_U64(line, in, "restarted", 0, counts.restarted);
}

static void
counts_through_a_life(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker, .run_arg = &three, .queue_max = 10
	};
	struct rig rig;
	int clients[5], i;

	(void)state;
	rig_start(&rig, &opt);
	assert_int_equal(rig_worker(&rig, 0).state, FDPOOL_STARTING);
	check_counts(__LINE__, "new", &rig, 0, 0, 0, 0, 0);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	assert_int_equal(rig_worker(&rig, 0).slots, 3);
	check_counts(__LINE__, "ready", &rig, 3, 0, 0, 0, 0);
	for (i = 0; i < 5; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 3);
	check_counts(__LINE__, "5 given", &rig, 0, 3, 2, 3, 0);
	rig_say(clients[1], 'd');
	UNTIL(&rig, rig_counts(&rig).taken == 4);
	check_counts(__LINE__, "1 done", &rig, 0, 3, 1, 4, 1);
	for (i = 0; i < 5; i++)
		rig_leave(clients[i]);
	UNTIL(&rig, rig_counts(&rig).done == 5);
	check_counts(__LINE__, "all done", &rig, 3, 0, 0, 5, 5);
	assert_int_equal(rig_worker(&rig, 0).counts.done, 5);
	assert_int_equal(rig_worker(&rig, 0).counts.free, 3);
	rig_end(&rig);
}

/* First come, first served, and never more than queue_max waiting. */
static void
queue_is_bounded(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.queue_max = 2 };
	struct rig rig;
	int clients[3], ends[2], i;
	char c;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	for (i = 0; i < 3; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 1);
	assert_int_equal(rig_counts(&rig).queued, 2);

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(fdpool_give(rig.pool, ends[0], NULL), -EAGAIN);
	assert_int_equal(read(ends[1], &c, 1), 0);
	close(ends[1]);
	assert_int_equal(rig_counts(&rig).refused, 1);
	assert_int_equal(rig_counts(&rig).queued, 2);

	for (i = 0; i < 3; i++) {
		(void)rig_pid_of(&rig, clients[i]);
		assert_int_equal(rig_counts(&rig).queued, 2 - i);
		rig_leave(clients[i]);
	}
	UNTIL(&rig, rig_counts(&rig).done == 3);
	rig_end(&rig);
}

static void
give_refuses(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct rig rig;
	int ends[2];
	char c;

	(void)state;
	rig_start(&rig, &opt);
	assert_int_equal(fdpool_give(rig.pool, -1, NULL), -EBADF);
	assert_int_equal(fdpool_give(rig.pool, 1000, NULL), -EBADF);
	fdpool_drain(rig.pool);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(fdpool_give(rig.pool, ends[0], NULL), -ESHUTDOWN);
	assert_int_equal(read(ends[1], &c, 1), 0);
	close(ends[1]);
	rig_end(&rig);
}

/* A number that its owner closed while it waited costs nobody else. */
static void
a_dead_number_is_dropped(void **state)
{
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &three };
	struct rig rig;
	int first, third, ends[2];

	(void)state;
	rig_start(&rig, &opt);
	first = rig_client(&rig);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(fdpool_give(rig.pool, ends[0], NULL), 0);
	third = rig_client(&rig);
	close(ends[0]);
	UNTIL(&rig, rig_counts(&rig).held == 2);
	assert_int_equal(rig_counts(&rig).refused, 1);
	assert_int_equal(rig_counts(&rig).queued, 0);
	assert_int_equal(rig_pid_of(&rig, first), rig_pid_of(&rig, third));
	rig_leave(first);
	rig_leave(third);
	close(ends[1]);
	rig_end(&rig);
}

/* No more than the window is on its way to a worker that does not take. */
static void
window_bounds_what_is_in_flight(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[90], i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	assert_int_equal(rig_counts(&rig).free, 100);
	rig_stop(rig_worker(&rig, 0).pid);
	for (i = 0; i < 90; i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_counts(&rig).in_flight, FDPOOL_WINDOW);
	assert_int_equal(rig_counts(&rig).queued, 90 - FDPOOL_WINDOW);
	assert_int_equal(rig_counts(&rig).free, 100 - FDPOOL_WINDOW);
	kill(rig_worker(&rig, 0).pid, SIGCONT);
	UNTIL(&rig, rig_counts(&rig).held == 90);
	assert_int_equal(rig_counts(&rig).given_again, 0);
	for (i = 0; i < 90; i++)
		rig_leave(clients[i]);
	UNTIL(&rig, rig_counts(&rig).done == 90);
	rig_end(&rig);
}

/* ---- who gets it ---- */

static void
least_loaded_first(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker, .run_arg = &three, .workers = 3
	};
	struct rig rig;
	int clients[8], index[6], i;
	unsigned per[3] = { 0 };

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 3);
	for (i = 0; i < 6; i++) {
		clients[i] = rig_client(&rig);
		rig_say(clients[i], 'i');
		index[i] = (int)rig_hear(&rig, clients[i]);
		assert_in_range(index[i], 0, 2);
		per[index[i]]++;
	}
	for (i = 0; i < 3; i++)
		assert_int_equal(per[i], 2);
	/* Worker 1 gets two free: it is the next two times the choice. */
	for (i = 0; i < 6; i++)
		if (index[i] == 1)
			rig_say(clients[i], 'd');
	UNTIL(&rig, rig_worker(&rig, 1).counts.done == 2);
	for (i = 6; i < 8; i++) {
		clients[i] = rig_client(&rig);
		rig_say(clients[i], 'i');
		assert_int_equal(rig_hear(&rig, clients[i]), 1);
	}
	for (i = 0; i < 8; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* ---- what comes with a client ---- */

static void
what_a_worker_gets(void **state)
{
	static const char hello[] = "settings";
	static const struct {
		int line;
		const char *in;
		int (*run)(int, void *);
		char command;
		long want;
	} rows[] = {
		{ __LINE__, "blocking, CLOEXEC", rig_blocking_worker, 'f', 3 },
		{ __LINE__, "non-blocking, CLOEXEC", rig_event_worker, 'f', 2 },
		{ __LINE__, "tag", rig_blocking_worker, 't', 0xA7 },
		{ __LINE__, "tag", rig_event_worker, 't', 0xA7 },
		{ __LINE__, "hello", rig_blocking_worker, 'h', sizeof(hello) },
		{ __LINE__, "hello", rig_event_worker, 'h', sizeof(hello) },
		{ __LINE__, "index", rig_blocking_worker, 'i', 0 },
		{ __LINE__, "index", rig_event_worker, 'i', 0 },
	};
	struct fdpool_tag tag = { .bytes = { 0xA7 } };
	struct rig rig;
	size_t i;
	int client;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		struct fdpool_options opt = {
			.run = rows[i].run,
			.run_arg = &three,
			.hello = hello,
			.hello_len = sizeof(hello),
		};

		rig_start(&rig, &opt);
		client = rig_client_tagged(&rig, &tag);
		rig_say(client, rows[i].command);
		CHECK_INT(rows[i].line, rows[i].in, "answer", rows[i].want,
		    rig_hear(&rig, client));
		rig_leave(client);
		rig_end(&rig);
	}
}

/* ---- descriptors of a worker ---- */

static void
fd_target(int pid, int fd, char target[static 64])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = readlink(path, target, 63);
	target[n > 0 ? n : 0] = '\0';
}

static unsigned
fds_of(int pid)
{
	char target[64];
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		fd_target(pid, fd, target);
		if (target[0] != '\0')
			n++;
	}
	return n;
}

/* 0, 1, 2, the channel, the kept ones in their order, and nothing else; also
 * when a kept one has a number that another must go to. */
static void
exec_table_is_exact(void **state)
{
	const char *argv[] = { "worker", "blocking-worker", NULL };
	char mine[64], its[64];
	struct fdpool_options opt = {
		.argv = argv, .program = "/proc/self/exe", .workers = 2
	};
	struct rig rig;
	int keep[3], pipes[2], i, w, pid, client;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	keep[0] = fcntl(pipes[1], F_DUPFD_CLOEXEC, 4);
	keep[1] = fcntl(pipes[0], F_DUPFD_CLOEXEC, 4);
	keep[2] = pipes[0];
	opt.keep_fds = keep;
	opt.n_keep_fds = 3;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	for (w = 0; w < 2; w++) {
		pid = rig_worker(&rig, (unsigned)w).pid;
		assert_int_equal(fds_of(pid), 3 + 1 + 3);
		fd_target(pid, FDPOOL_CHANNEL_FD, its);
		assert_memory_equal(its, "socket:", 7);
		for (i = 0; i < 3; i++) {
			fd_target(getpid(), i, mine);
			fd_target(pid, i, its);
			assert_string_equal(mine, its);
			fd_target(getpid(), keep[i], mine);
			fd_target(pid, FDPOOL_CHANNEL_FD + 1 + i, its);
			assert_string_equal(mine, its);
		}
	}
	client = rig_client(&rig);
	(void)rig_pid_of(&rig, client);
	rig_leave(client);
	UNTIL(&rig, rig_counts(&rig).done == 1);
	assert_int_equal(fds_of(rig_worker(&rig, 0).pid), 3 + 1 + 3);
	assert_int_equal(fds_of(rig_worker(&rig, 1).pid), 3 + 1 + 3);
	rig_end(&rig);
	for (i = 0; i < 2; i++) {
		close(pipes[i]);
		close(keep[i]);
	}
}

/* The caller's and the channel; not the pool's, nor what waits in it. */
static void
run_table_is_exact(void **state)
{
	struct fdpool_options opt = {
		.run = rig_blocking_worker, .workers = 3, .restart_max_ms = 1
	};
	struct rig rig;
	int clients[6], i, killed;

	(void)state;
	for (i = 0; i < 6; i++)
		clients[i] = -1;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(fds_of(rig_worker(&rig, (unsigned)i).pid),
		    rig.base_fds + 1);
	/* A worker that starts while others are full and clients wait: the
	 * clients' ends are the caller's, the pool's ends are not. */
	for (i = 0; i < 6; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 3);
	rig_say(clients[0], 'p');
	killed = (int)rig_hear(&rig, clients[0]);
	kill(killed, SIGKILL);
	UNTIL(&rig, rig_counts(&rig).held == 3 &&
			rig_counts(&rig).restarted == 1 &&
			rig_in_state(&rig, FDPOOL_READY) == 3);
	for (i = 0; i < 3; i++)
		if (rig_worker(&rig, (unsigned)i).counts.restarted == 1)
			/* and its client */
			assert_int_equal(
			    fds_of(rig_worker(&rig, (unsigned)i).pid),
			    rig.base_fds + 6 + 1 + 1);
	for (i = 0; i < 6; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* ---- drain ---- */

static void
drain_serves_who_waits(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.workers = 2 };
	struct rig rig;
	uint16_t port;
	int clients[6], listen_fd = rig_listener(&port), i;

	(void)state;
	rig_start(&rig, &opt);
	assert_int_equal(fdpool_listen(rig.pool, listen_fd, 0), 0);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	for (i = 0; i < 6; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 2);
	fdpool_drain(rig.pool);
	assert_int_equal(fdpool_unlisten(rig.pool, listen_fd), -ENOENT);
	assert_int_equal(fdpool_listen(rig.pool, listen_fd, 0), -ESHUTDOWN);
	assert_int_equal(fdpool_resize(rig.pool, 3), -ESHUTDOWN);
	assert_false(fdpool_is_drained(rig.pool));
	for (i = 0; i < 6; i++) {
		(void)rig_pid_of(&rig, clients[i]);
		rig_leave(clients[i]);
	}
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).done, 6);
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig.n_of[FDPOOL_EV_DRAINED], 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_ENDED], 2);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].error, CLD_EXITED);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].value, 0);
	assert_int_equal(fdpool_workers(rig.pool), 0);
	fdpool_drain(rig.pool);
	assert_true(fdpool_is_drained(rig.pool));
	rig_end(&rig);
	close(listen_fd);
}

/* A busy one holds up nobody who is idle, and shows what it holds. */
static void
drain_beside_a_busy_one(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.workers = 3 };
	struct rig rig;
	int client;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 3);
	client = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 1);
	assert_int_equal(rig_counts(&rig).in_flight, 0);
	assert_int_equal(rig_counts(&rig).taken, 1);
	assert_int_equal(rig_counts(&rig).free, 2);
	fdpool_drain(rig.pool);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_ENDED] == 2);
	assert_int_equal(rig_in_state(&rig, FDPOOL_DRAINING), 1);
	assert_int_equal(rig_counts(&rig).held, 1);
	assert_int_equal(rig_counts(&rig).in_flight, 0);
	assert_true(rig_pid_of(&rig, client) > 0);
	rig_leave(client);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).done, 1);
	rig_end(&rig);
}

static void
drain_of_event_workers(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker, .run_arg = &three, .workers = 2
	};
	struct rig rig;
	int client;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	client = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 1);
	fdpool_drain(rig.pool);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_ENDED] == 1);
	assert_int_equal(rig_in_state(&rig, FDPOOL_DRAINING), 1);
	assert_true(rig_pid_of(&rig, client) > 0);
	rig_leave(client);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).done, 1);
	rig_end(&rig);
}

/* Before a worker has said a word; its clients wait for it. */
static void
drain_before_ready(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker, .run_arg = &three, .workers = 2
	};
	struct rig rig;
	int client;

	(void)state;
	rig_start(&rig, &opt);
	fdpool_drain(rig.pool);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	rig_end(&rig);

	rig_start(&rig, &opt);
	client = rig_client(&rig);
	fdpool_drain(rig.pool);
	(void)rig_pid_of(&rig, client);
	rig_leave(client);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).done, 1);
	rig_end(&rig);
}

/* Who dies while clients wait is replaced even then. */
static void
drain_survives_a_death(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct rig rig;
	int clients[3], i;

	(void)state;
	rig_start(&rig, &opt);
	for (i = 0; i < 3; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 1);
	fdpool_drain(rig.pool);
	rig_say(clients[0], 'k');
	rig_hear_end(&rig, clients[0]);
	for (i = 1; i < 3; i++) {
		(void)rig_pid_of(&rig, clients[i]);
		rig_leave(clients[i]);
	}
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).done, 2);
	assert_int_equal(rig_counts(&rig).lost, 1);
	rig_leave(clients[0]);
	rig_end(&rig);
}

/* ---- resize ---- */

static void
resize_up_and_down(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct rig rig;
	int clients[4], i;

	(void)state;
	rig_start(&rig, &opt);
	assert_int_equal(fdpool_resize(rig.pool, 0), -EINVAL);
	assert_int_equal(
	    fdpool_resize(rig.pool, FDPOOL_WORKERS_MAX + 1), -EINVAL);
	assert_int_equal(fdpool_resize(rig.pool, 4), 0);
	assert_int_equal(fdpool_workers(rig.pool), 4);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 4);
	for (i = 0; i < 4; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 4);

	/* Those who leave finish what they hold. */
	assert_int_equal(fdpool_resize(rig.pool, 2), 0);
	assert_int_equal(rig_in_state(&rig, FDPOOL_DRAINING), 2);
	assert_int_equal(rig_in_state(&rig, FDPOOL_READY), 2);
	for (i = 0; i < 4; i++)
		assert_true(rig_pid_of(&rig, clients[i]) > 0);

	/* New ones start at once, whoever still leaves. */
	assert_int_equal(fdpool_resize(rig.pool, 3), 0);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 3);
	assert_int_equal(fdpool_workers(rig.pool), 5);
	for (i = 0; i < 4; i++)
		rig_leave(clients[i]);
	UNTIL(
	    &rig, rig.n_of[FDPOOL_EV_ENDED] == 2 && rig_counts(&rig).done == 4);
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig_counts(&rig).restarted, 0);
	assert_int_equal(rig_in_state(&rig, FDPOOL_READY), 3);

	/* Holes are filled first. */
	assert_int_equal(fdpool_workers(rig.pool), 5);
	assert_int_equal(rig_worker(&rig, 2).state, FDPOOL_EMPTY);
	assert_int_equal(fdpool_resize(rig.pool, 5), 0);
	assert_int_equal(fdpool_workers(rig.pool), 5);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 5);
	assert_int_equal(fdpool_resize(rig.pool, 1), 0);
	UNTIL(&rig, fdpool_workers(rig.pool) == 1);
	assert_int_equal(rig_worker(&rig, 1).state, FDPOOL_WORKER_STATES);
	rig_end(&rig);
}

/* One that leaves gives back what it has not received. */
static void
resize_down_gives_again(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.workers = 2,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[10], pid, i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	pid = rig_worker(&rig, 1).pid;
	rig_stop(pid);
	for (i = 0; i < 10; i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_worker(&rig, 1).counts.in_flight, 5);
	assert_int_equal(fdpool_resize(rig.pool, 1), 0);
	for (i = 0; i < 10; i++)
		assert_int_not_equal(rig_pid_of(&rig, clients[i]), pid);
	assert_int_equal(rig_counts(&rig).given_again, 5);
	kill(pid, SIGCONT);
	UNTIL(&rig, fdpool_workers(rig.pool) == 1);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].pid, pid);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].error, CLD_EXITED);
	for (i = 0; i < 10; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* Slots of more workers than before fit into the queue's memory. */
static void
resize_to_many(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &hundred,
		.queue_max = 1,
		.heartbeat_ms = 60000,
	};
	struct rig rig;
	int clients[FDPOOL_WINDOW], i;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	rig_stop(rig_worker(&rig, 0).pid);
	for (i = 0; i < FDPOOL_WINDOW; i++)
		clients[i] = rig_client(&rig);
	assert_int_equal(rig_counts(&rig).in_flight, FDPOOL_WINDOW);
	assert_int_equal(fdpool_resize(rig.pool, 16), 0);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) >= 15);
	kill(rig_worker(&rig, 0).pid, SIGKILL);
	UNTIL(&rig, rig_counts(&rig).held == FDPOOL_WINDOW);
	assert_int_equal(rig_counts(&rig).given_again, FDPOOL_WINDOW);
	for (i = 0; i < FDPOOL_WINDOW; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
}

/* ---- end ---- */

static void
free_closes_everything(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.workers = 2 };
	struct rig rig;
	int clients[5], i;
	char c;

	(void)state;
	fdpool_free(NULL);
	fdpool_worker_close(NULL);
	rig_start(&rig, &opt);
	for (i = 0; i < 5; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 2);
	rig.base_fds += 5;
	rig_end(&rig);
	for (i = 0; i < 5; i++) {
		assert_int_equal(read(clients[i], &c, 1), 0);
		rig_leave(clients[i]);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_refused),
		cmocka_unit_test(options_taken),
		cmocka_unit_test(options_copied),
		cmocka_unit_test(names),
		cmocka_unit_test(counts_through_a_life),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(give_refuses),
		cmocka_unit_test(a_dead_number_is_dropped),
		cmocka_unit_test(window_bounds_what_is_in_flight),
		cmocka_unit_test(least_loaded_first),
		cmocka_unit_test(what_a_worker_gets),
		cmocka_unit_test(exec_table_is_exact),
		cmocka_unit_test(run_table_is_exact),
		cmocka_unit_test(drain_serves_who_waits),
		cmocka_unit_test(drain_beside_a_busy_one),
		cmocka_unit_test(drain_of_event_workers),
		cmocka_unit_test(drain_before_ready),
		cmocka_unit_test(drain_survives_a_death),
		cmocka_unit_test(resize_up_and_down),
		cmocka_unit_test(resize_down_gives_again),
		cmocka_unit_test(resize_to_many),
		cmocka_unit_test(free_closes_everything),
	};

	if (argc == 2 && strcmp(argv[1], "blocking-worker") == 0)
		return rig_blocking_worker(FDPOOL_CHANNEL_FD, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
