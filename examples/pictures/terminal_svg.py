#!/usr/bin/env python3
"""terminal_svg.py - what a command prints on a terminal, from standard input, as an SVG picture on standard output.

Knows the colours that the commands use: bold, faint and the eight of ANSI. Each piece of a line is as wide as its number
of characters says, so that columns are aligned whatever font the reader has.
"""
import html
import re
import sys

WIDTH, HEIGHT, MARGIN = 8.4, 20, 16
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea"}


def pieces(line):
    """The line's pieces: (column, text, attributes of SVG)."""
    column, style = 0, {}
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if code:
            for number in code[1].split(";"):
                if number in ("", "0"):
                    style = {}
                elif number == "1":
                    style["font-weight"] = "bold"
                elif number == "2":
                    style["opacity"] = "0.7"
                elif number in COLOURS:
                    style["fill"] = COLOURS[number]
            continue
        for word in re.finditer(r"\S+(?: \S+)*", part):
            yield column + word.start(), word[0], dict(style)
        column += len(part)


lines = sys.stdin.read().rstrip("\n").split("\n")
plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
width = round(2 * MARGIN + WIDTH * max(map(len, plain)))
height = 2 * MARGIN + HEIGHT * len(lines)
print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">')
print(f'<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>')
print('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14" fill="#e6edf3">')
for number, line in enumerate(lines):
    for column, text, style in pieces(line):
        attributes = "".join(f' {name}="{value}"' for name, value in style.items())
        print(f'<text x="{MARGIN + WIDTH * column:.1f}" y="{MARGIN + HEIGHT * number + 15}" '
              f'textLength="{WIDTH * len(text):.1f}"{attributes}>{html.escape(text)}</text>')
print("</g>\n</svg>")
