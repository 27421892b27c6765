#include "ring.h"
#include "fd.h"

#include <errno.h>
#include <stdlib.h>

int
fdp_ring_init(struct fdp_ring *ring, unsigned cap)
{
	*ring = (struct fdp_ring){ 0 };
	ring->items = calloc(cap, sizeof(*ring->items));
	if (ring->items == NULL)
		return -ENOMEM;
	ring->cap = cap;
	return 0;
}

int
fdp_ring_grow(struct fdp_ring *ring, unsigned cap)
{
	struct fdp_parcel *items;
	unsigned i;

	if (cap <= ring->cap)
		return 0;
	items = calloc(cap, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	for (i = 0; i < ring->len; i++)
		items[i] = *fdp_ring_at(ring, i);
	free(ring->items);
	ring->items = items;
	ring->cap = cap;
	ring->head = 0;
	return 0;
}

void
fdp_ring_free(struct fdp_ring *ring)
{
	unsigned i;

	for (i = 0; i < ring->len; i++)
		fdp_close(&fdp_ring_at(ring, i)->fd);
	free(ring->items);
	*ring = (struct fdp_ring){ 0 };
}

struct fdp_parcel *
fdp_ring_at(struct fdp_ring *ring, unsigned i)
{
	unsigned at = ring->head + i;

	return &ring->items[at < ring->cap ? at : at - ring->cap];
}

void
fdp_ring_push_back(struct fdp_ring *ring, const struct fdp_parcel *parcel)
{
	assert(ring->len < ring->cap);
	*fdp_ring_at(ring, ring->len) = *parcel;
	ring->len++;
}

void
fdp_ring_push_front(struct fdp_ring *ring, const struct fdp_parcel *parcel)
{
	assert(ring->len < ring->cap);
	ring->head = (ring->head != 0 ? ring->head : ring->cap) - 1;
	ring->items[ring->head] = *parcel;
	ring->len++;
}

struct fdp_parcel
fdp_ring_pop_front(struct fdp_ring *ring)
{
	struct fdp_parcel *parcel = fdp_ring_at(ring, 0);

	assert(ring->len > 0);
	ring->len--;
	/* An empty ring starts anew, so that a little traffic touches little
	 * memory however large the ring may grow. */
	ring->head = ring->len == 0		  ? 0
		     : ring->head + 1 < ring->cap ? ring->head + 1
						  : 0;
	return *parcel;
}

struct fdp_parcel
fdp_ring_pop_back(struct fdp_ring *ring)
{
	assert(ring->len > 0);
	ring->len--;
	return *fdp_ring_at(ring, ring->len);
}
