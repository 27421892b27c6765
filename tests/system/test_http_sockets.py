"""Sockets that behave unlike most: local ones, descriptors, urgent data."""

import array
import os
import signal
import socket

import pytest

from netpan_harness import Netpand, wait_for

REQUEST = b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n"
# Whatever waits for a client to speak never ends with these.
PATIENT = ("--hello-timeout", "600", "--request-timeout", "600",
           "--idle-timeout", "600")


@pytest.fixture(params=["tcp", "unix"])
def server(request, tree, tmp_path):
    """One worker, and connect()."""
    (tree / "f").write_bytes(b"here")
    path = tmp_path / "socket"
    listen = ["127.0.0.1:0"] if request.param == "tcp" else [f"unix:{path}"]
    with Netpand(tree, *PATIENT, workers=1, listen=listen, wait=False) as n:
        wait_for(lambda: "worker 0 ready" in n.log(), "the worker is ready")
        if request.param == "tcp":
            n.connect = lambda: socket.create_connection(
                n.addresses[0], timeout=10)
        else:
            n.connect = lambda: connect_unix(path)
        n.is_unix = request.param == "unix"
        yield n


def connect_unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(str(path))
    return s


def answers(s, n):
    """Reads until n answers have come, or the end; their number."""
    got = b""
    while got.count(b"here") < n and (piece := s.recv(65536)):
        got += piece
    return got.count(b"here")


def stopped(server, send):
    """What send does comes to the worker all at once, while it waits for
    events."""
    (worker,) = server.workers()
    wait_for(lambda: state_of(worker) == "S", "nothing is left to do")
    os.kill(worker, signal.SIGSTOP)
    wait_for(lambda: state_of(worker) == "T", "it is stopped")
    try:
        send()
    finally:
        os.kill(worker, signal.SIGCONT)


def state_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(") ")[2][0]


def test_one_request_after_another(server):
    with server.connect() as s:
        for _ in range(3):
            s.sendall(REQUEST)
            assert answers(s, 1) == 1
        s.sendall(REQUEST * 50)
        assert answers(s, 50) == 50
        stopped(server, lambda: [s.send(REQUEST[i:i + 1])
                                 for i in range(len(REQUEST))])
        assert answers(s, 1) == 1


def test_urgent_data_ends_the_connection(server):
    """A read stops before it, so what is behind it could be overlooked; and
    what it is, part of the request or not, everybody answers differently."""
    # a local socket that is new is read past it, to where nothing is left
    for before in [REQUEST] if server.is_unix else [b"", REQUEST]:
        with server.connect() as s:
            s.sendall(before)
            assert answers(s, len(before) > 0) == (len(before) > 0)

            def send(s=s):
                s.sendall(REQUEST[:7])
                s.send(b"!", socket.MSG_OOB)
                s.sendall(REQUEST[7:])
            stopped(server, send)
            try:
                assert s.recv(100) == b""
            except ConnectionResetError:
                pass
    assert "urgent" in server.log()
    with server.connect() as s:
        s.sendall(REQUEST)
        assert answers(s, 1) == 1


def test_descriptors_that_are_sent_along_are_nobodys(server):
    """A read ends behind the bytes that they came with, more or not."""
    if not server.is_unix:
        pytest.skip("they come by local sockets alone")
    fd = os.open("/dev/null", os.O_RDONLY)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    (worker,) = server.workers()
    with server.connect() as s:
        s.sendall(REQUEST)
        assert answers(s, 1) == 1
        before = len(os.listdir(f"/proc/{worker}/fd"))

        def send():
            for i in range(0, len(REQUEST), 5):
                s.sendmsg([REQUEST[i:i + 5]], rights)
        stopped(server, send)
        assert answers(s, 1) == 1
        assert len(os.listdir(f"/proc/{worker}/fd")) == before
    os.close(fd)
