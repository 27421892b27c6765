"""netpan ls."""

import os
import subprocess

import pytest

from netpan_harness import NETPAN, Netpand, make_file, make_tree, netpan
from train_server import Entry, TrainServer, put_head


def test_names_in_order(netpand, tree):
    done = netpan("ls", netpand.url(), check=0)
    names = sorted(os.listdir(os.fsencode(tree)))
    lines = done.stdout.splitlines()
    assert len(lines) == len(names)
    assert done.stderr == ""
    for name, line in zip(names, lines):
        shown = os.fsdecode(name).replace("\\", "\\x5c").replace(
            "\n", "\\x0a").replace("\x7f", "\\x7f")
        slash = "/" if (tree / os.fsdecode(name)).is_dir() else ""
        assert line == shown + slash


def test_long(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    make_file(served / "a", 12345, mode=0o754, mtime_ns=10**18 + 1)
    make_file(served / "b", 0, mode=0o001, mtime_ns=-1)
    (served / "d").mkdir()
    (served / "d").chmod(0o750)
    os.utime(served / "d", ns=(0, 86400 * 10**9))
    with Netpand(served) as server:
        utc = netpan("ls", "-l", server.url(), env={"TZ": "UTC"}, check=0)
        east = netpan("ls", "--long", server.url(), env={"TZ": "XYZ-8"},
                      check=0)
    assert utc.stdout == (
        "-rwxr-xr--         12345 2001-09-09 01:46:40 a\n"
        "---------x             0 1969-12-31 23:59:59 b\n"
        "drwxr-x---             0 1970-01-02 00:00:00 d/\n")
    assert "2001-09-09 09:46:40 a\n" in east.stdout


@pytest.mark.parametrize("path", ["folder%200", "folder%200/",
                                  "folder%20%30"])
def test_a_folder_below(netpand, tree, path):
    done = netpan("ls", netpand.url(path), check=0)
    assert len(done.stdout.splitlines()) == len(os.listdir(tree / "folder 0"))


def test_an_empty_folder(netpand):
    done = netpan("ls", netpand.url("empty%20folder"), check=0)
    assert done.stdout == done.stderr == ""


@pytest.mark.parametrize("path,said", [
    ("nothing", "ls /nothing: No such file or folder"),
    ("plain.txt", "ls /plain.txt: It is a file, not a folder"),
    ("plain.txt/x", "ls /plain.txt/x: "),
])
def test_what_is_no_folder(netpand, path, said):
    done = netpan("ls", netpand.url(path), check=1)
    assert done.stdout == ""
    assert done.stderr.startswith(f"netpan: {said}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("n", [1023, 1024, 1025, 5000])
def test_a_big_folder(tmp_path, n):
    served = tmp_path / "served"
    served.mkdir()
    for i in range(n):
        (served / f"{i:05}").touch()
    with Netpand(served) as server:
        done = netpan("ls", server.url(), check=0)
    assert done.stdout.splitlines() == [f"{i:05}" for i in range(n)]


def test_a_longest_name(tmp_path):
    """255 bytes that each are shown as four."""
    name = b"\x80" * 255
    with TrainServer(Entry((name,), b"")) as server:
        done = netpan("ls", server.url(), check=0)
    assert done.stdout == "\\x80" * 255 + "\n"


def test_a_listing_that_nobody_hears_ends():
    """It is not fetched to its end, which an evil server need not have."""
    class Endless(TrainServer):
        def answer_list(self, request):
            i = 0
            while not self.is_ending.is_set():
                yield b"".join(put_head((b"%012d" % (i + k),))
                               for k in range(1000))
                i += 1000

    with Endless() as server, open("/dev/full", "w") as full:
        done = subprocess.run([NETPAN, "ls", server.url()], stdout=full,
                              stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert done.stderr == b"netpan: cannot write to standard output\n"
