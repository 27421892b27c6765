/* What can be asked for: the lines "SIZE PATH" of a file, with the request of
 * each made beforehand. */
#ifndef TARGETS_H
#define TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target {
	char *path; /* begins with "/"; needs no escapes */
	uint64_t size;
	char *request; /* but for the empty line */
	size_t request_len;
};

struct targets {
	struct target *v;
	size_t n;
};

/* With "Connection: close" in each, or not.  0 or -errno; what was read is
 * kept until the program ends. */
int targets_read(struct targets *, const char *list, bool close);

/* The next of a sequence of numbers that look like chance. */
uint64_t targets_chance(uint64_t *state);

#endif
