"""A source whose requests crash workers is refused after a few of them."""

import contextlib
import signal
import socket

import pytest

from http_client import Http
from netpan_harness import BUILD, Netpand, is_sanitized, wait_for

POISON = {"LD_PRELOAD": str(BUILD / "tests" / "system" / "poison.so")}

pytestmark = pytest.mark.skipif(
    is_sanitized(), reason="a preloaded library and ASan")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "served"
    root.mkdir()
    (root / "small").write_bytes(b"hello")
    (root / "folder").mkdir()
    (root / "folder" / "POISON").touch()
    return root


# On the loop, and on a helper.
BAD = {
    "loop": b"GET /POISON HTTP/1.1\r\nHost: x\r\n\r\n",
    "helper": b"GET /folder/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "archive": b"GET /folder/?tar HTTP/1.1\r\nHost: x\r\n\r\n",
}


def poison(server, request, source):
    """Sends it and waits for what comes of it: nothing."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        with Http(server.port, source=source) as http:
            http.send(request)
            assert http.socket.recv(1) == b""


def is_served(server, source):
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        with Http(server.port, source=source) as http:
            http.send(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
            if http.socket.recv(1, socket.MSG_PEEK) == b"":
                return False
            assert http.reply().body == b"hello"
            return True
    return False


def crashes(server):
    return server.log().count("when it crashed")


@pytest.mark.parametrize("where", BAD)
def test_who_poisons_is_refused(root, where):
    with Netpand(root, env=POISON, workers=2) as server:
        for _ in range(100):
            poison(server, BAD[where], "127.0.0.2")
            assert is_served(server, "127.0.0.1")
        wait_for(lambda: "clients from 127.0.0.2 are refused" in server.log(),
                 "it has had enough")
        # some of a hundred have come through, when it was let in again
        assert 3 <= crashes(server) < 20
        assert "127.0.0.1 when" not in server.log()
        wait_for(lambda: is_served(server, "127.0.0.2"),
                 "it is forgiven in time")
        assert server.status()["total"]["refused"] > 0


def test_a_kill_from_outside_is_nobodys_fault(root):
    with Netpand(root, workers=1) as server:
        for _ in range(5):
            with Http(server.port) as http:
                assert http.get("/small").status == 200
                pid = server.kill_worker()
                wait_for(lambda: server.workers() not in ([], [pid]),
                         "another is there")
        assert is_served(server, "127.0.0.1")
        assert crashes(server) == 0


def test_a_crash_of_an_idle_worker_is_nobodys_fault(root):
    with Netpand(root, workers=1) as server:
        for _ in range(4):
            assert is_served(server, "127.0.0.1")
            pid = server.kill_worker(sig=signal.SIGABRT)
            wait_for(lambda: server.workers() not in ([], [pid]),
                     "another is there")
        assert is_served(server, "127.0.0.1")
        assert crashes(server) == 0


def test_a_proxy_is_not_refused(root):
    """It may speak for others too."""
    with Netpand(root, "--trust-proxy", "127.0.0.2", env=POISON,
                 workers=1) as server:
        for _ in range(5):
            poison(server, BAD["loop"], "127.0.0.2")
        wait_for(lambda: is_served(server, "127.0.0.2"), "it is let in")
        assert "are refused" not in server.log()
