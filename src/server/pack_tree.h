/*
 * A folder of the served tree, written as a tar or a zip archive from its
 * first byte to its last.  There are regular files and folders in it, below
 * one folder with the name of the one that is packed, with their permission
 * bits, the second they were last changed, and no owner.
 *
 * What was left out of it, or changed while it was read, is named in a last
 * entry of its own, PACK_NOTE_NAME, which is there only then.
 */
#ifndef SERVER_PACK_TREE_H
#define SERVER_PACK_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "path/path.h"
#include "server/pack_name.h"
#include "store/store.h"

/* The top folder's name when the root of the disk is packed. */
#define PACK_ROOT_NAME "netpan"
#define PACK_NOTE_NAME "NOT IN THIS ARCHIVE.txt"

/* Where an archive goes. */
struct pack_sink {
	/* Takes all of it, and may wait for that.  0, or -errno: the archive
	 * ends with it. */
	int (*write)(void *arg, const void *bytes, size_t len);
	void *arg;
	const _Atomic bool *stop; /* when it is set the archive ends soon */
};

/* Once, before any archive, while files outside of the served tree may still
 * be opened. */
void pack_prepare(void);

/*
 * WAIT, long.  Returns 0; -ENOENT, -ENOTDIR, -EACCES ... when there is no such
 * folder; -EFBIG when a zip's directory would be over LIM_ZIP_DIRECTORY_BYTES,
 * found out before the first byte unless the folder grows meanwhile; -ESTALE
 * when a file got shorter after its head was written, which has its size;
 * -ECANCELED after stop; what the sink said; -EIO, -ENOMEM, -EMFILE ...  With
 * all but 0 what was written is no archive, and must not look like one.
 */
int pack_tree(const struct store *, const struct path *folder, enum pack_form,
    const struct pack_sink *);

#endif
