#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS (3600 * 1000U)
#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* numbers */
static int options_numbers(struct fdpool_options *);

/* what is pointed to */
static int options_pointers(const struct fdpool_options *);
static char **argv_copy(const char *const *argv);
static void *bytes_copy(const void *bytes, size_t len);
static void argv_free(char **argv);

int
fdp_options_copy(struct fdpool_options *to, const struct fdpool_options *from)
{
	struct fdpool_options opt = *from;
	int error;

	if ((error = options_numbers(&opt)) != 0 ||
	    (error = options_pointers(from)) != 0)
		return error;
	opt.program = NULL;
	opt.argv = NULL;
	opt.keep_fds = NULL;
	opt.hello = NULL;
	if (from->program != NULL &&
	    (opt.program = strdup(from->program)) == NULL)
		goto out;
	if (from->argv != NULL &&
	    (opt.argv = (const char *const *)argv_copy(from->argv)) == NULL)
		goto out;
	if (from->n_keep_fds > 0 &&
	    (opt.keep_fds = bytes_copy(
		 from->keep_fds, from->n_keep_fds * sizeof(int))) == NULL)
		goto out;
	if (from->hello_len > 0 &&
	    (opt.hello = bytes_copy(from->hello, from->hello_len)) == NULL)
		goto out;
	*to = opt;
	return 0;
out:
	fdp_options_free(&opt);
	return -ENOMEM;
}

void
fdp_options_free(struct fdpool_options *opt)
{
	free((void *)opt->program);
	argv_free((char **)opt->argv);
	free((void *)opt->keep_fds);
	free((void *)opt->hello);
	opt->program = NULL;
	opt->argv = NULL;
	opt->keep_fds = NULL;
	opt->hello = NULL;
}

static int
options_numbers(struct fdpool_options *opt)
{
	unsigned beat = opt->heartbeat_ms != 0 ? opt->heartbeat_ms : 1000;
	const struct {
		unsigned *field;
		unsigned standard;
		unsigned min;
		unsigned max;
	} rows[] = {
		{ &opt->workers, 1, 1, FDPOOL_WORKERS_MAX },
		{ &opt->queue_max, 1024, 1, FDPOOL_QUEUE_MAX },
		{ &opt->heartbeat_ms, 1000, 10, 60000 },
		{ &opt->silent_ms, beat > 5000 ? 2 * beat : 10000, 2 * beat,
		    HOUR_MS },
		{ &opt->start_ms, 10000, 1, HOUR_MS },
		{ &opt->restart_max_ms, 2000, 1, HOUR_MS },
		{ &opt->accept_pause_ms, 200, 1, HOUR_MS },
		{ &opt->accept_batch, 64, 1, 256 },
	};
	size_t i;

	if (beat > 60000)
		return -EINVAL;
	for (i = 0; i < nitems(rows); i++) {
		if (*rows[i].field == 0)
			*rows[i].field = rows[i].standard;
		if (*rows[i].field < rows[i].min ||
		    *rows[i].field > rows[i].max)
			return -EINVAL;
	}
	return 0;
}

static int
options_pointers(const struct fdpool_options *opt)
{
	size_t i;

	if ((opt->run == NULL) == (opt->argv == NULL))
		return -EINVAL;
	if (opt->argv != NULL && opt->argv[0] == NULL)
		return -EINVAL;
	if (opt->program != NULL && opt->argv == NULL)
		return -EINVAL;
	if (opt->hello_len > FDPOOL_HELLO_MAX ||
	    (opt->hello_len > 0 && opt->hello == NULL))
		return -EINVAL;
	if (opt->n_keep_fds > FDPOOL_KEEP_MAX ||
	    (opt->n_keep_fds > 0 && opt->keep_fds == NULL))
		return -EINVAL;
	for (i = 0; i < opt->n_keep_fds; i++)
		if (fcntl(opt->keep_fds[i], F_GETFD) == -1)
			return -EINVAL;
	return 0;
}

static char **
argv_copy(const char *const *argv)
{
	char **copy;
	size_t n = 0, i;

	while (argv[n] != NULL)
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(argv[i]);
		if (copy[i] == NULL) {
			argv_free(copy);
			return NULL;
		}
	}
	return copy;
}

static void
argv_free(char **argv)
{
	size_t i;

	for (i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}

static void *
bytes_copy(const void *bytes, size_t len)
{
	void *copy = malloc(len);

	if (copy != NULL)
		memcpy(copy, bytes, len);
	return copy;
}
