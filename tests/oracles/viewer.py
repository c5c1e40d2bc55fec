#!/usr/bin/env python3
"""viewer.py DIRECTORY JOB [FILTER...] - what the scheduler's own viewer prints, implemented again from its description.

The tests compare its bytes with those of shell/view_results.
"""
import json
import sys

CUT = 200


def records_of(directory, job):
    try:
        with open(f"{directory}/{job}.jsonl", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if not line.isspace()]
    except FileNotFoundError:
        return []


def shortened(text):
    return text if len(text) <= CUT else text[:CUT] + "..."


def block(record):
    succeeded = record.get("success", False)
    verdict = "✅ SUCCESS" if succeeded else "❌ FAILED"
    lines = [" | ".join([str(record.get("timestamp", "")), str(record.get("job_name", "")), verdict])]
    if succeeded and record.get("output"):
        lines.append("  Output: " + shortened(record["output"]))
    elif record.get("error"):
        lines.append("  Error: " + shortened(record["error"]))
    return "\n".join(lines)


def chosen(records, words):
    if "--success" in words:
        records = [record for record in records if record.get("success")]
    elif "--errors" in words:
        records = [record for record in records if not record.get("success")]
    if "--latest" in words:
        records = records[-1:]
    if "--limit" in words:
        limit = int(words[words.index("--limit") + 1])
        records = records[-limit:]
    return records


def report(directory, job, words):
    every = records_of(directory, job)
    if not every:
        return [f"No results found for job: {job}"]
    shown = chosen(every, words)
    good = len([record for record in every if record.get("success")])
    rule = "=" * 100
    return [
        "",
        f"📋 Results for job: {job} (showing {len(shown)} of {len(every)} total)",
        rule,
        *map(block, shown),
        "",
        rule,
        f"Summary: {good} successful, {len(every) - good} failed (total: {len(every)})",
        f"First run: {every[0].get('timestamp', '')}",
        f"Last run: {every[-1].get('timestamp', '')}",
    ]


if __name__ == "__main__":
    text = "\n".join(report(sys.argv[1], sys.argv[2], sys.argv[3:])) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8"))
