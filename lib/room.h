/*
 * Room in this process's descriptor table.  A descriptor that is received
 * without room for it is lost, so room is asked for before, but only when it
 * may be short: the kernel gives the lowest free number, so as long as the
 * numbers seen are far below the limit there is plenty.
 */
#ifndef FDP_ROOM_H
#define FDP_ROOM_H

struct fdp_room {
	int probe_fd; /* any open one; borrowed */
	int tight_from; /* numbers from here on are near the limit */
	int last_fd; /* the number seen last */
	unsigned careful; /* so many more are received one by one */
};

void fdp_room_init(struct fdp_room *, int probe_fd);

/* How many descriptors may be received at one go, up to want (at least 1).
 * 0: there is no room.  Makes no system call while there is plenty. */
unsigned fdp_room_for(struct fdp_room *, unsigned want);

/* One has been received, with that number. */
void fdp_room_took(struct fdp_room *, int fd);

/* One found no room. */
void fdp_room_missed(struct fdp_room *);

#endif
