/*
 * netpan: the command line.  Words of the user become operations of
 * client.h; the exit status says how they ended.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "client/client.h"
#include "client/options.h"
#include "client/say.h"
#include "client/stop.h"

static const struct command *const commands[] = { &cmd_get, &cmd_ls, &cmd_sum };
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *const own_synopsis[] = { "--help", "--version", NULL };

static void usage(FILE *);
static void help(void);
static bool is_help(const char *);
static const struct command *command_of(const char *);
static int run(const struct command *, int, char **);
static int output_end(int);

int
main(int argc, char **argv)
{
	const struct command *command;
	char shown[256];

	/* a file that gets too big is that file's error */
	(void)signal(SIGXFSZ, SIG_IGN);
	if (fd_fill_std() != 0)
		return CLIENT_FAILED;

	if (argc < 2) {
		usage(stderr);
		return CLIENT_USAGE;
	}
	/* also behind a command, where it cannot be an option's argument */
	if (is_help(argv[1]) ||
	    (argc > 2 && command_of(argv[1]) != NULL && is_help(argv[2]))) {
		help();
		return output_end(CLIENT_DONE);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("netpan %s\n", NETPAN_VERSION);
		return output_end(CLIENT_DONE);
	}
	command = command_of(argv[1]);
	if (command != NULL)
		return run(command, argc - 1, argv + 1);
	return options_wrong(NULL, "%s is not a command",
	    text_escape(shown, sizeof(shown), argv[1], strlen(argv[1])));
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const struct command *
command_of(const char *name)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		if (strcmp(name, commands[i]->name) == 0)
			return commands[i];
	return NULL;
}

static int
run(const struct command *command, int argc, char **argv)
{
	int status;

	status = output_end(command->run(command, argc, argv));
	if (status == CLIENT_STOPPED)
		stop_die(); /* as the shell expects of who was interrupted */
	return status;
}

/* What was printed and did not arrive is no success. */
static int
output_end(int status)
{
	if (ferror(stdout) || fclose(stdout) == EOF) {
		say("cannot write to standard output");
		if (status == CLIENT_DONE)
			status = CLIENT_FAILED;
	}
	return status;
}

static void
usage(FILE *f)
{
	const char *lead = "usage: netpan ";
	const char *const *line;
	size_t i;

	for (i = 0; i <= N_COMMANDS; i++) {
		line = i < N_COMMANDS ? commands[i]->synopsis : own_synopsis;
		for (; *line != NULL; line++) {
			fprintf(f, "%s%s%s%s\n", lead,
			    i < N_COMMANDS ? commands[i]->name : "",
			    i < N_COMMANDS ? " " : "", *line);
			lead = "       netpan ";
		}
	}
}

static void
help(void)
{
	const struct option_row *row;
	char words[64];
	size_t i;

	usage(stdout);
	for (i = 0; i < N_COMMANDS; i++) {
		printf(
		    "\nnetpan %s: %s\n", commands[i]->name, commands[i]->about);
		for (row = commands[i]->options; row->letter != 0; row++) {
			snprintf(words, sizeof(words), "%c%c%s --%s%s%s",
			    row->is_letter ? '-' : ' ',
			    row->is_letter ? row->letter : ' ',
			    row->is_letter ? "," : " ", row->word,
			    row->arg != NULL ? " " : "",
			    row->arg != NULL ? row->arg : "");
			printf("  %-24s %s\n", words, row->help);
		}
	}
	printf("\nAddresses: train://host[:port]/path, port %d if none is "
	       "given.\nExit status: 0 done, 1 the server or the data failed, "
	       "2 usage, 3 no connection.\n",
	    URL_DEFAULT_PORT);
}
