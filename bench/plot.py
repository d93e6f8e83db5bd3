# SPDX-License-Identifier: GPL-2.0-or-later
# plot.py - latencies as bars on a logarithmic scale, as SVG

import math
from xml.sax.saxutils import escape

WIDTH = 860
LEFT, RIGHT, TOP, BOTTOM = 250, 120, 66, 46
BAR, GAP = 20, 10
P50, P99, GRID, TEXT = "#2b6cb0", "#a9c8e8", "#d9d9d9", "#222222"
FONT = 'font-family="DejaVu Sans, Liberation Sans, Arial, sans-serif"'


def duration(ns):
    """Return: as one would say it: 73 us, 1.02 s."""
    for unit, of in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= of:
            value = ns / of
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{ns:.0f} ns"


def _text(x, y, text, anchor="start", size=12, colour=TEXT):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" {FONT}>'
            f"{escape(text)}</text>")


def _on_lines(x, y, text):
    """Text over the grid: with a rim that covers the lines."""
    rim = _text(x, y, text, size=11).replace("<text", '<text stroke="#ffffff" stroke-width="4"')
    return rim + _text(x, y, text, size=11)


def _rectangle(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def draw(title, subtitle, rows):
    """rows: dicts with name, p50_ns and p99_ns, at least one. Return: the SVG's text."""
    low = math.floor(math.log10(min(max(1, row["p50_ns"]) for row in rows)))
    high = max(low + 1, math.ceil(math.log10(max(row["p99_ns"] for row in rows))))
    span = WIDTH - LEFT - RIGHT
    bottom = TOP + len(rows) * (BAR + GAP)

    def x_of(ns):
        return LEFT + span * (math.log10(max(ns, 10 ** low)) - low) / (high - low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + BOTTOM}" '
           f'viewBox="0 0 {WIDTH} {bottom + BOTTOM}">',
           f'<rect width="{WIDTH}" height="{bottom + BOTTOM}" fill="#ffffff"/>',
           _text(16, 24, title, size=16), _text(16, 44, subtitle, size=11, colour="#555555"),
           _rectangle(WIDTH - 150, 32, 12, 12, P50), _text(WIDTH - 133, 43, "p50", size=11),
           _rectangle(WIDTH - 90, 32, 12, 12, P99), _text(WIDTH - 73, 43, "p99", size=11)]
    for power in range(low, high + 1):
        x = x_of(10 ** power)
        out.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>')
        out.append(_text(x, bottom + 18, duration(10 ** power), "middle", 11))
    out.append(_text(LEFT + span / 2, bottom + 36, "latency, logarithmic", "middle", 11, "#555555"))
    for index, row in enumerate(rows):
        y = TOP + index * (BAR + GAP)
        out += [_rectangle(LEFT, y, x_of(row["p99_ns"]) - LEFT, BAR, P99),
                _rectangle(LEFT, y + 4, x_of(row["p50_ns"]) - LEFT, BAR - 8, P50),
                _text(LEFT - 8, y + BAR - 6, row["name"], "end"),
                _on_lines(x_of(row["p99_ns"]) + 6, y + BAR - 6,
                          f"{duration(row['p50_ns'])} / {duration(row['p99_ns'])}")]
    return "\n".join([*out, "</svg>", ""])
