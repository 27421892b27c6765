/*
 * A worker process: one epoll loop over its channel, its helpers and
 * thousands of connections.  It never waits for a disk and never opens a
 * socket of its own.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/access_log.h"
#include "server/board.h"
#include "server/client_log.h"
#include "server/conn.h"
#include "server/http_state.h"
#include "server/source.h"
#include "server/wire.h"

struct store;

/* Descriptors of a worker that are not of its connections. */
#define WORKER_FDS 256
/* A connection's socket and the file it reads. */
#define CONN_FDS 2
/* And the same file once more, while its digest is computed. */
#define CONN_FDS_MAX 3

struct worker {
	struct fdpool_worker *pool;
	unsigned index;
	int epoll_fd;
	uint64_t now_ms; /* of this turn of the loop */
	uint64_t now_ns;
	int64_t wall_s;
	uint64_t
	    moment; /* another one with each turn, and all that is received */
	struct wire_config config;
	struct store *store; /* NULL: push only */
	struct push_file *push; /* NULL: none */
	struct helpers *helpers;
	struct digests *digests; /* NULL: push only */
	struct walks *walks;
	struct timer_wheel timers;
	struct client_log client_log;
	struct board board;
	struct access_log access_log;
	struct link ready; /* connections to run */
	struct link patient; /* those that have had their turn, and go on */
	uint32_t turn_bytes; /* of a turn, so that it does not take long */
	struct slab ins, outs, answers, https;
	struct hot *hot; /* NULL: push only */
	uint32_t max_fds; /* RLIMIT_NOFILE */
	uint32_t n_sorted; /* listings held to be sorted, <= LIM_SORTED */
	struct http_desk http;
	struct conn *conns; /* the table; slots entries */
	uint32_t slots;
	uint32_t *free; /* a stack of free entries' numbers */
	uint32_t n_free;
	struct sources sources;
	uint32_t n_wanted; /* slots that others wait for; room.c */
	uint64_t wanted_ms; /* when it was said */
	uint64_t room_ms; /* when the table may be looked through again */
	uint32_t n_packs; /* archives being made, <= LIM_ARCHIVES */
	bool draining;
};

/* The exec'd worker's main: serves until the master has no more for it.
 * Returns the exit status. */
int worker_main(unsigned slots);

/* A connection's socket is closed and nothing of it is out: its table entry
 * is free again and the master is told. */
void worker_release(struct worker *, struct conn *);

#endif
