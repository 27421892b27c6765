#include "fdpool.h"

#include <assert.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

static const char *const event_names[] = {
	[FDPOOL_EV_STARTED] = "started",
	[FDPOOL_EV_READY] = "ready",
	[FDPOOL_EV_SILENT] = "silent",
	[FDPOOL_EV_BACK] = "back",
	[FDPOOL_EV_KILLED] = "killed",
	[FDPOOL_EV_ENDED] = "ended",
	[FDPOOL_EV_RESTART_WAITS] = "restart waits",
	[FDPOOL_EV_START_FAILED] = "start failed",
	[FDPOOL_EV_ACCEPT_PAUSED] = "accept paused",
	[FDPOOL_EV_ACCEPT_RESUMED] = "accept resumed",
	[FDPOOL_EV_DRAINED] = "drained",
	[FDPOOL_EV_STUCK] = "stuck",
};

static const char *const state_names[] = {
	[FDPOOL_EMPTY] = "empty",
	[FDPOOL_STARTING] = "starting",
	[FDPOOL_READY] = "ready",
	[FDPOOL_SILENT] = "silent",
	[FDPOOL_DRAINING] = "draining",
	[FDPOOL_DYING] = "dying",
};

static_assert(nitems(event_names) == FDPOOL_EVENTS, "a name for each");
static_assert(nitems(state_names) == FDPOOL_WORKER_STATES, "a name for each");

const char *
fdpool_event_name(enum fdpool_event_type type)
{
	return (unsigned)type < FDPOOL_EVENTS ? event_names[type] : "unknown";
}

const char *
fdpool_worker_state_name(enum fdpool_worker_state state)
{
	return (unsigned)state < FDPOOL_WORKER_STATES ? state_names[state]
						      : "unknown";
}
