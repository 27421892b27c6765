"""No stale byte: what is done to a file is seen by the very next request,
whether its bytes came from the disk, from a descriptor that is kept open, or
from memory."""

import contextlib
import os
import shutil
import threading
import time

import pytest

from http_client import BadReply, Http
from netpan_harness import Netpand

ROUNDS = 100_000
OLD = 62.0  # seconds; a file's bytes are kept when it is over 60 old


def replaced(path, data):
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.rename(path + ".new", path)


def changed_in_place(path, data):
    with open(path, "r+b") as f:
        f.write(data)
        f.truncate()


def times_put_back(path, data):
    """The same size, and the old mtime: only ctime tells."""
    st = os.stat(path)
    with open(path, "r+b") as f:
        f.write(data)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def truncated(path, data):
    os.truncate(path, 0)


def moved(path, data):
    os.rename(path, path + ".moved")


def moved_back(path, data):
    os.rename(path + ".moved", path)


def made_a_folder(path, data):
    if os.path.exists(path):
        os.unlink(path)
    os.mkdir(path)


def a_file_again(path, data):
    os.rmdir(path)
    replaced(path, data)


def made_a_link(path, data):
    os.rename(path, path + ".target")
    os.symlink(os.path.basename(path) + ".target", path)


def link_replaced(path, data):
    os.unlink(path)
    os.rename(path + ".target", path)


# Each in its turn; what one leaves is where the next begins.  The answer that
# is due: None for the same bytes as before.
CIRCLE = [
    (replaced, 200), (changed_in_place, 200), (times_put_back, 200),
    (moved, 404), (moved_back, 200), (truncated, 200), (replaced, 200),
    (made_a_folder, 301), (a_file_again, 200), (made_a_link, 404),
    (link_replaced, 200),
]


@pytest.mark.once
@pytest.mark.deadline(600)
def test_each_change_is_seen_at_once(tmp_path):
    """100,000 changes, each followed by one request, beside other clients
    that keep the same files hot; at last changes of files whose bytes are in
    memory."""
    root = tmp_path / "served"
    (root / "deep" / "er").mkdir(parents=True)
    kept = [str(root / "deep" / f"kept-{i}") for i in range(300)]
    for path in kept:
        with open(path, "wb") as f:
            f.write(path.encode() * 10)
    born = time.monotonic()
    with Netpand(root) as server:
        with load(server.port, ["/deep/er/a", "/b"]):
            for path in (root / "deep" / "er" / "a", root / "b"):
                change_and_look(server.port, str(path), root, ROUNDS // 2)
        while time.monotonic() - born < OLD:
            time.sleep(0.1)
        with Http(server.port) as http:
            changes_of_kept_bytes(http, kept, root)
            move_a_folder(http, root)


def change_and_look(port, path, root, rounds):
    url = "/" + os.path.relpath(path, root)
    with open(path, "wb") as f:
        f.write(b"first")
    want = b"first"
    with Http(port) as http:
        for n in range(rounds):
            change, status = CIRCLE[n % len(CIRCLE)]
            data = b"%d " % n * (1 + n % 7)
            if change is times_put_back:
                data = bytes(b ^ 1 for b in want)
            change(path, data)
            if change is truncated:
                want = b""
            elif change in (replaced, changed_in_place, times_put_back,
                            a_file_again):
                want = data
            reply = http.get(url)
            assert reply.status == status, (n, change.__name__, reply)
            if status == 200:
                assert reply.body == want, (n, change.__name__, reply)


class load:
    """A client that asks for the same files all the time.  One that shrinks
    while it is sent costs it the connection."""

    def __init__(self, port, urls):
        self.port, self.urls = port, urls
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            with Http(self.port) as http, contextlib.suppress(BadReply):
                while not self.stop.is_set():
                    for url in self.urls:
                        http.get(url)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def changes_of_kept_bytes(http, kept, root):
    """Every change of the circle that can come first, each on files of its
    own, which were asked for until their bytes were kept."""
    for i, path in enumerate(kept):
        url = "/" + os.path.relpath(path, root)
        with open(path, "rb") as f:
            want = f.read()
        for _ in range(3):
            assert http.get(url).body == want
        change, status = [
            (replaced, 200), (changed_in_place, 200), (times_put_back, 200),
            (truncated, 200), (moved, 404), (made_a_folder, 301),
            (made_a_link, 404)][i % 7]
        data = bytes(b ^ 1 for b in want)
        change(path, data)
        reply = http.get(url)
        assert reply.status == status, (change.__name__, reply)
        if status == 200:
            assert reply.body == (b"" if change is truncated else data), (
                change.__name__, reply)


def move_a_folder(http, root):
    """A folder on the way is another, or a link to where it was."""
    shutil.copytree(root / "deep", root / "other")
    url = "/deep/er/a"
    want = http.get(url).body
    for _ in range(3):
        assert http.get(url).body == want
    os.rename(root / "deep", root / "deep.moved")
    assert http.get(url).status == 404
    os.symlink("deep.moved", root / "deep")
    assert http.get(url).status == 404
    os.unlink(root / "deep")
    os.rename(root / "other", root / "deep")
    replaced(str(root / "deep" / "er" / "a"), b"another")
    assert http.get(url).body == b"another"
    shutil.rmtree(root / "deep")
    assert http.get(url).status == 404
