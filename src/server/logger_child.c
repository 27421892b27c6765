#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "server/logger.h"
#include "server/logger_child.h"
#include "server/wire.h"

#define PIPE_BYTES (1024 * 1024)
#define EXIT_EXEC 127

static int spawn(struct logger_child *);
static int watch(const struct logger_child *, int pidfd);
static _Noreturn void child_exec(const struct logger_child *);
static bool reap(struct logger_child *);
static bool has_lines(const struct logger_child *);

void
logger_child_init(struct logger_child *c)
{
	memset(c, 0, sizeof(*c));
	c->read_fd = c->write_fd = c->pidfd = -1;
}

/* A pipe of the usual size holds 64 KiB: a busy worker fills that while the
 * logger waits for its turn. */
int
logger_child_open(struct logger_child *c, const char *file, unsigned log_level)
{
	int fds[2], fd, r;

	fd = logger_open_file(file);
	if (fd < 0)
		return fd;
	fd_close(&fd);
	if (pipe2(fds, O_CLOEXEC) == -1)
		return -errno;
	c->read_fd = fds[0];
	c->write_fd = fds[1];
	(void)fcntl(c->write_fd, F_SETPIPE_SZ, PIPE_BYTES);
	r = fd_set_nonblock(c->write_fd, 1);
	if (r != 0)
		return r;
	c->file = file;
	snprintf(c->level, sizeof(c->level), "%u", log_level % LOG_LEVELS);
	return 0;
}

void
logger_child_start(struct logger_child *c, int epoll_fd, uint64_t now_ms)
{
	int r;

	if (logger_child_wait_ms(c, now_ms) != 0)
		return;
	c->epoll_fd = epoll_fd;
	c->started_ms = now_ms;
	r = spawn(c);
	if (r == 0) {
		log_debug("logger started (pid %d)", c->pid);
		return;
	}
	log_error("logger cannot be started: %s", strerror(-r));
	c->due_ms = now_ms + LOGGER_PAUSE_MS;
}

int
logger_child_wait_ms(const struct logger_child *c, uint64_t now_ms)
{
	if (c->file == NULL || c->pidfd != -1)
		return -1;
	return now_ms >= c->due_ms ? 0 : (int)(c->due_ms - now_ms);
}

static int
spawn(struct logger_child *c)
{
	int pid, pidfd, r;

	pid = fork();
	if (pid == -1)
		return -errno;
	if (pid == 0)
		child_exec(c);
	pidfd = pidfd_open(pid, 0);
	r = pidfd == -1 ? -errno : watch(c, pidfd);
	if (r != 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		fd_close(&pidfd);
		return r;
	}
	c->pid = pid;
	c->pidfd = pidfd;
	return 0;
}

static int
watch(const struct logger_child *c, int pidfd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = pidfd };

	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, pidfd, &ev) == -1 ? -errno
								       : 0;
}

/* It has this very program, the pipe's end, 0 to 2, and nothing else. */
static _Noreturn void
child_exec(const struct logger_child *c)
{
	const char *const argv[] = { "netpand", WIRE_LOGGER_FLAG, c->file,
		c->level, NULL };
	int fd;

	/* dup2 onto itself would leave it close-on-exec */
	fd = fcntl(c->read_fd, F_DUPFD, LOGGER_PIPE_FD + 1);
	if (fd != -1 && dup2(fd, LOGGER_PIPE_FD) != -1 &&
	    close_range(LOGGER_PIPE_FD + 1, ~0U, 0) == 0)
		execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	_exit(EXIT_EXEC);
}

void
logger_child_ended(struct logger_child *c, uint64_t now_ms)
{
	if (!reap(c))
		return;
	if (c->pause_ms == 0 || now_ms - c->started_ms >= LOGGER_WELL_MS)
		c->pause_ms = LOGGER_PAUSE_MS;
	else if (c->pause_ms < LOGGER_PAUSE_MAX_MS / 2)
		c->pause_ms *= 2;
	else
		c->pause_ms = LOGGER_PAUSE_MAX_MS;
	c->due_ms = now_ms + c->pause_ms;
	log_warn("logger is started again in %u ms", c->pause_ms);
}

/* Says how it ended, if that was not well. */
static bool
reap(struct logger_child *c)
{
	siginfo_t si = { 0 };
	int n;

	do
		n = waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG);
	while (n == -1 && errno == EINTR);
	if (n == 0 && si.si_pid == 0)
		return false;
	/* a child that is just being forked may have it a moment longer */
	epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->pidfd, NULL);
	fd_close(&c->pidfd);
	if (n == -1) /* SIGCHLD is ignored: nobody knows how */
		log_warn("logger ended (pid %d)", c->pid);
	else if (si.si_code != CLD_EXITED)
		log_error("logger was killed by signal %d, %s (pid %d)",
		    si.si_status, strsignal(si.si_status), c->pid);
	else if (si.si_status != 0)
		log_error("logger ended with status %d (pid %d)", si.si_status,
		    c->pid);
	return true;
}

void
logger_child_reopen(struct logger_child *c)
{
	if (c->pidfd != -1)
		(void)pidfd_send_signal(c->pidfd, SIGUSR1, NULL, 0);
}

void
logger_child_end(struct logger_child *c)
{
	struct pollfd p;

	fd_close(&c->write_fd);
	if (c->pidfd == -1 && has_lines(c))
		(void)spawn(c);
	fd_close(&c->read_fd);
	if (c->pidfd == -1)
		return;
	p = (struct pollfd){ .fd = c->pidfd, .events = POLLIN };
	if (poll(&p, 1, LOGGER_END_MS) != 1 || !reap(c))
		log_warn(
		    "the access log is still being written (pid %d)", c->pid);
	fd_close(&c->pidfd);
}

static bool
has_lines(const struct logger_child *c)
{
	int n = 0;

	return c->read_fd != -1 && ioctl(c->read_fd, FIONREAD, &n) == 0 &&
	       n > 0;
}
