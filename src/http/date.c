#include <string.h>

#include "base/buf.h"
#include "http/date.h"

#define DAY_S 86400
#define FIRST_SECOND INT64_C(-62135596800) /* of the year 1 */
#define LAST_SECOND INT64_C(253402300799) /* of the year 9999 */

/* A moment in the Gregorian calendar, which has always been in force here. */
struct civil {
	int year;
	unsigned month; /* 0: January */
	unsigned day; /* 1: the first */
	unsigned hour, minute, second;
	unsigned weekday; /* 0: Sunday; civil_seconds does not look */
};

/* ---- the calendar ---- */
static struct civil civil_of(int64_t seconds);
static int64_t civil_seconds(const struct civil *);
static bool civil_is_real(const struct civil *);
static unsigned days_in_month(int year, unsigned month);
/* ---- writing: each returns the end ---- */
static char *put_digits(char *, unsigned v, unsigned n);
static char *put_name(char *, const char *names, unsigned i);
static char *put_clock(char *, const struct civil *);
/* ---- reading: the reader is bad when it is something else ---- */
static void read_imf(struct reader *, struct civil *);
static void read_rfc850(struct reader *, struct civil *, int64_t now);
static void read_asctime(struct reader *, struct civil *);
static void read_clock(struct reader *, struct civil *);
static unsigned read_digits(struct reader *, unsigned n);
static unsigned read_name(struct reader *, const char *names, unsigned n);
static void read_day_name(struct reader *);
static void expect(struct reader *, const char *);
static int full_year(const struct civil *, int64_t now);

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char weekdays[] = "SunMonTueWedThuFriSat";

void
date_format(char out[DATE_LEN + 1], int64_t seconds)
{
	struct civil c = civil_of(seconds);
	char *p = out;

	p = put_name(p, weekdays, c.weekday);
	*p++ = ',';
	*p++ = ' ';
	p = put_digits(p, c.day, 2);
	*p++ = ' ';
	p = put_name(p, months, c.month);
	*p++ = ' ';
	p = put_digits(p, (unsigned)c.year, 4);
	*p++ = ' ';
	p = put_clock(p, &c);
	memcpy(p, " GMT", 5);
}

void
date_format_clf(char out[DATE_CLF_LEN + 1], int64_t seconds)
{
	struct civil c = civil_of(seconds);
	char *p = out;

	p = put_digits(p, c.day, 2);
	*p++ = '/';
	p = put_name(p, months, c.month);
	*p++ = '/';
	p = put_digits(p, (unsigned)c.year, 4);
	*p++ = ':';
	p = put_clock(p, &c);
	memcpy(p, " +0000", 7);
}

void
date_format_iso(char out[DATE_ISO_LEN + 1], int64_t seconds)
{
	struct civil c = civil_of(seconds);
	char *p = out;

	p = put_digits(p, (unsigned)c.year, 4);
	*p++ = '-';
	p = put_digits(p, c.month + 1, 2);
	*p++ = '-';
	p = put_digits(p, c.day, 2);
	*p++ = 'T';
	p = put_clock(p, &c);
	memcpy(p, "Z", 2);
}

static char *
put_digits(char *p, unsigned v, unsigned n)
{
	for (unsigned i = n; i-- > 0; v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n;
}

static char *
put_name(char *p, const char *names, unsigned i)
{
	memcpy(p, names + 3 * i, 3);
	return p + 3;
}

static char *
put_clock(char *p, const struct civil *c)
{
	p = put_digits(p, c->hour, 2);
	*p++ = ':';
	p = put_digits(p, c->minute, 2);
	*p++ = ':';
	return put_digits(p, c->second, 2);
}

/*
 * Counted from 1 March of the year 0: the leap day is then the last day of a
 * year, and the lengths of the months from March on, 31 30 31 30 31 twice and
 * then 31 28, are those of the steps of (153 m + 2) / 5.
 */
#define DAYS_TO_EPOCH 719468
#define DAYS_IN_400_YEARS 146097

static struct civil
civil_of(int64_t seconds)
{
	struct civil c;
	unsigned days, rest, year, month;

	if (seconds < FIRST_SECOND)
		seconds = FIRST_SECOND;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	/* No division of what is negative. */
	seconds += (int64_t)DAYS_TO_EPOCH * DAY_S;
	days = (unsigned)(seconds / DAY_S);
	rest = (unsigned)(seconds % DAY_S);
	c.hour = rest / 3600;
	c.minute = rest / 60 % 60;
	c.second = rest % 60;
	c.weekday = (days + 3) % 7; /* it was a Wednesday */

	year = days / DAYS_IN_400_YEARS * 400;
	days %= DAYS_IN_400_YEARS;
	/* Without the leap days before it each day is in year days / 365. */
	rest = (days - days / 1460 + days / 36524 - days / 146096) / 365;
	days -= 365 * rest + rest / 4 - rest / 100;
	month = (5 * days + 2) / 153;
	c.day = days - (153 * month + 2) / 5 + 1;
	c.month = (month + 2) % 12;
	c.year = (int)(year + rest + (month >= 10));
	return c;
}

/* year 0 or later; a day that its month does not have is one of the next. */
static int64_t
civil_seconds(const struct civil *c)
{
	unsigned month = (c->month + 10) % 12; /* from March */
	int64_t year = c->year - (c->month < 2);
	int64_t days = 365 * year + year / 4 - year / 100 + year / 400;

	days += (153 * month + 2) / 5 + c->day - 1;
	return (days - DAYS_TO_EPOCH) * DAY_S + c->hour * 3600 +
	       c->minute * 60 + c->second;
}

static bool
civil_is_real(const struct civil *c)
{
	if (c->year < 1 || c->year > 9999)
		return false;
	if (c->day < 1 || c->day > days_in_month(c->year, c->month))
		return false;
	if (c->hour > 23 || c->minute > 59)
		return false;
	return c->second <= 59 ||
	       (c->second == 60 && c->minute == 59 && c->hour == 23);
}

static unsigned
days_in_month(int year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31,
		30, 31, 30, 31 };
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month] + (month == 1 && is_leap);
}

bool
date_parse(struct str s, int64_t now, int64_t *seconds)
{
	struct civil c = { 0 };
	struct reader r;

	reader_init(&r, s.p, s.len);
	if (s.len > 3 && s.p[3] == ',')
		read_imf(&r, &c);
	else if (s.len > 3 && s.p[3] == ' ')
		read_asctime(&r, &c);
	else
		read_rfc850(&r, &c, now);
	if (!reader_done(&r) || !civil_is_real(&c))
		return false;
	*seconds = civil_seconds(&c);
	return true;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static void
read_imf(struct reader *r, struct civil *c)
{
	read_name(r, weekdays, 7);
	expect(r, ", ");
	c->day = read_digits(r, 2);
	expect(r, " ");
	c->month = read_name(r, months, 12);
	expect(r, " ");
	c->year = (int)read_digits(r, 4);
	expect(r, " ");
	read_clock(r, c);
	expect(r, " GMT");
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static void
read_rfc850(struct reader *r, struct civil *c, int64_t now)
{
	read_day_name(r);
	expect(r, ", ");
	c->day = read_digits(r, 2);
	expect(r, "-");
	c->month = read_name(r, months, 12);
	expect(r, "-");
	c->year = (int)read_digits(r, 2);
	expect(r, " ");
	read_clock(r, c);
	expect(r, " GMT");
	c->year = full_year(c, now);
}

/* Sun Nov  6 08:49:37 1994 */
static void
read_asctime(struct reader *r, struct civil *c)
{
	read_name(r, weekdays, 7);
	expect(r, " ");
	c->month = read_name(r, months, 12);
	expect(r, " ");
	if (r->left > 0 && *r->p == ' ') {
		expect(r, " ");
		c->day = read_digits(r, 1);
	} else {
		c->day = read_digits(r, 2);
	}
	expect(r, " ");
	read_clock(r, c);
	expect(r, " ");
	c->year = (int)read_digits(r, 4);
}

static void
read_clock(struct reader *r, struct civil *c)
{
	c->hour = read_digits(r, 2);
	expect(r, ":");
	c->minute = read_digits(r, 2);
	expect(r, ":");
	c->second = read_digits(r, 2);
}

static unsigned
read_digits(struct reader *r, unsigned n)
{
	const unsigned char *p = reader_bytes(r, n);
	unsigned v = 0;

	for (unsigned i = 0; p != NULL && i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			r->bad = true;
		v = v * 10 + (p[i] - (unsigned)'0');
	}
	return r->bad ? 0 : v;
}

/* Which of n names of three letters it is. */
static unsigned
read_name(struct reader *r, const char *names, unsigned n)
{
	const unsigned char *p = reader_bytes(r, 3);

	for (unsigned i = 0; p != NULL && i < n; i++)
		if (memcmp(names + 3 * i, p, 3) == 0)
			return i;
	r->bad = true;
	return 0;
}

static void
read_day_name(struct reader *r)
{
	static const char *const rests[] = { "day", "day", "sday", "nesday",
		"rsday", "day", "urday" };

	expect(r, rests[read_name(r, weekdays, 7)]);
}

static void
expect(struct reader *r, const char *want)
{
	size_t n = strlen(want);
	const unsigned char *p = reader_bytes(r, n);

	if (p != NULL && memcmp(p, want, n) != 0)
		r->bad = true;
}

static int
full_year(const struct civil *c, int64_t now)
{
	struct civil latest = civil_of(now), found = *c;

	latest.year += 50;
	found.year += latest.year - latest.year % 100;
	if (civil_seconds(&found) > civil_seconds(&latest))
		found.year -= 100;
	return found.year;
}
