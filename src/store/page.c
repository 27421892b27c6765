#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/names.h"
#include "store/open.h"
#include "store/page.h"

#define PAGE_DENTS_BYTES 65536

struct store_page {
	char after[LIM_SEG_BYTES + 1]; /* ask's, which may be in names */
	struct names names;
	_Alignas(struct dirent64) char dents[PAGE_DENTS_BYTES];
};

/* one pass */
static int page_pass(
    struct store_page *, int, const struct page_ask *, struct store_skipped *);
static int page_entry(struct store_page *, int, const struct page_ask *,
    struct store_skipped *, const char *, uint8_t);
static bool
page_wants(const struct store_page *, const struct page_ask *, const char *);
static int dent_type(int, const char *, uint8_t, enum open_type *);

struct store_page *
store_page_new(void)
{
	struct store_page *p = malloc(sizeof(*p));

	if (p != NULL)
		names_init(&p->names, LIM_DIR_PAGE, LIM_DIR_PAGE_BYTES);
	return p;
}

void
store_page_free(struct store_page *p)
{
	if (p != NULL)
		names_free(&p->names);
	free(p);
}

int
store_page_read(struct store_page *p, int dir_fd, const char *after,
    struct store_skipped *count_skipped)
{
	struct page_ask ask = {
		.after = after,
		.max_len = LIM_SEG_BYTES,
		.skipped = count_skipped,
	};

	return page_read(p, dir_fd, &ask);
}

void
page_forget(struct store_page *p)
{
	names_clear(&p->names);
}

int
page_read(struct store_page *p, int dir_fd, const struct page_ask *ask)
{
	struct store_skipped skipped = { 0 };
	size_t len;
	int r;

	/* Cut is fine: no name lies between the cut one and the whole. */
	len = strnlen(ask->after, LIM_SEG_BYTES);
	memcpy(p->after, ask->after, len);
	p->after[len] = '\0';
	names_clear(&p->names);
	r = page_pass(p, dir_fd, ask, &skipped);
	if (r != 0) {
		names_clear(&p->names);
		return r;
	}
	names_sort(&p->names);
	if (ask->skipped != NULL) {
		ask->skipped->links += skipped.links;
		ask->skipped->special += skipped.special;
		ask->skipped->unreadable += skipped.unreadable;
	}
	return p->names.n;
}

bool
store_page_has_more(const struct store_page *p)
{
	return p->names.has_more;
}

const char *
store_page_name(const struct store_page *p, int i)
{
	return names_at(&p->names, i);
}

int
store_page_count(const struct store_page *p)
{
	return p->names.n;
}

static int
page_pass(struct store_page *p, int dir_fd, const struct page_ask *ask,
    struct store_skipped *skipped)
{
	const struct dirent64 *d;
	ssize_t n;
	int r;

	if (lseek(dir_fd, 0, SEEK_SET) == -1)
		return -errno;
	for (;;) {
		do
			n = getdents64(dir_fd, p->dents, sizeof(p->dents));
		while (n == -1 && errno == EINTR);
		if (n <= 0)
			return n == 0 ? 0 : -errno;
		for (ssize_t off = 0; off < n; off += d->d_reclen) {
			d = (const void *)(p->dents + off);
			/* Not d->d_name: a FUSE name may outgrow the array. */
			r = page_entry(p, dir_fd, ask, skipped,
			    (const char *)d + offsetof(struct dirent64, d_name),
			    d->d_type);
			if (r != 0)
				return r;
		}
	}
}

static int
page_entry(struct store_page *p, int dir_fd, const struct page_ask *ask,
    struct store_skipped *skipped, const char *name, uint8_t d_type)
{
	size_t len = strlen(name);
	enum path_result check = path_check_segment(name, len);
	bool is_nameable = check == PATH_OK && len <= ask->max_len;
	bool is_wanted = is_nameable && page_wants(p, ask, name);
	enum open_type type;
	int r;

	if (check == PATH_DOTS || check == PATH_RESERVED)
		return 0;
	if (!is_wanted && ask->skipped == NULL)
		return 0;
	r = dent_type(dir_fd, name, d_type, &type);
	if (open_is_lack(r))
		return r;
	if (r == -ENOENT)
		return 0;
	if (r != 0)
		skipped->unreadable++;
	else if (type == OPEN_LINK)
		skipped->links++;
	else if (type == OPEN_SPECIAL)
		skipped->special++;
	else if (!is_nameable)
		skipped->unreadable++;
	else if (is_wanted)
		return names_add(&p->names, name, len);
	return 0;
}

/* Would this name, if it is served, change the page? */
static bool
page_wants(
    const struct store_page *p, const struct page_ask *ask, const char *name)
{
	int c = strcmp(name, p->after);

	if (c < 0 || (c == 0 && !ask->inclusive))
		return false;
	return names_wants(&p->names, name);
}

static int
dent_type(int dir_fd, const char *name, uint8_t d_type, enum open_type *type)
{
	struct store_meta meta;

	switch (d_type) {
	case DT_REG:
		*type = OPEN_FILE;
		return 0;
	case DT_DIR:
		*type = OPEN_DIR;
		return 0;
	case DT_LNK:
		*type = OPEN_LINK;
		return 0;
	case DT_UNKNOWN:
		return open_look(dir_fd, name, STORE_WAIT, &meta, type);
	default:
		*type = OPEN_SPECIAL;
		return 0;
	}
}
