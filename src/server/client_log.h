/*
 * Log lines about clients: "worker 2 conn 17 203.0.113.5 ...".  One address
 * writes at most LIM_LOG_LINES a second; what is over is counted, and told
 * with its next line.
 */
#ifndef SERVER_CLIENT_LOG_H
#define SERVER_CLIENT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_LOG_SOURCES 64

struct conn;

/* Who wrote lately, the latest first; a new one takes the last one's place. */
struct client_log {
	struct client_log_source {
		unsigned char addr[16];
		uint64_t second;
		uint32_t n_lines;
		uint32_t n_dropped;
	} source[CLIENT_LOG_SOURCES];
	unsigned n_sources;
};

/* May a line about this address be written in this second?  *dropped is how
 * many of its lines were not, in a second that is over. */
bool client_log_may(struct client_log *, const unsigned char addr[16],
    uint64_t second, uint32_t *dropped);

void client_info(struct conn *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void client_warn(struct conn *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
