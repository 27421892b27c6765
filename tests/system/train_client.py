"""A second client of the train and of push, from docs/protocol.md alone.

Nothing of netpan's code is used, so that server and text are held against each
other. It is strict: whatever the text calls "must" and the server does not do
is a ProtocolError.
"""

import hashlib
import socket
import struct
from typing import NamedTuple, Optional, Tuple

MAGIC = b"\xf5TRN"
VERSION = 1
HELLO = MAGIC + bytes([VERSION, 0, 0, 0])

GET, TREE, LIST = 0x01, 0x02, 0x03
HEAD, DATA, END, SUM, ERROR = 0x81, 0x82, 0x83, 0x84, 0x85

IF_SAME, HEADS_ONLY, NO_DIGEST, MORE, DIGEST = 0x01, 0x02, 0x04, 0x08, 0x10
ANEW = 0x20

# type: (least payload, most payload, flags it may have), of what servers send
REPLIES = {
    HEAD: (37, 4258, 0),
    DATA: (1, 4194304, 0),
    END: (40, 40, DIGEST),
    SUM: (48, 48, MORE),
    ERROR: (4, 516, 0),
}

FILE, FOLDER = 1, 2
ENTRY, REQUEST, CONNECTION = 1, 2, 3

CODES = {
    1: "protocol", 2: "version", 3: "not found", 4: "not a file",
    5: "not a folder", 6: "denied", 7: "offset", 8: "changed",
    9: "unreadable", 10: "busy", 11: "ending",
}

MAX_SIZE = 2**63 - 1

Path = Tuple[bytes, ...]


class ProtocolError(AssertionError):
    """The server does what the text forbids."""


class Closed(ProtocolError):
    """The server closed where more was due."""


class ServerError(Exception):
    """An ERROR of scope request or connection."""

    def __init__(self, error):
        super().__init__(f"{CODES[error.code]}: {error.text}")
        self.code = error.code
        self.scope = error.scope
        self.text = error.text


class Head(NamedTuple):
    kind: int
    mode: int
    size: int
    mtime_ns: int
    offset: int
    path: Path


class End(NamedTuple):
    size: int
    sha256: Optional[bytes]


class Sum(NamedTuple):
    more: bool
    files: int
    folders: int
    bytes: int
    links: int
    special: int
    unreadable: int


class Error(NamedTuple):
    code: int
    scope: int
    text: str


class Entry(NamedTuple):
    """One file, folder or failed file of an answer.

    data is what came (None: it was not kept); end is an End, an Error of
    entry scope, or None for a folder and for HEADS_ONLY.
    """
    head: Head
    data: Optional[bytes]
    end: object


def check(condition, what):
    if not condition:
        raise ProtocolError(what)


# ---- paths ----


def to_path(path):
    """"a/b", b"a/b" or a sequence of names, as a tuple of bytes."""
    if isinstance(path, str):
        path = path.encode("utf-8", "surrogateescape")
    if isinstance(path, bytes):
        path = path.split(b"/") if path else ()
    return tuple(path)


def put_path(path):
    """As it goes over the wire; what a server must refuse can be written."""
    path = to_path(path)
    return struct.pack("<H", len(path)) + b"".join(
        struct.pack("<H", len(name)) + name for name in path)


def check_path(path):
    check(len(path) <= 128, "a path of more than 128 names")
    check(len(b"/".join(path)) <= 4095, "a path of more than 4095 bytes")
    for name in path:
        check(1 <= len(name) <= 255, "a name of that length")
        check(name not in (b".", b"..", b".netpan"), f"the name {name}")
        check(b"/" not in name and b"\0" not in name, f"the name {name}")


class Fields:
    """The fields of one payload, to be used up exactly."""

    def __init__(self, payload):
        self.payload = payload
        self.off = 0

    def take(self, n):
        check(n <= len(self.payload) - self.off, "the payload is too short")
        self.off += n
        return self.payload[self.off - n:self.off]

    def number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]

    def size(self):
        value = self.number("Q")
        check(value <= MAX_SIZE, "a size over 2^63 - 1")
        return value

    def zeros(self, n):
        check(self.take(n) == bytes(n), "bytes that must be zero")

    def path(self):
        path = tuple(self.take(self.number("H"))
                     for _ in range(self.number("H")))
        check_path(path)
        return path

    def end(self):
        check(self.off == len(self.payload), "bytes after the last field")


# ---- replies ----


def parse_head(flags, payload):
    f = Fields(payload)
    kind = f.number("B")
    f.zeros(3)
    mode, size, mtime_ns = f.number("I"), f.size(), f.number("q")
    offset, path = f.size(), f.path()
    f.end()
    check(kind in (FILE, FOLDER), f"kind {kind}")
    check(mode <= 0o777, f"mode {mode:o}")
    check(kind == FILE or size == 0, "a folder with a size")
    check(offset <= size, "an offset past the end")
    check(path, "a HEAD without a name")
    return Head(kind, mode, size, mtime_ns, offset, path)


def parse_end(flags, payload):
    f = Fields(payload)
    size, digest = f.size(), f.take(32)
    f.end()
    check(flags & DIGEST or digest == bytes(32), "a digest without its flag")
    return End(size, digest if flags & DIGEST else None)


def parse_sum(flags, payload):
    f = Fields(payload)
    counts = [f.number("Q") for _ in range(6)]
    f.end()
    return Sum(bool(flags & MORE), *counts)


def parse_error(flags, payload):
    f = Fields(payload)
    code, scope = f.number("H"), f.number("B")
    f.zeros(1)
    try:
        text = f.take(len(payload) - 4).decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("a sentence that is not UTF-8") from None
    check(code in CODES, f"code {code}")
    check(scope in (ENTRY, REQUEST, CONNECTION), f"scope {scope}")
    check(not any(ord(c) < 0x20 or 0x7f <= ord(c) <= 0x9f for c in text),
          "a sentence with control characters")
    return Error(code, scope, text)


PARSERS = {HEAD: parse_head, DATA: lambda flags, payload: payload,
           END: parse_end, SUM: parse_sum, ERROR: parse_error}


# ---- requests ----


def frame(kind, flags, payload):
    return struct.pack("<IBBH", len(payload), kind, flags, 0) + payload


def put_get(path, offset=0, same=None, digest=True, anew=False):
    """same: (size, mtime_ns) of the version that is gone on with."""
    flags = ((IF_SAME if same else 0) | (0 if digest else NO_DIGEST)
             | (ANEW if anew else 0))
    size, mtime_ns = same or (0, 0)
    return frame(GET, flags, struct.pack("<QQq", offset, size, mtime_ns)
                 + put_path(path))


def put_tree(root=(), start=(), until=(), offset=0, heads_only=False,
             digest=True, anew=False):
    flags = ((HEADS_ONLY if heads_only else 0)
             | (0 if digest else NO_DIGEST) | (ANEW if anew else 0))
    return frame(TREE, flags, struct.pack("<Q", offset) + put_path(root)
                 + put_path(start) + put_path(until))


def put_list(folder=(), after=()):
    return frame(LIST, 0, put_path(folder) + put_path(after))


# ---- the conversation ----


class TrainClient:
    """One connection.  get, tree and list ask, and read the whole answer.

    options are those of the socket, (level, name, value) each, to be set
    before it connects.
    """

    def __init__(self, port, host="127.0.0.1", timeout=30, hello=HELLO,
                 options=()):
        self.socket = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET)
        for option in options:
            self.socket.setsockopt(*option)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        if hello is not None:
            self.send(hello)
            self.read_hello()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, n):
        pieces = []
        while n > 0:
            piece = self.socket.recv(min(n, 1 << 20))
            if not piece:
                raise Closed(f"closed, and {n} bytes were due")
            pieces.append(piece)
            n -= len(piece)
        return b"".join(pieces)

    def read_hello(self):
        got = self.read(8)
        check(got[:4] == MAGIC and got[5:] == bytes(3), f"the hello {got!r}")
        check(got[4] == VERSION, f"version {got[4]}")

    def is_closed(self):
        """Waits for the server to close; False when it sends more instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def read_frame(self):
        """(type, parsed message) of the next frame."""
        length, kind, flags, zero = struct.unpack("<IBBH", self.read(8))
        check(kind in REPLIES, f"type {kind:#x}")
        least, most, allowed = REPLIES[kind]
        check(least <= length <= most, f"type {kind:#x} with {length} bytes")
        check(flags & ~allowed == 0, f"type {kind:#x} with flags {flags:#x}")
        check(zero == 0, "bytes that must be zero")
        return kind, PARSERS[kind](flags, self.read(length))

    def expect(self, *kinds):
        """The next frame, of one of these types; an ERROR that ends the
        answer is raised."""
        kind, message = self.read_frame()
        if kind == ERROR and message.scope != ENTRY:
            raise ServerError(message)
        check(kind in kinds, f"type {kind:#x} is not due here")
        return kind, message

    # One answer each.

    def get(self, path, offset=0, same=None, digest=True, keep=True,
            anew=False):
        path = to_path(path)
        self.send(put_get(path, offset, same, digest, anew))
        return self.read_get(path, offset, same, digest, keep)

    def read_get(self, path, offset=0, same=None, digest=True, keep=True):
        _, head = self.expect(HEAD)
        check(head.kind == FILE, "GET of something else than a file")
        check(head.path == to_path(path)[-1:], f"the name {head.path}")
        if same and (head.size, head.mtime_ns) != tuple(same):
            check(head.offset == 0, "another version, and not from its start")
        else:
            check(head.offset == offset, f"offset {head.offset}")
        entry = self.read_content(head, keep)
        check(isinstance(entry.end, End), "an entry's ERROR in a GET")
        check(not digest or entry.end.sha256, "an END without a digest")
        return entry

    def read_content(self, head, keep=True):
        """DATA ... and END (or an entry's ERROR), after a file's HEAD."""
        left = head.size - head.offset
        pieces = []
        digest = hashlib.sha256()
        while True:
            kind, message = self.expect(DATA, END, ERROR)
            if kind != DATA:
                break
            check(len(message) <= left, "more data than the HEAD said")
            left -= len(message)
            digest.update(message)
            if keep:
                pieces.append(message)
        if kind == END:
            check(left == 0, f"END, and {left} bytes are missing")
            check(message.size == head.size, "END and HEAD differ in size")
            if message.sha256 and head.offset == 0:
                check(message.sha256 == digest.digest(), "a wrong digest")
        return Entry(head, b"".join(pieces) if keep else None, message)

    def tree(self, root=(), start=(), until=(), offset=0, heads_only=False,
             digest=True, keep=True, anew=False):
        """([Entry ...], Sum)"""
        self.send(put_tree(root, start, until, offset, heads_only, digest,
                           anew))
        return self.read_tree(start, until, heads_only, digest, keep)

    def read_tree(self, start=(), until=(), heads_only=False, digest=True,
                  keep=True):
        start, until = to_path(start), to_path(until)
        entries = []
        before = None
        while True:
            kind, message = self.expect(HEAD, SUM)
            if kind == SUM:
                break
            check(before is None or message.path > before,
                  f"{message.path} after {before}")
            check(message.path >= start, f"{message.path} before {start}")
            check(not until or message.path < until,
                  f"{message.path} not before {until}")
            before = message.path
            check(message.offset == 0 or message.path == start,
                  f"an offset for {message.path}")
            if message.kind == FILE and not heads_only:
                entry = self.read_content(message, keep)
                check(not digest or not isinstance(entry.end, End)
                      or entry.end.sha256, "an END without a digest")
            else:
                entry = Entry(message, None, None)
            entries.append(entry)
        self.check_sum(message, entries)
        check(not message.more or until, "more, without an until")
        return entries, message

    def list(self, folder=(), after=()):
        """([Head ...], Sum)"""
        self.send(put_list(folder, after))
        return self.read_list(after)

    def read_list(self, after=()):
        heads = []
        before = after = to_path(after)
        while True:
            kind, message = self.expect(HEAD, SUM)
            if kind == SUM:
                break
            check(len(message.path) == 1, f"{message.path} in a listing")
            check(message.path > before, f"{message.path} after {before}")
            check(message.offset == 0, "an offset in a listing")
            before = message.path
            heads.append(message)
        self.check_sum(message, [Entry(h, None, None) for h in heads])
        check(not message.more, "MORE in a listing")
        return heads, message

    @staticmethod
    def check_sum(total, entries):
        files = [e.head for e in entries if e.head.kind == FILE]
        check(total.files == len(files), f"files {total.files}")
        check(total.folders == len(entries) - len(files),
              f"folders {total.folders}")
        check(total.bytes == sum(h.size for h in files), f"bytes {total.bytes}")


# ---- push ----


def receive_push(port, host="127.0.0.1", timeout=30):
    """(name, content, lengths of the frames)"""
    with socket.create_connection((host, port), timeout=timeout) as s, \
            s.makefile("rb") as f:
        def read(n):
            got = f.read(n)
            if len(got) < n:
                raise Closed(f"closed, and {n - len(got)} bytes were due")
            return got

        n = struct.unpack("<I", read(4))[0]
        check(1 <= n <= 255, f"a name of {n} bytes")
        name = read(n)
        check_path((name,))
        size = struct.unpack("<Q", read(8))[0]
        pieces, lengths, left = [], [], size
        while left > 0:
            m = struct.unpack("<I", read(4))[0]
            check(1 <= m <= min(1000, left), f"a frame of {m} bytes")
            pieces.append(read(m))
            lengths.append(m)
            left -= m
        check(f.read(1) == b"", "bytes after the file")
        return name, b"".join(pieces), lengths
