"""The ways to serve many clients, beside each other: bench/run models."""

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
import models_plot  # noqa: E402
import models_table  # noqa: E402

CONGESTION = "cubic"
MODELS = ["bare", "fork", "thread", "blocking", "event"]
WORKERS = {"blocking": 4, "event": 2}
LOAD_THREADS = 1
GATHERED = 500  # frames in one call

# payload: its size, frames in one call, and how many connections a round has
# at each number of clients at once, so that a round lasts about a second
PAYLOADS = {
    "11 bytes": (11, GATHERED, {1: 6000, 8: 20000, 64: 20000, 512: 20000}),
    "64 KiB": (64 << 10, GATHERED, {1: 4000, 8: 10000, 64: 10000, 512: 10000}),
    "64 KiB, a call for each frame": (64 << 10, 1, {64: 4000}),
    "64 MiB": (64 << 20, GATHERED, {1: 8, 8: 32, 64: 64, 512: 512}),
    "64 MiB, a call for each frame": (64 << 20, 1, {8: 16}),
}
QUICK = {
    "11 bytes": (11, GATHERED, {1: 3000, 64: 10000}),
    "64 KiB": (64 << 10, GATHERED, {64: 5000}),
    "64 KiB, a call for each frame": (64 << 10, 1, {64: 2000}),
    "64 MiB": (64 << 20, GATHERED, {8: 16}),
}
# What takes many seconds a round is told by fewer of them.
HEAVY, HEAVY_ROUNDS = 8 << 30, 3
HELD = [1, 64, 512]
HOLDING = [model for model in MODELS if model != "bare"]


def main():
    args = arguments()
    began = time.time()
    payloads = QUICK if args.quick else PAYLOADS
    patience = measure.Patience(args.patience)
    with tempfile.TemporaryDirectory(prefix="netpan-bench-") as folder:
        rounds = [cell for name, how in payloads.items()
                  for cell in payload_rounds(
                      args, patience, folder, name, *how)]
        memory = held_memory(args, folder)
    result = {
        "date": time.strftime("%Y-%m-%d", time.gmtime(began)),
        "machine": measure.machine(),
        "command": "bench/run models" + (" --quick" if args.quick else ""),
        "rounds": args.rounds,
        "workers": WORKERS,
        "load_threads": LOAD_THREADS,
        "cells": rounds,
        "memory": memory,
    }
    write(args, result)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--patience", type=int, help="seconds to wait, in "
                        "all, for others to leave the machine alone")
    parser.add_argument("--out", default=os.path.join(BENCH, "results"))
    parser.add_argument("--plot", default=None)
    args = parser.parse_args()
    if args.patience is None:
        args.patience = 0 if args.quick else 1200
    args.rounds = args.rounds or (3 if args.quick else 7)
    return args


def payload_rounds(args, patience, folder, name, size, frames, counts):
    """For each number of clients a cell of medians for each model."""
    path = os.path.join(folder, "file-%d" % size)
    measure.write_file(path, size)
    servers = {model: start(args, model, path, frames) for model in MODELS}
    try:
        for at_once, connections in counts.items():
            samples = {model: [] for model in MODELS}
            heavy = size * connections > HEAVY
            rounds = min(args.rounds, HEAVY_ROUNDS) if heavy else args.rounds
            for n in range(rounds + 1):
                # no model always follows the same one
                for model in turned(MODELS, n):
                    one = patience.undisturbed(lambda: sample(
                        args, servers[model], path, connections, at_once))
                    if n > 0:  # the first one warms up
                        samples[model].append(one)
            yield cell(name, size, at_once, connections, samples)
    finally:
        for server in servers.values():
            server.stop()


def turned(names, n):
    n %= len(names)
    return names[n:] + names[:n]


def start(args, model, path, frames):
    command = [os.path.join(args.build, "bench", "bench-server"), model, path,
               str(frames), CONGESTION, str(WORKERS.get(model, 0))]
    return measure.Server(command)


def sample(args, server, path, connections, at_once):
    command = [os.path.join(args.build, "bench", "bench-load"),
               str(server.port), path, str(connections), str(at_once),
               str(LOAD_THREADS)]
    others = measure.Others()
    client_before = measure.ended_children_seconds()
    before = server.cpu_seconds()
    run = subprocess.run(command, stdout=subprocess.PIPE, timeout=600,
                         check=True)
    cpu = server.cpu_seconds() - before
    client = measure.ended_children_seconds() - client_before
    load = json.loads(run.stdout)
    return {
        "per_second": connections / load["seconds"],
        "gb_per_second": load["bytes"] / load["seconds"] / 1e9,
        "cpu_us": cpu / connections * 1e6,
        "cpu_s_per_gb": cpu / load["bytes"] * 1e9,
        "client_cpu_us": client / connections * 1e6,
        "p50_us": load["p50_us"],
        "p99_us": load["p99_us"],
        "others": others.share(cpu + client),
    }


def cell(name, size, at_once, connections, samples):
    fields = samples[MODELS[0]][0]
    row = {"payload": name, "size": size, "at_once": at_once,
           "connections": connections, "models": {}}
    for model, rows in samples.items():
        row["models"][model] = {
            field: measure.median(rows, field) for field in fields}
        row["models"][model]["cpu_spread"] = measure.spread(rows, "cpu_us")
    line = ", ".join("%s %.1f" % (model, values["cpu_us"])
                     for model, values in row["models"].items())
    print("%s, %d at once: CPU us/connection: %s" % (name, at_once, line),
          file=sys.stderr, flush=True)
    return row


def held_memory(args, folder):
    """PSS of all of a server's processes while clients read nothing."""
    path = os.path.join(folder, "file-%d" % (64 << 20))
    rows = []
    for at_once in HELD:
        row = {"at_once": at_once, "pss_kib": {}, "processes": {}}
        for model in HOLDING:
            with start(args, model, path, GATHERED) as server:
                server.settled_pss_kib()
                pss, processes = held_pss(args, server, at_once)
            row["pss_kib"][model] = pss
            row["processes"][model] = processes
        rows.append(row)
    return rows


def held_pss(args, server, at_once):
    command = [os.path.join(args.build, "bench", "bench-load"), "--hold",
               str(server.port), str(at_once)]
    with subprocess.Popen(command, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as holder:
        try:
            if holder.stdout.readline() != b"held\n":
                raise RuntimeError("bench-load --hold failed")
            return server.settled_pss_kib(), len(server.pids())
        finally:
            holder.stdin.close()


def write(args, result):
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "models.json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    text = models_table.markdown(result)
    with open(os.path.join(args.out, "models.md"), "w") as f:
        f.write(text)
    if args.plot:
        with open(args.plot, "w") as f:
            f.write(models_plot.svg(result))
    print(text)


if __name__ == "__main__":
    main()
