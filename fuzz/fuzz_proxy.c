/* What a proxy says of its client: whole, and split at each place. */
#include <stdlib.h>
#include <string.h>

#include "http/proxy.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct addr whole = { .family = 0 }, part;
	struct addr_block trusted = { .addr = { .family = 4, .bytes = { 10 } },
		.bits = 8 };
	size_t size = 0, n, at;
	enum proxy_result r, early;

	r = proxy_parse(data, len, &size, &whole);
	if (r == PROXY_OK)
		must(size > 0 && size <= len && size <= LIM_PROXY_BYTES);
	for (n = 0; n < len && n < 256; n++) {
		part = (struct addr){ .family = 0 };
		early = proxy_parse(data, n, &at, &part);
		must(early == PROXY_MORE || early == r);
		if (early == PROXY_OK)
			must(at == size &&
			     memcmp(&part, &whole, sizeof(part)) == 0);
	}
	if (proxy_forwarded_for((const char *)data, len, &trusted, 1, &part) ==
	    FORWARDED_FOR)
		must(!addr_block_has(&trusted, &part) && part.family != 0);
	return 0;
}
