#include <string.h>

#include "client/say.h"
#include "client/tally.h"

void
tally_init(struct tally *t, const struct path *root)
{
	memset(t, 0, sizeof(*t));
	t->root = root;
}

void
tally_fail(struct tally *t, const struct path *entry, const char *why)
{
	char root[SAY_PATH_SIZE], below[SAY_PATH_SIZE];
	uint64_t n = atomic_fetch_add(&t->failed, 1);

	if (n < TALLY_LINES)
		say("get %s%s: %s",
		    t->root->n > 0 ? say_path(root, t->root) : "",
		    say_path(below, entry), why);
	else if (n == TALLY_LINES)
		say("get: more failures are only counted");
}
