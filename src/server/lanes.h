/*
 * A queue in which everybody has a lane: who has much in it waits behind his
 * own, not others behind him.  The lanes that are not empty have their turn
 * one after the other, and each is in the order things came.  Lanes are fewer
 * than those who use them may be: some share one.
 */
#ifndef SERVER_LANES_H
#define SERVER_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define LANES 256 /* a lane's number is taken modulo this */

struct lanes {
	struct link busy; /* lanes that are not empty, the next first */
	struct lane {
		struct link link; /* in busy */
		struct link things;
	} lane[LANES];
};

void lanes_init(struct lanes *);
bool lanes_has_any(const struct lanes *);
void lanes_add(struct lanes *, uint32_t lane, struct link *thing);
/* Takes out the next; there is one. */
struct link *lanes_take(struct lanes *);
/* Takes out that one, which is in this lane. */
void lanes_remove(struct lanes *, uint32_t lane, struct link *thing);

#endif
