#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "store_tree.h"

#define NOBODY 65534

static int
setup_below(void **state, const char *tmp)
{
	struct tree *t = calloc(1, sizeof(*t));
	int root_fd;

	assert_non_null(t);
	t->open_before = fd_count_open();
	snprintf(t->dir, sizeof(t->dir), "%s/netpan-store-XXXXXX", tmp);
	assert_non_null(mkdtemp(t->dir));
	assert_int_equal(chmod(t->dir, 0755), 0);
	t->top_fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->top_fd >= 0);
	tree_mkdir(t->top_fd, "in");
	tree_mkdir(t->top_fd, "out");
	t->in_fd = openat(t->top_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->out_fd = openat(
	    t->top_fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->in_fd >= 0 && t->out_fd >= 0);
	root_fd = openat(t->top_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(store_new(&t->store, root_fd), 0);
	*state = t;
	return 0;
}

int
tree_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	return setup_below(state, tmp == NULL ? "/tmp" : tmp);
}

int
tree_setup_quick(void **state)
{
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
		return setup_below(state, "/dev/shm");
	return tree_setup(state);
}

int
tree_teardown(void **state)
{
	struct tree *t = *state;
	int open_after;

	tree_regain_rights();
	tree_empty(t->top_fd);
	store_free(t->store);
	fd_close(&t->in_fd);
	fd_close(&t->out_fd);
	fd_close(&t->top_fd);
	rmdir(t->dir);
	open_after = fd_count_open();
	if (open_after != t->open_before) {
		print_error("%d descriptors before, %d after\n", t->open_before,
		    open_after);
		free(t);
		return -1;
	}
	free(t);
	return 0;
}

void
tree_write(int dir_fd, const char *path, const char *text)
{
	int fd = openat(dir_fd, path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(
	    fd_write_full(fd, text, strlen(text)), (ssize_t)strlen(text));
	fd_close(&fd);
}

void
tree_mkdir(int dir_fd, const char *path)
{
	assert_int_equal(mkdirat(dir_fd, path, 0755), 0);
}

void
tree_symlink(int dir_fd, const char *path, const char *target)
{
	assert_int_equal(symlinkat(target, dir_fd, path), 0);
}

void
tree_fifo(int dir_fd, const char *path)
{
	assert_int_equal(mkfifoat(dir_fd, path, 0644), 0);
}

void
tree_socket(int dir_fd, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(
	    (size_t)snprintf(sun.sun_path, sizeof(sun.sun_path),
		"/proc/self/fd/%d/%s", dir_fd, path) < sizeof(sun.sun_path));
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	fd_close(&fd);
}

void
tree_set_mtime(int dir_fd, const char *path, int64_t sec)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = sec } };

	assert_int_equal(utimensat(dir_fd, path, ts, AT_SYMLINK_NOFOLLOW), 0);
}

/* Moves folders up to where it is before it removes them, so that it needs
 * neither long paths nor many descriptors. */
void
tree_empty(int dir_fd)
{
	static unsigned long n_moved;
	struct dirent *d;
	bool is_again;
	char name[32];
	DIR *dir, *sub;
	int fd;

	do {
		is_again = false;
		dir = fdopendir(
		    openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		assert_non_null(dir);
		while ((d = readdir(dir)) != NULL) {
			if (strcmp(d->d_name, ".") == 0 ||
			    strcmp(d->d_name, "..") == 0 ||
			    unlinkat(dir_fd, d->d_name, 0) == 0 ||
			    unlinkat(dir_fd, d->d_name, AT_REMOVEDIR) == 0)
				continue;
			assert_int_equal(
			    fchmodat(dir_fd, d->d_name, 0755, 0), 0);
			fd = openat(dir_fd, d->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			assert_true(fd >= 0);
			sub = fdopendir(fd);
			assert_non_null(sub);
			while ((d = readdir(sub)) != NULL) {
				if (strcmp(d->d_name, ".") == 0 ||
				    strcmp(d->d_name, "..") == 0 ||
				    unlinkat(fd, d->d_name, 0) == 0)
					continue;
				snprintf(name, sizeof(name), "gone-%d-%lu",
				    (int)getpid(), n_moved++);
				assert_int_equal(
				    renameat(fd, d->d_name, dir_fd, name), 0);
			}
			closedir(sub);
			is_again = true;
		}
		closedir(dir);
	} while (is_again);
}

struct path
tree_path(const char *s)
{
	struct path p;
	size_t n;

	path_init(&p);
	while (*s != '\0') {
		n = strcspn(s, "/");
		assert_int_equal(path_push(&p, s, n), PATH_OK);
		s += n;
		if (*s == '/' && *++s == '\0')
			p.wants_dir = true;
	}
	return p;
}

void
tree_drop_rights(void)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(NOBODY), 0);
}

void
tree_regain_rights(void)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

bool
tree_tells_types(int dir_fd)
{
	struct dirent *d;
	bool tells = true;
	DIR *dir = fdopendir(
	    openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		if (d->d_type == DT_UNKNOWN)
			tells = false;
	closedir(dir);
	return tells;
}

uint32_t
tree_random(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)*seed * below) >> 32);
}

void
tree_guard(unsigned seconds)
{
	alarm(seconds);
}
