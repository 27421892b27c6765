"""A small HTTP/1.1 client that believes nothing: what comes must be framed to
the byte, or it says so.  For tests that look at the wire."""

import contextlib
import socket


class BadReply(AssertionError):
    """The server's bytes are no well-formed answer."""


class Reply:
    def __init__(self, status, fields, body, head):
        self.status = status
        self.fields = fields  # [(name, value)], as they came
        self.body = body
        self.head = head  # the bytes of the head

    def __getitem__(self, name):
        """The value of a field that came once; None: it did not come."""
        found = [v for n, v in self.fields if n.lower() == name.lower()]
        if len(found) > 1:
            raise BadReply(f"{name} came {len(found)} times")
        return found[0] if found else None

    def __repr__(self):
        return f"Reply({self.status}, {self.fields}, {self.body[:200]!r})"


class Http:
    """One connection.

        with Http(port) as http:
            reply = http.get("/a", Range="bytes=0-1")
    """

    def __init__(self, port, timeout=30.0, source="127.0.0.1",
                 receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def get(self, path, method="GET", **fields):
        """Underscores in a field's name stand for hyphens."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test"]
        lines += [f"{n.replace('_', '-')}: {v}" for n, v in fields.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return self.reply(method)

    def reply(self, method="GET"):
        """The next answer, whole.  Interim ones (1xx) are passed over."""
        while True:
            head = self._until(b"\r\n\r\n")
            status, fields = parse_head(head)
            if status >= 200:
                break
        reply = Reply(status, fields, b"", head)
        if method != "HEAD" and status not in (204, 304):
            reply.body = self._body(reply)
        return reply

    def _body(self, reply):
        if reply["Transfer-Encoding"] is not None:
            if reply["Transfer-Encoding"] != "chunked":
                raise BadReply(f"transfer coding {reply['Transfer-Encoding']}")
            if reply["Content-Length"] is not None:
                raise BadReply("both a length and chunks")
            return self._chunks()
        if reply["Content-Length"] is not None:
            return self._exactly(int(reply["Content-Length"]))
        if reply["Connection"] != "close":
            raise BadReply("a body without an end")
        return self._rest()

    def _chunks(self):
        body = []
        while True:
            size = int(self._until(b"\r\n")[:-2], 16)
            piece = self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise BadReply("a chunk does not end where it should")
            if size == 0:
                return b"".join(body)
            body.append(piece)

    def _more(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise BadReply(f"closed after {self.data[-200:]!r}")
        self.data += data

    def _until(self, end):
        while end not in self.data:
            self._more()
        head, _, self.data = self.data.partition(end)
        return head + end

    def _exactly(self, n):
        pieces, left = [self.data[:n]], n - len(self.data)
        self.data = self.data[n:]
        while left > 0:
            data = self.socket.recv(min(left, 1 << 20))
            if not data:
                raise BadReply(f"closed {left} bytes before the end")
            pieces.append(data)
            left -= len(data)
        return b"".join(pieces)

    def _rest(self):
        pieces = [self.data]
        self.data = b""
        while data := self.socket.recv(1 << 20):
            pieces.append(data)
        return b"".join(pieces)

    def is_closed(self):
        """Waits for the end: True when it comes without another byte."""
        with contextlib.suppress(ConnectionResetError):
            self.data += self._rest()
        return self.data == b""


def parse_head(head):
    lines = head[:-4].split(b"\r\n")
    if b"\n" in head.replace(b"\r\n", b"") or b"\r" in head.replace(b"\r\n", b""):
        raise BadReply(f"a bare CR or LF in {head!r}")
    version, status, _ = lines[0].split(b" ", 2)
    if version != b"HTTP/1.1":
        raise BadReply(f"version {version!r}")
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip() != name:
            raise BadReply(f"field line {line!r}")
        if any(b < 0x20 or b == 0x7f for b in value):
            raise BadReply(f"a control byte in {line!r}")
        fields.append((name.decode("latin-1"), value.strip().decode("latin-1")))
    return int(status), fields


def raw(port, data, timeout=30.0):
    """Sends exactly these bytes, and gives all that comes back until the
    server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout) as s:
        got = []
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            s.sendall(data)
            while piece := s.recv(1 << 16):
                got.append(piece)
        return b"".join(got)
