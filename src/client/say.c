#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "client/say.h"

#define WIDTH_MAX 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_shown; /* a status line is on the terminal */

void
say(const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&lock);
	flockfile(stderr);
	fputs(is_shown ? "\r\033[Knetpan: " : "netpan: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
	fflush(stderr);
	funlockfile(stderr);
	is_shown = false;
	pthread_mutex_unlock(&lock);
}

bool
say_has_status(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

unsigned
say_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_col == 0)
		return 80;
	return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

void
say_status(const char *line)
{
	pthread_mutex_lock(&lock);
	if (line != NULL || is_shown)
		fprintf(stderr, "\r\033[K%s", line != NULL ? line : "");
	fflush(stderr);
	is_shown = line != NULL;
	pthread_mutex_unlock(&lock);
}

char *
say_path(char out[SAY_PATH_SIZE], const struct path *path)
{
	out[0] = '/';
	text_escape(out + 1, SAY_PATH_SIZE - 1, path->bytes, path->len);
	return out;
}
