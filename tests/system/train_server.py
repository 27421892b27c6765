"""A train server in Python that a test can make lie.

`TrainServer` is honest: it serves the entries it is given, by the text of
docs/protocol.md.  A test derives from it and overrides the one step that is to
go wrong; whatever a step yields goes over the wire as it is.  Connections are
threads; all is on loopback, on a free port.
"""

import contextlib
import hashlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Optional

from train_client import (DATA, DIGEST, END, ENTRY, ERROR, FILE, FOLDER, GET,
                          HEAD, HEADS_ONLY, HELLO, IF_SAME, LIST, MORE,
                          REQUEST, SUM, TREE, Closed, Fields, frame, put_path,
                          to_path)

MTIME = 1_700_000_000_123_456_789


@dataclass
class Entry:
    """A file (data), or a folder (None)."""
    path: tuple
    data: Optional[bytes] = None
    mode: int = 0o644
    mtime_ns: int = MTIME

    def __post_init__(self):
        self.path = to_path(self.path)

    @property
    def is_file(self):
        return self.data is not None


@dataclass
class Request:
    """What a client asked for; `conn` counts its connections from 0."""
    kind: int
    conn: int
    flags: int = 0
    offset: int = 0
    same: tuple = (0, 0)
    path: tuple = ()   # of the file, the root, the folder
    start: tuple = ()  # from, after
    until: tuple = ()
    n: int = field(default=0)  # requests on this connection before it


def entries(*spec):
    """"a/" is a folder, ("a/b", b"data") a file, an Entry is itself."""
    made = []
    for e in spec:
        if isinstance(e, str):
            made.append(Entry(e.rstrip("/"), mode=0o755))
        elif isinstance(e, tuple):
            made.append(Entry(*e))
        else:
            made.append(e)
    return made


# ---- frames ----


def put_head(path, kind=FILE, size=0, mode=0o644, mtime_ns=MTIME, offset=0):
    return frame(HEAD, 0, struct.pack("<B3xIQqQ", kind, mode, size, mtime_ns,
                                      offset) + put_path(path))


def put_data(data, piece=65536):
    return b"".join(frame(DATA, 0, data[i:i + piece])
                    for i in range(0, len(data), piece))


def put_end(data, size=None, digest=None):
    """Of a file with these bytes; size and digest may lie."""
    digest = hashlib.sha256(data).digest() if digest is None else digest
    size = len(data) if size is None else size
    if not digest:
        return frame(END, 0, struct.pack("<Q", size) + bytes(32))
    return frame(END, DIGEST, struct.pack("<Q", size) + digest)


def put_sum(files=0, folders=0, size=0, links=0, special=0, unreadable=0,
            more=False):
    return frame(SUM, MORE if more else 0, struct.pack(
        "<6Q", files, folders, size, links, special, unreadable))


def put_error(code, scope=REQUEST, text=b"it is so"):
    return frame(ERROR, 0, struct.pack("<HBx", code, scope) + text)


# ---- the server ----


class Drop(Exception):
    """The connection is closed here."""


class TrainServer:
    """One listener, as a context manager; see the module's text."""

    skipped = {}  # links, special, unreadable of a SUM

    def __init__(self, *spec):
        self.entries = sorted(entries(*spec), key=lambda e: e.path)
        self.requests = []  # in the order they came
        self.n_conns = 0
        self.lock = threading.Lock()
        self.threads = []
        self.socks = set()
        self.is_ending = threading.Event()
        self.errors = []

    # ---- what a test may override; each yields bytes, or raises Drop ----

    def hello(self):
        yield HELLO

    def answer(self, request):
        """One request."""
        yield from {GET: self.answer_get, TREE: self.answer_tree,
                    LIST: self.answer_list}[request.kind](request)

    def answer_get(self, request):
        entry = self.find(request.path)
        if entry is None or not entry.is_file:
            yield put_error(4 if entry else 3)
            return
        offset = request.offset
        if (request.flags & IF_SAME
                and request.same != (len(entry.data), entry.mtime_ns)):
            offset = 0
        if offset > len(entry.data):
            yield put_error(7)
            return
        yield from self.send_file(request, entry, entry.path[-1:], offset)

    def answer_tree(self, request):
        root = request.path
        if root and not self.is_folder(root):
            yield put_error(5 if self.find(root) else 3)
            return
        sent, more = [], False
        for entry in self.entries:
            path = entry.path[len(root):]
            if entry.path[:len(root)] != root or not path:
                continue
            if path < request.start:
                continue
            if request.until and path >= request.until:
                more = True
                break
            sent.append(entry)
            offset = request.offset if path == request.start else 0
            if request.flags & HEADS_ONLY or not entry.is_file:
                yield self.head(request, entry, path, 0)
            else:
                yield from self.send_file(
                    request, entry, path, min(offset, len(entry.data)))
        yield self.sum(request, sent, more)

    def answer_list(self, request):
        if request.path and not self.is_folder(request.path):
            yield put_error(5 if self.find(request.path) else 3)
            return
        depth = len(request.path) + 1
        sent = [e for e in self.entries
                if len(e.path) == depth and e.path[:-1] == request.path
                and e.path[-1:] > request.start]
        for entry in sent:
            yield self.head(request, entry, entry.path[-1:], 0)
        yield self.sum(request, sent, False)

    def send_file(self, request, entry, path, offset):
        yield self.head(request, entry, path, offset)
        yield from self.data(request, entry, offset)
        yield self.end(request, entry)

    def head(self, request, entry, path, offset):
        return put_head(path, FILE if entry.is_file else FOLDER,
                        len(entry.data or b""), entry.mode, entry.mtime_ns,
                        offset)

    def data(self, request, entry, offset):
        for i in range(offset, len(entry.data), 1 << 20):
            yield put_data(entry.data[i:i + (1 << 20)])

    def end(self, request, entry):
        return put_end(entry.data)

    def sum(self, request, sent, more):
        files = [e for e in sent if e.is_file]
        return put_sum(len(files), len(sent) - len(files),
                       sum(len(e.data) for e in files), **self.skipped,
                       more=more)

    # ---- for tests ----

    def find(self, path):
        path = to_path(path)
        return next((e for e in self.entries if e.path == path), None)

    def is_folder(self, path):
        entry = self.find(path)
        return entry is not None and not entry.is_file

    def url(self, path=""):
        return f"train://127.0.0.1:{self.port}/{path}"

    def pause(self, seconds=60):
        """A silence that ends with the server."""
        self.is_ending.wait(seconds)

    def asked(self, kind):
        with self.lock:
            return [r for r in self.requests if r.kind == kind]

    # ---- the rest ----

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, kind, value, trace):
        self.is_ending.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            socks, threads = list(self.socks), list(self.threads)
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a thread of the server hangs"
        if kind is None:
            assert not self.errors, f"the test's server failed: {self.errors}"

    def _start(self, run, *args):
        thread = threading.Thread(target=run, args=args, daemon=True)
        with self.lock:
            self.threads.append(thread)
        thread.start()

    def _accept(self):
        while not self.is_ending.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                number = self.n_conns
                self.n_conns += 1
                self.socks.add(sock)
            self._start(self._serve, sock, number)

    def _serve(self, sock, number):
        try:
            with sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError, Drop, Closed):
                    self._converse(sock, number)
        except Exception as e:  # a defect of the test, which must show
            self.errors.append(repr(e))
        finally:
            with self.lock:
                self.socks.discard(sock)

    def _converse(self, sock, number):
        hello = read_exactly(sock, 8)
        assert hello == HELLO, hello
        for piece in self.hello():
            sock.sendall(piece)
        n = 0
        while True:
            request = self._read(sock, number, n)
            with self.lock:
                self.requests.append(request)
            for piece in self.answer(request):
                sock.sendall(piece)
            n += 1

    def _read(self, sock, number, n):
        size, kind, flags, zero = struct.unpack("<IBBH", read_exactly(sock, 8))
        assert zero == 0 and size <= 16384, (size, zero)
        f = Fields(read_exactly(sock, size))
        r = Request(kind, number, flags, n=n)
        if kind == GET:
            r.offset = f.size()
            r.same = (f.size(), f.number("q"))
            r.path = f.path()
        elif kind == TREE:
            r.offset = f.size()
            r.path, r.start, r.until = f.path(), f.path(), f.path()
        elif kind == LIST:
            r.path, r.start = f.path(), f.path()
        else:
            raise AssertionError(f"a client sent type {kind:#x}")
        f.end()
        return r


def read_exactly(sock, size):
    got = b""
    while len(got) < size:
        piece = sock.recv(size - len(got))
        if not piece:
            raise Closed("the client closed")
        got += piece
    return got


def part_name(name, size, mtime_ns=MTIME):
    """As the client makes it, so that tests can lie in wait there."""
    file = hashlib.sha256(name.encode()).hexdigest()[:16]
    version = hashlib.sha256(struct.pack("<Qq", size, mtime_ns)).hexdigest()
    return f".netpan-{file}-{version[:16]}.part"


class RawServer(TrainServer):
    """Sends these bytes to whoever connects, then closes."""

    def __init__(self, raw, reads=True):
        super().__init__()
        self.raw = raw
        self.reads = reads

    def _converse(self, sock, number):
        if self.reads:
            read_exactly(sock, 8)
        sock.sendall(self.raw)
