/* The head of an HTTP/1.1 answer: as much of it as a load client needs. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>
#include <stdint.h>

enum answer_result {
	ANSWER_OK,
	ANSWER_MORE,
	ANSWER_BAD /* not HTTP/1.1, or no single Content-Length */
};

struct answer {
	size_t size; /* of the head, with its empty line */
	unsigned status;
	uint64_t length; /* of the body */
};

enum answer_result answer_parse(struct answer *, const char *, size_t len);

#endif
