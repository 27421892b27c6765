"""netpan get goes on, and ends with the right bytes, whatever dies."""

import contextlib
import os
import random
import signal
import threading

import pytest

from netpan_harness import (Netpand, is_alive, is_sanitized, make_file,
                            make_tree, netpan, netpan_running, open_fds,
                            tree_state, wait_for)


class Killer:
    """kill -9 of a random worker again and again, until the block ends."""

    def __init__(self, server, pause=1.0, seed=1):
        self.server = server
        self.pause = pause
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.n_kills = 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def _run(self):
        is_over = False
        while not is_over:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.random.choice(self.server.workers()),
                        signal.SIGKILL)
                self.n_kills += 1
            is_over = self.ending.wait(self.pause)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Tens of thousands of files with a few large ones among them."""
    n = 2000 if is_sanitized() else 20000
    root = make_tree(tmp_path_factory.mktemp("kill") / "tree", big=64 << 20)
    for i in range(40):
        place = root / f"many {i % 10}" / f"sub {i}"
        place.mkdir(parents=True)
        for k in range(n // 40):
            (place / f"{k}.txt").write_text(f"{i} {k}\n" * (k % 50))
    return root


def test_a_tree_while_workers_are_killed(tree, tmp_path):
    with Netpand(tree, "--log-level", "warning", wait=False) as server:
        port = wait_for(lambda: listening(server), "it listens")
        base = None
        with Killer(server, pause=1.0) as killer:
            for i in range(3):
                done = netpan("get", "-r", "-q", "-o", tmp_path / f"copy{i}",
                              f"train://127.0.0.1:{port}/", timeout=300)
                assert done.returncode == 0, done.stderr
                assert tree_state(tmp_path / f"copy{i}") == tree_state(tree)
                if i == 0:
                    wait_for(lambda: len(server.workers()) == 2, "two workers")
                    base = len(open_fds(server.pid))
            assert killer.n_kills > 0
        wait_for(lambda: len(server.workers()) == 2, "two workers")
        wait_for(lambda: len(open_fds(server.pid)) <= base, "no fd is left")
        total = server.status()["total"]
        assert total["taken"] == total["done"] + total["lost"] + total["held"]


def listening(server):
    from test_serve import listening_port
    return listening_port(server.pid)


def test_one_large_file_while_workers_are_killed(tmp_path):
    size = (512 if is_sanitized() else 1024) << 20
    root = tmp_path / "tree"
    root.mkdir()
    source = root / "large"
    make_file(source, 1 << 20)
    os.truncate(source, size)  # the rest is a hole
    with open(source, "r+b") as f:
        for i in range(0, size, 3 << 20):
            f.seek(i)
            f.write(i.to_bytes(8, "little"))
    # digests of files that change right now are not kept, nor their halves
    os.utime(source, (1500000000, 1500000000))
    with Netpand(root) as server:
        with Killer(server, pause=0.3) as killer:
            done = netpan("get", "-q", "-o", tmp_path / "copy",
                          server.url("large"), timeout=300)
        assert done.returncode == 0, done.stderr
        assert killer.n_kills > 0
        with open(source, "rb") as a, open(tmp_path / "copy", "rb") as b:
            while piece := a.read(1 << 20):
                assert b.read(1 << 20) == piece
            assert b.read(1) == b""


def test_the_client_is_killed_and_goes_on(tree, tmp_path):
    """kill -9 of the client leaves nothing wrong, and the next run ends it."""
    with Netpand(tree, "--log-level", "warning", wait=False) as server:
        port = wait_for(lambda: listening(server), "it listens")
        url = f"train://127.0.0.1:{port}/"
        for i in range(5):
            with netpan_running("get", "-r", "-o", tmp_path / "copy",
                                url) as process:
                wait_for(lambda: (tmp_path / "copy").exists() or
                         process.poll() is not None, "it began")
                with contextlib.suppress(TimeoutError, AssertionError):
                    wait_for(lambda: process.poll() is not None, "",
                             timeout=0.1 * (i + 1))
                if process.poll() is None:
                    process.kill()
                    process.wait()
            whole = tree_state(tree)
            for name, state in tree_state(tmp_path / "copy").items():
                if b".netpan-" not in name and state[4] is not None:
                    assert state == whole[name], name
        netpan("get", "-r", "-q", "-o", tmp_path / "copy", url, check=0,
               timeout=300)
        assert tree_state(tmp_path / "copy") == tree_state(tree)


def test_the_server_is_killed_and_restarted(tree, tmp_path):
    with Netpand(tree, "--log-level", "warning", wait=False) as server:
        port = wait_for(lambda: listening(server), "it listens")
        with netpan_running("get", "-r", "-o", tmp_path / "copy",
                            f"train://127.0.0.1:{port}/") as process:
            wait_for(lambda: (tmp_path / "copy").exists(), "it began")
            server.kill()
            with Netpand(tree, listen=(f"127.0.0.1:{port}",)):
                assert process.wait(300) == 0, process.stdout.read()
            assert tree_state(tmp_path / "copy") == tree_state(tree)
            assert is_alive(os.getpid())
