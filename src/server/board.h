/*
 * The board: counters that all processes of one netpand share.  One memfd
 * with a place for the master and one for each worker.  Everybody reads all
 * of it; each place has one writer, its owner, so that adding is a plain add
 * in memory, and who goes mad spoils no numbers but its own.  A worker's
 * counters outlive it: its replacement goes on in the same place.  They are
 * for people to look at: nothing is decided by them, but that whom a worker
 * served when it crashed is believed of the dead.
 */
#ifndef SERVER_BOARD_H
#define SERVER_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/limits.h"
#include "fdpool.h"

/* ---- counters ---- */

/* One process writes it, and any may read it at any time. */
struct board_counter {
	_Atomic uint64_t n;
};

static inline uint64_t
board_get(const struct board_counter *c)
{
	return atomic_load_explicit(&c->n, memory_order_relaxed);
}

static inline void
board_set(struct board_counter *c, uint64_t n)
{
	atomic_store_explicit(&c->n, n, memory_order_relaxed);
}

static inline void
board_add(struct board_counter *c, uint64_t n)
{
	board_set(c, board_get(c) + n);
}

/* ---- a worker's place ---- */

/* X(field, meaning): the counters that stand alone. */
#define BOARD_COUNTERS(X)                                            \
	X(connections, "Connections taken from the master.")         \
	X(bytes_received, "Bytes received from clients.")            \
	X(bytes_sent, "Bytes sent to clients.")                      \
	X(cache_hits, "Files that were asked for and kept ready.")   \
	X(cache_misses, "Files that had to be opened.")              \
	X(jobs, "Jobs given to disk threads.")                       \
	X(log_dropped, "Lines that the access log had no room for.") \
	X(train_bytes, "Bytes sent to clients that speak train.")    \
	X(pushes, "Clients to whom the file of --push was sent.")    \
	X(made_room, "Idle connections closed as others waited.")    \
	X(over_share, "Connections over --max-per-source, closed.")

/* X(constant, name): of HTTP requests.  Write is whatever changes files. */
#define BOARD_METHODS(X)        \
	X(GET, "get")           \
	X(HEAD, "head")         \
	X(OPTIONS, "options")   \
	X(PROPFIND, "propfind") \
	X(WRITE, "write")       \
	X(OTHER, "other")

/* X(constant, name): of train requests. */
#define BOARD_TRAINS(X) \
	X(GET, "get")   \
	X(TREE, "tree") \
	X(LIST, "list")

/* The statuses of HTTP that have a counter of their own.  The others are
 * counted by their first digit. */
#define BOARD_STATUSES(X) \
	X(200)            \
	X(204)            \
	X(206)            \
	X(301)            \
	X(304)            \
	X(400)            \
	X(403)            \
	X(404)            \
	X(405)            \
	X(408)            \
	X(412)            \
	X(416)            \
	X(417)            \
	X(431)            \
	X(499)            \
	X(500)            \
	X(501)            \
	X(503)

enum board_method {
#define BOARD_METHOD_ENUM(constant, name) BOARD_##constant,
	BOARD_METHODS(BOARD_METHOD_ENUM)
#undef BOARD_METHOD_ENUM
	    BOARD_N_METHODS
};

enum board_train {
#define BOARD_TRAIN_ENUM(constant, name) BOARD_TRAIN_##constant,
	BOARD_TRAINS(BOARD_TRAIN_ENUM)
#undef BOARD_TRAIN_ENUM
	    BOARD_N_TRAINS
};

enum board_status {
#define BOARD_STATUS_ENUM(status) BOARD_STATUS_##status,
	BOARD_STATUSES(BOARD_STATUS_ENUM)
#undef BOARD_STATUS_ENUM
	    BOARD_STATUS_2XX,
	BOARD_STATUS_3XX,
	BOARD_STATUS_4XX,
	BOARD_STATUS_5XX,
	BOARD_STATUS_OTHER, /* no status of an answer */
	BOARD_N_STATUSES
};

/* The upper bounds of the durations that are counted together. */
#define BOARD_N_BOUNDS 19
extern const uint32_t board_bounds_us[BOARD_N_BOUNDS];

/* For whom a thread of a worker works at this moment: the loop, a helper, an
 * archive's. */
struct board_served {
	struct board_counter half[2]; /* of the address */
	struct board_counter family; /* 0: for nobody, or a local client */
};

#define BOARD_LOOP 0
#define BOARD_HELPERS 1
#define BOARD_PACKS (BOARD_HELPERS + LIM_HELPERS)
#define BOARD_SERVED (BOARD_PACKS + LIM_ARCHIVES)

struct board_worker {
	struct board_counter open; /* connections now */
#define BOARD_COUNTER_FIELD(field, meaning) struct board_counter field;
	BOARD_COUNTERS(BOARD_COUNTER_FIELD)
#undef BOARD_COUNTER_FIELD
	struct board_counter train_requests[BOARD_N_TRAINS];
	/* of HTTP: board_count_request */
	struct board_counter requests[BOARD_N_METHODS];
	struct board_counter statuses[BOARD_N_STATUSES];
	struct board_counter durations[BOARD_N_BOUNDS + 1]; /* last: longer */
	struct board_counter duration_us; /* of all together */
	/* counters end here */
	struct board_served served[BOARD_SERVED];
};

/* NULL is fine for both: it is not shown. */
static inline void
board_serves(struct board_served *s, const struct addr *addr)
{
	uint64_t half[2];

	if (s == NULL)
		return;
	memcpy(half, addr->bytes, sizeof(half));
	board_set(&s->half[0], half[0]);
	board_set(&s->half[1], half[1]);
	board_set(&s->family, addr->family);
}

static inline void
board_rests(struct board_served *s)
{
	if (s != NULL)
		board_set(&s->family, 0);
}

/* Of one that is dead.  False: nobody. */
bool board_served(const struct board_served *, struct addr *);

/* By enum board_method, board_train, board_status: "get"; "404", "4xx" for
 * the others of them, "other". */
const char *board_method_name(unsigned);
const char *board_train_name(unsigned);
const char *board_status_name(unsigned);

/* One HTTP request, answered: from its first byte to the last byte of the
 * answer handed to the kernel it took us. */
void board_count_request(
    struct board_worker *, enum board_method, unsigned status, uint64_t us);

/* ---- the master's place ---- */

struct board_row {
	uint64_t state; /* enum fdpool_worker_state */
	int64_t pid; /* -1: no process */
	uint64_t slots;
	struct fdpool_counts counts;
};

/* What the master knows, all of one moment. */
struct board_pool {
	uint64_t published_ms; /* clock_ms of that moment; 0: nothing yet */
	uint64_t started_ms; /* clock_ms */
	int64_t started_s; /* since the epoch */
	int64_t pid;
	uint64_t draining; /* 0 or 1 */
	uint64_t n_workers; /* places, <= FDPOOL_WORKERS_MAX */
	struct fdpool_counts total;
	struct board_row row[FDPOOL_WORKERS_MAX];
};

/* ---- the whole ---- */

struct board {
	int write_fd; /* the master's, for the workers to come; else -1 */
	int read_fd;
	const unsigned char *all; /* mapped for reading */
	struct board_worker *mine; /* a worker's place; NULL in the master */
	/* the master's */
	struct board_latch *latch;
	struct board_pool now;
	bool is_stale; /* something has happened since it was published */
};

/* The master makes it.  0 or -errno. */
int board_new(struct board *);

/*
 * A worker, or who only looks on, opens it.  Takes both descriptors on every
 * path, and needs them no more.  write_fd -1: for reading only, mine is NULL;
 * else mine is the place of worker index.  0, -EINVAL or -errno.
 */
int board_open(struct board *, int write_fd, int read_fd, unsigned index);

void board_close(struct board *);

/* The place of a worker; index < FDPOOL_WORKERS_MAX. */
const struct board_worker *board_worker(const struct board *, unsigned index);

/* What the master has published last. */
void board_read(const struct board *, struct board_pool *);

/*
 * For the master's loop: publishes the pool's counts when it is time.  What
 * an event has changed is there BOARD_EVENT_MS later, and each BOARD_REST_MS
 * it is shown that the master lives.
 */
void board_refresh(struct board *, const struct fdpool *, bool draining,
    bool had_event, uint64_t now_ms);
/* How long its loop may sleep. */
int board_wait_ms(const struct board *, uint64_t now_ms);

#define BOARD_EVENT_MS 100
#define BOARD_REST_MS 1000

/* Publishes board->now. */
void board_publish(struct board *);

#endif
