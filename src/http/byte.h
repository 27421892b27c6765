/* What a byte is to HTTP.  Inside src/http. */
#ifndef HTTP_BYTE_H
#define HTTP_BYTE_H

#include <stdbool.h>

enum {
	BYTE_TOKEN = 1, /* of a token (RFC 9110 5.6.2) */
	BYTE_HOST = 2, /* of a host's name: unreserved in RFC 3986 */
	BYTE_CONTROL = 4 /* below 0x20, or 0x7f */
};

extern const unsigned char byte_classes[256];

static inline bool
byte_is(char c, unsigned class)
{
	return (byte_classes[(unsigned char)c] & class) != 0;
}

static inline bool
byte_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool
byte_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 0 to 15, or -1. */
int byte_hex(char);

#endif
