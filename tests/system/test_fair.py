"""However many ask for much at once, who asks for little is answered."""

import contextlib
import os
import select
import socket
import struct
import threading

import pytest

from netpan_harness import Netpand, make_file, open_fds, sha256, wait_for
from train_client import HEAD, TrainClient, put_get, put_list

HUGE = 1 << 40


@pytest.fixture
def tree(tmp_path):
    """Eight huge files that are all hole, and some small ones whose digest is
    not known yet."""
    root = tmp_path / "served"
    root.mkdir()
    for i in range(8):
        with open(root / f"huge{i}", "wb") as f:
            f.truncate(HUGE)
        os.utime(root / f"huge{i}", (1500000000, 1500000000))
    for i in range(6):
        make_file(root / f"small{i}", 100000, seed=i,
                  mtime_ns=10**18 if i % 2 else None)
    return root


def ask_for_digest(server, name):
    """A client that has had all of a huge file but for its digest."""
    client = TrainClient(server.port)
    client.send(put_get(name, offset=HUGE))
    assert client.expect(HEAD)[1].offset == HUGE
    return client


def reset(client):
    """Closes so that the server is told at once."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
    client.close()


def check_small(server, root):
    """Of each small file both bytes and digest come."""
    for i in range(6):
        with TrainClient(server.port) as client:
            entry = client.get(f"small{i}")
            assert entry.end.sha256.hex() == sha256(root / f"small{i}")


def held_files(server):
    """Which of the huge files its workers have open."""
    return {os.path.basename(target) for pid in server.workers()
            for target in open_fds(pid).values() if "/huge" in target}


def test_small_digests_beside_huge_ones(tree):
    with Netpand(tree, "--helpers", "2", workers=1) as server:
        clients = [ask_for_digest(server, f"huge{i}") for i in range(8)]
        check_small(server, tree)
        for client in clients:
            reset(client)


def test_the_digest_of_a_client_that_is_gone_ends(tree):
    """Also when it is one of several who wait for the same one."""
    with Netpand(tree, "--helpers", "2", workers=1) as server:
        clients = [ask_for_digest(server, f"huge{i % 4}") for i in range(8)]
        for client in clients[:7]:
            reset(client)
        wait_for(lambda: server.status()["total"]["held"] == 1,
                 "the others' connections are free again")
        wait_for(lambda: held_files(server) == {"huge3"},
                 "what only they waited for is not read any more")
        reset(clients[7])
        wait_for(lambda: held_files(server) == set(), "nor is the last one")


def test_a_half_closed_client_is_not_gone(tree):
    with Netpand(tree, "--helpers", "2", workers=1) as server:
        other = ask_for_digest(server, "huge0")
        with TrainClient(server.port) as client:
            client.send(put_get("small0"))
            client.socket.shutdown(socket.SHUT_WR)
            entry = client.read_get("small0")
            assert entry.end.sha256.hex() == sha256(tree / "small0")
            assert client.is_closed()
        reset(other)


@contextlib.contextmanager
def flood_of_listings(server, folder, count):
    """So many connections that ask for a listing again and again, and throw
    it away, until the block is left."""
    clients = [TrainClient(server.port) for _ in range(count)]
    end, told = os.pipe()

    def run():
        sockets = [client.socket for client in clients]
        while end not in (ready := select.select(sockets + [end], [], [])[0]):
            for s in ready:
                s.recv(1 << 20)

    for client in clients:
        client.send(put_list(folder) * 2000)
    reader = threading.Thread(target=run)
    reader.start()
    try:
        yield
    finally:
        os.write(told, b"x")
        reader.join()
        os.close(end)
        os.close(told)
        for client in clients:
            reset(client)


def test_digests_beside_listings(tree):
    (tree / "wide").mkdir()
    for i in range(20000):
        (tree / "wide" / f"name {i}").touch()
    with Netpand(tree, "--helpers", "2", workers=1) as server:
        with flood_of_listings(server, "wide", 48):
            check_small(server, tree)
