/* The one file that push sends, mapped once for all its clients. */
#ifndef SERVER_PUSH_FILE_H
#define SERVER_PUSH_FILE_H

#include <stddef.h>
#include <stdint.h>

struct iovec;
struct push_file;

/*
 * Takes fd (a regular file, opened for reading) on every path; name is
 * copied.  0, -EINVAL (name is not one segment), -ENOMEM, or what mmap said.
 */
int push_file_new(struct push_file **, int fd, const char *name);
void push_file_free(struct push_file *); /* NULL is fine */

/* How many bytes a client gets: head and frames. */
uint64_t push_file_stream_size(const struct push_file *);

/*
 * The bytes of the stream from pos on, gathered from where they are: no copy
 * is made, and what iov points to is the push_file's.  No frame that begins
 * at end or after it.  Fills up to cap entries (2 or more) and returns how
 * many; 0 at the end of the stream.
 */
int push_file_gather(const struct push_file *, uint64_t pos, uint64_t end,
    struct iovec *iov, int cap);

/* The file's descriptor and the stretch of it that the next len bytes of the
 * stream from pos on take: to see whether they are in memory. */
int push_file_fd(const struct push_file *);
void push_file_stretch(const struct push_file *, uint64_t pos, uint64_t len,
    uint64_t *off, uint64_t *n);

#endif
