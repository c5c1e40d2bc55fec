"""settings.py - what the environment decides: how much is measured, how often, and where. tests/bench/run explains each."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(ROOT, "build", "bench")


def number(name, default):
    return int(float(os.environ.get(name, default)))


BYTES = number("BENCH_BYTES", 1e9)
RUNS = number("BENCH_RUNS", 7)
TASKS = os.environ.get("BENCH_TASKS", "").split()
SCALE_BYTES = [int(float(share) * BYTES) for share in os.environ.get("BENCH_SCALE", "0.01 0.1 1 4").split()]
SCALE_FILES = [int(count) for count in os.environ.get("BENCH_FILES", "1 100 2000 20000").split()]
SLOW = os.environ.get("BENCH_SLOW", "1") != "0"
COLD = os.environ.get("BENCH_COLD", "1") != "0"
KEEP = os.environ.get("BENCH_KEEP", "0") != "0"
PRUNE_DIR = os.environ.get("BENCH_PRUNE_DIR", os.path.join(WORK, "prune"))
