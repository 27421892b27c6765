/* The words of a command line, from tables that the help text is made of. */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stdbool.h>

struct option_row {
	char letter; /* what options_next gives; 0 ends a table */
	bool is_letter; /* -x is an option too, not the word alone */
	const char *word;
	const char *arg; /* its name in the help; NULL: takes none */
	const char *help;
};

struct command {
	const char *name;
	const char *about;
	const char *const *synopsis; /* NULL at the end */
	const struct option_row *options;
	/* argv[0] is the command's name.  Returns an exit status. */
	int (*run)(const struct command *, int argc, char **argv);
};

extern const struct command cmd_get, cmd_ls, cmd_sum;

struct options {
	const struct command *command;
	int argc;
	char **argv;
};

/*
 * The next option: its letter, with *arg its argument or NULL; 0 when there
 * are none left, and *arg counts from options_operands.  -1: a wrong one, and
 * the user was told.  Options may stand after operands; "--" ends them.
 */
int options_next(struct options *, const char **arg);
/* After options_next gave 0: the operands, NULL at the end. */
char **options_operands(struct options *);

/* Tells the user what is wrong and how to learn more: CLIENT_USAGE. */
int options_wrong(const struct command *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
