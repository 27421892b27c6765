#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "client/client.h"
#include "client/digest.h"
#include "client/options.h"
#include "client/say.h"

#define PIECE_BYTES (1024 * 1024)

static const char *const synopsis[] = { "[--md5 | --sha256] file ...", NULL };

static const struct option_row rows[] = {
	{ 'm', false, "md5", NULL, "MD5, as md5sum prints it" },
	{ 's', false, "sha256", NULL,
	    "SHA-256, as sha256sum prints it (the default)" },
	{ 0 },
};

static int run(const struct command *, int, char **);
static int sum_file(struct digest *, const char *, unsigned char *);
static int sum_fd(struct digest *, int, unsigned char *);
static void print_sum(const unsigned char *, int, const char *);

const struct command cmd_sum = {
	.name = "sum",
	.about = "prints the digests of files here",
	.synopsis = synopsis,
	.options = rows,
	.run = run,
};

static int
run(const struct command *command, int argc, char **argv)
{
	struct options o = { .command = command, .argc = argc, .argv = argv };
	enum digest_kind kind = DIGEST_SHA256;
	unsigned char *piece;
	struct digest *digest;
	const char *arg;
	char **file, shown[1024];
	int c, r, status = CLIENT_DONE;

	while ((c = options_next(&o, &arg)) > 0)
		kind = c == 'm' ? DIGEST_MD5 : DIGEST_SHA256;
	if (c < 0)
		return CLIENT_USAGE;
	file = options_operands(&o);
	if (*file == NULL)
		return options_wrong(command, "a file is needed");
	digest = digest_new(kind);
	piece = malloc(PIECE_BYTES);
	for (; *file != NULL; file++) {
		r = digest != NULL && piece != NULL
			? sum_file(digest, *file, piece)
			: -ENOMEM;
		if (r == 0)
			continue;
		say("sum %s: %s",
		    text_escape(shown, sizeof(shown), *file, strlen(*file)),
		    strerrordesc_np(-r));
		status = CLIENT_FAILED;
	}
	digest_free(digest);
	free(piece);
	return status;
}

static int
sum_file(struct digest *digest, const char *name, unsigned char *piece)
{
	unsigned char sum[DIGEST_MAX];
	int fd = STDIN_FILENO, len, r;
	bool is_stdin = strcmp(name, "-") == 0;

	if (!is_stdin)
		fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r = sum_fd(digest, fd, piece);
	if (!is_stdin)
		fd_close(&fd);
	if (r != 0)
		return r;
	len = digest_end(digest, sum);
	if (len < 0)
		return -EIO;
	print_sum(sum, len, name);
	return 0;
}

static int
sum_fd(struct digest *digest, int fd, unsigned char *piece)
{
	ssize_t n;

	digest_begin(digest);
	while ((n = fd_read_full(fd, piece, PIECE_BYTES)) > 0)
		digest_add(digest, piece, (size_t)n);
	return (int)n;
}

/*
 * As sha256sum and md5sum print it, so that their -c reads it: a line whose
 * name has a newline, a return or a backslash begins with a backslash, and
 * has them written as \n, \r and \\.  A terminal is shown no other control
 * bytes either.
 */
static void
print_sum(const unsigned char *sum, int len, const char *name)
{
	char hex[2 * DIGEST_MAX + 1], shown[4096];
	const char *c;

	text_hex(hex, sum, (size_t)len);
	if (isatty(STDOUT_FILENO)) {
		printf("%s  %s\n", hex,
		    text_escape(shown, sizeof(shown), name, strlen(name)));
		return;
	}
	if (strpbrk(name, "\n\r\\") == NULL) {
		printf("%s  %s\n", hex, name);
		return;
	}
	printf("\\%s  ", hex);
	for (c = name; *c != '\0'; c++) {
		if (*c == '\n')
			fputs("\\n", stdout);
		else if (*c == '\r')
			fputs("\\r", stdout);
		else if (*c == '\\')
			fputs("\\\\", stdout);
		else
			putchar(*c);
	}
	putchar('\n');
}
