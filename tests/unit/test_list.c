#include "helper.h"

#include "base/list.h"

struct item {
	int before; /* so that the link is not at the struct's start */
	struct link link;
	char name;
};

/* The names in order, and the same backwards. */
static void
check_list(int line, struct link *head, const char *want)
{
	size_t n = strlen(want), i = 0;
	char got[32] = "";

	for (struct link *l = head->next; l != head; l = l->next)
		got[i++] = link_entry(l, struct item, link)->name;
	got[i] = '\0';
	CHECK_STR(line, want, "forwards", want, got);
	for (struct link *l = head->prev; l != head; l = l->prev)
		CHECK_INT(line, want, "backwards", want[--n],
		    link_entry(l, struct item, link)->name);
	CHECK_U64(line, want, "backwards, left", 0, n);
}

static void
items_init(struct item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		items[i].name = (char)('a' + i);
		link_init(&items[i].link);
	}
}

static void
test_add_and_remove(void **state)
{
	struct item items[4];
	struct link head;

	(void)state;
	items_init(items, nitems(items));
	link_init(&head);
	check_list(__LINE__, &head, "");
	assert_false(link_is_linked(&head));
	for (size_t i = 0; i < nitems(items); i++) {
		assert_false(link_is_linked(&items[i].link));
		link_add_last(&head, &items[i].link);
		assert_true(link_is_linked(&items[i].link));
	}
	check_list(__LINE__, &head, "abcd");
	link_remove(&items[1].link);
	check_list(__LINE__, &head, "acd");
	link_remove(&items[1].link); /* fine when it is in no list */
	check_list(__LINE__, &head, "acd");
	link_remove(&items[0].link);
	link_remove(&items[3].link);
	check_list(__LINE__, &head, "c");
	link_remove(&items[2].link);
	check_list(__LINE__, &head, "");
	assert_false(link_is_linked(&head));
	link_add_last(&head, &items[1].link);
	check_list(__LINE__, &head, "b");
}

static void
test_move_all(void **state)
{
	static const struct {
		int line;
		unsigned to, from;
		const char *want;
	} rows[] = {
		{ __LINE__, 0, 0, "" },
		{ __LINE__, 0, 1, "a" },
		{ __LINE__, 1, 0, "a" },
		{ __LINE__, 0, 3, "abc" },
		{ __LINE__, 2, 3, "abcde" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct item items[5];
		struct link to, from;
		unsigned at = 0;

		items_init(items, nitems(items));
		link_init(&to);
		link_init(&from);
		while (at < rows[i].to)
			link_add_last(&to, &items[at++].link);
		while (at < rows[i].to + rows[i].from)
			link_add_last(&from, &items[at++].link);
		link_move_all(&to, &from);
		check_list(rows[i].line, &to, rows[i].want);
		check_list(rows[i].line, &from, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_remove),
		cmocka_unit_test(test_move_all),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
