/*
 * Blocks of one size, kept for the next who asks: a connection has memory
 * only while bytes are in it, and getting some is a pointer away.
 */
#ifndef SERVER_SLAB_H
#define SERVER_SLAB_H

#include <stddef.h>

struct slab {
	void *free; /* each block begins with the next one's address */
	size_t size; /* of a block; at least a pointer's */
	unsigned n_free;
	unsigned keep; /* free blocks over this go back to malloc */
	unsigned n_used;
};

void slab_init(struct slab *, size_t size, unsigned keep);
void *slab_get(struct slab *); /* NULL: no memory.  Not zeroed. */
void slab_put(struct slab *, void *); /* NULL is fine */
void slab_clear(struct slab *); /* frees the free ones */

#endif
