/* A connection over a socketpair, whose other end is the test's own. */
#include "helper.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/conn.h"

static int peer_fd = -1; /* the server's end */
static unsigned n_dialled;
static int dial_error;

static int
dial(struct session *session, int *fd)
{
	int pair[2];

	(void)session;
	n_dialled++;
	if (dial_error != 0)
		return dial_error;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		pair) == -1)
		return -errno;
	fd_close(&peer_fd);
	*fd = pair[0];
	peer_fd = pair[1];
	return 0;
}

static struct session
make_session(void)
{
	return (struct session){
		.stop_fd = -1, .silence_ms = 50, .retries = 4, .dial = dial
	};
}

/* What the server sends in a test, built frame by frame. */
static unsigned char memory[64 * 1024];
static struct buf reply;

static void
reply_begin(void)
{
	buf_init(&reply, memory, sizeof(memory));
	assert_int_equal(train_hello_put(&reply, TRAIN_VERSION), 0);
}

static void
put_data(const char *bytes)
{
	assert_int_equal(
	    train_frame_put(&reply, TRAIN_DATA, 0, (uint32_t)strlen(bytes)), 0);
	assert_int_equal(buf_put(&reply, bytes, strlen(bytes)), 0);
}

static void
put_sum(void)
{
	struct train_sum sum = { .files = 7 };

	assert_int_equal(train_sum_put(&reply, &sum), 0);
}

/* The dial of tests that need the reply to be there at once. */
static int
dial_with_reply(struct session *session, int *fd)
{
	int r = dial(session, fd);

	if (r == 0)
		assert_int_equal(
		    fd_write_full(peer_fd, buf_head(&reply), buf_len(&reply)),
		    (ssize_t)buf_len(&reply));
	return r;
}

/* One that takes little before it is read from. */
static int
dial_narrow(struct session *session, int *fd)
{
	int r = dial_with_reply(session, fd), size = 4096;

	if (r == 0)
		assert_int_equal(
		    setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
		    0);
	return r;
}

static int
tear_down(void **state)
{
	(void)state;
	fd_close(&peer_fd);
	n_dialled = 0;
	dial_error = 0;
	return 0;
}

/* What was sent in part gives the room of that part back. */
static void
test_room_after_a_part_was_sent(void **state)
{
	static unsigned char bytes[16];
	struct session session = make_session();
	struct conn *c = conn_new(&session);
	struct arrival a;
	struct buf *out;
	size_t cap;

	(void)state;
	session.dial = dial_narrow;
	reply_begin();
	assert_int_equal(conn_connect(c), 0);
	cap = buf_room(conn_out(c));
	while (buf_put(conn_out(c), bytes, sizeof(bytes)) == 0)
		;
	assert_int_equal(conn_next(c, &a), -ETIMEDOUT);
	out = conn_out(c);
	assert_in_range(buf_len(out), 1, cap - sizeof(bytes));
	assert_int_equal(buf_room(out), cap - buf_len(out));
	conn_free(c);
}

/* Whole, then in pieces of every size. */
static void
test_frames(void **state)
{
	static const char text[] = "the quick brown fox jumps over the dog";
	struct session session = make_session();
	struct train_sum sum;
	struct arrival a;
	const char *reason;
	char got[sizeof(text)];
	size_t len;

	(void)state;
	session.dial = dial_with_reply;
	for (size_t max = 0; max < 120; max++) {
		struct conn *c = conn_new(&session);

		session.read_max = max;
		reply_begin();
		put_data(text);
		put_sum();
		put_data("x");
		assert_int_equal(conn_connect(c), 0);
		assert_true(conn_is_open(c));
		for (len = 0; len < strlen(text); len += a.len) {
			assert_int_equal(conn_next(c, &a), 0);
			assert_int_equal(a.frame.type, TRAIN_DATA);
			assert_int_equal(a.frame.len, strlen(text));
			assert_in_range(a.len, 1, strlen(text) - len);
			memcpy(got + len, a.bytes, a.len);
		}
		assert_memory_equal(got, text, strlen(text));
		assert_int_equal(conn_next(c, &a), 0);
		assert_int_equal(a.frame.type, TRAIN_SUM);
		assert_int_equal(
		    train_sum_parse(&a.frame, a.bytes, &sum, &reason),
		    TRAIN_OK);
		assert_int_equal(sum.files, 7);
		assert_int_equal(conn_next(c, &a), 0);
		assert_int_equal(a.len, 1);
		assert_int_equal(conn_next(c, &a), -ETIMEDOUT);
		conn_free(c);
	}
}

static void
test_hellos(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		int want;
	} rows[] = {
		{ __LINE__, "", 0, -ETIMEDOUT },
		{ __LINE__, "\xf5", 1, -ETIMEDOUT },
		{ __LINE__, "\xf5TRN\1\0\0", 7, -ETIMEDOUT },
		{ __LINE__, "\xf5TRN\1\0\0\0", 8, 0 },
		{ __LINE__, "\xf5TRN\2\0\0\0", 8, -EPROTONOSUPPORT },
		{ __LINE__, "\xf5TRN\0\0\0\0", 8, -EPROTONOSUPPORT },
		{ __LINE__, "\xf5TRN\1\0\0\1", 8, -EPROTO },
		{ __LINE__, "\xf5TRO", 4, -EPROTO },
		{ __LINE__, "H", 1, -EPROTO },
		{ __LINE__, "\0", 1, -EPROTO },
		{ __LINE__, "SSH-2.0-", 8, -EPROTO },
	};
	struct session session = make_session();
	struct conn *c = conn_new(&session);

	(void)state;
	session.dial = dial_with_reply;
	for (size_t i = 0; i < nitems(rows); i++) {
		int r;

		buf_init(&reply, memory, sizeof(memory));
		buf_put(&reply, rows[i].in, rows[i].len);
		r = conn_connect(c);
		CHECK_INT(rows[i].line, rows[i].in, "result", rows[i].want, r);
		CHECK_INT(rows[i].line, rows[i].in, "is open", r == 0,
		    conn_is_open(c));
		CHECK(rows[i].line, rows[i].in, "a reason",
		    conn_reason(c) != NULL);
	}
	conn_free(c);
}

/* A server that closes: what it sent before still arrives. */
static int
dial_and_close(struct session *session, int *fd)
{
	int r = dial_with_reply(session, fd);

	fd_close(&peer_fd);
	return r;
}

static void
test_closed(void **state)
{
	struct session session = make_session();
	struct conn *c = conn_new(&session);
	struct arrival a;

	(void)state;
	session.dial = dial_and_close;
	reply_begin();
	put_sum();
	put_data("half");
	reply.end -= 2;
	assert_int_equal(conn_connect(c), 0);
	assert_int_equal(
	    train_list_put(conn_out(c), &(struct train_list){ 0 }), 0);
	assert_int_equal(conn_next(c, &a), 0);
	assert_int_equal(a.frame.type, TRAIN_SUM);
	assert_int_equal(conn_next(c, &a), 0);
	assert_int_equal(a.len, 2);
	assert_int_equal(conn_next(c, &a), -ECONNRESET);
	conn_disconnect(c);
	assert_false(conn_is_open(c));
	buf_reset(&reply); /* closed before the hello */
	assert_int_equal(conn_connect(c), -ECONNRESET);
	conn_free(c);
}

static void
test_bad_frames(void **state)
{
	static const struct {
		int line;
		const char *in;
	} rows[] = {
		{ __LINE__, "\xff\xff\xff\xff\x81\0\0\0" },
		{ __LINE__, "\0\0\0\x80\x82\0\0\0" },
		{ __LINE__, "\1\0\x40\0\x82\0\0\0" },
		{ __LINE__, "\0\0\0\0\x82\0\0\0" },
		{ __LINE__, "\0\0\0\0\0\0\0\0" },
		{ __LINE__, "\x30\0\0\0\x84\xff\0\0" },
		{ __LINE__, "\x30\0\0\0\x84\0\1\0" },
		{ __LINE__, "\x1a\0\0\0\1\0\0\0" }, /* a client's */
	};
	struct session session = make_session();
	struct conn *c = conn_new(&session);
	struct arrival a;

	(void)state;
	session.dial = dial_with_reply;
	for (size_t i = 0; i < nitems(rows); i++) {
		reply_begin();
		buf_put(&reply, rows[i].in, TRAIN_HEADER_SIZE);
		assert_int_equal(conn_connect(c), 0);
		CHECK_INT(rows[i].line, rows[i].in, "result", -EPROTO,
		    conn_next(c, &a));
		CHECK(rows[i].line, rows[i].in, "a reason",
		    conn_reason(c) != NULL && *conn_reason(c) != '\0');
	}
	conn_free(c);
}

/* The user wants an end: at once, whatever the server does. */
static void
test_stop(void **state)
{
	struct session session = make_session();
	struct conn *c = conn_new(&session);
	struct arrival a;
	uint64_t one = 1;

	(void)state;
	session.silence_ms = 60000;
	session.dial = dial_with_reply;
	session.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	reply_begin();
	assert_int_equal(conn_connect(c), 0);
	assert_int_equal(write(session.stop_fd, &one, sizeof(one)), 8);
	assert_int_equal(conn_next(c, &a), -EINTR);
	assert_int_equal(conn_connect(c), -EINTR);
	conn_free(c);
	fd_close(&session.stop_fd);
}

/* All requests there is room for go out, also when the server is slow to take
 * them, while its answer comes in. */
static void
test_ahead(void **state)
{
	static struct train_tree tree; /* too big for a stack frame */
	struct session session = make_session();
	struct conn *c = conn_new(&session);
	struct arrival a;
	unsigned char got[8192];
	size_t want, came = 0;
	ssize_t n;

	(void)state;
	while (tree.root.n < LIM_PATH_SEGS)
		assert_int_equal(path_push(&tree.root,
				     "0123456789abcdef0123456"
				     "7890123",
				     30),
		    PATH_OK);
	tree.from = tree.until = tree.root;
	session.dial = dial_with_reply;
	reply_begin();
	put_sum();
	assert_int_equal(conn_connect(c), 0);
	for (int i = 0; i < CONN_AHEAD; i++)
		assert_int_equal(train_tree_put(conn_out(c), &tree), 0);
	want = TRAIN_HELLO_SIZE + buf_len(conn_out(c));
	assert_int_equal(conn_next(c, &a), 0);
	assert_int_equal(a.frame.type, TRAIN_SUM);
	while (came < want) {
		n = read(peer_fd, got, sizeof(got));
		if (n > 0)
			came += (size_t)n;
		else
			assert_int_equal(conn_next(c, &a), -ETIMEDOUT);
	}
	assert_int_equal(read(peer_fd, got, sizeof(got)), -1);
	conn_free(c);
}

/* A server may hash a big file before its end frame, and only then. */
static void
test_patience(void **state)
{
	struct session session = make_session();
	struct conn *c = conn_new(&session);
	struct arrival a;

	(void)state;
	session.dial = dial_with_reply;
	reply_begin();
	put_sum();
	assert_int_equal(conn_connect(c), 0);
	conn_await_digest(c, 10ull << 40);
	assert_int_equal(conn_next(c, &a), 0);
	/* its turn is over: silence is silence again */
	assert_int_equal(conn_next(c, &a), -ETIMEDOUT);
	conn_free(c);
}

static void
test_reach(void **state)
{
	struct session session = make_session();
	struct conn *c = conn_new(&session);
	unsigned tries = 0;

	(void)state;
	/* never reached: at once */
	dial_error = -ECONNREFUSED;
	assert_int_equal(conn_reach(c, &tries), -ECONNREFUSED);
	assert_int_equal(n_dialled, 1);
	/* reached before: some more attempts */
	atomic_store(&session.was_reached, true);
	assert_int_equal(conn_reach(c, &tries), -ECONNREFUSED);
	assert_int_equal(n_dialled, 1 + session.retries + 1);
	/* one that is no train server is not asked twice */
	dial_error = 0;
	n_dialled = 0;
	tries = 0;
	session.dial = dial_with_reply;
	buf_init(&reply, memory, sizeof(memory));
	buf_put(&reply, "HTTP/1.1", 8);
	assert_int_equal(conn_reach(c, &tries), -EPROTO);
	assert_int_equal(n_dialled, 1);
	conn_free(c);
}

static void
test_retry(void **state)
{
	struct session session = make_session();
	unsigned tries = 0, n = 0;
	uint64_t one = 1;

	(void)state;
	session.retries = LIM_RETRIES;
	while (session_retry(&session, &tries, -ECONNRESET) == 0)
		n++;
	assert_int_equal(n, LIM_RETRIES);
	tries = n = 0;
	while (session_retry(&session, &tries, -ETIMEDOUT) == 0)
		n++;
	assert_in_range(n, 1, 3);
	tries = 0;
	session.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(write(session.stop_fd, &one, sizeof(one)), 8);
	assert_int_equal(session_retry(&session, &tries, -EPIPE), -EINTR);
	fd_close(&session.stop_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_frames, tear_down),
		cmocka_unit_test_teardown(
		    test_room_after_a_part_was_sent, tear_down),
		cmocka_unit_test_teardown(test_hellos, tear_down),
		cmocka_unit_test_teardown(test_closed, tear_down),
		cmocka_unit_test_teardown(test_bad_frames, tear_down),
		cmocka_unit_test_teardown(test_stop, tear_down),
		cmocka_unit_test_teardown(test_ahead, tear_down),
		cmocka_unit_test_teardown(test_patience, tear_down),
		cmocka_unit_test_teardown(test_reach, tear_down),
		cmocka_unit_test_teardown(test_retry, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
