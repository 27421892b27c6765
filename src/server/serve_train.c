#include <errno.h>

#include "server/client_log.h"
#include "server/door.h"
#include "server/train_answer.h"
#include "server/worker.h"
#include "train/train.h"

/* ---- the conversation, in its order ---- */
static enum want train_step(struct conn *);
static enum want train_turn(struct conn *);
static enum want train_hello(struct conn *);
static enum want train_next(struct conn *);
static enum want train_request(struct conn *, const struct train_frame *);
static void train_count(struct conn *, uint8_t type);
/* ---- its ends ---- */
static enum want train_refuse(struct conn *, enum train_code, const char *text);
static enum want train_more(struct conn *);

/* Answers kept back for company are sent when they come to so much. */
#define TRAIN_FLUSH_AT (CONN_OUT_SIZE / 4)

static enum want
train_step(struct conn *c)
{
	uint64_t before = c->n_sent;
	enum want want = train_turn(c);

	board_add(&c->worker->board.mine->train_bytes, c->n_sent - before);
	return want;
}

static enum want
train_turn(struct conn *c)
{
	enum want want;

	do {
		if (c->answer != NULL) {
			if (!answer_step(c, &want))
				return want;
			conn_set_state(c, CONN_IDLE);
			want = WANT_NOTHING;
		} else if (c->state == CONN_HELLO) {
			want = train_hello(c);
		} else {
			want = train_next(c);
		}
	} while (want == WANT_NOTHING);
	return want;
}

static enum want
train_hello(struct conn *c)
{
	const char *reason;
	uint8_t version;

	switch (train_hello_parse(
	    buf_head(&c->in), buf_len(&c->in), &version, &reason)) {
	case TRAIN_MORE:
		return train_more(c);
	case TRAIN_BAD:
		client_info(c, "closed: %s", reason);
		return WANT_CLOSE;
	case TRAIN_OK:
		break;
	}
	buf_drop(&c->in, TRAIN_HELLO_SIZE);
	if (conn_need_out(c) != 0)
		return WANT_CLOSE;
	train_hello_put(&c->out, TRAIN_VERSION);
	if (version != TRAIN_VERSION)
		return train_refuse(
		    c, TRAIN_E_VERSION, "version 1 is spoken here");
	conn_set_state(c, CONN_IDLE);
	return WANT_NOTHING;
}

/* The next request, or what is to be done while there is none. */
static enum want
train_next(struct conn *c)
{
	struct train_frame frame;
	const char *reason;
	int r;

	if (buf_len(&c->out) > TRAIN_FLUSH_AT) {
		r = conn_flush(c, false);
		if (r != 0)
			return r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
	}
	if (c->turn_left == 0)
		return WANT_TURN;
	switch (train_frame_parse(buf_head(&c->in), buf_len(&c->in),
	    TRAIN_FROM_CLIENT, &frame, &reason)) {
	case TRAIN_MORE:
		return train_more(c);
	case TRAIN_BAD:
		return train_refuse(c, TRAIN_E_PROTOCOL, reason);
	case TRAIN_OK:
		break;
	}
	if (buf_len(&c->in) - TRAIN_HEADER_SIZE < frame.len)
		return train_more(c);
	return train_request(c, &frame);
}

static enum want
train_request(struct conn *c, const struct train_frame *frame)
{
	const char *reason;
	enum answer_begun begun;

	if (c->worker->draining)
		return train_refuse(
		    c, TRAIN_E_ENDING, "the server is going down");
	conn_set_state(c, CONN_ANSWER);
	conn_charge(c, CONN_REQUEST_COST + frame->len);
	begun = answer_begin(
	    c, frame, buf_head(&c->in) + TRAIN_HEADER_SIZE, &reason);
	buf_drop(&c->in, TRAIN_HEADER_SIZE + frame->len);
	switch (begun) {
	case ANSWER_BEGUN:
		train_count(c, frame->type);
		return WANT_NOTHING;
	case ANSWER_BAD:
		return train_refuse(c, TRAIN_E_PROTOCOL, reason);
	case ANSWER_NO_ROOM:
		break;
	}
	return train_refuse(c, TRAIN_E_BUSY, "the server has no memory left");
}

static void
train_count(struct conn *c, uint8_t type)
{
	enum board_train t = type == TRAIN_GET	  ? BOARD_TRAIN_GET
			     : type == TRAIN_TREE ? BOARD_TRAIN_TREE
						  : BOARD_TRAIN_LIST;

	board_add(&c->worker->board.mine->train_requests[t], 1);
}

static enum want
train_refuse(struct conn *c, enum train_code code, const char *text)
{
	client_info(c, "refused: %s", text);
	if (conn_need_out(c) != 0)
		return WANT_CLOSE;
	if (train_error_put(&c->out, code, TRAIN_CONNECTION, text) != 0)
		return WANT_CLOSE;
	return WANT_LEAVE;
}

/* Not enough is here to go on: read, and send what was kept back. */
static enum want
train_more(struct conn *c)
{
	ssize_t n;
	int r;

	if (c->state == CONN_IDLE && buf_len(&c->in) > 0)
		conn_set_state(c, CONN_REQUEST);
	n = conn_read(c);
	if (n > 0)
		return WANT_NOTHING;
	if (n != -EAGAIN && n != 0)
		return WANT_CLOSE;
	r = conn_flush(c, false);
	if (r != 0)
		return r == -EAGAIN ? WANT_WRITE : WANT_CLOSE;
	if (n == 0)
		return WANT_CLOSE;
	if (c->worker->draining && buf_len(&c->in) == 0)
		return WANT_LEAVE;
	return WANT_READ;
}

const struct door door_train = {
	.step = train_step,
	.closed = answer_cut_off,
	.stop_jobs = answer_stop_jobs,
};
