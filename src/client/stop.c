#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "client/stop.h"

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP };

int
stop_open(void)
{
	struct sigaction old;
	sigset_t set;
	size_t i;
	int fd;

	sigemptyset(&set);
	for (i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++) {
		/* nohup and background jobs rely on ignored signals */
		if (sigaction(stop_signals[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, stop_signals[i]);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
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
stop_die(void)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
		sigaddset(&set, stop_signals[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
