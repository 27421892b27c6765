"""netpan trusts no server: whatever one sends, nothing outside the target
changes, no wrong file gets its name, and the client ends with a message."""

import concurrent.futures
import os
import re
import socket
import stat
import struct

import pytest

from netpan_harness import netpan, tree_state
from train_client import (ANEW, DATA, DIGEST, END, ERROR, FILE, FOLDER, GET, HEAD,
                          HEADS_ONLY, HELLO, SUM, TREE, frame)
from train_server import (MTIME, Drop, Entry, RawServer, TrainServer, part_name,
                          put_data, put_end, put_error, put_head, put_sum)

SECRET = b"not yours"


class Site:
    """A folder with a target in it and things around it that no server may
    touch."""

    def __init__(self, root):
        self.root = root
        self.target = root / "target"
        self.victim = root / "victim"
        self.victim.mkdir(parents=True)
        (self.victim / "secret").write_bytes(SECRET)
        (root / "file").write_bytes(SECRET)
        self.before = self.outside()

    def outside(self):
        return {name: state for name, state in tree_state(self.root).items()
                if name.split(b"/")[0] != b"target"}

    def get(self, server, path="", *options):
        """`get -r` into the target."""
        return netpan("get", "-r", "-o", self.target, *options,
                      server.url(path))

    def get_file(self, server, path="f", *options):
        """`get` of a file, in the target, under its own name."""
        self.target.mkdir(exist_ok=True)
        return netpan("get", *options, server.url(path), cwd=self.target)

    def names(self):
        """All that is in the target, parts of files too."""
        return sorted(os.fsdecode(n) for n in tree_state(self.target))


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    yield site
    assert site.outside() == site.before, "something outside was touched"


def says(done, code, *words):
    """It ended with this status, and said so in one clean line."""
    assert done.returncode == code, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert done.stderr.startswith("netpan: "), done.stderr
    assert not any(c < " " and c != "\n" or c == "\x7f" for c in done.stderr)


# ---- 79: names ----

BAD_NAMES = [
    b"", b".", b"..", b"/abs", b"a/b", b"../x", b"../../victim/secret",
    b"/", b"a/", b"a\0b", b".netpan", b"n" * 256, b"n" * 65535,
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda n: repr(n[:12]))
@pytest.mark.parametrize("kind", [FILE, FOLDER])
def test_a_name_that_is_none_ends_a_tree(site, name, kind):
    class Evil(TrainServer):
        def answer_tree(self, request):
            yield put_head((b"a",), size=4)
            yield put_head((name,), kind)
            yield put_sum(2)

    with Evil() as server:
        says(site.get(server), 1, "breaks the protocol")
    assert site.names() == []


@pytest.mark.parametrize("path", [(), (b"d", b".."), (b"..", b"x"),
                                  (b"d", b"..", b"..", b"file"),
                                  (b"x",) * 129, (b"d" * 255,) * 17])
def test_a_path_that_is_none_ends_a_tree(site, path):
    class Evil(TrainServer):
        def answer_tree(self, request):
            yield put_head((b"d",), FOLDER)
            yield put_head(path, size=4)
            yield put_data(b"evil") + put_end(b"evil") + put_sum(2)

    with Evil() as server:
        says(site.get(server), 1, "breaks the protocol")
    assert site.names() == []


@pytest.mark.parametrize("name", BAD_NAMES + [b"other", b"f2", b"F"],
                         ids=lambda n: repr(n[:12]))
def test_a_file_is_accepted_under_its_own_name_only(site, name):
    class Evil(TrainServer):
        def answer_get(self, request):
            yield put_head((name,), size=4)
            yield put_data(b"evil") + put_end(b"evil")

    with Evil() as server:
        says(site.get_file(server), 1, "breaks the protocol")
    assert site.names() == []


@pytest.mark.parametrize("path", [(), (b"d", b"f"), (b"f", b"f")])
def test_a_file_is_one_name(site, path):
    class Evil(TrainServer):
        def answer_get(self, request):
            yield put_head(path, size=4)
            yield put_data(b"evil") + put_end(b"evil")

    with Evil() as server:
        says(site.get_file(server), 1, "breaks the protocol")
    assert site.names() == []


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda n: repr(n[:12]))
def test_a_name_that_is_none_ends_a_listing(site, name):
    class Evil(TrainServer):
        def answer_list(self, request):
            yield put_head((b"a",))
            yield put_head((name,))
            yield put_sum(2)

    with Evil() as server:
        done = netpan("ls", server.url())
    says(done, 1, "breaks the protocol")
    assert done.stdout == "a\n"


# ---- 80: what was not asked for ----

LISTINGS = {
    "the same twice": [("a", FILE), ("a", FILE)],
    "falling": [("b", FILE), ("a", FILE)],
    "back into a folder": [("a", FOLDER), ("b", FILE), ("a/c", FILE)],
    "below a file": [("a", FILE), ("a/b", FILE)],
    "below a file, deeper": [("a", FOLDER), ("a/b", FILE), ("a/b/c", FOLDER)],
    "below nothing": [("a/b", FILE)],
    "below a folder that was not listed": [("a", FOLDER), ("a/b/c", FILE)],
    "below another folder": [("a", FOLDER), ("b/c", FILE)],
    "a file, then a folder of its name": [("a", FILE), ("a", FOLDER)],
}


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_that_is_no_tree(site, listing):
    class Evil(TrainServer):
        def answer_tree(self, request):
            for path, kind in LISTINGS[listing]:
                yield put_head(tuple(path.encode().split(b"/")), kind)
            yield put_sum()

    with Evil() as server:
        says(site.get(server), 1, "breaks the protocol")
    assert site.names() == []


@pytest.mark.parametrize("names", [[b"b", b"a"], [b"a", b"a"],
                                   [b"a", b"b", b"a"]])
def test_ls_wants_names_in_order(site, names):
    class Evil(TrainServer):
        def answer_list(self, request):
            for name in names:
                yield put_head((name,))
            yield put_sum()

    with Evil() as server:
        says(netpan("ls", server.url()), 1, "breaks the protocol")


def test_ls_wants_single_names(site):
    class Evil(TrainServer):
        def answer_list(self, request):
            yield put_head((b"a", b"b"))
            yield put_sum()

    with Evil() as server:
        says(netpan("ls", server.url()), 1, "breaks the protocol")


class Slipping(TrainServer):
    """Sends more entries than it has listed."""

    def __init__(self, *spec, slip=()):
        super().__init__(*spec)
        self.slip = list(slip)  # bytes, sent before the entry of that path

    def head(self, request, entry, path, offset):
        extra = b""
        if not request.flags & HEADS_ONLY:
            extra = b"".join(raw for at, raw in self.slip if at == entry.path)
        return extra + super().head(request, entry, path, offset)


def test_files_that_were_not_listed_are_left(site):
    data = b"e" * 100_000
    slip = [((b"b",), put_head((b"aa",), size=len(data)) + put_data(data)
             + put_end(data)),
            ((b"b",), put_head((b"ab",), FOLDER)
             + put_head((b"ab", b"x"), size=4) + put_data(b"evil")
             + put_end(b"evil"))]
    with Slipping(("a", b"A"), ("b", b"B"), slip=slip) as server:
        done = site.get(server)
    assert done.returncode == 0, done.stderr
    assert site.names() == ["a", "b"]


def test_no_end_of_entries_that_were_not_listed(site):
    class Evil(Slipping):
        def answer_tree(self, request):
            if request.flags & HEADS_ONLY:
                yield from super().answer_tree(request)
                return
            yield put_head((b"a",), size=1) + put_data(b"A") + put_end(b"A")
            for i in range(101):
                yield b"".join(put_head((f"aa{i:04}{j:04}".encode(),), FOLDER)
                               for j in range(1000))
            yield put_head((b"b",), size=1) + put_data(b"B") + put_end(b"B")
            yield put_sum(2)

    with Evil(("a", b"A"), ("b", b"B")) as server:
        done = site.get(server, "", "-j", "1")
    says(done, 1, "breaks the protocol")


def test_a_big_file_that_was_not_listed_is_not_waited_for(site):
    class Evil(Slipping):
        def answer_tree(self, request):
            if request.flags & HEADS_ONLY or request.conn > 0:
                yield from super().answer_tree(request)
                return
            yield put_head((b"a",), size=1) + put_data(b"A") + put_end(b"A")
            yield put_head((b"ab",), size=1 << 40)
            while not self.is_ending.is_set():
                yield put_data(bytes(65536))

    with Evil(("a", b"A"), ("b", b"B")) as server:
        done = site.get(server, "", "-j", "1")
    assert done.returncode == 0, done.stderr
    assert site.names() == ["a", "b"]


def test_more_than_announced_of_what_was_not_asked_for(site):
    raw = put_head((b"aa",), size=2) + put_data(b"evil")
    with Slipping(("a", b"A"), ("b", b"B"), slip=[((b"b",), raw)]) as server:
        says(site.get(server, "", "-j", "1"), 1, "breaks the protocol")
    assert site.names() in (["a"], [])


def test_an_offset_of_what_was_not_listed(site):
    """A file of which all is here already: its digest may take an hour."""
    class Evil(Slipping):
        def answer_tree(self, request):
            if request.flags & HEADS_ONLY:
                yield from super().answer_tree(request)
                return
            yield put_head((b"a",), size=1) + put_data(b"A") + put_end(b"A")
            yield put_head((b"aa",), size=1 << 62, offset=1 << 62)
            self.pause()

    with Evil(("a", b"A"), ("b", b"B")) as server:
        done = netpan("get", "-r", "-t", "1", "-j", "1", "-o", site.target,
                      server.url(), timeout=30)
    says(done, 1, "breaks the protocol", "an offset")


@pytest.mark.parametrize("raw", [
    put_head((b"zz",), size=4) + put_data(b"evil") + put_end(b"evil"),
    put_head((b"a",), size=1) + put_data(b"A") + put_end(b"A"),
    put_head((b"0",), size=4) + put_data(b"evil") + put_end(b"evil"),
], ids=["beyond the end", "again", "before the beginning"])
def test_entries_outside_the_stretch(site, raw):
    """until and from bound what may come."""
    site.target.mkdir()
    (site.target / "c").write_bytes(b"C")
    os.utime(site.target / "c", ns=(MTIME, MTIME))
    # c is there: a stretch ends before it
    with Slipping(("a", b"A"), ("b", b"B"), ("c", b"C"), ("d", b"D"),
              slip=[((b"b",), raw)]) as server:
        says(site.get(server, "", "-j", "1"), 1, "breaks the protocol")
    assert set(site.names()) <= {"a", "b", "c", "d"}
    assert (site.target / "c").read_bytes() == b"C"


@pytest.mark.parametrize("kind", [0, 3, 4, 255])
def test_other_kinds_are_not_made(site, kind):
    """No symlink, no device: there is no such kind."""
    class Evil(TrainServer):
        def answer_tree(self, request):
            yield put_head((b"link",), kind)
            yield put_sum()

    with Evil() as server:
        says(site.get(server), 1, "breaks the protocol")
    assert site.names() == []


def test_kinds_that_change(site):
    """A file that is a folder now, and the reverse; the others come."""
    class Evil(TrainServer):
        def head(self, request, entry, path, offset):
            raw = super().head(request, entry, path, offset)
            if not request.flags & HEADS_ONLY and entry.path == (b"b",):
                raw = put_head((b"b",), FOLDER)
            return raw

        def data(self, request, entry, offset):
            if entry.path != (b"b",):
                yield from super().data(request, entry, offset)

        def end(self, request, entry):
            return b"" if entry.path == (b"b",) else super().end(request, entry)

    with Evil(("a", b"A"), ("b", b"B"), ("c", b"C")) as server:
        says(site.get(server), 1, "get /b: It is a folder now")
    assert site.names() == ["a", "c"]


# ---- symlinks and other things in the way ----


def test_a_symlink_in_place_of_a_folder(site):
    site.target.mkdir()
    (site.target / "d").symlink_to(site.victim)
    with TrainServer("d/", ("d/secret", b"evil"), ("d/x", b"evil"),
                     ("e", b"E")) as server:
        says(site.get(server), 1, "get /d: ", "no folder")
    assert (site.target / "e").read_bytes() == b"E"
    assert (site.target / "d").is_symlink()


def test_a_symlink_in_place_of_a_file_is_replaced(site):
    site.target.mkdir()
    (site.target / "a").symlink_to(site.victim / "secret")
    (site.target / "b").symlink_to(site.victim / "new")
    with TrainServer(("a", b"A"), ("b", b"B")) as server:
        assert site.get(server).returncode == 0
    for name in "ab":
        assert not (site.target / name).is_symlink()
        assert (site.target / name).read_bytes() == name.upper().encode()


def test_a_symlink_that_appears_while_it_runs(site):
    """Between the listing and the data a folder becomes a symlink."""
    class Evil(TrainServer):
        def answer_tree(self, request):
            if not request.flags & HEADS_ONLY:
                place = site.target / "d"
                if not place.is_symlink():
                    place.rename(site.target / "moved")
                    place.symlink_to(site.victim)
            yield from super().answer_tree(request)

    with Evil("d/", ("d/secret", b"evil"), ("d/x", b"evil")) as server:
        done = site.get(server)
    assert done.returncode == 1
    assert "get /d/secret: " in done.stderr


def test_a_file_in_place_of_a_folder_and_the_reverse(site):
    (site.target / "b").mkdir(parents=True)
    (site.target / "a").write_bytes(b"mine")
    with TrainServer("a/", ("a/x", b"X"), ("a/y", b"Y"), ("b", b"B"),
                     ("c", b"C")) as server:
        done = site.get(server)
    says(done, 1, "get /a: ", "get /b: ", "folder is in its place")
    assert "3 failed" not in done.stdout  # a, a/x, a/y, b
    assert "4 failed" in done.stdout
    assert site.names() == ["a", "b", "c"]
    assert (site.target / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("is_tree", [False, True])
def test_a_folder_that_appears_in_place_of_a_file(site, is_tree):
    class Evil(TrainServer):
        def end(self, request, entry):
            (site.target / "f").mkdir(exist_ok=True)
            return super().end(request, entry)

    with Evil(("e", b"E"), ("f", b"F")) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    says(done, 1, "get /f: A folder is in its place here")
    assert (site.target / "f").is_dir()


def test_a_folder_in_place_of_a_file(site):
    (site.target / "f").mkdir(parents=True)
    with TrainServer(("f", b"F")) as server:
        says(site.get_file(server), 1, "folder is in its place")
    assert site.names() == ["f"]


def plant_socket(path):
    """Where its whole path is too long for an address."""
    fd = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{fd}/{path.name}")
    os.close(fd)


PLANTED = {
    "symlink": lambda p, site: p.symlink_to(site.victim / "secret"),
    "dangling symlink": lambda p, site: p.symlink_to(site.victim / "new"),
    "hard link": lambda p, site: os.link(site.root / "file", p),
    "fifo": lambda p, site: os.mkfifo(p),
    "folder": lambda p, site: p.mkdir(),
    "socket": lambda p, site: plant_socket(p),
}


@pytest.mark.parametrize("what", PLANTED)
@pytest.mark.parametrize("is_tree", [False, True])
def test_what_lies_where_a_part_would_be(site, what, is_tree):
    """It is left alone; the file comes all the same."""
    data = b"F" * 5000
    site.target.mkdir()
    site.before = None
    part = site.target / part_name("f", len(data))
    PLANTED[what](part, site)
    site.before = site.outside()
    kind = stat.S_IFMT(part.lstat().st_mode)
    with TrainServer(("f", data)) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    assert done.returncode == 0, done.stderr
    assert (site.target / "f").read_bytes() == data
    assert stat.S_IFMT(part.lstat().st_mode) == kind
    assert site.names() == sorted([part.name, "f"])


def test_a_part_of_another_user_is_left(site):
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    data = b"F" * 5000
    site.target.mkdir()
    part = site.target / part_name("f", len(data))
    part.write_bytes(b"X" * 100)
    os.chown(part, 12345, 12345)
    with TrainServer(("f", data)) as server:
        assert site.get_file(server).returncode == 0
        assert [r.offset for r in server.asked(GET)] == [0]
    assert (site.target / "f").read_bytes() == data
    assert part.read_bytes() == b"X" * 100


def test_names_of_parts_are_refused(site):
    """Else a server could have its bytes renamed to another file's name."""
    parts = [part_name("f", 1), part_name("f", 1).upper()]
    with TrainServer(("f", b"F"), *((p, b"evil") for p in parts)) as server:
        done = site.get(server)
        says(done, 1, *(f"get /{p}: " for p in parts))
        says(site.get_file(server, parts[0]), 1, "use -o")
    assert site.names() == ["f"]
    assert (site.target / "f").read_bytes() == b"F"


# ---- sizes and digests ----


class Lying(TrainServer):
    """Sends what `lie` says in place of the data and end of "f"; after
    `n_lies` of them it is honest."""

    def __init__(self, *spec, lie, n_lies=1000):
        super().__init__(*spec)
        self.lie = lie
        self.n_lies = n_lies

    def send_file(self, request, entry, path, offset):
        with self.lock:
            lies = path[-1] == b"f" and self.n_lies > 0
            self.n_lies -= lies
        if not lies:
            yield from super().send_file(request, entry, path, offset)
            return
        yield self.head(request, entry, path, offset)
        yield self.lie(entry, offset)


def flipped(entry, offset):
    data = bytearray(entry.data[offset:])
    data[len(data) // 2] ^= 1
    return put_data(bytes(data)) + put_end(entry.data)


LIES = {
    "a flipped bit": flipped,
    "another digest": lambda e, o: put_data(e.data[o:]) + put_end(b"other"),
    "a zero digest": lambda e, o: put_data(e.data[o:])
    + frame(END, DIGEST, struct.pack("<Q", len(e.data)) + bytes(32)),
    "less data": lambda e, o: put_data(e.data[o:-1]) + put_end(e.data),
    "no data": lambda e, o: put_end(e.data),
    "more data": lambda e, o: put_data(e.data[o:] + b"!") + put_end(e.data),
    "much more data": lambda e, o: put_data(e.data[o:] + bytes(1 << 20)),
    "another size in the end": lambda e, o: put_data(e.data[o:])
    + put_end(e.data, size=len(e.data) + 1),
    "changed while it was sent": lambda e, o: put_data(e.data[o:o + 10])
    + put_error(8, 1),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("is_tree", [False, True])
@pytest.mark.parametrize("n_lies", [1, 1000])
def test_lies_about_the_data(site, lie, is_tree, n_lies):
    """One fresh try; then an error, and no file."""
    data = bytes(range(256)) * 400
    with Lying(("e", b"E"), ("f", data), ("g", b"G"), lie=LIES[lie],
               n_lies=n_lies) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    rest = ["e", "g"] if is_tree else []
    if n_lies == 1:
        assert done.returncode == 0, done.stderr
        assert (site.target / "f").read_bytes() == data
        assert site.names() == sorted(["f"] + rest)
    else:
        says(done, 1, "get /f: ")
        assert site.names() == rest


class Forgetful(TrainServer):
    """Tells a digest of other bytes for "f" until it is asked for anew."""

    def send_file(self, request, entry, path, offset):
        if path[-1] == b"f" and not request.flags & ANEW:
            yield self.head(request, entry, path, offset)
            yield put_data(entry.data[offset:]) + put_end(b"other")
        else:
            yield from super().send_file(request, entry, path, offset)


@pytest.mark.parametrize("is_tree", [False, True])
def test_a_digest_of_old_bytes_is_asked_for_anew(site, is_tree):
    with Forgetful(("e", b"E"), ("f", b"F"), ("g", b"G")) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    assert done.returncode == 0, done.stderr
    assert (site.target / "f").read_bytes() == b"F"
    # for that one alone, and only once
    anew = [r for r in server.requests if r.flags & ANEW]
    assert len(anew) == 1
    assert anew[0].offset == 0
    assert (anew[0].start if is_tree else anew[0].path) == (b"f",)


@pytest.mark.parametrize("is_tree", [False, True])
def test_no_digest_is_an_error(site, is_tree):
    def bare(entry, offset):
        return put_data(entry.data[offset:]) + put_end(entry.data, digest=b"")

    with Lying(("e", b"E"), ("f", b"F"), lie=bare) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    says(done, 1, "get /f: ", "no digest")
    assert "f" not in site.names()


@pytest.mark.parametrize("is_tree", [False, True])
def test_a_wrong_file_does_not_replace_a_right_one(site, is_tree):
    site.target.mkdir()
    (site.target / "f").write_bytes(b"mine")
    with Lying(("f", b"F" * 100), lie=flipped) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    says(done, 1, "get /f: ")
    assert site.names() == ["f"]
    assert (site.target / "f").read_bytes() == b"mine"


@pytest.mark.parametrize("size", [2**63 - 1, 2**62, 2**50])
@pytest.mark.parametrize("is_tree", [False, True])
def test_a_size_that_no_disk_has(site, size, is_tree):
    class Evil(TrainServer):
        def head(self, request, entry, path, offset):
            if entry.path != (b"f",):
                return super().head(request, entry, path, offset)
            return put_head(path, size=size)

    with Evil(("e", b"E"), ("f", b"F" * 100_000), ("g", b"G")) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    says(done, 1, "get /f: ", "space")
    assert site.names() == (["e", "g"] if is_tree else [])


@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_a_size_that_is_none(site, size):
    class Evil(TrainServer):
        def head(self, request, entry, path, offset):
            return put_head(path, size=size)

    with Evil(("f", b"F")) as server:
        says(site.get(server), 1, "breaks the protocol")
        says(site.get_file(server), 1, "breaks the protocol")
    assert site.names() == []


def test_a_file_that_grew_since_it_was_listed(site):
    """What is sent now counts, when its own size and digest agree."""
    class Growing(TrainServer):
        def head(self, request, entry, path, offset):
            if request.flags & HEADS_ONLY:
                return put_head(path, size=1)
            return super().head(request, entry, path, offset)

    with Growing(("f", b"F" * 300_000)) as server:
        done = site.get(server)
    assert done.returncode == 0, done.stderr
    assert (site.target / "f").read_bytes() == b"F" * 300_000


@pytest.mark.parametrize("mtime_ns", [-2**63, 2**63 - 1, -1, 0, 1,
                                      -10**18 - 1])
def test_any_time(site, mtime_ns):
    entry = Entry("f", b"F", mtime_ns=mtime_ns)
    folder = Entry("d", mtime_ns=mtime_ns, mode=0o755)
    with TrainServer(entry, folder) as server:
        done = site.get(server)
        assert done.returncode == 0, done.stderr
        assert site.get_file(server).returncode == 0
        assert netpan("ls", "-l", server.url()).returncode == 0
    assert (site.target / "f").read_bytes() == b"F"
    if abs(mtime_ns) <= 10**18 + 1:
        assert (site.target / "f").stat().st_mtime_ns == mtime_ns
        assert (site.target / "d").stat().st_mtime_ns == mtime_ns


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777, 0o100644, 2**32 - 1])
def test_modes_beyond_permission_bits(site, mode):
    with TrainServer(Entry("f", b"F", mode=mode)) as server:
        says(site.get(server), 1, "breaks the protocol")
        says(site.get_file(server), 1, "breaks the protocol")
    assert site.names() == []


@pytest.mark.parametrize("mode", [0, 0o400, 0o777, 0o666])
def test_modes_are_kept(site, mode):
    with TrainServer(Entry("f", b"F", mode=mode), Entry("d", mode=mode),
                     Entry("d/g", b"G", mode=mode)) as server:
        for _ in range(2):  # the second run finds all as it left it
            done = site.get(server)
            assert done.returncode == 0, done.stderr
    for name in "f", "d", "d/g":
        assert stat.S_IMODE((site.target / name).stat().st_mode) == mode


# ---- offsets ----


@pytest.mark.parametrize("offset", [1, 50, 100])
def test_an_offset_that_was_not_asked_for(site, offset):
    class Evil(TrainServer):
        def head(self, request, entry, path, _):
            return super().head(request, entry, path,
                                0 if request.flags & HEADS_ONLY else offset)

    with Evil(("f", b"F" * 100)) as server:
        says(site.get(server), 1, "breaks the protocol")
        says(site.get_file(server), 1, "breaks the protocol")
    assert site.names() == []


@pytest.mark.parametrize("is_tree", [False, True])
def test_an_offset_of_another_version(site, is_tree):
    """The second half of a new version must not be put behind the first half
    of the old one."""
    old, new = b"O" * 200_000, b"N" * 200_000

    class Evil(TrainServer):
        def send_file(self, request, entry, path, offset):
            if request.conn == 0:
                yield put_head(path, size=len(old))
                yield put_data(old[:100_000])
                raise Drop
            yield put_head(path, size=len(new), mtime_ns=MTIME + 1,
                           offset=offset)
            yield put_data(new[offset:]) + put_end(new)

    with Evil(("f", old)) as server:
        done = site.get(server) if is_tree else site.get_file(server)
    if is_tree:  # TREE knows no IF_SAME: it is asked for once more, from 0
        assert done.returncode == 0, done.stderr
        assert (site.target / "f").read_bytes() == new
    else:
        says(done, 1, "breaks the protocol")
        assert "f" not in site.names()


# ---- 81: whatever bytes ----

RAW = {
    "nothing": b"",
    "half a hello": HELLO[:5],
    "a hello, then nothing": HELLO,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(4096),
    "0xff": b"\xff" * 4096,
    "version 2": b"\xf5TRN\x02\0\0\0" + put_error(2, 3),
    "version 0": b"\xf5TRN\x00\0\0\0",
    "a hello with more in it": b"\xf5TRN\x01\0\0\1",
}


WORDS = [("get",), ("get", "-r"), ("ls",)]
BREAKS = {"nothing", "half a hello", "a hello, then nothing"}


@pytest.mark.parametrize("raw", sorted(RAW.keys() - BREAKS))
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_what_is_no_train_server(site, raw, words):
    site.target.mkdir()
    with RawServer(RAW[raw]) as server:
        done = netpan(*words, server.url("f"), cwd=site.target)
    says(done, 3)
    assert server.n_conns == 1, "it was tried again"


def header(size, kind, flags=0, zero=0):
    return struct.pack("<IBBH", size, kind, flags, zero)


FRAMES = {
    "length 2^32-1": header(2**32 - 1, HEAD),
    "length 2^31": header(2**31, DATA),
    "length 2^31-1": header(2**31 - 1, ERROR),
    "data one too long": header(4194305, DATA),
    "empty data": header(0, DATA),
    "a head one too long": header(4259, HEAD),
    "a head of nothing": header(0, HEAD),
    "an end one too short": header(39, END, DIGEST) + bytes(39),
    "an end one too long": header(41, END, DIGEST) + bytes(41),
    "an empty sum": header(0, SUM),
    "an error one too long": header(517, ERROR),
    "type 0": header(0, 0),
    "type 255": header(8, 255) + bytes(8),
    "a request": header(26, GET) + bytes(26),
    "flags": header(48, SUM, 0xff) + bytes(48),
    "bytes that must be zero": header(48, SUM, 0, 1) + bytes(48),
    "a path that ends early": frame(HEAD, 0, struct.pack(
        "<B3xIQqQ", FILE, 0, 0, 0, 0) + struct.pack("<HHH", 1, 10, 0)),
    "a path of 65535 names": frame(HEAD, 0, struct.pack(
        "<B3xIQqQ", FILE, 0, 0, 0, 0) + b"\xff\xff" + bytes(100)),
    "bytes after a path": frame(HEAD, 0, struct.pack(
        "<B3xIQqQ", FILE, 0, 0, 0, 0) + b"\1\0\1\0f!"),
    "an error of code 0": put_error(0),
    "an error of code 99": put_error(99),
    "an error of scope 0": put_error(3, 0),
    "an error with an escape": put_error(3, 2, b"\x1b]0;evil\x07"),
    "an error that is not UTF-8": put_error(3, 2, b"\xff\xfe"),
    "data of no file": put_data(b"evil"),
    "an end of no file": put_end(b"evil"),
    "an error of no entry": put_error(9, 1),
    "a folder with a size": put_head((b"f",), FOLDER, size=1),
    "an offset past the size": put_head((b"f",), size=1, offset=2),
    "two heads": put_head((b"f",), size=9) + put_head((b"g",), size=9),
    "a sum within a file": put_head((b"f",), size=9) + put_sum(),
}


@pytest.mark.parametrize("raw", FRAMES)
@pytest.mark.parametrize("where", ["get", "listing", "tree", "ls"])
def test_frames_that_are_none(site, raw, where):
    class Evil(TrainServer):
        def answer(self, request):
            is_listing = request.flags & HEADS_ONLY and request.kind == TREE
            if where == "tree" and is_listing:
                yield put_head((b"f",), size=9) + put_sum(1)
                return
            yield FRAMES[raw]
            self.pause()

    with Evil() as server:
        if where == "get":
            done = site.get_file(server, "f", "-t", "2")
        elif where == "ls":
            done = netpan("ls", "-t", "2", server.url())
        else:
            done = site.get(server, "", "-t", "2")
    if raw == "a sum within a file" and where == "ls":
        assert done.returncode == 0  # it is a listing
    elif raw == "an error of no entry" and where in ("get", "ls"):
        says(done, 1, "could not read it")
    else:
        says(done, 1, "breaks the protocol")
    if site.target.exists():
        assert site.names() == []


# ---- 83: silence, drips, floods, breaks ----


class Silent(TrainServer):
    where = ""

    def hello(self):
        if self.where == "hello":
            self.pause()
        yield from super().hello()

    def answer(self, request):
        if self.where == "request":
            self.pause()
        for piece in super().answer(request):
            yield piece
            if self.where == "answer":
                self.pause()

    def end(self, request, entry):
        if self.where == "end":
            self.pause()
        return super().end(request, entry)


class Dripping(TrainServer):
    """One byte now and then is no answer."""

    def answer(self, request):
        for raw in super().answer(request):
            for i in range(len(raw)):
                self.pause(0.2)
                if self.is_ending.is_set():
                    raise Drop
                yield raw[i:i + 1]


class Breaking(TrainServer):
    """Never gets to a file."""

    def send_file(self, request, entry, path, offset):
        raise Drop
        yield


class Anew(TrainServer):
    """Ignores offsets and dies after as many bytes: that is no progress."""

    def send_file(self, request, entry, path, offset):
        yield put_head(path, size=len(entry.data))
        yield put_data(entry.data[:5000])
        raise Drop


class Repeating(TrainServer):
    """Sends the entry again that it is asked to go on from: no progress."""

    def answer_tree(self, request):
        yield put_head((b"a",))
        raise Drop


class Busy(TrainServer):
    def answer(self, request):
        yield put_error(10)


def silent(where):
    server = Silent("d/", ("d/f", b"F" * 100))
    server.where = where
    return server


class Gone(TrainServer):
    """Lists, and is never seen again."""

    def answer_tree(self, request):
        if not request.flags & HEADS_ONLY:
            self.listener.shutdown(socket.SHUT_RDWR)
            raise Drop
        yield from super().answer_tree(request)


class BusyLater(TrainServer):
    """Lists, then is always busy."""

    def answer_tree(self, request):
        if not request.flags & HEADS_ONLY:
            yield put_error(10)
            return
        yield from super().answer_tree(request)


# (server, words, path, exit status, what is said).  Each takes its time, so
# they run beside each other.
GOING_NOWHERE = [
    *((lambda raw=raw: RawServer(RAW[raw]), words, "f", 3, "closed|reset")
      for raw in sorted(BREAKS) for words in WORDS),
    *((lambda where=where: silent(where), ("get", "-t", "1"), "d/f", 3,
       "silent") for where in ("hello", "request", "answer", "end")),
    *((lambda where=where: silent(where), ("get", "-r", "-t", "1"), "d", code,
       "silent") for where, code in
      (("hello", 3), ("request", 3), ("answer", 3), ("end", 1))),
    *((lambda where=where: silent(where), ("ls", "-t", "1"), "d", 3,
       "silent") for where in ("hello", "request")),
    (lambda: Dripping(("f", b"F" * 100)), ("get", "-t", "1"), "f", 3, "drips"),
    (lambda: Dripping(("f", b"F" * 100)), ("get", "-r", "-t", "1", "-o", "."),
     "", 3, "drips"),
    (lambda: Anew(("f", b"F" * 10_000)), ("get",), "f", 3, "closed|reset"),
    (lambda: Anew(("f", b"F" * 10_000)), ("get", "-r", "-o", "."), "", 1,
     "again and again"),
    (Repeating, ("get", "-r", "-o", "."), "", 3, "closed|reset"),
    (lambda: Breaking(*((f"{i}", b"X") for i in range(50))),
     ("get", "-r", "-o", "."), "", 3, "again and again"),
    *((lambda: Busy(("f", b"F")), words, "f", 3, "busy") for words in WORDS),
    (lambda: BusyLater(("a", b"A"), ("b", b"B")), ("get", "-r", "-o", "."), "",
     3, "busy"),
]


def test_servers_that_get_nowhere(site):
    """Each is given up after some tries, with a message and without a file."""
    def one(case):
        make, words, path, code, said = case
        place = site.target / str(GOING_NOWHERE.index(case))
        place.mkdir()
        with make() as server:
            done = netpan(*words, server.url(path), cwd=place)
            assert server.n_conns > 2, case
        assert done.returncode == code, (case, done.stderr)
        assert re.search(said, done.stderr), (case, done.stderr)
        return [f for f in place.rglob("*") if f.is_file()
                and not f.name.endswith(".part")]

    site.target.mkdir()
    with concurrent.futures.ThreadPoolExecutor(len(GOING_NOWHERE)) as pool:
        for files in pool.map(one, GOING_NOWHERE):
            assert files == []


def test_a_slow_digest_is_waited_for(site):
    """The server has to hash a big file before its end frame: then it may be
    silent for longer than -t says."""
    data = bytes(192 << 20)  # 3 s at the rate that is granted
    frame = put_end(data)  # a slow machine needs some of them itself

    class Hashing(TrainServer):
        def end(self, request, entry):
            self.pause(2)
            return frame

    with Hashing(("f", data)) as server:
        done = site.get_file(server, "f", "-t", "1")
        assert done.returncode == 0, done.stderr
        assert len(server.asked(GET)) == 1


def test_a_server_that_dies_while_it_hashes_is_waited_for(site):
    """It goes on with the digest each time, though no byte comes of it."""
    data = bytes(192 << 20)  # 3 s at the rate that is granted
    frame = put_end(data)

    class Dying(TrainServer):
        n_deaths = 0

        def end(self, request, entry):
            if self.n_deaths < 23:
                self.n_deaths += 1
                raise Drop
            return frame

    with Dying(("f", data)) as server:
        done = site.get_file(server, "f")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_tree", [False, True])
def test_a_connection_that_breaks_everywhere(site, is_tree):
    """It goes on where it was, with each byte asked for once."""
    data = os.urandom(700_000)

    class Breaking(TrainServer):
        left = 60_000

        def answer(self, request):
            for raw in super().answer(request):
                for i in range(0, len(raw), 1000):
                    with self.lock:
                        self.left -= 1000
                        breaks = self.left < 0
                        if breaks:
                            self.left = 60_000
                    if breaks:
                        raise Drop
                    yield raw[i:i + 1000]

    with Breaking("d/", *((f"d/{i}", data[:i * 100]) for i in range(100)),
                  ("f", data)) as server:
        done = site.get(server) if is_tree else site.get_file(server)
        assert done.returncode == 0, done.stderr
        assert server.n_conns > 5
    assert (site.target / "f").read_bytes() == data
    if is_tree:
        for i in range(100):
            assert (site.target / "d" / str(i)).read_bytes() == data[:i * 100]
    assert not [n for n in site.names() if "part" in n]


def test_counts_after_a_listing_that_broke(site):
    """Those of the first part are lost with its connection."""
    class Breaking(TrainServer):
        skipped = {"links": 3}

        def answer_tree(self, request):
            for i, raw in enumerate(super().answer_tree(request)):
                if i == 1 and request.conn == 0 and self.breaks:
                    raise Drop
                yield raw

    for breaks, said in (False, "served: 3 links"), (True, "at least 3 links"):
        with Breaking(("a", b"A"), ("b", b"B")) as server:
            server.breaks = breaks
            done = site.get(server)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


def test_ls_goes_on_after_a_break(site):
    class Breaking(TrainServer):
        def answer_list(self, request):
            for i, raw in enumerate(super().answer_list(request)):
                if i == 3 and request.conn < 4:
                    raise Drop
                yield raw

    with Breaking(*((f"{i:02}", b"") for i in range(20))) as server:
        done = netpan("ls", server.url())
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{i:02}\n" for i in range(20))


def test_a_file_at_which_the_connection_always_breaks(site):
    """It is given up; the others come."""
    class Poisoned(TrainServer):
        def send_file(self, request, entry, path, offset):
            if entry.path == (b"d", b"f"):
                raise Drop
            yield from super().send_file(request, entry, path, offset)

    with Poisoned("d/", ("d/e", b"E"), ("d/f", b"F"), ("d/g", b"G"),
                  ("h", b"H")) as server:
        done = site.get(server)
    says(done, 1, "get /d/f: ", "again and again")
    assert site.names() == ["d", "d/e", "d/g", "h"]


@pytest.mark.parametrize("code", [10, 11])
@pytest.mark.parametrize("scope", [2, 3])
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_busy_server_is_asked_again(site, code, scope, words):
    class BusyAtFirst(TrainServer):
        def answer(self, request):
            if request.conn < 3 or request.conn == 5:
                yield put_error(code, scope)
                if scope == 3:
                    raise Drop
                return
            yield from super().answer(request)

    site.target.mkdir()
    path = "d/f" if words == ("get",) else "d"
    with BusyAtFirst("d/", ("d/f", b"F")) as server:
        done = netpan(*words, server.url(path), cwd=site.target)
        assert server.n_conns >= 4
    assert done.returncode == 0, done.stderr


def test_what_is_said_is_what_failed_last(site):
    """Not that it was busy some time before."""
    class BusyThenGone(TrainServer):
        def answer_tree(self, request):
            self.listener.shutdown(socket.SHUT_RDWR)
            yield put_error(10)

    with BusyThenGone(("a", b"A")) as server:
        done = site.get(server)
    says(done, 3, "refused")
    assert "busy" not in done.stderr


def test_folders_of_a_run_that_fails(site):
    """They have their modes and times, as far as it came."""
    with Gone(Entry("d", mode=0o751), ("d/a", b"A"),
              Entry("e", mode=0o555)) as server:
        says(site.get(server), 3, "refused")
    for name, mode in ("d", 0o751), ("e", 0o555):
        st = (site.target / name).stat()
        assert stat.S_IMODE(st.st_mode) == mode
        assert st.st_mtime_ns == MTIME


def test_a_server_that_goes_away(site):
    with Gone(("a", b"A"), ("b", b"B")) as server:
        says(site.get(server), 3, "refused", "run the same command again")
    assert site.names() == []


def test_a_whole_listing_with_more_to_come(site):
    class Evil(TrainServer):
        def sum(self, request, sent, more):
            return put_sum(len(sent), more=True)

    with Evil(("a", b"A")) as server:
        says(site.get(server), 1, "breaks the protocol")


@pytest.mark.parametrize("code", [3, 4, 6, 9])
def test_an_entry_that_cannot_be_read(site, code):
    class Failing(TrainServer):
        def send_file(self, request, entry, path, offset):
            if entry.path == (b"b",):
                yield self.head(request, entry, path, offset)
                yield put_error(code, 1, b"\xe7\xbd\x91 says no")
                return
            yield from super().send_file(request, entry, path, offset)

    with Failing(("a", b"A"), ("b", b"B"), ("c", b"C")) as server:
        says(site.get(server), 1, "get /b: ")
    assert site.names() == ["a", "c"]


def test_entries_that_vanish(site):
    class Vanishing(TrainServer):
        def answer_tree(self, request):
            if not request.flags & HEADS_ONLY:
                self.entries = [e for e in self.entries
                                if e.path not in ((b"b",), (b"d", b"x"),
                                                  (b"f",), (b"g",))]
            yield from super().answer_tree(request)

    with Vanishing(("a", b"A"), ("b", b"B"), "d/", ("d/x", b"X"),
                   ("e", b"E"), ("f", b"F"), "g/") as server:
        done = site.get(server)
    says(done, 1, "get /b: It is no longer there",
         "get /d/x: It is no longer there", "get /f: It is no longer there")
    assert site.names() == ["a", "d", "e", "g"]


def test_a_root_that_vanishes(site):
    class Vanishing(TrainServer):
        def answer_tree(self, request):
            if not request.flags & HEADS_ONLY:
                yield put_error(3)
                return
            yield from super().answer_tree(request)

    with Vanishing("d/", ("d/f", b"F")) as server:
        says(site.get(server, "d"), 1, "get /d: No such file or folder")


def test_a_flood_of_failures_is_not_all_told(site):
    class Failing(TrainServer):
        def send_file(self, request, entry, path, offset):
            yield self.head(request, entry, path, offset)
            yield put_error(9, 1)

    with Failing(*((f"{i:04}", b"X") for i in range(1000))) as server:
        done = site.get(server)
    assert done.returncode == 1
    assert 100 <= len(done.stderr.splitlines()) < 120
    assert "1000 failed" in done.stdout


# ---- 84: terminals and shells ----

NASTY = ["\x1b]0;evil\x07", "\x1b[2J", "a\nb", "a\rb", "$(id)", "`id`", "-rf",
         "--help", "~", "*", "a b", "'", '"', "\\", "\x7f", "\u202egpj.exe",
         "\u009b", "网盘"]


def test_names_of_all_kinds(site):
    with TrainServer(*((n, n.encode()) for n in NASTY)) as server:
        done = site.get(server)
        assert done.returncode == 0, done.stderr
        listing = netpan("ls", server.url())
    assert site.names() == sorted(NASTY)
    for name in NASTY:
        assert (site.target / name).read_bytes() == name.encode()
    lines = listing.stdout.splitlines()
    assert len(lines) == len(NASTY)
    assert {"$(id)", "-rf", "网盘", "a\\x0ab"} <= set(lines)
    for line in lines:
        assert not any(c < " " or c in "\x7f\x9b\u202e" for c in line)


@pytest.mark.parametrize("name", NASTY)
def test_names_in_messages(site, name):
    class Failing(TrainServer):
        def send_file(self, request, entry, path, offset):
            yield self.head(request, entry, path, offset)
            yield put_error(9, 1, "因此 \u202e".encode())

    with Failing((name, b"X")) as server:
        done = site.get(server)
    says(done, 1)
    assert len(done.stderr.splitlines()) == 1
    assert "\u202e" not in done.stderr and "\x9b" not in done.stderr


def test_names_that_are_not_utf8(site):
    name = bytes(range(1, 32)) + bytes(range(128, 256))
    with TrainServer(Entry((name,), b"X")) as server:
        assert site.get(server).returncode == 0
        listing = netpan("ls", server.url())
    assert os.listdir(os.fsencode(site.target)) == [name]
    assert len(listing.stdout.splitlines()) == 1
    assert listing.stdout.isascii()


# ---- the disk ----


def test_a_disk_that_gets_full(site, tmp_path):
    """It ends with a message; what came stays, and nothing has its name that
    is not whole."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    small = tmp_path / "small"
    small.mkdir()
    os.system(f"mount -t tmpfs -o size=2m none '{small}'")
    try:
        if not os.path.ismount(small):
            pytest.skip("no tmpfs can be mounted here")
        files = [(f"{i:02}", bytes([i]) * 300_000) for i in range(20)]
        with TrainServer(*files) as server:
            done = netpan("get", "-r", "-o", small / "t", server.url())
        says(done, 1, "No space left")
        for name, data in files:
            if (small / "t" / name).exists():
                assert (small / "t" / name).read_bytes() == data
        with TrainServer(("f", bytes(1_500_000))) as server:
            done = netpan("get", "-o", small / "f", server.url("f"))
        says(done, 1, "No space left")
        assert not (small / "f").exists()
    finally:
        os.system(f"umount '{small}'")
