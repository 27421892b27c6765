/*
 * Packs a folder as a worker does, with a small loop of its own, and writes
 * the archive to its standard output as long as somebody reads it.
 *
 *	pack_folder [-c BYTES] tar|zip ROOT [NAME ...]
 *
 * NAME ... is the folder below ROOT.  With -c nobody wants it any more after
 * so many bytes.  One line on standard error says how it ended, in JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/helpers.h"
#include "server/pack.h"
#include "server/pack_tree.h"
#include "server/worker.h"
#include "store/store.h"

static unsigned long n_wakes;

static void
wake(void *arg)
{
	(void)arg;
	n_wakes++;
}

/* A number of /proc/self/status. */
static long
status(const char *name)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long n = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			n = strtol(line + strlen(name), NULL, 10);
	if (f != NULL)
		fclose(f);
	return n;
}

/* VmHWM begins anew. */
static void
forget_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd == -1 || write(fd, "5", 1) != 1)
		perror("clear_refs");
	fd_close(&fd);
}

static void
await_wake(struct worker *w)
{
	struct pollfd p = { .fd = helpers_fd(w->helpers), .events = POLLIN };
	unsigned long before = n_wakes;

	while (n_wakes == before) {
		poll(&p, 1, -1);
		helpers_reap(w->helpers);
	}
}

/* How it ended: 0, -errno. */
static int
send_all(struct worker *w, struct pack *p, unsigned long long *n_sent,
    unsigned long long enough)
{
	const void *bytes;
	ssize_t n;

	while (*n_sent < enough) {
		n = pack_peek(p, &bytes);
		if (n == -EAGAIN) {
			await_wake(w);
			continue;
		}
		if (n <= 0)
			return (int)n;
		if (fd_write_full(STDOUT_FILENO, bytes, (size_t)n) != n)
			break;
		pack_taken(p, (size_t)n);
		*n_sent += (unsigned long long)n;
	}
	while (pack_stop(p))
		await_wake(w);
	return -ECANCELED;
}

int
main(int argc, char **argv)
{
	unsigned long long n_sent = 0, enough = -1ull;
	static struct board_counter n_jobs;
	static struct worker w;
	long rss_before, rss_peak;
	struct pack *p;
	struct path folder;
	int fds_before, i = 1, r;

	if (argc > i + 1 && strcmp(argv[i], "-c") == 0) {
		enough = strtoull(argv[i + 1], NULL, 10);
		i += 2;
	}
	if (argc < i + 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	pack_prepare();
	path_init(&folder);
	for (int k = i + 2; k < argc; k++)
		if (path_push(&folder, argv[k], strlen(argv[k])) != PATH_OK)
			return 2;
	r = store_new(&w.store, store_open_root(argv[i + 1]));
	if (r == 0)
		r = helpers_new(&w.helpers, 2, &n_jobs);
	fds_before = fd_count_open();
	forget_peak();
	rss_before = status("VmRSS:");
	if (r == 0)
		r = pack_begin(&p, &w, &folder,
		    argv[i][0] == 'z' ? PACK_ZIP : PACK_TAR, wake, NULL);
	if (r != 0)
		return 1;
	r = send_all(&w, p, &n_sent, enough);
	rss_peak = status("VmHWM:");
	pack_free(p);
	fprintf(stderr,
	    "{\"error\": \"%s\", \"bytes\": %llu, \"wakes\": %lu,"
	    " \"kib_more\": %ld, \"threads\": %ld, \"fds_more\": %d}\n",
	    r == 0 ? "" : strerrorname_np(-r), n_sent, n_wakes,
	    rss_peak - rss_before, status("Threads:"),
	    fd_count_open() - fds_before);
	helpers_free(w.helpers);
	store_free(w.store);
	return r != 0;
}
