/* A pool's options: checked, defaults filled in, pointed-to data copied. */
#ifndef FDP_OPTIONS_H
#define FDP_OPTIONS_H

#include "fdpool.h"

/* Fills *to, to be freed with fdp_options_free.  0, -EINVAL or -ENOMEM;
 * after an error there is nothing to free. */
int
fdp_options_copy(struct fdpool_options *to, const struct fdpool_options *from);
void fdp_options_free(struct fdpool_options *);

#endif
