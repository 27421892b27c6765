#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "server/pack_name.h"

#define HASH_BYTES 6
#define MARK_LEN (1 + 2 * HASH_BYTES) /* "~" and the digits */
#define SUFFIX_MAX 16

static bool clean(char *, size_t len, enum pack_form);
static bool is_bad(unsigned char, enum pack_form);
static bool is_device(const char *, size_t len);
static bool has_mark(const char *, size_t len);
static size_t add_mark(char *, size_t len, const char *seg, size_t seg_len);
static size_t suffix_begin(const char *, size_t len);

size_t
pack_name(char out[LIM_SEG_BYTES + 1], const char *seg, size_t len,
    enum pack_form form, bool is_taken)
{
	bool is_changed;

	memcpy(out, seg, len);
	is_changed = clean(out, len, form);
	if (is_changed || is_taken || has_mark(seg, len))
		len = add_mark(out, len, seg, len);
	out[len] = '\0';
	return len;
}

/* Was there anything to be replaced? */
static bool
clean(char *name, size_t len, enum pack_form form)
{
	bool is_changed = false;

	for (size_t i = 0; i < len; i++) {
		/* Half of a surrogate pair: libarchive, and who knows what
		 * unpacker, makes one character of two halves. */
		bool is_half = (unsigned char)name[i] == 0xed && i + 1 < len &&
			       (name[i + 1] & 0xe0) == 0xa0;

		if (!is_half && !is_bad((unsigned char)name[i], form))
			continue;
		name[i] = '_';
		is_changed = true;
	}
	/* Windows drops these at the end of a name. */
	while (form == PACK_ZIP && len > 0 &&
	       (name[len - 1] == '.' || name[len - 1] == ' ')) {
		name[--len] = '_';
		is_changed = true;
	}
	if (form == PACK_ZIP && is_device(name, len)) {
		name[0] = '_';
		is_changed = true;
	}
	return is_changed;
}

static bool
is_bad(unsigned char c, enum pack_form form)
{
	switch (c) {
	case '\\':
	case ':':
	case '/':
	case 0x7f:
		return true;
	case '<':
	case '>':
	case '"':
	case '|':
	case '?':
	case '*':
	case 0xff: /* of no charset that unzip knows: it would leave it out */
		return form == PACK_ZIP;
	default:
		return c < 0x20;
	}
}

/* Windows takes these for devices, in any folder and with any suffix. */
static bool
is_device(const char *name, size_t len)
{
	static const char *const devices[] = { "CON", "PRN", "AUX", "NUL",
		"CONIN$", "CONOUT$" };
	const char *dot = memchr(name, '.', len);
	size_t n = dot == NULL ? len : (size_t)(dot - name);

	while (n > 0 && name[n - 1] == ' ')
		n--;
	if (n == 4 && name[3] >= '0' && name[3] <= '9')
		return strncasecmp(name, "COM", 3) == 0 ||
		       strncasecmp(name, "LPT", 3) == 0;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		if (n == strlen(devices[i]) &&
		    strncasecmp(name, devices[i], n) == 0)
			return true;
	return false;
}

static bool
has_mark(const char *name, size_t len)
{
	size_t n = 0; /* of a mark, up to here */

	for (size_t i = 0; i < len && n < MARK_LEN; i++) {
		char c = name[i];

		if (c == '~')
			n = 1;
		else if (n > 0 &&
			 ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			n++;
		else
			n = 0;
	}
	return n == MARK_LEN;
}

static size_t
add_mark(char *name, size_t len, const char *seg, size_t seg_len)
{
	size_t stem_len = suffix_begin(name, len), suffix_len = len - stem_len;
	unsigned char hash[EVP_MAX_MD_SIZE] = { 0 };
	char mark[MARK_LEN + 1] = "~", suffix[SUFFIX_MAX];

	memcpy(suffix, name + stem_len, suffix_len);
	if (stem_len > LIM_SEG_BYTES - MARK_LEN - suffix_len) {
		stem_len = LIM_SEG_BYTES - MARK_LEN - suffix_len;
		/* not in the middle of a character */
		for (int i = 0; i < 3 && (name[stem_len] & 0xc0) == 0x80; i++)
			stem_len--;
	}
	EVP_Digest(seg, seg_len, hash, NULL, EVP_sha256(), NULL);
	text_hex(mark + 1, hash, HASH_BYTES);
	memcpy(name + stem_len, mark, MARK_LEN);
	memcpy(name + stem_len + MARK_LEN, suffix, suffix_len);
	return stem_len + MARK_LEN + suffix_len;
}

/* Where ".txt" begins; len when there is no such thing, or it is too long to
 * be one. */
static size_t
suffix_begin(const char *name, size_t len)
{
	const char *dot = memrchr(name, '.', len);

	if (dot == NULL || dot == name || name + len - dot > SUFFIX_MAX)
		return len;
	return (size_t)(dot - name);
}
