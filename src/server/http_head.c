#include <string.h>

#include "server/http_head.h"

/* A stranger's bytes are never active content here: no script, no form, no
 * origin of ours, whatever the type is taken for. */
#define FILE_POLICY "sandbox; default-src 'none'"

static void put_keep(struct reply *, enum http_keep);
static void put_policy(struct reply *);

void
http_second_set(struct http_second *s, int64_t second)
{
	struct reply reply;
	struct buf b;

	if (s->second == second && s->ok[0].len > 0)
		return;
	s->second = second;
	date_format(s->date, second);
	for (int i = 0; i < HTTP_KEEPS; i++) {
		buf_init(&b, s->ok[i].bytes, sizeof(s->ok[i].bytes));
		http_begin(&reply, &b, s, 200, (enum http_keep)i);
		s->ok[i].len = buf_len(&b);
	}
}

void
http_begin(struct reply *r, struct buf *out, const struct http_second *s,
    unsigned status, enum http_keep keep)
{
	reply_begin(r, out, status, s->date);
	put_keep(r, keep);
}

size_t
http_file_head(char out[HTTP_FILE_HEAD_MAX], const struct path *path,
    const struct store_meta *meta, struct str etag)
{
	const char *leaf = path_leaf(path);
	struct http_file_fields fields = {
		.name = { .p = leaf, .len = strlen(leaf) },
		.etag = etag,
		.mtime_ns = meta->mtime_ns,
	};
	struct mime mime = mime_of_name(fields.name.p, fields.name.len);
	struct reply r;
	struct buf b;

	buf_init(&b, out, HTTP_FILE_HEAD_MAX);
	reply_go_on(&r, &b);
	reply_field(&r, "Content-Type",
	    (struct str){ .p = mime.type, .len = strlen(mime.type) });
	reply_field_u64(&r, "Content-Length", meta->size);
	http_put_file_fields(&r, &fields);
	return reply_end(&r) == 0 ? buf_len(&b) : 0;
}

void
http_put_file_fields(struct reply *r, const struct http_file_fields *f)
{
	bool is_inline = mime_of_name(f->name.p, f->name.len).is_inline;
	char date[DATE_LEN + 1];

	date_format(date, http_seconds(f->mtime_ns));
	reply_field(
	    r, "Last-Modified", (struct str){ .p = date, .len = DATE_LEN });
	reply_field(r, "ETag", f->etag);
	reply_field(r, "Accept-Ranges", STR("bytes"));
	/* kept, but asked about each time: files change */
	reply_field(r, "Cache-Control", STR("no-cache"));
	put_policy(r);
	if (f->sha256 != NULL)
		reply_repr_digest(r, f->sha256);
	if (f->is_download || !is_inline)
		reply_disposition(r, false, f->name);
}

static void
put_policy(struct reply *r)
{
	reply_field(r, "X-Content-Type-Options", STR("nosniff"));
	reply_field(r, "Content-Security-Policy", STR(FILE_POLICY));
}

static void
put_keep(struct reply *r, enum http_keep keep)
{
	switch (keep) {
	case HTTP_KEEP_SAID:
		reply_field(r, "Connection", STR("keep-alive"));
		break;
	case HTTP_CLOSE:
		reply_field(r, "Connection", STR("close"));
		break;
	case HTTP_KEEP:
	case HTTP_KEEPS:
		break;
	}
}

int64_t
http_seconds(int64_t ns)
{
	int64_t s = ns / 1000000000;

	return ns % 1000000000 < 0 ? s - 1 : s;
}
