/* Dates (RFC 9110 5.6.7).  Pure: no clock, no time zone, no locale. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdint.h>

#include "http/str.h"

#define DATE_LEN 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define DATE_CLF_LEN 26 /* "06/Nov/1994:08:49:37 +0000" */
#define DATE_ISO_LEN 20 /* "1994-11-06T08:49:37Z" */

/* Seconds since the epoch; what is before the year 1 or after 9999 becomes the
 * nearest that can be written.  out has a byte more for NUL. */
void date_format(char out[DATE_LEN + 1], int64_t seconds);
/* The form of the Common Log Format. */
void date_format_clf(char out[DATE_CLF_LEN + 1], int64_t seconds);
/* The form of RFC 3339. */
void date_format_iso(char out[DATE_ISO_LEN + 1], int64_t seconds);

/*
 * Reads all three forms that a recipient must take, to the letter.  The day of
 * the week must be one, but is not held against the date.  A leap second, the
 * last of a day, is the first of the next.  now decides the century of a
 * two-digit year: it is the last such year that is not more than 50 years
 * ahead.  False when it is none of them, or no real date; *seconds is untouched
 * then.
 */
bool date_parse(struct str, int64_t now, int64_t *seconds);

#endif
