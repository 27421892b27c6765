/*
 * Names in archives: safe for whatever unpacks them, on whatever system.
 */
#ifndef SERVER_PACK_NAME_H
#define SERVER_PACK_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

enum pack_form {
	PACK_TAR, /* ustar, with pax headers only where they are needed */
	PACK_ZIP /* not compressed; zip64 where it is needed */
};

/*
 * Makes the name that the segment has in an archive: itself, unless it has
 * bytes that an unpacker could take for something else (a backslash, a colon,
 * control bytes; in a zip what Windows has in no name, and the first letter of
 * one that it takes for a device).  Those become "_", and a few digits of the
 * segment's hash are added before its suffix, ("a:b.txt" is
 * "a_b~1f0f1e95b083.txt"), so that two segments never have the same name; a
 * segment that looks as if that had been done to it gets them as well, and with
 * is_taken any does.  out ends with NUL; returns the length.
 */
size_t pack_name(char out[LIM_SEG_BYTES + 1], const char *seg, size_t len,
    enum pack_form, bool is_taken);

#endif
