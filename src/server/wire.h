/*
 * What netpand's own processes tell each other: the tag that travels with a
 * client from the master to a worker, and the worker's configuration.  They
 * never leave the machine, so they are plain structs of fixed size.
 */
#ifndef SERVER_WIRE_H
#define SERVER_WIRE_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/limits.h"
#include "fdpool.h"

/* What a listener leads to; fdpool's listener_id. */
enum wire_door { WIRE_DOOR_ANY, WIRE_DOOR_PUSH, WIRE_DOORS };

struct wire_tag {
	uint64_t accepted_ms; /* clock_ms when the master accepted */
	struct addr addr; /* the peer's; family 0: a local socket's */
	uint8_t door; /* enum wire_door */
	uint8_t zero[6];
};

static_assert(sizeof(struct wire_tag) == FDPOOL_TAG_SIZE,
    "the tag fills what the pool carries");

#define WIRE_CONFIG_VERSION 4

struct wire_config {
	uint32_t version;
	uint32_t log_level;
	uint32_t helpers;
	uint32_t hello_ms;
	uint32_t request_ms;
	uint32_t idle_ms;
	uint32_t rate_window_ms;
	uint32_t min_rate;
	uint32_t max_per_source; /* connections in a worker; 0: any */
	uint32_t hot_bytes; /* memory for such files' bytes */
	/* the kept descriptors, in this order; behind them the board, to write
	 * and to read */
	uint32_t has_root; /* the tree */
	uint32_t has_push; /* the file to push */
	uint32_t has_log; /* the access log's pipe */
	uint32_t n_trusted; /* of those below that are in use */
	struct addr_block trusted[LIM_PROXIES]; /* proxies */
	char push_name[LIM_SEG_BYTES + 1];
};

static_assert(sizeof(struct wire_config) ==
		  14 * 4 + LIM_PROXIES * sizeof(struct addr_block) + 256,
    "no padding in what the workers are told");
static_assert(sizeof(struct wire_config) <= FDPOOL_HELLO_MAX,
    "the configuration fits the pool's hello");

/* argv[1] of an exec'd worker; argv[2] is its number of slots. */
#define WIRE_WORKER_FLAG "--as-worker"

/* argv[1] of the exec'd logger; then its file and its log level. */
#define WIRE_LOGGER_FLAG "--as-logger"

#endif
