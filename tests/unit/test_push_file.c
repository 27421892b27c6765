/* The pushed stream, gathered from any place in pieces of any size, is the
 * note's: head, then frames of up to 1000 bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/push_file.h"

static int
make_file(size_t size)
{
	int fd = memfd_create("push", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)(i * 7 + i / 251);

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
	}
	return fd;
}

/* The stream as the protocol's text says it, byte by byte. */
static unsigned char *
reference(const char *name, size_t size, size_t *len)
{
	unsigned char *out = malloc(size + size / 1000 * 4 + 400);
	size_t n = 0, name_len = strlen(name);

	assert_non_null(out);
	for (int i = 0; i < 4; i++)
		out[n++] = (unsigned char)(name_len >> (8 * i));
	memcpy(out + n, name, name_len);
	n += name_len;
	for (int i = 0; i < 8; i++)
		out[n++] = (unsigned char)((uint64_t)size >> (8 * i));
	for (size_t i = 0; i < size; i++) {
		if (i % 1000 == 0) {
			size_t frame = size - i < 1000 ? size - i : 1000;

			for (int k = 0; k < 4; k++)
				out[n++] = (unsigned char)(frame >> (8 * k));
		}
		out[n++] = (unsigned char)(i * 7 + i / 251);
	}
	*len = n;
	return out;
}

static void
check_from(const struct push_file *p, const unsigned char *want, size_t len,
    size_t pos, int cap)
{
	struct iovec iov[16];
	int n = push_file_gather(p, pos, UINT64_MAX, iov, cap);

	assert_true(n <= cap);
	if (pos == len)
		assert_int_equal(n, 0);
	else
		assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_true(pos + iov[i].iov_len <= len);
		assert_memory_equal(
		    iov[i].iov_base, want + pos, iov[i].iov_len);
		pos += iov[i].iov_len;
	}
}

static void
stream_is_the_notes(void **state)
{
	static const size_t sizes[] = { 0, 1, 4, 999, 1000, 1001, 1999, 2000,
		2001, 5000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct push_file *p = NULL;
		unsigned char *want;
		size_t len;

		want = reference("name.bin", sizes[i], &len);
		assert_int_equal(
		    push_file_new(&p, make_file(sizes[i]), "name.bin"), 0);
		assert_int_equal(push_file_stream_size(p), len);
		for (size_t pos = 0; pos <= len; pos++)
			for (int cap = 2; cap <= 16; cap += 7)
				check_from(p, want, len, pos, cap);
		push_file_free(p);
		free(want);
	}
}

static void
stretch_is_where_the_bytes_are(void **state)
{
	static const struct {
		int line;
		uint64_t pos, len, off, n;
	} cases[] = {
		{ __LINE__, 0, 1000, 0, 1000 },
		{ __LINE__, 12, 1000, 0, 1000 },
		{ __LINE__, 13, 1000, 0, 1000 },
		{ __LINE__, 13 + 1004, 1000, 1000, 1000 },
		{ __LINE__, 13 + 1003, 10, 0, 10 },
		{ __LINE__, 13 + 2 * 1004, 10000, 2000, 500 },
		{ __LINE__, 13 + 3 * 1004, 10000, 2500, 0 },
		{ __LINE__, UINT64_MAX, 1, 2500, 0 },
	};
	struct push_file *p = NULL;
	uint64_t off, n;

	(void)state;
	assert_int_equal(push_file_new(&p, make_file(2500), "f"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		push_file_stretch(p, cases[i].pos, cases[i].len, &off, &n);
		if (off != cases[i].off || n != cases[i].n)
			fail_msg("line %d: got %llu+%llu", cases[i].line,
			    (unsigned long long)off, (unsigned long long)n);
	}
	push_file_free(p);
}

static void
what_cannot_be_pushed(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b", "/a",
		".netpan" };
	char long_name[300];
	struct push_file *p = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(
		    push_file_new(&p, make_file(1), names[i]), -EINVAL);
	memset(long_name, 'x', sizeof(long_name));
	long_name[256] = '\0';
	assert_int_equal(push_file_new(&p, make_file(1), long_name), -EINVAL);
	long_name[255] = '\0';
	assert_int_equal(push_file_new(&p, make_file(1), long_name), 0);
	push_file_free(p);
	p = NULL;
	assert_int_equal(
	    push_file_new(&p, open("/", O_RDONLY | O_CLOEXEC), "x"), -EINVAL);
	assert_null(p);
	push_file_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_is_the_notes),
		cmocka_unit_test(stretch_is_where_the_bytes_are),
		cmocka_unit_test(what_cannot_be_pushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
