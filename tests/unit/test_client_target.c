#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/target.h"

/* ---- the kernel, before which another process can be ---- */

int __real_mkdir(const char *, mode_t);
int __wrap_mkdir(const char *, mode_t);

static void (*before_mkdir)(const char *); /* once */

int
__wrap_mkdir(const char *name, mode_t mode)
{
	void (*hook)(const char *) = before_mkdir;

	before_mkdir = NULL;
	if (hook != NULL)
		hook(name);
	return __real_mkdir(name, mode);
}

/* ---- a folder of its own for each test ---- */

static int dir_fd = -1;
static char dir_name[64];

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir_name, "/tmp/netpan-target-XXXXXX");
	if (mkdtemp(dir_name) == NULL)
		return -1;
	dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd == -1 ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	before_mkdir = NULL;
	fd_close(&dir_fd);
	snprintf(command, sizeof(command), "rm -rf %s", dir_name);
	return system(command);
}

/* ---- the tests ---- */

static void
another_makes_it(const char *name)
{
	assert_int_equal(__real_mkdir(name, 0755), 0);
}

static void
another_makes_a_file(const char *name)
{
	assert_int_equal(mknod(name, S_IFREG | 0600, 0), 0);
}

static void
another_makes_a_link(const char *name)
{
	assert_int_equal(symlink("nowhere", name), 0);
}

static void
test_open(void **state)
{
	static const struct {
		int line;
		void (*before)(const char *);
		bool make;
		int want;
	} rows[] = {
		{ __LINE__, NULL, false, -ENOENT },
		{ __LINE__, NULL, true, 0 },
		{ __LINE__, another_makes_it, true, 0 },
		{ __LINE__, another_makes_a_file, true, -ENOTDIR },
		{ __LINE__, another_makes_a_link, true, -ENOENT },
	};
	char name[80];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct target *t = NULL;

		snprintf(name, sizeof(name), "%s/%zu", dir_name, i);
		before_mkdir = rows[i].before;
		CHECK_INT(rows[i].line, "", "open", rows[i].want,
		    target_open(&t, name, rows[i].make));
		CHECK_INT(
		    rows[i].line, "", "is there", rows[i].want == 0, t != NULL);
		target_close(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
