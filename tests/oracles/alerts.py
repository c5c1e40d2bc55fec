"""alerts.py - what `taskresults alerts` must tell of durations, missed runs, mutes and maintenance.

    alerts.py durations SEED JOBS DIRECTORY PID  makes results, logs and jobs.json; prints what --slow=3 --fast=10 says
    alerts.py maintenance SEED WINDOWS TIMES     windows with the times that are in each, as a JSON array
    alerts.py looks SEED LOOKS DIRECTORY TASKRESULTS   runs the commands, and judges what each look told
    alerts.py missed SEED LOOKS DIRECTORY TASKRESULTS  the same of --missed and --burn

It shares nothing with the command. It knows how long each run took since it has made it; the median is that of Python;
windows are those of the local clocks, minute by minute, in Python's zones; and what was told is a set.
"""
import json, os, random, re, statistics, subprocess, sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def stamp(time):
    return time.isoformat().replace("+00:00", "Z")


class Job:
    """Runs, each a success or not, with its duration in seconds or None; as its log tells of them."""

    def __init__(self, name, directory):
        self.name, self.runs = name, []
        self.results = f"{directory}/results/{name}.jsonl"
        self.log = f"{directory}/logs/{name}.log"
        self.clock = NOW - timedelta(days=300)

    def run(self, ok, seconds):
        """Appends one: it begins an hour after the one before ended."""
        begins = self.clock + timedelta(hours=1)
        ends = self.clock = begins + timedelta(seconds=float(seconds or 0))
        if seconds is not None:
            with open(self.log, "a") as log:
                log.write(f"[{stamp(begins)}] Executing (command mode): working_dir=/opt, cmd=true\n")
                log.write(f"[{stamp(ends)}] Command " + ("executed successfully\n" if ok else "failed: no\n"))
        with open(self.results, "a") as results:
            results.write(json.dumps({"timestamp": stamp(ends), "job_id": self.name, "success": ok, "output": "x",
                                      "error": "" if ok else "no"}) + "\n")
        self.runs.append((ok, seconds))

    def usual(self, before):
        """The median of the last 30 successes with a known duration among those runs, if they are at least five."""
        known = [Fraction(seconds) for ok, seconds in before if ok and seconds is not None][-30:]
        return statistics.median(known) if len(known) >= 5 else None

    def is_slow(self, seconds, usual, factor):
        return usual is not None and seconds > factor * usual and seconds - usual > 1

    def alerts(self, slow=3, fast=10, going_on=None):
        """The kinds that hold, of slow and fast."""
        found = set()
        if going_on is not None and self.is_slow(going_on, self.usual(self.runs), slow):
            found.add("slow")
        if self.runs and self.runs[-1][1] is not None:
            ok, seconds = self.runs[-1][0], Fraction(self.runs[-1][1])
            usual = self.usual(self.runs[:-1])
            if self.is_slow(seconds, usual, slow):
                found.add("slow")
            if ok and usual is not None and seconds * fast < usual and usual - seconds > 1:
                found.add("fast")
        return found


# --- durations --------------------------------------------------------------------------------------------------------


def last_run(job, base):
    """A duration at one of the limits, beside it, or anywhere. Times are whole milliseconds, so that all is exact."""
    usual = job.usual(job.runs) or Fraction(base)
    least = Fraction(1, 1000)
    limits = [usual * 3, usual / 10, usual + 1, usual - 1]
    seconds = random.choice(limits + [Fraction(random.randint(0, 100000), 1000)])
    seconds = Fraction(int((seconds + random.choice((-least, 0, least))) * 1000), 1000)
    return max(seconds, Fraction(0))


def durations(seed, count, directory, pid):
    random.seed(seed)
    expected, listed = [], []
    for number in range(count):
        job = Job(f"j{number}", directory)
        base = random.choice((0, 1, 20, 300, 4000))
        for _ in range(random.choice((0, 3, 4, 5, 6, 7, 12, 40, 70))):
            ok, known = random.random() < .8, random.random() < .8
            job.run(ok, Fraction(random.randint(base * 500, base * 1500), 1000) if known else None)
            if random.random() < .02:
                base = random.choice((1, 20, 300, 4000))  # what is more than 30 successes ago counts no longer
        if random.random() < .8:
            job.run(random.random() < .8, last_run(job, base) if random.random() < .9 else None)
        # One that goes on, for so long, or so short, that it makes no difference when this is asked. Its process
        # has not run for long, and no process is older than its job.
        going_on = random.choice((None, None, 50, -3600))
        usual = job.usual(job.runs)
        if going_on == 50 and usual is not None and usual * 3 > 49 and usual < 2000:
            going_on = None
        if going_on is not None:
            with open(f"{directory}/.checkpoint_{job.name}.json", "w") as file:
                json.dump({"job_id": job.name, "pid": pid,
                           "started_at": stamp(datetime.now(timezone.utc) - timedelta(seconds=going_on))}, file)
        if going_on is not None or random.random() < .5:
            listed.append({"id": job.name})
        expected += [f"{job.name} {kind}" for kind in job.alerts(going_on=going_on)]
    with open(f"{directory}/jobs.json", "w") as file:
        json.dump({"jobs": listed}, file)
    print("\n".join(sorted(expected)))


# --- maintenance ------------------------------------------------------------------------------------------------------

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def on_the_clock(day, minutes, zone):
    """The first moment at which the zone's clocks show that time of that day, or a later one."""
    local = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=zone)
    moment = local.astimezone(timezone.utc)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    # It is passed over. What is left out is found by the minute.
    moment -= timedelta(hours=3)
    while moment.astimezone(zone).replace(tzinfo=None) < local.replace(tzinfo=None):
        moment += timedelta(minutes=1)
    return moment


def is_in(moment, days, first, last, zone):
    """A window begins on each of the days, and ends at the next time at which it is that late."""
    today = moment.astimezone(zone).date()
    for back in (0, 1, 2):
        day = today - timedelta(days=back)
        if DAYS[day.weekday()] not in days:
            continue
        behind = day if last > first else day + timedelta(days=1)
        if last == 1440:
            behind, end = day + timedelta(days=1), 0
        else:
            end = last
        if on_the_clock(day, first, zone) <= moment < on_the_clock(behind, end, zone):
            return True
    return False


def some_days():
    if random.random() < .2:
        return "", DAYS
    if random.random() < .3:
        first, last = random.randrange(7), random.randrange(7)
        days = random.choice((str, str.lower, str.upper))(f"{DAYS[first]}-{DAYS[last]}")
        return days + " ", [DAYS[(first + n) % 7] for n in range((last - first) % 7 + 1)]
    days = random.sample(DAYS, random.choice((1, 1, 1, 2)))
    return random.choice((str, str.lower, str.upper))(",".join(days)) + " ", days


def maintenance(seed, windows, times):
    random.seed(seed)
    answer = []
    for _ in range(windows):
        text, tests = [], []
        name = random.choice(["UTC", "", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
        zone = ZoneInfo(name or "UTC")
        for _ in range(random.choice((1, 1, 2))):
            words, days = some_days()
            first, last = random.sample([0, 60, 90, 119, 120, 135, 150, 165, 179, 180, 200, 720, 1380, 1439], 2)
            if random.random() < .2:
                last = 1440
            show = random.choice(("%02d:%02d", "%d:%02d"))
            text.append(f"{words}{show % divmod(first, 60)}-{show % divmod(last, 60)} {name}".strip())
            tests.append((days, first, last))
        moments = {}
        for _ in range(times):
            # Most near the days on which clocks change; at the beginning or the end of a window, or a second beside it.
            day = random.choice([datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 3, 8),
                                 datetime(2026, 11, 1), datetime(2026, 4, 5), datetime(2026, 10, 4),
                                 datetime(2026, 7, random.randint(1, 31))])
            if random.random() < .5:
                moment = day.replace(tzinfo=timezone.utc) + timedelta(minutes=random.randint(-2000, 2800))
            else:
                day += timedelta(days=random.randint(-1, 1))
                moment = on_the_clock(day, random.choice(random.choice(tests)[1:]) % 1440, zone)
            moment += timedelta(seconds=random.choice((0, 0, -1, 1, 30)))
            moments[int(moment.timestamp()) * 10**6] = any(is_in(moment, *test, zone) for test in tests)
        answer.append({"text": "; ".join(text), "times": moments})
    print(json.dumps(answer))


# --- looks ------------------------------------------------------------------------------------------------------------


class World:
    """A series of runs of `alerts`, between which jobs run, are muted, and have windows of maintenance."""

    FACTORS = ["--after=1", "--slow=2", "--fast=4"]

    def __init__(self, directory, taskresults):
        self.directory, self.taskresults = directory, taskresults
        self.state = f"{directory}/state"
        self.jobs = [Job(name, directory) for name in ("a", "a-b", "b", "b-a", "c", "c[1]")]
        self.mutes, self.told, self.count = {}, {}, 0

    def command(self, *words):
        done = subprocess.run([self.taskresults, "alerts", *words, "--state", self.state], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def change(self):
        for job in self.jobs:
            for _ in range(random.choice((0, 0, 1, 1, 2))):
                if len(job.runs) < 7:
                    job.run(True, random.randint(90, 110))
                else:
                    job.run(random.random() < .7, random.choice((100, 100, 100, 1000, 3, None)))
        act = random.random()
        pattern = random.choice(["a", "a*", "*-?", "c[1]", "[bc]", "*"])
        if act < .3:
            assert self.command("mute", pattern, "--for", "1h")[0] == 0
            self.mutes[pattern] = True
        elif act < .5:
            assert self.command("unmute", pattern)[0] == (0 if pattern in self.mutes else 1)
            self.mutes.pop(pattern, None)
        elif act < .7 and self.mutes:
            self.let_time_pass()
        listed = self.command("mute", "--list")[1]
        assert sorted(line.rsplit(": muted until", 1)[0] for line in listed.splitlines()) == sorted(self.mutes), listed

    def let_time_pass(self):
        """Changes the state so that all mutes have ended."""
        with open(self.state) as file:
            text = file.read()
        with open(self.state, "w") as file:
            file.write(re.sub(r'"until_us":\d+', '"until_us":1', text))
        self.mutes.clear()

    def is_muted(self, name):
        globs = {"a": "a", "a*": "a.*", "*-?": ".*-.", "[bc]": "[bc]", "*": ".*", "c[1]": "c1"}
        return any(name == pattern or re.fullmatch(globs[pattern], name) for pattern in self.mutes)

    def expected(self):
        """What `alerts` must report now: (event, alert, job); and what the state then has as reported."""
        news, told = set(), dict(self.told)
        for job in self.jobs:
            if self.is_muted(job.name):
                continue
            failing = bool(job.runs) and not job.runs[-1][0]
            holds = job.alerts(slow=2, fast=4) | ({"failing"} if failing else set())
            for kind in ("failing", "slow", "fast"):
                key = (kind, job.name)
                if kind in holds:
                    # The outage is known by its first failure.
                    began = max((i + 1 for i, run in enumerate(job.runs) if run[0]), default=0)
                    if key not in told or (kind == "failing" and told[key] != began):
                        news.add(("fired", *key))
                        told[key] = began
                elif key in told:
                    del told[key]
                    known = kind == "failing" or job.runs[-1][1] is not None
                    news.add(("recovered" if known else "dropped", *key))
        return news, told

    def look(self):
        words = self.FACTORS + ["--recovered"]
        hour = datetime.now(timezone.utc)
        window = random.choice((None, None, "around", "elsewhere"))
        if window:
            shift = timedelta(hours=0 if window == "around" else 12)
            ends = [(hour + shift + timedelta(hours=by)).strftime("%H:%M") for by in (-2, 2)]
            words += ["--maintenance", "-".join(ends)]
        digest, fails = random.random() < .7, random.random() < .3
        facts = f"{self.directory}/facts"
        script = f"cat >>'{facts}'; exit {7 if fails else 0}"
        if digest:
            words += ["--digest", "--exec", script]
        if os.path.exists(facts):
            os.remove(facts)
        news, told = self.expected()
        if window == "around":
            news, told = set(), self.told
        status, output = self.command(*words)
        if digest:
            # One command at most, with one array.
            got = json.load(open(facts)) if os.path.exists(facts) else []
            assert all(fact["message"].startswith(fact["job"] + ": ") for fact in got), got
            seen = {(fact["event"], fact["alert"], fact["job"]) for fact in got}
            assert len(seen) == len(got) and seen == news, (seen ^ news, self.mutes, window)
        else:
            fails = False
            assert len(output.splitlines()) == len(news), (output, news, self.mutes, window)
            for event, _, job in news:
                word = {"fired": "", "recovered": "recovered", "dropped": "not looked"}[event]
                assert any(line.startswith(f"{job}: {word}") for line in output.splitlines()), (output, news)
        failed = digest and fails and news
        wanted = 3 if failed else 1 if any(event == "fired" for event, _, _ in news) else 0
        assert status == wanted, (status, wanted, output)
        self.count += len(news)
        if not failed:
            self.told = told


def looks(seed, count, directory, taskresults):
    random.seed(seed)
    world = World(directory, taskresults)
    for _ in range(count):
        world.change()
        world.look()
    print(world.count)


# --- missed runs ------------------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)
WITHIN = 7 * 24  # in slots: older ones are not examined


class Expected:
    """A job that is due every hour, and the state of each hour: ran, failed, late, missed or paused."""

    def __init__(self, name, directory):
        self.name, self.fates = name, ["ran"]
        self.results, self.log = f"{directory}/results/{name}.jsonl", f"{directory}/logs/{name}.log"
        self.mood = random.random()
        self.settled, self.told = -1, None  # slots up to this one are settled; the last one of an outage that was told

    def live(self):
        if random.random() < .1:
            self.mood = random.random() ** 2
        fate = "missed" if random.random() < self.mood else random.choice(("ran", "ran", "failed", "late", "paused"))
        self.fates.append(fate)

    def write(self, last_slot):
        """Changes the files so that the newest hour is that one. Slots are half an hour from the present minute."""
        created = last_slot - HOUR * len(self.fates)
        lines = [f"[{stamp(created)}] Scheduled: x (next run: x, recurring: True, mode: command)\n"]
        records = []
        for number, fate in enumerate(self.fates):
            slot = last_slot - HOUR * (len(self.fates) - 1 - number)
            if fate == "paused":
                lines.append(f"[{stamp(slot - timedelta(minutes=1))}] Job paused\n")
                lines.append(f"[{stamp(slot + timedelta(minutes=1))}] Job resumed\n")
            elif fate != "missed":
                begins = slot + (timedelta(minutes=12) if fate == "late" else timedelta(seconds=5))
                ends, ok = begins + timedelta(seconds=20), fate != "failed"
                lines.append(f"[{stamp(begins)}] Executing (command mode): working_dir=/opt, cmd=true\n")
                lines.append(f"[{stamp(ends)}] Command " + ("executed successfully\n" if ok else "failed: no\n"))
                records.append(json.dumps({"timestamp": stamp(ends), "success": ok, "output": "", "error": ""}) + "\n")
        with open(self.log, "w") as log, open(self.results, "w") as results:
            log.writelines(lines)
            results.writelines(records)
        return {"id": self.name, "schedule": "cron", "cron": f"{last_slot.minute} * * * *", "enabled": True,
                "created_at": stamp(created)}

    def look(self, least):
        """The event of --missed=LEAST, or None, and the number of missed runs. Ends an alert that is over."""
        first, ended = max(0, len(self.fates) - WITHIN), False
        if self.told is not None:
            after = [i for i, fate in enumerate(self.fates) if i > self.told and fate in ("ran", "failed", "late")]
            if not after:
                return None, 0
            self.settled, self.told, ended = after[0], None, True
        news = [i for i, fate in enumerate(self.fates) if fate == "missed" and i > self.settled and i >= first]
        if len(news) >= least:
            self.told = news[-1]
            return "fired", len(news)
        return ("recovered" if ended else None), 0

    def burns(self, hours, percent):
        fates = [fate for fate in self.fates[-hours:] if fate != "paused"]
        bad = sum(fate in ("missed", "failed") for fate in fates)
        return bad * 100 > (100 - Fraction(percent)) * len(fates)


def shift_state(path, hours):
    """Time has passed: the slots in the state become so much older."""
    if os.path.exists(path):
        with open(path) as file:
            text = file.read()
        move = lambda match: match[1] + str(int(match[2]) - hours * 3600 * 10**6)
        with open(path, "w") as file:
            file.write(re.sub(r'("(?:upto|since)_us":)(\d+)', move, text))


def missed(seed, count, directory, taskresults):
    random.seed(seed)
    jobs, state, told = [Expected(f"m{number}", directory) for number in range(8)], f"{directory}/state", 0
    least, hours = random.choice((1, 1, 2, 3)), random.choice((24, 48, 100))
    percent = random.choice(("99", "90", "75", "50.5", "100"))
    burning = set()
    last_slot = (datetime.now(timezone.utc) - timedelta(minutes=30)).replace(second=0, microsecond=0)
    for _ in range(count):
        passed = random.choice((1, 1, 2, 3, 5))
        for job in jobs:
            for _ in range(passed):
                job.live()
        shift_state(state, passed)
        with open(f"{directory}/jobs.json", "w") as file:
            json.dump({"jobs": [job.write(last_slot) for job in jobs]}, file)
        expected, deaf = [], {job.name for job in jobs if random.random() < .15}  # of these the command fails
        for job in jobs:
            before = job.settled, job.told
            event, runs = job.look(least)
            if event and job.name in deaf:
                job.settled, job.told = before
            elif event:
                expected.append(f"{event} missed {job.name} {runs}")
            # The window ends now, half an hour behind the last slot.
            if job.burns(hours, percent) != (job.name in burning) and job.name not in deaf:
                burning ^= {job.name}
                expected.append(f"{'fired' if job.name in burning else 'recovered'} burn {job.name} 0")
        script = 'runs=0; case "$TASKRESULTS_EVENT $TASKRESULTS_ALERT $TASKRESULTS_MESSAGE" in ' \
            '"fired missed "*": missed a run"*) runs=1;; "fired missed "*) runs=${TASKRESULTS_MESSAGE#*: missed }; ' \
            'runs=${runs%% *};; esac; case " $DEAF " in *" $TASKRESULTS_JOB "*) exit 7;; esac; echo "$TASKRESULTS_EVENT $TASKRESULTS_ALERT $TASKRESULTS_JOB $runs"'
        done = subprocess.run([taskresults, "alerts", f"--missed={least}", "--burn", f"{percent}/{hours}h", "--recovered",
                               "--state", state, "--exec", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, env={**os.environ, "DEAF": " ".join(deaf)})
        got = [line for line in done.stdout.splitlines() if "--exec failed with status 7" not in line]
        assert sorted(got) == sorted(expected), (least, hours, percent, sorted(set(got) ^ set(expected)),
                                                 [(job.name, job.fates) for job in jobs])
        told += len(expected)
    print(told)


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "durations":
        durations(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    elif what == "maintenance":
        maintenance(*map(int, sys.argv[2:5]))
    elif what == "missed":
        missed(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6])
    else:
        looks(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6])
