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
		int want;
	} rows[] = {
		{ __LINE__, NULL, 0 },
		{ __LINE__, another_makes_it, 0 },
		{ __LINE__, another_makes_a_file, -ENOTDIR },
		{ __LINE__, another_makes_a_link, -ENOENT },
	};
	char name[80];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct target *t = NULL;

		snprintf(name, sizeof(name), "%s/%zu", dir_name, i);
		before_mkdir = rows[i].before;
		CHECK_INT(rows[i].line, "", "open", rows[i].want,
		    target_open(&t, name));
		CHECK_INT(
		    rows[i].line, "", "is there", rows[i].want == 0, t != NULL);
		target_close(t);
	}
}

static void
test_probe(void **state)
{
	static const struct {
		int line;
		const char *name;
		int want;
	} rows[] = {
		{ __LINE__, "folder", 0 }, { __LINE__, "folder/", 0 },
		{ __LINE__, "folder/.", 0 }, { __LINE__, "link", 0 },
		{ __LINE__, "new", 0 }, { __LINE__, "new/", 0 },
		{ __LINE__, "new//", 0 }, { __LINE__, "folder/new", 0 },
		{ __LINE__, "folder//new/", 0 },
		{ __LINE__, "new/new", -ENOENT },
		{ __LINE__, "new/new/", -ENOENT },
		{ __LINE__, "file", -ENOTDIR },
		{ __LINE__, "file/new", -ENOTDIR },
		{ __LINE__, "", 0 }, /* the folder of the test itself */
	};
	char name[128];

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "folder", 0755), 0);
	assert_int_equal(mknodat(dir_fd, "file", S_IFREG | 0600, 0), 0);
	assert_int_equal(symlinkat("folder", dir_fd, "link"), 0);
	for (size_t i = 0; i < nitems(rows); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir_name, rows[i].name);
		CHECK_INT(rows[i].line, name, "probe", rows[i].want,
		    target_probe(name));
	}
	/* relative, with no slash in it */
	assert_int_equal(fchdir(dir_fd), 0);
	assert_int_equal(target_probe("new"), 0);
	assert_int_equal(target_probe("new/new"), -ENOENT);
	assert_int_equal(target_probe("file"), -ENOTDIR);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(faccessat(dir_fd, "new", F_OK, 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_probe, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
