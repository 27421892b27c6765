/*
 * The train: netpan's framed protocol, as bytes <-> structs.  No I/O, no
 * allocation, no clock.  docs/protocol.md is its text.
 *
 * A client opens with a hello of 8 bytes, the server answers with one.  Then
 * each side sends frames: a header of 8 bytes (u32 length of the payload, u8
 * type, u8 flags, u16 zero), then the payload.  Integers are little-endian.
 * Requests are answered in order; a client may send several ahead.
 */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "path/path.h"

#define TRAIN_MAGIC "\xF5TRN"
#define TRAIN_VERSION 1
#define TRAIN_HELLO_SIZE 8 /* magic, u8 version, 3 zero bytes */
#define TRAIN_HEADER_SIZE 8
#define TRAIN_SHA256_SIZE 32

enum train_result {
	TRAIN_OK,
	TRAIN_MORE, /* not all bytes are there yet */
	TRAIN_BAD /* never valid, whatever follows; *reason says why */
};

enum train_type {
	/* requests */
	TRAIN_GET = 0x01, /* a file from an offset */
	TRAIN_TREE = 0x02, /* a whole tree, or a stretch of it */
	TRAIN_LIST = 0x03, /* the entries of one folder */
	/* replies */
	TRAIN_HEAD = 0x81, /* what follows, or one entry of a listing */
	TRAIN_DATA = 0x82, /* bytes of the file */
	TRAIN_END = 0x83, /* of a file: size and SHA-256 */
	TRAIN_SUM = 0x84, /* end of a tree or listing: the totals */
	TRAIN_ERROR = 0x85
};

enum train_side { TRAIN_FROM_CLIENT, TRAIN_FROM_SERVER };

struct train_frame {
	uint32_t len; /* of the payload */
	uint8_t type; /* enum train_type */
	uint8_t flags;
};

/* ---- hello ---- */

/*
 * Is refused as soon as the bytes there cannot become a hello (so a stranger
 * is known by its first byte).  A version other than TRAIN_VERSION parses:
 * the caller decides.
 */
enum train_result train_hello_parse(
    const void *p, size_t len, uint8_t *version, const char **reason);
int train_hello_put(struct buf *, uint8_t version);

/* ---- frames ---- */

/*
 * The header at p.  TRAIN_BAD for a type that this side may not send, flags
 * the type does not have, or a length over the type's cap; the payload need
 * not be there.  Lengths: GET, TREE, LIST up to LIM_TRAIN_REQUEST_BYTES; DATA
 * 1..LIM_TRAIN_DATA_BYTES; the others exact or bounded by their fields.
 */
enum train_result train_frame_parse(const void *p, size_t len,
    enum train_side from, struct train_frame *, const char **reason);
int train_frame_put(struct buf *, enum train_type, uint8_t flags, uint32_t len);

/* ---- payloads: each parse takes exactly the payload of its frame ---- */

/*
 * Sizes and offsets are at most 2^63 - 1.  A parse fills its struct wholly,
 * and with zeros when the answer is TRAIN_BAD; a parsed path never wants a
 * folder.  A put writes fields that their flag does not announce as zeros.
 */

#define TRAIN_F_IF_SAME 0x01 /* GET: size and mtime are those I began with */
#define TRAIN_F_HEADS_ONLY 0x02 /* TREE: no data, no digests */
#define TRAIN_F_NO_DIGEST 0x04 /* GET, TREE: the END may carry no digest */
#define TRAIN_F_MORE 0x08 /* SUM: stopped at until, there is more */
#define TRAIN_F_DIGEST 0x10 /* END: the digest is there */
#define TRAIN_F_ANEW 0x20 /* GET, TREE: believe no digest that was kept */

/*
 * Sends the file from offset.  With IF_SAME and a file of another size or
 * mtime the server begins at 0 (its HEAD says so).  An offset past the end is
 * an error.  Answer: HEAD, DATA ..., END; or ERROR.
 */
struct train_get {
	uint8_t flags;
	uint64_t offset;
	uint64_t same_size;
	int64_t same_mtime_ns;
	struct path path;
};

/*
 * Sends root's tree in path_cmp order, files with their data.  The stretch:
 * from (relative to root; no segments: the start) inclusive, until (no
 * segments: the end) exclusive; offset is where to begin in from's own data
 * when from is a file.  Answer: for each entry HEAD, and for a file DATA ...,
 * END (an ERROR of entry scope in their place when it cannot be read); then
 * SUM.  Root itself is not an entry; entry paths are relative to it.
 */
struct train_tree {
	uint8_t flags; /* HEADS_ONLY, NO_DIGEST, ANEW */
	uint64_t offset;
	struct path root;
	struct path from;
	struct path until;
};

/* The entries of one folder in byte order, those after the name `after`
 * (no segments: from the first).  Answer: HEAD ..., then SUM. */
struct train_list {
	uint8_t flags; /* none are defined */
	struct path folder;
	struct path after; /* at most one segment */
};

enum train_kind { TRAIN_FILE = 1, TRAIN_DIR = 2 };

struct train_head {
	enum train_kind kind;
	uint32_t mode; /* permission bits, 0..0777 */
	uint64_t size; /* 0 for a folder */
	int64_t mtime_ns; /* since 1970, may be negative */
	uint64_t offset; /* of the first data byte; 0..size */
	struct path path; /* GET, LIST: one segment; TREE: relative to root.
			     At least one segment */
};

struct train_end {
	uint8_t flags; /* DIGEST, or the digest is zero and means nothing */
	uint64_t size;
	uint8_t sha256[TRAIN_SHA256_SIZE]; /* of the whole file */
};

struct train_sum {
	uint8_t flags; /* MORE */
	uint64_t files;
	uint64_t folders;
	uint64_t bytes; /* of the files, whole sizes */
	uint64_t links; /* symlinks, not served */
	uint64_t special; /* devices, sockets, pipes: not served */
	uint64_t unreadable; /* could not be opened or named */
};

enum train_code {
	TRAIN_E_PROTOCOL = 1, /* the request is not of this protocol */
	TRAIN_E_VERSION = 2, /* another version is spoken here */
	TRAIN_E_NOT_FOUND = 3,
	TRAIN_E_NOT_FILE = 4, /* GET of a folder */
	TRAIN_E_NOT_FOLDER = 5,
	TRAIN_E_DENIED = 6,
	TRAIN_E_OFFSET = 7, /* past the end of the file */
	TRAIN_E_CHANGED = 8, /* the file changed while it was sent */
	TRAIN_E_IO = 9, /* the server could not read it */
	TRAIN_E_BUSY = 10, /* too much at once: try again later */
	TRAIN_E_ENDING = 11, /* the server is going down */
	TRAIN_CODE_MAX = 11
};

enum train_scope {
	TRAIN_ENTRY = 1, /* this entry of a tree; the next follows */
	TRAIN_REQUEST = 2, /* ends the answer; the connection goes on */
	TRAIN_CONNECTION = 3 /* the sender closes after it */
};

struct train_error {
	enum train_code code;
	enum train_scope scope;
	uint16_t len;
	char text[LIM_TRAIN_TEXT_BYTES + 1]; /* a sentence, NUL at the end */
};

const char *train_code_name(enum train_code); /* "not found", never NULL */
const char *train_type_name(uint8_t type); /* "GET"; "?" when unknown */

/* TRAIN_OK or TRAIN_BAD with *reason; len is the frame's, all of it there. */
enum train_result train_get_parse(const struct train_frame *, const void *p,
    struct train_get *, const char **reason);
enum train_result train_tree_parse(const struct train_frame *, const void *p,
    struct train_tree *, const char **reason);
enum train_result train_list_parse(const struct train_frame *, const void *p,
    struct train_list *, const char **reason);
enum train_result train_head_parse(const struct train_frame *, const void *p,
    struct train_head *, const char **reason);
enum train_result train_end_parse(const struct train_frame *, const void *p,
    struct train_end *, const char **reason);
enum train_result train_sum_parse(const struct train_frame *, const void *p,
    struct train_sum *, const char **reason);
enum train_result train_error_parse(const struct train_frame *, const void *p,
    struct train_error *, const char **reason);

/* Header and payload; 0, or -ENOBUFS and the buffer is as before.  Of the text
 * what is not plain becomes "?", and what is over the limit is cut off. */
int train_get_put(struct buf *, const struct train_get *);
int train_tree_put(struct buf *, const struct train_tree *);
int train_list_put(struct buf *, const struct train_list *);
int train_head_put(struct buf *, const struct train_head *);
int train_end_put(struct buf *, const struct train_end *);
int train_sum_put(struct buf *, const struct train_sum *);
int train_error_put(
    struct buf *, enum train_code, enum train_scope, const char *text);

/* ---- push: the course note's own wire format, server to client ---- */

#define PUSH_HEAD_MAX (4 + LIM_SEG_BYTES + 8)

/* u32 name length, name, u64 size.  0 or -ENOBUFS or -EINVAL (a name that is
 * not one segment). */
int push_head_put(struct buf *, const char *name, uint64_t size);

#endif
