#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/compare.h"
#include "client/part.h"
#include "client/parts.h"
#include "client/stop.h"

#define STOP_EVERY 1024 /* entries between looks at stop_fd */

struct compare {
	struct tree *tree;
	const struct target *target;
	struct tally *tally;
	struct compare_missing *missing;
	struct place place;
	struct parts parts;
};

static int compare_entry(struct compare *, uint32_t);
static int compare_folder(struct compare *, struct entry *, uint32_t);
static int compare_file(struct compare *, struct entry *);
static void drop_parts(struct compare *, const struct entry *);
static int distrust_file(int, const struct entry *);

int
compare_tree(struct tree *tree, const struct target *target, int stop_fd,
    struct tally *tally, struct compare_missing *missing)
{
	struct compare c = { .tree = tree,
		.target = target,
		.tally = tally,
		.missing = missing };
	uint32_t i, n = tree_count(tree);
	char why[TARGET_REFUSAL_SIZE];
	struct path path;
	unsigned tries;
	int r = 0;

	memset(missing, 0, sizeof(*missing));
	place_init(&c.place);
	parts_init(&c.parts);
	r = place_go(&c.place, target, tree, TREE_ROOT);
	if (r == 0)
		parts_note(&c.parts, TREE_ROOT, c.place.fd, ".");
	for (i = 0; i < n && r == 0; i++) {
		tries = 0;
		do
			r = compare_entry(&c, i);
		while (r == -EACCES && place_open_up(&c.place, &tries));
		if (r != 0 && !compare_is_fatal(target, r)) {
			tree_entry(tree, i)->state = ENTRY_FAILED;
			tree_path(tree, i, &path);
			tally_fail(tally, &path, target_refusal(why, r));
			r = 0;
		}
		if (i % STOP_EVERY == 0 && stop_is_asked(stop_fd))
			r = -EINTR;
	}
	parts_free(&c.parts);
	place_close(&c.place);
	return r;
}

bool
compare_is_fatal(const struct target *target, int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EROFS ||
	       err == -EIO || (err == -ENOENT && target_is_gone(target));
}

void
compare_distrust(
    const struct tree *tree, const struct target *target, struct tally *tally)
{
	char why[TARGET_REFUSAL_SIZE];
	struct entry *e;
	struct place place;
	struct path path;
	uint32_t i;
	int r;

	place_init(&place);
	for (i = 0; i < tree_count(tree); i++) {
		e = tree_entry(tree, i);
		if (e->kind != TRAIN_FILE || e->state == ENTRY_THERE ||
		    e->state == ENTRY_LISTED ||
		    place_go(&place, target, tree, e->parent) != 0)
			continue;
		r = distrust_file(place.fd, e);
		if (r == 0 || r == -ENOENT)
			continue;
		e->state = ENTRY_FAILED;
		tree_path(tree, i, &path);
		tally_fail(tally, &path, target_refusal(why, r));
	}
	place_close(&place);
}

void
compare_finish(
    const struct tree *tree, const struct target *target, struct tally *tally)
{
	const struct entry *e;
	struct place place;
	unsigned tries;
	uint32_t i;
	int r;

	place_init(&place);
	for (i = tree_count(tree); i-- > 0;) {
		e = tree_entry(tree, i);
		if (e->kind != TRAIN_DIR || e->state != ENTRY_DONE)
			continue;
		r = place_go(&place, target, tree, e->parent);
		if (r == 0) {
			tries = 0;
			do
				r = target_finish_folder(place.fd, e);
			while (r == -EACCES && place_open_up(&place, &tries));
		}
		if (r != 0 && r != -ENOENT) /* removed meanwhile */
			atomic_fetch_add(&tally->lax, 1);
	}
	place_close(&place);
}

static int
compare_entry(struct compare *c, uint32_t i)
{
	struct entry *e = tree_entry(c->tree, i);
	int r;

	if (e->parent != TREE_ROOT &&
	    tree_entry(c->tree, e->parent)->state == ENTRY_FAILED) {
		/* was told with the folder */
		e->state = ENTRY_FAILED;
		atomic_fetch_add(&c->tally->failed, 1);
		return 0;
	}
	if (part_is_name(e->name))
		return -EBADF;
	r = place_go(&c->place, c->target, c->tree, e->parent);
	if (r != 0)
		return r;
	return e->kind == TRAIN_DIR ? compare_folder(c, e, i)
				    : compare_file(c, e);
}

static int
compare_folder(struct compare *c, struct entry *e, uint32_t i)
{
	int r;

	r = target_make_folder(c->place.fd, e->name);
	if (r < 0)
		return r;
	if (r == 1)
		e->marks |= ENTRY_IS_NEW;
	else
		parts_note(&c->parts, i, c->place.fd, e->name);
	e->state = ENTRY_DONE;
	atomic_fetch_add(&c->tally->folders, 1);
	return 0;
}

static int
compare_file(struct compare *c, struct entry *e)
{
	bool is_new = e->parent != TREE_ROOT &&
		      (tree_entry(c->tree, e->parent)->marks & ENTRY_IS_NEW) !=
			  0;
	int has = TARGET_NOTHING;

	if (!is_new)
		has = target_compare(c->place.fd, e);
	if (has < 0)
		return has;
	e->state = has == TARGET_SAME ? ENTRY_THERE : ENTRY_MISSING;
	drop_parts(c, e);
	if (has == TARGET_SAME) {
		atomic_fetch_add(&c->tally->there, 1);
		return 0;
	}
	if (!is_new && target_has_part(c->place.fd, e))
		e->marks |= ENTRY_HAS_PART;
	c->missing->files++;
	/* sizes are a stranger's word */
	if (c->missing->bytes + e->size < e->size)
		c->missing->bytes = UINT64_MAX;
	else
		c->missing->bytes += e->size;
	return 0;
}

/* Those that no run can go on with: of other versions, or of a file that is
 * there. */
static void
drop_parts(struct compare *c, const struct entry *e)
{
	char keep[PART_NAME_SIZE];

	if (c->parts.n == 0)
		return;
	part_name(keep, e->name, e->size, e->mtime_ns);
	parts_drop(&c->parts, e->parent, c->place.fd, e->name,
	    e->state == ENTRY_MISSING ? keep : NULL);
}

/* 0 or -errno, and then it is removed.  A file's own error is told once to each
 * who opens it, as long as the kernel has it in mind. */
static int
distrust_file(int parent_fd, const struct entry *e)
{
	char temp[PART_NAME_SIZE];
	int fd, r = 0;

	if (e->state != ENTRY_DONE) {
		part_name(temp, e->name, e->size, e->mtime_ns);
		part_remove(parent_fd, temp);
		return 0;
	}
	fd = openat(
	    parent_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 || fsync(fd) == -1 || futimens(fd, NULL) == -1)
		r = -errno;
	if (r != 0)
		(void)unlinkat(parent_fd, e->name, 0);
	fd_close(&fd);
	return r;
}
