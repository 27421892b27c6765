/*
 * A worker's connection over a socketpair: whatever a client sends, in
 * whatever pieces, and however slowly it reads, what comes back is a sequence
 * of whole, valid frames, and nothing is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "server/conn.h"
#include "server/digests.h"
#include "server/door.h"
#include "server/pack.h"
#include "server/push_file.h"
#include "server/source.h"
#include "server/train_answer.h"
#include "server/walks.h"
#include "server/worker.h"
#include "store/store.h"
#include "train/train.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* ---- the neighbours: jobs run at once, and come back at the next reap ---- */

struct helpers {
	struct link ran;
};

static struct helpers the_helpers;
static unsigned n_released;

void
helpers_submit(struct helpers *h, struct job *j)
{
	j->is_out = true;
	while (!j->run(j))
		;
	link_init(&j->link);
	link_add_last(&h->ran, &j->link);
}

void
helpers_cancel(struct helpers *h, struct job *j)
{
	(void)h;
	(void)j;
}

void
helpers_reap(struct helpers *h)
{
	while (link_is_linked(&h->ran)) {
		struct job *j = link_entry(h->ran.next, struct job, link);

		link_remove(&j->link);
		j->is_out = false;
		j->done(j);
	}
}

/* An archive of some bytes, without a thread: each other look at it finds
 * nothing yet. */
struct pack {
	size_t left;
	bool is_odd;
	struct job job;
	void (*wake)(void *);
	void *arg;
};

static void
pack_done(struct job *j)
{
	struct pack *p = link_entry(j, struct pack, job);

	p->wake(p->arg);
}

int
pack_begin(struct pack **out, struct worker *w, const struct path *folder,
    enum pack_form form, void (*wake)(void *arg), void *arg)
{
	struct pack *p = calloc(1, sizeof(*p));

	(void)w;
	(void)folder;
	if (p == NULL)
		return -ENOMEM;
	p->left = form == PACK_TAR ? 200000 : 10;
	p->wake = wake;
	p->arg = arg;
	p->job.done = pack_done;
	*out = p;
	return 0;
}

ssize_t
pack_peek(struct pack *p, const void **bytes)
{
	static const char some[65536];

	p->is_odd = !p->is_odd;
	if (p->is_odd) {
		if (!p->job.is_out) {
			p->job.is_out = true;
			link_init(&p->job.link);
			link_add_last(&the_helpers.ran, &p->job.link);
		}
		return -EAGAIN;
	}
	*bytes = some;
	return (ssize_t)(p->left < sizeof(some) ? p->left : sizeof(some));
}

void
pack_taken(struct pack *p, size_t n)
{
	must(n <= p->left);
	p->left -= n;
}

bool
pack_stop(struct pack *p)
{
	return p->job.is_out;
}

void
pack_free(struct pack *p)
{
	must(p == NULL || !p->job.is_out);
	free(p);
}

void
worker_release(struct worker *w, struct conn *c)
{
	(void)w;
	(void)c;
	n_released++;
}

/* ---- the world: one worker with a small tree ---- */

static struct worker worker;
static struct board_worker counters;
static struct conn conn;

static void
make_file(const char *name, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	char piece[4096];

	if (fd == -1)
		abort();
	memset(piece, 'n', sizeof(piece));
	for (; size > 0; size -= size < sizeof(piece) ? size : sizeof(piece))
		if (write(fd, piece,
			size < sizeof(piece) ? size : sizeof(piece)) == -1)
			abort();
	close(fd);
}

static int
make_push(void)
{
	int fd = memfd_create("push", MFD_CLOEXEC);

	if (fd == -1 || ftruncate(fd, 123456) == -1)
		abort();
	return fd;
}

static void
make_world(void)
{
	char dir[] = "/tmp/netpan-fuzz-XXXXXX";
	struct worker *w = &worker;
	char here[4096];
	int r;

	if (getcwd(here, sizeof(here)) == NULL || mkdtemp(dir) == NULL ||
	    chdir(dir) == -1)
		abort();
	make_file("a", 0);
	make_file("b", 11);
	mkdir("d", 0755);
	make_file("d/big", 300000);
	make_file("d/small", 5000);
	mkdir("d/e", 0755);
	r = symlink("/etc", "link");
	r |= mkfifo("pipe", 0644);
	r |= store_new(&w->store, store_open_root("."));
	r |= chdir(here);
	if (r != 0)
		abort();
	log_open("fuzz", LOG_ERROR);
	r = push_file_new(&w->push, make_push(), "pushed");
	if (r != 0)
		abort();
	link_init(&the_helpers.ran);
	w->helpers = &the_helpers;
	w->board.mine = &counters;
	access_log_init(&w->access_log, -1, &counters.log_dropped);
	w->hot = hot_new(&(struct hot_options){ .store = w->store,
	    .n_hits = &counters.cache_hits,
	    .n_misses = &counters.cache_misses,
	    .moment = &w->moment,
	    .max_bytes = 1 << 20 });
	if (w->hot == NULL)
		abort();
	hot_limit_fds(w->hot, 64);
	w->turn_bytes = CONN_TURN_BYTES;
	if (digests_new(&w->digests, w->store, w->helpers) != 0 ||
	    walks_new(&w->walks, LIM_WALKS) != 0)
		abort();
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->config = (struct wire_config){
		.hello_ms = LIM_HELLO_MS,
		.request_ms = LIM_REQUEST_MS,
		.idle_ms = LIM_IDLE_MS,
		.rate_window_ms = LIM_RATE_WINDOW_MS,
		.min_rate = LIM_MIN_RATE,
	};
	link_init(&w->ready);
	link_init(&w->patient);
	slab_init(&w->https, sizeof(struct http), 4);
	slab_init(&w->ins, CONN_IN_SIZE, 4);
	slab_init(&w->outs, CONN_OUT_SIZE, 4);
	slab_init(&w->answers, answer_size, 4);
	timer_wheel_init(&w->timers, w->now_ms);
	sources_init(&w->sources, 0);
	w->slots = 1;
	w->conns = &conn;
}

/* ---- the client's side: everything that comes must be frames ---- */

struct peer {
	unsigned char bytes[1 << 20];
	size_t len;
	bool saw_hello;
	bool is_http;
};

static struct peer peer;

/* An HTTP answer has a form of its own: what comes first must look like it. */
static bool
is_http(const struct peer *p)
{
	static const char start[] = "HTTP/1.1 ";

	return p->len >= sizeof(start) - 1 && !p->saw_hello &&
	       memcmp(p->bytes, start, sizeof(start) - 1) == 0;
}

/* What push sends has no form that could be checked piece by piece. */
static void
peer_check(struct peer *p)
{
	const unsigned char *at = p->bytes;
	size_t left = p->len;
	struct train_frame f;
	const char *reason;
	uint8_t version;

	if (is_http(p))
		p->is_http = true;
	if (conn.peer.door == WIRE_DOOR_PUSH || p->is_http) {
		p->len = 0;
		return;
	}
	if (!p->saw_hello && left > 0 && at[0] == 'H')
		return; /* its first bytes */
	if (!p->saw_hello && left >= TRAIN_HELLO_SIZE) {
		must(
		    train_hello_parse(at, left, &version, &reason) == TRAIN_OK);
		at += TRAIN_HELLO_SIZE;
		left -= TRAIN_HELLO_SIZE;
		p->saw_hello = true;
	}
	while (p->saw_hello && left >= TRAIN_HEADER_SIZE) {
		enum train_result r = train_frame_parse(
		    at, left, TRAIN_FROM_SERVER, &f, &reason);

		must(r == TRAIN_OK);
		if (left - TRAIN_HEADER_SIZE < f.len)
			break;
		at += TRAIN_HEADER_SIZE + f.len;
		left -= TRAIN_HEADER_SIZE + f.len;
	}
	memmove(p->bytes, at, left);
	p->len = left;
}

/* Reads up to n bytes; false at the end of the stream. */
static bool
peer_read(struct peer *p, int fd, size_t n)
{
	ssize_t got;

	if (n > sizeof(p->bytes) - p->len)
		n = sizeof(p->bytes) - p->len;
	got = recv(fd, p->bytes + p->len, n, MSG_DONTWAIT);
	if (got > 0)
		p->len += (size_t)got;
	peer_check(p);
	return got > 0 || (got == -1 && errno == EAGAIN);
}

/* lazily: jobs are left out over this turn, whatever comes meanwhile. */
static void
turn(struct worker *w, bool lazily)
{
	if (!lazily)
		helpers_reap(w->helpers);
	while (link_is_linked(&w->ready) || link_is_linked(&w->patient)) {
		struct link *l = link_is_linked(&w->ready) ? w->ready.next
							   : w->patient.next;
		struct conn *c = link_entry(l, struct conn, ready);

		link_remove(&c->ready);
		conn_run(c);
		if (!lazily)
			helpers_reap(w->helpers);
	}
}

enum end { END_EOF, END_TIMEOUT, END_HANGUP, END_DRAIN };

/*
 * The first byte is how the rest is cut, and how eagerly answers are read; the
 * second, how jobs come back and how it all ends.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	struct worker *w = &worker;
	struct fdpool_client client = { .fd = -1 };
	size_t piece, sip, n_turns = 0;
	enum end end;
	unsigned lazy;
	int fds[2];

	if (!made)
		make_world();
	made = true;
	if (size < 2 || size > 65536)
		return 0;
	piece = (size_t)(data[0] & 15) * (data[0] & 15) * 7 + 1;
	sip = (size_t)(data[0] >> 4) * (data[0] >> 4) * 997 + 64;
	end = (enum end)(data[1] & 3);
	lazy = data[1] >> 2 & 7;
	client.tag.bytes[offsetof(struct wire_tag, door)] = data[1] & 0x80
								? WIRE_DOOR_PUSH
								: WIRE_DOOR_ANY;
	data += 2;
	size -= 2;
	w->draining = false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		fds) == -1)
		abort();
	client.fd = fds[0];
	peer.len = 0;
	peer.saw_hello = peer.is_http = false;
	n_released = 0;
	conn_open(&conn, w, &client);
	while (size > 0 && n_released == 0) {
		size_t n = size < piece ? size : piece;
		ssize_t sent = send(fds[1], data, n, MSG_NOSIGNAL);

		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
		}
		conn_event(&conn, EPOLLIN | EPOLLOUT);
		turn(w, lazy != 0 && n_turns++ % (lazy + 1) != 0);
		if (!peer_read(&peer, fds[1], sip))
			break;
		if (sent <= 0 && errno != EAGAIN)
			break;
	}
	if (n_released == 0 && end == END_TIMEOUT) {
		w->now_ms = conn.deadline_ms;
		conn_timed_out(&conn);
	}
	if (n_released == 0 && end == END_HANGUP)
		conn_event(&conn, EPOLLHUP);
	if (n_released == 0 && end == END_DRAIN) {
		w->draining = true;
		conn_drain(&conn);
	}
	shutdown(fds[1], SHUT_WR);
	while (n_released == 0) {
		conn_event(&conn, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
		turn(w, false);
		peer_read(&peer, fds[1], sizeof(peer.bytes));
	}
	while (peer_read(&peer, fds[1], sizeof(peer.bytes)))
		;
	close(fds[1]);

	/* a digest may outlive the answer that asked for it */
	helpers_reap(w->helpers);
	must(n_released == 1 && digests_count(w->digests) == 0);
	must(conn.fd == -1 && conn.answer == NULL);
	must(w->ins.n_used == 0 && w->outs.n_used == 0);
	must(w->answers.n_used == 0 && walks_count(w->walks) == 0);
	must(w->https.n_used == 0);
	must(!timer_is_set(&conn.timer));
	return 0;
}
