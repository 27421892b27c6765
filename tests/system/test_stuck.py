"""A disk that hangs: who waits for it in the kernel cannot be killed."""

import contextlib
import os
import signal
import subprocess

import pytest

from netpan_harness import (Netpand, is_alive, make_file, netpan,
                            netpan_running, wait_for)


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, with an old file on it."""
    place, image = tmp_path / "disk", tmp_path / "image"
    place.mkdir()
    with open(image, "wb") as f:
        f.truncate(32 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        pytest.skip(f"nothing can be mounted here: {e}")
    try:
        make_file(place / "file", 100000, mtime_ns=1500000000 * 10**9)
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@contextlib.contextmanager
def frozen(disk):
    subprocess.run(["fsfreeze", "--freeze", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", disk], check=True)


def sleeps_deeply(pid):
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8") as f:
            if f.read().rpartition(")")[2].split()[0] == "D":
                return True
    return False


def test_a_worker_that_cannot_be_killed_is_replaced(disk, tmp_path):
    with Netpand(disk, "--heartbeat", "50", "--silent-limit", "500",
                 workers=1) as server:
        stuck = server.workers()[0]
        with frozen(disk):
            # a helper is about to keep a digest
            with netpan_running("get", "-o", tmp_path / "copy",
                                server.url("file")) as client:
                wait_for(lambda: sleeps_deeply(stuck), "it waits for the disk")
                os.kill(stuck, signal.SIGKILL)
                wait_for(lambda: "all the same" in server.log(),
                         "it is given up")
                wait_for(lambda: server.status()["workers"][0]["state"]
                         == "ready", "another is in its place")
                assert server.status()["total"]["stuck"] == 1
                assert "file" in netpan("ls", server.url(), check=0).stdout
                client.kill()
        wait_for(lambda: server.status()["total"]["stuck"] == 0, "it has ended")
        assert not is_alive(stuck)
        wait_for(lambda: len(server.workers()) == 1, "one worker")
        netpan("get", "-o", tmp_path / "copy", server.url("file"), check=0)
        assert server.status()["total"]["restarted"] == 1
