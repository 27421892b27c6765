/*
 * Digests in memory, for files that can keep no extended attribute.  A table
 * of fixed size: a new digest may push out an older one.  Thread-safe.
 */
#ifndef STORE_DIGEST_H
#define STORE_DIGEST_H

#include "store/store.h"

/* Room for this many; a test fills more. */
#define DIGEST_TABLE_SIZE 4096

struct digest_table;

struct digest_table *digest_table_new(void); /* NULL: no memory */
void digest_table_free(struct digest_table *); /* NULL is fine */

/* Also ctime must agree: nothing here is written into the file. */
bool digest_table_get(struct digest_table *, const struct store_meta *,
    uint8_t out[STORE_SHA256_SIZE]);
void digest_table_put(struct digest_table *, const struct store_meta *,
    const uint8_t sha256[STORE_SHA256_SIZE]);

#endif
