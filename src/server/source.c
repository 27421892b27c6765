#include <string.h>

#include "server/source.h"

#define KEEP_SOURCES 256 /* free ones */

static uint32_t hash_of(const struct sources *, const struct addr *);

void
sources_init(struct sources *ss, uint64_t seed)
{
	for (int i = 0; i < SOURCE_BUCKETS; i++)
		link_init(&ss->bucket[i]);
	slab_init(&ss->slab, sizeof(struct source), KEEP_SOURCES);
	ss->seed = seed;
}

struct source *
source_get(struct sources *ss, const struct addr *addr)
{
	struct addr key = addr_source(addr);
	uint32_t hash = hash_of(ss, &key);
	struct link *head = &ss->bucket[hash % SOURCE_BUCKETS];
	struct source *s;

	for (struct link *l = head->next; l != head; l = l->next) {
		s = link_entry(l, struct source, link);
		if (memcmp(&s->id.addr, &key, sizeof(key)) == 0) {
			s->n_refs++;
			return s;
		}
	}
	s = slab_get(&ss->slab);
	if (s == NULL)
		return NULL;
	*s = (struct source){ .id = { .addr = key, .lane = hash },
		.n_refs = 1 };
	link_init(&s->link);
	link_add_last(head, &s->link);
	return s;
}

void
source_put(struct sources *ss, struct source *s)
{
	if (s == NULL || --s->n_refs > 0)
		return;
	link_remove(&s->link);
	slab_put(&ss->slab, s);
}

bool
source_has(const struct source *s, const struct addr *addr)
{
	struct addr key = addr_source(addr);

	return memcmp(&s->id.addr, &key, sizeof(key)) == 0;
}

bool
source_may_take(uint32_t own, uint32_t n, uint32_t max)
{
	return n < max && own < max - n;
}

static uint32_t
hash_of(const struct sources *ss, const struct addr *key)
{
	uint64_t half;

	memcpy(&half, key->bytes, sizeof(half));
	half = (half ^ ss->seed) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(half >> 32);
}
