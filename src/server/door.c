#include <errno.h>

#include "http/proxy.h"
#include "server/client_log.h"
#include "server/door.h"
#include "server/worker.h"
#include "train/train.h"

#define TLS_HANDSHAKE 0x16

/* The first byte decides: 0xF5 is the train's, 0x16 begins TLS, which is not
 * spoken here, and what is neither is taken for HTTP. */
static enum want
any_step(struct conn *c)
{
	size_t size;
	ssize_t n;

	n = conn_read(c);
	if (n == -EAGAIN)
		return WANT_READ;
	if (n <= 0)
		return WANT_CLOSE;
	if (c->is_proxy)
		switch (proxy_parse(
		    buf_head(&c->in), buf_len(&c->in), &size, &c->peer.addr)) {
		case PROXY_OK:
			buf_drop(&c->in, size);
			c->is_proxy = false; /* it has said all it may */
			if (!conn_set_source(c))
				return WANT_CLOSE;
			if (buf_len(&c->in) == 0)
				return any_step(c);
			break;
		case PROXY_NONE:
			break;
		case PROXY_MORE:
			return any_step(c);
		case PROXY_BAD:
			client_info(c, "closed: a bad PROXY header");
			return WANT_CLOSE;
		}
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
};
