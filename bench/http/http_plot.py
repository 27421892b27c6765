"""The measurement of HTTP as an SVG for the README."""

from http_table import FIGURES, NAMES, number

WIDTH, COLUMNS, TOP, MARGIN = 920, 2, 62, 24
BAR, GAP, HEAD = 16, 6, 44
LABEL, VALUE = 112, 70  # room left and right of the bars
COLOURS = {"netpan": "#2f7d6d"}
OTHERS = "#b9c4d0"
SERVERS = ["netpan", "nginx", "nginx-cache", "nginx-threads", "lighttpd", "h2o"]
PANELS = [
    ("keepalive-1k", "cpu_us", "1 KiB file: CPU µs per request"),
    ("keepalive-16k", "cpu_us", "16 KiB file: CPU µs per request"),
    ("two-1k", "per_second", "1 KiB, two workers: requests/s"),
    ("close-1k", "cpu_us", "1 KiB, new connection each: CPU µs"),
    ("big-8", "gb_per_second", "1 GiB, 8 connections: GB/s"),
    ("big-installed", "gb_per_second", "1 GiB, as installed: GB/s"),
    ("hot-bulk", "p99_us", "1 KiB beside 64 downloads: p99 in ms"),
    ("hot-cold", "p99_us", "1 KiB beside cold files: p99 in ms"),
    ("idle", "kib_per_connection", "Idle connection: KiB"),
    ("stalled", "kib_per_connection", "Stalled download: KiB"),
]
STYLE = """
    text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #1d2733; }
    .title { font-weight: 600; font-size: 17px; }
    .panel { font-weight: 600; font-size: 14px; }
    .small { font-size: 12px; fill: #46566a; }
    .label { text-anchor: end; }
    .bar { stroke: #7c8da1; stroke-width: 0.8; }
"""


def svg(result):
    found = {s["name"]: s for s in result["scenarios"]}
    panels = [(found[name], field, title) for name, field, title in PANELS
              if found.get(name, {}).get("servers")]
    drawn, y = [], TOP
    for i in range(0, len(panels), COLUMNS):
        row = panels[i:i + COLUMNS]
        for column, one in enumerate(row):
            drawn += panel(*one, MARGIN + column * panel_width(), y)
        y += max(panel_height(scenario) for scenario, _, _ in row)
    height = y + 12
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
        'width="%d" height="%d" role="img" aria-labelledby="title desc">'
        % (WIDTH, height, WIDTH, height),
        '  <title id="title">Files over HTTP, beside other servers</title>',
        '  <desc id="desc">%s</desc>' % description(panels),
        "  <style>%s  </style>" % STYLE,
        '  <rect width="%d" height="%d" rx="10" fill="#f6f8fa"/>'
        % (WIDTH, height),
        text(MARGIN, 34, "title", "Files over HTTP, beside other servers on "
             "the same machine"),
        *drawn, "</svg>", ""])


def panel_width():
    return (WIDTH - MARGIN) / COLUMNS


def panel_height(scenario):
    return HEAD + len(present(scenario)) * (BAR + GAP) + 8


def description(panels):
    return " ".join(
        "%s: %s." % (title, ", ".join(
            "%s %s" % (NAMES[name], number(values[field], field))
            for name, values in present(scenario)))
        for scenario, field, title in panels)


def present(scenario):
    return [(name, scenario["servers"][name]) for name in SERVERS
            if name in scenario["servers"]]


def panel(scenario, field, title, x, y):
    most = max(values[field] for _, values in present(scenario)) or 1
    room = panel_width() - LABEL - VALUE - MARGIN
    parts = [text(x, y + 18, "panel", title),
             text(x, y + 34, "small",
                  "less is better" if FIGURES[field][3]
                  else "more is better")]
    y += HEAD
    for name, values in present(scenario):
        length = max(1.0, room * max(0.0, values[field]) / most)
        parts.append(text(x + LABEL - 8, y + BAR - 3, "label", NAMES[name]))
        parts.append(
            '  <rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2" '
            'fill="%s" class="bar"/>' % (x + LABEL, y, length, BAR,
                                         COLOURS.get(name, OTHERS)))
        parts.append(text(x + LABEL + length + 7, y + BAR - 3, "small",
                          number(values[field], field)))
        y += BAR + GAP
    return parts


def text(x, y, kind, words):
    return '  <text x="%.1f" y="%.1f" class="%s">%s</text>' % (
        x, y, kind, words)
