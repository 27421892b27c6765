/*
 * Entries of a folder or a tree, made into frames on a helper thread: heads,
 * and small files whole.  A larger file ends the filling: it is left open
 * for the loop to send.
 */
#ifndef SERVER_TRAIN_FILL_H
#define SERVER_TRAIN_FILL_H

#include <stdbool.h>

#include "server/helpers.h"
#include "train/train.h"

struct answer;

/* Begins the walk that the request asks for, or its refusal. */
void fill_begin(struct answer *);
/* The job's run: fills a->fill. */
bool fill_run(struct job *);
/* Ends the walk; fine when there is none. */
void fill_end(struct answer *);

/* What an errno of the store is called on the wire. */
enum train_code fill_code_of_errno(int error, const char **text);

#endif
