"""docs/protocol.md is enough to write a second client: the one in
train_client.py fetches what netpand serves, and reads the text's examples."""

import os
import re
import socket
import struct

import pytest

import train_client as tc
from netpan_harness import Netpand, REPO, make_file, tree_state
from train_client import TrainClient

PROTOCOL = REPO / "docs" / "protocol.md"


@pytest.fixture
def client(netpand):
    with TrainClient(netpand.port) as c:
        yield c


def served(tree):
    """{path as a tuple: lstat} of what a server must show."""
    found = {}
    root = os.fsencode(tree)
    for where, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(where, name)
            rel = tuple(os.path.relpath(path, root).split(b"/"))
            found[rel] = os.lstat(path)
    return found


def content(tree, path):
    with open(os.path.join(os.fsencode(tree), *path), "rb") as f:
        return f.read()


def assert_head(head, st):
    assert head.mode == st.st_mode & 0o777
    assert head.mtime_ns == st.st_mtime_ns
    if head.kind == tc.FILE:
        assert head.size == st.st_size


# ---- the examples of the text ----


def examples():
    """Each block's bytes: [(sent by the client, sent by the server)]."""
    blocks = re.findall(r"```hex\n(.*?)```", PROTOCOL.read_text(), re.S)
    for block in blocks:
        sides = {"C": b"", "S": b""}
        for line in block.splitlines():
            # Up to 16 bytes in hex, then a space and what they are.
            sides[line[0]] += bytes.fromhex(line[2:49])
        yield sides["C"], sides["S"]


class Replay(TrainClient):
    """A client whose connection is the recorded bytes of a server."""

    def __init__(self, answer):
        self.answer = answer
        self.sent = b""

    def send(self, data):
        self.sent += data

    def read(self, n):
        tc.check(n <= len(self.answer), "the example ends early")
        got, self.answer = self.answer[:n], self.answer[n:]
        return got


FIVE = [
    ("get", lambda c: c.get("docs/hello.txt")),
    ("go on", lambda c: c.get("docs/hello.txt", 6,
                              same=(12, 1767323045123456789))),
    ("not there", lambda c: c.get("nope", digest=False)),
    ("tree", lambda c: c.tree("docs", heads_only=True)),
    ("list", lambda c: c.list((), "a")),
]


def test_examples_are_what_a_second_client_says():
    blocks = list(examples())
    assert len(blocks) == len(FIVE) + 1
    for (name, ask), (sent, answer) in zip(FIVE, blocks):
        client = Replay(answer)
        if sent.startswith(tc.MAGIC):
            client.send(tc.HELLO)
            client.read_hello()
        try:
            ask(client)
        except tc.ServerError as e:
            assert name == "not there" and e.code == 3
        assert client.sent == sent, name
        assert client.answer == b"", f"{name}: bytes are left over"


def test_tables_are_those_of_the_text():
    rows = re.findall(r"^\| `(0x8\d)` \| \w+ +\| server \| +(\d+)(?: to (\d+))?"
                      r" \| (.*?) *\|$", PROTOCOL.read_text(), re.M)
    said = {int(kind, 16): (int(least), int(most or least),
                            int((re.findall(r"0x\d\d", flags) or ["0"])[0], 16))
            for kind, least, most, flags in rows}
    assert said == tc.REPLIES


# ---- against a server ----


def test_file(client, tree):
    entry = client.get("plain.txt")
    assert entry.data == content(tree, (b"plain.txt",))
    assert_head(entry.head, os.stat(tree / "plain.txt"))


def test_every_file_by_get(client, tree):
    for path, st in served(tree).items():
        if not os.path.isdir(os.path.join(os.fsencode(tree), *path)):
            entry = client.get(path)
            assert entry.data == content(tree, path)
            assert_head(entry.head, st)


def test_offsets(client, tree):
    whole = content(tree, (b"plain.txt",))
    make_file(tree / "f", 3_000_000, seed=7)
    whole = content(tree, (b"f",))
    for offset in (1, 999, 65536, 2_999_999, 3_000_000):
        entry = client.get("f", offset)
        assert entry.data == whole[offset:]
    with pytest.raises(tc.ServerError) as e:
        client.get("f", 3_000_001)
    assert e.value.code == 7 and e.value.scope == tc.REQUEST
    assert client.get("f").data == whole, "the connection goes on"


def test_go_on_with_the_same_and_with_another(client, tree):
    path = make_file(tree / "f", 100_000, seed=8)
    st = path.stat()
    same = (st.st_size, st.st_mtime_ns)
    assert client.get("f", 40_000, same=same).head.offset == 40_000
    entry = client.get("f", 40_000, same=(st.st_size, st.st_mtime_ns + 1))
    assert entry.head.offset == 0
    assert entry.data == content(tree, (b"f",))


def test_tree_is_whole_and_in_order(client, tree):
    entries, total = client.tree()
    want = served(tree)
    assert [e.head.path for e in entries] == sorted(want)
    for e in entries:
        assert_head(e.head, want[e.head.path])
        if e.head.kind == tc.FILE:
            assert e.data == content(tree, e.head.path)
    assert (total.links, total.special, total.unreadable) == (0, 0, 0)


def test_stretches_make_the_tree(client, tree):
    paths = sorted(served(tree))
    got = []
    cuts = [()] + paths[3::7] + [()]
    for start, until in zip(cuts, cuts[1:]):
        entries, total = client.tree(start=start, until=until, heads_only=True)
        got += [e.head.path for e in entries]
        assert total.more == bool(until)
    assert got == paths


def test_tree_goes_on_in_the_middle_of_a_file(client, tree):
    path = max((p for p in served(tree)
                if os.path.isfile(os.path.join(os.fsencode(tree), *p))),
               key=lambda p: len(content(tree, p)))
    entries, _ = client.tree(start=path, offset=1_000_000)
    assert entries[0].head.path == path
    assert entries[0].head.offset == 1_000_000
    assert entries[0].data == content(tree, path)[1_000_000:]


def test_links_and_special_files_are_counted_only(client, tree):
    (tree / "link").symlink_to("plain.txt")
    (tree / "out").symlink_to("/etc")
    os.mkfifo(tree / "fifo")
    entries, total = client.tree(heads_only=True)
    assert (total.links, total.special) == (2, 1)
    names = {e.head.path for e in entries}
    assert not names & {(b"link",), (b"out",), (b"fifo",)}
    for name in "link", "out", "fifo", "out/passwd":
        with pytest.raises(tc.ServerError) as e:
            client.get(name)
        assert e.value.code == 3, name


def test_list(client, tree):
    names = sorted(os.listdir(os.fsencode(tree)))
    heads, _ = client.list()
    assert [h.path for h in heads] == [(n,) for n in names]
    heads, _ = client.list(after=names[4:5])
    assert [h.path for h in heads] == [(n,) for n in names[5:]]


@pytest.mark.parametrize("ask, code", [
    (lambda c: c.get("nothing"), 3),
    (lambda c: c.get("empty folder"), 4),
    (lambda c: c.get(()), 4),
    (lambda c: c.list("plain.txt"), 5),
    (lambda c: c.tree("plain.txt"), 5),
    (lambda c: c.tree("nothing"), 3),
])
def test_refusals_end_the_request_only(client, tree, ask, code):
    with pytest.raises(tc.ServerError) as e:
        ask(client)
    assert e.value.code == code and e.value.scope == tc.REQUEST
    assert client.get("plain.txt").data == content(tree, (b"plain.txt",))


def test_many_requests_ahead(client, tree):
    for _ in range(50):
        client.send(tc.put_get("plain.txt"))
        client.send(tc.put_list())
    for _ in range(50):
        client.read_get("plain.txt")
        while client.expect(tc.HEAD, tc.SUM)[0] != tc.SUM:
            pass


def test_shut_down_sending_side_is_still_answered(client, tree):
    client.send(tc.put_get("plain.txt"))
    client.socket.shutdown(socket.SHUT_WR)
    assert client.read_get("plain.txt").data == content(tree, (b"plain.txt",))
    assert client.is_closed()


def get_of(*names):
    return tc.frame(tc.GET, 0, bytes(24) + tc.put_path(names))


BREACHES = [
    ("type of a server", tc.frame(tc.DATA, 0, b"x")),
    ("unknown type", tc.frame(0x7f, 0, b"")),
    ("unknown flag", tc.frame(tc.GET, 0x80, bytes(24) + tc.put_path("a"))),
    ("nonzero header", b"\x1d\0\0\0\x01\0\1\0"),
    ("too short", tc.frame(tc.GET, 0, bytes(25))),
    ("too long", struct.pack("<IBBH", 16385, tc.GET, 0, 0)),
    ("length 2^32 - 1", struct.pack("<IBBH", 2**32 - 1, tc.GET, 0, 0)),
    ("bytes left over", tc.frame(tc.LIST, 0, bytes(5))),
    ("dot dot", get_of(b"..", b"etc", b"passwd")),
    ("dot", get_of(b".", b"plain.txt")),
    ("slash inside", get_of(b"../etc")),
    ("zero byte inside", get_of(b"a\0b")),
    ("empty name", get_of(b"")),
    ("reserved name", get_of(b".netpan", b"stage")),
    ("name of 256 bytes", get_of(b"n" * 256)),
    ("129 names", get_of(*[b"d"] * 129)),
    ("4097 bytes of path", get_of(*[b"d" * 240] * 17)),
    ("offset 2^63", tc.put_get("plain.txt", 2**63)),
    ("same without its flag",
     tc.frame(tc.GET, 0, struct.pack("<QQq", 0, 5, 0) + tc.put_path("a"))),
    ("offset without from", tc.put_tree(offset=1)),
    ("two names after", tc.put_list((), "a/b")),
]


@pytest.mark.parametrize("what, request_", BREACHES, ids=[b[0] for b in BREACHES])
def test_breach_ends_the_connection(client, netpand, tree, what, request_):
    workers = netpand.workers()
    client.send(request_)
    with pytest.raises(tc.ServerError) as e:
        client.expect(tc.HEAD)
    assert e.value.code == 1 and e.value.scope == tc.CONNECTION
    assert client.is_closed()
    assert netpand.workers() == workers, "no worker died of it"
    with TrainClient(netpand.port) as other:
        assert other.get("plain.txt").data == content(tree, (b"plain.txt",))


def test_other_version_is_answered_with_ours(netpand):
    with TrainClient(netpand.port, hello=None) as client:
        client.send(tc.MAGIC + b"\x02\0\0\0")
        client.read_hello()
        with pytest.raises(tc.ServerError) as e:
            client.expect()
        assert e.value.code == 2 and e.value.scope == tc.CONNECTION
        assert client.is_closed()


@pytest.mark.parametrize("first", [b"\xf5TRM", b"\xf5TRN\x01\0\0\1",
                                   b"\xf5\xf5\xf5\xf5\xf5\xf5\xf5\xf5"])
def test_no_hello_is_answered_with_nothing(netpand, first):
    with TrainClient(netpand.port, hello=None) as client:
        client.send(first)
        assert client.is_closed()


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 1_234_567])
def test_push(tmp_path, size):
    path = make_file(tmp_path / "网盘 file.bin", size, seed=9)
    with Netpand(push=path) as server:
        for _ in range(2):
            name, data, lengths = tc.receive_push(server.push_port)
            assert name == "网盘 file.bin".encode()
            assert data == path.read_bytes()
            assert all(n == 1000 for n in lengths[:-1])


def test_serving_leaves_the_tree_alone(tree):
    before = tree_state(tree)
    with Netpand(tree) as server, TrainClient(server.port) as client:
        client.tree()
        client.list()
    assert tree_state(tree) == before
