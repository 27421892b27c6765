"""netpan sum: as sha256sum and md5sum print it, and they read it."""

import os
import pty
import subprocess

import pytest

from netpan_harness import NETPAN, make_file, netpan

NAMES = ["plain", "with space", "网盘", "new\nline", "back\\slash", "r\rn",
         "all\\\n\r", "-", "--help", "\x1b[2J", "percent%s"]

TOOLS = [((), "sha256sum"), (("--sha256",), "sha256sum"),
         (("--md5",), "md5sum"), (("--sha256", "--md5"), "md5sum")]


@pytest.fixture
def place(tmp_path):
    for i, name in enumerate(NAMES):
        make_file(tmp_path / name, i * 1000, seed=i)
    make_file(tmp_path / "big", (3 << 20) + 1)
    return tmp_path


@pytest.mark.parametrize("words,tool", TOOLS)
def test_as_the_tools_print_it(place, words, tool):
    names = ["./" + n for n in NAMES] + ["big", "/dev/null"]
    ours = netpan("sum", *words, "--", *names, cwd=place, check=0)
    theirs = subprocess.run([tool, "--", *names], cwd=place, check=True,
                            capture_output=True, text=True,
                            errors="surrogateescape")
    assert ours.stdout.splitlines() == theirs.stdout.splitlines()
    check = subprocess.run([tool, "-c", "--quiet", "--strict"], cwd=place,
                           input=ours.stdout, text=True, capture_output=True)
    assert check.returncode == 0, check.stderr


def test_standard_input(place):
    data = (place / "big").read_bytes()
    ours = subprocess.run([NETPAN, "sum", "-"], input=data,
                          capture_output=True, check=True)
    theirs = subprocess.run(["sha256sum", "-"], input=data,
                            capture_output=True, check=True)
    assert ours.stdout == theirs.stdout
    piped = subprocess.run(f"cat big | {NETPAN} sum -", shell=True, cwd=place,
                           capture_output=True, check=True)
    assert piped.stdout == theirs.stdout


def test_what_cannot_be_read(place):
    (place / "folder").mkdir()
    done = netpan("sum", "plain", "nothing", "folder", "big", cwd=place,
                  check=1)
    assert [line.split("  ")[1] for line in done.stdout.splitlines()] == [
        "plain", "big"]
    assert done.stderr.splitlines() == [
        "netpan: sum nothing: No such file or directory",
        "netpan: sum folder: Is a directory"]


def test_a_terminal_is_shown_no_escapes(place):
    master, slave = pty.openpty()
    process = subprocess.Popen([NETPAN, "sum", "\x1b[2J"], cwd=place,
                               stdin=subprocess.DEVNULL, stdout=slave)
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 4096):
            shown += piece
    except OSError:
        pass
    finally:
        os.close(master)
    assert process.wait(30) == 0
    assert b"\x1b" not in shown and b"\\x1b[2J" in shown
