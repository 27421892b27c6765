#include <stdio.h>

#include "base/text.h"
#include "client/refusal.h"

static const char *const texts[TRAIN_CODE_MAX + 1] = {
	[TRAIN_E_PROTOCOL] = "The server does not understand the request",
	[TRAIN_E_VERSION] = "The server speaks another version of the train",
	[TRAIN_E_NOT_FOUND] = "No such file or folder",
	[TRAIN_E_NOT_FILE] = "It is a folder: use get -r, or ls",
	[TRAIN_E_NOT_FOLDER] =
	    "It is a file, not a folder: get takes it without -r",
	[TRAIN_E_DENIED] = "The server does not allow it",
	[TRAIN_E_OFFSET] = "It is shorter than before",
	[TRAIN_E_CHANGED] = "It changed while it was sent",
	[TRAIN_E_IO] = "The server could not read it",
	[TRAIN_E_BUSY] = "The server is busy: try again later",
	[TRAIN_E_ENDING] = "The server is going down: try again later",
};

/* Codes that say it all; with the others the server's own words help. */
static bool
is_plain(enum train_code code)
{
	return code == TRAIN_E_NOT_FOUND || code == TRAIN_E_NOT_FILE ||
	       code == TRAIN_E_NOT_FOLDER || code == TRAIN_E_CHANGED;
}

char *
refusal_text(char out[REFUSAL_SIZE], const struct train_error *e)
{
	const char *text = texts[e->code];
	char words[REFUSAL_SIZE / 2];

	if (text == NULL)
		text = train_code_name(e->code);
	if (e->len == 0 || is_plain(e->code)) {
		snprintf(out, REFUSAL_SIZE, "%s", text);
		return out;
	}
	text_escape(words, sizeof(words), e->text, e->len);
	snprintf(out, REFUSAL_SIZE, "%s (it says: %s)", text, words);
	return out;
}

bool
refusal_passes(const struct train_error *e)
{
	return e->code == TRAIN_E_BUSY || e->code == TRAIN_E_ENDING;
}
