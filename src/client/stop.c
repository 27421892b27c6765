#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "client/stop.h"

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP };
#define N_SIGNALS (sizeof(stop_signals) / sizeof(stop_signals[0]))

static sigset_t heard; /* those of them that are not ignored */
static volatile sig_atomic_t kept; /* by stop_postpone; 0: none */

static void keep(int);

int
stop_open(void)
{
	struct sigaction old;
	size_t i;
	int fd;

	sigemptyset(&heard);
	for (i = 0; i < N_SIGNALS; i++) {
		/* nohup and background jobs rely on ignored signals */
		if (sigaction(stop_signals[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&heard, stop_signals[i]);
	}
	if (sigprocmask(SIG_BLOCK, &heard, NULL) == -1)
		return -errno;
	fd = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd == -1 ? -errno : fd;
}

bool
stop_is_asked(int stop_fd)
{
	return stop_wait(stop_fd, 0) != 0;
}

int
stop_wait(int stop_fd, unsigned ms)
{
	struct pollfd p = { .fd = stop_fd, .events = POLLIN };
	uint64_t due = clock_ms() + ms, now;
	int n;

	do {
		now = clock_ms();
		n = poll(&p, 1, now < due ? (int)(due - now) : 0);
	} while (n == -1 && errno == EINTR);
	return n > 0 ? -EINTR : 0;
}

void
stop_postpone(void)
{
	struct sigaction action = { .sa_handler = keep,
		.sa_flags = SA_RESTART };
	size_t i;

	sigemptyset(&action.sa_mask);
	for (i = 0; i < N_SIGNALS; i++)
		if (sigismember(&heard, stop_signals[i]) == 1)
			(void)sigaction(stop_signals[i], &action, NULL);
	sigprocmask(SIG_UNBLOCK, &heard, NULL);
}

bool
stop_is_postponed(void)
{
	return kept != 0;
}

void
stop_die(void)
{
	sigprocmask(SIG_UNBLOCK, &heard, NULL);
	if (kept != 0)
		raise(kept);
}

static void
keep(int sig)
{
	size_t i;

	kept = sig;
	for (i = 0; i < N_SIGNALS; i++)
		if (sigismember(&heard, stop_signals[i]) == 1)
			signal(stop_signals[i], SIG_DFL);
}
