/* What netpand is told on its command line: one table, netpand(8). */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/log.h"

enum options_action {
	OPTIONS_SERVE,
	OPTIONS_STATUS_TEXT,
	OPTIONS_STATUS_JSON,
	OPTIONS_HELP,
	OPTIONS_VERSION
};

/* Strings are those of argv and live as long. */
struct options {
	enum options_action action;
	const char *dir; /* NULL: no tree is served, push only */
	const char *listen[LIM_LISTENERS];
	unsigned n_listen; /* 0: the default address */
	const char *push_file; /* NULL: no push */
	const char *push_listen[LIM_LISTENERS];
	unsigned n_push_listen;
	const char *control; /* NULL: the default path */
	const char *access_log; /* NULL: none */
	const char *congestion; /* NULL: the system's default */
	bool anonymous_read; /* said explicitly */
	unsigned n_trusted;
	struct addr_block trusted[LIM_PROXIES];
	enum log_level log_level;
	unsigned workers; /* 0: one per core */
	unsigned slots; /* 0: the default, fitted to RLIMIT_NOFILE */
	unsigned queue;
	unsigned max_per_source; /* 0: no limit */
	unsigned helpers;
	unsigned hot_mb;
	unsigned hello_ms;
	unsigned request_ms;
	unsigned idle_ms;
	unsigned rate_window_ms;
	unsigned min_rate;
	unsigned drain_ms;
	unsigned heartbeat_ms;
	unsigned silent_ms;
};

#define OPTIONS_LISTEN_DEFAULT "127.0.0.1:8686"
#define OPTIONS_SLOTS_DEFAULT 8192

/*
 * Reads argv.  Returns 0, or -1 when it is not usable: one sentence is in
 * why (cap bytes).
 */
int options_parse(struct options *, int argc, char **argv, char *why, int cap);

/* The SYNOPSIS and one line for each option, to stdout. */
void options_print_help(void);

#endif
