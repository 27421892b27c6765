/* Text for people: escaping of strangers' bytes, numbers, hex. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length of the UTF-8 character at p and its number: 1 to 4, or 0 when
 * the n bytes there do not begin with one (none, cut short, overlong, a
 * surrogate, over U+10FFFF).  cp may be NULL.
 */
size_t text_utf8(const void *p, size_t n, uint32_t *cp);

/* Are the n bytes UTF-8, to the last?  None are. */
bool text_is_utf8(const void *p, size_t n);

/* Does it show as itself?  Not C0, DEL, C1, line and paragraph separators, and
 * those that steer the direction of text. */
bool text_is_shown(uint32_t cp);

/*
 * Writes n bytes so that a log or a terminal shows them and obeys none: C0,
 * DEL, C1, backslash, line separators, bidirectional controls and invalid
 * UTF-8 become \xNN.  Cuts at cap with "..."; always ends with NUL when cap
 * is not 0.  Returns out.
 */
char *text_escape(char *out, size_t cap, const void *bytes, size_t n);

/* Lower-case hex of n bytes and a NUL: out has 2n + 1 bytes. */
void text_hex(char *out, const void *bytes, size_t n);

/* Decimal digits only, min..max, nothing else around them; *out is untouched
 * when it is not so. */
bool text_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* "1.5 MiB", "999 B".  out has at least 16 bytes.  Returns out. */
char *text_size(char *out, size_t cap, uint64_t bytes);

/* "3:07", "1:02:03".  Returns out. */
char *text_duration(char *out, size_t cap, uint64_t seconds);

/*
 * "127.0.0.1:8686", "disk.example:8686" or "[::1]:8686" in its parts; host
 * has cap bytes and comes without brackets.  The port is 0..65535.  False
 * when it is not of that form: then host is "".
 */
bool text_host_port(const char *s, char *host, size_t cap, uint16_t *port);

#endif
