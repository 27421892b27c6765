#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "store_list.h"

static void
list_add(struct list *l, const char *path, const struct stat *st)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->e = realloc(l->e, l->cap * sizeof(l->e[0]));
		assert_non_null(l->e);
	}
	l->e[l->n].path = strdup(path);
	assert_non_null(l->e[l->n].path);
	l->e[l->n].is_dir = S_ISDIR(st->st_mode);
	l->e[l->n].ino = st->st_ino;
	l->e[l->n].size = S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size;
	l->n++;
}

static void
list_dir(struct list *l, int dir_fd, const char *prefix, unsigned depth)
{
	struct dirent *d;
	struct stat st;
	char path[8192];
	DIR *dir = fdopendir(dir_fd);
	int fd;

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 ||
		    strcmp(d->d_name, PATH_RESERVED_NAME) == 0)
			continue;
		assert_int_equal(
		    fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		if (S_ISLNK(st.st_mode)) {
			l->skipped.links++;
			continue;
		}
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
			l->skipped.special++;
			continue;
		}
		snprintf(path, sizeof(path), "%s%s%s", prefix,
		    *prefix == '\0' ? "" : "/", d->d_name);
		list_add(l, path, &st);
		if (!S_ISDIR(st.st_mode) || depth == 1)
			continue;
		fd = openat(dir_fd, d->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		assert_true(fd >= 0);
		list_dir(l, fd, path, depth == 0 ? 0 : depth - 1);
	}
	closedir(dir);
}

/* With the slash as the least byte, bytes are compared as segments are. */
int
cmp_paths(const char *a, const char *b)
{
	unsigned char ca, cb;

	for (;; a++, b++) {
		ca = *a == '/' ? 0 : (unsigned char)*a;
		cb = *b == '/' ? 0 : (unsigned char)*b;
		if (*a == '\0' || *b == '\0')
			return (*a != '\0') - (*b != '\0');
		if (ca != cb)
			return ca < cb ? -1 : 1;
	}
}

static int
cmp_listed(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return cmp_paths(x->path, y->path);
}

struct list
list_tree(int root_fd, unsigned depth)
{
	struct list l = { 0 };

	list_dir(&l, openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    "", depth);
	if (l.n > 0)
		qsort(l.e, l.n, sizeof(l.e[0]), cmp_listed);
	return l;
}

void
list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->e[i].path);
	free(l->e);
}

void
walk_check_skipped(
    int line, const struct store_skipped *got, const struct store_skipped *want)
{
	if (memcmp(got, want, sizeof(*got)) != 0)
		fail_line(line,
		    "skipped: got %lu links, %lu special, %lu unreadable, "
		    "want %lu, %lu, %lu",
		    got->links, got->special, got->unreadable, want->links,
		    want->special, want->unreadable);
}

struct store_walk *
walk_begin(const struct tree *t, const char *root, const char *from,
    const char *until, unsigned depth)
{
	struct path r = tree_path(root), f = tree_path(from);
	struct path u = tree_path(until);
	struct store_walk *w = NULL;

	assert_int_equal(store_walk_new(&w, t->store, &r, &f, &u, depth), 0);
	/* The walk keeps its own. */
	memset(&r, 0xff, sizeof(r));
	memset(&f, 0xff, sizeof(f));
	memset(&u, 0xff, sizeof(u));
	return w;
}

int
walk_next(struct store_walk *w, const char **path)
{
	const struct path *p;
	struct store_meta meta;
	int r = store_walk_next(w, &p, &meta, NULL, NULL);

	if (r == 1)
		*path = path_string(p);
	return r;
}

void
walk_expect(int line, struct store_walk *w, const char *want)
{
	const char *got = NULL;
	int r = walk_next(w, &got);

	if (r != 1 || strcmp(got, want) != 0)
		fail_line(line, "got %d %s, want %s", r, got == NULL ? "" : got,
		    want);
}

void
walk_expect_end(int line, struct store_walk *w, int want, bool has_more)
{
	const char *got = NULL;

	for (int i = 0; i < 3; i++) {
		int r = walk_next(w, &got);

		if (r != want)
			fail_line(line, "got %d %s, want %d", r,
			    got == NULL ? "" : got, want);
	}
	if (store_walk_has_more(w) != has_more)
		fail_line(line, "has_more is %d", !has_more);
}
