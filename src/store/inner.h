/* What a store is, for the store's own files. */
#ifndef STORE_INNER_H
#define STORE_INNER_H

#include "store/digest.h"
#include "store/store.h"

struct store {
	int root_fd;
	bool may_stall; /* no open is sure not to ask a network or a daemon */
	struct digest_table *digests;
};

#endif
