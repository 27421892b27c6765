"""The checks that every test relies on can fail."""

import os
import signal

import pytest

from netpan_harness import (Netpand, TrainClient, is_alive, is_sanitized,
                            make_tree, netpan, tree_state, wait_for)


def test_a_netpand_that_does_not_start(tmp_path):
    with pytest.raises(AssertionError, match="No such file"):
        with Netpand(tmp_path / "nothing"):
            pass


def test_a_netpand_that_ends_badly(tree):
    with pytest.raises(AssertionError, match="ended with -9"):
        with Netpand(tree) as server:
            workers = wait_for(server.workers, "netpand has workers")
            os.kill(server.pid, signal.SIGKILL)
            server.process.wait()
    wait_for(lambda: not any(map(is_alive, workers)), "the workers are gone")


def test_a_failing_test_leaves_nothing_behind(tree):
    with pytest.raises(ZeroDivisionError):
        with Netpand(tree) as server:
            pids = [server.pid, *wait_for(server.workers, "workers")]
            folder = server.dir
            raise ZeroDivisionError
    wait_for(lambda: not any(map(is_alive, pids)), "all processes are gone")
    assert not folder.exists()


@pytest.mark.skipif(not is_sanitized(), reason="needs an ASan build")
def test_a_sanitizer_report_of_a_worker_is_seen(tree):
    with pytest.raises(AssertionError, match="the sanitizers report"):
        with Netpand(tree, workers=1) as server:
            with TrainClient(server.port) as client:
                client.list()  # so the worker is up
            pid = server.kill_worker(sig=signal.SIGSEGV)
            wait_for(lambda: not is_alive(pid), "the worker is dead")


def test_exit_status_of_the_client_is_checked():
    assert netpan("--version", check=0).stdout
    with pytest.raises(AssertionError, match="exit 2, expected 0"):
        netpan("--no-such-option", check=0)


def test_wait_for_gives_up():
    with pytest.raises(AssertionError, match="pigs fly"):
        wait_for(lambda: False, "pigs fly", timeout=0.05)


CHANGES = {
    "content": lambda d: change_byte(d / "plain.txt"),
    "mode": lambda d: (d / "plain.txt").chmod(0o640),
    "time": lambda d: os.utime(d / "plain.txt", ns=(5, 5)),
    "name": lambda d: (d / "plain.txt").rename(d / "other"),
    "new file": lambda d: (d / "new").touch(),
    "new folder": lambda d: (d / "new").mkdir(),
    "gone": lambda d: (d / "plain.txt").unlink(),
    "link": lambda d: (d / "link").symlink_to("x"),
    "folder's mode": lambda d: (d / "empty folder").chmod(0o700),
}


def change_byte(path):
    """Same size, mode and time."""
    st = path.stat()
    data = bytearray(path.read_bytes() or b"\0")
    data[0] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(st.st_mode)
    os.utime(path, ns=(st.st_mtime_ns, st.st_mtime_ns))


@pytest.mark.parametrize("what", CHANGES)
def test_tree_state_sees_a_change(tmp_path, what):
    one = make_tree(tmp_path / "one", big=0)
    two = make_tree(tmp_path / "two", big=0)
    assert tree_state(one) == tree_state(two)
    CHANGES[what](two)
    assert tree_state(one) != tree_state(two)
