/* A folder as an archive: what is in it, what it says is not, and that one
 * which went wrong is none. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper.h"

#include "base/fd.h"
#include "server/pack_tree.h"
#include "store_tree.h"

#define BIG (300 * 1000) /* several pieces, the last not whole */

/* ---- reading that goes wrong ---- */

/* Called before each read of the file, with where; its result, unless 0, is
 * what the read gives. */
static ssize_t (*on_pread)(off_t);
static int big_fd; /* to write into the file that is read */

ssize_t __real_pread64(int, void *, size_t, off_t);
ssize_t __wrap_pread64(int, void *, size_t, off_t);

ssize_t
__wrap_pread64(int fd, void *buf, size_t len, off_t off)
{
	ssize_t r = on_pread == NULL ? 0 : on_pread(off);

	if (r == 0)
		return __real_pread64(fd, buf, len, off);
	errno = (int)-r;
	return -1;
}

static ssize_t
shrink_at_once(off_t off)
{
	if (off == 0)
		assert_int_equal(ftruncate(big_fd, 1000), 0);
	return 0;
}

static ssize_t
shrink_later(off_t off)
{
	if (off > 0)
		assert_int_equal(ftruncate(big_fd, BIG - 1), 0);
	return 0;
}

static ssize_t
grow(off_t off)
{
	assert_int_equal(ftruncate(big_fd, BIG + 1 + off), 0);
	return 0;
}

static ssize_t
fail_at_once(off_t off)
{
	return off == 0 ? -EIO : 0;
}

static ssize_t
fail_later(off_t off)
{
	return off > 0 ? -EIO : 0;
}

/* ---- archives in memory ---- */

struct sunk {
	unsigned char *bytes;
	size_t len;
	size_t room;
	size_t cap; /* a write that goes past it fails with -ENOSPC */
	bool is_full;
	_Atomic bool stop;
	void (*on_write)(struct sunk *);
};

static int
sink_write(void *arg, const void *bytes, size_t len)
{
	struct sunk *s = arg;

	assert_false(s->is_full);
	if (s->on_write != NULL)
		s->on_write(s);
	s->is_full = len > s->cap - s->len;
	if (s->is_full)
		return -ENOSPC;
	if (len > s->room - s->len) {
		s->room = 2 * s->room + len;
		s->bytes = realloc(s->bytes, s->room);
		assert_non_null(s->bytes);
	}
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
	return 0;
}

static int
pack_folder(const struct tree *t, const char *folder, enum pack_form form,
    struct sunk *s)
{
	struct path path = tree_path(folder);
	struct pack_sink sink = {
		.write = sink_write, .arg = s, .stop = &s->stop
	};

	s->len = 0;
	if (s->cap == 0)
		s->cap = (size_t)-1 / 2;
	return pack_tree(t->store, &path, form, &sink);
}

struct entry {
	char name[512];
	mode_t mode;
	int64_t size;
	time_t mtime;
	char *text;
};

/* All entries of the archive in their order, or -1: it is none. */
static int
read_archive(const struct sunk *s, struct entry *entries, int max)
{
	static const unsigned char end[1024];
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int n = 0, r;

	archive_read_support_format_tar(a);
	archive_read_support_format_zip_seekable(a);
	r = archive_read_open_memory(a, s->bytes, s->len);
	while (r == ARCHIVE_OK &&
	       (r = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
		struct entry *to = &entries[n++];

		assert_true(n <= max);
		snprintf(to->name, sizeof(to->name), "%s",
		    archive_entry_pathname(e));
		to->mode = archive_entry_mode(e);
		to->size = archive_entry_size(e);
		to->mtime = archive_entry_mtime(e);
		to->text = calloc(1, (size_t)to->size + 1);
		if (archive_read_data(a, to->text, (size_t)to->size) !=
		    to->size)
			r = ARCHIVE_FATAL;
	}
	/* a tar that is cut off between two entries reads well */
	if (archive_format(a) != ARCHIVE_FORMAT_ZIP &&
	    (s->len < sizeof(end) ||
		memcmp(s->bytes + s->len - sizeof(end), end, sizeof(end)) != 0))
		r = ARCHIVE_FATAL;
	archive_read_free(a);
	for (int i = 0; i < n && r != ARCHIVE_EOF; i++)
		free(entries[i].text);
	return r == ARCHIVE_EOF ? n : -1;
}

static void
free_entries(struct entry *entries, int n)
{
	for (int i = 0; i < n; i++)
		free(entries[i].text);
}

static const struct entry *
find(const struct entry *entries, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

static void
check_entry(int line, const struct entry *entries, int n, const char *name,
    mode_t mode, const char *text)
{
	const struct entry *e = find(entries, n, name);

	if (e == NULL)
		fail_line(line, "%s is not there", name);
	CHECK_INT(line, name, "mode", mode, e->mode);
	CHECK_STR(line, name, "text", text, e->text);
}

static void
check_none(int line, const struct sunk *s)
{
	static struct entry entries[64];

	if (s->len > 0)
		CHECK_INT(line, "", "entries of what failed", -1,
		    read_archive(s, entries, 64));
}

#define FORMS(form) \
	for (enum pack_form form = PACK_TAR; form <= PACK_ZIP; form++)

#define NOTE "in/" PACK_NOTE_NAME

/* ---- what is in it ---- */

static void
test_entries(void **state)
{
	struct tree *t = *state;
	struct entry e[16];
	struct sunk s = { 0 };
	int n;

	tree_mkdir(t->in_fd, "d");
	tree_mkdir(t->in_fd, "d/empty");
	tree_write(t->in_fd, "d/file", "text");
	tree_write(t->in_fd, "d/nothing", "");
	tree_write(t->in_fd, "beside", "not packed");
	tree_mkdir(t->in_fd, PATH_RESERVED_NAME);
	assert_int_equal(fchmodat(t->in_fd, "d/file", 04751, 0), 0);
	assert_int_equal(fchmodat(t->in_fd, "d/empty", 01700, 0), 0);
	tree_set_mtime(t->in_fd, "d/file", 1234567890);
	tree_set_mtime(t->in_fd, "d/empty", -5);
	tree_set_mtime(t->in_fd, "d/nothing", 5000000000);
	FORMS(form)
	{
		bool is_tar = form == PACK_TAR;

		assert_int_equal(pack_folder(t, "d", form, &s), 0);
		n = read_archive(&s, e, 16);
		assert_int_equal(n, 4);
		assert_string_equal(e[0].name, "d/");
		check_entry(__LINE__, e, n, "d/", S_IFDIR | 0755, "");
		check_entry(__LINE__, e, n, "d/empty/", S_IFDIR | 0700, "");
		check_entry(__LINE__, e, n, "d/file", S_IFREG | 0751, "text");
		check_entry(__LINE__, e, n, "d/nothing", S_IFREG | 0644, "");
		CHECK_INT(__LINE__, "d/file", "mtime", 1234567890,
		    find(e, n, "d/file")->mtime);
		CHECK_INT(__LINE__, "d/empty/", "mtime", is_tar ? -5 : 0,
		    find(e, n, "d/empty/")->mtime);
		CHECK_INT(__LINE__, "d/nothing", "mtime",
		    is_tar ? 5000000000 : INT32_MAX,
		    find(e, n, "d/nothing")->mtime);
		free_entries(e, n);
	}
	FORMS(form)
	{
		assert_int_equal(pack_folder(t, "", form, &s), 0);
		n = read_archive(&s, e, 16);
		assert_int_equal(n, 6);
		assert_string_equal(e[0].name, PACK_ROOT_NAME "/");
		check_entry(__LINE__, e, n, PACK_ROOT_NAME "/beside",
		    S_IFREG | 0644, "not packed");
		free_entries(e, n);
	}
	free(s.bytes);
}

/* Sizes around a piece's; the bytes are told apart. */
static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 1, 511, 512, 513, 65535, 65536, 65537,
		131072, 200000 };
	struct tree *t = *state;
	struct sunk s = { 0 };
	struct entry e[16];
	char name[32], *text[nitems(sizes)];
	int n;

	for (size_t i = 0; i < nitems(sizes); i++) {
		text[i] = calloc(1, sizes[i] + 1);
		for (size_t k = 0; k < sizes[i]; k++)
			text[i][k] = (char)('a' + (k * 7 + k / 251) % 26);
		snprintf(name, sizeof(name), "%zu", sizes[i]);
		tree_write(t->in_fd, name, text[i]);
	}
	FORMS(form)
	{
		assert_int_equal(pack_folder(t, "", form, &s), 0);
		n = read_archive(&s, e, 16);
		assert_int_equal(n, nitems(sizes) + 1);
		for (size_t i = 0; i < nitems(sizes); i++) {
			snprintf(name, sizeof(name), PACK_ROOT_NAME "/%zu",
			    sizes[i]);
			check_entry(
			    __LINE__, e, n, name, S_IFREG | 0644, text[i]);
		}
		free_entries(e, n);
	}
	for (size_t i = 0; i < nitems(sizes); i++)
		free(text[i]);
	free(s.bytes);
}

/* Any name goes in as it is, or as pack_name says, whatever locale the process
 * has. */
static void
test_names(void **state)
{
	static const char *const names[] = { "网盘", "\xff", "e\xcc\x81", "-rf",
		"a\\b", "C:x", "new\nline", "..x", "...", "\xed\xa0\xbd",
		"\xed\xa0\xbd\xed\xb8\x80", "\xc0\xaf", "\xf4\x90\x80\x80",
		"\xef\xbf\xbf", "\xf0\x9f\x98\x80", "\xb2\xe2" };
	struct tree *t = *state;
	char want[LIM_SEG_BYTES + 1];
	struct sunk s = { 0 };
	const char *raw;

	/* a tar that has only UTF-8 does not say that it is anything else */
	tree_write(t->in_fd, "网盘", "x");
	assert_int_equal(pack_folder(t, "", PACK_TAR, &s), 0);
	assert_null(memmem(s.bytes, s.len, "BINARY", 6));
	for (size_t i = 0; i < nitems(names); i++)
		tree_write(t->in_fd, names[i], names[i]);
	assert_int_equal(pack_folder(t, "", PACK_TAR, &s), 0);
	assert_non_null(memmem(s.bytes, s.len, "BINARY", 6));
	FORMS(form)
	{
		assert_int_equal(pack_folder(t, "", form, &s), 0);
		for (size_t i = 0; i < nitems(names); i++) {
			size_t len = pack_name(
			    want, names[i], strlen(names[i]), form, false);

			raw = memmem(s.bytes, s.len, want, len);
			if (raw == NULL)
				fail_line(__LINE__, "%s is not there", want);
		}
	}
	free(s.bytes);
}

static void
test_no_folder(void **state)
{
	struct tree *t = *state;
	struct sunk s = { 0 };

	tree_write(t->in_fd, "file", "x");
	tree_symlink(t->in_fd, "link", ".");
	tree_mkdir(t->in_fd, "closed");
	assert_int_equal(fchmodat(t->in_fd, "closed", 0, 0), 0);
	FORMS(form)
	{
		assert_int_equal(pack_folder(t, "no", form, &s), -ENOENT);
		assert_int_equal(pack_folder(t, "file", form, &s), -ENOTDIR);
		assert_int_equal(pack_folder(t, "link", form, &s), -ENOENT);
		tree_drop_rights();
		assert_int_equal(pack_folder(t, "closed", form, &s), -EACCES);
		tree_regain_rights();
		assert_int_equal(s.len, 0);
	}
}

/* ---- what is not ---- */

static void
check_note(int line, const struct entry *entries, int n, const char *what)
{
	const struct entry *e = find(
	    entries, n, PACK_ROOT_NAME "/" PACK_NOTE_NAME);

	if (e == NULL)
		fail_line(line, "there is no note");
	CHECK_INT(line, "note", "mode", S_IFREG | 0644, e->mode);
	if (e != &entries[n - 1])
		fail_line(line, "the note is not the last");
	if (strstr(e->text, what) == NULL)
		fail_line(line, "'%s' is not in the note:\n%s", what, e->text);
}

static void
test_left_out(void **state)
{
	struct tree *t = *state;
	struct sunk s = { 0 };
	struct entry e[16];
	int n;

	tree_write(t->in_fd, "open", "x");
	tree_write(t->in_fd, "se\x1b[31m", "secret");
	assert_int_equal(fchmodat(t->in_fd, "se\x1b[31m", 0, 0), 0);
	tree_mkdir(t->in_fd, "closed");
	tree_write(t->in_fd, "closed/in", "secret");
	assert_int_equal(fchmodat(t->in_fd, "closed", 0, 0), 0);
	tree_symlink(t->in_fd, "link", "open");
	tree_symlink(t->in_fd, "to", "/");
	tree_fifo(t->in_fd, "fifo");
	tree_drop_rights();
	FORMS(form)
	{
		assert_int_equal(pack_folder(t, "", form, &s), 0);
		n = read_archive(&s, e, 16);
		assert_int_equal(n, 4);
		check_entry(__LINE__, e, n, PACK_ROOT_NAME "/open",
		    S_IFREG | 0644, "x");
		check_note(__LINE__, e, n, "could not be read: 1\n");
		check_note(
		    __LINE__, e, n, "\n  se\\x1b[31m: Permission denied\n");
		check_note(__LINE__, e, n,
		    "Symbolic links, which are never"
		    " packed: 2\n");
		check_note(__LINE__, e, n, "devices and the like: 1\n");
		check_note(__LINE__, e, n, "looked at, or lie too deep: 1\n");
		assert_null(memmem(s.bytes, s.len, "secret", 6));
		free_entries(e, n);
	}
	free(s.bytes);
}

/* Many: those that have room are told, and how many more. */
static void
test_note_is_bounded(void **state)
{
	enum { MANY = 1500 };
	static struct entry e[MANY];
	unsigned n_told = 0, n_more = 0;
	struct tree *t = *state;
	struct sunk s = { 0 };
	const char *p;
	char name[32];
	int n;

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "file-%04d", i);
		tree_write(t->in_fd, name, "x");
		assert_int_equal(fchmodat(t->in_fd, name, 0, 0), 0);
	}
	tree_drop_rights();
	assert_int_equal(pack_folder(t, "", PACK_ZIP, &s), 0);
	n = read_archive(&s, e, MANY);
	assert_int_equal(n, 2);
	check_note(__LINE__, e, n, "could not be read: 1500\n");
	assert_true(e[1].size > LIM_ARCHIVE_NOTE_BYTES - 1024);
	assert_true(e[1].size < LIM_ARCHIVE_NOTE_BYTES + 1024);
	for (p = e[1].text; (p = strstr(p, "\n  file-")) != NULL; p++)
		n_told++;
	p = strstr(e[1].text, "\n  and ");
	assert_non_null(p);
	assert_int_equal(sscanf(p, "\n  and %u more\n", &n_more), 1);
	assert_int_equal(n_told + n_more, MANY);
	free_entries(e, n);
	free(s.bytes);
}

/* A file that has the note's name, in the folder itself, gets another. */
static void
test_note_has_its_name(void **state)
{
	struct tree *t = *state;
	struct sunk s = { 0 };
	struct entry e[16];
	int n;

	tree_write(t->in_fd, PACK_NOTE_NAME, "mine");
	tree_write(t->in_fd, "not in this archive.txt", "mine, small");
	tree_mkdir(t->in_fd, "d");
	tree_write(t->in_fd, "d/" PACK_NOTE_NAME, "below");
	tree_symlink(t->in_fd, "link", "x");
	FORMS(form)
	{
		assert_int_equal(pack_folder(t, "", form, &s), 0);
		n = read_archive(&s, e, 16);
		assert_int_equal(n, 6);
		check_note(__LINE__, e, n, "Symbolic links");
		check_entry(__LINE__, e, n,
		    PACK_ROOT_NAME "/NOT IN THIS ARCHIVE~5f41af29f527.txt",
		    S_IFREG | 0644, "mine");
		check_entry(__LINE__, e, n, PACK_ROOT_NAME "/d/" PACK_NOTE_NAME,
		    S_IFREG | 0644, "below");
		free_entries(e, n);
	}
	free(s.bytes);
}

/* ---- files that do not hold still ---- */

static const struct {
	int line;
	ssize_t (*on_pread)(off_t);
	int want; /* what the packing says; what follows is for 0 */
	int64_t want_size; /* -1: the file is not in it */
	const char *note; /* NULL: none */
} restless[] = {
	{ __LINE__, NULL, 0, BIG, NULL },
	{ __LINE__, shrink_at_once, 0, 1000, "big: changed while it was read" },
	{ __LINE__, shrink_later, -ESTALE, 0, NULL },
	{ __LINE__, grow, 0, BIG, "big: changed while it was read" },
	{ __LINE__, fail_at_once, 0, -1, "big: Input/output error" },
	{ __LINE__, fail_later, -EIO, 0, NULL },
};

static void
check_restless(const struct tree *t, size_t row, enum pack_form form)
{
	int line = restless[row].line, n, r;
	struct sunk s = { 0 };
	const struct entry *big;
	struct entry e[16];

	big_fd = openat(
	    t->in_fd, "big", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(big_fd >= 0);
	assert_int_equal(ftruncate(big_fd, BIG), 0);
	on_pread = restless[row].on_pread;
	r = pack_folder(t, "", form, &s);
	on_pread = NULL;
	fd_close(&big_fd);
	CHECK_INT(line, "big", "result", restless[row].want, r);
	if (r != 0) {
		check_none(line, &s);
		free(s.bytes);
		return;
	}
	n = read_archive(&s, e, 16);
	assert_true(n > 0);
	big = find(e, n, PACK_ROOT_NAME "/big");
	CHECK_INT(line, "big", "size", restless[row].want_size,
	    big == NULL ? -1 : big->size);
	assert_non_null(find(e, n, PACK_ROOT_NAME "/behind"));
	if (restless[row].note != NULL)
		check_note(line, e, n, restless[row].note);
	else
		assert_null(find(e, n, PACK_ROOT_NAME "/" PACK_NOTE_NAME));
	free_entries(e, n);
	free(s.bytes);
}

static void
test_restless(void **state)
{
	struct tree *t = *state;

	tree_write(t->in_fd, "behind", "");
	FORMS(form)
	{
		for (size_t i = 0; i < nitems(restless); i++)
			check_restless(t, i, form);
	}
}

static const struct tree *tree_to_empty;

static void
empty_it(struct sunk *s)
{
	tree_empty(tree_to_empty->in_fd);
	s->on_write = NULL;
}

static void
remove_it(struct sunk *s)
{
	empty_it(s);
	assert_int_equal(
	    unlinkat(tree_to_empty->top_fd, "in", AT_REMOVEDIR), 0);
	tree_mkdir(tree_to_empty->top_fd, "in");
}

/* The folder vanishes: what was met before is an archive, or nothing is. */
static void
test_vanishes(void **state)
{
	void (*const ways[])(struct sunk *) = { empty_it, remove_it };
	struct tree *t = *state;
	struct entry e[16];
	int n, r;

	tree_to_empty = t;
	FORMS(form)
	{
		for (size_t i = 0; i < nitems(ways); i++) {
			struct sunk s = { .on_write = ways[i] };
			int in_fd = openat(t->top_fd, "in",
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			fd_close(&t->in_fd);
			t->in_fd = in_fd;
			store_free(t->store);
			assert_int_equal(store_new(&t->store,
					     fcntl(in_fd, F_DUPFD_CLOEXEC, 3)),
			    0);
			tree_mkdir(in_fd, "d");
			tree_write(in_fd, "d/a", "x");
			tree_mkdir(in_fd, "d/b");
			tree_write(in_fd, "d/b/c", "x");
			r = pack_folder(t, "d", form, &s);
			assert_true(r == 0 || r == -ENOENT);
			n = read_archive(&s, e, 16);
			assert_int_equal(n, r == 0 ? 1 : -1);
			free_entries(e, n);
			free(s.bytes);
		}
	}
}

/* ---- its end ---- */

static void
stop_it(struct sunk *s)
{
	if (s->len > 2000)
		atomic_store(&s->stop, true);
}

static void
test_stop(void **state)
{
	struct tree *t = *state;
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		tree_write(t->in_fd, name, "");
	}
	FORMS(form)
	{
		struct sunk s = { .on_write = stop_it };

		assert_int_equal(pack_folder(t, "", form, &s), -ECANCELED);
		assert_true(s.len < 6000);
		check_none(__LINE__, &s);
		free(s.bytes);
		/* before it began */
		s = (struct sunk){ .stop = true };
		assert_int_equal(pack_folder(t, "", form, &s), -ECANCELED);
		check_none(__LINE__, &s);
		free(s.bytes);
	}
}

/* Whichever write fails: that is what it says, nothing more is written, and
 * what was is no archive. */
static void
test_sink_fails(void **state)
{
	struct tree *t = *state;
	struct sunk s = { 0 };
	size_t whole;

	tree_write(t->in_fd, "a", "aaaa");
	tree_write(t->in_fd, "网盘", "x");
	tree_symlink(t->in_fd, "link", "a");
	FORMS(form)
	{
		s = (struct sunk){ 0 };
		assert_int_equal(pack_folder(t, "", form, &s), 0);
		whole = s.len;
		free(s.bytes);
		for (size_t cap = 1; cap < whole; cap += 100) {
			s = (struct sunk){ .cap = cap };
			assert_int_equal(pack_folder(t, "", form, &s), -ENOSPC);
			check_none(__LINE__, &s);
			free(s.bytes);
		}
	}
}

/* ---- a zip's directory ---- */

#define DEEP_LEVELS 14
#define LEAF_LEN 250 /* about */

/* Folders one in the other: what they take of the directory. */
static size_t
grow_deep(int in_fd, int *deep_fd)
{
	char name[LIM_SEG_BYTES + 1] = "";
	size_t len = strlen(PACK_ROOT_NAME), sum = 98 + len + 1;
	int fd, below;

	memset(name, 'd', LIM_SEG_BYTES);
	fd = fcntl(in_fd, F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < DEEP_LEVELS; i++) {
		tree_mkdir(fd, name);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		fd = below;
		assert_true(fd >= 0);
		len += 1 + LIM_SEG_BYTES;
		sum += 98 + len + 1;
	}
	*deep_fd = fd;
	return sum;
}

static void
discard(struct sunk *s)
{
	s->len = 0;
}

/* Just as many entries, and just as long, as there is room for. */
static void
test_zip_directory(void **state)
{
	struct sunk s = { .on_write = discard };
	struct tree *t = *state;
	char name[LIM_SEG_BYTES + 1];
	size_t room, each, n, letters;
	int deep_fd;

	room = LIM_ZIP_DIRECTORY_BYTES - grow_deep(t->in_fd, &deep_fd);
	each = 98 + strlen(PACK_ROOT_NAME) + DEEP_LEVELS * (1 + LIM_SEG_BYTES) +
	       1;
	n = room / (each + LEAF_LEN) + 1;
	letters = room - n * each;
	for (size_t i = 0; i < n; i++) {
		size_t len = letters / n + (i < letters % n);

		assert_in_range(len, 10, LEAF_LEN);
		snprintf(name, sizeof(name), "%0*zu", (int)len, i);
		tree_write(deep_fd, name, "");
	}
	assert_int_equal(pack_folder(t, "", PACK_ZIP, &s), 0);
	/* one past it: refused before there is a byte */
	assert_int_equal(unlinkat(deep_fd, name, 0), 0);
	strcat(name, "z");
	tree_write(deep_fd, name, "");
	s.len = 0;
	s.on_write = NULL;
	assert_int_equal(pack_folder(t, "", PACK_ZIP, &s), -EFBIG);
	assert_int_equal(s.len, 0);
	s.on_write = discard;
	assert_int_equal(pack_folder(t, "", PACK_TAR, &s), 0);
	free(s.bytes);
	fd_close(&deep_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TREE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tree_setup_quick, tree_teardown)
		TREE_TEST(test_entries),
		TREE_TEST(test_sizes),
		TREE_TEST(test_names),
		TREE_TEST(test_no_folder),
		TREE_TEST(test_left_out),
		TREE_TEST(test_note_is_bounded),
		TREE_TEST(test_note_has_its_name),
		TREE_TEST(test_restless),
		TREE_TEST(test_vanishes),
		TREE_TEST(test_stop),
		TREE_TEST(test_sink_fails),
		TREE_TEST(test_zip_directory),
	};

	tree_guard(100);
	pack_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
