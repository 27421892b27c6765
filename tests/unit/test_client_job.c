/* How the work is cut into stretches. */
#include "helper.h"

#include <errno.h>

#include "client/job.h"

static struct job
make_job(struct tree *tree)
{
	struct job job = {
		.tree = tree, .stretch_files = 4, .stretch_bytes = 1000
	};

	pthread_mutex_init(&job.lock, NULL);
	pthread_cond_init(&job.change, NULL);
	return job;
}

/*
 * One letter an entry, all beside each other: '/' a folder, '.' a file that
 * is there, 'x' one that failed, a digit a missing file of that many hundred
 * bytes, 'p' a missing one of 100 bytes with a part, 'B' one of 5000 bytes.
 */
static struct tree *
make_tree(const char *text)
{
	struct tree *t = tree_new(0);
	struct train_head head = { .mode = 0644 };
	const char *reason;
	char name[16];

	for (uint32_t i = 0; text[i] != '\0'; i++) {
		struct entry *e;

		snprintf(name, sizeof(name), "%06u", (unsigned)i);
		path_init(&head.path);
		path_push(&head.path, name, strlen(name));
		head.kind = text[i] == '/' ? TRAIN_DIR : TRAIN_FILE;
		head.size = text[i] == '/'   ? 0
			    : text[i] == 'B' ? 5000
			    : text[i] == 'p' ? 100
			    : text[i] >= '0' && text[i] <= '9'
				? (uint64_t)(text[i] - '0') * 100
				: 1;
		assert_int_equal(tree_add(t, &head, &reason), 0);
		e = tree_entry(t, i);
		e->state = text[i] == '/'   ? ENTRY_DONE
			   : text[i] == '.' ? ENTRY_THERE
			   : text[i] == 'x' ? ENTRY_FAILED
					    : ENTRY_MISSING;
		if (text[i] == 'p')
			e->marks |= ENTRY_HAS_PART;
	}
	return t;
}

static const struct {
	int line;
	const char *in;
	const char *want; /* "first-end" of each */
} rows[] = {
	{ __LINE__, "", "" },
	{ __LINE__, "/", "" },
	{ __LINE__, "///", "" },
	{ __LINE__, "...", "" },
	{ __LINE__, "x", "" },
	{ __LINE__, "0", "0-1 " },
	{ __LINE__, "/0", "1-2 " },
	{ __LINE__, "0/", "0-1 " },
	{ __LINE__, "0/0", "0-3 " },
	{ __LINE__, "0/.0", "0-1 3-4 " },
	{ __LINE__, "0.0", "0-1 2-3 " },
	{ __LINE__, "0x0", "0-1 2-3 " },
	{ __LINE__, "0000", "0-4 " },
	{ __LINE__, "00000", "0-4 4-5 " },
	{ __LINE__, "0/0/0/0/0", "0-7 8-9 " },
	/* bytes */
	{ __LINE__, "55", "0-2 " },
	{ __LINE__, "551", "0-2 2-3 " },
	{ __LINE__, "91", "0-2 " },
	{ __LINE__, "92", "0-1 1-2 " },
	{ __LINE__, "B", "0-1 " },
	{ __LINE__, "BB", "0-1 1-2 " },
	{ __LINE__, "1B1", "0-1 1-2 2-3 " },
	/* only the first of a stretch may begin at an offset */
	{ __LINE__, "p", "0-1 " },
	{ __LINE__, "pp", "0-1 1-2 " },
	{ __LINE__, "0p0", "0-1 1-3 " },
	{ __LINE__, "p00", "0-3 " },
};

static void
test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct tree *t = make_tree(rows[i].in);
		struct job job = make_job(t);
		struct stretch *s;
		char got[256] = "";

		while ((s = job_take(&job, false)) != NULL) {
			size_t at = strlen(got);

			snprintf(got + at, sizeof(got) - at, "%u-%u ",
			    (unsigned)s->next, (unsigned)s->end);
			job_done(&job, s);
		}
		CHECK_STR(
		    rows[i].line, rows[i].in, "stretches", rows[i].want, got);
		CHECK_U64(rows[i].line, rows[i].in, "out", 0, job.out);
		tree_free(t);
	}
}

/* Any tree: each missing file is in just one stretch, none else is asked for,
 * and the limits hold. */
static void
test_cover(void **state)
{
	static const char letters[] = "/.x0123456789pB";
	struct rng rng = { 11 };
	char text[301];

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t n = rng_below(&rng, sizeof(text));
		unsigned seen[sizeof(text)] = { 0 };
		uint32_t last = 0;
		struct tree *t;
		struct job job;
		struct stretch *s;

		for (size_t i = 0; i < n; i++)
			text[i] = letters[rng_below(&rng, nitems(letters) - 1)];
		text[n] = '\0';
		t = make_tree(text);
		job = make_job(t);
		while ((s = job_take(&job, false)) != NULL) {
			uint64_t bytes = 0;
			uint32_t files = 0;

			CHECK(__LINE__, text, "in order", s->next >= last);
			CHECK(__LINE__, text, "not empty", s->next < s->end);
			for (uint32_t i = s->next; i < s->end; i++) {
				seen[i]++;
				if (text[i] == '/')
					continue;
				files++;
				bytes += tree_entry(t, i)->size;
				CHECK(__LINE__, text, "a part comes first",
				    text[i] != 'p' || i == s->next);
			}
			CHECK(__LINE__, text, "files",
			    files >= 1 && files <= job.stretch_files);
			CHECK(__LINE__, text, "bytes",
			    bytes <= job.stretch_bytes || files == 1);
			CHECK_U64(__LINE__, text, "due",
			    bytes + files * JOB_FILE_COST, s->due);
			last = s->end;
			job_done(&job, s);
		}
		for (size_t i = 0; i < n; i++)
			if (text[i] != '/')
				CHECK_U64(__LINE__, text, "seen",
				    text[i] != '.' && text[i] != 'x', seen[i]);
		tree_free(t);
	}
}

/* What is given back comes again, before what is new. */
static void
test_back(void **state)
{
	struct tree *t = make_tree("BBB");
	struct job job = make_job(t);
	struct stretch *a, *b, *c;

	(void)state;
	a = job_take(&job, false);
	b = job_take(&job, false);
	assert_int_equal(job.out, 2);
	job_give_back(&job, a);
	assert_int_equal(job.out, 1);
	assert_ptr_equal(job_take(&job, true), a);
	assert_int_equal(job_add(&job, 1), 0);
	c = job_take(&job, true);
	assert_int_equal(c->next, 1);
	assert_int_equal(c->end, 2);
	job_done(&job, c);
	c = job_take(&job, true);
	assert_int_equal(c->next, 2);
	assert_null(job_take(&job, false));
	job_done(&job, a);
	job_done(&job, b);
	job_done(&job, c);
	/* nobody can give anything back any more */
	assert_null(job_take(&job, true));
	tree_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cover),
		cmocka_unit_test(test_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
