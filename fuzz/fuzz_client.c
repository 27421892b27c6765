/*
 * A whole command of the client against a server that sends these bytes:
 * whatever they are, nothing outside the target changes, nothing but plain
 * files and folders is made, a file has its name only with a digest that the
 * server gave, and what the user is told has no control bytes in it.
 *
 * The input: a byte for the command, a byte for how much a read takes, then
 * for each connection a u16 length and so many bytes.  The hello is put before
 * them unless the length has its highest bit set.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/fd.h"
#include "base/text.h"
#include "client/client.h"
#include "client/part.h"
#include "client/say.h"
#include "train/train.h"

#include "must.h"

#define SECRET "not yours"
#define SCRIPT_MAX 32768 /* fits a socket's buffer */
#define CONNS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* ---- what is sent, and to whom ---- */

static const uint8_t *input; /* all of it */
static size_t input_len;
static struct reader scripts;
static int peer_fd = -1;
static unsigned n_conns;

static int
dial(struct session *session, int *fd)
{
	static const unsigned char hello[] = "\xf5TRN\1\0\0";
	const unsigned char *script;
	uint16_t len;
	int pair[2];

	(void)session;
	len = reader_u16(&scripts);
	script = reader_bytes(&scripts, len % SCRIPT_MAX);
	if (scripts.bad || n_conns++ == CONNS_MAX)
		return -ECONNREFUSED;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		pair) == -1)
		return -errno;
	fd_close(&peer_fd);
	peer_fd = pair[1];
	if (len < SCRIPT_MAX)
		must(fd_write_full(peer_fd, hello, 8) == 8);
	len %= SCRIPT_MAX;
	must(fd_write_full(peer_fd, script, len) == len);
	/* what the client sends stays in the socket's buffer, unread */
	must(shutdown(peer_fd, SHUT_WR) == 0);
	*fd = pair[0];
	return 0;
}

/* ---- what the user is told, in place of say.c ---- */

static void
look_at(const char *text, size_t len, bool has_lines)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		must((c >= ' ' && c != 0x7f) || (has_lines && c == '\n'));
	}
}

void
say(const char *fmt, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	look_at(text, strlen(text), false);
}

bool
say_has_status(void)
{
	return false;
}

unsigned
say_width(void)
{
	return 80;
}

void
say_status(const char *line)
{
	must(line == NULL);
}

char *
say_path(char out[SAY_PATH_SIZE], const struct path *path)
{
	out[0] = '/';
	text_escape(out + 1, SAY_PATH_SIZE - 1, path->bytes, path->len);
	return out;
}

/* ---- where it is written ---- */

static char base[64]; /* has "target" and "secret" in it */
static int home_fd = -1; /* where the fuzzer itself is at home */

static int
remove_one(const char *name, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	if (where->level > 0)
		must(remove(name) == 0);
	return 0;
}

static void
clear_base(void)
{
	must(nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void
leave(void)
{
	clear_base();
	rmdir(base);
}

static void
put(const char *name, const char *bytes)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd != -1);
	must(fd_write_full(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
	fd_close(&fd);
}

/* Things in the way, as an earlier run or somebody else may have left. */
static void
lay_out(void)
{
	char part[PART_NAME_SIZE];

	if (base[0] == '\0') {
		strcpy(base, access("/dev/shm", W_OK) == 0
				 ? "/dev/shm/fuzz-XXXXXX"
				 : "/tmp/fuzz-XXXXXX");
		must(mkdtemp(base) != NULL);
		home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(home_fd != -1);
		atexit(leave);
	}
	must(chdir(base) == 0);
	put("secret", SECRET);
	must(mkdir("target", 0700) == 0);
	must(mkdir("target/d", 0700) == 0);
	must(symlink("..", "target/link") == 0);
	must(symlink("../secret", "target/leaf") == 0);
	put("target/mine", "mine");
	part_name(part, "f", 5, 1);
	must(chdir("target") == 0);
	put(part, "he");
	must(chdir(base) == 0);
}

/* ---- what must hold of it ---- */

/* Does the input have the digest of this file in it? */
static bool
is_vouched_for(const char *name)
{
	static unsigned char bytes[CONNS_MAX * SCRIPT_MAX];
	unsigned char sum[SHA256_DIGEST_LENGTH];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	must(fd != -1);
	n = fd_read_full(fd, bytes, sizeof(bytes));
	fd_close(&fd);
	must(n >= 0);
	SHA256(bytes, (size_t)n, sum);
	return memmem(input, input_len, sum, sizeof(sum)) != NULL;
}

static int
check_one(const char *name, const struct stat *st, int kind, struct FTW *where)
{
	const char *leaf = name + where->base;
	bool is_below = strncmp(name, "./target/", 9) == 0;

	(void)kind;
	if (!is_below) {
		must(strcmp(name, ".") == 0 || strcmp(name, "./target") == 0 ||
		     strcmp(name, "./secret") == 0);
		return 0;
	}
	if (S_ISLNK(st->st_mode)) {
		must(strcmp(name, "./target/link") == 0 ||
		     strcmp(name, "./target/leaf") == 0);
		return 0;
	}
	must(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
	must((st->st_mode & 07000) == 0);
	if (!S_ISREG(st->st_mode) || part_is_name(leaf))
		return 0;
	must(is_vouched_for(name) ||
	     (strcmp(name, "./target/mine") == 0 && st->st_size == 4));
	return 0;
}

static void
check(void)
{
	char got[64];
	int fd;

	must(chdir(base) == 0);
	must(nftw(".", check_one, 16, FTW_PHYS) == 0);
	fd = open("secret", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	must(fd != -1);
	must(fd_read_full(fd, got, sizeof(got)) == (ssize_t)strlen(SECRET));
	must(memcmp(got, SECRET, strlen(SECRET)) == 0);
	fd_close(&fd);
}

/* ---- the commands ---- */

static void
run(unsigned command, struct session *session)
{
	struct path path;
	struct client_get get = {
		.session = session, .path = &path, .jobs = 1
	};

	path_init(&path);
	switch (command % 4) {
	case 0:
		get.out = "target";
		client_get_tree(&get);
		break;
	case 1:
		must(path_push(&path, "f", 1) == PATH_OK);
		get.out = "target/f";
		client_get_file(&get);
		break;
	case 2:
		must(path_push(&path, "leaf", 4) == PATH_OK);
		get.out = "target/leaf";
		client_get_file(&get);
		break;
	default:
		client_list(session, &path, (command & 4) != 0);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct session session = {
		.stop_fd = -1, .silence_ms = 60000, .retries = 3, .dial = dial
	};
	FILE *terminal = stdout;
	char *printed = NULL;
	size_t n_printed = 0;
	uint8_t command;

	input = bytes;
	input_len = len;
	reader_init(&scripts, bytes, len);
	command = reader_u8(&scripts);
	session.read_max = reader_u8(&scripts);
	n_conns = 0;
	lay_out();

	stdout = open_memstream(&printed, &n_printed);
	must(stdout != NULL);
	run(command, &session);
	must(fclose(stdout) == 0);
	stdout = terminal;
	look_at(printed, n_printed, true);
	free(printed);

	fd_close(&peer_fd);
	check();
	clear_base();
	must(fchdir(home_fd) == 0);
	return 0;
}
