"""The measurement of the models as an SVG for the README."""

from models_table import NAMES

WIDTH, PANEL_HEIGHT, TOP = 920, 236, 84
LEFT, RIGHT, BAR = 64, 24, 36
COLOURS = {
    "bare": "#ffffff",
    "fork": "#b9c4d0",
    "thread": "#7c8da1",
    "blocking": "#d9902f",
    "event": "#2f7d6d",
}
STYLE = """
    text { font: 15px system-ui, "DejaVu Sans", sans-serif; fill: #1d2733; }
    .title { font-weight: 600; font-size: 17px; }
    .small { font-size: 13px; fill: #46566a; }
    .value { font-size: 12px; text-anchor: middle; }
    .middle { text-anchor: middle; }
    .bar { stroke: #7c8da1; stroke-width: 0.8; }
    .axis { stroke: #1d2733; stroke-width: 1.2; }
"""


def svg(result):
    panels = [p for p in ("11 bytes", "64 KiB")
              if any(c["payload"] == p for c in result["cells"])]
    height = TOP + PANEL_HEIGHT * len(panels) + 12
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
        'width="%d" height="%d" role="img" aria-labelledby="title desc">'
        % (WIDTH, height, WIDTH, height),
        '  <title id="title">What a connection costs the server</title>',
        '  <desc id="desc">%s</desc>' % description(result, panels),
        "  <style>%s  </style>" % STYLE,
        '  <rect width="%d" height="%d" rx="10" fill="#f6f8fa"/>'
        % (WIDTH, height),
        text(LEFT - 40, 34, "title",
             "What a connection costs the server: CPU time in µs, "
             "less is better"),
        legend(),
    ]
    for i, payload in enumerate(panels):
        parts.append(panel(result, payload, TOP + i * PANEL_HEIGHT))
    return "\n".join(parts + ["</svg>", ""])


def description(result, panels):
    sentences = []
    for payload in panels:
        for c in cells_of(result, payload):
            values = ", ".join(
                "%s %.0f" % (NAMES[m], v["cpu_us"])
                for m, v in c["models"].items())
            sentences.append("%s, %d clients at once: %s."
                             % (payload, c["at_once"], values))
    return " ".join(sentences)


def cells_of(result, payload):
    return [c for c in result["cells"] if c["payload"] == payload]


def text(x, y, kind, words):
    return '  <text x="%.1f" y="%.1f" class="%s">%s</text>' % (
        x, y, kind, words)


def legend():
    parts, x = [], LEFT - 40
    for model, colour in COLOURS.items():
        parts.append('  <rect x="%d" y="50" width="14" height="14" rx="3" '
                     'fill="%s" class="bar"/>' % (x, colour))
        parts.append(text(x + 21, 62, "small", NAMES[model]))
        x += 38 + 7 * len(NAMES[model])
    return "\n".join(parts)


def panel(result, payload, y):
    cells = cells_of(result, payload)
    most = max(v["cpu_us"] for c in cells for v in c["models"].values())
    base, room = y + PANEL_HEIGHT - 44, PANEL_HEIGHT - 90
    step = (WIDTH - LEFT - RIGHT) / len(cells)
    parts = [text(LEFT - 40, y + 22, "title", payload)]
    for i, c in enumerate(cells):
        x = LEFT + i * step + (step - len(COLOURS) * BAR) / 2 - 20
        for model, v in c["models"].items():
            height = max(1.0, room * v["cpu_us"] / most)
            parts.append(
                '  <rect x="%.1f" y="%.1f" width="%d" height="%.1f" rx="2" '
                'fill="%s" class="bar"/>' % (x, base - height, BAR - 6, height,
                                 COLOURS[model]))
            parts.append(text(x + (BAR - 6) / 2, base - height - 5, "value",
                              "%.0f" % v["cpu_us"]))
            x += BAR
        words = "%d client%s at once" % (
            c["at_once"], "" if c["at_once"] == 1 else "s")
        parts.append(text(x - (len(COLOURS) * BAR + 6) / 2, base + 19,
                          "small middle", words))
    parts.append('  <path d="M%d %.1fH%d" class="axis"/>'
                 % (LEFT - 40, base, WIDTH - RIGHT))
    return "\n".join(parts)
