#include "client/client.h"
#include "client/options.h"
#include "client/remote.h"

static const char *const synopsis[] = { "[-l] [-t seconds] address", NULL };

static const struct option_row rows[] = {
	{ 'l', true, "long", NULL, "mode, size and time before each name" },
	REMOTE_TIMEOUT_ROW,
	{ 0 },
};

static int run(const struct command *, int, char **);

const struct command cmd_ls = {
	.name = "ls",
	.about = "lists a folder",
	.synopsis = synopsis,
	.options = rows,
	.run = run,
};

static int
run(const struct command *command, int argc, char **argv)
{
	struct options o = { .command = command, .argc = argc, .argv = argv };
	struct remote remote;
	uint64_t seconds = 0;
	const char *arg;
	char **operands;
	bool is_long = false;
	int c, status;

	while ((c = options_next(&o, &arg)) > 0) {
		if (c == 'l')
			is_long = true;
		else if (remote_timeout(command, arg, &seconds) != CLIENT_DONE)
			return CLIENT_USAGE;
	}
	operands = options_operands(&o);
	if (c < 0)
		return CLIENT_USAGE;
	if (operands[0] == NULL || operands[1] != NULL)
		return options_wrong(command, "one address is needed");
	status = remote_parse(&remote, command, operands[0]);
	if (status == CLIENT_DONE)
		status = remote_open(&remote, command, seconds);
	if (status != CLIENT_DONE)
		return status;
	status = client_list(&remote.session, &remote.url.path, is_long);
	remote_close(&remote);
	return status;
}
