/* What a server's error frame means to the user, and what to do about it. */
#ifndef CLIENT_REFUSAL_H
#define CLIENT_REFUSAL_H

#include <stdbool.h>

#include "train/train.h"

#define REFUSAL_SIZE 1024

/* One sentence, escaped.  Returns out. */
char *refusal_text(char out[REFUSAL_SIZE], const struct train_error *);

/* Is it worth asking again in a moment? */
bool refusal_passes(const struct train_error *);

#endif
