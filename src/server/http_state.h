/* The inside of the HTTP door, for serve_http.c and http_*.c alone. */
#ifndef SERVER_HTTP_STATE_H
#define SERVER_HTTP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "http/chunk.h"
#include "http/head.h"
#include "http/query.h"
#include "http/range.h"
#include "server/conn.h"
#include "server/digests.h"
#include "server/helpers.h"
#include "server/hot.h"
#include "server/http_head.h"
#include "server/http_log.h"
#include "server/pack_name.h"
#include "server/window.h"

/* Answers kept back for company are sent when they come to so much: no request
 * is looked at while more is kept. */
#define HTTP_FLUSH_AT (CONN_OUT_SIZE / 4)

/* What one worker's HTTP connections share: it is in use only while one
 * request is looked at. */
struct http_desk {
	struct head head;
	struct query query;
	struct path path;
	struct http_second second;
};

enum http_state {
	HTTP_OPEN, /* a job opens the file */
	HTTP_DIGEST, /* the file's digest is computed */
	HTTP_FILE, /* its bytes are being sent */
	HTTP_FOLDER, /* a listing is being sent */
	HTTP_PACK, /* an archive is */
	HTTP_SKIP /* answered; the request's body is read and thrown away */
};

/* An answer that is not given at once; conn->answer. */
struct http {
	struct conn *conn;
	enum http_state state;
	enum http_keep keep;
	uint16_t status; /* 0: its head is not written yet */
	bool ends_by_close; /* the end of the connection is the body's */
	bool is_cut; /* the connection must end: what was promised cannot be */
	uint64_t began_ns;
	uint64_t body_from; /* conn->n_sent when its body began */
	uint64_t n_framing; /* bytes behind that which frame chunks */
	enum board_method method;
	struct http_note *note; /* for the log; NULL: none is written */
	struct job job; /* whatever waits for the disk: one at a time */
	struct http_opening *opening; /* HTTP_OPEN */
	struct http_folder *folder; /* HTTP_FOLDER */
	struct http_pack *pack; /* HTTP_PACK */
	struct digest_wait digest; /* HTTP_DIGEST, of file */
	int digest_fd; /* a copy of file's, which others use too; or -1 */
	/* HTTP_FILE */
	struct hot_file *file;
	struct window window;
	uint64_t off, end; /* what is left of this stretch */
	struct http_parts *parts; /* NULL: it is the only one */
	/* the request's body */
	bool skips_chunked;
	struct chunk chunk;
	uint64_t skip_left;
};

/* What is asked, while it is looked at. */
struct http_ask {
	struct conn *conn;
	const struct head *head; /* NULL: it could not be read */
	struct str line; /* the request line, for the log */
	enum http_keep keep;
	uint64_t began_ns;
	const uint8_t *sha256; /* of the file, where it is wanted; or NULL */
};

/* ---- serve_http.c ---- */

/* An answer of one sentence: text/plain, or JSON when that is asked for. */
enum want
http_say(const struct http_ask *, unsigned status, const char *sentence);
/* The same with a field of its own; value.p NULL: without. */
enum want http_say_with(const struct http_ask *, unsigned status,
    const char *sentence, const char *name, struct str value);
/* 503: later it may well be possible. */
enum want http_say_busy(const struct http_ask *, const char *sentence);
/* What an errno of the store is in HTTP. */
enum want http_say_errno(const struct http_ask *, int error);

/* conn->answer for it, zeroed; NULL: no memory. */
struct http *http_new(const struct http_ask *);
void http_free(struct conn *);

/* A whole answer, with body bytes of body, is in out or sent: its log line,
 * its deadline, and what is next: WANT_NOTHING, or the end of the
 * connection. */
enum want
http_answered(const struct http_ask *, unsigned status, uint64_t body);
/* What is in out, or was sent, up to now is head: the body begins. */
void http_body_begins(struct http *);
/* The body has neither length nor chunks (HTTP/1.0): the connection ends with
 * it, and is reset when that is before its end. */
void http_end_by_close(struct http *);
/* The same for conn->answer, which is freed. */
enum want http_ended(struct http *);

/* h's request, which is still in the buffer, laid on the desk again.  False:
 * it cannot be, and the connection must end. */
bool http_look_again(const struct http *, struct http_ask *);
/* The request is answered by h: its head is not needed any more, and its
 * body, if it has one, is thrown away after that. */
void http_take_request(struct http *, const struct http_ask *);
/* Sends h's job out. */
void http_submit(struct http *, bool (*run)(struct job *));
/* Does the client want JSON rather than words for people? */
bool http_wants_json(const struct http_ask *);

/* ---- http_folder.c ---- */

/* Answers with the listing of the desk's path. */
enum want http_folder(const struct http_ask *);
enum want http_folder_step(struct http *);
void http_folder_free(struct http *);

/* ---- http_pack.c ---- */

/* Answers with an archive of the desk's path. */
enum want http_pack(const struct http_ask *, enum pack_form);
enum want http_pack_step(struct http *);
/* Ends it; true while its thread has not. */
bool http_pack_stop(struct http *);
void http_pack_free(struct http *);

/* ---- http_self.c ---- */

/* Is a request's path the server's own, /@ or below? */
bool http_is_self(struct str path);
enum want http_self(const struct http_ask *);

/* ---- http_file.c ---- */

/* Answers with file, which is taken. */
enum want http_file(const struct http_ask *, struct hot_file *file);
enum want http_file_step(struct http *);
/* The digest is there, or there will be none. */
enum want http_digest_step(struct http *);
void http_file_free(struct http *);

#endif
