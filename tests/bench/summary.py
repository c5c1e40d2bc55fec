"""summary.py - all statistics of the bench, over the raw figures as they are kept (see measure.py for their shape).

A ratio is ours / the rival's, below 1 where ours is faster. Two are computed: the ratio of the medians, and the median of
the ratios of each round, which is what bars are judged by: what slows both runs of a round down does not count.
"""
import statistics


def contender(comparison, name):
    return next((one for one in comparison["contenders"] if one["name"] == name and not one["failed"]), None)


def median_s(one, what="wall_s"):
    return statistics.median(one[what])


def peak_mib(one):
    return max(one["peak_mib"])


def ratio_of_medians(ours, rival):
    return median_s(ours) / median_s(rival)


def median_of_ratios(ours, rival):
    return statistics.median(a / b for a, b in zip(ours["wall_s"], rival["wall_s"]))


def first_of_ours(comparison):
    return next(one for one in comparison["contenders"] if one["ours"])


def value_of(bar, comparison):
    """What the bar bounds, or None if its rival was not measured."""
    ours = contender(comparison, bar["ours"])
    if bar["what"] == "ratio":
        rival = contender(comparison, bar["rival"])
        return median_of_ratios(ours, rival) if rival else None
    return {"seconds": median_s, "MiB": peak_mib}[bar["what"]](ours)


def is_met(bar, comparison):
    value = value_of(bar, comparison)
    return None if value is None else value <= bar["at_most"]


def bar_text(bar):
    if bar["what"] == "seconds":
        return f"{bar['at_most'] * 1000:.0f} ms"
    return f"{bar['at_most']:g} × {bar['rival']}" if bar["what"] == "ratio" else f"{bar['at_most']} MiB"


def value_text(bar, comparison):
    value = value_of(bar, comparison)
    if value is None:
        return "not measured"
    return {"seconds": f"{value * 1000:.1f} ms", "MiB": f"{value:.1f} MiB", "ratio": f"{value:.2f}"}[bar["what"]]


def size_text(size):
    words = []
    if size.get("bytes"):
        count = size["bytes"]
        words.append(f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB")
    if size.get("files", 1) > 1:
        words.append(f"{size['files']:,} files")
    return ", ".join(words)


def title_of(comparison):
    size = size_text(comparison["size"])
    return f"{comparison['task']}: {comparison['title']}" + (f" ({size})" if size else "")


def complaints(figures):
    """Every limit that is exceeded, and every wrong answer about files without torn lines."""
    for comparison in figures["comparisons"]:
        where = title_of(comparison)
        for bar in comparison["bars"]:
            if is_met(bar, comparison) is False:
                yield f"{where}: {bar['ours']}: {value_text(bar, comparison)}, bar {bar_text(bar)}"
        for one in comparison["contenders"]:
            if one["failed"] or one["answer"] == "WRONG":
                yield f"{where}: {one['name']}: {one['failed'] or 'WRONG answer'}"
