"""netpan get: files and trees, from a real server and from one that stops
where a test wants it to."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest

from netpan_harness import (NETPAN, REPO, Netpand, is_sanitized, make_file,
                            make_tree, netpan, netpan_running, random_bytes,
                            sha256, tree_state, wait_for)
from train_client import GET, HEADS_ONLY, TREE
from train_server import (MTIME, Drop, Entry, TrainServer, part_name,
                          put_data, put_end, put_error)

# ---- files ----


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 5 << 20])
def test_a_file_comes_whole(tmp_path, size):
    served = tmp_path / "served"
    served.mkdir()
    original = make_file(served / "a file", size, mode=0o640,
                         mtime_ns=-123456789)
    with Netpand(served) as server:
        done = netpan("get", server.url("a%20file"), cwd=tmp_path, check=0)
        again = netpan("get", server.url("a%20file"), cwd=tmp_path, check=0)
    copy = tmp_path / "a file"
    assert copy.read_bytes() == original.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert copy.stat().st_mtime_ns == -123456789
    assert sha256(copy) in done.stdout
    assert done.stderr == ""
    assert "was there already" in again.stdout


def test_a_file_from_below_under_another_name(netpand, tree, tmp_path):
    big = next(tree.rglob("big.bin"))
    where = str(big.relative_to(tree)).replace(" ", "%20")
    (tmp_path / "in").mkdir()
    netpan("get", "-q", "-o", tmp_path / "in" / "x", netpand.url(where),
           check=0)
    assert (tmp_path / "in" / "x").read_bytes() == big.read_bytes()
    netpan("get", "-o", "y", netpand.url(where), cwd=tmp_path / "in", check=0)
    assert sorted(os.listdir(tmp_path / "in")) == ["x", "y"]


def test_a_file_that_is_there_is_replaced(netpand, tree, tmp_path):
    copy = tmp_path / "plain.txt"
    copy.write_text("mine, and of another size")
    before = copy.open()
    netpan("get", netpand.url("plain.txt"), cwd=tmp_path, check=0)
    assert copy.read_bytes() == (tree / "plain.txt").read_bytes()
    # by a rename: who had it open still has the old one
    assert before.read() == "mine, and of another size"


def test_quiet_says_nothing(netpand, tmp_path):
    for words in (["-q"], ["-q", "-r", "-o", "all"]):
        path = "" if "-r" in words else "plain.txt"
        done = netpan("get", *words, netpand.url(path), cwd=tmp_path, check=0)
        assert done.stdout == done.stderr == ""


REFUSED = [
    (["get"], "nothing", "No such file or folder"),
    (["get"], "empty%20folder", "use get -r"),
    (["get"], "plain.txt/x", ""),
    (["get", "-r", "-o", "here"], "nothing", "No such file or folder"),
    (["get", "-r", "-o", "here"], "plain.txt", "without -r"),
    (["get", "-o", "no/such/folder"], "plain.txt", "No such file"),
    (["get", "-r", "-o", "no/such/folder"], "", "Cannot write"),
    (["get", "-r", "-o", "file"], "", "Cannot write"),
]


@pytest.mark.parametrize("words,path,said", REFUSED)
def test_what_is_refused(netpand, tmp_path, words, path, said):
    place = tmp_path / "place"
    (place / "here").mkdir(parents=True)
    (place / "file").write_text("mine")
    before = tree_state(place)
    done = netpan(*words, netpand.url(path), cwd=place, check=1)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert tree_state(place) == before


def test_a_wrong_address_leaves_no_folder(netpand, tmp_path):
    with TrainServer() as server:
        gone = server.url("f")
    place = tmp_path / "place"
    place.mkdir()
    for url, status in ((netpand.url("nothing"), 1),
                        (netpand.url("plain.txt"), 1), (gone, 3)):
        netpan("get", "-r", url, cwd=place, check=status)
    assert os.listdir(place) == []


def test_nobody_listens(tmp_path):
    with TrainServer() as server:
        url = server.url("f")
    for words in (["get"], ["get", "-r"], ["ls"]):
        done = netpan(*words, url, cwd=tmp_path, check=3)
        assert "Connection refused" in done.stderr


def test_ipv6(tree, tmp_path):
    with Netpand(tree, listen=("[::1]:0",)) as server:
        netpan("get", f"train://[::1]:{server.port}/plain.txt", cwd=tmp_path,
               check=0)
    assert (tmp_path / "plain.txt").exists()


def test_a_host_by_its_name(netpand, tmp_path):
    netpan("get", f"TRAIN://localhost:{netpand.port}/plain.txt", cwd=tmp_path,
           check=0)
    assert (tmp_path / "plain.txt").exists()


# ---- trees ----


@pytest.mark.parametrize("jobs", [1, 2, 4, 64])
def test_a_tree_comes_whole(netpand, tree, tmp_path, jobs):
    copy = tmp_path / "copy"
    done = netpan("get", "-r", "-j", str(jobs), "-o", copy, netpand.url(),
                  check=0)
    assert tree_state(copy) == tree_state(tree)
    assert done.stderr == ""
    assert re.search(r"; 0 failed$", done.stdout.strip())
    again = netpan("get", "-r", "-o", copy, netpand.url(), check=0)
    assert again.stdout.startswith("0 files ")
    assert "31 files were there" in again.stdout
    assert tree_state(copy) == tree_state(tree)


def test_only_what_is_new_comes(netpand, tree, tmp_path):
    copy = tmp_path / "copy"
    netpan("get", "-r", "-o", copy, netpand.url(), check=0)
    (tree / "folder 0" / "new").write_text("new")
    (tree / "plain.txt").chmod(0o600)
    make_file(tree / "file-0012", 777, seed=9, mtime_ns=MTIME)
    os.utime(tree / "file-0018", ns=(MTIME, MTIME))
    (copy / "file-0024").unlink()
    (copy / "mine").write_text("is left alone")
    done = netpan("get", "-r", "-o", copy, netpand.url(), check=0)
    assert done.stdout.startswith("4 files ")
    assert (copy / "mine").read_text() == "is left alone"
    (copy / "mine").unlink()
    os.utime(tree), os.utime(copy)
    want, have = tree_state(tree), tree_state(copy)
    assert have == want


def test_a_folder_below(netpand, tree, tmp_path):
    netpan("get", "-r", netpand.url("folder%200"), cwd=tmp_path, check=0)
    netpan("get", "-r", "-o", "x", netpand.url("folder%200/"), cwd=tmp_path,
           check=0)
    netpan("get", "-r", netpand.url("empty%20folder"), cwd=tmp_path, check=0)
    want = tree_state(tree / "folder 0")
    assert tree_state(tmp_path / "folder 0") == want
    assert tree_state(tmp_path / "x") == want
    assert os.listdir(tmp_path / "empty folder") == []


def test_into_a_symlink_that_the_user_names(netpand, tree, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    netpan("get", "-r", "-o", tmp_path / "link", netpand.url(), check=0)
    assert tree_state(tmp_path / "real") == tree_state(tree)


def test_what_is_not_served_is_counted(tmp_path):
    served = make_tree(tmp_path / "served", big=0)
    (served / "link").symlink_to("plain.txt")
    (served / "folder 0" / "dangling").symlink_to("nothing")
    os.mkfifo(served / "fifo")
    with Netpand(served) as server:
        done = netpan("get", "-r", "-o", tmp_path / "copy", server.url(),
                      check=0)
        assert "not served: 2 links, 1 special, 0 unreadable" in done.stdout
        done = netpan("ls", server.url(), check=0)
        assert "not served: 1 links, 1 special, 0 unreadable" in done.stderr
    assert not (tmp_path / "copy" / "link").exists()


@pytest.mark.deadline(300)
def test_a_tree_without_files_is_summed_up(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "link").symlink_to("nowhere")
    for name, links in ("empty", 0), ("links", 1):
        with Netpand(tmp_path / name) as server:
            done = netpan("get", "-r", "-o", tmp_path / "copy", server.url(),
                          check=0)
        assert done.stdout.startswith("0 files and 0 folders, ")
        assert f"not served: {links} links" in done.stdout
    assert os.listdir(tmp_path / "copy") == []


@pytest.mark.parametrize("words", [["get"], ["get", "-r", "-o", "."]],
                         ids=" ".join)
def test_a_limit_on_the_size_of_files(tmp_path, words):
    """It fails that file, and does not kill the command."""
    with TrainServer(("big", random_bytes(200_000)), ("c", b"C")) as server:
        path = "" if "-r" in words else "big"
        done = subprocess.run(
            ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", NETPAN, *words,
             server.url(path)], cwd=tmp_path, capture_output=True, text=True,
            timeout=60)
    assert done.returncode == 1, done
    assert "netpan: get /big: " in done.stderr
    assert not (tmp_path / "big").exists()
    assert (tmp_path / "c").exists() == ("-r" in words)


def test_many_files_over_many_connections(tmp_path):
    served = tmp_path / "served"
    n = 60 if is_sanitized() else 300
    for d in range(20):
        (served / f"d{d}" / "s").mkdir(parents=True)
        for f in range(n):
            (served / f"d{d}" / f"f{f}").write_bytes(b"%d %d" % (d, f) * f)
            (served / f"d{d}" / "s" / f"f{f}").write_bytes(b"")
    with Netpand(served) as server:
        for jobs in "1", "16":
            netpan("get", "-r", "-j", jobs, "-o", tmp_path / jobs,
                   server.url(), check=0)
            assert tree_state(tmp_path / jobs) == tree_state(served)


@pytest.mark.skipif(is_sanitized(NETPAN), reason="has descriptors of its own")
@pytest.mark.parametrize("limit", [20, 24, 32, 48])
def test_more_connections_than_descriptors(tmp_path, limit):
    """Those that find none leave the files to the others."""
    served = make_tree(tmp_path / "served", folders=20, files=1000, big=0)
    with Netpand(served) as server:
        done = subprocess.run(
            ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", NETPAN, "get",
             "-r", "-j", "32", "-o", tmp_path / "copy", server.url()],
            capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree_state(tmp_path / "copy") == tree_state(served)


class Somebody:
    """A user who is not root, with a home and a netpan of their own."""

    def __init__(self, place):
        self.home = place / "home"
        self.home.mkdir()
        os.chown(self.home, 12345, 12345)
        self.netpan = shutil.copy(NETPAN, place / "netpan")

    def start(self, *words):
        return subprocess.Popen(
            [self.netpan, "get", *words], cwd=self.home, user=12345,
            group=12345, extra_groups=[], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def get(self, *words):
        with self.start(*words) as process:
            said = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode,
                                           *said)


@pytest.fixture
def somebody():
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    place = Path(tempfile.mkdtemp(prefix="netpan-"))
    place.chmod(0o755)
    yield Somebody(place)
    shutil.rmtree(place)


def test_a_folder_that_its_owner_may_not_write_in(somebody):
    """It is opened for as long as that takes."""
    def get(server):
        done = somebody.get("-r", "-q", "-o", "copy", server.url())
        assert (done.returncode, done.stderr) == (0, "")

    spec = [Entry("d", mode=0o555), Entry("d/a", b"A", mode=0o444),
            Entry("d/e", mode=0o500)]
    with TrainServer(*spec) as server:
        get(server)
    spec += [Entry("d/b", b"B", mode=0o444), Entry("d/e/f", b"F")]
    spec[1].data = b"AA"
    with TrainServer(*spec) as server:
        get(server)
    copy = somebody.home / "copy"
    assert (copy / "d" / "a").read_bytes() == b"AA"
    assert (copy / "d" / "b").read_bytes() == b"B"
    assert (copy / "d" / "e" / "f").read_bytes() == b"F"
    assert stat.S_IMODE((copy / "d").stat().st_mode) == 0o555
    assert stat.S_IMODE((copy / "d" / "e").stat().st_mode) == 0o500


def test_a_part_that_already_has_its_last_mode(somebody):
    """A run that was killed just before the rename left it read-only."""
    with Stopping("d/", ("d/big", BIG), at=2_000_000) as server:
        server.stops = False
        server.find("d/big").mode = 0o444
        name = part_name("big", len(BIG))
        part = somebody.home / name
        part.write_bytes(BIG)
        part.chmod(0o400)
        os.chown(part, 12345, 12345)
        done = somebody.get("-q", server.url("d/big"))
        assert (done.returncode, done.stderr) == (0, "")
        assert [r.offset for r in server.asked(GET)] == [0, len(BIG)]
    assert os.listdir(somebody.home) == ["big"]
    assert stat.S_IMODE((somebody.home / "big").stat().st_mode) == 0o444


def test_a_part_that_is_about_to_get_its_name(somebody):
    """Whoever holds it has given it its last mode, which must stay."""
    part = somebody.home / part_name("f", 1)
    part.write_bytes(b"F")
    part.chmod(0o444)
    os.chown(part, 12345, 12345)
    with TrainServer(("f", b"F")) as server, open(part) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = somebody.get("-q", server.url("f"))
        assert (done.returncode, done.stderr) == (0, "")
        assert stat.S_IMODE(part.stat().st_mode) == 0o444
    assert (somebody.home / "f").read_bytes() == b"F"


def test_a_folder_that_is_another_users(somebody):
    (somebody.home / "theirs").mkdir()
    with TrainServer("d/", ("d/f", b"F"), ("e", b"E")) as server:
        done = somebody.get("-r", "-o", "theirs", server.url())
        assert done.returncode == 1
        assert "get /d: Cannot write it here: Permission denied\n" in done.stderr
        assert "get /e: Cannot write it here: Permission denied\n" in done.stderr
        done = somebody.get("-o", "theirs/f", server.url("d/f"))
        assert done.returncode == 1
        assert done.stderr == "netpan: get /d/f: Cannot write it here: Permission denied\n"
    assert os.listdir(somebody.home / "theirs") == []


# ---- going on ----


class Stopping(TrainServer):
    """Stops in the middle of "big" until it is told otherwise."""

    def __init__(self, *spec, at):
        super().__init__(*spec)
        self.at = at
        self.is_stopped = threading.Event()
        self.stops = True

    def data(self, request, entry, offset):
        if self.stops and entry.path[-1] == b"big" and offset < self.at:
            yield put_data(entry.data[offset:self.at])
            self.is_stopped.set()
            self.pause()
            raise Drop
        yield from super().data(request, entry, offset)


BIG = random_bytes(3_000_000)


def parts(folder):
    return [p for p in Path(folder).rglob(".netpan-*.part")]


def begin(server, tmp_path, words, sig):
    """Lets a first run get BIG's first half, then ends it by a signal."""
    with netpan_running(*words, server.url("d" if "-r" in words else "d/big"),
                        cwd=tmp_path) as process:
        assert server.is_stopped.wait(30)
        wait_for(lambda: [p for p in parts(tmp_path)
                          if p.stat().st_size == server.at], "half of it")
        process.send_signal(sig)
        said = process.communicate(timeout=30)[0]
    assert process.returncode == -sig
    if sig != signal.SIGKILL:
        assert "run the same command again" in said
    with server.lock:
        server.stops = False
        server.requests.clear()


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGINT,
                                 signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_a_second_run_goes_on(tmp_path, words, sig):
    with Stopping("d/", ("d/a", b"A"), ("d/big", BIG), ("d/c", b"C"),
                  at=2_000_000) as server:
        begin(server, tmp_path, words, sig)
        names = {p.name for p in tmp_path.rglob("*")}
        assert "big" not in names, "it has its name too early"
        netpan(*words, server.url("d" if "-r" in words else "d/big"),
               cwd=tmp_path, check=0)
        offsets = [r.offset for r in server.requests
                   if r.kind == GET or r.start == (b"big",)]
        assert 2_000_000 in offsets
    copy = tmp_path / ("d/big" if "-r" in words else "big")
    assert copy.read_bytes() == BIG
    assert parts(tmp_path) == []


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM,
                                 signal.SIGHUP])
def test_a_run_that_is_stopped_finishes_its_folders(tmp_path, sig):
    folders = {"d/a": 0o751, "d/in": 0o700, "d/in/e": 0o555, "d/z": 0o500}
    with Stopping("d/", *(Entry(f, mode=m) for f, m in folders.items()),
                  ("d/a/f", b"F"), ("d/in/big", BIG), ("d/z/g", b"G"),
                  at=2_000_000) as server:
        begin(server, tmp_path, ("get", "-r", "-j", "1"), sig)
    for folder, mode in folders.items():
        st = (tmp_path / folder).stat()
        assert stat.S_IMODE(st.st_mode) == mode, folder
        assert st.st_mtime_ns == MTIME, folder
    assert len(parts(tmp_path / "d" / "in")) == 1


DAMAGES = {
    "a flipped byte": lambda p: p.write_bytes(
        b"\xff" + p.read_bytes()[1:]),
    "shorter": lambda p: p.write_bytes(p.read_bytes()[:1000]),
    "empty": lambda p: p.write_bytes(b""),
    "longer than the file": lambda p: p.write_bytes(bytes(4_000_000)),
    "as long as the file": lambda p: p.write_bytes(bytes(3_000_000)),
    "whole": lambda p: p.write_bytes(BIG),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_a_part_that_is_not_what_it_was(tmp_path, words, damage):
    with Stopping("d/", ("d/big", BIG), at=2_000_000) as server:
        begin(server, tmp_path, words, signal.SIGKILL)
        DAMAGES[damage](parts(tmp_path)[0])
        netpan(*words, server.url("d" if "-r" in words else "d/big"),
               cwd=tmp_path, check=0)
    copy = tmp_path / ("d/big" if "-r" in words else "big")
    assert copy.read_bytes() == BIG
    assert parts(tmp_path) == []


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_a_part_of_an_older_version_is_not_used(tmp_path, words):
    with Stopping("d/", ("d/big", BIG), at=2_000_000) as server:
        begin(server, tmp_path, words, signal.SIGKILL)
        new = random_bytes(3_000_000, seed=2)
        server.find("d/big").data = new
        server.find("d/big").mtime_ns += 1
        netpan(*words, server.url("d" if "-r" in words else "d/big"),
               cwd=tmp_path, check=0)
    copy = tmp_path / ("d/big" if "-r" in words else "big")
    assert copy.read_bytes() == new
    assert parts(tmp_path) == []


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_a_part_of_a_file_that_is_there(tmp_path, words):
    """It is of no use, of whatever version it is."""
    with Stopping("d/", ("d/big", BIG), at=2_000_000) as server:
        begin(server, tmp_path, words, signal.SIGKILL)
        copy = tmp_path / ("d/big" if "-r" in words else "big")
        copy.write_bytes(BIG)
        os.utime(copy, ns=(MTIME, MTIME))
        (copy.parent / part_name("big", 1)).write_bytes(b"X")
        others = [part_name("other", 1), part_name("big", 1).upper()]
        for other in others:
            (copy.parent / other).write_bytes(b"X")
        done = netpan(*words, server.url("d" if "-r" in words else "d/big"),
                      cwd=tmp_path, check=0)
    assert " there" in done.stdout
    assert sorted(os.listdir(copy.parent)) == sorted(["big", *others])


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_a_part_that_is_held_is_left(tmp_path, words):
    """Another netpan still fetches the older version."""
    new = random_bytes(3_000_000, seed=2)
    with Stopping("d/", ("d/big", BIG), at=2_000_000) as server:
        url = server.url("d" if "-r" in words else "d/big")
        with netpan_running(*words, url, cwd=tmp_path) as first:
            assert server.is_stopped.wait(30)
            wait_for(lambda: [p for p in parts(tmp_path)
                              if p.stat().st_size == server.at], "half of it")
            held = parts(tmp_path)
            server.stops = False
            server.find("d/big").data = new
            server.find("d/big").mtime_ns += 1
            netpan(*words, url, cwd=tmp_path, check=0)
            assert parts(tmp_path) == held
            first.kill()
            first.communicate(timeout=30)
        netpan(*words, url, cwd=tmp_path, check=0)
    assert parts(tmp_path) == []
    copy = tmp_path / ("d/big" if "-r" in words else "big")
    assert copy.read_bytes() == new


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_a_file_that_changes_at_a_break(tmp_path, words):
    """What came of the old version is not put together with the new one."""
    new = random_bytes(2_500_000, seed=3)

    class Changing(TrainServer):
        def data(self, request, entry, offset):
            if entry.data is BIG:
                yield put_data(entry.data[offset:offset + 1_000_000])
                entry.data = new
                entry.mtime_ns += 1
                raise Drop
            yield from super().data(request, entry, offset)

    with Changing("d/", ("d/big", BIG)) as server:
        netpan(*words, server.url("d" if "-r" in words else "d/big"),
               cwd=tmp_path, check=0)
    copy = tmp_path / ("d/big" if "-r" in words else "big")
    assert copy.read_bytes() == new
    assert parts(tmp_path) == []


def test_two_at_once_do_not_mix(tmp_path):
    """The second finds the part held, and makes one of its own."""
    with Stopping("d/", ("d/big", BIG), at=2_000_000) as server:
        url = server.url("d/big")
        with netpan_running("get", url, cwd=tmp_path) as first:
            assert server.is_stopped.wait(30)
            wait_for(lambda: [p for p in parts(tmp_path)
                              if p.stat().st_size == server.at], "half of it")
            server.stops = False
            netpan("get", url, cwd=tmp_path, check=0)
            assert (tmp_path / "big").read_bytes() == BIG
            assert len(parts(tmp_path)) == 1
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=30)
    assert (tmp_path / "big").read_bytes() == BIG


def at_once(start, n=4):
    """n runs that overlap: each must end well, and say nothing."""
    runs = [start() for _ in range(n)]
    said = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * n, said
    assert said == [""] * n


def test_many_at_once_into_one_folder(tmp_path):
    served = make_tree(tmp_path / "served", big=1 << 20)
    with Netpand(served) as server:
        for i in range(3 if is_sanitized() else 10):
            at_once(lambda: subprocess.Popen(
                [NETPAN, "get", "-qr", "-o", f"copy {i}", server.url()],
                cwd=tmp_path, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
            assert tree_state(tmp_path / f"copy {i}") == tree_state(served)


def test_many_at_once_into_one_file(tmp_path):
    with TrainServer(("big", BIG)) as server:
        for i in range(3 if is_sanitized() else 10):
            at_once(lambda: subprocess.Popen(
                [NETPAN, "get", "-q", "-o", f"{i}", server.url("big")],
                cwd=tmp_path, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
            assert (tmp_path / f"{i}").read_bytes() == BIG
            assert parts(tmp_path) == []


def test_many_at_once_into_folders_nobody_may_write_in(somebody, tmp_path):
    served = make_tree(tmp_path / "served", big=0)
    for folder in [p for p in served.rglob("*") if p.is_dir()]:
        folder.chmod(0o555)
    with Netpand(served) as server:
        for i in range(3 if is_sanitized() else 10):
            at_once(lambda: somebody.start("-qr", "-o", f"copy {i}",
                                           server.url()))
            assert tree_state(somebody.home / f"copy {i}") == tree_state(served)


@pytest.mark.parametrize("mode", [0o555, 0o400])
def test_another_run_ends_first(somebody, mode):
    """And gives the folders modes that keep this one out."""
    with Stopping(Entry("d", mode=mode), ("d/a", b"A"), ("d/big", BIG),
                  Entry("d/e", mode=mode), ("d/e/f", b"F"), ("d/g", b"G"),
                  at=2_000_000) as server:
        words = ("-qr", "-j", "1", "-o", "copy", server.url())
        first = somebody.start(*words)
        assert server.is_stopped.wait(30)
        server.stops = False
        at_once(lambda: somebody.start(*words), 1)
        server.is_ending.set()
        said = first.communicate(timeout=60)
    assert (first.returncode, said) == (0, ("", ""))
    copy = somebody.home / "copy"
    assert (copy / "d" / "big").read_bytes() == BIG
    assert sorted(p.name for p in copy.rglob("*")) == [
        "a", "big", "d", "e", "f", "g"]
    for folder in copy / "d", copy / "d" / "e":
        assert stat.S_IMODE(folder.stat().st_mode) == mode
        assert folder.stat().st_mtime_ns == MTIME


def test_a_target_that_may_not_be_written_in(somebody):
    """The mode of the user's own folder is no business of ours."""
    target = somebody.home / "target"
    target.mkdir(mode=0o555)
    os.chown(target, 12345, 12345)
    with TrainServer("d/", ("f", b"F")) as server:
        done = somebody.get("-r", "-o", "target", server.url())
        assert done.returncode == 1
        assert somebody.get("-o", "target/f", server.url("f")).returncode == 1
    assert os.listdir(target) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o555


def test_ended_while_it_waits_for_the_server(tmp_path):
    """SIGINT is heard in the pause between two attempts, too."""
    class Dying(TrainServer):
        def answer(self, request):
            raise Drop
            yield

    for words in ("get",), ("get", "-r"), ("ls",):
        with Dying() as server:
            with netpan_running(*words, server.url("d"),
                                cwd=tmp_path) as process:
                wait_for(lambda: server.n_conns > 3, "some attempts")
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=30)
            assert process.returncode == -signal.SIGINT


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    """As nohup does it."""
    with Stopping("d/", ("d/big", BIG), at=2_000_000) as server:
        process = subprocess.Popen(
            [NETPAN, "get", "-q", server.url("d/big")], cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        try:
            assert server.is_stopped.wait(30)
            process.send_signal(signal.SIGHUP)
            server.stops = False
            server.is_ending.set()  # ends the pause: the connection breaks
            assert process.wait(30) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert (tmp_path / "big").read_bytes() == BIG


def test_a_broken_connection_goes_on_where_it_was(tmp_path):
    """Not one byte is asked for twice, in a file and in a tree."""
    class Breaking(TrainServer):
        def data(self, request, entry, offset):
            step = 400_000
            yield put_data(entry.data[offset:offset + step])
            if offset + step < len(entry.data):
                raise Drop

    with Breaking("d/", ("d/big", BIG)) as server:
        netpan("get", server.url("d/big"), cwd=tmp_path, check=0)
        offsets = [r.offset for r in server.asked(GET)]
        assert offsets == list(range(0, 3_000_000, 400_000))
        netpan("get", "-r", "-j", "1", server.url("d"), cwd=tmp_path, check=0)
        offsets = [r.offset for r in server.asked(TREE)
                   if not r.flags & HEADS_ONLY]
        assert offsets == list(range(0, 3_000_000, 400_000))
    assert (tmp_path / "big").read_bytes() == BIG
    assert (tmp_path / "d" / "big").read_bytes() == BIG


# ---- the terminal ----


def on_a_terminal(words, cwd, columns=100, term="xterm"):
    """Runs netpan with stderr on a terminal: (exit status, what it showed)."""
    import struct
    import termios
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    process = subprocess.Popen(
        [NETPAN, *words], cwd=cwd, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=slave,
        env={**os.environ, "TERM": term})
    os.close(slave)
    shown = b""
    try:
        while select.select([master], [], [], 30)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:
                break
        return process.wait(30), shown.decode()
    finally:
        os.close(master)
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


class Slow(TrainServer):
    def data(self, request, entry, offset):
        step = max(len(entry.data) // 8, 1)
        for i in range(offset, len(entry.data), step):
            yield put_data(entry.data[i:i + step])
            self.pause(0.05)


def drawn(shown):
    """The lines, one drawn over the other, of which none was left there."""
    assert shown.endswith("\r\x1b[K"), "the line was left there"
    lines = [line for line in shown.split("\r\x1b[K") if line]
    assert lines, "no line was drawn"
    return lines


def columns_of(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in line)


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
@pytest.mark.parametrize("columns", [2, 20, 80, 200])
def test_a_progress_line(tmp_path, words, columns):
    # a URL has no control bytes
    name = "网盘 ⭐✅" + ("\x1b[2J" if "-r" in words else "") + "n⌛" * 50
    with Slow("d/", ("d/" + name, BIG)) as server:
        path = "d" if "-r" in words else "d/" + quote(name)
        status, shown = on_a_terminal([*words, server.url(path)], tmp_path,
                                      columns)
    assert status == 0, shown
    lines = drawn(shown)
    for line in lines:
        assert columns_of(line) < columns, line
        assert "\x1b" not in line and "\n" not in line
    if columns >= 80:
        assert re.search(r"100%  2.9 MiB of 2.9 MiB  \S+ \S+B/s", lines[-1])
        assert any(re.search(r"\d:\d\d left", line) for line in lines)
    if columns >= 80 and "-r" in words:
        assert "1/1 files" in lines[-1]


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_the_last_state_is_shown(tmp_path, words):
    """Also of what comes faster than lines are drawn: the disk may be slow."""
    with TrainServer("d/", ("d/f", b"F" * 1000)) as server:
        path = "d" if "-r" in words else "d/f"
        status, shown = on_a_terminal([*words, server.url(path)], tmp_path)
    assert status == 0, shown
    assert "100%  1000 B of 1000 B" in drawn(shown)[-1]


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_no_progress_where_there_is_no_terminal(tmp_path, words, term):
    """A pipe gets no line of it, nor does a terminal that cannot go back."""
    with Slow("d/", ("d/f", BIG)) as server:
        path = "d" if "-r" in words else "d/f"
        if term == "dumb":
            assert on_a_terminal([*words, server.url(path)], tmp_path,
                                 term=term) == (0, "")
        else:
            done = netpan(*words, server.url(path), cwd=tmp_path, check=0,
                          env={"TERM": term})
            assert done.stderr == ""
            assert len(done.stdout.splitlines()) == 1


def test_the_progress_goes_on_while_the_server_is_silent(tmp_path):
    class Pausing(TrainServer):
        def data(self, request, entry, offset):
            yield put_data(entry.data[offset:offset + 700_000])
            self.pause(1.5)
            yield put_data(entry.data[offset + 700_000:])

    with Pausing(("f", BIG)) as server:
        status, shown = on_a_terminal(["get", server.url("f")], tmp_path)
    assert status == 0, shown
    assert len(re.findall(r"683.6 KiB of", shown)) >= 3, shown


@pytest.mark.parametrize("words", [("get",), ("get", "-r")], ids=" ".join)
def test_what_was_dropped_is_not_in_the_progress(tmp_path, words):
    """It comes twice, for its digest is wrong at first."""
    class Wrong(Slow):
        n = 0

        def end(self, request, entry):
            self.n += 1
            return put_end(entry.data, digest=bytes(32) if self.n == 1
                           else None)

    with Wrong("d/", ("d/f", BIG)) as server:
        path = "d" if "-r" in words else "d/f"
        status, shown = on_a_terminal([*words, server.url(path)], tmp_path)
    assert status == 0, shown
    seen = [(int(percent), size, due) for percent, size, due in re.findall(
        r"(\d+)%  (\S+ \S+) of (\S+ \S+)", shown)]
    assert {due for _, _, due in seen} == {"2.9 MiB"}, shown
    for _, size, _ in seen:
        number, unit = size.split()
        assert unit != "MiB" or float(number) <= 2.9, shown
    percents = [percent for percent, _, _ in seen]
    assert any(b < a for a, b in zip(percents, percents[1:])), shown


@pytest.mark.parametrize("words", [("get", "-q"), ("get", "-qr")],
                         ids=" ".join)
def test_no_progress_when_it_is_quiet(tmp_path, words):
    with Slow("d/", ("d/big", BIG)) as server:
        path = "d" if "r" in words[1] else "d/big"
        assert on_a_terminal([*words, server.url(path)], tmp_path) == (0, "")


def test_a_message_does_not_mix_with_the_progress(tmp_path):
    class Failing(Slow):
        def end(self, request, entry):
            if entry.path[-1] == b"b":
                return put_error(9, 1)
            return super().end(request, entry)

    with Failing("d/", ("d/a", BIG), ("d/b", BIG), ("d/c", BIG)) as server:
        status, shown = on_a_terminal(["get", "-r", "-j", "1",
                                       server.url("d")], tmp_path)
    assert status == 1
    assert re.search(r"(^|\x1b\[K)netpan: get /d/b: [^\r\n]*\r\n", shown)


# ---- words ----

USAGE = [
    [], ["nothing"], ["-x"], ["get"], ["get", "-x", "train://h/f"],
    ["get", "train://h/f", "train://h/g"], ["get", "--nothing", "train://h/f"],
    ["get", "http://h/f"], ["get", "h/f"], ["get", "train:///f"],
    ["get", "train://"], ["get", "train://h"], ["get", "train://h/"],
    ["get", "-r", "train://h/"], ["get", "-r", "train://h"],
    ["get", "train://h/f/"], ["get", "train://h:0/f"], ["get", "train://h:65536/f"],
    ["get", "train://h:/f"], ["get", "train://h:x/f"],
    ["get", "train://u@h/f"], ["get", "train://[::1/f"],
    ["get", "train://h/.."], ["get", "train://h/a//b"],
    ["get", "train://h/%2e%2e/b"], ["get", "train://h/a%2fb"],
    ["get", "train://h/a%00"], ["get", "train://h/a%"],
    ["get", "train://h/.netpan"], ["get", "train://h/a?b"],
    ["get", "train://h/a#b"], ["get", "train://h/" + "n" * 256],
    ["get", "-j", "0", "train://h/f"], ["get", "-j", "65", "train://h/f"],
    ["get", "-j", "x", "train://h/f"], ["get", "-j", "-1", "train://h/f"],
    ["get", "-j"], ["get", "-t", "0", "train://h/f"],
    ["get", "-t", "3601", "train://h/f"], ["get", "-t", "1.5", "train://h/f"],
    ["get", "-o", "", "train://h/f"], ["get", "--quiet=1", "train://h/f"],
    ["ls"], ["ls", "train://h/", "x"], ["ls", "-r", "train://h/"],
    ["ls", "x"], ["ls", "-t", "x", "train://h/"],
    ["sum"], ["sum", "--sha1", "x"], ["sum", "-m", "x"], ["sum", "--md5"],
]


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_usage(tmp_path, words):
    done = netpan(*words, cwd=tmp_path, check=2)
    assert done.stdout == ""
    assert done.stderr.startswith(("netpan: ", "usage: netpan "))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("words,said", [
    (["sum", "-m", "x"], "sum: -m is not an option here"),
    (["sum", "--md5", "-m", "x"], "sum: -m is not an option here"),
    (["sum", "--md5=1", "x"], "sum: --md5 takes no argument"),
    (["get", "--quiet=1", "x"], "get: --quiet takes no argument"),
    (["get", "-x", "x"], "get: -x is not an option here"),
    (["get", "--nothing=1", "x"], "get: --nothing=1 is not an option here"),
    (["get", "--jobs"], "get: --jobs takes an argument"),
])
def test_what_is_wrong_is_named(words, said):
    assert netpan(*words, check=2).stderr.startswith(f"netpan: {said}")


@pytest.mark.parametrize("command", ["get", "ls", "sum"])
def test_help_behind_a_command(command):
    done = netpan(command, "--help", check=0)
    assert done.stdout == netpan("--help", check=0).stdout
    assert done.stderr == ""


def test_options_stand_anywhere(netpand, tmp_path):
    netpan("get", netpand.url("plain.txt"), "--output=a", cwd=tmp_path,
           check=0)
    netpan("get", "-qo", "b", "--", netpand.url("plain.txt"), cwd=tmp_path,
           check=0)
    netpan("get", "--recursive", "--jobs", "2", "--quiet", "--timeout", "9",
           netpand.url(), "-o", "c", cwd=tmp_path, check=0)
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c", "served"]


def test_synopsis_is_the_usage():
    """What the program prints, the page says in the same words."""
    text = netpan("--help", check=0).stdout
    usage = text.partition("\n\n")[0].replace("usage:", "      ")
    page = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", "width=78", REPO / "man" / "netpan.1"],
        stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True)
    plain = re.sub(".\b", "", page.stdout)
    synopsis = re.search(r"^SYNOPSIS\n(.*?)\n\n", plain, re.M | re.S)[1]
    want = [line.split() for line in usage.splitlines()]
    have = [line.split() for line in synopsis.splitlines()]
    assert have == want
    assert netpan(check=2).stderr.split() == text.partition("\n\n")[0].split()


def test_version():
    done = netpan("--version", check=0)
    assert re.fullmatch(r"netpan \d+\.\d+\.\d+\n", done.stdout)


def test_output_that_cannot_be_written(netpand, tree, tmp_path):
    for words in (["--help"], ["--version"], ["ls", netpand.url()],
                  ["sum", tree / "plain.txt"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([NETPAN, *words], stdout=full,
                                  stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1, words
        assert b"cannot write" in done.stderr


@pytest.mark.parametrize("words", [("get", "-q"), ("get", "-qr", "-j", "1")],
                         ids=" ".join)
def test_closed_standard_descriptors(tmp_path, words):
    """No file and no connection becomes one of them, and is written into."""
    class Failing(TrainServer):
        def end(self, request, entry):
            if entry.path[-1] == b"b":
                return put_error(9, 1)
            return super().end(request, entry)

    def close_all():
        for fd in 0, 1, 2:
            os.close(fd)

    path, name, status = (("d", "d", 1) if "-qr" in words
                          else ("d/c", "c", 0))
    with Failing("d/", ("d/a", b"A"), ("d/b", b"B"), ("d/c", b"C")) as server:
        process = subprocess.Popen([NETPAN, *words, server.url(path)],
                                   cwd=tmp_path, preexec_fn=close_all)
        assert process.wait(60) == status
        assert server.n_conns == 1
    if "-qr" in words:
        assert (tmp_path / "d" / "a").read_bytes() == b"A"
    assert next(tmp_path.rglob("c")).read_bytes() == b"C"


def test_closed_standard_output():
    """What could not be said is no success, and nothing else hears it."""
    done = subprocess.run([NETPAN, "--version"], stderr=subprocess.PIPE,
                          preexec_fn=lambda: os.close(1), timeout=60)
    assert done.returncode == 1
    assert done.stderr == b"netpan: cannot write to standard output\n"


def test_messages_that_nobody_reads(tmp_path):
    """A closed pipe ends no get: what comes is as whole as ever."""
    class Failing(TrainServer):
        def end(self, request, entry):
            if entry.path[-1] == b"a":
                return put_error(9, 1)
            return super().end(request, entry)

    reader, writer = os.pipe()
    os.close(reader)
    try:
        with Failing(Entry("d", mode=0o751), ("d/a", b"A"),
                     ("d/b", b"B")) as server:
            done = subprocess.run(
                [NETPAN, "get", "-r", "-j", "1", "-o", "t", server.url()],
                cwd=tmp_path, stdout=writer, stderr=writer, timeout=60)
    finally:
        os.close(writer)
    assert done.returncode == 1
    assert (tmp_path / "t" / "d" / "b").read_bytes() == b"B"
    assert stat.S_IMODE((tmp_path / "t" / "d").stat().st_mode) == 0o751
