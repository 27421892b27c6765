/*
 * What the user is told on stderr: messages, each a whole line, and one status
 * line below them when stderr is a terminal.  Threads may use it at once.
 */
#ifndef CLIENT_SAY_H
#define CLIENT_SAY_H

#include <stdbool.h>
#include <stddef.h>

#include "path/path.h"

/* "netpan: ", the message, a newline. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Is there a terminal that a status line makes sense on?  Its width. */
bool say_has_status(void);
unsigned say_width(void);
/* Shows this line in place of the last one; NULL takes it away. */
void say_status(const char *line);

#define SAY_PATH_SIZE 1024
/* "/a/b", escaped.  Returns out. */
char *say_path(char out[SAY_PATH_SIZE], const struct path *);

#endif
