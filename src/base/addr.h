/* Network addresses without ports, and blocks of them.  Pure. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT 46 /* the longest, with NUL */

struct addr {
	unsigned char bytes[16]; /* IPv4 in the first four, the rest zero */
	uint8_t family; /* 4, 6, or 0: none (a local socket's peer) */
};

struct addr_block {
	struct addr addr; /* family 0: all peers of local sockets */
	uint8_t bits; /* that must agree */
	uint8_t zero[2];
};

/* "192.0.2.1" or "2001:db8::1", len bytes; "::ffff:192.0.2.1" is IPv4.  False,
 * and *a is untouched, when it is neither. */
bool addr_parse(struct addr *a, const char *s, size_t len);

/* "local" for none.  Returns out. */
char *addr_text(char out[ADDR_TEXT], const struct addr *);

/* What counts as one client, however many addresses he has: of IPv6 the first
 * 64 bits, the rest zero; else the address. */
struct addr addr_source(const struct addr *);

/* "192.0.2.0/24", "2001:db8::/32", one address, or "unix".  Bits behind the
 * slash must be zero.  False when it is none of them. */
bool addr_block_parse(struct addr_block *, const char *);
bool addr_block_has(const struct addr_block *, const struct addr *);

#endif
