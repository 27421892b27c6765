#include "room.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#define MARGIN_MIN 128 /* two batches */
#define CAREFUL 4096 /* received one by one after room was missed */

static void learn_limit(struct fdp_room *);
static int probe(struct fdp_room *);

void
fdp_room_init(struct fdp_room *room, int probe_fd)
{
	*room = (struct fdp_room){ .probe_fd = probe_fd };
	learn_limit(room);
	(void)probe(room);
}

unsigned
fdp_room_for(struct fdp_room *room, unsigned want)
{
	if (room->careful == 0 && room->last_fd < room->tight_from)
		return want;
	if (probe(room) == -1)
		return 0;
	if (room->careful == 0 && room->last_fd < room->tight_from)
		return want;
	return 1;
}

void
fdp_room_took(struct fdp_room *room, int fd)
{
	room->last_fd = fd;
	if (room->careful > 0)
		room->careful--;
}

/* The limit may have been lowered since it was asked for, or the table be
 * full far above a few free numbers: those seen say nothing for a while. */
void
fdp_room_missed(struct fdp_room *room)
{
	room->careful = CAREFUL;
	learn_limit(room);
}

static void
learn_limit(struct fdp_room *room)
{
	struct rlimit limit = { 0, 0 };
	rlim_t n, margin;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	n = limit.rlim_cur < INT_MAX ? limit.rlim_cur : INT_MAX;
	margin = n / 4 > MARGIN_MIN ? n / 4 : MARGIN_MIN;
	room->tight_from = n > margin ? (int)(n - margin) : 0;
}

/* 0, or -1: there is no room for one. */
static int
probe(struct fdp_room *room)
{
	int fd = fcntl(room->probe_fd, F_DUPFD_CLOEXEC, 0);

	if (fd == -1) {
		fdp_room_missed(room);
		return -1;
	}
	close(fd);
	room->last_fd = fd;
	return 0;
}
