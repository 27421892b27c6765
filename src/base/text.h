/* Text for people: escaping of strangers' bytes, numbers, hex. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes n bytes so that a log or a terminal shows them and obeys none: C0,
 * DEL, C1, backslash, bidirectional controls and invalid UTF-8 become \xNN.
 * Cuts at cap with "..."; always ends with NUL.  Returns out.
 */
char *text_escape(char *out, size_t cap, const void *bytes, size_t n);

/* Lower-case hex of n bytes and a NUL: out has 2n + 1 bytes. */
void text_hex(char *out, const void *bytes, size_t n);

/* Decimal digits only, min..max, nothing else around them. */
bool text_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* "1.5 MiB", "999 B".  out has at least 16 bytes.  Returns out. */
char *text_size(char *out, size_t cap, uint64_t bytes);

/* "3:07", "1:02:03".  Returns out. */
char *text_duration(char *out, size_t cap, uint64_t seconds);

/*
 * "127.0.0.1:8686" or "[::1]:8686" in its parts; host has cap bytes.  The
 * port is 0..65535.  False when it is not of that form.
 */
bool text_host_port(
    const char *s, char *host, size_t cap, uint16_t *port);

#endif
