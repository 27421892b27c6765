"""The programs that ask the servers, as they are called and understood."""

import json
import os
import re
import subprocess
import time

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 600  # seconds after which a client is stuck


class Client:
    """bench-http, on any processor or on number 1."""

    def __init__(self, build, pinned=False):
        self.program = [os.path.join(build, "bench", "bench-http")]
        if pinned:
            self.program = [*beside(), *self.program]

    def command(self, mode, port, listed, *options):
        return [*self.program, mode, *map(str, options), str(port), listed]

    def load(self, port, listed, *options):
        return without_errors(json.loads(run(
            self.command("load", port, listed, *options))))

    def check(self, port, listed, root, *options):
        run(self.command("check", port, listed, "-d", root, *options))

    def hold(self, port, listed, *options):
        return Waiting(self.command("hold", port, listed, *options), b"held\n")

    def probe(self, port, listed, *options):
        return Waiting(self.command("probe", port, listed, *options),
                       b"ready\n")


class Waiting:
    """A client that says when it is ready, and ends with its input."""

    def __init__(self, command, word):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != word:
            self.end()
            raise RuntimeError("not ready: " + " ".join(command))

    def begin(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self):
        """What it said at the end."""
        said, _ = self.process.communicate(timeout=LIMIT)
        if self.process.returncode:
            raise RuntimeError("failed: " + " ".join(self.process.args))
        return json.loads(said) if said else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Wrk:
    """What everybody measures with; its requests come from a Lua script,
    which costs it about as much as the rest."""

    def load(self, port, listed, connections, seconds):
        command = [*beside(), "wrk", "-t1", "-c%d" % connections,
                   "-d%ds" % max(1, round(seconds)), "--latency",
                   "-s", os.path.join(HERE, "wrk.lua"),
                   "http://127.0.0.1:%d" % port, "--", listed]
        return parse_wrk(run(command))


def run(command):
    """What it said, if all went well."""
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=LIMIT)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or "%s: exit %d" % (
            command[0], done.returncode))
    return done.stdout


def beside():
    """Where a pinned server is not."""
    return ["taskset", "-c", "1"] if os.cpu_count() > 1 else []


def without_errors(load):
    if load["errors"]:
        raise RuntimeError("%d requests failed: %s" % (
            load["errors"], load["error"]))
    return load


def parse_wrk(text):
    requests, seconds = re.search(
        r"(\d+) requests in ([\d.]+)s", text).groups()
    bad = re.search(r"Non-2xx.*|Socket errors.*", text)
    if bad:
        raise RuntimeError("wrk: " + bad[0])
    load = {"requests": int(requests), "seconds": float(seconds)}
    for part in "50", "99":
        value, unit = re.search(r"\s%s%%\s+([\d.]+)(us|ms|s)\b" % part,
                                text).groups()
        load["p%s_us" % part] = float(value) * {
            "us": 1, "ms": 1e3, "s": 1e6}[unit]
    return load


class Meter:
    """From its making on: what the server, its clients and others use."""

    def __init__(self, server):
        self.server = server
        self.others = measure.Others()
        self.client_before = measure.ended_children_seconds()
        self.server_before = server.cpu_seconds()
        self.began = time.monotonic()

    def stop(self):
        self.seconds = time.monotonic() - self.began
        self.cpu = self.server.cpu_seconds() - self.server_before
        self.client = measure.ended_children_seconds() - self.client_before
        return self

    def shares(self):
        return {
            "client_cpus": self.client / self.seconds,
            "others": self.others.share(self.cpu + self.client),
        }
