#!/usr/bin/env python3
"""smaller_png.py IN OUT - writes a screenshot of Chromium's anew with a palette of 256 colours, a third of its size.

A page has few colours and the steps between them at the edges of letters, so nobody sees the difference: each colour
becomes the nearest of the 256 commonest ones.
"""
import struct
import sys
import zlib
from collections import Counter
from itertools import accumulate

MAGIC = b"\x89PNG\r\n\x1a\n"


def chunks(data):
    at = len(MAGIC)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8:at + 8 + length]
        at += length + 12


def with_left(line, size):
    for at in range(size):
        line[at::size] = bytes(accumulate(line[at::size], lambda left, difference: (left + difference) & 255))
    return line


def with_average(line, above, size):
    for i, up in enumerate(above):
        line[i] = (line[i] + ((line[i - size] if i >= size else 0) + up) // 2) & 255
    return line


def with_paeth(line, above, size):
    """Whichever of left, above and upper left is nearest to left + above - upper left."""
    for i, up in enumerate(above):
        left, corner = (line[i - size], above[i - size]) if i >= size else (0, 0)
        if left == corner or up == corner:
            nearest = up if left == corner else left
        else:
            by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            nearest = left if by_left <= by_up and by_left <= by_corner else up if by_up <= by_corner else corner
        line[i] = (line[i] + nearest) & 255
    return line


def unfiltered(kind, line, above, size):
    """A line without its filter (PNG, section 9.2)."""
    if kind == 1:
        return with_left(line, size)
    if kind == 2:
        return bytearray((a + b) & 255 for a, b in zip(line, above)) if any(line) else above
    if kind == 3:
        return with_average(line, above, size)
    return with_paeth(line, above, size) if kind == 4 else line


def pixels(data):
    """Width, and the lines: a list of (red, green, blue) each."""
    found = list(chunks(data))
    width, _, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", found[0][1])
    assert depth == 8 and colour in (2, 6) and not interlaced
    size = 3 if colour == 2 else 4
    raw = zlib.decompress(b"".join(part for kind, part in found if kind == b"IDAT"))
    above, lines = bytearray(width * size), []
    for at in range(0, len(raw), width * size + 1):
        above = unfiltered(raw[at], bytearray(raw[at + 1:at + 1 + width * size]), above, size)
        lines.append(list(zip(above[0::size], above[1::size], above[2::size])))
    return width, lines


def palette_of(lines):
    """The palette, and for each colour its place in it."""
    counts = Counter(colour for line in lines for colour in line)
    palette = [colour for colour, _ in counts.most_common(256)]
    place = {colour: i for i, colour in enumerate(palette)}
    for colour in set(counts) - set(palette):
        r, g, b = colour
        distances = [(x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2 for x, y, z in palette]
        place[colour] = distances.index(min(distances))
    return palette, place


def main(source, target):
    with open(source, "rb") as file:
        width, lines = pixels(file.read())
    palette, place = palette_of(lines)
    body = zlib.compress(b"".join(b"\0" + bytes(map(place.__getitem__, line)) for line in lines), 9)
    with open(target, "wb") as file:
        file.write(MAGIC)
        for kind, part in ((b"IHDR", struct.pack(">IIBBBBB", width, len(lines), 8, 3, 0, 0, 0)),
                           (b"PLTE", bytes(n for colour in palette for n in colour)), (b"IDAT", body), (b"IEND", b"")):
            file.write(struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)))


if __name__ == "__main__":
    main(*sys.argv[1:])
