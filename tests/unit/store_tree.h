/* Trees on a real file system for the store's tests.  All of it asserts. */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* A fresh folder with a store on it, and one beside it that nothing may
 * reach. */
struct tree {
	char dir[256];
	int top_fd; /* dir; it holds "in" and "out" */
	int in_fd; /* the served root */
	int out_fd;
	struct store *store;
	int open_before; /* descriptors, to be the same at the end */
};

/* cmocka set-up and tear-down; *state is a struct tree.  Below TMPDIR, or
 * /tmp; the quick one in memory where there is /dev/shm. */
int tree_setup(void **state);
int tree_setup_quick(void **state);
int tree_teardown(void **state);

/* Paths below dir_fd, without any check on what they lead through. */
void tree_write(int dir_fd, const char *path, const char *text);
void tree_mkdir(int dir_fd, const char *path);
void tree_symlink(int dir_fd, const char *path, const char *target);
void tree_fifo(int dir_fd, const char *path);
void tree_socket(int dir_fd, const char *path);
/* mtime, seconds of the epoch */
void tree_set_mtime(int dir_fd, const char *path, int64_t sec);
/* Everything below, however deep; the folder itself stays. */
void tree_empty(int dir_fd);

/* "a/b/" as a path; "" is the root. */
struct path tree_path(const char *);

/* Of an ordinary user, when the test runs as root. */
void tree_drop_rights(void);
void tree_regain_rights(void);

/* Does this file system tell a folder's reader what the entries are? */
bool tree_tells_types(int dir_fd);

/* Small random numbers from a fixed seed. */
uint32_t tree_random(uint32_t *seed, uint32_t below);

/* Kills the process when a test hangs. */
void tree_guard(unsigned seconds);

#define fail_line(line, ...)                            \
	do {                                            \
		print_error("%s:%d: ", __FILE__, line); \
		print_error(__VA_ARGS__);               \
		print_error("\n");                      \
		fail();                                 \
	} while (0)

#endif
