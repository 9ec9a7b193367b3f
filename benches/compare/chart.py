"""The report as one SVG file: a panel of bars for each scenario, then the ratios with their bars."""

import math
from html import escape

WIDTH, LEFT, RIGHT = 960, 300, 60
ROW = 26
COLOURS = {"ours": ("#0f766e", "#5eead4"), "guarded": ("#1d4ed8", "#93c5fd"), "open": ("#64748b", "#cbd5e1")}
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1e293b }
.title { font-size: 20px; font-weight: 650 } .panel { font-size: 15px; font-weight: 600 }
.note, .axis { font-size: 11.5px; fill: #64748b } .ours { font-weight: 650 } .grid { stroke: #e2e8f0 }
.met { fill: #0f766e; font-weight: 600 } .missed { fill: #b91c1c; font-weight: 600 }
"""


class Page:
    def __init__(self):
        self.y, self.parts = 24, []

    def text(self, x, y, text, kind="", anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>')

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height}" '
                          f'rx="2" fill="{colour}"/>')

    def line(self, x, top, bottom):
        self.parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" class="grid"/>')

    def svg(self):
        height = self.y + 16
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
                f'viewBox="0 0 {WIDTH} {height:.0f}"><style>{STYLE}</style>'
                f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def chart(report):
    page, facts = Page(), report["machine"]
    page.text(24, page.y + 12, "Tollgate and its peers: what a request costs the proxy", "title")
    method = report["method"]
    page.text(24, page.y + 34, f"{facts['processor']}, {facts['cores']} cores, Linux {facts['kernel']}; proxy on one "
              f"core; median of {method['rounds']} interleaved rounds of {method['seconds']} s; load at start "
              f"{facts['load_at_start']:g}; {report['when'][:10]}",
              "note")
    _legend(page, page.y + 56)
    page.y += 76
    for result in report["scenarios"].values():
        if "skipped" not in result:
            _panel(page, result)
    _figures(page, report["figures"])
    return page.svg()


def _legend(page, y):
    x = 24
    for kind, name in (("ours", "Tollgate"), ("guarded", "peer that checks the token"),
                       ("open", "peer that checks nothing")):
        page.box(x, y - 10, 11, 12, COLOURS[kind][0])
        page.box(x + 11, y - 10, 11, 12, COLOURS[kind][1])
        page.text(x + 28, y, name, "note")
        x += 60 + 6.4 * len(name)
    page.text(x, y, "CPU: dark is user time, light is system time", "note")


def _bars(result):
    """Returns a panel's unit, and the segments and labels of each peer."""
    for key, peer in result["peers"].items():
        if result["kind"] == "cpu":
            each = peer["median"]
            yield key, peer, (each["user_us"], each["system_us"]), (
                f"{each['cpu_us']:.1f} µs · {each['rps']:,.0f}/s · p99 {_time(each['p99_us'])}")
        elif result["kind"] == "latency":
            each = peer["median"]
            yield key, peer, (each["p50_us"], each["p99_us"] - each["p50_us"]), (
                f"p50 {_time(each['p50_us'])} · p99 {_time(each['p99_us'])} · p99.9 {_time(each['p999_us'])}")
        else:
            kib = peer["bytes_each"] / 1024
            yield key, peer, (kib,), f"{kib:.1f} KiB"


def _panel(page, result):
    unit = {"cpu": "CPU µs a request", "latency": "latency in µs, dark to p50, light to p99",
            "memory": "KiB a connection"}[result["kind"]]
    bars = sorted(_bars(result), key=lambda bar: sum(bar[2]) if result["kind"] != "latency" else 0)
    if not bars:
        return
    page.text(24, page.y + 18, result["title"][0].upper() + result["title"][1:], "panel")
    page.text(WIDTH - 24, page.y + 18, unit, "axis", "end")
    # A third of the width is kept for the label of the longest bar.
    most = max(sum(segments) for _, _, segments, _ in bars) or 1
    scale = (WIDTH - LEFT - RIGHT - 210) / most
    top, bottom = page.y + 30, page.y + 32 + ROW * len(bars)
    step = _step(most)
    for tick in range(int(most / step) + 1):
        x = LEFT + tick * step * scale
        page.line(x, top, bottom)
        page.text(x, bottom + 13, f"{tick * step:g}", "axis", "middle")
    for number, (key, peer, segments, words) in enumerate(bars):
        y, x = top + 4 + number * ROW, LEFT
        ours = key.startswith(("tollgate", "issue")) or result["kind"] == "latency"
        colours = COLOURS["ours" if ours else "guarded" if peer["authorises"] else "open"]
        page.text(LEFT - 10, y + 14, peer["label"], "ours" if ours else "", "end")
        for segment, colour in zip(segments, colours):
            page.box(x, y, segment * scale, ROW - 7, colour)
            x += segment * scale
        page.text(x + 8, y + 14, words + (f" · {peer['failed']} failed" if peer.get("failed") else ""), "note")
    page.y = bottom + 34


def _figures(page, rows):
    rows = [row for row in rows if row["bar"] is not None]
    if not rows:
        return
    page.text(24, page.y + 18, "Against the bars of the design (less is better)", "panel")
    page.y += 30
    for row in rows:
        y = page.y + 14
        page.text(24, y, row["figure"])
        page.text(640, y, f"{row['value']:.2f} {row['unit']}".strip(), "ours", "end")
        page.text(660, y, f"bar {row['bar']:g}, stretch {row['stretch']:g}", "note")
        page.text(WIDTH - 24, y, row["verdict"], "met" if row["verdict"].endswith("met") else "missed", "end")
        page.y += ROW - 4
    page.y += 8


def _step(most):
    """Returns a round distance between grid lines: at most eight of them."""
    power = 10 ** math.floor(math.log10(most))
    return next(step for step in (power / 5, power / 2, power, power * 2) if most / step <= 8)


def _time(microseconds):
    return f"{microseconds / 1000:.1f} ms" if microseconds >= 1000 else f"{microseconds:.0f} µs"
