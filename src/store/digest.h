/*
 * Digests in memory: for files that can keep no extended attribute, and beside
 * an attribute the exact ctime it has led to.  A table of fixed size: a new
 * digest may push out an older one.  Thread-safe.
 */
#ifndef STORE_DIGEST_H
#define STORE_DIGEST_H

#include "store/store.h"

/* Room for this many; a test fills more. */
#define DIGEST_TABLE_SIZE 4096

struct digest_table;

struct digest_table *digest_table_new(void); /* NULL: no memory */
void digest_table_free(struct digest_table *); /* NULL is fine */

/* Also ctime must agree: nothing here is written into the file.  *set_ns is
 * that of this file's digest, be it of other bytes; 0 when there is none. */
bool digest_table_get(struct digest_table *, const struct store_meta *,
    uint8_t out[STORE_SHA256_SIZE], int64_t *set_ns);
/* set_ns: the moment that the attribute with the same digest notes; 0: there
 * is no such attribute. */
void digest_table_put(struct digest_table *, const struct store_meta *,
    int64_t set_ns, const uint8_t sha256[STORE_SHA256_SIZE]);
/* Forgets what there is of this file. */
void digest_table_drop(struct digest_table *, const struct store_meta *);

#endif
