/* An intrusive doubly linked ring.  A link in no list points to itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev;
	struct link *next;
};

/* The struct that holds the link l as its member. */
#define link_entry(l, type, member) \
	((type *)(void *)((char *)(l)-offsetof(type, member)))

static inline void
link_init(struct link *l)
{
	l->prev = l->next = l;
}

static inline bool
link_is_linked(const struct link *l)
{
	return l->next != l;
}

/* Before head: at the end of the list that head is the head of. */
static inline void
link_add_last(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Fine for a link in no list. */
static inline void
link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

/* Moves everything in from to the end of head; from is empty then. */
static inline void
link_move_all(struct link *head, struct link *from)
{
	if (!link_is_linked(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	link_init(from);
}

#endif
