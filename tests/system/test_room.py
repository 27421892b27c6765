"""Who holds a slot for nothing makes room for who waits for one."""

import contextlib
import json
import socket
import threading

import pytest

from http_client import BadReply, Http
from netpan_harness import Netpand, wait_for
from train_client import TrainClient

SLOTS = 20


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "served"
    root.mkdir()
    (root / "small").write_bytes(b"hello")
    with open(root / "big", "wb") as f:
        f.truncate(1 << 30)
    return root


def connect(server, source="127.0.0.1"):
    return Http(server.port, source=source)


def ask(http):
    assert http.get("/small").body == b"hello"
    return http


def is_open(http):
    """Has the server closed it?  Nothing is owed to this one."""
    http.socket.setblocking(False)
    try:
        return http.socket.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        http.socket.settimeout(30)


def counters(server):
    with connect(server) as http:
        return json.loads(http.get("/@/status").body)


def close_all(clients):
    for client in clients:
        client.close()


def is_answered(http):
    try:
        ask(http)
    except (BadReply, ConnectionError):
        return False
    return True


def test_idle_connections_make_room(root):
    with Netpand(root, workers=2, slots=SLOTS // 2) as server:
        idle = [ask(connect(server)) for _ in range(SLOTS)]
        for _ in range(3):
            with connect(server) as http:
                ask(http)
        left = [http for http in idle if is_open(http)]
        # a few for each who came, and the longest idle ones
        assert SLOTS - 10 <= len(left) < SLOTS
        assert is_open(idle[-1])
        # the last who was wanted for may go a moment later
        left = [http for http in left if is_answered(http)]
        assert SLOTS - 10 <= len(left)
        assert counters(server)["made_room"] >= SLOTS - len(left)
        close_all(idle)


def test_silent_connections_make_room(root):
    with Netpand(root, "--hello-timeout", "600", workers=2,
                 slots=SLOTS // 2) as server:
        silent = [connect(server) for _ in range(3 * SLOTS)]
        with TrainClient(server.port) as client:
            assert client.get("small").data == b"hello"
        close_all(silent)


def test_those_at_work_stay(root):
    """Downloads that stand still and requests that have begun are not closed:
    the idle one is."""
    with Netpand(root, workers=1, slots=SLOTS) as server:
        at_work = []
        for i in range(SLOTS - 1):
            http = connect(server)
            if i % 2:
                http.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
                assert http.socket.recv(1, socket.MSG_PEEK)
            else:
                http.send(b"GET /small HTTP/1.1\r\n")
            at_work.append(http)
        idle = ask(connect(server))
        with connect(server) as http:
            ask(http)
            assert not is_open(idle)
        for i, http in enumerate(at_work):
            if i % 2:
                assert http.socket.recv(1 << 16)
            else:
                http.send(b"Host: x\r\n\r\n")
                assert http.reply().body == b"hello"
        close_all(at_work)


def test_who_has_most_idle_ones_loses_them_first(root):
    with Netpand(root, workers=1, slots=SLOTS) as server:
        few = [ask(connect(server, "127.0.0.2")) for _ in range(3)]
        many = [ask(connect(server)) for _ in range(SLOTS - 3)]
        for i in range(8):
            with connect(server, f"127.0.0.{i + 3}") as http:
                ask(http)
        assert all(map(is_open, few))
        assert not all(map(is_open, many))
        close_all(few + many)


def test_who_never_rests_makes_room_too(root):
    """Connections that ask without a pause are told with an answer that it
    was the last."""
    with Netpand(root, workers=1, slots=SLOTS) as server:
        over = threading.Event()

        def busy():
            while not over.is_set():
                with contextlib.suppress(OSError), connect(server) as http:
                    while not over.is_set():
                        if http.get("/small")["Connection"] == "close":
                            assert http.is_closed()
                            break

        threads = [threading.Thread(target=busy) for _ in range(SLOTS)]
        for thread in threads:
            thread.start()
        wait_for(lambda: server.status()["total"]["free"] == 0,
                 "every slot is taken")
        for _ in range(5):
            with connect(server, "127.0.0.2") as http:
                ask(http)
        over.set()
        for thread in threads:
            thread.join()


def test_connections_of_a_source(root):
    with Netpand(root, "--max-per-source", "3", workers=1) as server:
        three = [ask(connect(server)) for _ in range(3)]
        with connect(server) as http:
            assert http.is_closed()
        with connect(server, "127.0.0.2") as http:
            ask(http)
        three.pop().close()
        wait_for(lambda: server.status()["total"]["held"] == 2, "it is gone")
        with connect(server) as http:
            ask(http)
        for http in three:
            ask(http)
        close_all(three)


def test_a_proxy_is_many_sources(root):
    """Its own connections are not counted; those of each whom it speaks for
    are."""
    def through_proxy(server, client):
        http = connect(server)
        http.send(f"PROXY TCP4 {client} 127.0.0.1 1 2\r\n".encode())
        return http

    with Netpand(root, "--max-per-source", "1", "--trust-proxy", "127.0.0.1",
                 workers=1) as server:
        plain = [ask(connect(server)) for _ in range(3)]
        one = ask(through_proxy(server, "192.0.2.1"))
        other = ask(through_proxy(server, "192.0.2.2"))
        with through_proxy(server, "192.0.2.1") as again:
            assert again.is_closed()
        ask(one)
        ask(other)
        close_all(plain + [one, other])
