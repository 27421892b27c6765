/*
 * What the master does about the logger: makes the pipe, starts it, starts it
 * again when it has died, passes SIGUSR1 on, lets it end.  The master keeps
 * both ends of the pipe, so that the lines in it outlive a logger.
 */
#ifndef SERVER_LOGGER_CHILD_H
#define SERVER_LOGGER_CHILD_H

#include <stdbool.h>
#include <stdint.h>

struct logger_child {
	const char *file; /* NULL: there is no access log */
	int read_fd; /* the pipe's ends; -1 */
	int write_fd; /* the workers'; it does not block */
	int pid;
	int pidfd; /* readable when it has ended; -1: it does not run */
	int epoll_fd; /* the loop's: there pidfd is while it runs */
	uint64_t started_ms;
	uint64_t due_ms; /* not before it is started again */
	unsigned pause_ms; /* the last */
	char level[4]; /* argv */
};

/* Of a server without an access log. */
void logger_child_init(struct logger_child *);

/* Sees that file can be opened, and makes the pipe.  0 or -errno. */
int
logger_child_open(struct logger_child *, const char *file, unsigned log_level);

/* Starts it when it should run, does not, and its pause is over.  SIGUSR1 must
 * be blocked. */
void logger_child_start(struct logger_child *, int epoll_fd, uint64_t now_ms);

/* For the loop: ms until it is to be started, -1: not at all. */
int logger_child_wait_ms(const struct logger_child *, uint64_t now_ms);

/* pidfd is readable. */
void logger_child_ended(struct logger_child *, uint64_t now_ms);

/* SIGUSR1 came. */
void logger_child_reopen(struct logger_child *);

/* All workers are gone: the lines that are in the pipe are written.  Waits
 * LOGGER_END_MS at most. */
void logger_child_end(struct logger_child *);

/* From its death to its replacement: longer each time when it did not live
 * LOGGER_WELL_MS. */
#define LOGGER_PAUSE_MS 1000
#define LOGGER_PAUSE_MAX_MS 60000
#define LOGGER_WELL_MS 10000
#define LOGGER_END_MS 5000

#endif
