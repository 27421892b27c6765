#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "server/confine.h"
#include "server/logger.h"

#define BUFFER_BYTES (64 * 1024)
/* When little has come it waits so long for more, so that it need not wake for
 * each turn of each worker; but only if the pipe has room for that. */
#define REST_MS 5
#define REST_PIPE_BYTES (512 * 1024)

struct logger {
	const char *file;
	int file_fd;
	int signal_fd;
	bool has_room; /* REST_PIPE_BYTES are in the pipe */
	bool may_rest;
	bool is_failing; /* the last line was lost, and that was said */
	bool is_cut; /* the file ends in the middle of a line */
	uint64_t n_lost; /* lines, since it was failing */
	size_t len;
	char bytes[BUFFER_BYTES + 1]; /* read, not yet written */
};

static int logger_set_up(struct logger *, const char *file);
/* ---- from the pipe ---- */
static bool logger_read(struct logger *);
static void make_harmless(char *, size_t);
/* ---- to the file ---- */
static void logger_write(struct logger *, size_t);
static size_t append(int fd, const char *, size_t);
static void logger_lose(struct logger *, const char *, size_t);
static void logger_recover(struct logger *);
static void logger_reopen(struct logger *);

int
logger_main(const char *file)
{
	static struct logger l;
	struct pollfd p[2];
	bool goes_on = true;
	int r;

	r = logger_set_up(&l, file);
	if (r != 0) {
		log_error("access log %s: %s", file, strerror(-r));
		return 1;
	}
	p[0] = (struct pollfd){ .fd = LOGGER_PIPE_FD, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = l.signal_fd, .events = POLLIN };
	while (goes_on) {
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			fatal("access log: poll");
		if (p[1].revents != 0)
			logger_reopen(&l);
		if (p[0].revents != 0)
			goes_on = logger_read(&l);
		if (goes_on && l.may_rest)
			poll(&p[1], 1, REST_MS);
	}
	if (l.is_failing)
		log_error("access log %s: %" PRIu64 " lines were lost", file,
		    l.n_lost);
	return 0;
}

/* The file first: /dev/stdout and its like cannot be opened by name once the
 * process is not dumpable. */
static int
logger_set_up(struct logger *l, const char *file)
{
	sigset_t mask;

	l->file = file;
	l->file_fd = logger_open_file(file);
	if (l->file_fd < 0)
		return l->file_fd;
	confine_self("netpand-logger");
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	l->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	l->has_room = fcntl(LOGGER_PIPE_FD, F_GETPIPE_SZ) >= REST_PIPE_BYTES;
	return l->signal_fd == -1 ? -errno : 0;
}

/* O_NONBLOCK: a FIFO that nobody reads is an error, not a wait. */
int
logger_open_file(const char *file)
{
	int fd, r;

	fd = open(file,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
	    0640);
	if (fd == -1)
		return -errno;
	r = fd_set_nonblock(fd, 0);
	if (r != 0) {
		fd_close(&fd);
		return r;
	}
	return fd;
}

/* ---- from the pipe ---- */

/* Writes the whole lines of what has come; false at the end. */
static bool
logger_read(struct logger *l)
{
	const char *end;
	ssize_t n;

	n = read(LOGGER_PIPE_FD, l->bytes + l->len, BUFFER_BYTES - l->len);
	if (n == -1)
		return errno == EINTR || errno == EAGAIN;
	l->may_rest = l->has_room && n < BUFFER_BYTES / 2;
	make_harmless(l->bytes + l->len, (size_t)n);
	l->len += (size_t)n;
	end = memrchr(l->bytes, '\n', l->len);
	if (end != NULL) {
		logger_write(l, (size_t)(end + 1 - l->bytes));
	} else if (l->len == BUFFER_BYTES || (n == 0 && l->len > 0)) {
		/* no line of ours */
		l->bytes[l->len++] = '\n';
		logger_write(l, l->len);
	}
	return n > 0;
}

/* The workers have done so already; but one that was taken over writes what
 * it likes. */
static void
make_harmless(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\n' && (p[i] < 0x20 || p[i] > 0x7e))
			p[i] = '?'; /* also where char is signed */
}

/* ---- to the file ---- */

/* The first n bytes, which are whole lines.  A line that was cut short by a
 * failure is ended before the next begins. */
static void
logger_write(struct logger *l, size_t n)
{
	size_t done = 0;

	if (!l->is_cut || append(l->file_fd, "\n", 1) == 1) {
		done = append(l->file_fd, l->bytes, n);
		l->is_cut = done > 0 && l->bytes[done - 1] != '\n';
	}
	if (done < n)
		logger_lose(l, l->bytes + done, n - done);
	else if (l->is_failing)
		logger_recover(l);
	l->len -= n;
	memmove(l->bytes, l->bytes + n, l->len);
}

/* How many bytes were written; errno says why not all. */
static size_t
append(int fd, const char *p, size_t n)
{
	size_t done = 0;
	ssize_t w;

	while (done < n) {
		w = write(fd, p + done, n - done);
		if (w >= 0)
			done += (size_t)w;
		else if (errno != EINTR)
			break;
	}
	return done;
}

static void
logger_lose(struct logger *l, const char *p, size_t n)
{
	if (!l->is_failing)
		log_error("access log %s: %s: lines are lost", l->file,
		    strerror(errno));
	l->is_failing = true;
	for (size_t i = 0; i < n; i++)
		l->n_lost += p[i] == '\n';
}

static void
logger_recover(struct logger *l)
{
	log_warn("access log %s: written again, %" PRIu64 " lines were lost",
	    l->file, l->n_lost);
	l->is_failing = false;
	l->n_lost = 0;
}

static void
logger_reopen(struct logger *l)
{
	struct signalfd_siginfo si;
	int fd;

	while (read(l->signal_fd, &si, sizeof(si)) == sizeof(si))
		;
	fd = logger_open_file(l->file);
	if (fd < 0) {
		log_error("access log %s: %s: the one that is open is kept",
		    l->file, strerror(-fd));
		return;
	}
	fd_close(&l->file_fd);
	l->file_fd = fd;
	l->is_cut = false;
	log_info("access log %s: opened anew", l->file);
}
