#!/usr/bin/env python3
"""generate.py OUT_DIR SEED_DIR... [--lines N] [--longest BYTES] [--seed S] - writes result files full of lines.

The lines are crafted (every kind that json.loads() and RFC 8259 know or argue about) and mutated (lines of the .jsonl files
below SEED_DIR, and crafted ones: bytes flipped, deleted, inserted, repeated, lines cut short and glued together). The
same seed gives the same files. A line is at most some tens of kilobytes, apart from two around the 1 MiB limit; or at
most as long as --longest says.
Left out are lines nested 901 to 1000 deep, where Python's own limit lies.
"""
import argparse
import json
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../oracles"))
from rows import nesting

FILES = 12
LONGEST_SEED = 3000
MAX_LINE = 1024 * 1024
COLUMNS = ["timestamp", "job_name", "success", "output", "error"]
SPACES = ["", "", "", "", " ", " ", "  ", "\t", "\r", " \t\r "]
NOT_SPACES = ["\v", "\f", "\u00a0", "\u2028", "\ufeff", "\x00", "/**/", "//", "#", "\x1f", "\x7f"]
WORDS = ["backup", "ok", "done", "e.g.", "100%", "C:/tmp", "'quoted'", "a b", "{", "}", "[1]", "//", "/* */", ":", ","]
SIMPLE_ESCAPES = ['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"]
BAD_ESCAPES = ["\\x41", "\\'", "\\0", "\\u12", "\\u12G4", "\\u 123", "\\U0041", "\\u+123", "\\u00\u0661", "\\ ", "\\v"]
RAW_TEXT = ["\u00e9", "\u20ac", "\u4e2d\u6587", "\U0001f600", "\u07ff", "\u0800", "\uffff", "\U0010ffff", "\u2028", "\x7f"]
BAD_UTF8 = [b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xff",
            b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xfe\xff", b"\xc1\xbf"]
INTERESTING_BYTES = b'"\\{}[]:,u0123456789eE+-.tfnNI \t\r\n\x00\x01\x0b\x0c\x1f\x7f\x80\xbf\xc2\xe2\xed\xf0\xf4\xff/'
INTEGERS = ["0", "-0", "1", "-1", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
            "-9223372036854775809", "18446744073709551616", "9007199254740993", "9007199254740992", "-9007199254740993",
            "10000000000000000000", "99999999999999999999", "123456789012345678901234567890", "9" * 400]
REALS = ["0.0", "-0.0", "0.1", "1.0", "-1.5", "1e0", "1E5", "1e+5", "1e-5", "1e400", "-1e400", "1e-400", "0e999", "1e308",
         "2.2250738585072011e-308", "4.9e-324", "2.4703282292062327e-324", "1.7976931348623157e308", "9007199254740993.0",
         "1.7976931348623159e308", "0." + "0" * 60 + "1", "123456789012345678901234567890.5", "1" + "0" * 400 + ".5",
         "8.5e22", "9223372036854775807.0", "5e-325", "0.30000000000000004", "1" + "0" * 30 + "e-30"]
PYTHON_NUMBERS = ["NaN", "Infinity", "-Infinity"]
NOT_NUMBERS = ["01", "-01", "00", "1.", ".5", "+1", "1e", "1e+", "1E-", "-", "--1", "0x10", "1_000", "1,5", "-NaN", "nan",
               "inf", "+Infinity", "-Inf", "Infinit", "-Infinit", "Infinityy", "1.5.2", "1e5.5", "\u0661", "1\u0661", "- 1",
               "0b1", "1f", "1L", "-.5", "0e", "1..2"]
NOT_VALUES = ["True", "False", "None", "undefined", "tru", "fals", "nul", "truex", "TRUE", "'text'", "", "@", "b\"x\""]
SUCCESS = ["true", "false", "null", "1", "0", "-1", "1.0", "0.0", "2", '"true"', '"1"', '"0"', '"\\u0031"', "[]", "{}", "[true]",
           "NaN", "1e0", '""', '{"ok": true}']
TIMES = ["2026-02-15T01:44:15.821425Z", "2026-02-15T01:44:15Z", "2026-02-15 01:44", "2026-02-15T01:44:15.8",
         "2026-02-15T01:44:15.8214259999Z", "2026-02-15T03:44:15+02:00", "2026-02-14T20:14:15-05:30", "0000-01-01T00:00",
         "9999-12-31T23:59:59.999999Z", "2024-02-29T00:00Z", "2025-02-29T00:00Z", "1900-02-29T00:00Z", "2000-02-29T00:00Z",
         "1969-12-31T23:59:59.999999Z", "0000-01-01T00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-01T00:00Z",
         "2026-00-01T00:00Z", "2026-04-31T00:00Z", "2026-01-01T24:00Z", "2026-01-01T00:60Z", "2026-01-01T00:00:60Z",
         "2026-01-01T00:00:00z", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00",
         "2026-01-01T00:00:00+01", "2026-01-01T00:00:00-0930", "2026-01-01 00:00:00,833", "2026-01-01t00:00:00,5z",
         "2016-12-31T23:59:60Z", "9999-12-31T23:59:60.5Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00+010",
         "2026-01-01T00:00:00+01:", "2026-01-01T00:00:00,Z", "2026-01-01T00:00,5Z", "2026-01-01T00:00:00+01Z",
         "2026-01-01T00:00:00.Z", "2026-01-01", "2026-01-01T", "now", "", " 2026-01-01T00:00Z", "2026-01-01T00:00Z ",
         "2026-01-01T00:00:00Z\\u0000", "2026-01-01T00:00:00.123456789012345678901234567890Z", "2026\\u002d01-01T00:00Z",
         "\\u0032026-01-01T00:00:00Z", "20260101T000000Z", "2026-1-1T00:00Z", "+2026-01-01T00:00Z", "1771119855"]


class Crafter:
    """Makes lines as bytes, from one stream of random numbers."""

    def __init__(self, rng):
        self.rng = rng
        self.bad = False  # may the line being made hold mistakes?

    def chance(self, share):
        return self.rng.random() < share

    def space(self):
        if self.bad and self.chance(0.02):
            return self.rng.choice(NOT_SPACES).encode()
        return self.rng.choice(SPACES).encode()

    def unicode_escape(self):
        digits = "%04x" % self.rng.choice([0x0, 0x1, 0x41, 0x7f, 0x80, 0xe9, 0x7ff, 0x800, 0x20ac, 0xd7ff, 0xd800, 0xdbff,
                                           0xdc00, 0xdfff, 0xe000, 0xfffd, 0xffff, self.rng.randrange(0x10000)])
        return "\\u" + "".join(self.rng.choice([c, c.upper()]) for c in digits)

    def surrogates(self):
        high = "\\u%04x" % self.rng.randrange(0xd800, 0xdc00)
        low = "\\u%04X" % self.rng.randrange(0xdc00, 0xe000)
        return self.rng.choice([high + low, high + low, high + low, high, low, low + high, high + high + low,
                                high + "\\n" + low, high + "x", high + "\\u0041", high + "\\\\u" + low[2:]])

    def piece(self):
        """A few bytes of the inside of a string."""
        kind = self.rng.randrange(100)
        if kind < 45:
            return self.rng.choice(WORDS).encode()
        if kind < 60:
            return self.rng.choice(SIMPLE_ESCAPES).encode()
        if kind < 72:
            return self.unicode_escape().encode()
        if kind < 80:
            return self.surrogates().encode()
        if kind < 90:
            return self.rng.choice(RAW_TEXT).encode()
        if kind < 95 or not self.bad:
            return b"x" * self.rng.randrange(130)
        if kind < 97:
            return self.rng.choice(BAD_ESCAPES).encode()
        if kind < 99:
            return self.rng.choice(BAD_UTF8)
        return bytes([self.rng.randrange(0x20)])

    def string(self):
        return b'"' + b"".join(self.piece() for _ in range(self.rng.choice([0, 1, 1, 2, 3, 5, 9]))) + b'"'

    def number(self):
        kind = self.rng.randrange(20)
        if self.bad and kind < 4:
            return self.rng.choice(NOT_NUMBERS).encode()
        if kind < 8:
            return self.rng.choice(INTEGERS).encode()
        if kind < 12:
            return self.rng.choice(REALS).encode()
        if kind < 14:
            return self.rng.choice(PYTHON_NUMBERS).encode()
        if kind < 16:
            return str(self.rng.getrandbits(self.rng.randrange(1, 80)) * self.rng.choice([1, -1])).encode()
        value = struct.unpack("<d", struct.pack("<Q", self.rng.getrandbits(64)))[0]
        text = json.dumps(value) if self.chance(0.5) else "%.*e" % (self.rng.randrange(25), value)
        return text.encode() if text[-1].isdigit() else b"0"

    def scalar(self):
        kind = self.rng.randrange(10)
        if kind < 5:
            return self.string()
        if kind < 8:
            return self.number()
        if self.bad and self.chance(0.1):
            return self.rng.choice(NOT_VALUES).encode()
        return self.rng.choice([b"true", b"false", b"null"])

    def nested(self, depth):
        opening, closing = self.rng.choice([b"{}", b"[]"]).decode()
        elements = []
        for _ in range(self.rng.choice([0, 0, 1, 1, 2, 3])):
            value = self.nested(depth - 1) if depth > 1 and self.chance(0.3) else self.scalar()
            key = self.string() + self.space() + b":" + self.space() if opening == "{" else b""
            elements.append(self.space() + key + value + self.space())
        return opening.encode() + (b",".join(elements) or self.space()) + closing.encode()

    def timestamp(self):
        return b'"' + self.rng.choice(TIMES).encode() + b'"'

    def value(self, key):
        if key == "success" and self.chance(0.7):
            return self.rng.choice(SUCCESS).encode()
        if key == "timestamp" and self.chance(0.8):
            return self.timestamp()
        return self.nested(4) if self.chance(0.12) else self.scalar()

    def escaped_key(self, key):
        return "".join("\\u%04x" % ord(c) if self.chance(0.3) else c for c in key)

    def key(self):
        """A key's name, and its spelling between the quotes."""
        kind = self.rng.randrange(40)
        name = self.rng.choice(COLUMNS)
        if kind < 26:
            return name, name.encode()
        if kind < 29:
            return name, self.escaped_key(name).encode()
        if kind < 33:
            odd = self.rng.choice([name.upper(), name.title(), name + "s", name[:-1], " " + name, name + "\\u0000", name + " ",
                                   "\\u0000", "", "k" * self.rng.randrange(70), name.replace("s", "\\u017f")])
            return "", odd.encode()
        if kind < 36:
            return "", self.rng.choice([b"job_id", b"duration_seconds", b"tags", b"a", b"exit_code"])
        return "", self.string()[1:-1]

    def record(self, keys=None):
        """An object, of the given keys in their order or of keys by chance."""
        members = []
        for name, spelling in keys or [self.key() for _ in range(self.rng.choice([0, 1, 2, 3, 5, 6, 6, 7, 14]))]:
            quote = b"'" if self.bad and self.chance(0.01) else b'"'
            colon = b"" if self.bad and self.chance(0.01) else b":"
            members.append(self.space() + quote + spelling + quote + self.space() + colon + self.space() + self.value(name))
        comma = self.space() + (b"" if self.bad and self.chance(0.01) else b",")
        text = comma.join(members) or self.space()
        if self.bad and self.chance(0.03):
            text += b","
        return self.space() + b"{" + text + self.space() + b"}" + self.space()

    def odd_line(self):
        """What is not an object of the usual kind at all."""
        kind = self.rng.randrange(8)
        if kind == 0:
            return b"".join(self.space() for _ in range(3))
        if kind == 1:
            return self.space() + self.scalar() + self.space()
        if kind == 2:
            return self.space() + b"[" + self.record() + b"]"
        if kind == 3:
            return b"\xef\xbb\xbf" + self.record()
        if kind == 4:
            return self.record() + self.rng.choice([b"{}", b"x", b"]", b"}", b",", b"\x00", b"null", b"\xff", b"\v", b"  1"])
        if kind == 5:
            return self.record().rstrip() + b"\r"
        if kind == 6:
            return self.rng.choice(NOT_SPACES).encode() + self.record()
        return self.rng.choice([b"{", b"}", b"{}", b"{ }", b"[]", b"{,}", b'{"a"}', b'{"a":}', b'{"a":1,}', b"{:1}", b'{"a" 1}',
                                b'{1: 2}', b'{"a": 1 "b": 2}', b'{"a": [1,]}', b'{"a": [,1]}', b'{"a": [1 2]}', b'{"a": {"b"}}',
                                b'{"a": [}', b'{"a": {]}', b'{"a": "', b'{"a": "\\', b'{"a": "\\u', b'{"a": t', b'{"a": -',
                                b'{"a": [[[', b'{]', b'[}', b'{"success": [1, 2}, "a": 1]'])

    def line(self):
        self.bad = self.chance(0.35)
        return self.odd_line() if self.chance(0.08) else self.record()

    def scheduler_line(self, separators):
        """As json.dumps() writes it, with the text of a real job."""
        text = "".join(self.rng.choice(WORDS + RAW_TEXT + ["\n", "\t", '"', "\\", "\x1b[31m", "\x00"]) for _ in range(12))
        success = self.chance(0.8)
        record = {"timestamp": self.rng.choice(TIMES[:4]), "job_id": "job", "job_name": "Job", "success": success,
                  "output": text if success else "", "error": "" if success else text}
        return json.dumps(record, ensure_ascii=self.chance(0.5), separators=separators).encode()

    def run(self):
        """Lines of one layout in a row, now and then with another among them: the fast lane predicts layouts."""
        length = self.rng.randrange(2, 12)
        if self.chance(0.5):
            separators = self.rng.choice([(", ", ": "), (",", ":")])
            return [self.scheduler_line(separators) for _ in range(length)]
        self.bad = self.chance(0.2)
        keys = [self.key() for _ in range(self.rng.randrange(1, 14))]
        state = self.rng.getstate()
        lines = []
        for i in range(length):
            if self.chance(0.5):
                self.rng.setstate(state)  # the same white space and values too
            self.rng.seed(self.rng.getrandbits(32) + i)
            lines.append(self.record(keys))
        return lines


def mutate(rng, line, others):
    line = bytearray(line)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(line) + 1)
        kind = rng.randrange(9)
        if kind == 0 and at < len(line):
            line[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(line):
            line[at] = rng.choice(INTERESTING_BYTES)
        elif kind == 2:
            del line[at : at + rng.choice([1, 1, 1, 2, 5, 40])]
        elif kind == 3:
            line[at:at] = bytes([rng.choice(INTERESTING_BYTES)])
        elif kind == 4:
            line[at:at] = rng.choice([b"\\u0000", b"\\ud83d", b"\\ude00", b'\\"', b"\\\\", b'", "', b"NaN", b"null", b"\xc3\xa9",
                                      b'"success": false, ', b"[[", b"]]", b"\r", b"\t", b"1e5", b"00", b"{}", b'{"a": "b"}'])
        elif kind == 5:
            del line[at:]
        elif kind == 6:
            line[at:] = rng.choice(others)
        elif kind == 7:
            line[at:at] = line[rng.randrange(len(line) + 1) :][:20]
        elif at < len(line):
            other = rng.randrange(len(line))
            line[at], line[other] = line[other], line[at]
    return bytes(line)


def limits():
    """Lines around the limits of length, digits and nesting."""
    head = b'{"timestamp": "2026-02-15T01:44:15Z", "job_name": "Limits", "success": true, "output": '
    for digits in (4299, 4300, 4301, 4302, 9000):
        number = b"7" * digits
        for text in (number, b"-" + number, number + b".5", number + b"e-4300", b"0." + number, b"1e" + number, b"[" + number + b"]"):
            yield head + text + b"}"
        yield b'{"other": ' + number + b', "success": false}'
    for depth in (1, 2, 3, 63, 64, 65, 255, 256, 257, 500, 897, 898, 899, 1000, 1001, 1002, 1500, 20000):
        yield head + b"[" * depth + b"]" * depth + b"}"
        yield head + b"[ " * depth + b"1" + b" ]" * depth + b', "error": ""}'
        yield head + b'{"a": ' * depth + b"null" + b"}" * depth + b"}"
        yield head + b'[{"a":' * (depth // 2) + b'"x"' + b"}]" * (depth // 2) + b"}"
        yield head + b"[" * depth + b"]" * (depth - 1) + b"}"
        yield b"[" * depth + b"]" * depth
    for length in (MAX_LINE, MAX_LINE + 1):
        yield head + b'"' + b"x" * (length - len(head) - 3) + b'"}'
    for length in range(0, 200):  # every distance from a string's start to a block's end
        yield head + b'"' + b"x" * length + b'\\n", "error": "' + b"y" * (length // 3) + b'\\u00e9"}'
        yield head + b'"' + b"x" * length + b'\xe2\x82\xac\xf0\x9f\x98\x80"}'
        yield head + b'"' + b"x" * length + b'\\ud83d\\ude00\\\\"}'
        yield head + b'"' + b"x" * length + b"\\"
        yield head + b'"' + b"x" * length + b'\\", "error": 1}'
        yield head + b'"' + b"x" * length + b'\\\\", "error": 1}'
        yield head + b'"' + b"x" * length + b'\x1f"}'
        yield head + b'"' + b"x" * length + b'\xed\xa0\x80"}'


def seed_lines(directories):
    lines = []
    for directory in directories:
        for path, _, names in sorted(os.walk(directory)):
            for name in sorted(names, key=os.fsencode):
                if name.endswith(".jsonl"):
                    with open(os.path.join(path, name), "rb") as file:
                        lines += [line for line in file.read().split(b"\n") if 0 < len(line) <= LONGEST_SEED]
    return lines


def all_lines(rng, count, seeds):
    crafter = Crafter(rng)
    lines = list(limits()) + seeds
    while len(lines) < count:
        kind = rng.random()
        if kind < 0.40:
            lines.append(mutate(rng, rng.choice(seeds), seeds))
        elif kind < 0.45:
            lines += crafter.run()
        elif kind < 0.60:
            lines.append(mutate(rng, crafter.line(), seeds))
        else:
            lines.append(crafter.line())
    return [line for line in lines if not 900 < nesting(line) <= 1000]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("seeds", nargs="+")
    parser.add_argument("--lines", type=int, default=160000)
    parser.add_argument("--longest", type=int, default=MAX_LINE + 1)
    parser.add_argument("--seed", type=int, default=20260215)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    lines = all_lines(rng, arguments.lines, seed_lines(arguments.seeds))
    lines = [line for line in lines if len(line) <= arguments.longest]
    os.makedirs(arguments.out, exist_ok=True)
    share = len(lines) // FILES + 1
    for i in range(FILES):
        with open(os.path.join(arguments.out, "job-%02d.jsonl" % i), "wb") as file:
            file.write(b"\n".join(lines[i * share : (i + 1) * share]))
            if i % 2 == 0:  # every other file ends without a newline
                file.write(b"\n")


if __name__ == "__main__":
    main()
