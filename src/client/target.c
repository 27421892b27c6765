#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/mtime.h"
#include "client/part.h"
#include "client/target.h"

#define OPEN_FOLDER (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define SELF_SIZE 32
#define OPEN_UP_TRIES 64 /* each other run ends once */

struct target {
	int root_fd;
};

static int look(int, const char *, struct stat *);
static bool leads_to_special(int, const char *);
static int open_below(int, const char *, bool);
static bool open_up(int, unsigned *);
static const char *self_path(char[SELF_SIZE], int);

int
target_open(struct target **out, const char *name)
{
	struct target *t;

	t = malloc(sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->root_fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->root_fd == -1 && errno == ENOENT &&
	    (mkdir(name, 0777) == 0 || errno == EEXIST)) /* another run's */
		t->root_fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->root_fd == -1) {
		int err = errno;

		free(t);
		return -err;
	}
	*out = t;
	return 0;
}

int
target_probe(const char *name)
{
	size_t len = strlen(name);
	char *parent;
	int fd, r = 0;

	fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1 || errno != ENOENT) {
		r = fd == -1 ? -errno : 0;
		fd_close(&fd);
		return r;
	}
	while (len > 0 && name[len - 1] == '/')
		len--;
	while (len > 0 && name[len - 1] != '/')
		len--;
	parent = len > 0 ? strndup(name, len) : strdup(".");
	if (parent == NULL)
		return -ENOMEM;
	if (faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == -1)
		r = -errno;
	free(parent);
	return r;
}

void
target_close(struct target *t)
{
	if (t == NULL)
		return;
	fd_close(&t->root_fd);
	free(t);
}

bool
target_is_gone(const struct target *t)
{
	struct stat st;

	return fstat(t->root_fd, &st) == 0 && st.st_nlink == 0;
}

void
place_init(struct place *place)
{
	place->fd = -1;
	place->folder = TREE_ROOT;
}

void
place_close(struct place *place)
{
	fd_close(&place->fd);
}

int
place_go(struct place *place, const struct target *t, const struct tree *tree,
    uint32_t folder)
{
	uint32_t way[LIM_PATH_SEGS], i;
	unsigned n = 0;
	int fd, next;

	if (place->fd != -1 && place->folder == folder)
		return 0;
	fd_close(&place->fd);
	for (i = folder; i != TREE_ROOT; i = tree_entry(tree, i)->parent)
		way[n++] = i;
	fd = openat(t->root_fd, ".", O_PATH | OPEN_FOLDER);
	for (i = TREE_ROOT; fd != -1 && n > 0; i = way[n]) {
		next = open_below(
		    fd, tree_entry(tree, way[--n])->name, i != TREE_ROOT);
		fd_close(&fd);
		fd = next;
	}
	if (fd == -1)
		return -errno;
	place->fd = fd;
	place->folder = folder;
	return 0;
}

bool
place_open_up(const struct place *place, unsigned *tries)
{
	return place->fd != -1 && place->folder != TREE_ROOT &&
	       open_up(place->fd, tries);
}

int
target_make_folder(int parent_fd, const char *name)
{
	struct stat st;

	if (mkdirat(parent_fd, name, 0700) == 0)
		return 1;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	/* One that its owner may not write in was fetched so; the end of this
	 * run sets its mode again. */
	if ((st.st_mode & 0700) != 0700 && st.st_uid == geteuid())
		(void)target_chmod(
		    parent_fd, name, &st, (st.st_mode & 07777) | 0700);
	return 0;
}

int
target_is_free(int parent_fd, const char *name)
{
	struct stat st;
	int r;

	r = look(parent_fd, name, &st);
	if (r == 0 && S_ISLNK(st.st_mode) && leads_to_special(parent_fd, name))
		return -EEXIST;
	return r == -ENOENT ? 0 : r;
}

int
target_compare(int parent_fd, const struct entry *e)
{
	struct stat st;

	int r;

	r = look(parent_fd, e->name, &st);
	if (r != 0)
		return r == -ENOENT ? TARGET_NOTHING : r;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->size ||
	    !mtime_is_kept(&st.st_mtim, &st.st_ctim, e->mtime_ns))
		return TARGET_OTHER;
	if ((st.st_mode & 0777) != e->mode)
		(void)target_chmod(parent_fd, e->name, &st, e->mode);
	return TARGET_SAME;
}

bool
target_has_part(int parent_fd, const struct entry *e)
{
	char name[PART_NAME_SIZE];
	struct stat st;

	part_name(name, e->name, e->size, e->mtime_ns);
	return fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size > 0;
}

int
target_finish_folder(int parent_fd, const struct entry *e)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;
	int fd, r = 0;

	fd = openat(parent_fd, e->name, O_RDONLY | OPEN_FOLDER);
	if (fd == -1)
		return -errno;
	times[1] = mtime_to_timespec(e->mtime_ns);
	if (fstat(fd, &st) == -1)
		r = -errno;
	if (r == 0 && !mtime_is_kept(&st.st_mtim, &st.st_ctim, e->mtime_ns) &&
	    futimens(fd, times) == -1)
		r = -errno;
	/* a set-group-id bit is this side's own */
	if (r == 0 && (st.st_mode & 0777) != e->mode &&
	    fchmod(fd, (st.st_mode & 07000) | e->mode) == -1)
		r = -errno;
	fd_close(&fd);
	return r;
}

/* Not by name, which may be another file's by now: by a descriptor, which
 * need not be one for reading. */
int
target_chmod(
    int parent_fd, const char *name, const struct stat *seen, unsigned mode)
{
	char self[SELF_SIZE];
	struct stat st;
	int fd, r = 0;

	fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == -1)
		r = -errno;
	else if (st.st_dev != seen->st_dev || st.st_ino != seen->st_ino ||
		 S_ISLNK(st.st_mode))
		r = -ESTALE;
	else if (chmod(self_path(self, fd), mode) == -1)
		r = -errno;
	fd_close(&fd);
	return r;
}

bool
target_has_room(int dir_fd, uint64_t bytes)
{
	struct statvfs vfs;

	if (fstatvfs(dir_fd, &vfs) == -1 || vfs.f_frsize == 0)
		return true; /* writing will tell */
	return bytes / vfs.f_frsize <= vfs.f_bavail;
}

int
target_sync(const struct target *t)
{
	return syncfs(t->root_fd) == -1 ? -errno : 0;
}

char *
target_refusal(char out[TARGET_REFUSAL_SIZE], int err)
{
	static const struct {
		int err;
		const char *text;
	} texts[] = {
		{ -EISDIR, "A folder is in its place here" },
		{ -EEXIST, "What is in its place here is no file" },
		{ -ENOTDIR, "What is in a folder's place here is no folder" },
		{ -ELOOP, "What is in a folder's place here is no folder" },
		{ -ENOENT, "Its folder or its part here is gone" },
		{ -EFBIG, "There is no space for it here" },
		{ -EBADF, "netpan keeps such names for its own parts" },
	};
	const char *text = strerrordesc_np(-err);
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].err == err) {
			snprintf(out, TARGET_REFUSAL_SIZE, "%s", texts[i].text);
			return out;
		}
	snprintf(out, TARGET_REFUSAL_SIZE, "Cannot write it here: %s",
	    text != NULL ? text : "Unknown error");
	return out;
}

/* What has the name: 0 when a file may come in its place. */
static int
look(int parent_fd, const char *name, struct stat *st)
{
	if (fstatat(parent_fd, name, st, AT_SYMLINK_NOFOLLOW) == -1)
		return -errno;
	return S_ISDIR(st->st_mode)			      ? -EISDIR
	       : S_ISREG(st->st_mode) || S_ISLNK(st->st_mode) ? 0
							      : -EEXIST;
}

/* As /dev/stdout does, which a file in its place would take from all. */
static bool
leads_to_special(int parent_fd, const char *name)
{
	struct stat st;

	return fstatat(parent_fd, name, &st, 0) == 0 && !S_ISREG(st.st_mode) &&
	       !S_ISDIR(st.st_mode);
}

static int
open_below(int fd, const char *name, bool may_open_up)
{
	unsigned tries = 0;
	int below;

	do
		below = openat(fd, name, O_PATH | OPEN_FOLDER);
	while (below == -1 && errno == EACCES && may_open_up &&
	       open_up(fd, &tries));
	return below;
}

/* One that lets us work in it may have been opened up by a third run, after
 * it kept us out. */
static bool
open_up(int dir_fd, unsigned *tries)
{
	char self[SELF_SIZE];
	int saved = errno;
	struct stat st;
	bool is_open = false;

	if (++*tries < OPEN_UP_TRIES && fstat(dir_fd, &st) == 0 &&
	    st.st_uid == geteuid())
		is_open = (st.st_mode & 0700) == 0700 ||
			  chmod(self_path(self, dir_fd),
			      (st.st_mode & 07777) | 0700) == 0;
	errno = saved;
	return is_open;
}

/* The open file by a name, for calls that want no O_PATH descriptor. */
static const char *
self_path(char out[SELF_SIZE], int fd)
{
	snprintf(out, SELF_SIZE, "/proc/self/fd/%d", fd);
	return out;
}
