#!/usr/bin/env python3
"""Draws what a terminal shows as SVG: tmux capture-pane -e -p | tools/screenshot.py > docs/top.svg"""

import html
import re
import sys

CELL, LINE, MARGIN = 8.43, 18, 14
PAPER, INK = "#1b1e24", "#d7dae0"
# The first nine of a terminal's colours.
COLORS = ["#1b1e24", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0", "#7f8691"]


def spans(line, style):
    """The texts of a line, each with its column and style. A style goes on over the end of a line."""
    column = 0
    for escape, text in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b]+)", line):
        if text:
            yield column, text, dict(style)
            column += len(text)
            continue
        codes = [int(code or 0) for code in escape.split(";")]
        if codes[:2] == [38, 5]:
            style["color"] = COLORS[codes[2]]
            continue
        for code in codes:
            if code == 0:
                style.clear()
            elif code in (1, 7):
                style[code] = True
            elif 30 <= code <= 37:
                style["color"] = COLORS[code - 30]
            elif code == 39:
                style.pop("color", None)
            elif code == 22:
                style.pop(1, None)
            elif code == 27:
                style.pop(7, None)


def draw(lines):
    width = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) * CELL + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">'
    yield f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>'
    yield "<g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" xml:space=\"preserve\">"
    style = {}
    for row, line in enumerate(lines):
        y = MARGIN + row * LINE
        for column, text, at in spans(line, style):
            x, length = MARGIN + column * CELL, len(text) * CELL
            ink = at.get("color", INK)
            if at.get(7):
                yield f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{LINE}" fill="{ink}"/>'
                ink = PAPER
            if text.strip():
                weight = ' font-weight="bold"' if at.get(1) else ""
                yield (f'<text x="{x:.1f}" y="{y + 13}" textLength="{length:.1f}" fill="{ink}"{weight}>'
                       f"{html.escape(text)}</text>")
    yield "</g></svg>"


if __name__ == "__main__":
    print("\n".join(draw(sys.stdin.read().rstrip("\n").split("\n"))))
