/* What a worker has not received comes back to the queue. */
#include "channel.h"
#include "fd.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>

static void make_sure(struct fdp_member *);
static bool is_room(const struct fdpool *);

/*
 * A descriptor that is received without room for it is lost, so room is asked
 * for before each.  More clients than are in flight can only be there if the
 * worker said that it had taken what it had not; those are not given again.
 */
int
fdp_take_back(struct fdpool *p, struct fdp_member *m)
{
	struct fdp_parcel back[FDPOOL_WINDOW], parcel;
	unsigned n = 0, lost = 0;
	uint32_t type = CTL_CLIENT;
	bool room = true;

	while (type != CTL_NONE && n + lost < m->in_flight) {
		room = is_room(p);
		if (!room)
			break;
		type = fdp_chan_take(m->peer_fd, &parcel);
		if (type == CTL_PING)
			m->ping_out = false;
		if (type == CTL_WANTED)
			m->asked = false;
		if (type != CTL_CLIENT)
			fdp_close(&parcel.fd);
		else if (parcel.fd == -1)
			lost++;
		else
			back[n++] = parcel;
	}
	m->in_flight -= n + lost;
	m->counts.given_again += n;
	p->total.given_again += n;
	m->counts.lost += lost;
	p->total.lost += lost;
	if (n + lost > 0)
		make_sure(m);
	while (n > 0)
		fdp_ring_push_front(&p->queue, &back[--n]);
	return room ? 0 : -EMFILE;
}

/*
 * A worker looks at its messages, with their descriptors, before it takes them.
 * One that has looked at what is taken back now would next take what is sent
 * in its place, without the descriptor: nothing is, until it has answered a
 * ping that was sent after this.
 */
static void
make_sure(struct fdp_member *m)
{
	if (m->state != FDPOOL_READY && m->state != FDPOOL_SILENT)
		return;
	m->unsure = true;
	m->sure_seq = m->ping_seq + 1;
	fdp_member_ping(m);
}

static bool
is_room(const struct fdpool *p)
{
	int fd = fcntl(p->timer_fd, F_DUPFD_CLOEXEC, 0);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}
