"""What the system tests share: a running netpand, the client, trees of files.

NETPAN_BUILD names the build under test (default: build/release).  Everything
happens on loopback and in temporary folders; every process that is started
here is ended here, by its own pid.
"""

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from train_client import TrainClient, receive_push  # noqa: F401 (for tests)

REPO = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NETPAN_BUILD", REPO / "build" / "release")).resolve()
NETPAND = BUILD / "src" / "server" / "netpand"
NETPAN = BUILD / "src" / "client" / "netpan"

# A hang guard, never something that is measured.
PATIENCE = 30.0


def is_sanitized(program=NETPAND):
    """Was the program built with AddressSanitizer?"""
    try:
        return b"__asan_init" in Path(program).read_bytes()
    except OSError:
        return False


def wait_for(condition, what, timeout=PATIENCE):
    """Polls until condition() is true-ish, and returns that value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain: {what}")
        time.sleep(0.01)


def free_port():
    """A TCP port of 127.0.0.1 that nobody had a moment ago.

    For programs that cannot be told to take port 0.
    """
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- processes, seen through /proc ----


def children(pid):
    """The pids of its living children (zombies are not counted)."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        fields = proc_stat(int(entry))
        if fields and int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(entry))
    return sorted(found)


def proc_stat(pid):
    """The fields of /proc/PID/stat from the state on; None: no such pid."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def is_alive(pid):
    fields = proc_stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def open_fds(pid):
    """What each of its descriptors is: {3: "socket:[123]", ...}."""
    fds = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            fds[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return fds


# ---- files ----


def digest(path, algorithm="sha256"):
    h = hashlib.new(algorithm)
    with open(path, "rb") as f:
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.hexdigest()


def sha256(path):
    return digest(path, "sha256")


def random_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


# Sizes at and around the lengths that the protocols know.
TREE_SIZES = [11, 0, 1, 999, 1000, 1001, 4095, 4096, 65536, 1048577]

TREE_NAMES = [
    "plain.txt", "with space", "网盘.txt", "new\nline", "quote'\"",
    "-dash", "back\\slash", "percent%41", "\x7fdel", "x" * 255,
]


def make_tree(root, seed=1, folders=6, files=30, big=5 << 20):
    """A tree that is the same for the same arguments; returns it as a Path.

    It has empty files and folders, names that need care, depth, several
    modes, times before 1970, and one file of `big` bytes.
    """
    rng = random.Random(seed)
    root = Path(root)
    places = [root]
    root.mkdir(parents=True, exist_ok=True)
    for i in range(folders):
        place = rng.choice(places) / f"folder {i}"
        place.mkdir()
        places.append(place)
    (root / "empty folder").mkdir()
    places.append(root / "empty folder")
    for i in range(files):
        place = places[i % folders]
        name = TREE_NAMES[i] if i < len(TREE_NAMES) else f"file-{i:04d}"
        size = TREE_SIZES[i % len(TREE_SIZES)]
        make_file(place / name, size, rng.randrange(1 << 30),
                  mode=rng.choice([0o644, 0o600, 0o755, 0o444]),
                  mtime_ns=rng.randrange(-10**18, 17 * 10**17))
    if big:
        make_file(places[folders] / "big.bin", big, seed)
    for i, place in enumerate(reversed(places)):
        os.utime(place, ns=(0, 10**18 + i * 10**9 + 123456789))
    return root


def make_file(path, size, seed=1, mode=0o644, mtime_ns=None):
    path = Path(path)
    rng = random.Random(seed)
    with open(path, "wb") as f:
        while size > 0:
            n = min(size, 1 << 20)
            f.write(rng.randbytes(n))
            size -= n
    path.chmod(mode)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def tree_state(root, times=True):
    """{relative path: (kind, mode, size, mtime, digest or target)}.

    Compare two of them to see whether two trees are the same, or whether
    anything in a place was touched.
    """
    state = {}
    root = os.fsencode(root)
    for where, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            kind, size, content = stat.S_IFMT(st.st_mode), st.st_size, None
            if stat.S_ISDIR(st.st_mode):
                size = 0
            elif stat.S_ISREG(st.st_mode):
                content = sha256(path)
            elif stat.S_ISLNK(st.st_mode):
                content = os.readlink(path)
            state[os.path.relpath(path, root)] = (
                kind, stat.S_IMODE(st.st_mode), size,
                st.st_mtime_ns if times else None, content)
    return state


# ---- sanitizer reports ----


class Sanitizers:
    """The environment that makes ASan and UBSan leave their reports in a
    folder, and the check that there are none."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def env(self):
        env = dict(os.environ)
        log = self.folder / "sanitizer"
        for name, options in (
            ("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=1"),
            ("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1"),
        ):
            given = env.get(name)
            env[name] = ":".join(filter(None, [options, given, f"log_path={log}"]))
        return env

    def check(self):
        reports = sorted(self.folder.glob("sanitizer.*"))
        text = "\n".join(r.read_text(errors="replace") for r in reports)
        assert not reports, f"the sanitizers report:\n{text}"


# ---- the server ----

LISTENING = re.compile(r"listening on (\S+):(\d+)")
READY = re.compile(r"netpand: worker \d+ ready, ")


class Netpand:
    """One netpand, as a context manager.

        with Netpand(tree, workers=2) as server:
            netpan("get", server.url("a/b"), ...)

    Entering it waits until it listens and its workers are ready (wait=False:
    for nothing), so that a test may at once do something to a worker.
    Leaving the block stops it with SIGTERM and asserts that it ends with 0,
    leaves no worker behind and has no sanitizer report; unless the test ended
    it itself with stop() or kill().
    """

    def __init__(self, root=None, *args, workers=2, slots=None,
                 listen=None, push=None, env=None, cwd=None,
                 limits=None, wait=True):
        if listen is None:
            listen = ["127.0.0.1:0"] if root is not None else []
        self.dir = Path(tempfile.mkdtemp(prefix="netpand-"))
        self.control = self.dir / "control"
        self.log_path = self.dir / "stderr"
        self.sanitizers = Sanitizers(self.dir)
        self.limits = limits or {}  # {resource.RLIMIT_NOFILE: (soft, hard)}
        self.process = None
        self.expected = len(listen) + (1 if push else 0)
        self.expected_workers = workers or 1
        self.env = {**self.sanitizers.env(), **(env or {})}
        self.cwd = cwd
        self.wait = wait
        self.argv = [str(NETPAND), "--control", str(self.control)]
        if workers is not None:
            self.argv += ["--workers", str(workers)]
        if slots is not None:
            self.argv += ["--slots", str(slots)]
        for address in listen:
            self.argv += ["--listen", address]
        if push:
            self.argv += ["--push", str(push), "--push-listen", "127.0.0.1:0"]
        self.argv += [str(a) for a in args]
        if root is not None:
            self.argv.append(str(root))

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and self.process is not None:
                self.stop()
            if kind is None:
                self.sanitizers.check()
            else:
                print(f"---- netpand's stderr ----\n{self.log()}")
        finally:
            self._end()

    def start(self):
        def set_limits():
            import resource
            for what, value in self.limits.items():
                resource.setrlimit(what, value)

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, cwd=self.cwd,
                preexec_fn=set_limits if self.limits else None)
        if self.wait:
            wait_for(self._is_up, "netpand listens and its workers are ready")

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(
                f"netpand ended with {self.process.returncode}:\n{self.log()}")
        return (len(self.addresses) >= self.expected
                and len(READY.findall(self.log())) >= self.expected_workers)

    @property
    def pid(self):
        return self.process.pid

    @property
    def addresses(self):
        """(host, port) of each listener, in the order of the options."""
        return [(host.strip("[]"), int(port))
                for host, port in LISTENING.findall(self.log())]

    @property
    def port(self):
        return self.addresses[0][1]

    @property
    def push_port(self):
        """That of the push listener, which comes last."""
        return self.addresses[-1][1]

    def url(self, path=""):
        return f"train://127.0.0.1:{self.port}/{path}"

    def log(self):
        """All that it has written to stderr (and stdout) so far."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")
        return ""

    def connect(self, port=None, timeout=PATIENCE):
        return socket.create_connection(
            ("127.0.0.1", port or self.port), timeout=timeout)

    def status(self):
        """What `netpand --status=json` prints, parsed."""
        done = subprocess.run(
            [str(NETPAND), "--status=json", "--control", str(self.control)],
            stdin=subprocess.DEVNULL, capture_output=True, env=self.env,
            timeout=PATIENCE)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return json.loads(done.stdout)

    def workers(self):
        return [pid for pid in children(self.pid) if pid != self.logger()]

    def logger(self):
        """The pid of the process that writes the access log, or None."""
        for pid in children(self.pid):
            with contextlib.suppress(OSError):
                argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if argv[1:2] == [b"--as-logger"]:
                    return pid
        return None

    def kill_worker(self, pid=None, sig=signal.SIGKILL):
        """Kills one worker (the first, if none is named); returns its pid."""
        if pid is None:
            pid = wait_for(self.workers, "netpand has a worker")[0]
        os.kill(pid, sig)
        return pid

    def stop(self, timeout=PATIENCE):
        """SIGTERM: it must end with 0 and leave no worker."""
        workers = self.workers()
        process, self.process = self.process, None
        process.terminate()
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process = process
            raise AssertionError(
                f"netpand does not end on SIGTERM:\n{self.log()}") from None
        assert status == 0, f"netpand ended with {status}:\n{self.log()}"
        wait_for(lambda: not any(map(is_alive, workers)), "the workers are gone")

    def kill(self):
        """SIGKILL to the master; the workers must end by themselves."""
        workers = self.workers()
        process, self.process = self.process, None
        process.kill()
        process.wait(PATIENCE)
        wait_for(lambda: not any(map(is_alive, workers)), "the workers are gone")

    def _end(self):
        """Whatever happened before: nothing is left."""
        if self.process is not None:
            for pid in [self.process.pid, *children(self.process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
            self.process = None
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- the client ----


def netpan(*args, cwd=None, env=None, timeout=120, check=None, stdin=None):
    """Runs the client to its end: a CompletedProcess with text.

    With check=N its exit status must be N.  A sanitizer report fails the
    test in any case.
    """
    with tempfile.TemporaryDirectory(prefix="netpan-") as folder:
        sanitizers = Sanitizers(folder)
        done = subprocess.run(
            [str(NETPAN), *(os.fspath(a) for a in args)], cwd=cwd,
            **({"stdin": subprocess.DEVNULL} if stdin is None
               else {"input": stdin}),
            capture_output=True, text=True, errors="surrogateescape",
            env={**sanitizers.env(), **(env or {})}, timeout=timeout)
        sanitizers.check()
    if check is not None:
        assert done.returncode == check, (
            f"netpan {args}: exit {done.returncode}, expected {check}\n"
            f"{done.stdout}{done.stderr}")
    return done


@contextlib.contextmanager
def netpan_running(*args, cwd=None, env=None):
    """The client as a Popen, killed at the end if it still runs."""
    with tempfile.TemporaryDirectory(prefix="netpan-") as folder:
        sanitizers = Sanitizers(folder)
        process = subprocess.Popen(
            [str(NETPAN), *(os.fspath(a) for a in args)], cwd=cwd,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="surrogateescape",
            env={**sanitizers.env(), **(env or {})})
        try:
            yield process
            sanitizers.check()
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()
