"""bench/: what turns a measurement into a table, and the clients that measure.

The figures of bench_http.json are made up."""

import contextlib
import copy
import json
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET

import pytest

from netpan_harness import BUILD, REPO, random_bytes, wait_for

BENCH = REPO / "bench"
CLIENT = BUILD / "bench" / "bench-http"
FLOOR = BUILD / "bench" / "bench-floor"

# At the end: http.py there must not stand in front of Python's own http.
sys.path += [str(BENCH), str(BENCH / "http")]

import client  # noqa: E402
import http_plot  # noqa: E402
import http_table  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402
import scenarios  # noqa: E402


# ---- tables and plots ----


@pytest.fixture
def result():
    with open(REPO / "tests" / "system" / "bench_http.json") as f:
        return json.load(f)


def rows(markdown):
    """{(scenario, figure): the other cells} of the table of goals."""
    found = {}
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) > 4 and cells[-2].startswith(("≤", "≥")):
            found[cells[0], cells[1]] = cells[2:]
    return found


@pytest.mark.once
def test_table_says_what_is_reached(result):
    table = rows(http_table.markdown(result))
    assert table["1 KiB, 64 connections", "CPU us/request"] == [
        "5.40", "8.00", "7.50", "7.25", "8.10", "", "3.60",
        "0.74", "0.68", "≤ 0.75 of the best", "yes"]
    assert table["16 KiB, 64 connections", "CPU us/request"][-4:] == [
        "0.91", "0.84", "≤ 0.80 of the best", "**no**"]
    assert table["1 KiB, a new connection for each", "requests/s"][-4:] == [
        "0.94", "0.98", "≥ 0.95 of nginx", "yes"]
    assert table["1 KiB beside cold files", "p99 ms"][-4:] == [
        "0.25", "0.02", "≤ 1", "**no**"]
    assert table["1 KiB beside cold files", "GB/s"][-4:] == [
        "1.03", "1.06", "≥ 1.00 of the best", "yes"]


@pytest.mark.once
def test_table_without_netpan_and_with_what_failed(result):
    for scenario in result["scenarios"]:
        scenario["servers"].pop("netpan", None)
    result["scenarios"][0]["servers"] = {}
    result["scenarios"][0]["failed"] = {"nginx": "it did not start"}
    text = http_table.markdown(result)
    table = rows(text)
    for cells in table.values():
        assert cells[-4] == cells[-3] == cells[-1] == ""
    assert "failed" in table["1 KiB, 64 connections", "CPU us/request"]
    assert "failed: it did not start" in text
    assert "failed: 3 requests failed: the wrong status" in text


@pytest.mark.once
def test_every_scenario_has_goals():
    names = [one.name for one in scenarios.SCENARIOS]
    assert len(names) == len(set(names))
    assert set(names) == set(http_table.GOALS)
    for goals in http_table.GOALS.values():
        for field, to, _ in goals:
            assert field in http_table.FIGURES
            assert to in ("best", "nginx", None)
    assert set(http_table.NAMES) == set(peers.NAMES)
    for name, field, _ in http_plot.PANELS:
        assert name in names and field in http_table.FIGURES


@pytest.mark.once
def test_plot_shows_every_server(result):
    root = ET.fromstring(http_plot.svg(result))
    space = "{http://www.w3.org/2000/svg}"
    words = [t.text for t in root.iter(space + "text")]
    for expected in ("netpan", "nginx + cache", "lighttpd", "h2o", "5.40",
                     "1 KiB file: CPU µs per request"):
        assert expected in words
    bars = [r for r in root.iter(space + "rect") if r.get("class") == "bar"]
    panels = [s for s in result["scenarios"]
              if s["name"] in [p[0] for p in http_plot.PANELS]]
    assert len(bars) == sum(
        len(set(s["servers"]) & set(http_plot.SERVERS)) for s in panels)
    nothing = copy.deepcopy(result)
    nothing["scenarios"] = []
    ET.fromstring(http_plot.svg(nothing))


@pytest.mark.once
def test_wrk_is_understood():
    said = """Running 1s test @ http://127.0.0.1:1
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   601.04us  302.46us   5.47ms   94.41%
  Latency Distribution
     50%  556.00us
     99%    1.85ms
  112358 requests in 1.10s, 140.00MB read
Requests/sec: 102143.63
"""
    assert client.parse_wrk(said) == {
        "requests": 112358, "seconds": 1.1, "p50_us": 556.0, "p99_us": 1850.0}
    for bad in ("  Non-2xx or 3xx responses: 65\n",
                "  Socket errors: connect 0, read 3, write 0, timeout 0\n"):
        with pytest.raises(RuntimeError):
            client.parse_wrk(said + bad)


# ---- the client, against the floor ----


class Served:
    """The floor, which serves 100 small files and a big one."""

    def __init__(self, folder):
        self.root = folder / "root"
        self.root.mkdir()
        self.sizes = {"/%d.txt" % i: 1 + 17 * i for i in range(100)}
        self.sizes["/big.bin"] = 3 << 20
        for path, size in self.sizes.items():
            (self.root / path[1:]).write_bytes(random_bytes(size, size))
        self.folder = folder
        self.all = self.list("all", self.sizes)
        self.small = self.list("small", [p for p in self.sizes if "txt" in p])
        self.big = self.list("big", ["/big.bin"])

    def list(self, name, paths):
        path = self.folder / name
        path.write_text("".join("%d %s\n" % (self.sizes[p], p)
                                for p in paths))
        return path

    def __enter__(self):
        self.server = measure.Server(
            [str(FLOOR), str(self.root), str(self.all), "reno", "2"])
        self.port = self.server.port
        return self

    def __exit__(self, *_):
        self.server.stop()

    def run(self, mode, listed, *options, status=0):
        done = run_client(mode, *options, self.port, listed)
        assert done.returncode == status, done.stderr
        return done

    def load(self, listed, *options):
        return json.loads(self.run("load", listed, *options).stdout)


def run_client(*words):
    return subprocess.run([str(w) for w in (CLIENT, *words)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)


@pytest.fixture
def served(tmp_path):
    with Served(tmp_path) as one:
        yield one


def test_load_counts_what_came(served):
    every = sum(served.sizes[p] for p in served.sizes if "txt" in p)
    for options in ([], ["-c", 7], ["-c", 8, "-t", 3], ["-C", "-c", 5]):
        load = served.load(served.small, "-o", *options)
        assert (load["requests"], load["bytes"], load["errors"]) == (
            100, every, 0)
        assert 0 < load["p50_us"] <= load["p99_us"] <= load["max_us"]
    load = served.load(served.small, "-n", 3000, "-c", 16, "-t", 2)
    assert (load["requests"], load["errors"]) == (3000, 0)
    load = served.load(served.big, "-n", 20, "-c", 3)
    assert (load["requests"], load["bytes"]) == (20, 20 * (3 << 20))
    load = served.load(served.big, "-n", 50, "-c", 4, "-r", 1000)
    assert (load["requests"], load["bytes"]) == (50, 50 * 1000)


def test_load_ends_in_time(served):
    load = served.load(served.all, "-s", 0.2, "-c", 8, "-t", 2)
    assert load["requests"] > 0 and load["errors"] == 0
    assert load["seconds"] >= 0.2


def test_check_compares_every_byte(served):
    assert served.run("check", served.all, "-d",
                      served.root).stdout == "checked 101\n"
    served.run("check", served.big, "-r", 4096, "-d", served.root)
    path = served.root / "50.txt"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = served.run("check", served.all, "-d", served.root, status=1)
    assert "/50.txt: not the bytes of the file" in done.stderr
    served.run("check", served.all, "-d", served.root, "-n", 50)


def test_hold_keeps_connections(served):
    def of_server():
        return len(connections_of(served.port))

    for options in (["-c", "40"], ["-c", "40", "-x"]):
        wait_for(lambda: of_server() == 0, "no connection is left")
        listed = served.big if "-x" in options else served.small
        command = client.Client(str(BUILD)).command(
            "hold", served.port, str(listed), *options)
        with client.Waiting(command, b"held\n") as holder:
            wait_for(lambda: of_server() == 40, "40 connections")
            holder.end()


def connections_of(port):
    """Established connections of the server's side."""
    with open("/proc/net/tcp") as f:
        fields = [line.split() for line in f][1:]
    return [f for f in fields
            if int(f[1].split(":")[1], 16) == port and f[3] == "01"]


def test_probe_asks_until_its_input_ends(served):
    command = client.Client(str(BUILD)).command(
        "probe", served.port, str(served.small), "-c", 4, "-i", 1000)
    with client.Waiting(command, b"ready\n") as probe:
        before = served.server.cpu_seconds()
        probe.begin()
        wait_for(lambda: served.server.cpu_seconds() > before, "requests")
        said = probe.end()
    assert said["requests"] >= 1
    assert 0 < said["p50_us"] <= said["p99_us"] <= said["max_us"]


def test_usage():
    for words in ([], ["fly"], ["load"], ["load", "1", "/nowhere"],
                  ["load", "-z", "1", "/nowhere"]):
        assert run_client(*words).returncode == 2


# ---- the client, against what is wrong ----

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"

WRONG = {
    "nothing": (b"", "hung up before an answer"),
    "half a head": (HEAD, "hung up before an answer"),
    "half a body": (HEAD + b"\r\nabc", "hung up in a body"),
    "too much": (HEAD + b"\r\nabcdef", "more than the body"),
    "length": (HEAD.replace(b"5", b"6") + b"\r\nabcdef",
               "the wrong Content-Length"),
    "status": (HEAD.replace(b"200", b"404") + b"\r\nabcde",
               "the wrong status"),
    "two lengths": (HEAD + b"Content-Length: 5\r\n\r\nabcde",
                    "not an answer"),
    "long head": (HEAD + b"x" * 4000, "the head is too long"),
}


class Crooked:
    """Answers every request with the same bytes, and hangs up."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn, contextlib.suppress(OSError):
                conn.recv(4096)
                conn.sendall(self.answer)
                conn.shutdown(socket.SHUT_WR)
                conn.recv(4096)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        # close alone does not wake who waits in accept
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.mark.parametrize("what", WRONG)
def test_wrong_answers_are_counted(tmp_path, what):
    answer, why = WRONG[what]
    listed = tmp_path / "list"
    listed.write_text("5 /x\n")
    with Crooked(answer) as server:
        done = run_client("load", "-n", 3, server.port, listed)
    assert done.returncode == 0, done.stderr
    load = json.loads(done.stdout)
    assert (load["requests"], load["errors"], load["error"]) == (0, 3, why)


def test_nobody_answers(tmp_path):
    listed = tmp_path / "list"
    listed.write_text("5 /x\n")
    port, = measure.free_ports(1)
    done = run_client("load", "-s", 5, "-c", 4, port, listed)
    assert done.returncode == 1
    assert "too many requests failed (Connection refused)" in done.stderr
