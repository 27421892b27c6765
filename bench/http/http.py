"""Files over HTTP, beside other servers: bench/run http."""

import argparse
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(HERE)
sys.path[:0] = [BENCH]

import files  # noqa: E402
import http_plot  # noqa: E402
import http_table  # noqa: E402
import measure  # noqa: E402
import network  # noqa: E402
import peers  # noqa: E402
import scenarios  # noqa: E402

CHECKED = ["-n", "200"]  # of many files: as many are compared with --quick
HELD_ROUNDS = 3
FAILURES = (RuntimeError, OSError, ValueError, subprocess.SubprocessError)


def main():
    network.enter()
    # What was started is also ended when this is told to end.
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda *_: sys.exit(1))
    args = arguments()
    began = time.time()
    served = files.Files(args.folder, files.QUICK if args.quick
                         else files.KINDS)
    served.make()
    bench = scenarios.Bench(args.build, served, args.seconds, descriptors())
    with tempfile.TemporaryDirectory(prefix="netpan-bench-") as state:
        cells = [cell for setup, group in by_setup(args.only)
                 for cell in Run(args, bench, setup, state).cells(group)]
    write(args, {
        "date": time.strftime("%Y-%m-%d", time.gmtime(began)),
        "machine": measure.machine(),
        "command": " ".join(["bench/run http", *args.words]),
        "rounds": args.rounds,
        "seconds": args.seconds,
        "servers": {name: peers.version(name, args.build)
                    for name in args.servers},
        "scenarios": cells,
    })


def arguments():
    names = [one.name for one in scenarios.SCENARIOS]
    parser = argparse.ArgumentParser(
        prog="bench/run http", epilog="scenarios: " + ", ".join(names))
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true",
                        help="about a minute, once the files are there")
    parser.add_argument("--only", metavar="SCENARIO,...")
    parser.add_argument("--servers", metavar="NAME,...",
                        default=",".join([*peers.ALL, "nginx-threads"]))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--patience", type=int, help="seconds to wait, in "
                        "all, for others to leave the machine alone")
    parser.add_argument("--folder", help="where the files are made, and stay")
    parser.add_argument("--out", default=os.path.join(BENCH, "results"))
    parser.add_argument("--plot", help="an SVG as well")
    args = parser.parse_args()
    args.words = sys.argv[3:]  # behind --build
    args.only = args.only.split(",") if args.only else names
    args.servers = args.servers.split(",")
    for unknown in ({*args.only} - {*names}
                    | {*args.servers} - {*peers.NAMES}):
        parser.error("there is no %s" % unknown)
    for name in args.servers:
        if not peers.is_there(name, args.build):
            parser.error("%s is not there; make bench brings it, or leave it "
                         "out of --servers" % name)
    args.rounds = args.rounds or (1 if args.quick else 7)
    args.seconds = args.seconds or (0.3 if args.quick else 1.0)
    if args.patience is None:
        args.patience = 0 if args.quick else 1200
    args.patience = measure.Patience(args.patience)
    args.folder = args.folder or os.path.join(
        args.build, "bench", "quick-files" if args.quick else "files")
    return args


def descriptors():
    """As many as there may be, for the servers and the clients."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most - 1000


def by_setup(names):
    chosen = [one for one in scenarios.SCENARIOS if one.name in names]
    return itertools.groupby(chosen, key=lambda one: one.setup)


class Run:
    """The scenarios of one setup, and the servers that are started for it."""

    def __init__(self, args, bench, setup, state):
        self.args = args
        self.bench = bench
        self.setup = setup
        self.state = state
        self.started = {}
        self.checked = set()

    def cells(self, group):
        network.set_congestion(self.setup.congestion)
        try:
            for scenario in group:
                yield self.cell(scenario)
        finally:
            for server in self.started.values():
                server.stop()

    def cell(self, scenario):
        names = [n for n in self.args.servers if n in scenario.servers]
        samples = {name: [] for name in names}
        failed = {}
        for kind in scenario.kinds:
            self.bench.files.read(kind)
        for number in range(self.rounds(scenario)):
            # no server always follows the same one
            for name in turned(names, number):
                if name in failed:
                    continue
                try:
                    samples[name].append(self.args.patience.undisturbed(
                        lambda: self.sample(scenario, name)))
                except FAILURES as e:
                    failed[name] = str(e)
                    print("%s: %s: %s" % (scenario.name, name, e),
                          file=sys.stderr)
        if self.warms_up(scenario):
            samples = {name: rows[1:] for name, rows in samples.items()}
        return cell(scenario, samples, failed)

    def rounds(self, scenario):
        if scenario.fresh:
            return min(self.args.rounds, HELD_ROUNDS)
        return self.args.rounds + self.warms_up(scenario)

    def warms_up(self, scenario):
        """Is the first round one that does not count?"""
        return not scenario.fresh and not self.args.quick

    def sample(self, scenario, name):
        if scenario.fresh:
            with self.start(name) as server:
                return scenario.sample(self.bench, server)
        if name not in self.started:
            self.started[name] = self.start(name)
        self.check(scenario, name)
        return scenario.sample(self.bench, self.started[name])

    def start(self, name):
        return peers.start(name, self.setup, self.args.build,
                           self.bench.files,
                           tempfile.mkdtemp(prefix=name, dir=self.state))

    def check(self, scenario, name):
        """Once, each byte of what the clients will only count; and what a
        server keeps of each file is there before it is measured."""
        client = self.bench.client(self.setup)
        port = self.started[name].port
        for kind in scenario.kinds:
            key = name, kind, *scenario.range()
            if key in self.checked:
                continue
            listed = self.bench.files.list(kind)
            client.check(port, listed, self.bench.files.root,
                         *scenario.range(),
                         *(CHECKED if self.args.quick else []))
            if self.args.quick:
                client.load(port, listed, "-o", "-c", 16)
            self.checked.add(key)


def turned(names, n):
    n %= len(names) or 1
    return names[n:] + names[:n]


def cell(scenario, samples, failed):
    values = {}
    for name, rows in samples.items():
        if name in failed:
            continue
        values[name] = {field: measure.median(rows, field)
                        for field in rows[0]}
        values[name]["spread"] = {field: measure.spread(rows, field)
                                  for field in rows[0]}
    row = {"name": scenario.name, "title": scenario.title,
           "servers": values, "failed": failed}
    print(http_table.line(row), file=sys.stderr, flush=True)
    return row


def write(args, result):
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "http.json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    text = http_table.markdown(result)
    with open(os.path.join(args.out, "http.md"), "w") as f:
        f.write(text)
    if args.plot:
        with open(args.plot, "w") as f:
            f.write(http_plot.svg(result))
    print(text)


if __name__ == "__main__":
    main()
