"""netpand from outside: serving, limits, signals, status, push."""

import contextlib
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from http_client import Http
from netpan_harness import (BUILD, NETPAND, PATIENCE, Netpand, children,
                            free_port, is_alive, is_sanitized, make_file, make_tree,
                            netpan, open_fds, proc_stat, sha256, wait_for)

HELLO = b"\xf5TRN\x01\0\0\0"
NOTE_CLIENT = BUILD / "tests" / "system" / "note_client"
STRAY_FD = BUILD / "tests" / "system" / "stray_fd.so"


def path_bytes(*names):
    return struct.pack("<H", len(names)) + b"".join(
        struct.pack("<H", len(n)) + n for n in names)


def get_frame(*names, offset=0):
    payload = struct.pack("<QQq", offset, 0, 0) + path_bytes(*names)
    return struct.pack("<IBBH", len(payload), 1, 0, 0) + payload


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise EOFError(data)
        data += piece
    return data


def read_frame(s):
    length, kind, flags, zero = struct.unpack("<IBBH", read_exactly(s, 8))
    assert zero == 0
    return kind, flags, read_exactly(s, length)


def read_to_end(s):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := s.recv(1 << 16):
            data += piece
    return data


def connected(port):
    """A socket, or None while nobody listens there."""
    with contextlib.suppress(ConnectionRefusedError):
        return socket.create_connection(("127.0.0.1", port), PATIENCE)


def get_bytes(s, *names):
    """The bytes of a file over an open, greeted connection."""
    s.sendall(get_frame(*names))
    kind, _, _ = read_frame(s)
    assert kind == 0x81
    data = b""
    while True:
        kind, _, payload = read_frame(s)
        if kind == 0x83:
            return data
        assert kind == 0x82, (kind, payload)
        data += payload


def greeted(server):
    s = server.connect()
    s.sendall(HELLO)
    assert read_exactly(s, 8) == HELLO
    return s


def serves(server):
    with greeted(server) as s:
        return get_bytes(s, b"hello.txt") == b"hello\n"


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "hello.txt").write_bytes(b"hello\n")
    return root


def idle_status(server):
    """The status once nothing is held any more."""
    def quiet():
        total = server.status()["total"]
        return total if total["held"] + total["in_flight"] == 0 else None
    return wait_for(quiet, "nothing is held")


# ---- the command line ----


@pytest.mark.parametrize("args, words", [
    ([], "name the folder"),
    (["--nonsense", "."], "no such option: --nonsense"),
    (["-ab", "."], "no such option: -a"),
    (["--listen", "x"] + ["--listen", "127.0.0.1:0"] * 63 +
     ["--push", "f", "--push-listen", "127.0.0.1:0", "."], "64 listening"),
    (["--status", "--listen", "nonsense"], "is no address"),
    (["--workers", "0", "."], "--workers takes a number from 1 to 256"),
    (["--workers", "257", "."], "--workers takes a number from 1 to 256"),
    (["--workers", "-1", "."], "--workers takes a number"),
    (["--workers", "2x", "."], "--workers takes a number"),
    (["--workers"], "needs a value"),
    (["--slots", "65537", "."], "from 1 to 65536"),
    (["--queue", "65537", "."], "from 1 to 65536"),
    (["--helpers", "1", "."], "from 2 to 64"),
    (["--helpers", "65", "."], "from 2 to 64"),
    (["--push", "x"], "go together"),
    (["--push-listen", "127.0.0.1:0", "."], "go together"),
    (["--push", "x", "--push-listen", "127.0.0.1:0", "--listen",
      "127.0.0.1:0"], "needs a folder"),
    (["--anonymous", "write", "."], "takes the word read"),
    (["--log-level", "loud", "."], "takes error"),
    (["--status=xml"], "takes nothing or =json"),
    (["--silent-limit", "1000", "."], "two heartbeats"),
    ([".", ".."], "one folder"),
])
def test_wrong_command_lines(args, words):
    done = subprocess.run([NETPAND, *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["--status=json"]])
def test_output_that_cannot_be_written(tree, words):
    with Netpand(tree) as server, open("/dev/full", "w") as full:
        if words[0].startswith("--status"):
            words = words + ["--control", server.control]
        done = subprocess.run([NETPAND, *words], stdout=full,
                              stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stderr == b"netpand: cannot write to standard output\n"


@pytest.mark.parametrize("args, words", [
    (["/nonexistent"], "No such file"),
    (["/etc/passwd"], "Not a directory"),
    (["--listen", "localhost:1", "."], "is no address"),
    (["--listen", "127.0.0.1", "."], "is no address"),
    (["--listen", "127.0.0.1:65536", "."], "is no address"),
    (["--listen", "0.0.0.0:0", "."], "--anonymous=read"),
    (["--listen", "[::]:0", "."], "--anonymous=read"),
    (["--listen", "127.0.0.1:0", "--congestion", "nonsense", "."],
     "no congestion control nonsense"),
    (["--push", "/etc", "--push-listen", "127.0.0.1:0"], "not a regular"),
    (["--listen", "127.0.0.1:0", "--control", "/nonexistent/x", "."],
     "control socket"),
])
def test_what_cannot_be_started(args, words):
    done = subprocess.run([NETPAND, *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert words in done.stderr


def test_closed_standard_descriptors(tree):
    """No client's socket becomes one of them, and is sent the log."""
    def close_all():
        for fd in 0, 1, 2:
            os.close(fd)

    port = free_port()
    server = subprocess.Popen(
        [NETPAND, "--listen", f"127.0.0.1:{port}", "--workers", "1", tree],
        preexec_fn=close_all)
    try:
        s = wait_for(lambda: connected(port), "netpand listens")
        s.sendall(HELLO)
        assert read_exactly(s, 8) == HELLO
        with s:
            for _ in range(3):
                s.sendall(get_frame(b"missing"))
                kind, _, payload = read_frame(s)
                assert (kind, payload[:2]) == (0x85, b"\x03\0")
        for pid in [server.pid, *children(server.pid)]:
            fds = open_fds(pid)
            assert [fds[fd] for fd in (0, 1, 2)] == ["/dev/null"] * 3
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0


def test_a_fifo_to_push_is_refused_unopened(tmp_path):
    """Who waits at its other end goes on waiting."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    fds = []
    writer = threading.Thread(
        target=lambda: fds.append(os.open(fifo, os.O_WRONLY)), daemon=True)
    writer.start()
    try:
        stat = Path(f"/proc/self/task/{writer.native_id}/stat")
        wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S",
                 "it waits")
        done = subprocess.run(
            [NETPAND, "--push", fifo, "--push-listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE)
        assert done.returncode == 1
        assert f"{fifo} is not a regular file" in done.stderr
        assert writer.is_alive()
    finally:
        fds.append(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))
        writer.join()
        for fd in fds:
            os.close(fd)


def test_more_slots_than_descriptors_is_refused(tree):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
    done = subprocess.run(
        [NETPAND, "--slots", "1000", "--listen", "127.0.0.1:0", tree],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE, preexec_fn=few)
    assert done.returncode == 1
    assert "descriptors" in done.stderr


def test_default_slots_fit_the_descriptors(tree):
    limits = {resource.RLIMIT_NOFILE: (600, 600)}
    with Netpand(tree, workers=1, limits=limits) as server:
        assert serves(server)
        assert server.status()["workers"][0]["slots"] == (600 - 256) // 2


def test_two_listeners_and_ipv6(tree):
    with Netpand(tree, listen=("127.0.0.1:0", "[::1]:0")) as server:
        for host, port in server.addresses:
            with socket.create_connection((host, port), PATIENCE) as s:
                s.sendall(HELLO)
                assert read_exactly(s, 8) == HELLO
                assert get_bytes(s, b"hello.txt") == b"hello\n"


# ---- status ----


def test_status_as_text_and_json(tree):
    with Netpand(tree, workers=3) as server:
        assert serves(server)
        status = wait_for(lambda: three_are_ready(server), "all are ready")
        total = idle_status(server)
        assert total["given"] == total["taken"] == total["done"] == 1
        assert sorted(w["pid"] for w in status["workers"]) == server.workers()
        assert total["free"] == sum(w["slots"] for w in status["workers"])
        text = subprocess.run(
            [NETPAND, "--status", "--control", server.control],
            capture_output=True, text=True, timeout=PATIENCE)
        assert text.returncode == 0
        for name in total:
            assert name in text.stdout


def three_are_ready(server):
    status = server.status()
    states = [w["state"] for w in status["workers"]]
    return status if states == ["ready"] * 3 else None


def test_status_of_nobody(tmp_path):
    done = subprocess.run(
        [NETPAND, "--status", "--control", tmp_path / "none"],
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_status_of_a_stopped_master(tree):
    """It does not wait for ever, be there room in the backlog or not."""
    def status():
        done = subprocess.run(
            [NETPAND, "--status", "--control", server.control],
            capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1 and done.stdout == ""
        assert "has not answered within 2 s" in done.stderr
    with Netpand(tree) as server:
        os.kill(server.pid, signal.SIGSTOP)
        waiting = []
        try:
            status()
            with pytest.raises(BlockingIOError):
                while True:
                    waiting.append(socket.socket(socket.AF_UNIX))
                    waiting[-1].setblocking(False)
                    waiting[-1].connect(str(server.control))
            status()
            # nor is its socket taken from it
            done = subprocess.run(server.argv, capture_output=True, text=True,
                                  timeout=PATIENCE)
            assert done.returncode == 1 and "in use" in done.stderr
        finally:
            os.kill(server.pid, signal.SIGCONT)
            for s in waiting:
                s.close()
        assert server.status()["pid"] == server.pid


def test_the_control_socket_is_private_and_goes(tree):
    with Netpand(tree) as server:
        assert server.control.stat().st_mode & 0o777 == 0o600
        with Netpand(tree, wait=False) as second:
            second.argv[second.argv.index("--control") + 1] = str(
                server.control)
            # a second one on the same path gives way
            done = subprocess.run(second.argv, capture_output=True, text=True,
                                  timeout=PATIENCE)
            assert done.returncode == 1 and "in use" in done.stderr
            second.process.kill()
            second.process.wait()
            second.process = None
        assert server.status()["pid"] == server.pid
        server.stop()
        assert not server.control.exists()


# ---- what a worker has ----


def test_workers_have_exactly_their_descriptors(tree):
    with Netpand(tree, workers=2) as server:
        for _ in range(50):
            assert serves(server)
        idle_status(server)
        for pid in server.workers():
            # 0-2, channel, tree, and what the loop makes: epoll, eventfd
            wait_for(lambda: set(open_fds(pid)) == set(range(7)),
                     "it has just these", timeout=5)
            fds = open_fds(pid)
            assert fds[3].startswith("socket:")
            assert fds[4] == str(tree)


def test_after_many_clients_and_deaths_all_have_just_theirs(tree):
    """No process keeps a descriptor of what is over."""
    with Netpand(tree, "--heartbeat", "50", workers=4) as server:
        assert serves(server)
        idle_status(server)
        base = len(open_fds(server.pid))
        for i in range(40):
            waiting = [server.connect() for _ in range(20)]
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(server.workers()[i % 4], signal.SIGKILL)
            for s in waiting:
                with contextlib.suppress(OSError):
                    s.sendall(HELLO + get_frame(b"hello.txt"))
            for s in waiting:
                s.close()
        wait_for(lambda: len(server.workers()) == 4, "four again")
        for _ in range(200):
            assert serves(server)
        assert idle_status(server)["restarted"] > 4
        for pid in server.workers():
            wait_for(lambda: set(open_fds(pid)) == set(range(7)),
                     "it has just these", timeout=5)
        wait_for(lambda: len(open_fds(server.pid)) == base,
                 "the master has as many as before")


@pytest.mark.skipif(is_sanitized(), reason="a preloaded library and ASan")
def test_a_worker_that_has_too_much_does_not_begin(tree):
    with Netpand(tree, env={"LD_PRELOAD": str(STRAY_FD)}, workers=1,
                 wait=False) as server:
        wait_for(lambda: "should not be open: /dev/null" in server.log(),
                 "it is told")
        assert server.status()["total"]["taken"] == 0
        assert "ready, " not in server.log()


def test_workers_can_write_one_place_of_the_board(tree):
    """All of it for reading, its own for writing, and no two the same."""
    def board(pid):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            return [line.split()[1:3] + line.split()[:1] for line in maps
                    if "memfd:netpand-board" in line]

    with Netpand(tree, workers=4) as server:
        places = set()
        for pid in server.workers():
            maps = board(pid)
            assert sorted(m[0] for m in maps) == ["r--s", "rw-s"], maps
            for mode, offset, ends in maps:
                start, end = (int(x, 16) for x in ends.split("-"))
                if mode == "rw-s":
                    assert end - start == resource.getpagesize()
                    places.add(offset)
        assert len(places) == 4 and "00000000" not in places


def test_workers_have_address_layouts_of_their_own(tree):
    def base(pid):
        # where the program itself is: ASan's shadow has a fixed place
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            return next(line.split("-")[0] for line in maps
                        if line.rstrip().endswith("/netpand"))
    with Netpand(tree, workers=4) as server:
        assert len({base(pid) for pid in server.workers()}) > 1


# ---- ends ----


def test_sigterm_lets_a_transfer_finish(tmp_path, tree):
    big = make_file(tree / "big", 64 << 20)
    with Netpand(tree) as server:
        with greeted(server) as s:
            s.sendall(get_frame(b"big"))
            kind, _, _ = read_frame(s)
            assert kind == 0x81
            server.process.terminate()
            wait_for(lambda: "ending" in server.log(), "it drains")
            with pytest.raises(OSError):
                server.connect()
            size = 0
            while True:
                kind, _, payload = read_frame(s)
                if kind == 0x83:
                    break
                size += len(payload)
            assert size == big.stat().st_size
            assert s.recv(1) == b""
        assert server.process.wait(PATIENCE) == 0
        server.process = None


@pytest.mark.parametrize("limit", ["0", "1"])
def test_the_drain_limit_cuts_off(tree, limit):
    make_file(tree / "big", 64 << 20)
    with Netpand(tree, "--drain-limit", limit) as server:
        with greeted(server) as s:
            s.sendall(get_frame(b"big"))
            read_frame(s)
            workers = server.workers()
            server.process.terminate()
            assert server.process.wait(PATIENCE) == 1
            assert "cut off" in server.log()
        wait_for(lambda: not any(map(is_alive, workers)), "workers end")
        server.process = None


def test_no_time_to_drain_is_enough_for_the_idle(tree):
    """A limit of 0 is no failure when there is nothing to cut off."""
    with Netpand(tree, "--drain-limit", "0") as server:
        for _ in range(3):
            assert serves(server)
        server.stop()  # asserts that it ends with 0
        assert "cut off" not in server.log()


def test_idle_clients_do_not_hold_a_drain(tree):
    """Nor those who keep their end open, nor is anything cut off."""
    with Netpand(tree, "--drain-limit", "0") as server:
        idle = [Http(server.port) for _ in range(20)]
        for http in idle[:15]:
            assert http.get("/hello.txt").status == 200
        for http in idle[:5]:
            http.send(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\n"
                      b"Connection: close\r\n\r\n")
            assert http.reply().status == 200
        trains = [greeted(server) for _ in range(5)]
        server.stop()  # asserts that it ends with 0
        assert "cut off" not in server.log()
        for http in idle:
            assert http.is_closed()
            http.close()
        for s in trains:
            s.close()


def test_a_drain_waits_for_an_answer_on_its_way(tree):
    """All of it is in the kernel when the end comes, and the client goes on
    talking: it gets the whole answer all the same."""
    body = make_file(tree / "some", 1 << 16).read_bytes()
    with Netpand(tree) as server:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", server.port))
        s.settimeout(PATIENCE)
        s.sendall(b"GET /some HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n")
        wait_for(lambda: "GET /some" in server.log(), "all is sent")
        server.process.terminate()
        wait_for(lambda: "ending" in server.log(), "it drains")
        s.sendall(b"x" * 1000)
        answer = b""
        while piece := s.recv(1 << 16):
            answer += piece
        assert answer.partition(b"\r\n\r\n")[2] == body
        s.close()
        assert server.process.wait(PATIENCE) == 0
        server.process = None


def test_a_second_signal_ends_at_once(tree):
    make_file(tree / "big", 64 << 20)
    with Netpand(tree, "--drain-limit", "3600") as server:
        with greeted(server) as s:
            s.sendall(get_frame(b"big"))
            read_frame(s)
            server.process.terminate()
            wait_for(lambda: "ending" in server.log(), "it drains")
            server.process.terminate()
            assert server.process.wait(PATIENCE) == 1
        server.process = None


def test_killed_master_takes_its_workers_along_and_restarts(tree):
    with Netpand(tree) as server:
        port = server.port
        with greeted(server):
            server.kill()
    with Netpand(tree, listen=(f"127.0.0.1:{port}",)) as server:
        assert serves(server)


def test_a_signal_storm_is_survived(tree):
    """Signals from a terminal reach the workers too; they are the master's."""
    with Netpand(tree) as server:
        before = server.workers()
        for _ in range(1000):
            for pid in before:
                os.kill(pid, signal.SIGINT)
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGHUP)
        assert serves(server)
        assert server.workers() == before


# ---- strangers ----


@pytest.mark.parametrize("first, answer", [
    (b"\x16\x03\x01\x02\x00", b""),
    (b"\xf5TRM", b""),
    (b"\xf5TRN\x01\x01\0\0", b""),
    (b"\xf5TRN\x01\0\0\x80", b""),
    # what begins as nothing else is taken for HTTP
    (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
    (b"\x00", b"HTTP/1.1 400 "),
    (b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 400 "),
    (b"\xff" * 100 + b"\r\n\r\n", b"HTTP/1.1 400 "),
])
def test_what_is_no_protocol_is_closed(tree, first, answer):
    with Netpand(tree) as server:
        before = server.workers()
        with server.connect() as s:
            s.sendall(first)
            got = read_to_end(s)
        assert got.startswith(answer) and (answer or not got)
        assert serves(server)
        assert server.workers() == before


def test_another_version_is_told(tree):
    with Netpand(tree) as server:
        with server.connect() as s:
            s.sendall(b"\xf5TRN\x02\0\0\0")
            assert read_exactly(s, 8) == HELLO
            kind, _, payload = read_frame(s)
            assert kind == 0x85 and b"version 1" in payload
            assert s.recv(1) == b""


@pytest.mark.parametrize("frame", [
    struct.pack("<IBBH", 0, 1, 0, 0),
    struct.pack("<IBBH", 16385, 1, 0, 0),
    struct.pack("<IBBH", 2**31, 1, 0, 0),
    struct.pack("<IBBH", 2**32 - 1, 2, 0, 0),
    struct.pack("<IBBH", 26, 0x81, 0, 0) + b"\0" * 26,
    struct.pack("<IBBH", 26, 0x7f, 0, 0) + b"\0" * 26,
    struct.pack("<IBBH", 26, 1, 0x80, 0) + b"\0" * 26,
    struct.pack("<IBBH", 26, 1, 0, 1) + b"\0" * 26,
    get_frame(b".."), get_frame(b"."), get_frame(b""), get_frame(b"a/b"),
    get_frame(b"a\0b"), get_frame(b".netpan"), get_frame(b"a", b".netpan"),
    get_frame(b"x" * 256), get_frame(*[b"x"] * 129),
    get_frame(b"hello.txt") [:-1] + b"\0",
])
def test_a_broken_request_is_answered_and_closed(tree, frame):
    with Netpand(tree, workers=1) as server:
        before = server.workers()
        with greeted(server) as s:
            s.sendall(frame)
            kind, _, payload = read_frame(s)
            assert kind == 0x85, payload
            code = struct.unpack_from("<H", payload)[0]
            if code == 1:
                assert read_to_end(s) == b""
            else:
                assert code in (3, 6)
        assert serves(server)
        assert server.workers() == before


@pytest.mark.parametrize("names, code", [
    ((b"nothing",), 3),
    ((b"dir",), 4),
    ((b"hello.txt", b"x"), (3, 5)),
    ((b"link",), 3),
    ((b"out", b"passwd"), 3),
    ((b"pipe",), 3),
    ((b"dangling",), 3),
])
def test_what_is_not_served(tree, names, code):
    (tree / "dir").mkdir()
    (tree / "link").symlink_to("hello.txt")
    (tree / "out").symlink_to("/etc")
    (tree / "dangling").symlink_to("/nowhere/at/all")
    os.mkfifo(tree / "pipe")
    codes = code if isinstance(code, tuple) else (code,)
    with Netpand(tree) as server:
        with greeted(server) as s:
            s.sendall(get_frame(*names))
            kind, _, payload = read_frame(s)
            assert kind == 0x85
            assert struct.unpack_from("<H", payload)[0] in codes
            # the connection goes on
            assert get_bytes(s, b"hello.txt") == b"hello\n"


def test_a_fifo_is_left_alone(tree, tmp_path):
    """A writer that waits there for its reader goes on waiting: had the pipe
    been opened for a moment, SIGPIPE would end it."""
    os.mkfifo(tree / "pipe")
    (tree / "dir").mkdir()
    (tree / "dir" / "file").write_bytes(b"x")
    writer = subprocess.Popen(["sh", "-c", "echo; echo said >$0", tree / "pipe"],
                              stdout=subprocess.PIPE)
    try:
        writer.stdout.readline()
        wait_for(lambda: proc_stat(writer.pid)[0] == "S", "it waits")
        with Netpand(tree) as server:
            for _ in range(20):
                netpan("get", server.url("pipe"), cwd=tmp_path, check=1)
                netpan("ls", "-l", server.url(), check=0)
                netpan("get", "-r", "-o", tmp_path / "copy", server.url(),
                       check=0)
                assert writer.poll() is None
        with open(tree / "pipe", "rb") as pipe:
            assert pipe.read() == b"said\n"
        assert writer.wait(PATIENCE) == 0
    finally:
        if writer.poll() is None:
            writer.kill()
        writer.communicate()


def test_an_offset_at_and_past_the_end(tree):
    with Netpand(tree) as server:
        with greeted(server) as s:
            s.sendall(get_frame(b"hello.txt", offset=6))
            assert read_frame(s)[0] == 0x81
            assert read_frame(s)[0] == 0x83
            for offset in 7, 2**31, 2**63 - 1:
                s.sendall(get_frame(b"hello.txt", offset=offset))
                kind, _, payload = read_frame(s)
                assert kind == 0x85
                assert struct.unpack_from("<H", payload)[0] == 7
            s.sendall(get_frame(b"hello.txt", offset=2**63))
            assert struct.unpack_from("<H", read_frame(s)[2])[0] == 1


def test_many_requests_ahead_and_byte_by_byte(tree):
    (tree / "b").write_bytes(b"x" * 100000)
    requests = [get_frame(b"hello.txt"), get_frame(b"b")] * 100
    with Netpand(tree, workers=1) as server:
        with greeted(server) as s:
            sender = threading.Thread(
                target=s.sendall, args=(b"".join(requests),))
            sender.start()
            sizes = []
            for _ in requests:
                assert read_frame(s)[0] == 0x81
                size = 0
                while (frame := read_frame(s))[0] == 0x82:
                    size += len(frame[2])
                assert frame[0] == 0x83
                sizes.append(size)
            sender.join()
            assert sizes == [6, 100000] * 100
        with server.connect() as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in HELLO + get_frame(b"hello.txt"):
                s.sendall(bytes([byte]))
            assert read_exactly(s, 8) == HELLO
            assert read_frame(s)[0] == 0x81


def test_half_closed_clients_get_their_answer(tree):
    with Netpand(tree) as server:
        with server.connect() as s:
            s.sendall(HELLO + get_frame(b"hello.txt"))
            s.shutdown(socket.SHUT_WR)
            data = read_to_end(s)
            assert data.startswith(HELLO) and b"hello\n" in data


def test_a_file_that_shrinks_or_changes_ends_with_an_error(tree):
    big = make_file(tree / "big", 256 << 20)
    with Netpand(tree, workers=1) as server:
        with greeted(server) as s:
            s.sendall(get_frame(b"big"))
            assert read_frame(s)[0] == 0x81
            os.truncate(big, 1000)
            with pytest.raises((EOFError, ConnectionResetError, AssertionError)):
                while True:
                    kind, _, payload = read_frame(s)
                    assert kind == 0x82, payload
        assert serves(server)


# ---- deadlines ----


def test_deadlines(tree):
    args = ("--hello-timeout", "1", "--request-timeout", "1",
            "--idle-timeout", "1", "--rate-window", "1", "--min-rate", "1024")
    make_file(tree / "big", 64 << 20)
    with Netpand(tree, *args, workers=1) as server:
        silent = server.connect()
        half = server.connect()
        half.sendall(HELLO[:4])
        idle = greeted(server)
        asking = greeted(server)
        asking.sendall(get_frame(b"hello.txt")[:10])
        stalled = greeted(server)
        stalled.sendall(get_frame(b"big"))
        for s in silent, half, idle, asking:
            assert read_to_end(s) == b""
            s.close()
        # the stalled reader is cut off though it could still be sent to
        wait_for(lambda: server.status()["total"]["held"] == 0,
                 "the stalled reader is closed")
        stalled.close()
        assert serves(server)


def test_a_slow_but_steady_reader_is_kept(tree):
    """It takes a third of the socket's buffer before the server can send
    more: what counts is what the reader has taken."""
    make_file(tree / "big", 64 << 20)
    with Netpand(tree, "--rate-window", "1", "--min-rate", "16384",
                 workers=1) as server:
        with greeted(server) as s:
            s.sendall(get_frame(b"big"))
            for _ in range(80):
                read_exactly(s, 8192)
                time.sleep(0.1)
            assert server.status()["total"]["held"] == 1


def test_digests_that_nobody_waits_for_end(tree):
    """One is computed, and the others wait for it or find it there: clients
    that have hung up look like half-closed ones, who are answered."""
    with open(tree / "huge", "wb") as f:
        f.truncate(512 << 20)
    os.utime(tree / "huge", (1500000000, 1500000000))
    with Netpand(tree, "--helpers", "2", workers=1) as server:
        for _ in range(30):
            with greeted(server) as s:
                s.sendall(get_frame(b"huge", offset=512 << 20))
                assert read_frame(s)[0] == 0x81
        idle_status(server)
        assert serves(server)


def test_a_flood_of_requests_leaves_room_for_others(tree):
    flood = get_frame(*[b"x" * 200] * 5) * 20000
    with Netpand(tree, "--log-level", "warning", wait=False,
                 workers=1) as server:
        port = wait_for(lambda: listening_port(server.pid), "it listens")
        server.connect = lambda: socket.create_connection(
            ("127.0.0.1", port), PATIENCE)
        with greeted(server) as s:
            sender = threading.Thread(target=send_all, args=(s, flood))
            reader = threading.Thread(target=read_to_end, args=(s,))
            sender.start()
            reader.start()
            for _ in range(20):
                assert serves(server)
            s.shutdown(socket.SHUT_RDWR)
            sender.join()
            reader.join()
        assert "silent" not in server.log()


def send_all(s, data):
    with contextlib.suppress(OSError):
        s.sendall(data)


def test_a_trickle_does_not_move_the_deadline(tree):
    with Netpand(tree, "--request-timeout", "1", workers=1) as server:
        with greeted(server) as s:
            frame = get_frame(*[b"x" * 250] * 16)
            with pytest.raises((ConnectionError, EOFError)):
                for byte in frame:
                    s.sendall(bytes([byte]))
                    if select.select([s], [], [], 0.05)[0]:
                        raise EOFError if s.recv(1) == b"" else ValueError
        assert serves(server)


def test_5000_slow_clients(tree):
    """Half of them silent, half with a byte now and then: a newcomer is
    served meanwhile, all are closed, and everything returns to its base."""
    count = 400 if is_sanitized() else 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with Netpand(tree, "--log-level", "warning", listen=("127.0.0.1:0",),
                     wait=False) as server:
            # without its log lines: the port is in /proc
            port = wait_for(lambda: listening_port(server.pid), "it listens")
            server.connect = lambda: socket.create_connection(
                ("127.0.0.1", port), PATIENCE)
            assert serves(server)
            idle_status(server)
            base = [len(open_fds(p)) for p in
                    [server.pid, *server.workers()]]
            slow = [server.connect() for _ in range(count)]
            assert serves(server)
            for i, byte in enumerate(HELLO[:3]):
                for s in slow[::2]:
                    with contextlib.suppress(OSError):
                        s.sendall(bytes([byte]))
                assert serves(server), i
            for s in slow:
                assert read_to_end(s) == b""
                s.close()
            total = idle_status(server)
            assert total["given"] == total["done"] >= count
            assert total["lost"] == total["refused"] == 0
            assert [len(open_fds(p)) for p in
                    [server.pid, *server.workers()]] == base
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def listening_port(pid):
    """The TCP port that one of its sockets listens on, or None."""
    inodes = {t[8:-1] for t in open_fds(pid).values()
              if t.startswith("socket:[")}
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].split(":")[1], 16)
    return None


# ---- workers that die, stop, or have no room ----


def test_a_stopped_worker_is_passed_by_and_replaced(tree):
    with Netpand(tree, "--heartbeat", "100", "--silent-limit", "1500",
                 workers=4) as server:
        stopped = server.kill_worker(sig=signal.SIGSTOP)
        # those who come before it is noticed wait for its replacement
        for _ in range(40):
            assert serves(server)
        wait_for(lambda: stopped not in server.workers(), "it is replaced")
        wait_for(lambda: len(server.workers()) == 4, "there are four again")
        total = idle_status(server)
        assert total["restarted"] == 1 and total["lost"] == 0


def test_all_workers_stopped(tree):
    """The master lives on, and everyone is served once they go on."""
    with Netpand(tree, "--silent-limit", "60000", workers=2) as server:
        pids = server.workers()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        waiting = [server.connect() for _ in range(300)]
        for s in waiting:
            s.sendall(HELLO + get_frame(b"hello.txt"))
        assert server.status()["total"]["held"] == 0
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        for s in waiting:
            assert read_exactly(s, 8) == HELLO
            assert read_frame(s)[0] == 0x81
            s.close()
        assert server.workers() == pids


def test_100_deaths_lose_nobody_who_waits(tree):
    with Netpand(tree, "--heartbeat", "50", workers=20) as server:
        wait_for(lambda: len(server.workers()) == 20, "twenty workers")
        base = len(open_fds(server.pid))
        for i in range(100):
            pids = wait_for(server.workers, "a worker lives")
            victim = pids[i % len(pids)]
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGSTOP)
                waiting = [server.connect() for _ in range(3)]
                os.kill(victim, signal.SIGKILL)
            wait_for(lambda: not is_alive(victim), "it is dead")
            for s in waiting:
                s.sendall(HELLO)
                # one that was taken already may be lost with its worker,
                # one that had only been given may not
                with contextlib.suppress(ConnectionError, EOFError):
                    assert read_exactly(s, 8) == HELLO
                s.close()
        assert serves(server)
        wait_for(lambda: len(server.workers()) == 20, "twenty again")
        total = idle_status(server)
        assert total["restarted"] == 100
        assert total["taken"] == total["done"] + total["lost"]
        assert total["refused"] == 0
        wait_for(lambda: len(open_fds(server.pid)) == base, "no fd is left")


def test_stopped_then_killed_workers_lose_no_waiting_client(tree):
    """Stopped before the clients come: nothing of theirs can be taken."""
    with Netpand(tree, "--silent-limit", "60000", workers=1) as server:
        victim = server.kill_worker(sig=signal.SIGSTOP)
        waiting = [server.connect() for _ in range(100)]
        wait_for(lambda: server.status()["total"]["in_flight"] == 64,
                 "the window is full")
        for s in waiting:
            s.sendall(HELLO + get_frame(b"hello.txt"))
        os.kill(victim, signal.SIGKILL)
        for s in waiting:
            assert read_exactly(s, 8) == HELLO
            assert read_frame(s)[0] == 0x81
            s.close()
        total = idle_status(server)
        assert total["given_again"] == 64 and total["lost"] == 0


def test_a_full_table_in_the_master(tree):
    """The acceptor pauses instead of spinning, and recovers."""
    with Netpand(tree, workers=1, slots=64) as server:
        pid = server.pid
        fds = len(open_fds(pid))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (fds, fds + 1000))
        before = cpu_ticks(pid)
        clients = [server.connect() for _ in range(20)]
        wait_for(lambda: "pausing" in server.log(), "it pauses")
        assert server.status()["workers"][0]["slots"] == 64
        time.sleep(1)
        assert cpu_ticks(pid) - before < os.sysconf("SC_CLK_TCK") // 2
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (fds + 1000, fds + 1000))
        for s in clients:
            s.close()
        assert wait_for(lambda: serves(server), "it serves again")


def cpu_ticks(pid):
    fields = proc_stat(pid)
    return int(fields[11]) + int(fields[12])


def test_a_full_table_in_a_worker(tree):
    """A file that cannot be opened for want of a descriptor is BUSY, and the
    connection lives on."""
    with Netpand(tree, workers=1, slots=64) as server:
        pid = server.workers()[0]
        with greeted(server) as s:
            assert get_bytes(s, b"hello.txt") == b"hello\n"
            fds = len(open_fds(pid))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (fds, fds + 1000))
            s.sendall(get_frame(b"hello.txt"))
            kind, _, payload = read_frame(s)
            assert kind == 0x85
            assert struct.unpack_from("<H", payload)[0] == 10
            resource.prlimit(pid, resource.RLIMIT_NOFILE,
                             (fds + 1000, fds + 1000))
            assert get_bytes(s, b"hello.txt") == b"hello\n"
        assert server.workers() == [pid]


def test_a_full_table_in_a_worker_loses_nobody(tree):
    """Its limit is lowered at once, while its helpers open and close files:
    who finds no room waits for those before him to go."""
    for i in range(200):
        (tree / f"file {i}").write_bytes(b"x" * 100)
    with Netpand(tree, "--hello-timeout", "60", workers=1,
                 slots=200) as server:
        pid = server.workers()[0]
        clients = [greeted(server) for _ in range(5)]
        walker = greeted(server)
        walks = threading.Thread(target=walk_for_ever, args=(walker,))
        walks.start()
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (len(open_fds(pid)) + 8, hard))
        try:
            clients += [server.connect() for _ in range(40)]
            wait_for(lambda: "no room for a client" in server.log(),
                     "the table is full")
            for s in clients[5:]:
                s.sendall(HELLO)
            # one goes, another comes
            for s in clients[:5]:
                s.close()
            for s in clients[5:]:
                assert read_exactly(s, 8) == HELLO
                s.close()
        finally:
            walker.shutdown(socket.SHUT_RDWR)
            walks.join()
            walker.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        total = idle_status(server)
        assert total["lost"] == 0
        assert total["done"] == total["taken"] == 46
        assert server.workers() == [pid]


def walk_for_ever(s):
    """The tree's data, again and again, until the connection ends."""
    payload = struct.pack("<Q", 0) + path_bytes() * 3
    with contextlib.suppress(OSError, EOFError):
        while True:
            s.sendall(struct.pack("<IBBH", len(payload), 2, 0, 0) + payload)
            kind = 0
            while kind not in (0x84, 0x85):
                kind, _, error = read_frame(s)
                if kind == 0x85 and error[2] == 1:
                    kind = 0  # only of an entry


def test_more_clients_than_slots_and_queue(tree):
    """They wait in the queue, then in the backlog; none is turned away."""
    with Netpand(tree, "--queue", "4", workers=1, slots=4) as server:
        first = [greeted(server) for _ in range(4)]
        rest = [server.connect() for _ in range(30)]
        for s in rest:
            s.sendall(HELLO + get_frame(b"hello.txt"))
        wait_for(lambda: server.status()["total"]["queued"] == 4,
                 "the queue is full")
        assert server.status()["total"]["held"] == 4
        for s in first:
            s.close()
        for s in rest:
            assert read_exactly(s, 8) == HELLO
            assert read_frame(s)[0] == 0x81
            s.close()
        total = idle_status(server)
        assert total["refused"] == 0 and total["done"] == 34


# ---- the log ----


def test_log_lines_cannot_be_forged(tree):
    name = "a\nworker 9 conn 9 1.2.3.4 GET forged ok\x1b]0;x\x07\x9b"
    (tree / name).write_bytes(b"1")
    with Netpand(tree, workers=1) as server:
        with greeted(server) as s:
            assert get_bytes(s, os.fsencode(name)) == b"1"
        wait_for(lambda: "GET /a" in server.log(), "the request is logged")
        raw = server.log_path.read_bytes()
        assert b"\x1b" not in raw and b"\x07" not in raw
        assert not any(line.startswith(b"worker 9") for line in
                       raw.splitlines())
        assert rb"a\x0aworker 9" in raw


# ---- push ----


@pytest.mark.parametrize("size", [0, 1, 11, 999, 1000, 1001, 2000, 1023999,
                                  1024000, 5000003])
def test_the_notes_own_client_gets_the_pushed_file(tmp_path, size):
    source = make_file(tmp_path / "网盘 file.bin", size)
    with Netpand(push=source, listen=()) as server:
        target = tmp_path / "target"
        target.mkdir()
        done = subprocess.run([NOTE_CLIENT, "127.0.0.1",
                               str(server.push_port)], cwd=target,
                              capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done
        assert sha256(target / source.name) == sha256(source)
        md5 = [subprocess.run(["md5sum"], stdin=open(p, "rb"),
                              capture_output=True).stdout
               for p in (source, target / source.name)]
        assert md5[0] == md5[1]


def test_push_frames_are_of_1000_bytes(tmp_path):
    source = make_file(tmp_path / "f", 2500)
    with Netpand(push=source, listen=()) as server:
        with server.connect(server.push_port) as s:
            data = read_to_end(s)
    content = source.read_bytes()
    assert data == (struct.pack("<I", 1) + b"f" + struct.pack("<Q", 2500) +
                    struct.pack("<I", 1000) + content[:1000] +
                    struct.pack("<I", 1000) + content[1000:2000] +
                    struct.pack("<I", 500) + content[2000:])


def test_push_beside_a_tree_and_to_many(tmp_path, tree):
    source = make_file(tmp_path / "f", 3 << 20)
    with Netpand(tree, push=source) as server:
        assert serves(server)
        streams = [server.connect(server.push_port) for _ in range(20)]
        sizes = {len(read_to_end(s)) for s in streams}
        assert sizes == {4 + 1 + 8 + (3 << 20) + 4 * 3146}


def test_push_does_not_mind_a_client_that_talks(tmp_path):
    source = make_file(tmp_path / "f", 30 << 20)
    with Netpand(push=source, listen=()) as server:
        with server.connect(server.push_port) as s:
            s.sendall(b"hello?\n")
            time.sleep(0.3)
            assert len(read_to_end(s)) == (
                4 + 1 + 8 + (30 << 20) + 4 * -(-(30 << 20) // 1000))


def test_a_pushed_file_that_is_cut_short_kills_no_worker(tmp_path):
    source = make_file(tmp_path / "f", 64 << 20)
    with Netpand(push=source, listen=(), workers=1) as server:
        before = server.workers()
        with server.connect(server.push_port) as s:
            s.recv(1000)
            os.truncate(source, 5000)
            assert len(read_to_end(s)) < 64 << 20
        wait_for(lambda: "cut short" in server.log(), "it is told")
        assert server.workers() == before
