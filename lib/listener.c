/* Accepting clients, and not accepting them. */
#include "fd.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

struct guest {
	int fd;
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

/* what may be listened on */
static bool is_listening_stream(int fd);
static bool option_is(int fd, int option, int want);
static int find(const struct fdpool *, int listen_fd);

/* accepting */
static int
take_guest(const struct fdpool *, const struct fdp_listener *, struct guest *);
static bool is_passing(int error);
static bool is_shortage(int error);
static void admit(struct fdpool *, const struct fdp_listener *, struct guest *);
static void shed_one(struct fdpool *, const struct fdp_listener *);
static void pause_for(struct fdpool *, int error);

/* switching */
static int listen_on(struct fdpool *);
static void listen_off(struct fdpool *);
static unsigned low_water(const struct fdpool *);

int
fdpool_listen(struct fdpool *p, int listen_fd, unsigned listener_id)
{
	int error;

	if (p->draining)
		return -ESHUTDOWN;
	if (!is_listening_stream(listen_fd))
		return -EINVAL;
	if (find(p, listen_fd) != -1)
		return -EEXIST;
	if (p->n_listeners == FDPOOL_LISTENERS_MAX)
		return -ENOSPC;
	if (p->listening) {
		error = fdp_watch(p, listen_fd, FDP_LISTENER, p->n_listeners);
		if (error != 0)
			return error;
	}
	p->listeners[p->n_listeners++] = (struct fdp_listener){ .fd = listen_fd,
		.id = listener_id };
	return 0;
}

int
fdpool_unlisten(struct fdpool *p, int listen_fd)
{
	int i = find(p, listen_fd);
	bool was_listening = p->listening;

	if (i == -1)
		return -ENOENT;
	/* All out and in again: an event carries a listener's index. */
	listen_off(p);
	p->n_listeners--;
	memmove(&p->listeners[i], &p->listeners[i + 1],
	    (p->n_listeners - (unsigned)i) * sizeof(p->listeners[0]));
	if (was_listening)
		(void)listen_on(p);
	return 0;
}

void
fdp_accept(struct fdpool *p, const struct fdp_listener *l)
{
	unsigned most = p->opt.queue_max + fdp_pool_room(p), i;
	struct guest guest;
	int error;

	for (i = 0; i < p->opt.accept_batch && p->queue.len < most; i++) {
		error = take_guest(p, l, &guest);
		if (error == 0) {
			admit(p, l, &guest);
		} else if (error == -EAGAIN) {
			break;
		} else if (!is_passing(error)) {
			if (is_shortage(error))
				shed_one(p, l);
			pause_for(p, error);
			break;
		}
	}
}

void
fdp_listen_adjust(struct fdpool *p)
{
	if (!p->queue_full && p->queue.len >= p->opt.queue_max) {
		p->queue_full = true;
		if (p->listening)
			fdp_tell(p, FDPOOL_EV_ACCEPT_PAUSED, NULL, 0, 0);
	} else if (p->queue_full && p->queue.len <= low_water(p)) {
		p->queue_full = false;
	}
	if (p->listening == (!p->queue_full && p->accept_at == FDP_NEVER))
		return;
	if (p->listening)
		listen_off(p);
	else if (listen_on(p) == 0)
		fdp_tell(p, FDPOOL_EV_ACCEPT_RESUMED, NULL, 0, 0);
}

void
fdp_accept_resume(struct fdpool *p)
{
	p->accept_at = FDP_NEVER;
	if (p->spare_fd == -1)
		p->spare_fd = eventfd(0, EFD_CLOEXEC);
}

static bool
is_listening_stream(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && (flags & O_NONBLOCK) &&
	       option_is(fd, SO_ACCEPTCONN, 1) &&
	       option_is(fd, SO_TYPE, SOCK_STREAM);
}

static bool
option_is(int fd, int option, int want)
{
	int got = 0;
	socklen_t len = sizeof(got);

	return getsockopt(fd, SOL_SOCKET, option, &got, &len) == 0 &&
	       got == want;
}

static int
find(const struct fdpool *p, int listen_fd)
{
	unsigned i;

	for (i = 0; i < p->n_listeners; i++)
		if (p->listeners[i].fd == listen_fd)
			return (int)i;
	return -1;
}

static int
take_guest(
    const struct fdpool *p, const struct fdp_listener *l, struct guest *guest)
{
	const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;

	guest->addr_len = sizeof(guest->addr);
	if (p->opt.on_accept == NULL) /* nobody asks for the address */
		guest->fd = accept4(l->fd, NULL, NULL, flags);
	else
		guest->fd = accept4(l->fd, (struct sockaddr *)&guest->addr,
		    &guest->addr_len, flags);
	return guest->fd == -1 ? -errno : 0;
}

/* About one client that has gone again; accept(2) names them. */
static bool
is_passing(int error)
{
	switch (-error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static bool
is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS ||
	       error == -ENOMEM;
}

static void
admit(struct fdpool *p, const struct fdp_listener *l, struct guest *guest)
{
	struct fdp_parcel parcel = { .msg = { .type = CTL_CLIENT },
		.fd = guest->fd };

	if (p->opt.on_accept != NULL &&
	    !p->opt.on_accept(p->opt.arg, guest->fd, l->id,
		(struct sockaddr *)&guest->addr, guest->addr_len,
		&parcel.msg.tag)) {
		p->total.refused++;
		fdp_close(&guest->fd);
		return;
	}
	fdp_ring_push_back(&p->queue, &parcel);
}

/* So that at least one client learns at once that it will not be served. */
static void
shed_one(struct fdpool *p, const struct fdp_listener *l)
{
	struct guest guest;

	if (p->spare_fd == -1)
		return;
	fdp_close(&p->spare_fd);
	if (take_guest(p, l, &guest) == 0) {
		fdp_close(&guest.fd);
		p->total.refused++;
	}
	p->spare_fd = eventfd(0, EFD_CLOEXEC);
}

static void
pause_for(struct fdpool *p, int error)
{
	if (p->accept_at != FDP_NEVER)
		return;
	p->accept_at = fdp_now() + p->opt.accept_pause_ms;
	fdp_wake_at(p, p->accept_at);
	fdp_tell(
	    p, FDPOOL_EV_ACCEPT_PAUSED, NULL, error, p->opt.accept_pause_ms);
}

/* Out of the epoll, not only masked: a listener that has been shut down
 * would go on saying EPOLLHUP. */
static void
listen_off(struct fdpool *p)
{
	unsigned i;

	for (i = 0; i < p->n_listeners; i++)
		fdp_unwatch(p, p->listeners[i].fd, FDP_LISTENER);
	p->listening = false;
}

static int
listen_on(struct fdpool *p)
{
	unsigned i;
	int error;

	for (i = 0; i < p->n_listeners; i++) {
		error = fdp_watch(p, p->listeners[i].fd, FDP_LISTENER, i);
		if (error != 0) {
			listen_off(p);
			pause_for(p, error);
			return error;
		}
	}
	p->listening = true;
	return 0;
}

/* Accepting begins again somewhat below the top, not to be switched for
 * every client. */
static unsigned
low_water(const struct fdpool *p)
{
	unsigned quarter = p->opt.queue_max / 4;

	return p->opt.queue_max - (quarter > 0 ? quarter : 1);
}
