/*
 * What travels on a channel: one fixed-size struct per packet.  Both ends are
 * on one machine, so the bytes are the host's; the version is in the first
 * message of each side, since an exec'd worker may be built at another time.
 */
#ifndef FDP_MESSAGE_H
#define FDP_MESSAGE_H

#include "fdpool.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_VERSION 3

enum ctl_type {
	CTL_NONE,
	/* master to worker */
	CTL_HELLO, /* first */
	CTL_CLIENT, /* with exactly one descriptor */
	CTL_PING,
	CTL_WANTED, /* clients wait: make room if you can */
	CTL_DRAIN,
	/* worker to master */
	CTL_READY, /* first */
	CTL_REPORT,
	CTL_PONG,
	CTL_BYE, /* last */
	CTL_SHORT, /* no room for the next client's descriptor */
	CTL_TYPES
};

struct ctl_hello {
	uint32_t type;
	uint32_t version;
	uint32_t index;
	uint32_t len;
	unsigned char bytes[FDPOOL_HELLO_MAX];
};

struct ctl_client {
	uint32_t type;
	uint32_t seq; /* no two on one channel look the same */
	struct fdpool_tag tag;
};

struct ctl_ping {
	uint32_t type;
	uint32_t seq;
};

struct ctl_wanted {
	uint32_t type;
	uint32_t slots;
};

struct ctl_drain {
	uint32_t type;
	uint32_t reserved;
};

struct ctl_ready {
	uint32_t type;
	uint32_t version;
	uint32_t slots;
	uint32_t reserved;
};

/* Dropped ones are among the taken: they came without their descriptors. */
struct ctl_report {
	uint32_t type;
	uint32_t taken;
	uint32_t done;
	uint32_t dropped;
};

struct ctl_pong {
	uint32_t type;
	uint32_t seq;
};

struct ctl_bye {
	uint32_t type;
	uint32_t reserved;
};

struct ctl_short {
	uint32_t type;
	uint32_t reserved;
};

static_assert(sizeof(struct ctl_hello) == 16 + FDPOOL_HELLO_MAX, "no padding");
static_assert(sizeof(struct ctl_client) == 8 + FDPOOL_TAG_SIZE, "no padding");
static_assert(sizeof(struct ctl_ping) == 8, "no padding");
static_assert(sizeof(struct ctl_wanted) == 8, "no padding");
static_assert(sizeof(struct ctl_drain) == 8, "no padding");
static_assert(sizeof(struct ctl_ready) == 16, "no padding");
static_assert(sizeof(struct ctl_report) == 16, "no padding");
static_assert(sizeof(struct ctl_pong) == 8, "no padding");
static_assert(sizeof(struct ctl_bye) == 8, "no padding");
static_assert(sizeof(struct ctl_short) == 8, "no padding");

/* Room for any message a worker may send, and, the hello apart, for any that
 * a master may send. */
union ctl_up {
	uint32_t type;
	struct ctl_ready ready;
	struct ctl_report report;
	struct ctl_pong pong;
	struct ctl_bye bye;
	struct ctl_short shortage;
};

union ctl_down {
	uint32_t type;
	struct ctl_client client;
	struct ctl_ping ping;
	struct ctl_wanted wanted;
	struct ctl_drain drain;
};

/* A table row: what is checked before a handler runs. */
struct fdp_op {
	int (*run)(void *ctx, const void *msg);
	size_t size; /* exactly so long */
	unsigned phases; /* bits of the phases in which it may come */
	unsigned flags;
};

#define OP_ONCE 1U
#define OP_FD 2U /* comes with one descriptor, others with none */

/*
 * Looks up msg in ops (CTL_TYPES rows), checks it against its row and runs its
 * handler.  seen remembers, a bit per type, what has come.  Returns what the
 * handler said, or -EPROTO: unknown, mis-sized, early, repeated, or with a
 * descriptor where none belongs or the other way round.
 */
int fdp_op_run(const struct fdp_op *ops, void *ctx, unsigned phase,
    uint32_t *seen, const void *msg, size_t len, bool has_fd);

#endif
