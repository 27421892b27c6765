"""netpan get and this side's disk: full, read-only, taken away, or with
something else in the place.  Each ends with one clear sentence and status 1,
with nothing under its name that is not whole, and with no part that the next
run does not go on with."""

import contextlib
import os
import shutil
import stat
import subprocess

import pytest

from netpan_harness import netpan, random_bytes, tree_state, wait_for
from train_client import HEADS_ONLY
from train_server import MTIME, TrainServer, put_data

BIG = random_bytes(1_500_000)
WORDS = [("get",), ("get", "-r")]


@contextlib.contextmanager
def mounted(place, *words):
    """A file system of its own, as far as there can be one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *words, place], capture_output=True,
                          text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def small(tmp_path):
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m",
                 "none") as place:
        yield place


def get(server, words, place, name="big"):
    """A file into the place, or a tree into its folder "t"."""
    if "-r" in words:
        return netpan(*words, "-o", place / "t", server.url())
    return netpan(*words, "-o", place / name, server.url(name))


def says(done, *words):
    """It failed, and said so in one line."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def parts(folder):
    return [p for p in folder.rglob(".netpan-*.part")]


def at_half(server, request, entry, offset, event):
    """The data of a file, with an event in its middle."""
    half = len(entry.data) // 2
    if offset < half:
        yield put_data(entry.data[offset:half])
        event()
    yield put_data(entry.data[max(offset, half):])


# ---- full ----


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_no_room_from_the_beginning(small, words):
    (small / "filler").write_bytes(bytes(1_000_000))
    with TrainServer(("big", BIG), ("c", b"C")) as server:
        done = get(server, words, small)
    says(done, "netpan: get /big: ", "space")
    assert parts(small) == []
    assert (small / "t" / "c").exists() == ("-r" in words)


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_it_gets_full_meanwhile(small, words):
    filler = small / "filler"

    class Filling(TrainServer):
        def data(self, request, entry, offset):
            def fill():
                wait_for(lambda: any(p.stat().st_size >= len(BIG) // 2
                                     for p in parts(small)), "half of it")
                with contextlib.suppress(OSError), open(filler, "wb") as f:
                    f.write(bytes(4_000_000))
            yield from at_half(self, request, entry, offset, fill)

    with Filling("d/", ("big", BIG)) as server:
        done = get(server, words, small)
    says(done, "netpan: get /big: Cannot write it here: No space left")
    if "-r" in words:
        assert "1 not fetched" in done.stdout
        assert stat.S_IMODE((small / "t" / "d").stat().st_mode) == 0o755
    assert not list(small.rglob("big"))
    assert len(parts(small)) == 1

    filler.unlink()
    with TrainServer("d/", ("big", BIG)) as server:
        assert get(server, words, small).returncode == 0
        offsets = [r.offset for r in server.requests
                   if not r.flags & HEADS_ONLY]
    assert offsets[-1] >= len(BIG) // 2
    assert next(small.rglob("big")).read_bytes() == BIG
    assert parts(small) == []


def test_no_room_for_one_more_name(tmp_path):
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "nr_inodes=4",
                 "none") as small:
        files = [(f"f{i}", b"F") for i in range(8)]
        with TrainServer(*files) as server:
            done = get(server, ("get", "-r", "-j", "1"), small)
        says(done, "netpan: get /f2: Cannot write it here: No space left")
        assert sorted(os.listdir(small / "t")) == ["f0", "f1"]


# ---- what could not be written after all ----


@pytest.fixture
def thin(tmp_path):
    """A disk that is bigger than what is behind it, and says so late."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("there is no mkfs.ext4")
    with mounted(tmp_path / "behind", "-t", "tmpfs", "-o", "size=6m",
                 "none") as behind:
        image = behind / "image"
        with open(image, "wb") as f:
            f.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image],
                       check=True)
        with mounted(tmp_path / "thin", "-o", "loop", image) as place:
            yield place


def mount_anew(place, image):
    subprocess.run(["umount", place], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)


def test_a_tree_that_is_lost_behind_its_names(thin, tmp_path):
    """What the kernel could not write reads well until it is forgotten."""
    files = {f"f{i}": random_bytes(3_000_000, seed=i) for i in range(3)}
    with TrainServer(*files.items()) as server:
        done = get(server, ("get", "-r"), thin)
        assert done.returncode == 1
        assert "Cannot write in " in done.stderr
        # what it knows to be lost is gone, the rest is not taken for the
        # server's
        assert all(p.stat().st_mtime_ns != MTIME
                   for p in (thin / "t").iterdir())
        subprocess.run(["mount", "-o", "remount,size=60m",
                        tmp_path / "behind"], check=True)
        done = get(server, ("get", "-r"), thin)
        assert done.returncode == 0, done.stderr
        assert "3 files and " in done.stdout
    mount_anew(thin, tmp_path / "behind" / "image")
    for name, data in files.items():
        assert (thin / "t" / name).read_bytes() == data


def test_a_file_that_is_lost_behind_its_name(thin, tmp_path):
    data = random_bytes(9_000_000)
    with TrainServer(("big", data)) as server:
        says(get(server, ("get",), thin), "get /big: Cannot write it here: ")
        assert not (thin / "big").exists()
        assert parts(thin) == []
        subprocess.run(["mount", "-o", "remount,size=60m",
                        tmp_path / "behind"], check=True)
        netpan("get", "-o", thin / "big", server.url("big"), check=0)
    mount_anew(thin, tmp_path / "behind" / "image")
    assert (thin / "big").read_bytes() == data


# ---- read-only ----


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
@pytest.mark.parametrize("is_there", [False, True])
def test_read_only(tmp_path, words, is_there):
    with mounted(tmp_path / "place", "-t", "tmpfs", "none") as place:
        if is_there:
            (place / "t").mkdir()
            (place / "big").write_bytes(b"mine")
        before = tree_state(place)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        with TrainServer(("big", BIG)) as server:
            done = get(server, words, place)
        says(done, "Cannot write", "Read-only file system")
        assert tree_state(place) == before


# ---- taken away ----


class Removing(TrainServer):
    """Removes a folder when half of "big" is there."""

    def __init__(self, *spec, folder):
        super().__init__(*spec)
        self.folder = folder

    def data(self, request, entry, offset):
        def remove():
            wait_for(lambda: any(p.stat().st_size for p in parts(self.folder)),
                     "half of it")
            shutil.rmtree(self.folder)
        if entry.path[-1] != b"big":
            yield from super().data(request, entry, offset)
        else:
            yield from at_half(self, request, entry, offset, remove)


@pytest.mark.parametrize("words", [("get",), ("get", "-r", "-j", "1")],
                         ids=" ".join)
def test_the_target_is_removed(tmp_path, words):
    """It is said once, not for every file."""
    place = tmp_path / "place"
    place.mkdir()
    folder = place / "t" if "-r" in words else place
    with Removing(("a", b"A"), ("big", BIG), ("c", b"C"), "d/", ("d/e", b"E"),
                  folder=folder) as server:
        done = get(server, words, place)
    says(done, "netpan: get /big: Its folder or its part here is gone")
    assert not folder.exists()


def test_a_folder_in_the_target_is_removed(tmp_path):
    """The rest comes."""
    with Removing(("a", b"A"), "d/", ("d/big", BIG), ("d/c", b"C"), "e/",
                  ("e/f", b"F"), folder=tmp_path / "t" / "d") as server:
        done = get(server, ("get", "-r", "-j", "1"), tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"netpan: get /d/{name}: Its folder or its part here is gone"
        for name in ("big", "c")]
    assert sorted(p.name for p in (tmp_path / "t").rglob("*")) == [
        "a", "e", "f"]


# ---- the name that the user gives ----


@pytest.fixture
def place(tmp_path):
    place = tmp_path / "place"
    (place / "dir" / "big").mkdir(parents=True)
    (place / "empty").mkdir()
    (place / "to empty").symlink_to("empty")
    (place / "to mine").symlink_to("mine")
    (place / "dangling").symlink_to("nothing")
    (place / "mine").write_bytes(b"mine")
    os.mkfifo(place / "fifo")
    (place / "to fifo").symlink_to("fifo")
    return place


@pytest.mark.parametrize("name,comes_to", [
    ("new", "new"), ("mine", "mine"), ("./new", "new"), ("empty/x", "empty/x"),
    # a folder receives it under its own name, as from cp
    (".", "big"), ("./", "big"), ("empty", "empty/big"),
    ("empty/", "empty/big"), ("empty/.", "empty/big"), ("empty/..", "big"),
    ("to empty", "empty/big"), ("to empty/x", "empty/x"),
    # a link is replaced, not followed
    ("to mine", "to mine"), ("dangling", "dangling"),
])
def test_where_a_file_comes_to(place, name, comes_to):
    before = tree_state(place, times=False)
    with TrainServer(("big", BIG)) as server:
        netpan("get", "-o", name, server.url("big"), cwd=place, check=0)
    after = tree_state(place, times=False)
    came = os.fsencode(comes_to)
    assert (place / comes_to).read_bytes() == BIG
    assert not (place / comes_to).is_symlink()
    before.pop(came, None), after.pop(came)
    assert after == before


@pytest.mark.parametrize("name,said", [
    ("dir", "A folder is in its place here"),
    ("dir/", "A folder is in its place here"),
    ("fifo", "What is in its place here is no file"),
    ("to fifo", "What is in its place here is no file"),
    ("new/", "Cannot write in new/: No such file or directory"),
    ("new/.", "Cannot write in new/.: No such file or directory"),
    ("new/x", "Cannot write in new/: No such file or directory"),
    ("mine/", "Cannot write in mine/: Not a directory"),
    ("mine/x", "Cannot write in mine/: Not a directory"),
    ("dangling/", "Cannot write in dangling/: No such file or directory"),
    ("n" * 256, "too long"), ("empty/" + "n" * 256, "too long"),
])
def test_where_no_file_can_come_to(place, name, said):
    before = tree_state(place)
    with TrainServer(("big", BIG)) as server:
        done = netpan("get", "-o", name, server.url("big"), cwd=place)
    says(done, "netpan: get /big: ", said)
    assert tree_state(place) == before


@pytest.mark.parametrize("name,said", [
    ("mine", "Not a directory"), ("to mine", "Not a directory"),
    ("fifo", "Not a directory"), ("dangling", "No such file or directory"),
    ("new/folder", "No such file or directory"),
])
def test_where_no_tree_can_come_to(place, name, said):
    before = tree_state(place)
    with TrainServer(("big", BIG)) as server:
        done = netpan("get", "-r", "-o", name, server.url(), cwd=place)
    says(done, f"netpan: get: Cannot write in {name}: {said}")
    assert tree_state(place) == before


def test_what_is_no_file_is_left_in_a_tree(place):
    with TrainServer(("a", b"A"), ("fifo", b"F"), "dir/",
                     ("dir/big", b"B")) as server:
        done = netpan("get", "-r", "-o", ".", server.url(), cwd=place)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "netpan: get /dir/big: A folder is in its place here",
        "netpan: get /fifo: What is in its place here is no file"]
    assert stat.S_ISFIFO((place / "fifo").lstat().st_mode)
    assert (place / "a").read_bytes() == b"A"
