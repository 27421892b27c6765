/* libfdpool: listeners, the queue in front of them, and a full descriptor
 * table in the master. */
#include "fdpool_rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct rig_work ten = { .slots = 10 };

static void
listen_refuses(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct rig rig;
	uint16_t port;
	int fds[FDPOOL_LISTENERS_MAX + 1], bad[6], i;

	(void)state;
	rig_start(&rig, &opt);
	bad[0] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	bad[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bad[2] = rig_listener(&port);
	fcntl(bad[2], F_SETFL, 0);
	bad[3] = dup(0);
	bad[4] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(bad[4], &(struct sockaddr){ AF_UNIX, "" }, 2), 0);
	assert_int_equal(listen(bad[4], 1), 0);
	bad[5] = -1;
	for (i = 0; i < 6; i++)
		CHECK_INT(__LINE__, "not a listening socket", "result", -EINVAL,
		    fdpool_listen(rig.pool, bad[i], 0));
	for (i = 0; i < 5; i++)
		close(bad[i]);

	for (i = 0; i <= FDPOOL_LISTENERS_MAX; i++)
		fds[i] = rig_listener(&port);
	assert_int_equal(fdpool_unlisten(rig.pool, fds[0]), -ENOENT);
	for (i = 0; i < FDPOOL_LISTENERS_MAX; i++)
		assert_int_equal(
		    fdpool_listen(rig.pool, fds[i], (unsigned)i), 0);
	assert_int_equal(fdpool_listen(rig.pool, fds[0], 0), -EEXIST);
	assert_int_equal(fdpool_listen(rig.pool, fds[i], 0), -ENOSPC);
	assert_int_equal(fdpool_unlisten(rig.pool, fds[1]), 0);
	assert_int_equal(fdpool_unlisten(rig.pool, fds[1]), -ENOENT);
	assert_int_equal(fdpool_listen(rig.pool, fds[i], 0), 0);
	for (i = 0; i <= FDPOOL_LISTENERS_MAX; i++)
		close(fds[i]);
	rig_end(&rig);
}

/* ---- on_accept ---- */

struct door {
	struct rig *rig;
	unsigned asked;
	unsigned last_id;
	uint16_t last_port;
	bool refuse;
	bool tag_was_zero;
};

static bool
on_accept(void *arg, int conn_fd, unsigned listener_id,
    const struct sockaddr *peer, socklen_t peer_len, struct fdpool_tag *tag)
{
	const struct fdpool_tag zero = { 0 };
	struct sockaddr_in addr;
	struct door *door = arg;

	door->asked++;
	door->last_id = listener_id;
	door->tag_was_zero = memcmp(tag, &zero, sizeof(zero)) == 0;
	if (peer->sa_family == AF_INET && peer_len >= sizeof(addr) &&
	    fcntl(conn_fd, F_GETFL) & O_NONBLOCK &&
	    fcntl(conn_fd, F_GETFD) & FD_CLOEXEC) {
		memcpy(&addr, peer, sizeof(addr));
		door->last_port = ntohs(addr.sin_port);
	}
	tag->bytes[0] = 0x5a;
	return !door->refuse;
}

static uint16_t
own_port(int fd)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	return ntohs(addr.sin_port);
}

static void
what_on_accept_sees(void **state)
{
	struct door door = { 0 };
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &ten,
		.on_accept = on_accept,
		.arg = &door,
	};
	struct rig rig = { .base_fds = rig_open_fds() };
	uint16_t ports[2];
	int listeners[2], client, i;

	(void)state;
	assert_int_equal(fdpool_new(&rig.pool, &opt), 0);
	for (i = 0; i < 2; i++) {
		listeners[i] = rig_listener(&ports[i]);
		assert_int_equal(
		    fdpool_listen(rig.pool, listeners[i], (unsigned)i + 70), 0);
	}
	for (i = 0; i < 2; i++) {
		client = rig_connect(ports[i]);
		rig_say(client, 't');
		assert_int_equal(rig_hear(&rig, client), 0x5a);
		assert_int_equal(door.last_id, i + 70);
		assert_int_equal(door.last_port, own_port(client));
		assert_true(door.tag_was_zero);
		rig_leave(client);
	}
	door.refuse = true;
	client = rig_connect(ports[0]);
	rig_hear_end(&rig, client);
	close(client);
	assert_int_equal(door.asked, 3);
	assert_int_equal(rig_counts(&rig).refused, 1);
	assert_int_equal(rig_counts(&rig).given, 2);
	for (i = 0; i < 2; i++)
		close(listeners[i]);
	rig_end(&rig);
}

/* A path's name, and none at all. */
static void
unix_listener(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(addr);
	struct rig rig;
	int listen_fd, client;

	(void)state;
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&addr, 2), 0);
	assert_int_equal(
	    getsockname(listen_fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(listen(listen_fd, 5), 0);
	rig_start(&rig, &opt);
	assert_int_equal(fdpool_listen(rig.pool, listen_fd, 0), 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&addr, len), 0);
	rig_say(client, 'f');
	assert_int_equal(rig_hear(&rig, client), 3);
	rig_leave(client);
	rig_end(&rig);
	close(listen_fd);
}

/* ---- many clients ---- */

/* More than the queue holds: the kernel's backlog keeps them. */
static void
queue_full_means_backlog(void **state)
{
	struct fdpool_options opt = { .run = rig_blocking_worker,
		.queue_max = 8 };
	struct rig rig;
	uint16_t port;
	int listen_fd = rig_listener(&port), clients[40];
	unsigned i, dispatches;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	assert_int_equal(fdpool_listen(rig.pool, listen_fd, 0), 0);
	for (i = 0; i < nitems(clients); i++)
		clients[i] = rig_connect(port);
	UNTIL(&rig, rig_counts(&rig).queued == 8);
	assert_int_equal(rig.n_of[FDPOOL_EV_ACCEPT_PAUSED], 1);
	assert_int_equal(rig.last[FDPOOL_EV_ACCEPT_PAUSED].error, 0);
	/* Clients wait at the door, and nobody spins before it. */
	dispatches = rig.dispatches;
	rig_turns_for(&rig, 300);
	assert_in_range(rig.dispatches - dispatches, 0, 20);
	assert_in_range(rig_counts(&rig).queued, 8, 9);
	for (i = 0; i < nitems(clients); i++) {
		(void)rig_pid_of(&rig, clients[i]);
		assert_in_range(rig_counts(&rig).queued, 0, 9);
		rig_leave(clients[i]);
	}
	UNTIL(&rig, rig_counts(&rig).done == nitems(clients));
	assert_int_equal(rig_counts(&rig).refused, 0);
	assert_in_range(rig.n_of[FDPOOL_EV_ACCEPT_RESUMED], 1, 40);
	rig_end(&rig);
	close(listen_fd);
}

/* Free slots are filled through a queue of one. */
static void
small_queue_many_slots(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &ten,
		.workers = 2,
		.queue_max = 1,
		.accept_batch = 3,
	};
	struct rig rig;
	uint16_t port;
	int listen_fd = rig_listener(&port), clients[20];
	unsigned i;

	(void)state;
	rig_start(&rig, &opt);
	assert_int_equal(fdpool_listen(rig.pool, listen_fd, 0), 0);
	for (i = 0; i < nitems(clients); i++)
		clients[i] = rig_connect(port);
	UNTIL(&rig, rig_counts(&rig).held == 20);
	assert_int_equal(rig_worker(&rig, 0).counts.held, 10);
	for (i = 0; i < nitems(clients); i++)
		rig_leave(clients[i]);
	rig_end(&rig);
	close(listen_fd);
}

static void
unlisten_and_again(void **state)
{
	struct fdpool_options opt = { .run = rig_event_worker,
		.run_arg = &ten };
	struct rig rig;
	uint16_t ports[3];
	int listeners[3], clients[3], i;

	(void)state;
	for (i = 0; i < 3; i++)
		listeners[i] = rig_listener(&ports[i]);
	rig_start(&rig, &opt);
	for (i = 0; i < 3; i++)
		assert_int_equal(fdpool_listen(rig.pool, listeners[i], 0), 0);
	assert_int_equal(fdpool_unlisten(rig.pool, listeners[0]), 0);
	for (i = 0; i < 3; i++)
		clients[i] = rig_connect(ports[i]);
	for (i = 1; i < 3; i++)
		(void)rig_pid_of(&rig, clients[i]);
	assert_int_equal(rig_counts(&rig).given, 2);
	assert_int_equal(fdpool_listen(rig.pool, listeners[0], 0), 0);
	(void)rig_pid_of(&rig, clients[0]);
	for (i = 0; i < 3; i++)
		rig_leave(clients[i]);
	rig_end(&rig);
	for (i = 0; i < 3; i++)
		close(listeners[i]);
}

/* A listener that its owner shut down is an error at each accept: others are
 * served, and nobody spins. */
static void
listener_shut_down(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &ten,
		.accept_pause_ms = 30,
	};
	struct rig rig;
	uint16_t ports[2];
	unsigned dispatches;
	int listeners[2], client, i;

	(void)state;
	for (i = 0; i < 2; i++)
		listeners[i] = rig_listener(&ports[i]);
	rig_start(&rig, &opt);
	for (i = 0; i < 2; i++)
		assert_int_equal(fdpool_listen(rig.pool, listeners[i], 0), 0);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	assert_int_equal(shutdown(listeners[0], SHUT_RDWR), 0);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_ACCEPT_PAUSED] == 1);
	assert_int_equal(rig.last[FDPOOL_EV_ACCEPT_PAUSED].error, -EINVAL);
	dispatches = rig.dispatches;
	rig_turns_for(&rig, 300);
	assert_in_range(rig.dispatches - dispatches, 1, 40);
	client = rig_connect(ports[1]);
	(void)rig_pid_of(&rig, client);
	rig_leave(client);
	rig_end(&rig);
	for (i = 0; i < 2; i++)
		close(listeners[i]);
}

/* ---- a full table ---- */

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

static void
table_full(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &ten,
		.workers = 4,
		.accept_pause_ms = 30,
	};
	struct rig rig;
	struct fdpool_counts counts;
	uint16_t port;
	int listen_fd = rig_listener(&port), clients[30];
	unsigned i, dispatches, n_shed = 0;
	rlim_t before;
	char c;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 4);
	assert_int_equal(fdpool_listen(rig.pool, listen_fd, 0), 0);
	for (i = 0; i < nitems(clients); i++)
		clients[i] = rig_connect(port);
	/* Not even one more; what is open stays open. */
	before = set_fd_limit(5);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_ACCEPT_PAUSED] == 1);
	assert_int_equal(rig.last[FDPOOL_EV_ACCEPT_PAUSED].error, -EMFILE);
	assert_int_equal(rig.last[FDPOOL_EV_ACCEPT_PAUSED].value, 30);
	dispatches = rig.dispatches;
	rig_turns_for(&rig, 400);
	assert_in_range(rig.dispatches - dispatches, 1, 60);
	assert_in_range(rig.n_of[FDPOOL_EV_ACCEPT_PAUSED], 2, 20);
	assert_int_equal(rig_counts(&rig).given, 0);
	(void)set_fd_limit(before);

	/* With room again, all that were not turned away are served. */
	UNTIL(&rig, rig_counts(&rig).held + rig_counts(&rig).refused == 30);
	counts = rig_counts(&rig);
	assert_int_equal(counts.lost, 0);
	for (i = 0; i < nitems(clients); i++) {
		if (recv(clients[i], &c, 1, MSG_DONTWAIT) == 0)
			n_shed++;
		else
			(void)rig_pid_of(&rig, clients[i]);
		rig_leave(clients[i]);
	}
	assert_int_equal(n_shed, counts.refused);
	assert_in_range(rig.n_of[FDPOOL_EV_ACCEPT_RESUMED], 1, 20);
	rig_end(&rig);
	close(listen_fd);
}

/* The spare descriptor's place is the one that is left: a client is told at
 * once that it will not be served. */
static void
one_is_shed(void **state)
{
	struct fdpool_options opt = {
		.run = rig_event_worker,
		.run_arg = &ten,
		.accept_pause_ms = 60000,
	};
	struct rig rig;
	uint16_t port;
	int listen_fd = rig_listener(&port), clients[3], end, i;
	rlim_t before;
	char c;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
	assert_int_equal(fdpool_listen(rig.pool, listen_fd, 0), 0);
	for (i = 0; i < 3; i++)
		clients[i] = rig_connect(port);
	end = dup(0);
	close(end);
	before = set_fd_limit((rlim_t)end);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_ACCEPT_PAUSED] == 1);
	assert_int_equal(rig_counts(&rig).refused, 1);
	assert_int_equal(rig_counts(&rig).given, 0);
	assert_int_equal(recv(clients[0], &c, 1, 0), 0);
	assert_int_equal(recv(clients[1], &c, 1, MSG_DONTWAIT), -1);
	(void)set_fd_limit(before);
	for (i = 0; i < 3; i++)
		close(clients[i]);
	rig_end(&rig);
	close(listen_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listen_refuses),
		cmocka_unit_test(what_on_accept_sees),
		cmocka_unit_test(unix_listener),
		cmocka_unit_test(queue_full_means_backlog),
		cmocka_unit_test(small_queue_many_slots),
		cmocka_unit_test(unlisten_and_again),
		cmocka_unit_test(listener_shut_down),
		cmocka_unit_test(table_full),
		cmocka_unit_test(one_is_shed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
