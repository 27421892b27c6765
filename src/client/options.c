#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/client.h"
#include "client/options.h"
#include "client/say.h"

#define ROWS_MAX 16
#define SHOWN_SIZE 256

static void tables_make(const struct command *, char *, struct option *);
static const struct option_row *row_of(const struct command *, int);
static bool has_extra(const struct options *);
static const char *given(const struct options *, bool, char *);

int
options_next(struct options *o, const char **arg)
{
	struct option words[ROWS_MAX + 1];
	char letters[2 * ROWS_MAX + 2], shown[SHOWN_SIZE];
	int c;

	tables_make(o->command, letters, words);
	opterr = 0;
	c = getopt_long(o->argc, o->argv, letters, words, NULL);
	*arg = optarg;
	switch (c) {
	case -1:
		return 0;
	case ':':
		options_wrong(
		    o->command, "%s takes an argument", given(o, true, shown));
		return -1;
	case '?':
		options_wrong(o->command, "%s %s",
		    given(o, has_extra(o), shown),
		    has_extra(o) ? "takes no argument"
				 : "is not an option here");
		return -1;
	default:
		return c;
	}
}

char **
options_operands(struct options *o)
{
	return o->argv + optind;
}

int
options_wrong(const struct command *command, const char *fmt, ...)
{
	char text[2 * SHOWN_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say("%s%s%s (netpan --help says more)", command ? command->name : "",
	    command ? ": " : "", text);
	return CLIENT_USAGE;
}

/* A leading ':' makes getopt tell a missing argument from a wrong option. */
static void
tables_make(const struct command *command, char *letters, struct option *words)
{
	const struct option_row *row;

	*letters++ = ':';
	for (row = command->options; row->letter != 0; row++) {
		*words++ = (struct option){ .name = row->word,
			.has_arg = row->arg != NULL ? required_argument
						    : no_argument,
			.val = row->letter };
		if (!row->is_letter)
			continue;
		*letters++ = row->letter;
		if (row->arg != NULL)
			*letters++ = ':';
	}
	*letters = '\0';
	*words = (struct option){ 0 };
}

static const struct option_row *
row_of(const struct command *command, int letter)
{
	const struct option_row *row;

	for (row = command->options; row->letter != 0; row++)
		if (row->letter == letter)
			return row;
	return NULL;
}

/* After '?': was it a word with an argument that it does not take?  optopt is
 * its letter then, but also that of a letter that is no option. */
static bool
has_extra(const struct options *o)
{
	const char *word = o->argv[optind - 1];

	return optopt != 0 && strncmp(word, "--", 2) == 0 &&
	       strchr(word, '=') != NULL && row_of(o->command, optopt) != NULL;
}

/* The option that getopt stumbled over. */
static const char *
given(const struct options *o, bool is_known, char *out)
{
	const struct option_row *row = is_known ? row_of(o->command, optopt)
						: NULL;
	char letter[3] = { '-', (char)optopt, '\0' };
	const char *word = letter;

	if (row != NULL) {
		snprintf(out, SHOWN_SIZE, "--%s", row->word);
		return out;
	}
	if (optopt == 0)
		word = o->argv[optind - 1];
	return text_escape(out, SHOWN_SIZE, word, strlen(word));
}
