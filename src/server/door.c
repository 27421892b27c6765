#include <errno.h>

#include "server/client_log.h"
#include "server/door.h"
#include "server/worker.h"
#include "train/train.h"

/*
 * The first byte decides: 0xF5 is the train's.  Another is no protocol that
 * is spoken here, so there is no form an answer could have.
 */
static enum want
any_step(struct conn *c)
{
	ssize_t n;

	n = conn_read(c);
	if (n == -EAGAIN)
		return WANT_READ;
	if (n <= 0)
		return WANT_CLOSE;
	if (*buf_head(&c->in) != (unsigned char)TRAIN_MAGIC[0]) {
		client_info(c, "closed: speaks no train");
		return WANT_CLOSE;
	}
	c->door = &door_train;
	return c->door->step(c);
}

const struct door door_any = {
	.step = any_step,
};
