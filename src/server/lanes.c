#include "server/lanes.h"

void
lanes_init(struct lanes *l)
{
	link_init(&l->busy);
	for (int i = 0; i < LANES; i++) {
		link_init(&l->lane[i].link);
		link_init(&l->lane[i].things);
	}
}

bool
lanes_has_any(const struct lanes *l)
{
	return link_is_linked(&l->busy);
}

void
lanes_add(struct lanes *l, uint32_t number, struct link *thing)
{
	struct lane *lane = &l->lane[number % LANES];

	if (!link_is_linked(&lane->things))
		link_add_last(&l->busy, &lane->link);
	link_add_last(&lane->things, thing);
}

struct link *
lanes_take(struct lanes *l)
{
	struct lane *lane = link_entry(l->busy.next, struct lane, link);
	struct link *thing = lane->things.next;

	link_remove(thing);
	link_remove(&lane->link);
	if (link_is_linked(&lane->things))
		link_add_last(&l->busy, &lane->link);
	return thing;
}

void
lanes_remove(struct lanes *l, uint32_t number, struct link *thing)
{
	struct lane *lane = &l->lane[number % LANES];

	link_remove(thing);
	if (!link_is_linked(&lane->things))
		link_remove(&lane->link);
}
