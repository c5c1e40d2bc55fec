"""tasks - what is measured, a file for each kind. Each task is a function that gives its comparisons, and is called when
its turn comes, since its data is made then."""
from settings import COLD, SLOW
from tasks import append, archive, commands, export, index, jobs, one_file, prune, scale, seal, ship, slots

ALL = {
    "T1": one_file.count_failures,
    "T1-layouts": one_file.other_layouts,
    "T1-thread": one_file.count_in_one_thread,
    "T1-slow": one_file.count_slowly,
    "T1-cold": one_file.count_cold,
    "T2": jobs.statistics,
    "T2-thread": jobs.statistics_in_one_thread,
    "T2-slow": jobs.statistics_slowly,
    "T2-cold": jobs.statistics_cold,
    "T3": one_file.latest,
    "T4": export.csv_file,
    "T4-slow": export.csv_slowly,
    "T5": one_file.phrase,
    "T6": jobs.one_of_many,
    "memory": one_file.memory,
    "commands": commands.on_one_file,
    "monitoring": commands.on_many_jobs,
    "slots": slots.of_many_jobs,
    "prune": prune.prune,
    "seal": seal.seal,
    "append": append.append,
    "archive": archive.questions,
    "index": index.questions,
    "ship": ship.to_the_sink,
    "scale-bytes": scale.by_bytes,
    "scale-files": scale.by_files,
}


def chosen(words):
    """The tasks that the words name, each by its whole name or by what stands before its dash; all, if there are none."""
    unknown = [word for word in words if not any(matches(name, word) for name in [*ALL, "torn"])]
    if unknown:
        raise SystemExit(f"BENCH_TASKS: no task {' '.join(unknown)}; there are: {' '.join(ALL)} torn")
    return {name: task for name, task in ALL.items()
            if (not words or any(matches(name, word) for word in words))
            and (SLOW or not name.endswith("-slow")) and (COLD or not name.endswith("-cold"))}


def matches(name, word):
    return name == word or name.startswith(word + "-")
