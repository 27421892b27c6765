#include <string.h>

#include "server/pool_counts.h"

#define COUNT(field, only_grows, meaning)                                  \
	{                                                                  \
#field, offsetof(struct fdpool_counts, field), only_grows, \
		    meaning                                                \
	}

const struct pool_count pool_counts[POOL_N_COUNTS] = {
	COUNT(free, false, "Slots of ready workers that nobody is in."),
	COUNT(in_flight, false, "Clients sent to a worker, not yet taken."),
	COUNT(held, false, "Clients taken by workers, not yet done."),
	COUNT(queued, false, "Clients waiting in the master."),
	COUNT(stuck, false, "Processes that SIGKILL has not ended."),
	COUNT(given, true, "Clients sent to workers, each time."),
	COUNT(taken, true, "Clients received by workers."),
	COUNT(done, true, "Clients that workers are done with."),
	COUNT(lost, true, "Clients held by a worker when it died."),
	COUNT(given_again, true, "Clients taken back from a worker."),
	COUNT(refused, true, "Clients turned away by the master."),
	COUNT(restarted, true, "Workers replaced after dying."),
};

uint64_t
pool_count_get(const struct fdpool_counts *c, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)c + pool_counts[i].field, sizeof(v));
	return v;
}
