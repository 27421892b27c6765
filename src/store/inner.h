/* What a store is, for the store's own files. */
#ifndef STORE_INNER_H
#define STORE_INNER_H

#include <openssl/evp.h>

#include "store/digest.h"
#include "store/store.h"

struct store {
	int root_fd;
	bool may_stall; /* no open is sure not to ask a network or a daemon */
	EVP_MD *sha256; /* fetched before a sandbox closes the file system */
	struct digest_table *digests;
};

#endif
