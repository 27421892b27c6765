"""What is measured: each scenario gives one sample of one server."""

import json
import subprocess
import time

import peers
from client import Client, Meter, Wrk, run, without_errors
from network import SYSTEM

PINNED = peers.Setup(1, pinned=True)
TWO = peers.Setup(2)
INSTALLED = peers.Setup(2, congestion=SYSTEM)
RANGE = 1 << 20
PROBE = ["-c", 16, "-i", 4000]


class Bench:
    """What all scenarios need."""

    def __init__(self, build, files, seconds, connections):
        self.build = build
        self.files = files
        self.seconds = seconds
        self.connections = connections  # at most, at the same time

    def client(self, setup):
        return Client(self.build, setup.pinned)


class Scenario:
    fresh = False  # each sample has a server of its own
    servers = peers.ALL

    def __init__(self, name, title, setup, kind):
        self.name = name
        self.title = title
        self.setup = setup
        self.kind = kind
        self.kinds = [kind]  # that are checked, and in the cache, at first

    def range(self):
        return []


class Load(Scenario):
    """As fast as it goes, in a closed loop."""

    def __init__(self, name, title, setup, kind, connections, *options,
                 threads=1):
        super().__init__(name, title, setup, kind)
        self.options = ["-c", connections, "-t", threads, *options]

    def range(self):
        return self.options[-2:] if "-r" in self.options else []

    def sample(self, bench, server):
        meter = Meter(server)
        load = bench.client(self.setup).load(
            server.port, bench.files.list(self.kind), "-s", bench.seconds,
            *self.options)
        return self.figures(load, meter.stop())

    def figures(self, load, meter):
        return {**request_figures(load, meter), **byte_figures(load, meter)}


class BigLoad(Load):
    """The same, of files so big that few come to their end."""

    def figures(self, load, meter):
        return byte_figures(load, meter)


class WrkLoad(Scenario):
    servers = [name for name in peers.ALL if name != "floor"]

    def sample(self, bench, server):
        meter = Meter(server)
        load = Wrk().load(server.port, bench.files.list(self.kind), 64,
                          bench.seconds)
        return request_figures(load, meter.stop())


class Held(Scenario):
    """Memory of connections that rest, or take nothing of a big file."""

    fresh = True
    servers = ["netpan", *peers.PEERS]

    def __init__(self, name, title, setup, kind, connections, *options):
        super().__init__(name, title, setup, kind)
        self.connections = connections
        self.options = options

    def sample(self, bench, server):
        client = bench.client(self.setup)
        n = min(self.connections, bench.connections)
        files = bench.files
        meter = Meter(server)
        # What a server does once, at its first requests for a file, is not
        # what a connection costs it.
        client.load(server.port, files.list("1k"), "-c", 64, "-n", 100000)
        before = server.settled_pss_kib()
        with client.hold(server.port, files.list(self.kind), "-c", n,
                         *self.options) as holder:
            after = server.settled_pss_kib()
            holder.end()
        return {
            "kib_per_connection": (after - before) / n,
            "start_mib": before / 1024,
            **meter.stop().shares(),
        }


class ProbedBulk(Scenario):
    """Small hot files, now and then, while others take all they can get."""

    servers = ["netpan", *peers.PEERS]

    def __init__(self, name, title, setup, kind, connections):
        super().__init__(name, title, setup, kind)
        self.connections = connections
        self.kinds = ["1k", kind]

    def sample(self, bench, server):
        files, client = bench.files, bench.client(self.setup)
        bulk = client.command(
            "load", server.port, files.list(self.kind), "-c",
            self.connections, "-s", bench.seconds + 0.6)
        meter = Meter(server)
        with client.probe(server.port, files.list("1k"), *PROBE) as probe, \
                subprocess.Popen(bulk, stdout=subprocess.PIPE) as process:
            time.sleep(0.4)
            probe.begin()
            time.sleep(bench.seconds)
            probed = probe.end()
            said, _ = process.communicate()
        return probed_figures(probed, said, meter.stop())


class ProbedCold(Scenario):
    """The same while as many files as there are come from the disk."""

    servers = ["netpan", *peers.PEERS, "nginx-threads"]

    def __init__(self, name, title, setup, kind):
        super().__init__(name, title, setup, kind)
        self.kinds = ["1k", kind]

    def sample(self, bench, server):
        files, client = bench.files, bench.client(self.setup)
        files.drop(self.kind)
        bulk = client.command(
            "load", server.port, files.list(self.kind), "-c",
            len(files.paths(self.kind)), "-o")
        meter = Meter(server)
        with client.probe(server.port, files.list("1k"), *PROBE) as probe:
            probe.begin()
            said = run(bulk)
            probed = probe.end()
        return probed_figures(probed, said, meter.stop())


def probed_figures(probed, said, meter):
    return {**latencies(probed),
            "probes_per_second": probed["requests"] / probed["seconds"],
            **byte_figures(without_errors(json.loads(said)), meter)}


def request_figures(load, meter):
    if not load["requests"]:
        raise RuntimeError("not a single request was answered")
    return {"per_second": load["requests"] / load["seconds"],
            "cpu_us": meter.cpu / load["requests"] * 1e6,
            **latencies(load), **meter.shares()}


def byte_figures(load, meter):
    if not load["bytes"]:
        raise RuntimeError("not a single byte came")
    return {"gb_per_second": load["bytes"] / load["seconds"] / 1e9,
            "cpu_s_per_gb": meter.cpu / load["bytes"] * 1e9,
            **meter.shares()}


def latencies(said):
    return {key: said[key] for key in said if key.endswith("_us")}


SCENARIOS = [
    Load("keepalive-1k", "1 KiB, 64 connections, pinned", PINNED, "1k", 64),
    Load("keepalive-1k-folders", "1 KiB in 100 folders, 64 connections, "
         "pinned", PINNED, "1k-folders", 64),
    WrkLoad("wrk-1k", "1 KiB, 64 connections, pinned, by wrk", PINNED, "1k"),
    Load("keepalive-16k", "16 KiB, 64 connections, pinned", PINNED, "16k",
         64),
    Load("keepalive-16k-folders", "16 KiB in 100 folders, 64 connections, "
         "pinned", PINNED, "16k-folders", 64),
    WrkLoad("wrk-16k", "16 KiB, 64 connections, pinned, by wrk", PINNED,
            "16k"),
    Load("two-1k", "1 KiB, 64 connections", TWO, "1k", 64),
    Load("two-16k", "16 KiB, 64 connections", TWO, "16k", 64),
    Load("close-1k", "1 KiB, a new connection each, 64 at once", TWO, "1k",
         64, "-C"),
    BigLoad("big-1", "1 GiB, 1 connection", TWO, "big", 1),
    BigLoad("big-8", "1 GiB, 8 connections", TWO, "big", 8),
    Load("ranges", "1 MiB of 1 GiB, 16 connections", TWO, "big", 16, "-r",
         RANGE),
    ProbedBulk("hot-bulk", "1 KiB beside 64 downloads of 1 GiB", TWO, "big",
               64),
    ProbedCold("hot-cold", "1 KiB beside 16 cold files of 128 MiB", TWO,
               "cold"),
    Held("idle", "5,000 connections at rest", TWO, "1k", 5000),
    Held("stalled", "1,000 stalled downloads of 1 GiB", TWO, "big", 1000,
         "-x"),
    BigLoad("big-installed", "1 GiB, 1 connection, as installed", INSTALLED,
            "big", 1),
]
