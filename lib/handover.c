/* The waiting queue, and who gets the next of it. */
#include "channel.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 50 /* until a full channel is tried again */
#define PAUSE_MS 200 /* for a worker without descriptors */

/* one round: move to workers, send, take back what did not go */
static unsigned stage(struct fdpool *);
static struct fdp_member *choose(const struct fdpool *);
static bool send_staged(struct fdpool *, struct fdp_member *);
static void sent(struct fdpool *, struct fdp_member *, unsigned n);
static void unstage(struct fdpool *, struct fdp_member *);
static void drop_first(struct fdpool *);

static bool can_make_room(const struct fdp_member *);

int
fdpool_give(struct fdpool *p, int conn_fd, const struct fdpool_tag *tag)
{
	struct fdp_parcel parcel = { .msg = { .type = CTL_CLIENT } };

	/* A number that is not open would be found out only when sent. */
	if (fcntl(conn_fd, F_GETFD) == -1)
		return -EBADF;
	if (p->draining) {
		close(conn_fd);
		return -ESHUTDOWN;
	}
	if (p->queue.len >= p->opt.queue_max) {
		p->total.refused++;
		close(conn_fd);
		return -EAGAIN;
	}
	parcel.fd = conn_fd;
	if (tag != NULL)
		parcel.msg.tag = *tag;
	fdp_ring_push_back(&p->queue, &parcel);
	fdp_settle(p);
	return 0;
}

unsigned
fdp_member_room(const struct fdp_member *m)
{
	uint32_t load = m->held + m->in_flight + m->outbox.len;
	unsigned slots, window;

	if (m->state != FDPOOL_READY || m->full || m->unsure ||
	    m->paused_to != FDP_NEVER || load >= m->slots)
		return 0;
	slots = m->slots - load;
	window = FDPOOL_WINDOW - m->in_flight - m->outbox.len;
	return slots < window ? slots : window;
}

unsigned
fdp_pool_room(const struct fdpool *p)
{
	unsigned room = 0, i;

	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL)
			room += fdp_member_room(p->places[i]);
	return room;
}

/* Ends: each round that takes something back marks a worker full or drops a
 * descriptor. */
void
fdp_pump(struct fdpool *p)
{
	bool again = true;
	unsigned i;

	while (again && stage(p) > 0) {
		again = false;
		for (i = 0; i < p->n_places; i++)
			if (p->places[i] != NULL &&
			    p->places[i]->outbox.len > 0 &&
			    !send_staged(p, p->places[i]))
				again = true;
	}
}

/* Each is asked for its share, and again when it has made some room, or else
 * with its next heartbeat: one that does not listen finds one such word for
 * each ping. */
void
fdp_ask_for_room(struct fdpool *p)
{
	struct ctl_wanted msg = { .type = CTL_WANTED };
	struct fdp_member *m;
	unsigned n_full = 0, i;

	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL && can_make_room(p->places[i]))
			n_full++;
	if (n_full == 0)
		return;
	msg.slots = (p->queue.len + n_full - 1) / n_full;
	for (i = 0; i < p->n_places; i++) {
		m = p->places[i];
		if (m != NULL && can_make_room(m) && !m->asked)
			m->asked = fdp_chan_send(m->chan_fd, &msg, sizeof(msg),
				       MSG_DONTWAIT) == 0;
	}
}

/* What could not be taken back stays there: the worker either has room when
 * the pause is over, or says again that it has none.  One that was told to
 * leave has that word in its channel, which must stay. */
void
fdp_member_pause(struct fdpool *p, struct fdp_member *m)
{
	m->paused_to = fdp_now() + PAUSE_MS;
	fdp_wake_at(p, m->paused_to);
	if (m->state == FDPOOL_READY || m->state == FDPOOL_SILENT)
		(void)fdp_take_back(p, m);
}

void
fdp_retry_soon(struct fdpool *p)
{
	if (p->retry_at != FDP_NEVER)
		return;
	p->retry_at = fdp_now() + RETRY_MS;
	fdp_wake_at(p, p->retry_at);
}

static unsigned
stage(struct fdpool *p)
{
	struct fdp_parcel parcel;
	struct fdp_member *m;
	unsigned n = 0;

	while (p->queue.len > 0 && (m = choose(p)) != NULL) {
		parcel = fdp_ring_pop_front(&p->queue);
		parcel.msg.seq = ++m->sent_seq;
		fdp_ring_push_back(&m->outbox, &parcel);
		n++;
	}
	return n;
}

/* The least loaded; among equals the first, so that few clients are served by
 * few workers, whose memory is warm. */
static struct fdp_member *
choose(const struct fdpool *p)
{
	struct fdp_member *best = NULL, *m;
	unsigned best_load = 0, load, i;

	for (i = 0; i < p->n_places; i++) {
		m = p->places[i];
		if (m == NULL || fdp_member_room(m) == 0)
			continue;
		load = m->held + m->in_flight + m->outbox.len;
		if (best == NULL || load < best_load) {
			best = m;
			best_load = load;
		}
	}
	return best;
}

/* False when something went back into the queue. */
static bool
send_staged(struct fdpool *p, struct fdp_member *m)
{
	ssize_t n;

	while (m->outbox.len > 0) {
		n = fdp_chan_send_parcels(m->chan_fd, &m->outbox);
		if (n > 0) {
			sent(p, m, (unsigned)n);
			continue;
		}
		unstage(p, m);
		/* -EPIPE: its end will be heard of in a moment. */
		if (n == -EAGAIN || n == -EPIPE) {
			m->full = true;
			fdp_retry_soon(p);
		} else {
			drop_first(p);
		}
		return false;
	}
	return true;
}

/* What lies in the channel is a reference of its own. */
static void
sent(struct fdpool *p, struct fdp_member *m, unsigned n)
{
	struct fdp_parcel parcel;

	m->in_flight += n;
	m->counts.given += n;
	p->total.given += n;
	while (n-- > 0) {
		parcel = fdp_ring_pop_front(&m->outbox);
		close(parcel.fd);
	}
}

static void
unstage(struct fdpool *p, struct fdp_member *m)
{
	struct fdp_parcel parcel;

	while (m->outbox.len > 0) {
		parcel = fdp_ring_pop_back(&m->outbox);
		fdp_ring_push_front(&p->queue, &parcel);
	}
}

/* Full, and not with one client whom it serves in blocking calls. */
static bool
can_make_room(const struct fdp_member *m)
{
	return m->state == FDPOOL_READY && m->slots > 1 &&
	       m->held + m->in_flight >= m->slots;
}

/* A descriptor that cannot be sent, whoever would get it. */
static void
drop_first(struct fdpool *p)
{
	struct fdp_parcel parcel = fdp_ring_pop_front(&p->queue);

	close(parcel.fd);
	p->total.refused++;
}
