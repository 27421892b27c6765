#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "client/part.h"
#include "client/parts.h"

/* More than a few were never seen; each connection leaves one at the most. */
#define PARTS_MAX (64 * 1024)
#define CAP_FIRST 16

struct parts_found {
	uint32_t rank; /* of its folder: TREE_ROOT + 1 is 0 */
	char temp[PART_NAME_SIZE];
};

static void parts_add(struct parts *, uint32_t, const char[PART_NAME_SIZE]);
static size_t parts_first(const struct parts *, const struct parts_found *);
static int compare(const void *, const void *);

void
parts_init(struct parts *parts)
{
	memset(parts, 0, sizeof(*parts));
}

void
parts_free(struct parts *parts)
{
	free(parts->found);
	parts_init(parts);
}

void
parts_note(struct parts *parts, uint32_t folder, int dir_fd, const char *name)
{
	size_t before = parts->n;
	struct dirent *entry;
	DIR *dir;
	int fd;

	fd = openat(
	    dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return;
	dir = fdopendir(fd);
	if (dir == NULL) {
		fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (part_is_name(entry->d_name))
			parts_add(parts, folder + 1, entry->d_name);
	closedir(dir);
	if (parts->n > before)
		qsort(parts->found + before, parts->n - before,
		    sizeof(*parts->found), compare);
}

void
parts_drop(const struct parts *parts, uint32_t folder, int dir_fd,
    const char *file, const char *keep)
{
	struct parts_found from = { .rank = folder + 1 };
	const struct parts_found *at;
	size_t i;

	if (parts->n == 0)
		return;
	part_name(from.temp, file, 0, 0);
	from.temp[PART_FILE_LEN] = '\0'; /* before those of all versions */
	for (i = parts_first(parts, &from); i < parts->n; i++) {
		at = &parts->found[i];
		if (at->rank != from.rank ||
		    strncmp(at->temp, from.temp, PART_FILE_LEN) != 0)
			break;
		if (keep == NULL || strcmp(at->temp, keep) != 0)
			part_remove(dir_fd, at->temp);
	}
}

static void
parts_add(struct parts *parts, uint32_t rank, const char temp[PART_NAME_SIZE])
{
	size_t cap = parts->cap > 0 ? 2 * parts->cap : CAP_FIRST;
	struct parts_found *found = parts->found;

	if (parts->n == PARTS_MAX)
		return;
	if (parts->n == parts->cap) {
		found = reallocarray(found, cap, sizeof(*found));
		if (found == NULL)
			return;
		parts->found = found;
		parts->cap = cap;
	}
	found[parts->n].rank = rank;
	memcpy(found[parts->n].temp, temp, PART_NAME_SIZE);
	parts->n++;
}

/* The first that is not less. */
static size_t
parts_first(const struct parts *parts, const struct parts_found *than)
{
	size_t low = 0, high = parts->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (compare(&parts->found[mid], than) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int
compare(const void *a, const void *b)
{
	const struct parts_found *p = a, *q = b;

	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	return strcmp(p->temp, q->temp);
}
