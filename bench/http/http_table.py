"""The measurement of HTTP as Markdown: figures, ratios and goals."""

NAMES = {
    "netpan": "netpan",
    "nginx": "nginx",
    "nginx-cache": "nginx + cache",
    "lighttpd": "lighttpd",
    "h2o": "h2o",
    "nginx-threads": "nginx + threads",
    "floor": "floor",
}
PEERS = ["nginx", "nginx-cache", "lighttpd", "h2o", "nginx-threads"]

# field: unit, factor, digits, and whether less of it is better
FIGURES = {
    "cpu_us": ("CPU us/request", 1, 2, True),
    "per_second": ("requests/s", 1, 0, False),
    "gb_per_second": ("GB/s", 1, 2, False),
    "p99_us": ("p99 ms", 1e-3, 2, True),
    "p999_us": ("p99.9 ms", 1e-3, 2, True),
    "kib_per_connection": ("KiB/connection", 1, 2, True),
}

# scenario: (figure, what it is compared with, the limit)
GOALS = {
    "keepalive-1k": [("cpu_us", "best", 0.75)],
    "keepalive-1k-folders": [("cpu_us", "best", 0.75)],
    "wrk-1k": [("cpu_us", "best", 0.75)],
    "keepalive-16k": [("cpu_us", "best", 0.80)],
    "keepalive-16k-folders": [("cpu_us", "best", 0.80)],
    "wrk-16k": [("cpu_us", "best", 0.80)],
    "two-1k": [("per_second", "best", 1.00)],
    "two-16k": [("per_second", "best", 1.00)],
    "close-1k": [("cpu_us", "nginx", 1.10), ("per_second", "nginx", 0.95)],
    "big-1": [("gb_per_second", "nginx", 0.98)],
    "big-8": [("gb_per_second", "nginx", 0.98)],
    "ranges": [("gb_per_second", "nginx", 1.00), ("p99_us", None, 1.5)],
    "hot-bulk": [("p99_us", None, 0.6), ("gb_per_second", "nginx", 0.95)],
    "hot-cold": [("p99_us", None, 1.0), ("p999_us", None, 3.0),
                 ("gb_per_second", "best", 1.00)],
    "idle": [("kib_per_connection", None, 0.5)],
    "stalled": [("kib_per_connection", None, 2.0)],
    "big-installed": [("gb_per_second", "nginx", 5.00)],
}


def markdown(result):
    return "\n".join(["# Files over HTTP\n", about(result), goals(result),
                      "## Everything\n", everything(result)])


def about(result):
    return ("%s, %s. `%s`, median of %d rounds of %s s (memory: at most 3), all "
            "servers in turn in each; others had at most %.2f processors in half of the "
            "rounds. Pinned: one worker on processor 0, the client on 1; "
            "else two workers, on any.\n\n%s\n" % (
                result["machine"], result["date"], result["command"],
                result["rounds"], result["seconds"], disturbed(result),
                "; ".join("%s: %s" % (NAMES[name], version) for name, version
                          in result["servers"].items())))


def disturbed(result):
    return max((v["others"] for s in result["scenarios"]
                for v in s["servers"].values()), default=0.0)


def goals(result):
    names = [n for n in NAMES if any(n in s["servers"] or n in s["failed"]
                                     for s in result["scenarios"])]
    lines = ["| | | %s | of the best peer | of nginx | goal | reached |"
             % " | ".join(NAMES[n] for n in names),
             "|---" * (len(names) + 6) + "|"]
    for scenario in result["scenarios"]:
        for field, to, limit in GOALS[scenario["name"]]:
            lines.append("| %s | %s | %s | %s | %s | %s | %s |" % (
                scenario["title"], FIGURES[field][0],
                " | ".join(figure(scenario, n, field) for n in names),
                times(ratio_to_best(scenario, field)),
                times(ratio(scenario, "nginx", field)),
                goal_text(field, to, limit),
                {True: "yes", False: "**no**", None: ""}[
                    is_reached(scenario, field, to, limit)]))
    return "\n".join(lines) + "\n"


def figure(scenario, name, field):
    if name in scenario["failed"]:
        return "failed"
    if name not in scenario["servers"]:
        return ""
    return number(scenario["servers"][name][field], field)


def number(value, field):
    _, factor, digits, _ = FIGURES[field]
    return "{:,.{}f}".format(value * factor, digits)


def times(value):
    return "" if value is None else "%.2f" % value


def ratio(scenario, to, field):
    """netpan's figure, of that server's; None if either is not there."""
    servers = scenario["servers"]
    if "netpan" not in servers or to not in servers:
        return None
    if not servers[to][field]:
        return None
    return servers["netpan"][field] / servers[to][field]


def ratio_to_best(scenario, field):
    return ratio(scenario, best_peer(scenario, field), field)


def best_peer(scenario, field):
    peers = [n for n in PEERS if n in scenario["servers"]]
    best = min if FIGURES[field][3] else max
    return best(peers, default=None,
                key=lambda n: scenario["servers"][n][field])


def goal_text(field, to, limit):
    sign = "≤" if FIGURES[field][3] else "≥"
    if to is None:
        return "%s %g" % (sign, limit)
    return "%s %.2f of %s" % (sign, limit,
                              "the best" if to == "best" else NAMES[to])


def is_reached(scenario, field, to, limit):
    """None: there is nothing to say it by."""
    _, factor, _, is_less = FIGURES[field]
    if to == "best":
        value = ratio_to_best(scenario, field)
    elif to is not None:
        value = ratio(scenario, to, field)
    elif "netpan" in scenario["servers"]:
        value = scenario["servers"]["netpan"][field] * factor
    else:
        value = None
    if value is None:
        return None
    return value <= limit if is_less else value >= limit


def everything(result):
    """Each scenario's figures of all servers, with how far the rounds lay
    apart."""
    lines = ["| | server | requests/s | CPU us/request | GB/s | CPU s/GB | "
             "p50 ms | p99 ms | p99.9 ms | KiB/connection | client CPUs | "
             "spread of the first figure |",
             "|---" * 12 + "|"]
    for scenario in result["scenarios"]:
        first = GOALS[scenario["name"]][0][0]
        for name in sorted(scenario["servers"], key=list(NAMES).index):
            v = scenario["servers"][name]
            lines.append("| %s | %s | %s | %.2f | %.0f %% |" % (
                scenario["name"], NAMES[name],
                " | ".join(optional(v, *how) for how in (
                    ("per_second", 1, 0), ("cpu_us", 1, 2),
                    ("gb_per_second", 1, 2), ("cpu_s_per_gb", 1, 3),
                    ("p50_us", 1e-3, 3), ("p99_us", 1e-3, 3),
                    ("p999_us", 1e-3, 3), ("kib_per_connection", 1, 2))),
                v["client_cpus"], 100 * v["spread"][first]))
        for name, why in scenario["failed"].items():
            lines.append("| %s | %s | failed: %s |" % (
                scenario["name"], NAMES[name], why + " |" * 9))
    return "\n".join(lines) + "\n"


def optional(values, field, factor, digits):
    if field not in values:
        return ""
    return "{:,.{}f}".format(values[field] * factor, digits)


def line(scenario):
    """One scenario in a line, while the measurement goes on."""
    field = GOALS[scenario["name"]][0][0]
    return "%s: %s: %s" % (scenario["name"], FIGURES[field][0], ", ".join(
        "%s %s" % (name, number(v[field], field))
        for name, v in scenario["servers"].items()))
