#include "targets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: 127.0.0.1\r\n"
#define CLOSE "Connection: close\r\n"

static int
target_init(struct target *t, const char *line, bool close)
{
	int len;

	if (sscanf(line, "%" SCNu64 " %ms", &t->size, &t->path) != 2)
		return -EINVAL;
	len = asprintf(&t->request, "GET %s HTTP/1.1\r\n" HOST "%s", t->path,
	    close ? CLOSE : "");
	if (len == -1)
		return -ENOMEM;
	t->request_len = (size_t)len;
	return 0;
}

static struct target *
targets_more(struct targets *ts)
{
	/* doubles at every power of two */
	if ((ts->n & (ts->n - 1)) == 0) {
		size_t cap = ts->n == 0 ? 1 : 2 * ts->n;
		struct target *v = reallocarray(ts->v, cap, sizeof(*v));

		if (v == NULL)
			return NULL;
		ts->v = v;
	}
	ts->v[ts->n] = (struct target){ .size = 0 };
	return &ts->v[ts->n++];
}

int
targets_read(struct targets *ts, const char *list, bool close)
{
	FILE *f = fopen(list, "re");
	struct target *t;
	char *line = NULL;
	size_t cap = 0;
	int error = 0;

	*ts = (struct targets){ .n = 0 };
	if (f == NULL)
		return -errno;
	while (error == 0 && getline(&line, &cap, f) != -1) {
		t = targets_more(ts);
		error = t == NULL ? -ENOMEM : target_init(t, line, close);
	}
	if (error == 0 && ts->n == 0)
		error = -EINVAL;
	free(line);
	fclose(f);
	return error;
}

/* xorshift64*; the state may be anything but 0. */
uint64_t
targets_chance(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545F4914F6CDD1Dull >> 16;
}
