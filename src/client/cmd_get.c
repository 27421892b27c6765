#include <signal.h>
#include <string.h>

#include "base/text.h"
#include "client/client.h"
#include "client/options.h"
#include "client/remote.h"

#define JOBS_DEFAULT 4

static const char *const synopsis[] = {
	"[-qr] [-j jobs] [-o name] [-t seconds] address", NULL
};

static const struct option_row rows[] = {
	{ 'j', true, "jobs", "jobs",
	    "connections for a folder, 1 to 64 (default 4)" },
	{ 'o', true, "output", "name", "the file or folder that receives it" },
	{ 'q', true, "quiet", NULL, "no progress and no summary" },
	{ 'r', true, "recursive", NULL, "a folder and all that is below it" },
	REMOTE_TIMEOUT_ROW,
	{ 0 },
};

struct words {
	struct client_get ask;
	bool is_tree;
	uint64_t seconds;
	const char *address;
};

static int run(const struct command *, int, char **);
static int words_take(const struct command *, int, char **, struct words *);
static int
name_from_url(const struct command *, const struct url *, struct words *);

const struct command cmd_get = {
	.name = "get",
	.about = "fetches a file, or with -r a folder",
	.synopsis = synopsis,
	.options = rows,
	.run = run,
};

static int
run(const struct command *command, int argc, char **argv)
{
	struct words words;
	struct remote remote;
	int status;

	/* that nobody reads a message must not leave a tree half made */
	(void)signal(SIGPIPE, SIG_IGN);

	status = words_take(command, argc, argv, &words);
	if (status != CLIENT_DONE)
		return status;
	status = remote_parse(&remote, command, words.address);
	if (status == CLIENT_DONE)
		status = name_from_url(command, &remote.url, &words);
	if (status == CLIENT_DONE)
		status = remote_open(&remote, command, words.seconds);
	if (status != CLIENT_DONE)
		return status;
	words.ask.session = &remote.session;
	words.ask.path = &remote.url.path;
	status = words.is_tree ? client_get_tree(&words.ask)
			       : client_get_file(&words.ask);
	remote_close(&remote);
	return status;
}

static int
words_take(
    const struct command *command, int argc, char **argv, struct words *words)
{
	struct options o = { .command = command, .argc = argc, .argv = argv };
	const char *arg;
	char **operands;
	uint64_t jobs = JOBS_DEFAULT;
	int c;

	memset(words, 0, sizeof(*words));
	while ((c = options_next(&o, &arg)) > 0) {
		switch (c) {
		case 'j':
			if (!text_to_u64(arg, 1, LIM_JOBS, &jobs))
				return options_wrong(command,
				    "-j takes a number from 1 to %d", LIM_JOBS);
			break;
		case 'o':
			words->ask.out = arg;
			break;
		case 'q':
			words->ask.quiet = true;
			break;
		case 'r':
			words->is_tree = true;
			break;
		case 't':
			c = remote_timeout(command, arg, &words->seconds);
			if (c != CLIENT_DONE)
				return c;
			break;
		}
	}
	operands = options_operands(&o);
	if (c < 0)
		return CLIENT_USAGE;
	if (operands[0] == NULL || operands[1] != NULL)
		return options_wrong(command, "one address is needed");
	words->address = operands[0];
	words->ask.jobs = (unsigned)jobs;
	return CLIENT_DONE;
}

/* Without -o it is called here as it is there. */
static int
name_from_url(
    const struct command *command, const struct url *url, struct words *words)
{
	if (url->path.n == 0 && !words->is_tree)
		return options_wrong(command, "%s",
		    "the address names no file; -r fetches all there is");
	if (url->path.wants_dir && !words->is_tree)
		return options_wrong(command, "%s",
		    "a slash at the end names a folder, which takes -r");
	if (words->ask.out == NULL && url->path.n == 0)
		return options_wrong(command,
		    "-o must name the folder that receives all there is");
	if (words->ask.out != NULL && words->ask.out[0] == '\0')
		return options_wrong(command, "-o takes a name");
	if (words->ask.out == NULL && words->is_tree)
		words->ask.out = path_leaf(&url->path);
	return CLIENT_DONE;
}
