"""Archives of a folder, unpacked by other programs: tar, unzip, Python's."""

import contextlib
import hashlib
import json
import os
import re
import stat
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from netpan_harness import BUILD, is_sanitized, tree_state

PACK_FOLDER = BUILD / "tests" / "system" / "pack_folder"
NOTE = "NOT IN THIS ARCHIVE.txt"
MIB = 1 << 20
GIB = 1 << 30

EVIL_NAMES = [
    b"..\\..\\evil", b"a\\b", b"C:x", b"C:\\x", b"\\\\host\\share", b"...",
    b"..\x01", b"-rf", b"--help", b" ", b"end.", b"end ", b"new\nline",
    b"\x1b[31m", b"\x7f", "网盘".encode(), "时:间.txt".encode(), b"e\xcc\x81",
    b"\xff", b"\xc0\xaf..", b"\xb2\xe2\xca\xd4", b"\xed\xa0\xbd\xed\xb8\x80",
    b"x" * 255, b":" * 255, "盘".encode() * 85, b"a_b~c62016d0f8ee",
    b"q?<>|*\"", b"CON", b"nul .tar.gz", b"~", b"a.b:c.d",
]


class Packed:
    """An archive in a file, and what the program said of it."""

    def __init__(self, path, form, root, *folder, args=()):
        with open(path, "wb") as out:
            done = subprocess.run(
                [PACK_FOLDER, *args, form, root, *folder], stdout=out,
                stderr=subprocess.PIPE, timeout=600)
        self.path = path
        self.report = json.loads(done.stderr)
        assert self.report["fds_more"] == 0
        assert self.report["threads"] == 3, "the archive's thread is left"


@pytest.fixture
def pack(tmp_path):
    """pack(form, root, ...): a whole archive."""

    def run(form, root, *folder):
        packed = Packed(tmp_path / f"archive.{form}", form, root, *folder)
        assert packed.report["error"] == ""
        return packed

    return run


def archive_name(segment, form):
    """The name a segment has in an archive, as its contract says."""
    bad = rb'[\x00-\x1f\x7f\\:]|\xed(?=[\xa0-\xbf])'
    if form == "zip":
        bad += rb'|[<>"|?*\xff]|[. ](?=[. ]*$)'
    name = re.sub(bad, b"_", segment)
    if form == "zip" and re.match(
            rb"(?i)(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$) *(\.|$)", name):
        name = b"_" + name[1:]
    if name == segment and not re.search(rb"~[0-9a-f]{12}", segment):
        return segment
    mark = b"~" + hashlib.sha256(segment).hexdigest()[:12].encode()
    found = re.fullmatch(rb"(.+)(\.[^.]{0,15})", name, re.S)
    stem, suffix = found.groups() if found else (name, b"")
    room = 255 - len(mark) - len(suffix)
    if len(stem) > room:
        while room > 0 and stem[room] & 0xc0 == 0x80:
            room -= 1
        stem = stem[:room]
    return stem + mark + suffix


def archive_path(path, form):
    return b"/".join(archive_name(s, form) for s in path.split(b"/"))


def expected(root, form, top=b"netpan"):
    """tree_state of what is unpacked from an archive of root."""
    state = {os.path.join(top, archive_path(path, form)): entry
             for path, entry in tree_state(root).items()}
    return {**state, top: None}


def unpacked(folder):
    return {**tree_state(folder), b"netpan": None}


def whole_seconds(state, least=None):
    """Its times as an archive has them."""
    def kept(ns):
        return ns // 10**9 if least is None else max(ns // 10**9, least)

    return {path: entry and (*entry[:3], kept(entry[3]), entry[4])
            for path, entry in state.items()}


def run(*argv, cwd=None):
    """Runs an unpacker; what it wrote."""
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.fixture
def evil(tmp_path):
    root = tmp_path / "evil"
    for folder in b"", *EVIL_NAMES[:20]:
        where = os.path.join(os.fsencode(root), folder)
        os.makedirs(where)
        for name in EVIL_NAMES:
            path = os.path.join(where, name)
            if folder or name not in EVIL_NAMES[:20]:
                Path(os.fsdecode(path)).write_bytes(folder + b"/" + name)
    return root


# ---- the two unpackers of each ----


@pytest.mark.parametrize("trees", ["tree", "evil"])
def test_tar_unpacks(trees, pack, tmp_path, request):
    root = request.getfixturevalue(trees)
    packed = pack("tar", root)
    (tmp_path / "out").mkdir()
    run("tar", "-xpf", packed.path, cwd=tmp_path / "out")
    want = whole_seconds(expected(root, "tar"))
    assert whole_seconds(unpacked(tmp_path / "out")) == want
    with tarfile.open(packed.path, errors="surrogateescape") as tar:
        members = tar.getmembers()
        assert {os.fsencode(m.name) for m in members} == set(want)
        for m in members:
            assert (m.uid, m.gid, m.uname, m.gname) == (0, 0, "", "")
            assert m.isdir() or m.isreg()


@pytest.mark.parametrize("trees", ["tree", "evil"])
def test_zip_unpacks(trees, pack, tmp_path, request):
    root = request.getfixturevalue(trees)
    packed = pack("zip", root)
    assert b"No errors detected" in run("unzip", "-t", packed.path)
    run("unzip", "-q", packed.path, "-d", tmp_path / "out")
    # there is nothing before 1970 in a zip
    want = whole_seconds(expected(root, "zip"), least=0)
    assert whole_seconds(unpacked(tmp_path / "out")) == want
    with zipfile.ZipFile(packed.path) as z:
        assert z.testzip() is None
        for info in z.infolist():
            name = zip_name(info)
            assert info.compress_type == zipfile.ZIP_STORED
            entry = want.pop(name.rstrip(b"/"))
            if entry:
                assert info.external_attr >> 16 == entry[0] | entry[1]
            # what is UTF-8 says so, and nothing else does
            with contextlib.suppress(UnicodeDecodeError):
                assert info.flag_bits & 0x800 or name.decode().isascii()
    assert want == {}


def zip_name(info):
    return info.filename.encode(
        "utf-8" if info.flag_bits & 0x800 else "cp437")


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_no_name_is_evil(form, pack, evil):
    packed = pack(form, evil)
    if form == "tar":
        with tarfile.open(packed.path, errors="surrogateescape") as tar:
            names = [os.fsencode(name) for name in tar.getnames()]
    else:
        with zipfile.ZipFile(packed.path) as z:
            names = [zip_name(info) for info in z.infolist()]
    n = len(EVIL_NAMES)
    assert len(names) == len(set(names)) == 1 + 20 * (n + 1) + n - 20
    for name in names:
        parts = name.rstrip(b"/").split(b"/")
        assert parts[0] == b"netpan", name
        assert b".." not in parts and b"." not in parts and b"" not in parts
        assert not re.search(rb"[\x00-\x1f\x7f\\:]", name), name
        assert all(len(part) <= 255 for part in parts)


def test_folder_gives_its_name(pack, evil, tmp_path):
    packed = pack("tar", evil, "a\\b")
    (tmp_path / "out").mkdir()
    run("tar", "-xf", packed.path, cwd=tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["a_b~c62016d0f8ee"]


def test_note_says_what_is_missing(pack, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("x")
    (root / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "fifo")
    for form in "tar", "zip":
        packed = pack(form, root)
        if form == "tar":
            with tarfile.open(packed.path) as tar:
                names = tar.getnames()
                note = tar.extractfile(f"netpan/{NOTE}").read().decode()
        else:
            with zipfile.ZipFile(packed.path) as z:
                names = z.namelist()
                note = z.read(f"netpan/{NOTE}").decode()
        assert [n.rstrip("/") for n in names] == [
            "netpan", "netpan/file", f"netpan/{NOTE}"]
        assert "Symbolic links, which are never packed: 1\n" in note
        assert "Sockets, devices and the like: 1\n" in note


def test_deepest_and_longest(pack, tmp_path):
    """128 folders, and a path of 4095 bytes."""
    root = tmp_path / "root"
    root.mkdir()
    for names in ["d"] * 128, ["x" * 255] * 15 + ["y" * 255]:
        fd = os.open(root, os.O_RDONLY)
        for name in names:
            os.mkdir(name, dir_fd=fd)
            below = os.open(name, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        os.close(fd)
    longest = "netpan/" + "/".join(["x" * 255] * 15 + ["y" * 255])
    with tarfile.open(pack("tar", root).path) as tar:
        names = tar.getnames()
        assert longest in names and "netpan" + "/d" * 128 in names
    with zipfile.ZipFile(pack("zip", root).path) as z:
        assert sorted(n.rstrip("/") for n in z.namelist()) == sorted(names)


# ---- large, and many ----


def sparse_file(path, size):
    with open(path, "wb") as f:
        f.truncate(size)


def link_many(root, count):
    """So many entries of few files."""
    for i in range(count):
        if i % 50000 == 0:
            folder = root / f"{i // 50000:03d}"
            folder.mkdir(parents=True)
            (folder / "first").write_bytes(b"x")
            continue
        os.link(folder / "first", folder / f"{i:07d}")


def check_memory(report, mib):
    # ASan's own memory says nothing about ours
    if not is_sanitized(PACK_FOLDER):
        assert report["kib_more"] < mib * 1024, report


@pytest.mark.deadline(300)
def test_zip_of_more_than_65536(pack, tmp_path):
    root = tmp_path / "root"
    link_many(root, 70000)
    packed = pack("zip", root)
    with zipfile.ZipFile(packed.path) as z:
        names = z.namelist()
        assert len(names) == len(set(names)) == 70000 + 2 + 1
        assert z.read("netpan/001/0069999") == b"x"
    run("unzip", "-tqq", packed.path)
    # beside the directory, of some 120 bytes an entry
    check_memory(packed.report, 8 + 70000 * 130 / MIB)


def test_slow_reader_costs_nothing(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    sparse_file(root / "big", 256 * MIB)
    (root / "last").write_bytes(b"the end")
    p = subprocess.Popen([PACK_FOLDER, "tar", root], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    got = 0
    tail = b""
    while piece := p.stdout.read(MIB if got > 4 * MIB else 10000):
        if got <= 4 * MIB:
            time.sleep(0.001)
        got += len(piece)
        tail = (tail + piece)[-4096:]
    report = json.loads(p.communicate()[1])
    assert p.returncode == 0
    assert report["error"] == "" and report["bytes"] == got
    assert b"the end" in tail
    check_memory(report, 8)


@pytest.mark.parametrize("form", ["tar", "zip"])
@pytest.mark.parametrize("after", [0, 1, 200000, 5000000])
def test_reader_goes_away(form, after, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    sparse_file(root / "big", 256 * MIB)
    packed = Packed(tmp_path / "cut", form, root, args=["-c", str(after)])
    assert packed.report["error"] == "ECANCELED"
    assert after <= packed.report["bytes"] < after + MIB


def test_truncated_while_packed(tmp_path):
    """The reader sees no end: it is no archive for anybody."""
    root = tmp_path / "root"
    root.mkdir()
    sparse_file(root / "big", 64 * MIB)
    for form in "tar", "zip":
        p = subprocess.Popen([PACK_FOLDER, form, root],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        got = p.stdout.read(MIB)
        os.truncate(root / "big", 32 * MIB)
        got += p.stdout.read()
        report = json.loads(p.communicate()[1])
        assert report["error"] == "ESTALE"
        (tmp_path / "cut").write_bytes(got)
        if form == "tar":
            with pytest.raises(subprocess.CalledProcessError):
                subprocess.run(["tar", "-tf", tmp_path / "cut"], check=True,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        else:
            assert not zipfile.is_zipfile(tmp_path / "cut")
        os.truncate(root / "big", 64 * MIB)


@pytest.mark.slow
@pytest.mark.deadline(600)
def test_tar_of_a_million(tmp_path):
    root = tmp_path / "root"
    link_many(root, 1000000)
    p = subprocess.Popen([PACK_FOLDER, "tar", root], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    listed = subprocess.run(["tar", "-t"], stdin=p.stdout,
                            stdout=subprocess.PIPE, timeout=600)
    report = json.loads(p.stderr.read())
    assert p.wait() == 0 and listed.returncode == 0
    assert listed.stdout.count(b"\n") == 1000000 + 20 + 1
    check_memory(report, 8)


def write_sparsely(argv, path):
    """Runs argv with its output in a file that has holes for zeros."""
    zeros = bytes(MIB)
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with open(path, "wb", buffering=0) as f:
        while piece := p.stdout.read(MIB):
            if piece == zeros:
                f.seek(len(piece), os.SEEK_CUR)
            else:
                f.write(piece)
        f.truncate()
    report = json.loads(p.communicate()[1])
    assert p.returncode == 0, report
    return report


@pytest.mark.slow
@pytest.mark.deadline(600)
def test_zip_of_more_than_4_gib(tmp_path):
    """A file of the first size that 32 bits do not hold, some that lie behind
    it, and one of the last size that they do: unzip takes what comes after
    such a one for as large."""
    root = tmp_path / "root"
    root.mkdir()
    sizes = {"a": 4 * GIB, "b": 5, "c": 0, "d": 4 * GIB - 1}
    for name, size in sizes.items():
        sparse_file(root / name, size)
    report = write_sparsely([PACK_FOLDER, "zip", root], tmp_path / "a.zip")
    check_memory(report, 8)
    with zipfile.ZipFile(tmp_path / "a.zip") as z:
        assert {i.filename: i.file_size for i in z.infolist()} == {
            "netpan/": 0, **{f"netpan/{n}": s for n, s in sizes.items()}}
        assert z.testzip() is None
    # it takes minutes for the large ones
    assert b"No errors detected" in run(
        "unzip", "-t", tmp_path / "a.zip", "netpan/b", "netpan/c")


@pytest.mark.slow
@pytest.mark.deadline(600)
def test_tar_of_more_than_8_gib(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    sparse_file(root / "a", 8 * GIB + 5)
    (root / "b").write_bytes(b"behind it")
    report = write_sparsely([PACK_FOLDER, "tar", root], tmp_path / "a.tar")
    check_memory(report, 8)
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert {m.name: m.size for m in tar} == {
            "netpan": 0, "netpan/a": 8 * GIB + 5, "netpan/b": 9}
    assert run("tar", "-xOf", tmp_path / "a.tar", "netpan/b") == b"behind it"
