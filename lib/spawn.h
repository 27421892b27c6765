/* Starting and ending one worker process. */
#ifndef FDP_SPAWN_H
#define FDP_SPAWN_H

#include "fdpool.h"

#include <signal.h>

struct fdp_child {
	int pid;
	int pidfd;
	int chan_fd; /* the master's end */
	int peer_fd; /* a copy of the worker's end */
};

/*
 * Forks a worker as the options say.  close_others(arg) is called in a child
 * that stays this program (run), to close the pool's other descriptors.
 * The child waits until it is sent its first message: what ends at once ends
 * after fdp_spawn has returned.
 * 0, and the descriptors are the caller's, or -errno and no child is left.
 */
int fdp_spawn(struct fdp_child *, const struct fdpool_options *,
    void (*close_others)(void *arg), void *arg);

/* SIGKILL.  A child that has ended is fine. */
void fdp_child_kill(int pidfd);

/* SIGKILL, and waits until it is gone, and its status taken. */
void fdp_child_end(int pidfd);

/*
 * Takes the exit status without waiting.  True when the child has ended;
 * status->si_code is 0 when somebody else took the status (SIGCHLD ignored).
 */
bool fdp_child_reap(int pidfd, siginfo_t *status);

/* Whether SIGSTOP or the like holds it. */
bool fdp_child_is_stopped(int pidfd);

#endif
