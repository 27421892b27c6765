"""The counters that all processes share, through the eyes of a worker."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from netpan_harness import BUILD, PATIENCE, Netpand, netpan, wait_for
from test_serve import get_bytes, get_frame, greeted, read_frame

READER = BUILD / "tests" / "system" / "board_reader"

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(
    rf'({NAME})(?:{{({NAME})="((?:[^"\\\n]|\\.)*)"}})? ([0-9.e+-]+|\+Inf)')
COUNTS = ["free", "in_flight", "held", "queued", "stuck", "given", "taken",
          "done", "lost", "given_again", "refused", "restarted"]


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "hello.txt").write_bytes(b"hello\n")
    (root / "big").write_bytes(bytes(32 << 20))
    return root


def read_board(server, what):
    done = subprocess.run([READER, str(server.pid), what], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=PATIENCE)
    assert done.returncode in (0, 3), done.stderr
    return done


def status(server):
    return json.loads(read_board(server, "status").stdout)


def metrics(server):
    """{(name, label value or None): number}, after a look at its grammar."""
    text = read_board(server, "metrics").stdout
    assert text.endswith("\n")
    types, samples, family = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in types, f"{family} comes twice"
            assert len(line.split()) > 3
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == family and kind in ("gauge", "counter", "histogram")
            types[name] = kind
            assert (kind == "counter") == name.endswith("_total")
        else:
            name, _, value, number = SAMPLE.fullmatch(line).groups()
            assert re.sub("_(bucket|sum|count)$", "", name) == family \
                if types[family] == "histogram" else name == family, line
            assert (name, value) not in samples, line
            samples[name, value] = float(number)
    assert types and samples
    return samples


def test_what_the_two_forms_say(tree):
    with Netpand(tree, workers=2) as server:
        for _ in range(10):
            with greeted(server) as s:
                assert get_bytes(s, b"hello.txt") == b"hello\n"
        netpan("ls", server.url(), check=0)
        netpan("get", "-r", "-q", "-o", tree.parent / "copy", server.url(),
               check=0)

        def settled():
            now = status(server)
            return now if now["open"] == now["total"]["held"] == 0 and \
                now["total"]["done"] == now["connections"] else None
        now = wait_for(settled, "all clients are gone")
        assert now["pid"] == server.pid and now["draining"] is False
        assert abs(now["started"] + now["uptime"] - time.time()) < 5
        # the same names, and the same numbers
        asked = server.status()
        assert list(now["total"]) == COUNTS
        assert {k: now["total"][k] for k in COUNTS} == asked["total"]
        for row, other in zip(now["workers"], asked["workers"]):
            assert {k: row[k] for k in other} == other
        assert now["slots"] == sum(w["slots"] for w in now["workers"])
        assert now["train_requests"]["get"] >= 10
        assert now["train_requests"]["list"] >= 1
        assert now["train_requests"]["tree"] >= 1
        assert now["bytes_sent"] == now["train_bytes"] > (32 << 20)
        assert now["bytes_received"] >= 10 * len(get_frame(b"hello.txt"))
        assert now["connections"] == sum(
            w["connections"] for w in now["workers"])
        assert now["bytes_sent"] == sum(w["bytes_sent"] for w in now["workers"])
        assert now["jobs"] > 0
        assert sum(now["statuses"].values()) == now["pushes"] == 0

        m = metrics(server)
        for name in COUNTS:
            kind = "" if name in COUNTS[:5] else "_total"
            assert m[f"netpan_pool_{name}{kind}", None] == now["total"][name]
        assert m["netpan_connections_total", None] == now["connections"]
        assert m["netpan_bytes_sent_total", None] == now["bytes_sent"]
        assert m["netpan_train_requests_total", "get"] == \
            now["train_requests"]["get"]
        assert {v for n, v in m if n == "netpan_worker_ready"} == {"0", "1"}
        buckets = [(v, x) for (n, v), x in m.items()
                   if n == "netpan_request_duration_seconds_bucket"]
        bounds = [float(v) for v, _ in buckets]
        assert bounds == sorted(bounds) and bounds[0] == 50e-6
        assert bounds[-2:] == [60, float("inf")]


def test_counters_outlive_their_worker(tree):
    with Netpand(tree, workers=1) as server:
        with greeted(server) as s:
            assert get_bytes(s, b"hello.txt") == b"hello\n"
            s.sendall(get_frame(b"big"))
            read_frame(s)
            wait_for(lambda: status(server)["open"] == 1, "it is open")
            before = status(server)
            server.kill_worker()
            # gone with it, while nobody has its place and afterwards
            wait_for(lambda: status(server)["total"]["restarted"] == 1,
                     "it was replaced")
        wait_for(lambda: status(server)["open"] == 0, "nothing is open")
        with greeted(server) as s:
            assert get_bytes(s, b"hello.txt") == b"hello\n"
        after = status(server)
        assert after["connections"] == before["connections"] + 1 == 2
        assert after["train_requests"]["get"] == 3
        assert after["bytes_sent"] > before["bytes_sent"]
        assert after["total"]["lost"] == 1


def test_health(tree):
    with Netpand(tree, "--heartbeat", "50", workers=2) as server:
        wait_for(lambda: read_board(server, "health").stdout == "ok\n",
                 "the master has said so")
        for pid in server.workers():
            os.kill(pid, signal.SIGSTOP)
        said = wait_for(lambda: (h := read_board(server, "health"))
                        and h.returncode and h, "it is told")
        assert said.stdout == "no ready worker\n"
        for pid in server.workers():
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: read_board(server, "health").returncode == 0,
                 "all is well again")
        with greeted(server) as s:
            s.sendall(get_frame(b"big"))
            read_frame(s)
            server.process.terminate()
            wait_for(lambda: read_board(server, "health").stdout
                     == "draining\n", "it drains")
            assert status(server)["draining"] is True
            while read_frame(s)[0] != 0x83:
                pass
        assert server.process.wait(PATIENCE) == 0
        server.process = None


def test_push_is_counted(tree):
    with Netpand(push=tree / "big") as server:
        for _ in range(2):
            with server.connect(server.push_port) as s:
                while s.recv(1 << 20):
                    pass
        wait_for(lambda: status(server)["total"]["done"] == 2, "both ended")
        assert status(server)["pushes"] == 2
        assert status(server)["bytes_sent"] > 2 * (32 << 20)
        assert status(server)["train_bytes"] == 0
