#!/usr/bin/env python3
"""make_mime.py LIST OUT: the system's list of media types as a C table.

LIST has lines of a type and the endings of its names (/etc/mime.types).  The
same list gives the same bytes.  mime.c includes OUT.
"""

import re
import sys

# What a browser may show in place: never active content.
INLINE = {"image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4",
          "video/webm", "audio/mpeg", "text/plain"}

TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/"
                  r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\Z")
# What follows the last dot of a name, letters folded.
ENDING = re.compile(r"[a-z0-9_+~%-]{1,31}\Z")


def read_list(path):
    """ending -> type; the first that names an ending has it."""
    types = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.partition("#")[0].split()
            if not words or not TYPE.match(words[0]):
                continue
            for ending in words[1:]:
                ending = ending.lower()
                if ENDING.match(ending):
                    types.setdefault(ending, words[0].lower())
    return types


class Texts:
    """All texts in one array, each once and with its NUL: rows of numbers
    need no relocation when a worker starts."""

    def __init__(self):
        self.places = {}
        self.size = 0

    def place(self, text):
        if text not in self.places:
            self.places[text] = self.size
            self.size += len(text) + 1
        return self.places[text]


def table(types):
    texts = Texts()
    rows = []
    for ending, kind in sorted(types.items()):
        full = kind + ("; charset=utf-8" if kind.startswith("text/") else "")
        rows.append(f"\t{{ {texts.place(ending)}, {texts.place(full)}, "
                    f"{int(kind in INLINE)} }}, /* {ending} */\n")
    return ("/* Made by make_mime.py from the system's list. */\n"
            "static const char mime_texts[] =\n"
            + "".join(f'\t"{text}\\0"\n' for text in texts.places)
            + "\t;\n\n"
            "static const struct mime_row mime_rows[] = {\n"
            + "".join(rows) + "};\n")


def main(list_path, out_path):
    try:
        types = read_list(list_path)
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"make_mime.py: the list of media types cannot be read: "
                 f"{error}")
    if "txt" not in types:
        sys.exit(f"make_mime.py: {list_path} is no list of media types: "
                 "it does not name the ending txt")
    with open(out_path, "w", encoding="ascii", newline="\n") as out:
        out.write(table(types))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_mime.py LIST OUT")
    main(sys.argv[1], sys.argv[2])
