/* What the master makes before it serves: descriptors and the pool's
 * options.  What fails is fatal, with one sentence. */
#ifndef SERVER_START_H
#define SERVER_START_H

#include "fdpool.h"
#include "server/board.h"
#include "server/control.h"
#include "server/logger_child.h"
#include "server/options.h"
#include "server/suspects.h"
#include "server/wire.h"

struct start {
	struct {
		int fd;
		enum wire_door door;
		bool is_ours; /* else a service manager's, who keeps it */
	} listener[3 * LIM_LISTENERS];
	unsigned n_listeners;
	struct control control;
	char control_path[108];
	int root_fd; /* -1: none; the workers' */
	int push_fd; /* -1: none; the workers' */
	struct board board;
	struct logger_child logger;
	struct suspects suspects;
	bool has_served[FDPOOL_WORKERS_MAX]; /* the one in this place */
	int kept[5]; /* the workers', those that are there */
	unsigned drain_ms;
	const struct options *options;
	struct wire_config config;
	char slots[16]; /* argv of a worker */
	const char *argv[4];
	struct fdpool_options pool_options;
};

void start_open(struct start *, const struct options *);
/* Says where it listens and how to fetch. */
void start_announce(const struct start *);
void start_close_listeners(struct start *);
void start_end(struct start *);

#endif
