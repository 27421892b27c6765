#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "client/session.h"
#include "client/stop.h"

#define DELAY_MAX_MS 1000
#define SLICE_MS 100
#define SILENT_WEIGHT (LIM_RETRIES / 3 + 1) /* three silences are enough */

static int tcp_dial(struct session *, int *);
static int
tcp_connect(const struct session *, const struct addrinfo *, int *, uint64_t);
static int tcp_await(const struct session *, int, uint64_t);
static bool is_own_echo(int);
static void tcp_tune(int);

int
session_open(
    struct session *session, const struct url *url, const char **reason)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *addrs = NULL;
	char port[8];
	int r;

	memset(session, 0, sizeof(*session));
	session->stop_fd = -1;
	session->silence_ms = LIM_SILENCE_MS;
	session->retries = LIM_RETRIES;
	session->delay_ms = 100;
	session->dial = tcp_dial;
	snprintf(port, sizeof(port), "%u", (unsigned)url->port);
	r = getaddrinfo(url->host, port, &hints, &addrs);
	if (r != 0) {
		*reason = r == EAI_SYSTEM ? strerrordesc_np(errno)
					  : gai_strerror(r);
		return -EHOSTUNREACH;
	}
	session->addrs = addrs;
	atomic_init(&session->good, addrs);
	return 0;
}

void
session_close(struct session *session)
{
	if (session->addrs != NULL)
		freeaddrinfo((struct addrinfo *)session->addrs);
	session->addrs = NULL;
}

int
session_retry(const struct session *session, unsigned *tries, int err)
{
	uint64_t due, now;
	unsigned delay;
	int r;

	delay = *tries * session->delay_ms;
	*tries += err == -ETIMEDOUT ? SILENT_WEIGHT : 1;
	if (*tries > session->retries)
		return -ETIMEDOUT;
	now = clock_ms();
	due = now + (delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS);
	do {
		r = stop_wait(session->stop_fd,
		    session_slice(session, now < due ? due - now : 0));
		now = clock_ms();
	} while (r == 0 && now < due);
	return r;
}

unsigned
session_slice(const struct session *session, uint64_t ms)
{
	if (session->on_wait == NULL)
		return (unsigned)ms;
	session->on_wait(session->wait_arg);
	return ms < SLICE_MS ? (unsigned)ms : SLICE_MS;
}

/* Each address once, from the one that answered last. */
static int
tcp_dial(struct session *session, int *fd)
{
	const struct addrinfo *first = atomic_load(&session->good), *at;
	unsigned n = 0;
	int r;

	for (at = session->addrs; at != NULL; at = at->ai_next)
		n++;
	at = first;
	do {
		r = tcp_connect(
		    session, at, fd, clock_ms() + LIM_CONNECT_MS / n);
		if (r == 0) {
			atomic_store(&session->good, at);
			return 0;
		}
		at = at->ai_next != NULL ? at->ai_next : session->addrs;
	} while (at != first && r != -EINTR);
	return r;
}

static int
tcp_connect(const struct session *session, const struct addrinfo *to, int *fd,
    uint64_t due)
{
	int sock, r = 0;

	sock = socket(to->ai_family,
	    to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
	if (sock == -1)
		return -errno;
	if (connect(sock, to->ai_addr, to->ai_addrlen) == -1)
		r = errno == EINPROGRESS ? tcp_await(session, sock, due)
					 : -errno;
	if (r == 0 && is_own_echo(sock))
		r = -ECONNREFUSED;
	if (r != 0) {
		fd_close(&sock);
		return r;
	}
	tcp_tune(sock);
	*fd = sock;
	return 0;
}

static int
tcp_await(const struct session *session, int sock, uint64_t due)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLOUT },
		{ .fd = session->stop_fd, .events = POLLIN } };
	socklen_t len = sizeof(int);
	uint64_t now;
	int n, err = 0;

	do {
		now = clock_ms();
		n = poll(p, 2, now < due ? (int)(due - now) : 0);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	if (p[1].revents != 0)
		return -EINTR;
	if (n == 0)
		return -ETIMEDOUT;
	if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		return -errno;
	return -err;
}

/*
 * TCP lets a socket meet itself: when nobody listens on a port of the range
 * that connect(2) takes its own from, a retry on this machine may be given
 * that very port.
 */
static bool
is_own_echo(int sock)
{
	struct sockaddr_storage own, peer;
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

	memset(&own, 0, sizeof(own));
	memset(&peer, 0, sizeof(peer));
	return getsockname(sock, (struct sockaddr *)&own, &own_len) == 0 &&
	       getpeername(sock, (struct sockaddr *)&peer, &peer_len) == 0 &&
	       own_len == peer_len && memcmp(&own, &peer, own_len) == 0;
}

/* Best effort: a connection without them only is slower, or notices later
 * that its peer is gone. */
static void
tcp_tune(int sock)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 15 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 15 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)setsockopt(sock, options[i].level, options[i].name,
		    &options[i].value, sizeof(int));
}
