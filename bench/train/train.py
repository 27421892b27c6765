"""One big file by train and by push, beside a bare sendfile loop:
bench/run train."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(HERE)
sys.path[:0] = [BENCH]

import measure  # noqa: E402

CONGESTION = "cubic"
WAYS = ["bare", "train", "push"]
NAMES = {
    "bare": "bare sendfile loop",
    "train": "netpand, train",
    "push": "netpand, push (frames of 1000 bytes)",
}
GOALS = {"train": 0.85, "push": 0.25}
NAME = "file-1g"
SIZE = 1 << 30
CONNECTIONS = [1, 8]


def main():
    args = arguments()
    size = SIZE // 4 if args.quick else SIZE
    began = time.time()
    with tempfile.TemporaryDirectory(prefix="netpan-bench-",
                                     dir=args.folder) as folder:
        result = {
            "date": time.strftime("%Y-%m-%d", time.gmtime(began)),
            "machine": measure.machine(),
            "command": "bench/run train" + (" --quick" if args.quick else ""),
            "rounds": args.rounds,
            "size": size,
            "cells": measure_all(args, folder, size),
        }
    write(args, result)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--patience", type=int, help="seconds to wait, in "
                        "all, for others to leave the machine alone")
    parser.add_argument("--folder", help="where the file is made")
    parser.add_argument("--out", default=os.path.join(BENCH, "results"))
    args = parser.parse_args()
    if args.patience is None:
        args.patience = 0 if args.quick else 1200
    args.rounds = args.rounds or (3 if args.quick else 9)
    return args


def measure_all(args, folder, size):
    tree = os.path.join(folder, "tree")
    os.mkdir(tree)
    path = os.path.join(tree, NAME)
    measure.write_file(path, size)
    # A digest is not kept of a file that has only just been written.
    os.utime(path, (1500000000, 1500000000))
    # Without this, writing it back would fall into the first rounds.
    subprocess.run(["sync", path], check=True)
    bare = measure.Server(
        [os.path.join(args.build, "bench", "bench-bare"), path, CONGESTION])
    patience = measure.Patience(args.patience)
    try:
        with Netpand(args, folder, tree, path) as netpand:
            servers = {"bare": bare, "train": netpand, "push": netpand}
            ports = {"bare": bare.port, "train": netpand.train_port,
                     "push": netpand.push_port}
            sample(args, netpand, "train", netpand.train_port, size, 1)
            wait_for_digest(path)
            return [cell(args, patience, servers, ports, size, n)
                    for n in CONNECTIONS]
    finally:
        bare.stop()


class Netpand(measure.Daemon):
    """One netpand with both doors open, on two free ports."""

    def __init__(self, args, folder, tree, path):
        self.train_port, self.push_port = measure.free_ports(2)
        log = open(os.path.join(folder, "netpand.log"), "wb")
        command = [
            os.path.join(args.build, "src", "server", "netpand"),
            "--congestion", CONGESTION,
            "--log-level", "warning",
            "--control", os.path.join(folder, "control"),
            "--listen", "127.0.0.1:%d" % self.train_port,
            "--push", path,
            "--push-listen", "127.0.0.1:%d" % self.push_port,
            tree,
        ]
        with log:
            super().__init__(command, port=self.train_port, stdout=log)
        measure.wait_for_port(self.push_port)


def wait_for_digest(path, limit=60.0):
    """Until the first fetch's digest is kept: it is not what is measured."""
    end = time.monotonic() + limit
    while "user.netpan.sha256" not in os.listxattr(path):
        if time.monotonic() > end:
            raise RuntimeError("netpand keeps no digest of " + path)
        time.sleep(0.05)


def cell(args, patience, servers, ports, size, n):
    samples = {way: [] for way in WAYS}
    for turn in range(args.rounds + 1):
        for way in WAYS[turn % 3:] + WAYS[:turn % 3]:
            one = patience.undisturbed(lambda: sample(
                args, servers[way], way, ports[way], size, n))
            if turn > 0:  # the first one warms up
                samples[way].append(one)
    fields = samples["bare"][0]
    row = {"connections": n, "ways": {}}
    for way, rows in samples.items():
        row["ways"][way] = {
            field: measure.median(rows, field) for field in fields}
        row["ways"][way]["spread"] = measure.spread(rows, "gb_per_second")
    print("%d connections: GB/s: %s" % (n, ", ".join(
        "%s %.2f" % (way, v["gb_per_second"])
        for way, v in row["ways"].items())), file=sys.stderr, flush=True)
    return row


def sample(args, server, way, port, size, n):
    command = [os.path.join(args.build, "bench", "bench-drain"), way,
               str(port), NAME, str(size), str(n)]
    others = measure.Others()
    client_before = measure.ended_children_seconds()
    before = server.cpu_seconds()
    run = subprocess.run(command, stdout=subprocess.PIPE, timeout=600,
                         check=True)
    cpu = server.cpu_seconds() - before
    client = measure.ended_children_seconds() - client_before
    load = json.loads(run.stdout)
    return {
        "gb_per_second": load["bytes"] / load["seconds"] / 1e9,
        "cpu_s_per_gb": cpu / load["bytes"] * 1e9,
        "client_cpu_s_per_gb": client / load["bytes"] * 1e9,
        "others": others.share(cpu + client),
    }


def markdown(result):
    lines = [
        "# One big file\n",
        "%s, %s. `%s`, median of %d rounds, all in turn in each; a file of "
        "%d MiB in the page cache; %s on every listener; the client drops "
        "the bytes; the digest is cached.\n" % (
            result["machine"], result["date"], result["command"],
            result["rounds"], result["size"] >> 20, CONGESTION),
        "| connections | | GB/s | of bare | goal | server CPU s/GB | "
        "client CPU s/GB | spread of GB/s |",
        "|---|---|---|---|---|---|---|---|"]
    for row in result["cells"]:
        bare = row["ways"]["bare"]["gb_per_second"]
        for way, v in row["ways"].items():
            goal = GOALS.get(way) if row["connections"] == 1 else None
            lines.append(
                "| %d | %s | %.2f | **%.2f** | %s | %.3f | %.3f | %.0f %% |"
                % (row["connections"], NAMES[way], v["gb_per_second"],
                   v["gb_per_second"] / bare, "%.2f" % goal if goal else "",
                   v["cpu_s_per_gb"], v["client_cpu_s_per_gb"],
                   100 * v["spread"]))
    return "\n".join(lines) + "\n"


def write(args, result):
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "train.json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    text = markdown(result)
    with open(os.path.join(args.out, "train.md"), "w") as f:
        f.write(text)
    print(text)


if __name__ == "__main__":
    main()
