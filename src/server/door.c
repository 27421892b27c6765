#include <errno.h>

#include "http/proxy.h"
#include "server/client_log.h"
#include "server/door.h"
#include "server/worker.h"
#include "train/train.h"

#define TLS_HANDSHAKE 0x16

/* False: what it says of whom it speaks for is none, or he has too many. */
static bool
proxy_step(struct conn *c, bool *needs_more)
{
	size_t size;

	switch (proxy_parse(
	    buf_head(&c->in), buf_len(&c->in), &size, &c->peer.addr)) {
	case PROXY_OK:
		buf_drop(&c->in, size);
		c->is_proxy = false; /* it has said all it may */
		*needs_more = buf_len(&c->in) == 0;
		return conn_set_source(c);
	case PROXY_NONE:
		return true;
	case PROXY_MORE:
		*needs_more = true;
		return true;
	case PROXY_BAD:
		break;
	}
	client_info(c, "closed: a bad PROXY header");
	return false;
}

/* The first byte decides: 0xF5 is the train's, 0x16 begins TLS, which is not
 * spoken here, and what is neither is taken for HTTP. */
static enum want
any_step(struct conn *c)
{
	bool needs_more = buf_len(&c->in) == 0;
	ssize_t n;

	do {
		if (needs_more) {
			n = conn_read(c);
			if (n <= 0)
				return n == -EAGAIN ? WANT_READ : WANT_CLOSE;
			needs_more = false;
		}
		if (c->is_proxy && !proxy_step(c, &needs_more))
			return WANT_CLOSE;
	} while (needs_more);
	if (*buf_head(&c->in) == TLS_HANDSHAKE) {
		client_info(c, "closed: speaks TLS");
		return WANT_CLOSE;
	}
	c->door = *buf_head(&c->in) == (unsigned char)TRAIN_MAGIC[0]
		      ? &door_train
		      : &door_http;
	return c->door->step(c);
}

const struct door door_any = {
	.step = any_step,
	.hears_first = true,
};
