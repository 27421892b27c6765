"""The measurement of the models as Markdown."""

NAMES = {
    "bare": "one process, no hand-over",
    "fork": "fork per client",
    "thread": "thread per client",
    "blocking": "pool, blocking children",
    "event": "pool, event workers",
}

# what is to be reached with 64 clients at once: (of fork, of thread)
GOALS = {
    ("11 bytes", "blocking"): (0.30, 0.80),
    ("11 bytes", "event"): (0.18, 0.45),
    ("64 KiB", "blocking"): (0.60, 0.80),
    ("64 KiB", "event"): (0.60, 0.80),
}
BIG = 1 << 20


def markdown(result):
    parts = ["# The models\n", about(result), goals(result)]
    names = []
    for cell in result["cells"]:
        if cell["payload"] not in names:
            names.append(cell["payload"])
    parts.append(memory_table(result["memory"]))
    for name in names:
        cells = [c for c in result["cells"] if c["payload"] == name]
        table = big_table if cells[0]["size"] >= BIG else small_table
        parts.append("## %s\n\n%s" % (name, table(cells)))
    return "\n".join(parts)


def about(result):
    return ("%s, %s. `%s`, median of %d rounds, all servers in turn in each; "
            "%d blocking children, %d event workers; cubic on every listener; "
            "others had at most %.2f processors in half of the rounds.\n" % (
                result["machine"], result["date"], result["command"],
                result["rounds"], result["workers"]["blocking"],
                result["workers"]["event"], disturbed(result)))


def disturbed(result):
    return max(v["others"] for c in result["cells"]
               for v in c["models"].values())


def find(result, payload, at_once):
    for cell in result["cells"]:
        if cell["payload"] == payload and cell["at_once"] == at_once:
            return cell
    return None


def ratio(cell, model, to, field="cpu_us"):
    return cell["models"][model][field] / cell["models"][to][field]


def goals(result):
    lines = ["## CPU per connection, 64 clients at once\n",
             "| payload | | of fork | goal | of thread | goal |",
             "|---|---|---|---|---|---|"]
    for (payload, model), (fork, thread) in GOALS.items():
        cell = find(result, payload, 64)
        if cell is None:
            continue
        lines.append("| %s | %s | **%.2f** | %.2f | **%.2f** | %.2f |" % (
            payload, NAMES[model], ratio(cell, model, "fork"), fork,
            ratio(cell, model, "thread"), thread))
    return "\n".join(lines) + "\n"


def small_table(cells):
    lines = ["| at once | | connections/s | server CPU us | of fork | "
             "of thread | p50 ms | p99 ms | spread of CPU |",
             "|---|---|---|---|---|---|---|---|---|"]
    for cell in cells:
        for model, v in cell["models"].items():
            lines.append(
                "| %d | %s | %s | %.1f | %.2f | %.2f | %.2f | %.2f | %.0f %% |"
                % (cell["at_once"], NAMES[model],
                   "{:,.0f}".format(v["per_second"]), v["cpu_us"],
                   ratio(cell, model, "fork"), ratio(cell, model, "thread"),
                   v["p50_us"] / 1000, v["p99_us"] / 1000,
                   100 * v["cpu_spread"]))
    return "\n".join(lines) + "\n"


def big_table(cells):
    lines = ["| at once | | GB/s | of fork | of thread | server CPU s/GB | "
             "of fork | of thread | p50 s | p99 s |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for cell in cells:
        for model, v in cell["models"].items():
            rates = [ratio(cell, model, to, "gb_per_second")
                     for to in ("fork", "thread")]
            costs = [ratio(cell, model, to) for to in ("fork", "thread")]
            lines.append(
                "| %d | %s | %.2f | %.2f | %.2f | %.3f | %.2f | %.2f "
                "| %.2f | %.2f |"
                % (cell["at_once"], NAMES[model], v["gb_per_second"], *rates,
                   v["cpu_s_per_gb"], *costs, v["p50_us"] / 1e6,
                   v["p99_us"] / 1e6))
    return "\n".join(lines) + "\n"


def memory_table(rows):
    lines = ["## Memory, while clients of 64 MiB read nothing\n",
             "| at once | | processes | PSS MiB |", "|---|---|---|---|"]
    for row in rows:
        for model, kib in row["pss_kib"].items():
            lines.append("| %d | %s | %d | %.1f |" % (
                row["at_once"], NAMES[model], row["processes"][model],
                kib / 1024))
    return "\n".join(lines) + "\n"
