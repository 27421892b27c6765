#include "fdpool_rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

/* a worker's clients */
struct served {
	struct fdpool_worker *worker;
	const struct fdpool_client *client;
};

static void on_event(void *, const struct fdpool_event *);
static bool obey(const struct served *, char command);
static void reply(int fd, long number);
static void event_turn(struct fdpool_worker *, int epoll_fd,
    struct fdpool_client *by_fd, unsigned *held);
static void event_accept(struct fdpool_worker *, int epoll_fd,
    struct fdpool_client *by_fd, unsigned *held);
static void must(bool so, const char *what);

void
rig_start(struct rig *rig, struct fdpool_options *opt)
{
	*rig = (struct rig){ .base_fds = rig_open_fds() };
	opt->on_event = on_event;
	opt->arg = rig;
	assert_int_equal(fdpool_new(&rig->pool, opt), 0);
}

void
rig_end(struct rig *rig)
{
	fdpool_free(rig->pool);
	rig->pool = NULL;
	assert_int_equal(rig_open_fds(), rig->base_fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

void
rig_turn(struct rig *rig, int ms)
{
	struct pollfd pfd = { .fd = fdpool_fd(rig->pool), .events = POLLIN };

	if (poll(&pfd, 1, ms) > 0) {
		assert_int_equal(fdpool_dispatch(rig->pool), 0);
		rig->dispatches++;
	}
}

void
rig_turns_for(struct rig *rig, int ms)
{
	int64_t end = rig_now() + ms;

	while (rig_now() < end)
		rig_turn(rig, 5);
}

int64_t
rig_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct fdpool_counts
rig_counts(const struct rig *rig)
{
	struct fdpool_counts counts;

	fdpool_counts(rig->pool, &counts);
	return counts;
}

struct fdpool_worker_info
rig_worker(const struct rig *rig, unsigned index)
{
	struct fdpool_worker_info info = { .pid = -1 };

	if (fdpool_worker_info(rig->pool, index, &info) != 0)
		info.state = FDPOOL_WORKER_STATES;
	return info;
}

void
rig_stop(int pid)
{
	siginfo_t status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(
	    waitid(P_PID, (id_t)pid, &status, WSTOPPED | WNOWAIT), 0);
}

unsigned
rig_in_state(const struct rig *rig, enum fdpool_worker_state state)
{
	unsigned i, n = 0;

	for (i = 0; i < fdpool_workers(rig->pool); i++)
		if (rig_worker(rig, i).state == state)
			n++;
	return n;
}

unsigned
rig_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	unsigned n = 0;

	must(dir != NULL, "/proc/self/fd");
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			n++;
	closedir(dir);
	return n - 1;
}

int
rig_client(struct rig *rig)
{
	return rig_client_tagged(rig, NULL);
}

int
rig_client_tagged(struct rig *rig, const struct fdpool_tag *tag)
{
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fdpool_give(rig->pool, ends[0], tag), 0);
	return ends[1];
}

void
rig_say(int client_fd, char command)
{
	assert_int_equal(send(client_fd, &command, 1, MSG_NOSIGNAL), 1);
}

void
rig_leave(int client_fd)
{
	(void)send(client_fd, "d", 1, MSG_NOSIGNAL);
	close(client_fd);
}

/* -1 when the connection ended instead. */
static long
hear(struct rig *rig, int client_fd)
{
	struct pollfd pfd = { .fd = client_fd, .events = POLLIN };
	char line[64] = "";
	size_t len = 0;

	for (;;) {
		UNTIL(rig, poll(&pfd, 1, 0) > 0);
		if (len + 1 == sizeof(line) ||
		    read(client_fd, line + len, 1) != 1)
			return -1;
		if (line[len++] == '\n')
			return atol(line);
	}
}

long
rig_hear(struct rig *rig, int client_fd)
{
	long number = hear(rig, client_fd);

	assert_true(number >= 0);
	return number;
}

int
rig_pid_of(struct rig *rig, int client_fd)
{
	rig_say(client_fd, 'p');
	return (int)rig_hear(rig, client_fd);
}

void
rig_hear_end(struct rig *rig, int client_fd)
{
	assert_int_equal(hear(rig, client_fd), -1);
}

int
rig_listener(uint16_t *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) },
	};
	socklen_t len = sizeof(addr);
	int fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

int
rig_connect(uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) },
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

void *
rig_shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* ---- in the worker: no assertion of the test's ---- */

int
rig_blocking_worker(int chan_fd, void *nothing)
{
	struct fdpool_worker *worker;
	struct fdpool_client client;
	struct served served;
	char command;
	int n;

	(void)nothing;
	signal(SIGPIPE, SIG_IGN);
	must(fdpool_worker_open(&worker, chan_fd, 1) == 0, "open");
	while ((n = fdpool_worker_wait(worker, &client)) == 1) {
		served = (struct served){ worker, &client };
		while (
		    read(client.fd, &command, 1) == 1 && obey(&served, command))
			;
		close(client.fd);
		fdpool_worker_done(worker, 1);
	}
	must(n == 0, "wait");
	fdpool_worker_close(worker);
	return 0;
}

int
rig_event_worker(int chan_fd, void *rig_work)
{
	const struct rig_work *work = rig_work;
	static struct fdpool_client by_fd[1024];
	struct epoll_event event = { .events = EPOLLIN };
	struct fdpool_worker *worker;
	unsigned held = 0;
	int epoll_fd;

	signal(SIGPIPE, SIG_IGN);
	must(fdpool_worker_open(&worker, chan_fd, work->slots) == 0, "open");
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = fdpool_worker_fd(worker);
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event) == 0,
	    "epoll_ctl");
	must(fdpool_worker_ready(worker) == 0, "ready");
	while (held > 0 || !fdpool_worker_is_draining(worker)) {
		event_turn(worker, epoll_fd, by_fd, &held);
		if (fdpool_worker_flush(worker) != 0)
			break;
	}
	fdpool_worker_close(worker);
	return 0;
}

static void
event_turn(struct fdpool_worker *worker, int epoll_fd,
    struct fdpool_client *by_fd, unsigned *held)
{
	struct epoll_event events[64];
	struct served served = { .worker = worker };
	char command;
	int n, i, fd;

	n = epoll_wait(epoll_fd, events, 64, -1);
	for (i = 0; i < n; i++) {
		fd = events[i].data.fd;
		if (fd == fdpool_worker_fd(worker)) {
			event_accept(worker, epoll_fd, by_fd, held);
			continue;
		}
		served.client = &by_fd[fd];
		if (read(fd, &command, 1) == 1 && obey(&served, command))
			continue;
		/* The master may have its copy open yet, and then close alone
		 * would not take the socket out of this epoll. */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
		fdpool_worker_done(worker, 1);
		--*held;
	}
}

static void
event_accept(struct fdpool_worker *worker, int epoll_fd,
    struct fdpool_client *by_fd, unsigned *held)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct fdpool_client clients[16];
	ssize_t n, i;

	while ((n = fdpool_worker_recv(worker, clients, 16)) > 0)
		for (i = 0; i < n; i++) {
			event.data.fd = clients[i].fd;
			must(clients[i].fd < 1024, "descriptor");
			by_fd[clients[i].fd] = clients[i];
			must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, clients[i].fd,
				 &event) == 0,
			    "epoll_ctl");
			++*held;
		}
	if (n == -EPIPE)
		_exit(0);
	must(n == 0 || n == -EMFILE, "recv");
}

/* False: this client is done. */
static bool
obey(const struct served *served, char command)
{
	int fd = served->client->fd;
	volatile bool forever = true;
	size_t len;

	switch (command) {
	case 'p':
		reply(fd, getpid());
		return true;
	case 'i':
		reply(fd, (long)fdpool_worker_index(served->worker));
		return true;
	case 'f':
		reply(fd, !(fcntl(fd, F_GETFL) & O_NONBLOCK) +
			      2 * !!(fcntl(fd, F_GETFD) & FD_CLOEXEC));
		return true;
	case 't':
		reply(fd, served->client->tag.bytes[0]);
		return true;
	case 'h':
		(void)fdpool_worker_hello(served->worker, &len);
		reply(fd, (long)len);
		return true;
	case 'k':
		raise(SIGKILL);
		return true;
	case 'x':
		_exit(3);
	case 'b':
		while (forever)
			;
		return true;
	case 's':
		raise(SIGSTOP);
		return true;
	default:
		return false;
	}
}

static void
reply(int fd, long number)
{
	dprintf(fd, "%ld\n", number);
}

/* ---- events ---- */

static void
on_event(void *arg, const struct fdpool_event *event)
{
	struct rig *rig = arg;

	if (rig->n_events < RIG_EVENTS)
		rig->events[rig->n_events++] = *event;
	rig->n_of[event->type]++;
	rig->last[event->type] = *event;
}

/* For both sides of a fork: no cmocka. */
static void
must(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "rig, pid %d: %s: %m\n", getpid(), what);
	_exit(99);
}
