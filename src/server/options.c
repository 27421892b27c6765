#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "server/options.h"

enum option_type {
	TYPE_NUMBER, /* unsigned, as written */
	TYPE_SECONDS, /* unsigned, kept in ms */
	TYPE_STRING,
	TYPE_LISTEN, /* may come again; the count follows the array */
	TYPE_ANONYMOUS,
	TYPE_TRUSTED,
	TYPE_LOG_LEVEL,
	TYPE_STATUS,
	TYPE_HELP,
	TYPE_VERSION
};

struct option_row {
	const char *name;
	enum option_type type;
	size_t field;
	unsigned min, max, initial;
	const char *arg; /* NULL: takes none */
	const char *help;
};

#define FIELD(f) offsetof(struct options, f)

static const struct option_row rows[] = {
	{ "listen", TYPE_LISTEN, FIELD(listen), 0, 0, 0, "ADDR:PORT",
	    "serve there; may come again (default 127.0.0.1:8686)" },
	{ "push", TYPE_STRING, FIELD(push_file), 0, 0, 0, "FILE",
	    "send FILE to whoever connects to --push-listen" },
	{ "push-listen", TYPE_LISTEN, FIELD(push_listen), 0, 0, 0, "ADDR:PORT",
	    "where --push waits for clients; may come again" },
	{ "anonymous", TYPE_ANONYMOUS, 0, 0, 0, 0, "read",
	    "let anyone read; needed to listen beyond this machine" },
	{ "trust-proxy", TYPE_TRUSTED, 0, 0, 0, 0, "ADDR[/BITS]",
	    "believe what it says of its clients; may come again" },
	{ "workers", TYPE_NUMBER, FIELD(workers), 1, LIM_WORKERS, 0, "N",
	    "worker processes (default: one per core)" },
	{ "slots", TYPE_NUMBER, FIELD(slots), 1, LIM_SLOTS, 0, "N",
	    "connections each worker holds (default 8192)" },
	{ "queue", TYPE_NUMBER, FIELD(queue), 1, LIM_QUEUE, 1024, "N",
	    "clients that wait in the master (default 1024)" },
	{ "max-per-source", TYPE_NUMBER, FIELD(max_per_source), 0, LIM_SLOTS, 0,
	    "N", "connections of one address in each worker (default: any)" },
	{ "helpers", TYPE_NUMBER, FIELD(helpers), 2, LIM_HELPERS, 4, "N",
	    "disk threads of each worker (default 4)" },
	{ "cache", TYPE_NUMBER, FIELD(hot_mb), 0, LIM_HOT_MB, 64, "MIB",
	    "memory of each worker for small files (default 64)" },
	{ "hello-timeout", TYPE_SECONDS, FIELD(hello_ms), 1, 3600,
	    LIM_HELLO_MS / 1000, "SECONDS",
	    "from accept to a whole hello (default 5)" },
	{ "request-timeout", TYPE_SECONDS, FIELD(request_ms), 1, 3600,
	    LIM_REQUEST_MS / 1000, "SECONDS",
	    "for a whole request (default 10)" },
	{ "idle-timeout", TYPE_SECONDS, FIELD(idle_ms), 1, 86400,
	    LIM_IDLE_MS / 1000, "SECONDS", "between requests (default 60)" },
	{ "min-rate", TYPE_NUMBER, FIELD(min_rate), 0, 1u << 30, LIM_MIN_RATE,
	    "BYTES", "a second, that a reader must take (default 1024)" },
	{ "rate-window", TYPE_SECONDS, FIELD(rate_window_ms), 1, 3600,
	    LIM_RATE_WINDOW_MS / 1000, "SECONDS",
	    "over which --min-rate is held (default 60)" },
	{ "drain-limit", TYPE_SECONDS, FIELD(drain_ms), 0, 86400, 30, "SECONDS",
	    "for transfers to finish on SIGTERM (default 30)" },
	{ "heartbeat", TYPE_NUMBER, FIELD(heartbeat_ms), 10, 60000, 1000, "MS",
	    "between the workers' heartbeats (default 1000)" },
	{ "silent-limit", TYPE_NUMBER, FIELD(silent_ms), 20, 600000, 10000,
	    "MS", "until a silent worker is replaced (default 10000)" },
	{ "congestion", TYPE_STRING, FIELD(congestion), 0, 0, 0, "NAME",
	    "TCP congestion control (default: the system's)" },
	{ "control", TYPE_STRING, FIELD(control), 0, 0, 0, "PATH",
	    "the socket for --status (default: see netpand(8))" },
	{ "access-log", TYPE_STRING, FIELD(access_log), 0, 0, 0, "FILE",
	    "append a line to FILE for each HTTP request" },
	{ "log-level", TYPE_LOG_LEVEL, FIELD(log_level), 0, 0, 0, "LEVEL",
	    "error, warning, info or debug (default info)" },
	{ "status", TYPE_STATUS, 0, 0, 0, 0, "=json",
	    "print the running server's counts, as text or JSON" },
	{ "help", TYPE_HELP, 0, 0, 0, 0, NULL, "print this and exit" },
	{ "version", TYPE_VERSION, 0, 0, 0, 0, NULL,
	    "print the version and exit" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const level_names[LOG_LEVELS] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static unsigned *
number_field(struct options *o, const struct option_row *row)
{
	return (unsigned *)(void *)((char *)o + row->field);
}

static void
options_set_defaults(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->log_level = LOG_INFO;
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].type == TYPE_NUMBER)
			*number_field(o, &rows[i]) = rows[i].initial;
		else if (rows[i].type == TYPE_SECONDS)
			*number_field(o, &rows[i]) = rows[i].initial * 1000;
	}
}

static int
add_listen(struct options *o, const struct option_row *row, const char *arg)
{
	bool push = row->field == FIELD(push_listen);
	unsigned *n = push ? &o->n_push_listen : &o->n_listen;

	if (*n == LIM_LISTENERS)
		return -1;
	(push ? o->push_listen : o->listen)[(*n)++] = arg;
	return 0;
}

static int
set_level(struct options *o, const char *arg)
{
	for (int i = 0; i < LOG_LEVELS; i++)
		if (strcmp(arg, level_names[i]) == 0) {
			o->log_level = (enum log_level)i;
			return 0;
		}
	return -1;
}

/* 0, or -1 with why. */
static int
option_apply(struct options *o, const struct option_row *row, const char *arg,
    char *why, int cap)
{
	uint64_t v;

	switch (row->type) {
	case TYPE_NUMBER:
	case TYPE_SECONDS:
		if (!text_to_u64(arg, row->min, row->max, &v)) {
			snprintf(why, cap, "--%s takes a number from %u to %u",
			    row->name, row->min, row->max);
			return -1;
		}
		*number_field(o, row) = (unsigned)v *
					(row->type == TYPE_SECONDS ? 1000 : 1);
		return 0;
	case TYPE_STRING:
		if (*arg == '\0') {
			snprintf(why, cap, "--%s needs a value", row->name);
			return -1;
		}
		*(const char **)(void *)((char *)o + row->field) = arg;
		return 0;
	case TYPE_LISTEN:
		if (add_listen(o, row, arg) == 0)
			return 0;
		snprintf(why, cap, "--%s may come %d times at most", row->name,
		    LIM_LISTENERS);
		return -1;
	case TYPE_ANONYMOUS:
		o->anonymous_read = strcmp(arg, "read") == 0;
		if (o->anonymous_read)
			return 0;
		snprintf(why, cap, "--anonymous takes the word read");
		return -1;
	case TYPE_TRUSTED:
		if (o->n_trusted == LIM_PROXIES) {
			snprintf(why, cap, "--%s may come %d times at most",
			    row->name, LIM_PROXIES);
			return -1;
		}
		if (addr_block_parse(&o->trusted[o->n_trusted], arg)) {
			o->n_trusted++;
			return 0;
		}
		snprintf(why, cap,
		    "--trust-proxy takes an address, a block as 10.0.0.0/8,"
		    " or unix");
		return -1;
	case TYPE_LOG_LEVEL:
		if (set_level(o, arg) == 0)
			return 0;
		snprintf(why, cap,
		    "--log-level takes error, warning, info or debug");
		return -1;
	case TYPE_STATUS:
		o->action = OPTIONS_STATUS_TEXT;
		if (arg == NULL)
			return 0;
		o->action = OPTIONS_STATUS_JSON;
		if (strcmp(arg, "json") == 0)
			return 0;
		snprintf(why, cap, "--status takes nothing or =json");
		return -1;
	case TYPE_HELP:
		o->action = OPTIONS_HELP;
		return 0;
	case TYPE_VERSION:
		o->action = OPTIONS_VERSION;
		return 0;
	}
	return -1;
}

/* What the options must be together. */
static int
options_check(const struct options *o, char *why, int cap)
{
	if (o->action != OPTIONS_SERVE)
		return 0;
	if (o->dir == NULL && o->push_file == NULL) {
		snprintf(why, cap, "name the folder to serve, or use --push");
		return -1;
	}
	if (o->n_listen + o->n_push_listen > LIM_LISTENERS) {
		snprintf(why, cap, "%d listening addresses are the most",
		    LIM_LISTENERS);
		return -1;
	}
	if ((o->push_file == NULL) != (o->n_push_listen == 0)) {
		snprintf(why, cap, "--push and --push-listen go together");
		return -1;
	}
	if (o->dir == NULL && o->n_listen > 0) {
		snprintf(why, cap, "--listen needs a folder to serve");
		return -1;
	}
	if (o->silent_ms < 2 * o->heartbeat_ms) {
		snprintf(
		    why, cap, "--silent-limit must be at least two heartbeats");
		return -1;
	}
	return 0;
}

static void
fill_getopt(struct option *out)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		out[i].name = rows[i].name;
		out[i].has_arg = rows[i].arg == NULL	 ? no_argument
				 : rows[i].arg[0] == '=' ? optional_argument
							 : required_argument;
		out[i].flag = NULL;
		out[i].val = (int)i;
	}
	memset(&out[N_ROWS], 0, sizeof(out[N_ROWS]));
}

/* There are no short options: of a cluster only the first letter was read,
 * and getopt has not moved on. */
static void
say_unknown(bool lacks_value, const char *arg, char *why, int cap)
{
	if (lacks_value)
		snprintf(why, cap, "%s needs a value", arg);
	else if (optopt > ' ' && optopt < 0x7f)
		snprintf(why, cap, "no such option: -%c", optopt);
	else
		snprintf(why, cap, "no such option: %s", arg);
}

int
options_parse(struct options *o, int argc, char **argv, char *why, int cap)
{
	struct option table[N_ROWS + 1];
	int i;

	options_set_defaults(o);
	fill_getopt(table);
	opterr = 0;
	optind = 0;
	while ((i = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (i == '?' || i == ':') {
			say_unknown(i == ':', argv[optind - 1], why, cap);
			return -1;
		}
		if (option_apply(o, &rows[i], optarg, why, cap) != 0)
			return -1;
	}
	if (optind < argc)
		o->dir = argv[optind++];
	if (optind < argc) {
		snprintf(why, cap, "one folder is served, not %s as well",
		    argv[optind]);
		return -1;
	}
	return options_check(o, why, cap);
}

void
options_print_help(void)
{
	printf("usage: netpand [OPTIONS] DIR\n"
	       "       netpand [OPTIONS] --push FILE --push-listen ADDR:PORT"
	       " [DIR]\n"
	       "       netpand --status[=json] [--control PATH | --listen"
	       " ADDR:PORT]\n\n");
	for (size_t i = 0; i < N_ROWS; i++) {
		char left[48];
		const char *arg = rows[i].arg;

		if (arg == NULL)
			snprintf(left, sizeof(left), "--%s", rows[i].name);
		else if (arg[0] == '=')
			snprintf(
			    left, sizeof(left), "--%s[%s]", rows[i].name, arg);
		else
			snprintf(
			    left, sizeof(left), "--%s %s", rows[i].name, arg);
		printf("  %-26s %s\n", left, rows[i].help);
	}
}
