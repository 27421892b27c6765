#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/progress.h"
#include "client/say.h"

#define DRAW_MS 100
#define SAMPLE_MS 500
#define BAR_MIN 10
#define BAR_MAX 40

static uint64_t rate_now(struct progress *, uint64_t, uint64_t);
static void stats_text(char *, size_t, const struct progress_view *);
static size_t cut_columns(const char *, unsigned);
static unsigned char_columns(uint32_t);
static uint32_t char_next(const char **);

void
progress_init(struct progress *p, bool is_shown, const char *label)
{
	memset(p, 0, sizeof(*p));
	p->is_shown = is_shown;
	p->label = label;
	p->begun_ms = clock_ms();
	p->drawn_ms = p->begun_ms;
}

void
progress_tick(struct progress *p)
{
	if (p->is_shown && clock_ms() - p->drawn_ms >= DRAW_MS)
		progress_draw(p);
}

void
progress_draw(struct progress *p)
{
	char line[PROGRESS_LINE_SIZE];
	struct progress_view view;
	uint64_t now, bytes, kept;

	if (!p->is_shown)
		return;
	now = clock_ms();
	p->drawn_ms = now;
	/* first, for what is dropped was counted in bytes before */
	kept = atomic_load(&p->kept);
	bytes = atomic_load(&p->bytes);
	view = (struct progress_view){ .label = p->label,
		.bytes = bytes + kept,
		.bytes_due = atomic_load(&p->bytes_due),
		.items = atomic_load(&p->items),
		.items_due = atomic_load(&p->items_due),
		.rate = rate_now(p, now, bytes) };
	progress_line(line, say_width(), &view);
	say_status(line);
}

void
progress_end(struct progress *p)
{
	if (p->is_shown)
		say_status(NULL);
	p->is_shown = false;
}

uint64_t
progress_elapsed_ms(const struct progress *p)
{
	return clock_ms() - p->begun_ms;
}

/* label [####......] 45%  1.2 GiB of 2.6 GiB  310 MiB/s  0:04 left */
void
progress_line(
    char out[PROGRESS_LINE_SIZE], unsigned width, const struct progress_view *v)
{
	char stats[160];
	unsigned room, label, bar, full;
	uint64_t done = v->bytes, due = v->bytes_due;
	size_t at;

	stats_text(stats, sizeof(stats), v);
	room = width > strlen(stats) + 1 ? width - 1 - (unsigned)strlen(stats)
					 : 0;
	if (room == 0) {
		snprintf(out, PROGRESS_LINE_SIZE, "%.*s",
		    width > 0 ? (int)width - 1 : 0, stats);
		return;
	}
	label = progress_columns(v->label) + 1;
	bar = due > 0 ? room - (label < room / 2 ? label : room / 2) : 0;
	bar = bar > BAR_MAX ? BAR_MAX : bar < BAR_MIN ? 0 : bar;
	label = room - bar;
	at = cut_columns(v->label, label > 1 ? label - 1 : 0);
	memcpy(out, v->label, at);
	if (at > 0)
		out[at++] = ' ';
	if (bar > 0) {
		bar -= 3; /* its ends and the space behind it */
		full = done >= due
			   ? bar
			   : (unsigned)((double)done / (double)due * bar);
		out[at++] = '[';
		memset(out + at, '#', full);
		memset(out + at + full, '.', bar - full);
		at += bar;
		out[at++] = ']';
		out[at++] = ' ';
	}
	memcpy(out + at, stats, strlen(stats) + 1);
}

char *
progress_duration(char *out, size_t cap, uint64_t ms)
{
	if (ms >= 60000)
		return text_duration(out, cap, ms / 1000);
	if (ms < 1000)
		snprintf(out, cap, "%u ms", (unsigned)ms);
	else
		snprintf(out, cap, "%u.%u s", (unsigned)(ms / 1000),
		    (unsigned)(ms % 1000 / 100));
	return out;
}

unsigned
progress_columns(const char *text)
{
	unsigned columns = 0;

	while (*text != '\0')
		columns += char_columns(char_next(&text));
	return columns;
}

static uint64_t
rate_now(struct progress *p, uint64_t now, uint64_t bytes)
{
	unsigned last, first;
	uint64_t ms;

	last = (p->n_samples + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES;
	if (p->n_samples == 0 || now - p->sample[last].ms >= SAMPLE_MS) {
		last = p->n_samples++ % PROGRESS_SAMPLES;
		p->sample[last].ms = now;
		p->sample[last].bytes = bytes;
	}
	first = p->n_samples > PROGRESS_SAMPLES
		    ? p->n_samples % PROGRESS_SAMPLES
		    : 0;
	ms = now - p->sample[first].ms;
	if (p->n_samples <= PROGRESS_SAMPLES) { /* since the beginning */
		ms = now - p->begun_ms;
		return ms > 0 ? bytes * 1000 / ms : 0;
	}
	return ms > 0 ? (bytes - p->sample[first].bytes) * 1000 / ms : 0;
}

static void
stats_text(char *out, size_t cap, const struct progress_view *v)
{
	char done[16], due[16], rate[16], left[24], items[64] = "";
	uint64_t missing;
	int n;

	text_size(done, sizeof(done), v->bytes);
	text_size(rate, sizeof(rate), v->rate);
	if (v->items_due > 0)
		snprintf(items, sizeof(items),
		    "%" PRIu64 "/%" PRIu64 " files  ", v->items, v->items_due);
	if (v->bytes_due == 0) {
		if (v->items > 0 && v->items_due == 0)
			snprintf(items, sizeof(items), "%" PRIu64, v->items);
		snprintf(out, cap, "%s", items);
		return;
	}
	text_size(due, sizeof(due), v->bytes_due);
	n = snprintf(out, cap, "%s%3u%%  %s of %s  %s/s", items,
	    v->bytes >= v->bytes_due
		? 100
		: (unsigned)((double)v->bytes / (double)v->bytes_due * 100),
	    done, due, rate);
	missing = v->bytes < v->bytes_due ? v->bytes_due - v->bytes : 0;
	if (n > 0 && (size_t)n < cap && v->rate > 0)
		snprintf(out + n, cap - (size_t)n, "  %s left",
		    text_duration(left, sizeof(left), missing / v->rate));
}

/* The bytes of text that fit so many columns. */
static size_t
cut_columns(const char *text, unsigned columns)
{
	const char *at = text, *next = text;
	unsigned used = 0;

	while (*at != '\0') {
		used += char_columns(char_next(&next));
		if (used > columns || (size_t)(next - text) > 4 * 512)
			break;
		at = next;
	}
	return (size_t)(at - text);
}

/* Those who draw two columns wide, with narrow ones between them taken for
 * wide: a line that is too short does no harm; marks that are drawn over the
 * character before them. */
static unsigned
char_columns(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		unsigned columns;
	} ranges[] = {
		{ 0x0300, 0x036f, 0 },
		{ 0x1100, 0x115f, 2 },
		{ 0x200b, 0x200f, 0 },
		{ 0x20d0, 0x20ff, 0 },
		{ 0x231a, 0x23f3, 2 },
		{ 0x25a0, 0x27bf, 2 },
		{ 0x2b1b, 0x2b55, 2 },
		{ 0x2e80, 0x303e, 2 },
		{ 0x3041, 0xa4cf, 2 },
		{ 0xa960, 0xa97c, 2 },
		{ 0xac00, 0xd7a3, 2 },
		{ 0xf900, 0xfaff, 2 },
		{ 0xfe00, 0xfe0f, 0 },
		{ 0xfe10, 0xfe19, 2 },
		{ 0xfe30, 0xfe6f, 2 },
		{ 0xff00, 0xff60, 2 },
		{ 0xffe0, 0xffe6, 2 },
		{ 0x16fe0, 0x18d08, 2 },
		{ 0x1aff0, 0x1b2fb, 2 },
		{ 0x1f000, 0x1faff, 2 },
		{ 0x20000, 0x3fffd, 2 },
	};
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return ranges[i].columns;
	return 1;
}

static uint32_t
char_next(const char **text)
{
	uint32_t c = 0;
	size_t n;

	n = text_utf8(*text, strlen(*text), &c);
	*text += n > 0 ? n : 1;
	return n > 0 ? c : 0xfffd;
}
