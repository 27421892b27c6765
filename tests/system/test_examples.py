"""The course note's programs in examples/ and those of fdpool(3): each is run,
and each is built as a stranger builds it, against the installed library."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
BUILD = Path(
    os.environ.get("NETPAN_BUILD", REPO / "build" / "release")).resolve()
NAMES = ("fdpass", "gather", "hello_pool")
GREETING = re.compile(rb"hello from child (\d+), pid (\d+)\n")


def run(*argv, **kwargs):
    return subprocess.run([str(a) for a in argv], capture_output=True,
                          text=True, timeout=60, **kwargs)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children_of(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(p) for p in children.split()]


def is_running(pid):
    """Whether the process is there and not only waits for its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def until(what):
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline, "never so"
        time.sleep(0.02)


@contextlib.contextmanager
def hello_pool(program, n, env=None):
    """A running hello_pool: its process and its port."""
    port = free_port()
    argv = [str(program), "127.0.0.1", str(port), str(n)]
    with subprocess.Popen(argv, env=env) as pool:
        try:
            until(lambda: greeting(port) or pool.poll() is not None)
            assert pool.poll() is None
            yield pool, port
        finally:
            pool.kill()


def greeting(port):
    """(child, pid), or None when nobody greets."""
    try:
        return heard(socket.create_connection(("127.0.0.1", port), timeout=30))
    except ConnectionError:
        return None


def heard(client):
    with client as s:
        match = GREETING.fullmatch(b"".join(iter(lambda: s.recv(1024), b"")))
    return (int(match[1]), int(match[2])) if match else None


def check_hello_pool(program, env=None):
    with hello_pool(program, 3, env) as (pool, port):
        pids = set(children_of(pool.pid))
        assert len(pids) == 3
        # Three who come at once: the parent finds them all in its backlog.
        # A child that is still starting has none of them.
        greeted = set()

        def greet_three():
            os.kill(pool.pid, signal.SIGSTOP)
            clients = [socket.create_connection(
                ("127.0.0.1", port), timeout=30) for _ in range(3)]
            os.kill(pool.pid, signal.SIGCONT)
            greeted.update(map(heard, clients))
            return {child for child, _ in greeted} == {0, 1, 2}

        until(greet_three)
        assert {pid for _, pid in greeted} == pids


@pytest.mark.parametrize("name", NAMES)
def test_fits_on_a_screen(name):
    text = (REPO / "examples" / f"{name}.c").read_text()
    assert len(text.splitlines()) <= 64
    assert all(len(line.expandtabs(8)) <= 80 for line in text.splitlines())


def test_fdpass_fails_as_a_number_and_works_as_rights():
    done = run(BUILD / "examples" / "fdpass")
    assert done.returncode == 0, done.stderr
    number, pipe, rights = done.stdout.splitlines()
    n = re.fullmatch(r"the parent's number is (\d+)", number)[1]
    assert pipe == f"an int down a pipe: {n} in the child: Bad file descriptor"
    assert re.fullmatch(r'SCM_RIGHTS: \d+ in the child reads "hello"', rights)


def test_gather_sends_and_fills_several_buffers_at_once():
    done = run(BUILD / "examples" / "gather")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "writev: 48 bytes from 4 buffers",
        "readv: 48 bytes into 4 buffers",
        '9 "notes.txt" 27 "three buffers, and one more"',
    ]


def test_hello_pool_greets_from_every_child():
    check_hello_pool(BUILD / "examples" / "hello_pool")


def test_hello_pool_replaces_a_killed_child():
    with hello_pool(BUILD / "examples" / "hello_pool", 2) as (pool, port):
        first = set(children_of(pool.pid))
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(set(children_of(pool.pid)) - first) == 2)
        for _ in range(10):
            child, pid = greeting(port)
            assert child in (0, 1) and pid not in first


def test_hello_pool_takes_its_children_with_it():
    with hello_pool(BUILD / "examples" / "hello_pool", 4) as (pool, _):
        pids = children_of(pool.pid)
        assert len(pids) == 4 and all(map(is_running, pids))
        pool.kill()
        pool.wait()
        until(lambda: not any(map(is_running, pids)))


@pytest.mark.parametrize(
    "argv, status",
    [
        ([], 2),
        (["127.0.0.1", "1"], 2),
        (["127.0.0.1", "1", "1", "1"], 2),
        (["localhost.", "1", "1"], 2),
        (["192.0.2.1", "1", "1"], 1),
        (["127.0.0.1", "0", "257"], 1),
        (["127.0.0.1", "0", "-1"], 1),
    ],
)
def test_hello_pool_says_what_is_wrong(argv, status):
    done = run(BUILD / "examples" / "hello_pool", *argv)
    assert done.returncode == status
    assert done.stderr.startswith("hello_pool: ")


# ---- against the installed library ----


def build_options():
    done = run("meson", "introspect", "--buildoptions", BUILD)
    assert done.returncode == 0, done.stderr
    return {o["name"]: o["value"] for o in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The examples' sources beside an installed library, and how to build."""
    root = tmp_path_factory.mktemp("installed")
    options = build_options()
    done = run("meson", "install", "-C", BUILD, "--no-rebuild",
               "--destdir", root / "dest")
    assert done.returncode == 0, done.stdout + done.stderr
    libdir = root / "dest" / options["prefix"].lstrip("/") / options["libdir"]
    shutil.copytree(REPO / "examples", root / "examples",
                    ignore=shutil.ignore_patterns(*NAMES))
    cflags = "-O2 -Wall -Wextra -Werror"
    if options["b_sanitize"] != "none":
        cflags += f" -fsanitize={options['b_sanitize']}"
    env = dict(
        os.environ,
        PKG_CONFIG_PATH=str(libdir / "pkgconfig"),
        PKG_CONFIG_SYSROOT_DIR=str(root / "dest"),
        CFLAGS=cflags,
        LD_LIBRARY_PATH=str(libdir),
    )
    return root / "examples", libdir, env


def test_build_against_the_installed_library(installed):
    folder, _, env = installed
    done = run("make", "-C", folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    needed = run("readelf", "-d", folder / "hello_pool").stdout
    assert "libfdpool.so.0" in needed
    check_hello_pool(folder / "hello_pool", env)
    for name in ("fdpass", "gather"):
        assert run(folder / name).returncode == 0


def test_link_with_the_static_library(installed):
    folder, libdir, env = installed
    program = folder / "hello_static"
    cflags = run("pkg-config", "--cflags", "fdpool", env=env).stdout.split()
    done = run("cc", *env["CFLAGS"].split(), "-D_GNU_SOURCE", *cflags,
               "-o", program, folder / "hello_pool.c", libdir / "libfdpool.a")
    assert done.returncode == 0, done.stderr
    assert "libfdpool" not in run("readelf", "-d", program).stdout
    check_hello_pool(program)


# ---- the page ----


def page():
    return (REPO / "man" / "fdpool.3").read_text()


def page_program(function):
    """The page's program that has this function, as C."""
    examples = page().partition(".Sh EXAMPLES")[2]
    blocks = re.findall(r"\.Bd -literal\n(.*?)\n\.Ed", examples, re.S)
    found = [b for b in blocks if f"\n{function}(" in b]
    assert len(found) == 1
    text = re.sub(r"^\\&", "", found[0], flags=re.M)
    return text.replace("\\e", "\\") + "\n"


def build_page_program(installed, name, function):
    folder, _, env = installed
    source = folder / f"{name}.c"
    source.write_text(page_program(function))
    flags = run("pkg-config", "--cflags", "--libs", "fdpool", env=env).stdout
    done = run("cc", *env["CFLAGS"].split(), "-D_GNU_SOURCE", "-o",
               folder / name, source, *flags.split())
    assert done.returncode == 0, done.stderr
    return folder / name, env


@contextlib.contextmanager
def page_server(program, env):
    port = free_port()
    with subprocess.Popen([str(program), str(port)], env=env,
                          stderr=subprocess.PIPE) as server:
        try:
            until(lambda: connects(port) or server.poll() is not None)
            assert server.poll() is None
            yield server, port
        finally:
            server.kill()


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionError:
        return False
    return True


def test_the_page_greets(installed):
    program = build_page_program(installed, "greet", "greet")
    with page_server(*program) as (_, port):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", port), 30) as client:
                got = b"".join(iter(lambda: client.recv(64), b""))
            assert got == b"hello\n"


def test_the_page_echoes_and_drains(installed):
    program = build_page_program(installed, "echo", "worker_main")
    with page_server(*program) as (server, port):
        clients = [socket.create_connection(("127.0.0.1", port), 30)
                   for _ in range(200)]
        for i, client in enumerate(clients):
            client.sendall(b"client %d" % i)
        for i, client in enumerate(clients):
            want = b"client %d" % i
            assert client.recv(len(want), socket.MSG_WAITALL) == want
        server.send_signal(signal.SIGTERM)
        # Those who are there are still served; the door is closed.
        clients[0].sendall(b"still")
        assert clients[0].recv(5, socket.MSG_WAITALL) == b"still"
        assert server.poll() is None
        for client in clients:
            client.close()
        said = server.stderr.read().decode()
        assert server.wait(30) == 0
        assert "drained" in said and "killed" not in said
        assert len(re.findall("pid [0-9]+: ended", said)) == 2


def test_the_page_has_the_header():
    header = (REPO / "include" / "fdpool.h").read_text()
    functions = set(re.findall(r"\b(fdpool_\w+)\(", header))
    names = re.findall(r"^\.Nm (fdpool_\w+)", page(), re.M)
    assert set(names) == functions and len(names) == len(functions)
    synopsis = page().partition(".Sh SYNOPSIS")[2].partition(".Sh DESC")[0]
    assert set(re.findall(r"^\.F[no] (\w+)", synopsis, re.M)) == functions
    for name, value in re.findall(r"#define (FDPOOL_\w+) (\d+)", header):
        assert re.search(rf"\.Dv {name}\n\.Pq {value}\b", page()), name
    for name in re.findall(r"^\t(FDPOOL_(?:EV_)?[A-Z_]+),", header, re.M):
        if not name.endswith(("_STATES", "_EVENTS")):
            assert f".It Dv {name}\n" in page(), name
    done = run("mandoc", "-T", "lint", "-W", "warning",
               REPO / "man" / "fdpool.3")
    assert done.returncode == 0, done.stdout


def test_the_library_exports_its_own_names_only(installed):
    _, libdir, _ = installed
    names = defined("-D", libdir / "libfdpool.so.0") - {"FDPOOL_0"}
    header = (REPO / "include" / "fdpool.h").read_text()
    declared = set(re.findall(r"\b(fdpool_\w+)\(", header))
    assert names == declared
    # What the archive brings into a program's link keeps to two prefixes.
    linked = defined("-g", libdir / "libfdpool.a")
    assert names <= linked
    assert all(n.startswith(("fdp_", "fdpool_", "__asan", "__odr_asan"))
               for n in linked), linked


def defined(option, library):
    lines = run("nm", option, "--defined-only", library).stdout.splitlines()
    symbols = [line.split() for line in lines]
    return {s[-1].partition("@")[0] for s in symbols if len(s) == 3}
