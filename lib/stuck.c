/*
 * Processes that SIGKILL has not ended yet: they sleep in the kernel, on a disk
 * that does not answer, and may do so for ever.  Others have their places; they
 * are reaped when they end.
 */
#include "fd.h"
#include "pool.h"
#include "spawn.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

bool
fdp_stuck_add(struct fdpool *p, struct fdp_member *m)
{
	unsigned i = 0;

	while (i < nitems(p->stuck) && p->stuck[i].pid != 0)
		i++;
	if (i == nitems(p->stuck))
		return false;
	if (fdp_watch_as(p, m->pidfd, FDP_STUCK, i) != 0)
		return false;
	p->stuck[i] = (struct fdp_stuck){
		.pid = m->pid, .pidfd = fdp_take(&m->pidfd), .index = m->index
	};
	p->n_stuck++;
	return true;
}

void
fdp_stuck_reap(struct fdpool *p, unsigned i)
{
	struct fdp_stuck *s = &p->stuck[i];
	siginfo_t status;

	if (s->pid == 0 || !fdp_child_reap(s->pidfd, &status))
		return;
	fdp_tell_of(p, FDPOOL_EV_ENDED, (int)s->index, s->pid, status.si_code,
	    status.si_status);
	fdp_unwatch(p, s->pidfd, FDP_STUCK);
	fdp_close(&s->pidfd);
	s->pid = 0;
	p->n_stuck--;
}

unsigned
fdp_stuck_count(const struct fdpool *p, unsigned index)
{
	unsigned n = 0, i;

	for (i = 0; i < nitems(p->stuck); i++)
		if (p->stuck[i].pid != 0 && p->stuck[i].index == index)
			n++;
	return n;
}
