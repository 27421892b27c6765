#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "path/path.h"
#include "server/control.h"
#include "server/listen.h"
#include "server/start.h"
#include "server/worker.h"
#include "store/store.h"

/* ---- parts of start_open, in its order ---- */
static void open_listeners(
    struct start *, const char *const *addrs, unsigned n, enum wire_door);
static void take_over_listeners(struct start *);
static void add_listener(struct start *, int fd, enum wire_door, bool is_ours);
static void
check_reach(const struct options *, enum listen_reach, const char *name);
static void open_root(struct start *);
static void open_push(struct start *);
static unsigned fit_slots(const struct options *);
static void open_control(struct start *);
static void open_board(struct start *);
static void open_log(struct start *);
static void make_config(struct start *);
static void make_pool_options(struct start *, unsigned slots);
/* ---- told by the pool ---- */
static bool on_accept(void *, int conn_fd, unsigned listener_id,
    const struct sockaddr *, socklen_t, struct fdpool_tag *);
static void on_event(void *, const struct fdpool_event *);
static bool is_crash(const struct fdpool_event *);
static void suspect(struct start *, unsigned worker);
static bool is_trusted(const struct start *, const struct addr *);

void
start_open(struct start *s, const struct options *o)
{
	static const char *const standard[] = { OPTIONS_LISTEN_DEFAULT };
	unsigned slots;

	memset(s, 0, sizeof(*s));
	s->options = o;
	s->drain_ms = o->drain_ms;
	s->control.listen_fd = s->control.spare_fd = -1;
	s->root_fd = s->push_fd = -1;
	logger_child_init(&s->logger);
	if (o->dir != NULL) {
		open_root(s);
		take_over_listeners(s);
		if (o->n_listen > 0)
			open_listeners(
			    s, o->listen, o->n_listen, WIRE_DOOR_ANY);
		else if (s->n_listeners == 0)
			open_listeners(s, standard, 1, WIRE_DOOR_ANY);
	}
	if (o->push_file != NULL) {
		open_push(s);
		open_listeners(
		    s, o->push_listen, o->n_push_listen, WIRE_DOOR_PUSH);
	}
	slots = fit_slots(o);
	open_control(s);
	open_board(s);
	open_log(s);
	make_config(s);
	make_pool_options(s, slots);
}

static void
open_listeners(
    struct start *s, const char *const *addrs, unsigned n, enum wire_door door)
{
	const struct options *o = s->options;
	int fd, r;

	for (unsigned i = 0; i < n; i++) {
		check_reach(o, listen_reach(addrs[i]), addrs[i]);
		r = listen_open(&fd, addrs[i], o->congestion);
		if (r == -EINVAL)
			fatalx("%s is no address: write 127.0.0.1:8686,"
			       " [::1]:8686 or unix:/run/netpan.sock",
			    addrs[i]);
		if (r == -ENOENT)
			fatalx("this kernel has no congestion control %s",
			    o->congestion);
		if (r != 0)
			fatalx("listen %s: %s", addrs[i], strerror(-r));
		add_listener(s, fd, door, true);
	}
}

static void
take_over_listeners(struct start *s)
{
	int fds[LIM_LISTENERS], n;
	char name[LISTEN_NAME];

	n = listen_inherited(fds, LIM_LISTENERS, s->options->congestion);
	if (n < 0)
		fatalx("the sockets in LISTEN_FDS cannot be taken over: %s",
		    strerror(-n));
	for (int i = 0; i < n; i++) {
		check_reach(s->options, listen_reach_of(fds[i]),
		    listen_name(fds[i], name, sizeof(name)));
		add_listener(s, fds[i], WIRE_DOOR_ANY, false);
	}
}

static void
add_listener(struct start *s, int fd, enum wire_door door, bool is_ours)
{
	s->listener[s->n_listeners].fd = fd;
	s->listener[s->n_listeners].door = door;
	s->listener[s->n_listeners++].is_ours = is_ours;
}

static void
check_reach(const struct options *o, enum listen_reach reach, const char *name)
{
	if (reach == LISTEN_BEYOND && !o->anonymous_read)
		fatalx("%s is reachable from other machines, and everyone"
		       " could read: say --anonymous=read if that is meant",
		    name);
}

static void
open_root(struct start *s)
{
	struct store *probe;
	int r;

	s->root_fd = store_open_root(s->options->dir);
	if (s->root_fd < 0)
		fatalx("%s: %s", s->options->dir, strerror(-s->root_fd));
	/* what a worker would find out, said here in one sentence */
	r = store_new(&probe, fcntl(s->root_fd, F_DUPFD_CLOEXEC, 3));
	if (r != 0)
		fatalx(
		    "%s cannot be served: %s", s->options->dir, strerror(-r));
	store_free(probe);
}

static void
open_push(struct start *s)
{
	const char *file = s->options->push_file;
	const char *slash = strrchr(file, '/');
	const char *name = slash == NULL ? file : slash + 1;
	struct stat st;

	/* looked at before it is opened: who waits at the other end of a FIFO
	 * would notice an open, and so might a device */
	if (stat(file, &st) == -1)
		fatal("%s", file);
	if (S_ISREG(st.st_mode)) {
		s->push_fd = open(
		    file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (s->push_fd == -1 || fstat(s->push_fd, &st) == -1)
			fatal("%s", file);
	}
	if (!S_ISREG(st.st_mode))
		fatalx("%s is not a regular file", file);
	if (path_check_segment(name, strlen(name)) != PATH_OK)
		fatalx("%s has no name that could be sent", file);
	memcpy(s->config.push_name, name, strlen(name) + 1);
}

/* How many connections a worker can hold with the descriptors it may have:
 * it must never meet a full table. */
static unsigned
fit_slots(const struct options *o)
{
	unsigned slots = o->slots != 0 ? o->slots : OPTIONS_SLOTS_DEFAULT;
	struct rlimit rl;
	rlim_t fit;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("setrlimit RLIMIT_NOFILE");
	fit = rl.rlim_cur < WORKER_FDS + CONN_FDS
		  ? 0
		  : (rl.rlim_cur - WORKER_FDS) / CONN_FDS;
	if (slots <= fit)
		return slots;
	if (o->slots != 0 || fit == 0)
		fatalx("%u slots need %u descriptors, the limit is %llu:"
		       " raise it (ulimit -Hn) or ask for fewer",
		    slots, slots * CONN_FDS + WORKER_FDS,
		    (unsigned long long)rl.rlim_cur);
	log_warn("%llu slots a worker instead of %u: RLIMIT_NOFILE is %llu",
	    (unsigned long long)fit, slots, (unsigned long long)rl.rlim_cur);
	return (unsigned)fit;
}

/* Only one that was asked for must be there. */
static void
open_control(struct start *s)
{
	const char *path = s->options->control;
	int r = 0;

	if (path == NULL) {
		r = control_default_path(s->control_path,
		    sizeof(s->control_path), listen_port(s->listener[0].fd));
	} else if (strlen(path) >= sizeof(s->control_path)) {
		r = -ENAMETOOLONG;
	} else {
		memcpy(s->control_path, path, strlen(path) + 1);
	}
	if (r == 0)
		r = control_listen(&s->control, s->control_path);
	if (r == 0)
		return;
	if (path != NULL)
		fatalx("control socket %s: %s", path, strerror(-r));
	log_warn("control socket %s: %s; --status will not work",
	    s->control_path, strerror(-r));
	s->control_path[0] = '\0';
}

static void
open_board(struct start *s)
{
	int r = board_new(&s->board);

	if (r != 0)
		fatalx("counters cannot be shared: %s", strerror(-r));
}

static void
open_log(struct start *s)
{
	const struct options *o = s->options;
	int r;

	if (o->access_log == NULL)
		return;
	r = logger_child_open(&s->logger, o->access_log, o->log_level);
	if (r != 0)
		fatalx("access log %s: %s", o->access_log, strerror(-r));
}

static void
make_config(struct start *s)
{
	const struct options *o = s->options;

	s->config.version = WIRE_CONFIG_VERSION;
	s->config.log_level = o->log_level;
	s->config.helpers = o->helpers;
	s->config.hello_ms = o->hello_ms;
	s->config.request_ms = o->request_ms;
	s->config.idle_ms = o->idle_ms;
	s->config.max_per_source = o->max_per_source;
	s->config.rate_window_ms = o->rate_window_ms;
	s->config.min_rate = o->min_rate;
	s->config.has_root = s->root_fd != -1;
	s->config.has_push = s->push_fd != -1;
	s->config.has_log = s->logger.write_fd != -1;
	s->config.hot_bytes = o->hot_mb << 20;
	s->config.n_trusted = o->n_trusted;
	memcpy(s->config.trusted, o->trusted, sizeof(s->config.trusted));
}

static unsigned
count_cores(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > LIM_WORKERS ? LIM_WORKERS : (unsigned)n;
}

static void
make_pool_options(struct start *s, unsigned slots)
{
	const struct options *o = s->options;
	struct fdpool_options *p = &s->pool_options;

	snprintf(s->slots, sizeof(s->slots), "%u", slots);
	/* this very program, even when its file has been replaced since */
	p->program = "/proc/self/exe";
	s->argv[0] = "netpand";
	s->argv[1] = WIRE_WORKER_FLAG;
	s->argv[2] = s->slots;
	p->argv = s->argv;
	p->workers = o->workers != 0 ? o->workers : count_cores();
	p->queue_max = o->queue;
	if (s->root_fd != -1)
		s->kept[p->n_keep_fds++] = s->root_fd;
	if (s->push_fd != -1)
		s->kept[p->n_keep_fds++] = s->push_fd;
	if (s->logger.write_fd != -1)
		s->kept[p->n_keep_fds++] = s->logger.write_fd;
	s->kept[p->n_keep_fds++] = s->board.write_fd;
	s->kept[p->n_keep_fds++] = s->board.read_fd;
	p->keep_fds = s->kept;
	p->hello = &s->config;
	p->hello_len = sizeof(s->config);
	p->heartbeat_ms = o->heartbeat_ms;
	p->silent_ms = o->silent_ms;
	p->on_accept = on_accept;
	p->on_event = on_event;
	p->arg = s;
}

void
start_announce(const struct start *s)
{
	char name[LISTEN_NAME];

	for (unsigned i = 0; i < s->n_listeners; i++) {
		listen_name(s->listener[i].fd, name, sizeof(name));
		if (s->listener[i].door == WIRE_DOOR_PUSH)
			log_info("listening on %s to push %s", name,
			    s->config.push_name);
		else
			log_info("listening on %s", name);
	}
	if (s->root_fd == -1 || log_level() < LOG_INFO)
		return;
	listen_name(s->listener[0].fd, name, sizeof(name));
	if (listen_port(s->listener[0].fd) == 0) {
		fprintf(stderr,
		    "\n  %s is served.  Fetch from it with\n\n"
		    "    curl --unix-socket %s http://localhost/\n\n",
		    s->options->dir, name + strlen("unix:"));
		return;
	}
	fprintf(stderr,
	    "\n  %s is served.  Open http://%s/ in a browser, or\n"
	    "  fetch from it with\n\n"
	    "    curl -O http://%s/NAME\n"
	    "    netpan ls -l train://%s/\n"
	    "    netpan get train://%s/NAME\n"
	    "    netpan get -r -o FOLDER train://%s/\n\n",
	    s->options->dir, name, name, name, name, name);
}

void
start_close_listeners(struct start *s)
{
	for (unsigned i = 0; i < s->n_listeners; i++)
		if (s->listener[i].fd != -1) {
			if (s->listener[i].is_ours)
				listen_unlink(s->listener[i].fd);
			fd_close(&s->listener[i].fd);
		}
}

void
start_end(struct start *s)
{
	start_close_listeners(s);
	control_close(&s->control);
	if (s->control_path[0] != '\0')
		unlink(s->control_path);
	fd_close(&s->root_fd);
	fd_close(&s->push_fd);
	board_close(&s->board);
	logger_child_end(&s->logger);
}

/* ---- told by the pool ---- */

static bool
on_accept(void *arg, int conn_fd, unsigned listener_id,
    const struct sockaddr *peer, socklen_t len, struct fdpool_tag *out)
{
	struct wire_tag tag = { .accepted_ms = clock_ms() };
	const struct start *s = arg;

	(void)conn_fd;
	tag.door = (uint8_t)listener_id;
	if (peer->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *v4 = (const void *)peer;

		tag.addr.family = 4;
		memcpy(tag.addr.bytes, &v4->sin_addr, 4);
	} else if (peer->sa_family == AF_INET6 &&
		   len >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *v6 = (const void *)peer;

		tag.addr.family = 6;
		memcpy(tag.addr.bytes, &v6->sin6_addr, 16);
	}
	memcpy(out->bytes, &tag, sizeof(tag));
	return !suspects_has(&s->suspects, &tag.addr, tag.accepted_ms);
}

static void
log_ended(const struct fdpool_event *e)
{
	if (e->error == CLD_EXITED && e->value == 0)
		log_info("worker %d ended (pid %d)", e->worker, e->pid);
	else if (e->error == 0) /* SIGCHLD is ignored: nobody knows how */
		log_warn("worker %d ended (pid %d)", e->worker, e->pid);
	else if (e->error == CLD_EXITED)
		log_error("worker %d ended with status %lld (pid %d)",
		    e->worker, (long long)e->value, e->pid);
	else
		log_error("worker %d was killed by signal %lld, %s (pid %d)",
		    e->worker, (long long)e->value, strsignal((int)e->value),
		    e->pid);
}

/* By itself: a signal from outside that kills, or ends, says nothing of who
 * was served. */
static bool
is_crash(const struct fdpool_event *e)
{
	if (e->error == CLD_EXITED)
		return e->value != 0;
	return (e->error == CLD_KILLED || e->error == CLD_DUMPED) &&
	       e->value != SIGKILL && e->value != SIGTERM && e->value != SIGINT;
}

/* Whom its threads served is on the board still, each once. */
static void
suspect(struct start *s, unsigned worker)
{
	const struct board_served *served =
	    board_worker(&s->board, worker)->served;
	struct addr seen[BOARD_SERVED];
	char text[ADDR_TEXT];
	unsigned n = 0, k;
	uint64_t ms;

	for (unsigned i = 0; i < BOARD_SERVED; i++) {
		if (!board_served(&served[i], &seen[n]))
			continue;
		for (k = 0; memcmp(&seen[k], &seen[n], sizeof(seen[n])) != 0;
		     k++)
			;
		if (k < n || is_trusted(s, &seen[n]))
			continue;
		ms = suspects_accuse(&s->suspects, &seen[n], clock_ms());
		addr_text(text, &seen[n++]);
		log_warn("worker %u served %s when it crashed", worker, text);
		if (ms > 0)
			log_error("clients from %s are refused for %llu s",
			    text, (unsigned long long)ms / 1000);
	}
}

static bool
is_trusted(const struct start *s, const struct addr *addr)
{
	for (uint32_t i = 0; i < s->config.n_trusted; i++)
		if (addr_block_has(&s->config.trusted[i], addr))
			return true;
	return false;
}

static void
on_event(void *arg, const struct fdpool_event *e)
{
	struct start *s = arg;

	switch (e->type) {
	case FDPOOL_EV_STARTED:
		log_debug("worker %d started (pid %d)", e->worker, e->pid);
		break;
	case FDPOOL_EV_READY:
		s->has_served[e->worker] = true;
		log_info("worker %d ready, %lld slots (pid %d)", e->worker,
		    (long long)e->value, e->pid);
		break;
	case FDPOOL_EV_SILENT:
		log_warn("worker %d silent for %lld ms: no new clients"
			 " (pid %d)",
		    e->worker, (long long)e->value, e->pid);
		break;
	case FDPOOL_EV_BACK:
		log_info("worker %d answers again (pid %d)", e->worker, e->pid);
		break;
	case FDPOOL_EV_KILLED:
		log_error("worker %d is killed: %s (pid %d)", e->worker,
		    strerror(-e->error), e->pid);
		break;
	case FDPOOL_EV_ENDED:
		log_ended(e);
		if (s->has_served[e->worker] && is_crash(e))
			suspect(s, (unsigned)e->worker);
		s->has_served[e->worker] = false;
		break;
	case FDPOOL_EV_STUCK:
		log_error("worker %d does not end (pid %d): %s; such"
			  " processes: %lld",
		    e->worker, e->pid,
		    e->error == 0
			? "it is replaced all the same"
			: "it is not replaced before one of them ends",
		    (long long)e->value);
		break;
	case FDPOOL_EV_RESTART_WAITS:
		log_warn("worker %d is started again in %lld ms", e->worker,
		    (long long)e->value);
		break;
	case FDPOOL_EV_START_FAILED:
		log_error("worker %d cannot be started: %s", e->worker,
		    strerror(-e->error));
		break;
	case FDPOOL_EV_ACCEPT_PAUSED:
		if (e->error == 0)
			log_debug("clients wait: the queue is full");
		else
			log_warn("accept: %s: pausing %lld ms",
			    strerror(-e->error), (long long)e->value);
		break;
	case FDPOOL_EV_ACCEPT_RESUMED:
	case FDPOOL_EV_DRAINED:
		log_debug("%s", fdpool_event_name(e->type));
		break;
	case FDPOOL_EVENTS:
		break;
	}
}
