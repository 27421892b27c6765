/*
 * Room for those who wait: when every slot is taken, connections that are
 * held for nothing are closed for others.  Never one that is in the middle of
 * a request or an answer.
 */
#ifndef SERVER_ROOM_H
#define SERVER_ROOM_H

struct worker;

/* So many are wanted: some are found now, others in the turns to come. */
void room_wanted(struct worker *, unsigned n);
/* Once in each turn, between its events and their work. */
void room_make(struct worker *);
/* How long the loop may sleep: ms, or wait_ms if that is less; -1: for
 * ever. */
int room_wait_ms(const struct worker *, int wait_ms);

#endif
