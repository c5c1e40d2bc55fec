"""sla.py - the definitions of `taskresults sla`, worked out from one instant to the next.

    sla.py make SEED JOBS RESULTS LOGS JOBS_FILE    random histories: clock steps, ties, pauses, times that are none
    sla.py judge FROM TO TARGET RESULTS LOGS JOBS_FILE SLOTS LONGEST DURATIONS
                                                    what `sla --jsonl --target` must say of them, as JSON lines
    sla.py compare EXPECTED ACTUAL                  whether two such files agree

SLOTS is empty, or what --count missed goes by: rows of task_slots (job_id, slot_us, state), as JSON. LONGEST is empty, or
how many microseconds a run may take; DURATIONS are rows of task_runs then (job_id, offset, took), as JSON.

It shares nothing with the command: no windows over rows, but the state of the job and of its pause at every instant at
which anything happens. Times are whole microseconds, shares exact fractions.
"""
import json, os, random, re, sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
UNREADABLE = "whenever"  # a schedule that nobody can read
START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def microseconds(text):
    try:
        return (datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def stamp(us):
    return (EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def make_schedule(number, began):
    """A job of the scheduler's list, or None: most are due a few times a day."""
    rng = random.Random(number)
    schedule = rng.choice(("every 6 hours", "every 2 days", "every day at 3:00 am", UNREADABLE, None))
    return schedule and {"id": f"job-{number:03}", "name": "x", "schedule": schedule, "enabled": rng.random() < .9,
                         "recurring": True, "created_at": stamp(began - rng.randint(-3, 20) * 86400 * 10**6)}


def log_run(messages, now, took):
    messages.append(f"[{stamp(now - took)}] Executing (command mode): working_dir=/, cmd=x\n")
    messages.append(f"[{stamp(now)}] Command executed successfully\n")


def make(seed, jobs, results, logs, jobs_file):
    random.seed(seed)
    listed = [make_schedule(jobs, microseconds(START.isoformat()))]  # without a record
    for number in range(jobs):
        now = microseconds(START.isoformat()) + random.randint(-10, 10) * 86400 * 10**6
        records, messages, paused = [], [], False
        listed.append(make_schedule(number, now))
        logs_runs = random.random() < .7
        fails = random.choice((0, .1, .5, .9, 1))
        for _ in range(random.choice((0, 1, 2, 5, 30))):
            # A tie, a step back of the clock, or time passes.
            now += random.choice((0, -random.randint(1, 7200 * 10**6)) + (random.randint(1, 86400 * 10**6),) * 5)
            if random.random() < .15:
                paused = not paused if random.random() < .8 else paused
                messages.append(f"[{stamp(now)}] Job {'paused' if paused else 'resumed'}\n")
            else:
                text = stamp(now) if random.random() < .97 else "no time"
                records.append({"timestamp": text, "success": random.random() >= fails})
                if logs_runs and random.random() < .8:
                    log_run(messages, now, random.choice((0, 3600 * 10**6, 3600 * 10**6 + 1, random.randint(0, 7200 * 10**6))))
        with open(f"{results}/job-{number:03}.jsonl", "w") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        if messages:
            with open(f"{logs}/job-{number:03}.log", "w") as file:
                file.writelines(messages)
    with open(jobs_file, "w") as file:
        json.dump({"jobs": [job for job in listed if job]}, file)


def table(path):
    """The rows of a file of JSON, by job."""
    with open(path) as file:
        rows = json.loads(file.read() or "[]")
    return {job: [row for row in rows if row["job_id"] == job] for job in {row["job_id"] for row in rows}}


def read_job(results, logs, name, longest, durations):
    """Runs as (time, place, success, too long?, is the duration unknown?), and pauses."""
    runs, offset = [], 0
    took_at = {row["offset"]: row["took"] for row in durations}
    if os.path.exists(f"{results}/{name}.jsonl"):
        with open(f"{results}/{name}.jsonl", "rb") as file:
            for place, line in enumerate(file):
                record, took = json.loads(line), took_at.get(offset)
                too_long = longest is not None and took is not None and took > longest
                good = record["success"]
                runs.append((microseconds(record["timestamp"]), place, good and not too_long, good and too_long,
                             good and took is None))
                offset += len(line)
    switches = []
    if os.path.exists(f"{logs}/{name}.log"):
        with open(f"{logs}/{name}.log") as file:
            for place, line in enumerate(file):
                if "Job " in line:
                    time, word = re.match(r"\[(.*?)\] Job (paused|resumed)", line).groups()
                    switches.append((microseconds(time), place, word == "paused"))
    return sorted(run for run in runs if run[0] is not None), sorted(switches), bool(runs)


def latest(changes, instant, before):
    """The state after the last change up to that instant."""
    found = [value for time, _, value, *_ in changes if time <= instant]
    return found[-1] if found else before


def judge_job(name, runs, switches, begin, end, target):
    inside = [run for run in runs if begin <= run[0] < end]
    instants = sorted({begin, end} | {t for t, *_ in runs + switches if begin < t < end})
    up = down = paused = 0
    length_of = {}  # of each outage that reaches into the window, by the instant at which it began
    counted_until = {}  # counted time from the window's beginning
    outage_at, outages = None, []
    state = None
    for time, _, success, *_ in runs:  # the outages ever: [began, ended]
        if time >= end:
            break
        if not success and state is not False:
            outages.append([time, None])
        elif success and state is False:
            outages[-1][1] = time
        state = success
    total = 0
    for now, following in zip(instants, instants[1:]):
        counted_until[now] = total
        state, off = latest(runs, now, None), latest(switches, now, False)
        if state is None:
            continue
        if off:
            paused += following - now
            continue
        total += following - now
        if state:
            up += following - now
        else:
            down += following - now
            for began, ended in outages:
                if began <= now and (ended is None or following <= ended):
                    length_of[id(outages), began, ended] = length_of.get((id(outages), began, ended), 0) + following - now
    counted_until[end] = total
    seen = [o for o in outages if o[0] >= begin or o[1] is None or o[1] > begin]
    finished = [o for o in seen if o[1] is not None]
    begun = [o[0] for o in seen if o[0] >= begin]
    length = lambda o: length_of.get((id(outages), *o), 0)
    time = up + down if up + down and (inside or down) else None
    successes = sum(run[2] for run in inside)
    budget = None if time is None else int(time * (1 - target))
    runs_budget = len(inside) * (1 - target) if inside else None
    return {
        "job_id": name, "runs": len(inside), "successes": successes, "failures": len(inside) - successes,
        "success_percent": Fraction(100 * successes, len(inside)) if inside else None,
        "uptime_percent": Fraction(100 * up, time) if time else None,
        "up_seconds": Fraction(up, 10**6) if time else None, "down_seconds": Fraction(down, 10**6) if time else None,
        "paused_seconds": Fraction(paused, 10**6), "outages": len(seen),
        "mtbf_seconds": Fraction(counted_until[begun[-1]] - counted_until[begun[0]], 10**6 * (len(begun) - 1))
        if len(begun) > 1 else None,
        "mttr_seconds": Fraction(sum(map(length, finished)), 10**6 * len(finished)) if finished else None,
        "budget_seconds": None if time is None else Fraction(budget, 10**6),
        "budget_seconds_left": None if time is None else Fraction(budget - down, 10**6),
        "budget_runs": runs_budget,
        "budget_runs_left": None if runs_budget is None else runs_budget - (len(inside) - successes),
        "missed": bool(time and down > time * (1 - target) or inside and len(inside) - successes > runs_budget),
    }


def judge(begin, end, target, results, logs, jobs_file, slots_file, longest, durations_file):
    begin, end, longest = microseconds(begin), microseconds(end), int(longest) if longest else None
    slots, durations = table(slots_file), table(durations_file)
    with open(jobs_file) as file:
        schedules = {job["id"]: job["schedule"] for job in json.load(file)["jobs"]}
    counts_missed = os.path.getsize(slots_file) > 0
    for name in sorted({file[:-6] for file in os.listdir(results)} | set(slots)):
        runs, switches, any_record = read_job(results, logs, name, longest, durations.get(name, []))
        known = slots.get(name, [])
        missed = [slot["slot_us"] for slot in known
                  if slot["state"] == "missed" and begin - 31 * 86400 * 10**6 <= slot["slot_us"] < end]
        # A slot behind a run of the same instant: nothing began at it, or later.
        events = sorted(runs + [(time, 10**9, False, False, False) for time in missed])
        if any_record or missed:
            row = judge_job(name, events, switches, begin, end, Fraction(target) / 100)
            inside = [run for run in runs if begin <= run[0] < end]
            scheduled = counts_missed and schedules.get(name, UNREADABLE) != UNREADABLE
            row.update({
                "slow_runs": None if longest is None else sum(run[3] for run in inside),
                "unknown_durations": None if longest is None else sum(run[4] for run in inside),
                "missed_slots": sum(time >= begin for time in missed) if scheduled else None,
                "unknown_slots": sum(slot["state"] == "unknown" and begin <= slot["slot_us"] < end for slot in known)
                if scheduled else None})
            print(json.dumps({key: float(value) if isinstance(value, Fraction) else value for key, value in row.items()}))


def compare(expected, actual):
    with open(expected) as file:
        wanted = [json.loads(line) for line in file]
    with open(actual) as file:
        got = [json.loads(line) for line in file]
    assert [row["job_id"] for row in wanted] == [row["job_id"] for row in got]
    for want, have in zip(wanted, got):
        assert want.keys() == have.keys()
        for key, value in want.items():
            same = value == have[key] if not isinstance(value, float) or have[key] is None else \
                abs(value - have[key]) <= 1e-9 * max(1, abs(value))
            assert same, f"{want['job_id']}: {key} is {have[key]}, not {value}"
    print(len(wanted), "jobs agree")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    elif sys.argv[1] == "judge":
        judge(*sys.argv[2:])
    else:
        compare(*sys.argv[2:])
