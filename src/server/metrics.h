/*
 * What the board says, for people and programs: JSON, the text format of
 * Prometheus, and one word.  For the loop's thread alone.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/board.h"

/* What either of the first two needs at most: FDPOOL_WORKERS_MAX workers, and
 * each number as long as it can be. */
#define METRICS_ROOM (184 * 1024)
#define METRICS_HEALTH_ROOM 64

/* The media type of metrics_prometheus. */
#define METRICS_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Each appends to out: 0, or -ENOBUFS and out is as before.  now_ms is
 * clock_ms.  What the pool counts has the names of netpand --status=json. */
int metrics_status(struct buf *out, const struct board *, uint64_t now_ms);
int metrics_prometheus(struct buf *out, const struct board *, uint64_t now_ms);

/* Appends "ok", or why clients cannot be served as they should be, and a
 * newline: METRICS_HEALTH_ROOM.  Is it ok? */
bool metrics_health(struct buf *out, const struct board *, uint64_t now_ms);

/* A master that has not been heard for so long is taken for silent. */
#define METRICS_SILENT_MS (10 * BOARD_REST_MS)

#endif
