#!/usr/bin/env python3
"""compare.py AWK_PROGRAM_DIRECTORY [AWK] - the width that width.awk gives each code point is what Python's own Unicode
tables make of it: none for marks and format controls, two for East Asian wide and fullwidth ones, else one. Only code
points that both tables know are compared: the file says which Unicode it was made from, Python has its own."""
import os
import re
import subprocess
import sys
import unicodedata

lib, awk = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "awk"
MADE_VISIBLE = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}  # shown as U+FFFD
JAMO = {*range(0x1160, 0x1200), *range(0xD7B0, 0xD7C7), *range(0xD7CB, 0xD7FC)}  # drawn with what is before them


def promised(point):
    char = chr(point)
    if point in JAMO:
        return 0
    if point != 0xAD and point not in MADE_VISIBLE and unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


points = [p for p in range(0x300, 0x110000)
          if not 0xD800 <= p <= 0xDFFF and unicodedata.category(chr(p)) not in ("Cn", "Co")]
made_from = tuple(map(int, re.search(r"Unicode (\d+)\.(\d+)", open(f"{lib}/width_data.awk").read()).groups()))
if made_from < tuple(map(int, unicodedata.unidata_version.split(".")[:2])):
    # What was added since is unknown to the file; what was there in Unicode 3.2 is enough to tell a wrong table.
    points = [p for p in points if unicodedata.ucd_3_2_0.category(chr(p)) != "Cn"]
assert len(points) > 50_000
programs = [f"-f{lib}/width_data.awk", f"-f{lib}/width.awk", f"-f{os.path.dirname(__file__)}/each_line.awk"]
got = subprocess.run([awk, *programs], check=True, input="".join(chr(p) + "\n" for p in points).encode(),
                     stdout=subprocess.PIPE, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout.split()
assert len(got) == len(points), (len(got), len(points))
wrong = [f"U+{p:04X}: {int(width)}, not {promised(p)}" for p, width in zip(points, got) if int(width) != promised(p)]
if wrong:
    sys.exit(f"{len(wrong)} wrong:\n" + "\n".join(wrong[:20]))
