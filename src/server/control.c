#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/control.h"
#include "server/pool_counts.h"

#define CONTROL_VERSION 1
/* For each step of asking: a master that runs answers at once. */
#define ANSWER_S 2

/* One of these, then as many rows as it says. */
struct control_head {
	uint32_t version;
	uint32_t n_workers;
	uint32_t draining;
	uint32_t pid;
	struct fdpool_counts total;
};

struct control_row {
	uint32_t state;
	int32_t pid;
	uint32_t slots;
	uint32_t zero;
	struct fdpool_counts counts;
};

struct control_message {
	struct control_head head;
	struct control_row row[FDPOOL_WORKERS_MAX];
};

static_assert(sizeof(struct control_head) == 16 + POOL_N_COUNTS * 8,
    "no padding in what --status reads");

/* ---- the path ---- */

/* In /tmp anybody may have been there first. */
static bool
is_own_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

int
control_default_path(char *out, size_t cap, unsigned port)
{
	const char *dir = getenv("RUNTIME_DIRECTORY");
	char own[64];

	if (dir == NULL || *dir == '\0')
		dir = getenv("XDG_RUNTIME_DIR");
	if (dir == NULL || *dir == '\0') {
		dir = "/run";
		if (geteuid() != 0) {
			snprintf(own, sizeof(own), "/tmp/netpan-%u",
			    (unsigned)geteuid());
			mkdir(own, 0700);
			if (!is_own_folder(own))
				return -EPERM;
			dir = own;
		}
	}
	if ((size_t)snprintf(out, cap, "%s/netpand-%u.sock", dir, port) >= cap)
		return -ENAMETOOLONG;
	return 0;
}

static int
address_of(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memcpy(a->sun_path, path, strlen(path));
	return 0;
}

/* EAGAIN is what a socket with a time limit says. */
static int
late_error(int error)
{
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

/* Connects to the server at path: 0, or -errno; -ETIMEDOUT when one listens
 * there and takes nobody.  Whoever reads from *out waits as long at most. */
static int
control_connect(int *out, const char *path)
{
	static const struct timeval limit = { .tv_sec = ANSWER_S };
	struct sockaddr_un a;
	int fd, r;

	r = address_of(&a, path);
	if (r != 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ==
		-1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ==
		-1 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1) {
		r = late_error(-errno);
		fd_close(&fd);
		return r;
	}
	*out = fd;
	return 0;
}

/* ---- the master's side ---- */

int
control_listen(struct control *c, const char *path)
{
	struct sockaddr_un a;
	struct stat st;
	mode_t mask;
	int fd, r, other = -1;

	r = address_of(&a, path);
	if (r != 0)
		return r;
	r = control_connect(&other, path);
	fd_close(&other);
	if (r == 0 || r == -ETIMEDOUT)
		return -EADDRINUSE;
	/* only a socket is ever removed: a mistyped path loses nothing */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(fd, 16) == -1)
		r = -errno;
	if (r == 0) {
		c->listen_fd = fd_take(&fd);
		c->spare_fd = eventfd(0, EFD_CLOEXEC);
	}
	fd_close(&fd);
	return r;
}

void
control_close(struct control *c)
{
	fd_close(&c->listen_fd);
	fd_close(&c->spare_fd);
}

static size_t
message_make(
    struct control_message *m, const struct fdpool *pool, bool draining)
{
	struct fdpool_worker_info info;
	unsigned n = fdpool_workers(pool);

	memset(m, 0, sizeof(*m));
	m->head.version = CONTROL_VERSION;
	m->head.draining = draining;
	m->head.pid = (uint32_t)getpid();
	fdpool_counts(pool, &m->head.total);
	for (unsigned i = 0; i < n && i < FDPOOL_WORKERS_MAX; i++) {
		struct control_row *row = &m->row[m->head.n_workers++];

		fdpool_worker_info(pool, i, &info);
		row->state = info.state;
		row->pid = info.pid;
		row->slots = info.slots;
		row->counts = info.counts;
	}
	return sizeof(m->head) + m->head.n_workers * sizeof(m->row[0]);
}

static int
control_accept(const struct control *c)
{
	return accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* The message fits the socket's buffer, so that sending it never waits; one
 * that does not fit is dropped with its client. */
void
control_answer(struct control *c, const struct fdpool *pool, bool draining)
{
	static struct control_message m;
	size_t len;
	int fd;

	for (;;) {
		fd = control_accept(c);
		if (fd == -1 && errno != EAGAIN && c->spare_fd != -1) {
			fd_close(&c->spare_fd);
			fd = control_accept(c);
		}
		if (fd != -1) {
			len = message_make(&m, pool, draining);
			(void)!send(fd, &m, len, MSG_NOSIGNAL);
			fd_close(&fd);
		}
		if (c->spare_fd == -1)
			c->spare_fd = eventfd(0, EFD_CLOEXEC);
		if (fd == -1)
			return;
	}
}

/* ---- the asking side ---- */

static void
print_counts_json(const struct fdpool_counts *c)
{
	for (size_t i = 0; i < POOL_N_COUNTS; i++)
		printf("%s\"%s\": %" PRIu64, i == 0 ? "" : ", ",
		    pool_counts[i].name, pool_count_get(c, i));
}

static void
print_json(const struct control_message *m)
{
	printf("{\"pid\": %" PRIu32 ", \"draining\": %s,\n \"total\": {",
	    m->head.pid, m->head.draining ? "true" : "false");
	print_counts_json(&m->head.total);
	printf("},\n \"workers\": [");
	for (uint32_t i = 0; i < m->head.n_workers; i++) {
		const struct control_row *row = &m->row[i];

		printf("%s\n  {\"worker\": %" PRIu32 ", \"state\": \"%s\","
		       " \"pid\": %" PRId32 ", \"slots\": %" PRIu32 ", ",
		    i == 0 ? "" : ",", i,
		    fdpool_worker_state_name(
			(enum fdpool_worker_state)row->state),
		    row->pid, row->slots);
		print_counts_json(&row->counts);
		printf("}");
	}
	printf("\n ]}\n");
}

static void
print_text(const struct control_message *m)
{
	printf("netpand %" PRIu32 "%s\n%-12s %12s", m->head.pid,
	    m->head.draining ? ", draining" : "", "", "total");
	for (uint32_t i = 0; i < m->head.n_workers; i++)
		printf("  worker %-5" PRIu32, i);
	printf("\n%-12s %12s", "state", "");
	for (uint32_t i = 0; i < m->head.n_workers; i++)
		printf(" %13s", fdpool_worker_state_name(
				    (enum fdpool_worker_state)m->row[i].state));
	printf("\n%-12s %12" PRIu32, "pid", m->head.pid);
	for (uint32_t i = 0; i < m->head.n_workers; i++)
		printf(" %13" PRId32, m->row[i].pid);
	for (size_t c = 0; c < POOL_N_COUNTS; c++) {
		printf("\n%-12s %12" PRIu64, pool_counts[c].name,
		    pool_count_get(&m->head.total, c));
		for (uint32_t i = 0; i < m->head.n_workers; i++)
			printf(" %13" PRIu64,
			    pool_count_get(&m->row[i].counts, c));
	}
	printf("\n");
}

int
control_print(const char *path, bool as_json)
{
	static struct control_message m;
	ssize_t n;
	int fd, r;

	r = control_connect(&fd, path);
	if (r != 0)
		return r;
	n = fd_read_full(fd, &m, sizeof(m));
	fd_close(&fd);
	if (n < 0)
		return late_error((int)n);
	if ((size_t)n < sizeof(m.head) || m.head.version != CONTROL_VERSION ||
	    m.head.n_workers > FDPOOL_WORKERS_MAX ||
	    (size_t)n != sizeof(m.head) + m.head.n_workers * sizeof(m.row[0]))
		return -EPROTO;
	if (as_json)
		print_json(&m);
	else
		print_text(&m);
	return 0;
}
