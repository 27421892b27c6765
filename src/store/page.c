#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/open.h"
#include "store/page.h"

#define PAGE_DENTS_BYTES 65536

struct store_page {
	int n;
	bool has_more;
	char after[LIM_SEG_BYTES + 1]; /* ask's, which may be in names */
	/* While it is filled, order is a heap over the slots of names with the
	 * greatest on top; then it is sorted. */
	uint16_t order[LIM_DIR_PAGE];
	char names[LIM_DIR_PAGE][LIM_SEG_BYTES + 1];
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

/* the heap */
static void page_add(struct store_page *, const char *, size_t);
static void page_sort(struct store_page *);
static void heap_up(struct store_page *, int);
static void heap_down(struct store_page *, int, int);
static int heap_cmp(const struct store_page *, int, int);
static void heap_swap(struct store_page *, int, int);

struct store_page *
store_page_new(void)
{
	struct store_page *p = malloc(sizeof(*p));

	if (p != NULL) {
		p->n = 0;
		p->has_more = false;
	}
	return p;
}

void
store_page_free(struct store_page *p)
{
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
	p->n = 0;
	p->has_more = false;
	r = page_pass(p, dir_fd, ask, &skipped);
	if (r != 0) {
		p->n = 0;
		p->has_more = false;
		return r;
	}
	page_sort(p);
	if (ask->skipped != NULL) {
		ask->skipped->links += skipped.links;
		ask->skipped->special += skipped.special;
		ask->skipped->unreadable += skipped.unreadable;
	}
	return p->n;
}

bool
store_page_has_more(const struct store_page *p)
{
	return p->has_more;
}

const char *
store_page_name(const struct store_page *p, int i)
{
	return p->names[p->order[i]];
}

int
store_page_count(const struct store_page *p)
{
	return p->n;
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
		page_add(p, name, len);
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
	return p->n < LIM_DIR_PAGE || !p->has_more ||
	       strcmp(name, p->names[p->order[0]]) < 0;
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

static void
page_add(struct store_page *p, const char *name, size_t len)
{
	if (p->n < LIM_DIR_PAGE) {
		memcpy(p->names[p->n], name, len + 1);
		p->order[p->n] = (uint16_t)p->n;
		heap_up(p, p->n++);
		return;
	}
	p->has_more = true;
	if (strcmp(name, p->names[p->order[0]]) < 0) {
		memcpy(p->names[p->order[0]], name, len + 1);
		heap_down(p, 0, p->n);
	}
}

static void
page_sort(struct store_page *p)
{
	int kept = 0;

	for (int end = p->n - 1; end > 0; end--) {
		heap_swap(p, 0, end);
		heap_down(p, 0, end);
	}
	/* A folder that is changed while it is read may tell a name twice. */
	for (int i = 0; i < p->n; i++) {
		if (kept > 0 && heap_cmp(p, kept - 1, i) == 0)
			continue;
		p->order[kept++] = p->order[i];
	}
	p->n = kept;
}

static void
heap_up(struct store_page *p, int i)
{
	for (int up; i > 0; i = up) {
		up = (i - 1) / 2;
		if (heap_cmp(p, up, i) >= 0)
			return;
		heap_swap(p, up, i);
	}
}

static void
heap_down(struct store_page *p, int i, int n)
{
	for (int child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && heap_cmp(p, child, child + 1) < 0)
			child++;
		if (heap_cmp(p, i, child) >= 0)
			return;
		heap_swap(p, i, child);
	}
}

/* strcmp compares as unsigned bytes, which is the order of path_cmp. */
static int
heap_cmp(const struct store_page *p, int a, int b)
{
	return strcmp(p->names[p->order[a]], p->names[p->order[b]]);
}

static void
heap_swap(struct store_page *p, int a, int b)
{
	uint16_t slot = p->order[a];

	p->order[a] = p->order[b];
	p->order[b] = slot;
}
