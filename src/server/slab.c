#include <stdlib.h>
#include <string.h>

#include "server/slab.h"

void
slab_init(struct slab *s, size_t size, unsigned keep)
{
	memset(s, 0, sizeof(*s));
	s->size = size < sizeof(void *) ? sizeof(void *) : size;
	s->keep = keep;
}

void *
slab_get(struct slab *s)
{
	void *p = s->free;

	if (p != NULL) {
		memcpy(&s->free, p, sizeof(s->free));
		s->n_free--;
	} else if ((p = malloc(s->size)) == NULL) {
		return NULL;
	}
	s->n_used++;
	return p;
}

void
slab_put(struct slab *s, void *p)
{
	if (p == NULL)
		return;
	s->n_used--;
	if (s->n_free == s->keep) {
		free(p);
		return;
	}
	memcpy(p, &s->free, sizeof(s->free));
	s->free = p;
	s->n_free++;
}

void
slab_clear(struct slab *s)
{
	void *p;

	while ((p = s->free) != NULL) {
		memcpy(&s->free, p, sizeof(s->free));
		free(p);
	}
	s->n_free = 0;
}
