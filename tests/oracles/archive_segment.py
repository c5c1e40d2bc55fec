"""archive_segment.py - archived segments, written and read from the definition of their format alone.

  archive_segment.py write OUT [FRAME_BYTES] <LINES    makes a segment of the lines
  archive_segment.py text FILE                         its lines, if it is a segment in all its parts; else exit code 1
  archive_segment.py frames FILE                       a line for each frame: from, compressed, decompressed, first_us,
                                                       last_us, flags, lines

A segment: data frames of zstd, each of at most 1 MiB, with its content size and a checksum, that end at a line's end
unless one line is longer than a frame; a skippable frame with the times of each; the seek table of zstd's seekable format.
"""
import ctypes
import ctypes.util
import datetime
import json
import struct
import sys

FRAME_BYTES = 1 << 20
TIMES, TABLE, FOOTER = 0x184D2A54, 0x184D2A5E, 0x8F92EAB1
STARTS_LINE, IS_TIMED, HAS_UNTIMED = 1, 2, 4

ZSTD = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
SIZE, POINTER = ctypes.c_size_t, ctypes.c_void_p
ZSTD.ZSTD_createCCtx.restype = POINTER
ZSTD.ZSTD_CCtx_setParameter.argtypes = [POINTER, ctypes.c_int, ctypes.c_int]
ZSTD.ZSTD_compress2.argtypes = [POINTER, ctypes.c_char_p, SIZE, ctypes.c_char_p, SIZE]
ZSTD.ZSTD_compress2.restype = ZSTD.ZSTD_compressBound.restype = ZSTD.ZSTD_decompress.restype = SIZE
ZSTD.ZSTD_compressBound.argtypes = [SIZE]
ZSTD.ZSTD_decompress.argtypes = [ctypes.c_char_p, SIZE, ctypes.c_char_p, SIZE]
ZSTD.ZSTD_isError.argtypes = ZSTD.ZSTD_getErrorName.argtypes = [SIZE]
ZSTD.ZSTD_getErrorName.restype = ctypes.c_char_p
COMPRESSION_LEVEL, CHECKSUM_FLAG = 100, 201


def checked(result):
    if ZSTD.ZSTD_isError(result):
        raise ValueError(ZSTD.ZSTD_getErrorName(result).decode())
    return result


CONTEXT = ZSTD.ZSTD_createCCtx()
checked(ZSTD.ZSTD_CCtx_setParameter(CONTEXT, CHECKSUM_FLAG, 1))


def compress(data, level=3):
    checked(ZSTD.ZSTD_CCtx_setParameter(CONTEXT, COMPRESSION_LEVEL, level))
    room = ZSTD.ZSTD_compressBound(len(data))
    into = ctypes.create_string_buffer(room)
    length = checked(ZSTD.ZSTD_compress2(CONTEXT, into, room, data, len(data)))
    return into.raw[:length]


def decompress(data, size):
    into = ctypes.create_string_buffer(size + 1)
    got = checked(ZSTD.ZSTD_decompress(into, size + 1, data, len(data)))
    if got != size:
        raise ValueError(f"{got} bytes, not {size}")
    return into.raw[:size]


def skippable(magic, content):
    return struct.pack("<II", magic, len(content)) + content


def time_us(line):
    """The time of a record, None if it has none, or is no record. Enough for lines that tests write."""
    try:
        text = json.loads(line)["timestamp"]
        time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return int((time - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) / datetime.timedelta(microseconds=1))


def split(data, most):
    """The bytes of each frame: as many whole lines as fit, or a part of a line that is longer."""
    at = 0
    while at < len(data):
        end = min(len(data), at + most)
        if end < len(data):
            newline = data.rfind(b"\n", at, end)
            end = newline + 1 if newline >= 0 else end
        yield at, end
        at = end


def times_of(data, begin, end):
    """The entry of a frame: first_us, last_us, flags, lines."""
    begins_line = begin == 0 or data[begin - 1 : begin] == b"\n"
    at = begin if begins_line else data.find(b"\n", begin, end) + 1 or end
    times, lines, untimed = [], 0, False
    while at < end:
        newline = data.find(b"\n", at)
        line = data[at : newline if newline >= 0 else len(data)]
        lines += 1
        time = time_us(line) if line.strip() else None
        untimed |= time is None and bool(line.strip())
        times += [time] if time is not None else []
        at = newline + 1 if newline >= 0 else end
    flags = STARTS_LINE * begins_line | IS_TIMED * bool(times) | HAS_UNTIMED * untimed
    return min(times, default=0), max(times, default=0), flags, lines


def tables(entries):
    """entries: (compressed, decompressed, first_us, last_us, flags, lines) of each frame."""
    times = skippable(TIMES, b"TRTIMES1" + b"".join(struct.pack("<qqII", *entry[2:]) for entry in entries))
    sizes = [entry[:2] for entry in entries] + [(len(times), 0)]
    footer = struct.pack("<IBI", len(sizes), 0, FOOTER)
    return times + skippable(TABLE, b"".join(struct.pack("<II", *pair) for pair in sizes) + footer)


def encode(data, most=FRAME_BYTES, level=3):
    """The bytes of a segment that holds these lines."""
    frames, entries = [], []
    for begin, end in split(data, most):
        frames.append(compress(data[begin:end], level))
        entries.append((len(frames[-1]), end - begin, *times_of(data, begin, end)))
    return b"".join(frames) + tables(entries)


def expect(condition, what):
    if not condition:
        raise ValueError(what)


def read_tables(data):
    """The entries of all frames, or ValueError: the file does not end with tables that agree with its size."""
    expect(len(data) >= 9, "too short")
    count, descriptor, magic = struct.unpack("<IBI", data[-9:])
    expect(magic == FOOTER and descriptor == 0 and count >= 2, "no footer")
    count -= 1
    table_at = len(data) - (8 + 8 * (count + 1) + 9)
    times_at = table_at - (8 + 8 + 24 * count)
    expect(times_at > 0, "too short for its tables")
    expect(struct.unpack("<II", data[table_at : table_at + 8]) == (TABLE, 8 * (count + 1) + 9), "no seek table")
    expect(struct.unpack("<II", data[times_at : times_at + 8]) == (TIMES, 8 + 24 * count), "no times")
    expect(data[times_at + 8 : times_at + 16] == b"TRTIMES1", "no times")
    sizes = list(struct.iter_unpack("<II", data[table_at + 8 : -9]))
    times = list(struct.iter_unpack("<qqII", data[times_at + 16 : table_at]))
    expect(sizes[-1] == (table_at - times_at, 0), "the times have another size")
    expect(sum(pair[0] for pair in sizes[:-1]) == times_at, "the sizes do not add up")
    for (compressed, decompressed), (first, last, flags, _) in zip(sizes, times):
        expect(0 < compressed <= FRAME_BYTES + FRAME_BYTES // 16 and 0 < decompressed <= FRAME_BYTES, "the size of a frame")
        expect(flags < 8 and first <= last and (flags & IS_TIMED or (first, last) == (0, 0)), "the times of a frame")
    expect(times[0][2] & STARTS_LINE, "the first frame")
    return [(*pair, *entry) for pair, entry in zip(sizes, times)]


def decode(data):
    """The lines of a segment. ValueError if any part of it is not as the format wants it."""
    entries, parts, at = read_tables(data), [], 0
    for compressed, decompressed, *_ in entries:
        frame = data[at : at + compressed]
        expect(frame[:4] == b"\x28\xb5\x2f\xfd", "no frame of zstd")
        expect(frame[4] & 4, "a frame without a checksum")
        expect(frame[4] >> 6 or frame[4] & 32, "a frame without its size")
        parts.append(decompress(frame, decompressed))
        at += compressed
    text = b"".join(parts)
    at = 0
    for number, (part, entry) in enumerate(zip(parts, entries)):
        end = at + len(part)
        if number + 1 < len(parts) and not part.endswith(b"\n"):
            line = text[text.rfind(b"\n", 0, end) + 1 :].split(b"\n", 1)[0]
            expect(len(line) + 1 > max(map(len, parts)), "a frame ends inside a line that a frame could hold")
        expect(entry[2:] == times_of(text, at, end), f"the times of frame {number}: {entry[2:]}, not {times_of(text, at, end)}")
        at = end
    return text


def main():
    what, path = sys.argv[1:3]
    if what == "write":
        most = int(sys.argv[3]) if len(sys.argv) > 3 else FRAME_BYTES
        with open(path, "wb") as file:
            file.write(encode(sys.stdin.buffer.read(), most))
        return
    with open(path, "rb") as file:
        data = file.read()
    try:
        if what == "text":
            sys.stdout.buffer.write(decode(data))
        at = 0
        for entry in read_tables(data) if what == "frames" else ():
            print(at, *entry)
            at += entry[0]
    except ValueError as error:
        sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    main()
