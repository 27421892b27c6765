#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "server/client_log.h"
#include "server/worker.h"

#define LINE_MAX_BYTES 1024

static void client_line(struct conn *, void (*put)(const char *, ...),
    const char *fmt, va_list) __attribute__((format(printf, 3, 0)));

bool
client_log_may(struct client_log *l, const unsigned char addr[16],
    uint64_t second, uint32_t *dropped)
{
	struct client_log_source s = { .second = second };
	unsigned i = 0;

	*dropped = 0;
	while (i < l->n_sources &&
	       memcmp(l->source[i].addr, addr, sizeof(s.addr)) != 0)
		i++;
	if (i < l->n_sources) {
		s = l->source[i];
	} else {
		memcpy(s.addr, addr, sizeof(s.addr));
		if (l->n_sources < CLIENT_LOG_SOURCES)
			l->n_sources++;
		else
			i--; /* the last one's place */
	}
	if (s.second != second) {
		*dropped = s.n_dropped;
		s.second = second;
		s.n_lines = s.n_dropped = 0;
	}
	if (s.n_lines < LIM_LOG_LINES)
		s.n_lines++;
	else
		s.n_dropped++;
	memmove(&l->source[1], &l->source[0], i * sizeof(l->source[0]));
	l->source[0] = s;
	return s.n_dropped == 0;
}

static void
client_line(
    struct conn *c, void (*put)(const char *, ...), const char *fmt, va_list ap)
{
	struct worker *w = c->worker;
	char text[LINE_MAX_BYTES];
	uint32_t dropped;
	bool may;

	may = client_log_may(
	    &w->client_log, c->peer.addr.bytes, w->now_ms / 1000, &dropped);
	if (dropped > 0)
		log_warn("worker %u %s: %u lines about this client were not"
			 " written",
		    w->index, conn_name(c), dropped);
	if (!may)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	put("worker %u %s %s", w->index, conn_name(c), text);
}

void
client_info(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	if (log_level() < LOG_INFO)
		return;
	va_start(ap, fmt);
	client_line(c, log_info, fmt, ap);
	va_end(ap);
}

void
client_warn(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	client_line(c, log_warn, fmt, ap);
	va_end(ap);
}
