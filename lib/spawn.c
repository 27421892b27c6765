#include "spawn.h"
#include "channel.h"
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define EXIT_START 127 /* as a shell has it for "could not be run" */

/* in the child */
static _Noreturn void child_main(int chan_fd, int master_pid,
    const struct fdpool_options *, void (*close_others)(void *), void *arg);
static int child_die_with(int master_pid);
static void child_reset_signals(void);
static void child_await_hello(int chan_fd);
static _Noreturn void child_exec(int chan_fd, const struct fdpool_options *);
static int place_fds(const int *fds, unsigned n);

/*
 * fork and then pidfd_open, not clone3: the C library's own fork keeps its
 * locks sound for a child that goes on in this program.  The caller may have
 * ended children reaped as they end (SIGCHLD ignored, or a handler), and then
 * the number would be nobody's or another's: the child does nothing of its own
 * before it has its hello.
 */
int
fdp_spawn(struct fdp_child *child, const struct fdpool_options *opt,
    void (*close_others)(void *), void *arg)
{
	sigset_t all, before;
	int fds[2], master_pid = getpid(), pid, pidfd, error;

	error = fdp_chan_pair(fds);
	if (error != 0)
		return error;
	/* No handler of the master's runs in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child_main(fds[1], master_pid, opt, close_others, arg);
	}
	error = pid == -1 ? -errno : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		goto out;
	pidfd = pidfd_open(pid, 0);
	if (pidfd == -1) {
		error = -errno;
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
		goto out;
	}
	*child = (struct fdp_child){
		.pid = pid, .pidfd = pidfd, .chan_fd = fds[0], .peer_fd = fds[1]
	};
	return 0;
out:
	fdp_close(&fds[0]);
	fdp_close(&fds[1]);
	return error;
}

void
fdp_child_kill(int pidfd)
{
	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
}

void
fdp_child_end(int pidfd)
{
	siginfo_t status;
	int n;

	fdp_child_kill(pidfd);
	do
		n = waitid(P_PIDFD, (id_t)pidfd, &status, WEXITED);
	while (n == -1 && errno == EINTR);
}

bool
fdp_child_reap(int pidfd, siginfo_t *status)
{
	int n;

	*status = (siginfo_t){ 0 };
	do
		n = waitid(P_PIDFD, (id_t)pidfd, status, WEXITED | WNOHANG);
	while (n == -1 && errno == EINTR);
	return n == -1 ? errno == ECHILD : status->si_pid != 0;
}

bool
fdp_child_is_stopped(int pidfd)
{
	siginfo_t status = { 0 };
	int n;

	do
		n = waitid(P_PIDFD, (id_t)pidfd, &status,
		    WSTOPPED | WNOHANG | WNOWAIT);
	while (n == -1 && errno == EINTR);
	return n == 0 && status.si_pid != 0;
}

static _Noreturn void
child_main(int chan_fd, int master_pid, const struct fdpool_options *opt,
    void (*close_others)(void *), void *arg)
{
	if (child_die_with(master_pid) != 0)
		_exit(EXIT_START);
	child_reset_signals();
	child_await_hello(chan_fd);
	if (opt->run == NULL)
		child_exec(chan_fd, opt);
	close_others(arg);
	_exit(opt->run(chan_fd, opt->run_arg));
}

/* The master may have died before prctl, which then would say nothing. */
static int
child_die_with(int master_pid)
{
	int parent;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return -errno;
	parent = getppid();
	/* 0: the master is outside of this process's pid namespace. */
	return parent == master_pid || parent == 0 ? 0 : -ESRCH;
}

static void
child_reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int sig;

	/* Some numbers cannot be set; they need not be. */
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Or the end of the channel, when it will not get one. */
static void
child_await_hello(int chan_fd)
{
	struct pollfd pfd = { .fd = chan_fd, .events = POLLIN };

	while (poll(&pfd, 1, -1) == -1 && errno == EINTR)
		;
}

static _Noreturn void
child_exec(int chan_fd, const struct fdpool_options *opt)
{
	int fds[1 + FDPOOL_KEEP_MAX];
	unsigned n = 0, i;

	fds[n++] = chan_fd;
	for (i = 0; i < opt->n_keep_fds; i++)
		fds[n++] = opt->keep_fds[i];
	if (place_fds(fds, n) == 0)
		execv(opt->program != NULL ? opt->program : opt->argv[0],
		    (char *const *)opt->argv);
	_exit(EXIT_START);
}

/* Moves fds to FDPOOL_CHANNEL_FD and up, in order, and closes the rest.  All
 * go out of the way first: a target may be another's source. */
static int
place_fds(const int *fds, unsigned n)
{
	int away[1 + FDPOOL_KEEP_MAX], end = FDPOOL_CHANNEL_FD + (int)n;
	unsigned i;

	for (i = 0; i < n; i++)
		if ((away[i] = fcntl(fds[i], F_DUPFD, end)) == -1)
			return -errno;
	for (i = 0; i < n; i++)
		if (dup2(away[i], FDPOOL_CHANNEL_FD + (int)i) == -1)
			return -errno;
	return close_range((unsigned)end, ~0U, 0) == -1 ? -errno : 0;
}
