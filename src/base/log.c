#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define NAME_BYTES 64

static struct {
	char name[NAME_BYTES];
	enum log_level level;
	int fd;
	bool is_open; /* log_open was called */
	bool has_time;
	atomic_uint lost; /* lines dropped since the last that was written */
} logger = { .level = LOG_INFO, .fd = STDERR_FILENO };

static const char *const level_words[LOG_LEVELS] = {
	[LOG_ERROR] = "error: ",
	[LOG_WARN] = "warning: ",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "debug: ",
};

/* ---- a line ---- */
static void log_line(const char *word, int error, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static size_t line_begin(char *line, const char *word);
static size_t line_end(char *line, size_t len);
static size_t grown(size_t len, int n);
/* ---- its way out ---- */
static void send_line(char *line, size_t len);
static size_t make_notice(char *line, unsigned lost);
static bool is_writable(void);

void
log_open(const char *name, enum log_level level)
{
	snprintf(logger.name, sizeof(logger.name), "%s", name);
	logger.level = level;
	logger.is_open = true;
	logger.has_time = getenv("JOURNAL_STREAM") == NULL;
}

enum log_level
log_level(void)
{
	return logger.level;
}

void
log_set_fd(int fd)
{
	logger.fd = fd;
}

#define LOG_AT(level_, fmt)                                \
	do {                                               \
		va_list ap;                                \
		if ((level_) > logger.level)               \
			return;                            \
		va_start(ap, fmt);                         \
		log_line(level_words[level_], 0, fmt, ap); \
		va_end(ap);                                \
	} while (0)

void
log_error(const char *fmt, ...)
{
	LOG_AT(LOG_ERROR, fmt);
}

void
log_warn(const char *fmt, ...)
{
	LOG_AT(LOG_WARN, fmt);
}

void
log_info(const char *fmt, ...)
{
	LOG_AT(LOG_INFO, fmt);
}

void
log_debug(const char *fmt, ...)
{
	LOG_AT(LOG_DEBUG, fmt);
}

void
fatal(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	log_line(logger.is_open ? level_words[LOG_ERROR] : "", error, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(logger.is_open ? level_words[LOG_ERROR] : "", 0, fmt, ap);
	va_end(ap);
	exit(1);
}

/* error: an errno whose words end the line, or 0. */
static void
log_line(const char *word, int error, const char *fmt, va_list ap)
{
	char line[LOG_LINE_BYTES], words[128];
	int saved = errno;
	size_t len;

	len = line_begin(line, word);
	len = grown(len, vsnprintf(line + len, sizeof(line) - len, fmt, ap));
	if (error != 0)
		len = grown(
		    len, snprintf(line + len, sizeof(line) - len, ": %s",
			     strerror_r(error, words, sizeof(words))));
	send_line(line, line_end(line, len));
	errno = saved;
}

static size_t
line_begin(char *line, const char *word)
{
	struct timespec ts;
	struct tm tm;
	size_t len = 0;

	if (logger.has_time) {
		clock_gettime(CLOCK_REALTIME, &ts);
		gmtime_r(&ts.tv_sec, &tm);
		len = strftime(line, LOG_LINE_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
		len = grown(len, snprintf(line + len, LOG_LINE_BYTES - len,
				     ".%03ldZ ", ts.tv_nsec / 1000000));
	}
	return grown(len,
	    snprintf(line + len, LOG_LINE_BYTES - len, "%s: %s",
		logger.is_open ? logger.name : program_invocation_short_name,
		word));
}

/* Over-long lines end in dots; one newline, at the end. */
static size_t
line_end(char *line, size_t len)
{
	if (len == LOG_LINE_BYTES - 1) {
		len -= 4;
		while ((line[len] & 0xc0) == 0x80)
			len--; /* not in the middle of a character */
		memcpy(line + len, "...", 3);
		len += 3;
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	return len;
}

/* What snprintf has added, when it may have been cut. */
static size_t
grown(size_t len, int n)
{
	if (n < 0)
		return len;
	if ((size_t)n > LOG_LINE_BYTES - 1 - len)
		return LOG_LINE_BYTES - 1;
	return len + (size_t)n;
}

/* Before it, in the same write, what was lost until now. */
static void
send_line(char *line, size_t len)
{
	char notice[LOG_LINE_BYTES];
	unsigned lost = atomic_exchange(&logger.lost, 0);
	struct iovec iov[] = {
		{ .iov_base = notice, .iov_len = 0 },
		{ .iov_base = line, .iov_len = len },
	};
	ssize_t n = -1;

	if (lost > 0)
		iov[0].iov_len = make_notice(notice, lost);
	if (is_writable())
		do
			n = writev(logger.fd, iov, 2);
		while (n == -1 && errno == EINTR);
	if (n == -1)
		atomic_fetch_add(&logger.lost, lost + 1);
}

static size_t
make_notice(char *line, unsigned lost)
{
	size_t len = line_begin(line, level_words[LOG_WARN]);

	len = grown(len, snprintf(line + len, LOG_LINE_BYTES - len,
			     "log lines lost: %u", lost));
	return line_end(line, len);
}

/* A file always is; a pipe with no room for a line, or a stopped terminal, is
 * not.  Several writers may still meet in a pipe's last page. */
static bool
is_writable(void)
{
	struct pollfd p = { .fd = logger.fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}
