/* What a fuzz target claims of every input. */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(is_so) \
	((is_so) ? (void)0 : must_failed(__FILE__, __LINE__, #is_so))

static inline void
must_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

#endif
