"""What the measurements share: a server as a tree of processes, its CPU time
and memory, and the machine it runs on."""

import os
import platform
import resource
import select
import signal
import socket
import statistics
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
QUIET = 0.1  # processors that others may be busy with


class Server:
    """A program that prints its port; stopped by its own process group."""

    def __init__(self, command, port=None, stdout=subprocess.PIPE,
                 stderr=None):
        self.process = subprocess.Popen(
            command, stdout=stdout, stderr=stderr, start_new_session=True)
        self.port = port or int(self._first_line())

    def _first_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 10)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.stop()
            raise RuntimeError("server did not start: %s"
                               % " ".join(self.process.args))
        return line

    def pids(self):
        """The server and its descendants, with those not yet reaped."""
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [child for pid in new for child in children(pid)]
        return found

    def cpu_seconds(self):
        """What all its processes have used, with those already reaped.

        Of a living process, or one not yet reaped, the process's CPU clock
        (nanoseconds); of those the server has reaped, its cutime and cstime
        (ticks of 10 ms).  A process may end between the two: ask only when
        the server has nothing to do.
        """
        total = 0.0
        for pid in self.pids():
            total += process_clock(pid)
            total += reaped_seconds(pid)
        return total

    def pss_kib(self):
        return sum(pss_kib(pid) for pid in self.pids())

    def settled_pss_kib(self):
        """The PSS once two looks at it, half a second apart, agree."""
        last = -1
        for _ in range(60):
            now = self.pss_kib()
            if abs(now - last) <= now // 200:
                return now
            last = now
            time.sleep(0.5)
        return last

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Daemon(Server):
    """A server that ends by itself when it is told to."""

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        super().stop()


def free_ports(n):
    """Ports of 127.0.0.1 that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_for_port(port, limit=10.0):
    end = time.monotonic() + limit
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def process_clock(pid):
    # clock_getcpuclockid(3): the CPUCLOCK_SCHED clock of a whole process.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def reaped_seconds(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / TICKS


def ended_children_seconds():
    """What the programs that this one has waited for have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def pss_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def median(rows, field):
    return statistics.median(row[field] for row in rows)


def spread(rows, field):
    """(max - min) / median: how far the rounds lie apart."""
    values = [row[field] for row in rows]
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def machine():
    """One line that says where this was measured."""
    model, memory = "unknown CPU", 0
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) // (1024 * 1024)
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        congestion = f.read().strip()
    return (f"{os.cpu_count()} x {model}, {memory} GiB, "
            f"Linux {platform.release()}, system default {congestion}")


def processor_times():
    """Seconds that all processors together have worked, and have had."""
    with open("/proc/stat") as f:
        values = [int(v) / TICKS for v in f.readline().split()[1:9]]
    return sum(values) - values[3] - values[4], sum(values)


class Others:
    """How many processors were busy with something else than what is
    measured: what a round that others disturbed is known by."""

    def __init__(self):
        self.began = processor_times()

    def share(self, own_seconds):
        busy, had = (after - before for before, after
                     in zip(self.began, processor_times()))
        return max(0.0, (busy - own_seconds) / had * os.cpu_count())


class Patience:
    """Repeats what others disturbed, as long as there is time for it."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def undisturbed(self, sample, tries=4):
        """The least disturbed of a few samples.  A sample is a dict in which
        "others" is the share of the machine that others had meanwhile."""
        done = []
        while True:
            self.wait_for_quiet()
            done.append(sample())
            if (done[-1]["others"] < QUIET or len(done) == tries
                    or time.monotonic() > self.end):
                return min(done, key=lambda one: one["others"])

    def wait_for_quiet(self):
        while time.monotonic() < self.end:
            others = Others()
            time.sleep(0.1)
            if others.share(0.0) < QUIET:
                return


def write_file(path, size):
    """A file of bytes that repeat nowhere near a frame's length."""
    block = bytes((i * 131 + (i >> 8) * 29) & 0xFF for i in range(65521))
    with open(path, "wb") as f:
        left = size
        while left > 0:
            left -= f.write(block[:min(left, len(block))])
