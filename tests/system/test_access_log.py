"""The access log: the process that writes it, and what becomes of its file.

The lines come from the tests themselves, which write into the pipe as the
workers do.
"""

import contextlib
import fcntl
import os
import resource
import signal
import stat
import struct
import subprocess
import termios

import pytest

from netpan_harness import (NETPAND, PATIENCE, Netpand, is_alive, open_fds,
                            wait_for)
from test_serve import serves


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "hello.txt").write_bytes(b"hello\n")
    return root


@pytest.fixture
def log(tmp_path):
    return tmp_path / "access.log"


@contextlib.contextmanager
def pipe_of(server):
    """The end of the pipe that workers have, as they have it."""
    pipes = [n for n, what in open_fds(server.pid).items()
             if what.startswith("pipe:")]
    assert len(pipes) == 2, "the master keeps both ends"
    fd = os.open(f"/proc/{server.pid}/fd/{pipes[0]}",
                 os.O_WRONLY | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def write_lines(server, *lines):
    with pipe_of(server) as fd:
        for line in lines:
            data = line.encode() + b"\n"
            assert os.write(fd, data) == len(data)


def in_pipe(server):
    """Bytes that the logger has not read yet."""
    with pipe_of(server) as fd:
        return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]


def has_lines(path, *lines):
    wait_for(lambda: path.exists() and path.read_text()
             == "".join(line + "\n" for line in lines),
             f"{path} has {lines}")


def test_lines_are_appended(tree, log):
    log.write_text("from before\n")
    with Netpand(tree, "--access-log", log) as server:
        write_lines(server, "one", "two")
        has_lines(log, "from before", "one", "two")
        write_lines(server, "three")
        has_lines(log, "from before", "one", "two", "three")
        assert serves(server)
    has_lines(log, "from before", "one", "two", "three")


def test_the_file_is_made_for_its_owner_and_group(tree, log):
    with Netpand(tree, "--access-log", log):
        assert stat.S_IMODE(log.stat().st_mode) & ~0o640 == 0
        assert log.stat().st_size == 0


def test_without_the_option_there_is_no_logger(tree):
    with Netpand(tree, workers=2) as server:
        assert server.logger() is None
        assert len(server.workers()) == 2
        assert not any(what.startswith("pipe:")
                       for what in open_fds(server.pid).values())
        os.kill(server.pid, signal.SIGUSR1)  # nothing to do
        for pid in server.workers():
            os.kill(pid, signal.SIGUSR1)
        assert serves(server)
        assert "killed" not in server.log()


def test_what_the_logger_has(tree, log):
    with Netpand(tree, "--access-log", log) as server:
        write_lines(server, "it is there")
        has_lines(log, "it is there")
        pid = server.logger()
        fds = open_fds(pid)
        assert set(fds) == set(range(6)), fds
        assert fds[3].startswith("pipe:")
        assert sorted(fds[n] for n in (4, 5)) == [
            str(log), "anon_inode:[signalfd]"]
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            assert "NoNewPrivs:\t1\n" in f.read()
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            core = next(x for x in f if x.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            assert f.read() == "netpand-logger\n"
        # a worker has one descriptor more: the pipe, which does not block
        for worker in server.workers():
            ours = [n for n, what in open_fds(worker).items()
                    if what.startswith("pipe:")]
            assert len(ours) == 1
            with open(f"/proc/{worker}/fdinfo/{ours[0]}",
                      encoding="ascii") as f:
                flags = int(next(x for x in f if x.startswith("flags"))
                            .split()[1], 8)
            assert flags & os.O_ACCMODE == os.O_WRONLY
            assert flags & os.O_NONBLOCK


@pytest.mark.parametrize("to_all", [False, True])
def test_sigusr1_opens_the_file_anew(tree, log, to_all):
    """To the master, or as service managers do it, to each process."""
    with Netpand(tree, "--access-log", log) as server:
        for i in range(3):
            write_lines(server, f"line {i}")
            has_lines(log, f"line {i}")
            moved = log.rename(log.with_suffix(f".{i}"))
            write_lines(server, f"late line {i}")
            has_lines(moved, f"line {i}", f"late line {i}")
            os.kill(server.pid, signal.SIGUSR1)
            if to_all:
                for pid in [server.logger(), *server.workers()]:
                    os.kill(pid, signal.SIGUSR1)
            wait_for(log.exists, "it is opened anew")
        assert serves(server)
        assert "killed" not in server.log()


def test_a_file_that_cannot_be_opened_anew(tree, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    with Netpand(tree, "--access-log", folder / "log") as server:
        write_lines(server, "one")
        has_lines(folder / "log", "one")
        moved = folder.rename(tmp_path / "moved")
        os.kill(server.pid, signal.SIGUSR1)
        wait_for(lambda: "the one that is open is kept" in server.log(),
                 "it says so")
        write_lines(server, "two")
        has_lines(moved / "log", "one", "two")


def test_a_relative_name_is_of_where_it_was_started(tree, tmp_path):
    with Netpand(tree, "--access-log", "here.log", cwd=tmp_path) as server:
        write_lines(server, "one")
        has_lines(tmp_path / "here.log", "one")
        (tmp_path / "here.log").unlink()
        os.kill(server.pid, signal.SIGUSR1)
        wait_for((tmp_path / "here.log").exists, "the same name again")


def test_a_logger_that_dies_is_replaced(tree, log):
    """What is written meanwhile waits in the pipe."""
    with Netpand(tree, "--access-log", log) as server:
        write_lines(server, "one")
        has_lines(log, "one")
        first = server.logger()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: not is_alive(first), "it is dead")
        write_lines(server, "two", "three")
        assert serves(server)
        second = wait_for(server.logger, "another is there")
        assert second != first
        has_lines(log, "one", "two", "three")
        assert "logger was killed by signal 9" in server.log()


def test_a_logger_that_cannot_begin_is_tried_again(tree, tmp_path):
    """Later each time; the server goes on, and so do the lines at last."""
    folder = tmp_path / "logs"
    folder.mkdir()
    with Netpand(tree, "--access-log", folder / "log") as server:
        write_lines(server, "one")
        has_lines(folder / "log", "one")
        moved = folder.rename(tmp_path / "moved")
        server.kill_worker(server.logger())
        write_lines(server, "two")
        wait_for(lambda: "logger ended with status 1" in server.log(),
                 "it cannot begin")
        wait_for(lambda: "logger is started again in 2000 ms" in server.log(),
                 "the next pause is longer")
        assert serves(server)
        moved.rename(folder)
        has_lines(folder / "log", "one", "two")


def test_the_last_lines_are_written_at_the_end(tree, log):
    with Netpand(tree, "--access-log", log) as server:
        pid = server.logger()
        os.kill(pid, signal.SIGSTOP)
        write_lines(server, *(f"line {i}" for i in range(1000)))
        server.process.terminate()
        wait_for(lambda: not server.workers(), "the workers are gone")
        assert server.process.poll() is None
        os.kill(pid, signal.SIGCONT)
        assert server.process.wait(PATIENCE) == 0
        server.process = None
        assert not is_alive(pid)
        assert log.read_text().splitlines() == [f"line {i}" for i in range(1000)]


def test_the_last_lines_find_a_logger_even_if_it_is_dead(tree, log):
    with Netpand(tree, "--access-log", log) as server:
        for _ in range(2):  # the second pause is longer than the test
            pid = wait_for(server.logger, "it is there")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not is_alive(pid), "it is dead")
        write_lines(server, "the last")
    has_lines(log, "the last")


def test_the_logger_outlives_a_master_that_is_killed(tree, log):
    with Netpand(tree, "--access-log", log) as server:
        pid = server.logger()
        os.kill(pid, signal.SIGSTOP)
        write_lines(server, "one")
        server.kill()
        assert is_alive(pid)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: not is_alive(pid), "it ends")
        has_lines(log, "one")


def test_signals_for_all_do_not_end_it_first(tree, log):
    """^C and service managers reach the logger too: it ends by the pipe."""
    with Netpand(tree, "--access-log", log) as server:
        for sig in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            os.kill(server.logger(), sig)
        write_lines(server, "one")
        has_lines(log, "one")
        assert "logger" not in server.log()


def test_a_full_disk_loses_lines_and_says_so_once(tree, log):
    log.symlink_to("/dev/full")
    with Netpand(tree, "--access-log", log) as server:
        for i in range(20):
            write_lines(server, f"lost {i}")
        wait_for(lambda: "No space left" in server.log(), "it is told")
        wait_for(lambda: in_pipe(server) == 0, "all are read")
        assert serves(server)
        log.unlink()
        log.symlink_to(log.with_suffix(".real"))
        os.kill(server.pid, signal.SIGUSR1)
        wait_for(log.with_suffix(".real").exists, "it is opened anew")
        write_lines(server, "kept")
        wait_for(lambda: "lines were lost" in server.log(), "it is told")
        assert server.log().count("No space left") == 1
        assert "written again, 20 lines were lost" in server.log()
        has_lines(log.with_suffix(".real"), "kept")


def test_a_line_cut_by_a_full_disk_is_ended(tree, log):
    """The file's size is limited: half a line fits, then nothing does."""
    def limit(size):
        resource.prlimit(server.logger(), resource.RLIMIT_FSIZE,
                         (size, resource.RLIM_INFINITY))

    with Netpand(tree, "--access-log", log) as server:
        limit(25)
        write_lines(server, "0123456789", "0123456789abcdef", "lost")
        wait_for(lambda: log.stat().st_size == 25, "it is full")
        write_lines(server, "lost as well")
        wait_for(lambda: in_pipe(server) == 0, "all are read")
        limit(resource.RLIM_INFINITY)
        write_lines(server, "whole")
        wait_for(lambda: log.read_text().endswith("\nwhole\n"), "it goes on")
        lines = log.read_text().splitlines()
        assert lines[:2] == ["0123456789", "0123456789abcd"]
        assert set(lines[2:]) <= {"lost as well", "whole"}


def test_a_full_pipe_stops_nobody(tree, log):
    with Netpand(tree, "--access-log", log) as server:
        pid = server.logger()
        os.kill(pid, signal.SIGSTOP)
        line = "x" * 99
        n = 0
        with pipe_of(server) as fd:
            size = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
            with contextlib.suppress(BlockingIOError):
                while True:
                    assert os.write(fd, line.encode() + b"\n") == 100
                    n += 1
        assert n * 100 <= size and n > 1000
        assert serves(server)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: log.stat().st_size == n * 100, "all are written")
        assert set(log.read_text().split("\n")[:-1]) == {line}


def test_what_is_no_line_is_made_one(tree, log):
    """A worker that was taken over writes what it likes."""
    with Netpand(tree, "--access-log", log) as server:
        write_lines(server, "\x1b[31mred\x07\x7f\t\u202e")
        has_lines(log, "?[31mred????" + "??")
        with pipe_of(server) as fd:
            for _ in range(40):
                os.write(fd, b"y" * 4096)
            os.write(fd, b"\nlast\n")
        wait_for(lambda: log.read_text().endswith("\nlast\n"), "it goes on")
        text = log.read_text()
        assert text.count("y") == 40 * 4096
        assert max(map(len, text.split("\n"))) <= 65536


@pytest.mark.parametrize("name, words", [
    ("/nonexistent/log", "access log /nonexistent/log: No such file"),
    ("/", "access log /: Is a directory"),
])
def test_a_file_that_cannot_be_opened(tree, name, words):
    done = subprocess.run(
        [NETPAND, "--listen", "127.0.0.1:0", "--access-log", name, tree],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE)
    assert done.returncode == 1
    assert words in done.stderr


def test_a_fifo_that_nobody_reads(tree, log):
    os.mkfifo(log)
    done = subprocess.run(
        [NETPAND, "--listen", "127.0.0.1:0", "--access-log", log, tree],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE)
    assert done.returncode == 1 and "No such device" in done.stderr


def test_the_log_may_go_to_stdout(tree, tmp_path):
    with Netpand(tree, "--access-log", "/dev/stdout") as server:
        write_lines(server, "a line among others")
        wait_for(lambda: "\na line among others\n" in server.log(), "there")
