"""history_flipped.py RESULTS COUNT - compresses a.jsonl.1 and flips one bit of it, COUNT times: then task_history has the
records before the damage, unchanged, and task_rejects tells of the damage; or, if the bit means nothing, all records.
"""
import gzip
import os
import random
import subprocess
import sys

from host import connect


def main():
    results, count = sys.argv[1], int(sys.argv[2])
    path = os.path.join(results, "a.jsonl.1")
    with open(path, "rb") as file:
        plain = file.read()
    os.remove(path)
    whole = plain.decode().splitlines()
    packed = {".gz": gzip.compress(plain), ".zst": subprocess.run(
        ["zstd", "-cq", "--check"], input=plain, stdout=subprocess.PIPE, check=True).stdout}
    db = connect()
    db.execute("CREATE VIRTUAL TABLE temp.rejects USING task_rejects(segments=all)")
    choose, noticed = random.Random(7), 0
    for turn in range(count):
        suffix = choose.choice(sorted(packed))
        data = bytearray(packed[suffix])
        bit = choose.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        with open(path + suffix, "wb") as file:
            file.write(data)
        rows = [record for record, in db.execute("SELECT record FROM task_history('a') ORDER BY segment_no, offset")]
        told = [reason for reason, in db.execute("SELECT reason FROM rejects WHERE reason LIKE 'damaged: %'")]
        noticed += len(told)
        if len(told) > 1 or (not told and rows != whole):
            sys.exit(f"turn {turn}, {suffix}, bit {bit}: {len(rows)} of {len(whole)} rows, {told}")
        os.remove(path + suffix)
    if noticed < count * 9 // 10:
        sys.exit(f"only {noticed} of {count} were noticed")


main()
