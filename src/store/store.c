#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/fd.h"
#include "store/inner.h"
#include "store/open.h"

static int root_check(int);
static int root_may_stall(int, bool *);
static int
open_refused(const struct store *, const struct path *, enum store_how, int);
static bool would_stall(const struct store *, enum store_how);

int
store_new(struct store **out, int root_fd)
{
	struct store *s = NULL;
	int r;

	r = root_check(root_fd);
	if (r != 0)
		goto out;
	r = open_probe(root_fd);
	if (r != 0)
		goto out;
	r = -ENOMEM;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		goto out;
	s->digests = digest_table_new();
	if (s->digests == NULL)
		goto out;
	r = root_may_stall(root_fd, &s->may_stall);
	if (r != 0)
		goto out;
	s->root_fd = fd_take(&root_fd);
	*out = s;
	s = NULL;
out:
	if (s != NULL) {
		digest_table_free(s->digests);
		free(s);
	}
	fd_close(&root_fd);
	return r;
}

static int
root_check(int root_fd)
{
	struct stat st;
	int flags;

	if (fstat(root_fd, &st) == -1)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	flags = fcntl(root_fd, F_GETFL);
	if (flags == -1)
		return -errno;
	return flags & O_PATH ? -EBADF : 0;
}

/* RESOLVE_CACHED keeps the look-up from waiting, but these file systems ask
 * their server once more when the file itself is opened. */
static int
root_may_stall(int root_fd, bool *may_stall)
{
	struct statfs sf;

	if (fstatfs(root_fd, &sf) == -1)
		return -errno;
	switch ((uint32_t)sf.f_type) {
	case AFS_FS_MAGIC:
	case AFS_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case CODA_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
	case NFS_SUPER_MAGIC:
	case OCFS2_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case V9FS_MAGIC:
		*may_stall = true;
		break;
	default:
		*may_stall = false;
	}
	return 0;
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	digest_table_free(s->digests);
	fd_close(&s->root_fd);
	free(s);
}

bool
store_may_stall(const struct store *s)
{
	return s->may_stall;
}

int
store_open_root(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd == -1 ? -errno : fd;
}

static bool
would_stall(const struct store *s, enum store_how how)
{
	return how == STORE_NOWAIT && s->may_stall;
}

int
store_open_file(const struct store *s, const struct path *path,
    enum store_how how, int *fd, struct store_meta *meta)
{
	struct store_meta m;
	enum open_type type;
	int r;

	if (would_stall(s, how))
		return -EAGAIN;
	r = open_look(s->root_fd, path_string(path), how, &m, &type);
	if (r == 0)
		r = open_check_served(type);
	if (r == 0 && type == OPEN_DIR)
		r = -EISDIR;
	if (r == 0 && path->wants_dir)
		r = -ENOTDIR;
	if (r == 0)
		r = open_regular(s->root_fd, path_string(path), how, fd, &m);
	if (r == 0)
		*meta = m;
	return r;
}

int
store_open_dir(const struct store *s, const struct path *path,
    enum store_how how, int *fd, struct store_meta *meta)
{
	struct store_meta m;
	enum open_type type;
	int got, r;

	if (would_stall(s, how))
		return -EAGAIN;
	got = open_beneath(s->root_fd, path_string(path), OPEN_FLAGS_DIR, how);
	if (got < 0)
		return open_refused(s, path, how, got);
	r = open_meta(got, &m, &type);
	if (r != 0)
		goto out;
	*meta = m;
	*fd = fd_take(&got);
out:
	fd_close(&got);
	return r;
}

/* The kernel says ENOTDIR also of a FIFO; for a caller that is not there. */
static int
open_refused(const struct store *s, const struct path *path, enum store_how how,
    int error)
{
	struct store_meta meta;
	enum open_type type;
	int r;

	if (error != -ENOTDIR)
		return error;
	r = open_look(s->root_fd, path_string(path), how, &meta, &type);
	if (r == 0)
		r = open_check_served(type);
	return r == 0 ? error : r;
}

int
store_stat(const struct store *s, const struct path *path, enum store_how how,
    struct store_meta *meta)
{
	struct store_meta m;
	enum open_type type;
	int r;

	if (would_stall(s, how))
		return -EAGAIN;
	r = open_look(s->root_fd, path_string(path), how, &m, &type);
	if (r == 0)
		r = open_check_served(type);
	if (r == 0 && type == OPEN_FILE && path->wants_dir)
		r = -ENOTDIR;
	if (r == 0)
		*meta = m;
	return r;
}
