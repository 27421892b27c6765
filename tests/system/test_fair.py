"""However many ask for much at once, who asks for little is answered."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import struct
import threading
from pathlib import Path

import pytest

from http_client import Http
from netpan_harness import (Netpand, is_sanitized, make_file, netpan,
                            open_fds, sha256, wait_for)
from train_client import HEAD, HELLO, TrainClient, put_get, put_list, put_tree

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


def kernel_timers(server):
    """Of its connections: "02" is one that will be probed when all is still
    (proc_net_tcp.txt)."""
    with open(f"/proc/{server.pid}/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return [row[5][:2] for row in rows
            if int(row[1].split(":")[1], 16) == server.port and row[3] != "0A"]


def test_a_client_that_has_hung_up_is_asked_for(tree):
    """It looks like a half-closed one; only its kernel can tell."""
    with Netpand(tree, workers=1) as server:
        client = ask_for_digest(server, "huge0")
        client.close()
        wait_for(lambda: kernel_timers(server) == ["02"], "it is probed")
        os.kill(server.workers()[0], signal.SIGKILL)


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


def test_listings_of_others(tree):
    """Who asks for one is answered before all those whom another has asked
    for."""
    crowd_size = 60
    (tree / "wide").mkdir()
    for i in range(20000):
        (tree / "wide" / f"name {i}").touch()
    (tree / "narrow").mkdir()
    (tree / "narrow" / "one").touch()
    with Netpand(tree, "--helpers", "2", workers=1) as server:
        other = Http(server.port, source="127.0.0.2")
        assert other.get("/small0").status == 200
        crowd = [Http(server.port) for _ in range(crowd_size)]
        for http in crowd:
            http.send(b"GET /wide/ HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: metrics(other)["jobs"] >= crowd_size,
                 "all of them are being made")
        assert b"one" in other.get("/narrow/").body
        answered = select.select([h.socket for h in crowd], [], [], 0)[0]
        assert len(answered) < crowd_size / 2
        for http in crowd:
            assert http.reply().status == 200
            http.close()
        other.close()


def resident_kib(server):
    """Of its one worker."""
    status = Path(f"/proc/{server.workers()[0]}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


@pytest.mark.skipif(is_sanitized(), reason="its memory is another matter")
def test_memory_goes_back_after_a_flood(tree):
    """What many slow readers needed is not kept when they have gone."""
    make_wide(tree / "wide")
    with Netpand(tree, workers=1) as server:
        before = resident_kib(server)
        for _ in range(2):
            slow = [ask(server, HTTP, NARROW) for _ in range(300)]
            for client in slow:
                client.socket.recv(1, socket.MSG_PEEK)
            assert resident_kib(server) > before + (64 << 10)
            for client in slow:
                reset(client)
            wait_for(lambda: server.status()["total"]["held"] == 0, "all left")
        wait_for(lambda: resident_kib(server) < before + (48 << 10),
                 "their memory has gone with them")


def test_archives_of_others(tree):
    """However many archives one source asks for, there is one for another;
    who gets none is told when to come again."""
    with Netpand(tree, workers=1) as server:
        def ask(source):
            http = Http(server.port, source=source)
            http.send(b"GET /?tar HTTP/1.1\r\nHost: x\r\n\r\n")
            status = int(http.socket.recv(12, socket.MSG_PEEK)[9:])
            if status == 503:
                reply = http.reply()
                assert int(reply["Retry-After"]) > 0
            return http, status

        asked = [ask("127.0.0.1") for _ in range(10)]
        assert [status for _, status in asked] == [200] * 4 + [503] * 6
        asked += [ask(f"127.0.0.{i}") for i in range(2, 6)]
        assert [status for _, status in asked[10:]] == [200] * 4
        # now all are taken, by five sources
        asked.append(ask("127.0.0.6"))
        assert asked[-1][1] == 503
        for http, _ in asked:
            reset(http)
        wait_for(lambda: server.status()["total"]["held"] == 0, "all are gone")
        http, status = ask("127.0.0.1")
        assert status == 200
        reset(http)


def metrics(http):
    return json.loads(http.get("/@/status").body)


WALKS = 64  # LIM_WALKS

# What the kernel holds for a client that does not read is little.
NARROW = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),
          (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000))
WIDE = (socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)


def make_wide(folder):
    """Of which a megabyte is told, with what is not served here and there."""
    folder.mkdir()
    for i in range(4000):
        name = folder / f"{i:04} {'n' * 200}"
        if i % 100 == 0:
            name.mkdir()
            (name / "inner").touch()
            (name / "link").symlink_to("inner")
        elif i % 100 == 1:
            name.symlink_to("nowhere")
        elif i % 100 == 2:
            os.mkfifo(name)
        else:
            name.touch()


def open_folders(server):
    return [target for pid in server.workers()
            for target in open_fds(pid).values() if "/wide" in target]


HTTP = b"GET /wide/?json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def ask(server, request, options=()):
    client = TrainClient(server.port, options=options,
                         hello=None if request is HTTP else HELLO)
    client.send(request)
    return client


def read_to_end(client, request):
    """All that is answered to it, as it came, without a head."""
    client.socket.shutdown(socket.SHUT_WR)
    pieces = []
    while piece := client.socket.recv(1 << 20):
        pieces.append(piece)
    answer = b"".join(pieces)
    return answer.partition(b"\r\n\r\n")[2] if request is HTTP else answer


def test_readers_who_do_not_read_keep_no_walk(tree):
    """More of them than there are walks: whoever reads gets all, and they
    too, when at last they do."""
    make_wide(tree / "wide")
    requests = [put_list("wide"), put_tree("wide", heads_only=True), HTTP]
    with Netpand(tree, workers=1) as server:
        whole = []
        for request in requests:
            with ask(server, request) as client:
                whole.append(read_to_end(client, request))
        slow = [ask(server, requests[i % 3], NARROW)
                for i in range(WALKS + 5)]
        for client in slow:
            client.socket.recv(1, socket.MSG_PEEK)
        wait_for(lambda: len(open_folders(server)) == WALKS,
                 "as many folders are open as may be")
        listed = netpan("ls", server.url("wide"), check=0).stdout
        assert len(listed.splitlines()) == 4000 - 2 * 40
        with TrainClient(server.port) as client:
            _, total = client.list("wide")
            assert (total.links, total.special) == (40, 40)
            _, total = client.tree("wide", heads_only=True)
            assert (total.links, total.special) == (80, 40)
        assert len(open_folders(server)) <= WALKS
        for i, client in enumerate(slow):
            client.socket.setsockopt(*WIDE)
            assert read_to_end(client, requests[i % 3]) == whole[i % 3]
            client.close()
        wait_for(lambda: not open_folders(server), "all is closed")
