#!/usr/bin/env python3
"""each_call.py [STRIDE [WORDS [WITHOUT]]] - every call that our code makes into libc fails in turn, with each error that is
plausible there; once, and from then on. tests/shim/each_call.c counts the calls, and fails them.

For each scenario (a statement, or a command) and each call of it, what comes out is one of
  right   status 0, and all that it prints and leaves in the files is what it is without faults
  told    status 0, but something is missing, and it says why in the system's words
  failed  another status, and a message that says where, and why in the system's words, or that memory ran out; a reader
          has changed nothing, and what a writer leaves is what its scenario allows
  unmet   right, but the call did not happen: threads share their work as they come
Anything else is a finding: a crash, a hang, a silent difference, a descriptor that stays open.

What it lets pass:
  - "where" is any of the scenario's files, jobs or directories, not just the one that failed: a call has no file's name;
  - rows that came before a failure are not compared with the right ones: the units memory.c and write_memory.c do that;
  - a status page that tells a failure may differ anywhere: it need only be whole, as the gap moves its other figures;
  - a failed prune may leave anything that the next one brings to the right end;
  - a failed write may leave a piece of a record, which no later call can take back; the tables show it as a reject;
  - after a failed unlink the files are not compared: what should be gone is still there;
  - a close that fails is no leak, and EINTR and EAGAIN come only once: who is interrupted for ever may wait for ever.

STRIDE  takes every STRIDE-th case only (default 1: all), and of commands, which take ten times as long as the statements
        that they run, half as many
WORDS   only scenarios whose name holds them
WITHOUT and not these

Prints a line for each scenario and a sum; exits 1 if there was a finding. Needs TASKRESULTS_ROOT.
"""
import collections
import concurrent.futures
import errno
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["TASKRESULTS_ROOT"], "tests/oracles"))
import archive_segment  # noqa: E402

ROOT = os.environ["TASKRESULTS_ROOT"]
SHIM = os.path.join(ROOT, "build/shim/each_call.so")
SECONDS = 300

OPENING = "EACCES EMFILE ENFILE ENOMEM EINTR EIO"
PLAUSIBLE = {  # what each call may say; SHORT: it does half of its work
    "open": OPENING, "openat": OPENING, "fopen": "EMFILE ENOMEM", "mkostemp": "EMFILE ENOSPC", "pipe2": "EMFILE ENFILE",
    "read": "EIO EINTR SHORT", "pread": "EIO EINTR SHORT", "write": "EIO ENOSPC EDQUOT EINTR SHORT",
    "pwrite": "EIO ENOSPC EDQUOT EINTR SHORT", "fstat": "EIO", "stat": "EIO EACCES ENOMEM", "fstatat": "EIO EACCES ENOMEM",
    "faccessat": "EIO EACCES", "fstatvfs": "EIO", "lseek": "EIO", "fsync": "EIO ENOSPC EINTR", "fdatasync": "EIO ENOSPC EINTR",
    "renameat": "EIO ENOSPC EACCES", "renameat2": "EIO ENOSPC EACCES EINVAL", "unlinkat": "EIO EPERM", "unlink": "EPERM",
    "flock": "EINTR ENOLCK", "fcntl": "EAGAIN", "fallocate": "ENOSPC EINTR EOPNOTSUPP", "fchmod": "EIO EPERM",
    "fchown": "EIO EPERM", "flistxattr": "EIO ENOTSUP", "fgetxattr": "EIO", "fsetxattr": "EIO ENOSPC",
    "readdir": "EIO", "fdopendir": "ENOMEM", "fdopen": "ENOMEM", "newlocale": "ENOMEM", "pthread_create": "EAGAIN",
    "realpath": "ENOMEM EACCES", "readlink": "EIO EACCES", "close": "EIO", "poll": "EINTR", "nanosleep": "EINTR",
    "fork": "EAGAIN ENOMEM", "execvp": "ENOMEM EACCES", "waitpid": "EINTR", "signalfd": "EMFILE ENOMEM",
    "getcwd": "", "mkdirat": "EACCES ENOSPC", "fstatfs": "EIO", "open_memstream": "ENOMEM", "fclose": "ENOMEM",
    "calloc": "ENOMEM", "realloc": "ENOMEM",
}
# If a scenario makes a call hundreds of times, only this many of the first and of the last fail.
REPEATED = 25
# A process that is hidden from us (/proc may be mounted so) is taken for the job's.
NO_FAULT = {("task_jobs", "open", 2, "EACCES"), ("taskresults doctor", "open", 5, "EACCES"),
            ("taskresults report -o out.html", "open", 3, "EACCES")}
# What a message may name: a file or a directory, a job, what `run` shows and starts, or memory.
PLACES = (r"\b[ab]\.(jsonl|log)|\bmap\.json|\ball(-1)?\.log|\b(late|new|long)\.(jsonl|log)|/zones/Town|jobs\.json|policy\.json|/results\b|results directory|/logs\b|\bjob '?(a|b|new|late)\b|\bout\.(csv|html|prom)|/state\b|/dev/stdout"
          r"|out of memory|NOT RECORDED|the output|the command's|standard (output|error)|taskresults: (pipe|fork|signals)\b|printf|sh:")
MUST_NOT_MATTER = ("EINTR", "SHORT")  # one of these is no reason to fail


def record(when, output, success="true"):
    return ('{"timestamp": "2001-%sZ", "job_id": "x", "job_name": "X", "success": %s, "output": "%s", "error": "bad"}\n'
            % (when, success, output))


FILES = {
    "results/a.jsonl": record("01-01T00:00:00", "1") + "torn {\n" + record("02-01T00:00:00", "2 \\u00e9", "false")
                       + record("03-01T00:00:00", "3"),
    "results/b.jsonl": record("01-01T00:00:00", "4", "false") + record("03-01T00:00:00", "5"),
    "logs/a.log": "[2001-01-01T00:00:00Z] Starting execution\nsomething else\n[2001-01-01T00:00:02Z] Execution completed\n",
    "jobs.json": '{"jobs": [{"id": "a", "name": "A", "enabled": true}, {"id": "late", "next_run": "2001-01-01T00:00:00Z"}]}',
    ".checkpoint_a.json": '{"pid": 1, "job_id": "a", "started_at": "2001-04-01T00:00:00"}',
}

# A state of alerts with a mute, an alert that goes on, and one of missed runs that is over; and what changes it.
TOLD = {
    **FILES,
    "jobs.json": '{"jobs": [{"id": "a", "name": "A", "enabled": true, "cron": "0 0 * * *", "created_at": "%s"}]}' % (
        time.strftime("%FT%TZ", time.gmtime(time.time() - 3 * 86400))),
    "logs/a.log": "",
    "results/new.jsonl": record("01-01T00:00:00", "6", "false"),
    "state": '{"taskresults_alerts":1,"alerts":3,"results":"RESULTS"}\n'
             '{"job":"a","alert":"failing","fired_us":1,"sent_us":1,"upto_us":1}\n'
             '{"job":"b","alert":"missed","fired_us":1,"sent_us":1,"upto_us":%d,"since_us":1,"over":1}\n'
             '{"job":"b","alert":"mute","fired_us":1,"sent_us":1,"until_us":4000000000000000}\n'
             % (time.time_ns() // 1000),
}

# More than is read before a second thread starts.
LONG = {"results/long.jsonl": "".join(record("01-01T00:%02d:%02d" % (i // 60, i % 60), "%d %s" % (i, "x" * 2000),
                                             "false" if i % 50 == 0 else "true") for i in range(2600))}

# A sink has read another job, so nothing may go.
SHIPPED = {**FILES, "results/.taskresults/shipped/one.jsonl": '{"taskresults_marks":1}\n'
           '{"file":"c.jsonl","dev":1,"inode":2,"end":3}\n', "results/.taskresults/shipped/moves":
           '{"file":"c.jsonl","dev":1,"inode":2,"end":3,"new_inode":4,"new_end":0}\n'}

# A prune has removed two runs of a, and one of a job that has no file any more; another one was killed behind its exchange.
RECEIPT = ('{"id":"%s","pruned_at":"2001-04-01T00:00:00Z","rule":"keep 2","uid":0,"lines":2,"records":2,"failures":1,"bytes":9,"sha256":null,'
           '"days":[{"day":"2000-12-01","runs":2,"failures":1,"first_run":"2000-12-01T01:00:00Z","last_run":"2000-12-01T23:00:00Z"}],'
           '"untimed":{"runs":0,"failures":0},"scattered":false,"archive":null,"replaced":false}\n')
PRUNED = {**FILES, "results/.taskresults/prunes/a.jsonl": RECEIPT % ("1" * 32), "results/.taskresults/prunes/gone.jsonl": RECEIPT % ("2" * 32),
          "results/a.jsonl.1": record("01-01T00:00:00", "8")}

# Two segments of an archive: of frames, and without tables. And a compressed rotated file.
ARCHIVE = "results/.taskresults/archive/a.jsonl/none-%d.jsonl.zst"
ARCHIVED = {**FILES, ARCHIVE % 1: archive_segment.encode("".join(record("01-01T00:00:%02d" % i, str(i)) for i in range(9)).encode(), 250),
            ARCHIVE % 2: archive_segment.compress(record("01-02T00:00:00", "9").encode()),
            "results/b.jsonl.1.gz": gzip.compress(record("01-01T00:00:00", "3").encode())}
ARCHIVED_ALONE = {name: text for name, text in ARCHIVED.items() if "gz" not in name}

# A file of a zone: two blocks of one type, and a rule.
ZONE = "".join(["TZif2", "\0" * 31, "\0\0\0\1" * 2, "\0" * 7] * 2) + "\nCET-1CEST,M3.5.0,M10.5.0/3\n"

# Jobs with schedules. Their runs were in time, late, missed, skipped, paused and cut short. The clock stands at the
# beginning of April 2 in 2001.
NOW_OF_SLOTS_S = "986169600"
SLOTS = {
    **FILES,
    "jobs.json": json.dumps({"jobs": [
        {"id": "a", "name": "A", "enabled": True, "cron": "0 0 29 2 *", "created_at": "2000-01-01T00:00:00Z"},
        {"id": "b", "schedule": "every 30 days", "enabled": False, "created_at": "2000-12-01T00:00:00Z"},
        {"id": "late", "schedule": "0 12 1 * *", "created_at": "2000-12-01T00:00:00Z"},
        {"id": "new", "schedule": "every blue moon", "created_at": "2000-12-01T00:00:00Z"}]}),
    "logs/a.log": "[2000-02-29T00:00:01Z] Starting execution\n[2000-02-29T00:00:04Z] Execution succeeded\n",
    "logs/b.log": "[2000-12-31T00:00:00Z] Starting execution\n[2001-01-01T00:00:00Z] Execution failed: bad\n"
                  "[2001-01-31T00:00:00Z] Skipped: busy\n[2001-03-01T00:00:00Z] Job paused\n",
    "logs/late.log": "[2000-12-01T00:00:00Z] Scheduled: Late\n[2001-01-01T12:30:00Z] Starting execution\n"
                     "[2001-01-01T12:31:00Z] Execution succeeded\n[2001-02-01T12:00:00Z] Starting execution\n",
    "results/late.jsonl": record("01-01T12:31:00", "7 d_d"),
    "zones/Town": ZONE,
}

# Without logs, --quiet has no message about a log to leave out.
NO_LOGS = {name: text for name, text in FILES.items() if not name.startswith("logs/")}

Scenario = collections.namedtuple("Scenario", "name words sql allows build status files")


# Files of other programs: one for each job, and one for all, which is rotated.
MAPPED = {"results/a.jsonl": '{"ts": 978307200, "state": "fine"}\n{"ts": 978307201, "state": "bad", "took": 2.5}\ntorn\n',
          "results/b.jsonl": '{"ts": "2001-01-01T00:00:05Z", "state": "odd"}\n', "results/a.jsonl.1": '{"ts": 978307100, "state": "fine"}\n',
          "logs/a.log": FILES["logs/a.log"], "logs/b.log": "",
          "map.json": '{"timestamp": "ts", "duration": {"key": "took", "unit": "s"}, "success": [{"state": ["fine"]}], "failure": [{"state": ["bad"]}]}'}
SHARED = {"results/all-1.log": '{"ts": 978307200, "job": "a", "state": true}\n', "results/all.log": '{"ts": 978307201, "job": "b"}\n{"job": 5}\n',
          "map.json": '{"files": "all*.log", "order": "number", "job": "job", "timestamp": "ts", "success": "state"}'}
MAKE = "CREATE VIRTUAL TABLE temp.t USING %s(map='@map.json'); "

POLICY = {**FILES, "policy.json": '{"rules": [{"jobs": "a", "keep": 1}, {"jobs": ["b*"], "since": "2001-02-15T00:00Z"}]}'}


def sql(name, statements, allows="nothing", build="", files=FILES, status=0):
    return Scenario(name, None, statements, allows, build, status, files)


def command(words, allows="nothing", status=0, files=FILES):
    return Scenario("taskresults " + words, words.split(" "), None, allows, "", status, files)


ROW = "INSERT INTO task_results(timestamp, job_id, success, output) VALUES ('2001-04-01T00:00:00Z', '%s', 1, '%s'); "
SCENARIOS = [
    sql("task_results", "SELECT rowid, *, time_us FROM task_results"),
    sql("task_results, backwards", "SELECT rowid, output FROM task_results ORDER BY rowid DESC"),
    sql("task_results, a job", "SELECT * FROM task_results('a') WHERE success = 1 AND timestamp > '2001-01-15'"),
    sql("task_results, jobs", "SELECT * FROM task_results WHERE job_id IN ('a', 'b', 'none')"),
    sql("task_results, a rowid", "SELECT output FROM task_results WHERE rowid = (SELECT max(rowid) FROM task_results)"),
    sql("task_results, 7 bytes at a time", "SELECT rowid, *, time_us FROM task_results", build="tiny"),
    sql("task_results, two threads", "SELECT count(*), sum(length(output)), sum(offset) FROM task_results", files={**FILES, **LONG}),
    sql("task_stats, two threads", "SELECT * FROM task_stats", files={**FILES, **LONG}),
    sql("task_errors, 7 bytes, two threads", "SELECT * FROM task_errors", build="tiny"),
    sql("task_rejects", "SELECT * FROM task_rejects"),
    sql("task_lines", "SELECT *, ok FROM task_lines WHERE offset >= 50"),
    sql("task_stats", "SELECT * FROM task_stats"),
    sql("task_errors", "SELECT * FROM task_errors"),
    sql("task_logs", "SELECT * FROM task_logs"),
    sql("task_jobs", "SELECT job_id, state FROM task_jobs"),
    sql("task_runs", "SELECT * FROM task_runs"),
    sql("task_history", "SELECT *, segment FROM task_history ORDER BY job_id, segment_no, offset", files=ARCHIVED),
    sql("task_history, backwards", "SELECT segment, offset, output FROM task_history ORDER BY job_id DESC, segment_no DESC, offset DESC",
        files=ARCHIVED_ALONE),
    sql("task_history, 7 bytes, two threads", "SELECT *, segment FROM task_history", build="tiny", files=ARCHIVED),
    sql("task_prunes", "SELECT * FROM task_prunes; SELECT count(*) FROM task_prunes('gone')", files=PRUNED),
    sql("task_days", "SELECT *, age FROM task_days; SELECT * FROM task_days('a') WHERE as_of = '2001-01-02T12:00Z'", files=PRUNED),
    sql("task_days, 7 bytes, two threads", "SELECT * FROM task_days", build="tiny", files=PRUNED),
    sql("a mapping's file", MAKE % "task_results" + "SELECT *, ok FROM t; SELECT taskresults_mapping('@map.json')", files=MAPPED),
    sql("task_runs by a mapping", MAKE % "task_runs" + "SELECT * FROM t", files=MAPPED),
    sql("task_history by a mapping, 7 bytes", MAKE % "task_history" + "SELECT *, segment FROM t", build="tiny", files=MAPPED),
    sql("a log that jobs share", MAKE % "task_stats" + "SELECT * FROM t", files=SHARED),
    sql("a log that jobs share, 7 bytes", MAKE % "task_results" + "SELECT * FROM t", build="tiny", files=SHARED),
    sql("insert", "SELECT taskresults_writable(1); " + ROW % ("a", "one"), "append"),
    sql("transaction", "SELECT taskresults_writable(1); BEGIN; SAVEPOINT s; " + ROW % ("a", "1") + ROW % ("new", "2")
        + "RELEASE s; " + ROW % ("a", "3") + "COMMIT", "append"),
    sql("durable insert", "CREATE VIRTUAL TABLE temp.t USING task_results(dir='results', sync=data); "
        + (ROW % ("new", "one")).replace("task_results(", "t("), "append"),
    sql("export_csv", "SELECT taskresults_export_csv('out.csv', 'SELECT * FROM task_results')", "export"),
    sql("export_csv, two threads", "SELECT taskresults_export_csv('out.csv', 'WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
        "FROM n WHERE i < 16) SELECT hex(zeroblob(50000)) || i FROM n')", "export", "tiny"),
    sql("drop", "CREATE VIRTUAL TABLE temp.t USING task_results(dir='results'); SELECT count(*) FROM t; DROP TABLE t; "
        "SELECT taskresults_version(), taskresults_signature('HTTP 500 after 3 s')"),
    sql("drop after an insert", "CREATE VIRTUAL TABLE temp.t USING task_results(dir='results'); "
        + (ROW % ("new", "one")).replace("task_results(", "t(") + "DROP TABLE t", "append"),
    sql("prune", "SELECT taskresults_prune('a', 'keep', 1)", "prune"),
    sql("prune, dry", "SELECT taskresults_prune('a', 'keep', 1, 'dry_run', 1)"),
    sql("prune beside a sink", "SELECT taskresults_prune('a', 'keep', 1)", "prune", files=SHIPPED),
    sql("prune, refused", "SELECT taskresults_prune('a', 'keep', 0)", status=1),
    sql("prune_all, refused", "SELECT taskresults_prune_all('keep', 0)", status=1),
    sql("prune_all, refused, dry", "SELECT taskresults_prune_all('since', '2001-04-01', 'dry_run', 1)"),
    sql("prune_all", "SELECT taskresults_prune_all('since', '2001-02-15T00:00Z')", "prune"),
    sql("prune, two threads", "SELECT taskresults_prune('a', 'since', '2001-02-15T00:00Z', 'count', 1)", "prune", "tiny"),
    sql("prune_all, a policy", "SELECT taskresults_prune_all('policy', 'policy.json')", "prune", files=POLICY),
    sql("a policy", "SELECT job_id, taskresults_policy('policy.json', job_id) FROM task_stats", files=POLICY),
    sql("task_slots", "SELECT *, ok, started_us, finished_us FROM task_slots('2000-02-01', '2001-04-02')", files=SLOTS),
    sql("task_slots, a zone and a job", "SELECT * FROM task_slots('2000-12-01', '2001-04-02', '10m', 'Town') WHERE job_id = 'b'",
        files=SLOTS),
    sql("task_slots, the last of each", "SELECT * FROM task_slots('0001-01-01', '2001-04-02', NULL, NULL, -1)", files=SLOTS),
    sql("task_slots, 7 bytes at a time", "SELECT * FROM task_slots('2000-12-01', '2001-04-02', '10m', 'Town')", build="tiny",
        files=SLOTS),
    sql("task_slots with task_results", "SELECT s.job_id, slot, state, r.output, duration_s FROM task_slots('2000-02-01', '2001-04-02') "
        "AS s LEFT JOIN task_results AS r ON r.job_id = s.job_id AND r.offset = s.offset LEFT JOIN task_runs AS u "
        "ON u.job_id = s.job_id AND u.offset = s.offset", files=SLOTS),
    sql("a zone", "SELECT taskresults_local(978307200000000, 'Town'), taskresults_local(993945600000000, 'Town'), "
        "taskresults_time('2001-07-01', 'since', 'Town'); SELECT group_concat(slot) FROM "
        "taskresults_slots('30 2 * * *', '2001-03-24', '2001-03-26', 'Town')", files=SLOTS),
    sql("insert beside task_slots", "SELECT taskresults_writable(1); BEGIN; " + ROW % ("a", "one")
        + "SELECT count(*) FROM task_slots('2000-02-01', '2001-04-02'); COMMIT", "append", files=SLOTS),
    command("next", files=SLOTS), command("next late a --json", files=SLOTS),
    command("sla --count missed --max-duration 1s --window 2000-12-01..2001-04-02 --tz Town --csv", files=SLOTS),
    command("report -o out.html --tz Town", "export", files=SLOTS), command("stats --by day --tz Town", files=SLOTS),
    command("metrics -o out.prom", "export", files=SLOTS), command("view a --grep BAD --tz Town", files=SLOTS),
    command("view --all --grep d_d", files=SLOTS), command("export --grep bad"), command("errors --grep bad --tz Town", files=SLOTS),
    command("view a"), command("view --all"), command("list"), command("stats"), command("errors"), command("rejects"),
    command("export --format jsonl"), command("export -o out.csv", "export"), command("sla --window 2001-01-01..2001-04-01"),
    command("alerts --state state", "state"), command("alerts --after 1 --state state", "state", 1, TOLD),
    command("alerts --missed --burn 99/30d --slow --recovered --state state", "state", 1, TOLD),
    command("alerts mute a --for 5m --state state", "state", 0, TOLD),
    command("alerts unmute b --state state", "state", 0, TOLD),
    command("alerts mute --list --state state", "state", 0, TOLD), command("metrics"), command("report -o out.html", "export"),
    command("doctor"), command("prune a --keep 1", "prune"),
    command("run a -- printf hello", "append"), command("run a --merge -- sh -c echo>&2;exit", "append"),
    command("run new --quiet --timeout 60 -- sh -c echo\tfine;exit\t3", "append", 3, NO_LOGS),
    # More than is kept in memory.
    command("run a --quiet -- sh -c yes\t|head\t-c\t1055000;exit\t3", "append", 3, NO_LOGS),
    command("run a --lock skip --jitter 0.001 -- printf hello", "append"),
    command("run a --lock wait --no-log-command -- printf hello", "append"),
    # Nothing listens on that port: a message says so, and nothing else changes.
    command("run a --ping @url -- printf hello", "append", 0, {**FILES, "url": "http://127.0.0.1:9/key"}),
]

FINE = ("right", "told", "failed", "unmet")


class Place:
    """A scheduler's state, and where a run of a scenario leaves things."""

    def __init__(self, files):
        self.path = tempfile.mkdtemp(prefix="taskresults-each-")
        for name, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(self.path, name)), exist_ok=True)
            is_text = isinstance(text, str)
            self.write(name, text.replace("RESULTS", os.fsencode(self.path + "/results").hex()).encode() if is_text else text)

    def write(self, name, content):
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(content)

    def content(self):
        found = {}
        for directory, _, names in os.walk(self.path):
            for name in names:
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, self.path)] = without_now(file.read())
        # Receipts have a random id and the time; tests/prune/every_step.py checks them.
        return {name: text for name, text in found.items() if not name.startswith(("shim.", "results/.taskresults/prunes/"))}

    def run(self, scenario, **settings):
        """Its status (negative: a signal; None: it hung), standard output, standard error and calls."""
        self.write("shim.count", bytes(8))
        self.write("shim.log", b"")
        preload = SHIM
        if os.path.exists(self.path + "/zones"):
            preload += " " + ROOT + "/build/shim/clock.so"
            settings.update(TZDIR=self.path + "/zones", CLOCK_STANDS_S=NOW_OF_SLOTS_S)
        variables = dict(os.environ, LD_PRELOAD=preload, EACH_CALL_STATE=self.path + "/shim.count", LC_ALL="C.UTF-8",
                         EACH_CALL_LOG=self.path + "/shim.log", SCHEDULER_RESULTS_DIR=self.path + "/results",
                         SCHEDULER_LOGS_DIR=self.path + "/logs", SCHEDULER_JOBS_FILE=self.path + "/jobs.json",
                         TMPDIR=self.path, TASKRESULTS_THREADS="2", **settings)
        words, text = scenario.words, None
        if words is None:
            extension = os.path.join(ROOT, "build", scenario.build, "taskresults") if scenario.build else ROOT + "/taskresults"
            words = ["sqlite3", "-batch", "-init", "/dev/null", "-cmd", ".load " + extension, ":memory:"]
            text = scenario.sql
        else:
            words = [ROOT + "/shell/taskresults", *words]
        child = subprocess.Popen(words, env=variables, cwd=self.path, start_new_session=True, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with child:
            try:
                out, err = child.communicate((text or "").encode(), SECONDS)
            except subprocess.TimeoutExpired:
                return None, b"", end_session(child.pid), []
        with open(self.path + "/shim.log") as file:
            return child.returncode, without_now(out), err, file.read().splitlines()

    def remove(self):
        shutil.rmtree(self.path)


def end_session(session):
    """Which of its processes still exist, and what they wait for."""
    found = subprocess.run(["ps", "-o", "pid,ppid,stat,wchan:24,args", "-s", str(session)], capture_output=True).stdout
    for line in found.splitlines()[1:]:
        try:
            os.kill(int(line.split()[0]), signal.SIGKILL)
        except ProcessLookupError:
            pass
    return found


def without_now(text):
    """Times and places of the run itself, and figures that follow from them."""
    text = re.sub(rb'"results":"[0-9a-f]+"', b"RESULTS", text)
    text = re.sub(rb"%d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z" % time.gmtime().tm_year, b"NOW", text)
    text = re.sub(rb"%d-\d\d-\d\d \d\d:\d\d:\d\d" % time.gmtime().tm_year, b"NOW", text)
    text = re.sub(rb"(?<![\d.])(\d{8,10}|1[789]\d{14})(?![\d.])", b"SECONDS", text)
    return re.sub(rb"taskresults-each-\w+", b"PLACE", text)


def changes_are_allowed(scenario, before, after, clean, told=False):
    """After a failure: is each file old or new, or what a failed write may leave of it?"""
    if scenario.allows == "prune":
        return True  # the next prune tells
    for name in set(before) | set(after):
        old, new, now = before.get(name), clean.get(name), after.get(name)
        if now == old or (told and name in ("out.html", "out.prom")) or (now == new and scenario.allows != "nothing"):
            continue
        if scenario.allows == "append" and now is not None and now.startswith(old or b""):
            continue
        return False
    return True


def judge_torn_append(scenario, clean, before, after, status):
    """A piece of a record cannot be taken back; the whole one follows, or the failure is told."""
    if not changes_are_allowed(scenario, before, after, clean[1]):
        return "SHORT: it left what it must not"
    if status == clean[0]:
        for name, text in clean[1].items():
            if not set(text.splitlines()) <= set(after.get(name, b"").splitlines()):
                return f"SHORT: records are missing in {name}"
    return "right" if status == clean[0] else "failed"


def judge(scenario, clean, fault, name, place, before):
    """The outcome: right, told or failed; or a finding, with a message."""
    (clean_status, clean_out, clean_err, _), clean_files = clean
    status, out, err, log = place.run(scenario, **fault)
    word, name = fault["word"], name.removeprefix("helper ")
    after = place.content()
    said = (out + err + after.get("out.html", b"")).decode("utf-8", "replace")
    if status is None:
        return "hung", said
    if status < 0 or 128 < status < 160:
        return f"died: {status}", said
    leaks = [line for line in log if line.startswith("leak")]
    if leaks and name != "close":
        return "left open: " + ", ".join(leaks), said
    same = status == clean_status and out == clean_out and (after == clean_files or name in ("unlinkat", "unlink"))
    if same:
        return "right" if any(line.startswith("fault") for line in log) else "unmet", said
    if word == "SHORT" and name == "write" and scenario.allows == "append":
        return judge_torn_append(scenario, clean, before, after, status), said
    if word in MUST_NOT_MATTER:
        return f"{word} mattered: status {status}", said
    told = word == "SHORT" or os.strerror(getattr(errno, word)) in said or re.search(
        'out of memory|"result":"failed"|file system|cannot be read as a job.s file', said, re.IGNORECASE)
    if not told:
        return ("a silent difference" if status == clean_status else f"status {status}, and it is not said why"), said
    if status not in (0, clean_status) and not re.search(PLACES, said):
        return f"status {status}, and it is not said where", said
    if "out.html" in after and not after["out.html"].endswith(b"</html>\n"):
        return f"status {status}, and half a page", said
    # A report is written without jobs.json, too, and says so at its top; for no other reason is it written with a failure.
    # So are metrics, which say it on standard error.
    new_page_is_fine = (status == clean_status or b"list of jobs cannot be read" in after.get("out.html", b"")
                        or "no missed runs, since the scheduler's list cannot be read" in said)
    if not changes_are_allowed(scenario, before, after, clean_files, new_page_is_fine) and name not in ("unlinkat", "unlink"):
        changed = [n for n in set(before) | set(after) if before.get(n) != after.get(n)]
        return f"status {status}, and it left changes in {sorted(changed)}", said
    if scenario.allows == "prune":
        place.run(scenario)
        if place.content() != clean_files:
            return "the next prune did not mend it", said
    return ("told" if status == clean_status else "failed"), said


def cases_of(scenario, calls):
    times, all_times = collections.Counter(), collections.Counter(calls)
    for name in calls:
        times[name] += 1
        if REPEATED < times[name] <= all_times[name] - REPEATED:
            continue
        for word in PLAUSIBLE[name.removeprefix("helper ")].split():
            if (scenario.name, name, times[name], word) in NO_FAULT:
                continue
            for on in (0, 1):
                if on and word in MUST_NOT_MATTER + ("EAGAIN",) and word != "SHORT":
                    continue  # who is interrupted for ever may wait for ever
                fault = {"EACH_CALL_NAME": name, "EACH_CALL_AT": str(times[name]), "word": word, "EACH_CALL_ON": str(on) if on else ""}
                if word == "SHORT":
                    fault["EACH_CALL_SHORT"] = "1"
                else:
                    fault["EACH_CALL_ERRNO"] = str(getattr(errno, word))
                yield times[name], name, fault


def try_case(scenario, clean, number, name, fault):
    place = Place(scenario.files)
    before = place.content()
    verdict, said = judge(scenario, clean, {k: v for k, v in fault.items() if v}, name, place, before)
    place.remove()
    what = f"{scenario.name}: {name} {number}, {fault['word']}{', and on' if fault['EACH_CALL_ON'] else ''}"
    return verdict, what, said


def run_scenario(scenario, stride, pool):
    if stride > 1 and scenario.words:
        stride *= 2
    place = Place(scenario.files)
    status, out, err, calls = place.run(scenario)
    clean = (status, out, err, calls), place.content()
    place.remove()
    calls = [name for name in calls if not name.startswith("leak")]
    if status != scenario.status or not calls:
        sys.exit(f"{scenario.name}: without faults: status {status}, {len(calls)} calls, {err.decode()}")
    cases = list(cases_of(scenario, calls))
    chosen = cases[len(scenario.name) % stride % len(cases)::stride]
    verdicts = collections.Counter()
    findings = []
    for verdict, what, said in pool.map(lambda case: try_case(scenario, clean, *case), chosen):
        verdicts[verdict if verdict in FINE else "findings"] += 1
        if verdict not in FINE:
            findings.append(f"{what}: {verdict}\n    {said.strip()[-600:]}")
    print(f"# {scenario.name}: {len(calls)} calls, {len(chosen)} of {len(cases)} cases: {dict(verdicts)}", flush=True)
    for finding in findings:
        print("  " + finding)
    return len(calls), verdicts


def main():
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    words = sys.argv[2] if len(sys.argv) > 2 else ""
    without = sys.argv[3] if len(sys.argv) > 3 else None
    chosen = [scenario for scenario in SCENARIOS
              if words in scenario.name and (without is None or without not in scenario.name)]
    all_calls, all_verdicts = 0, collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for scenario in chosen:
            calls, verdicts = run_scenario(scenario, stride, pool)
            all_calls += calls
            all_verdicts.update(verdicts)
    print(f"{len(chosen)} scenarios, {all_calls} calls, {sum(all_verdicts.values())} cases: "
          + ", ".join(f"{number} {verdict}" for verdict, number in sorted(all_verdicts.items())))
    return all_verdicts["findings"] > 0


if __name__ == "__main__":
    sys.exit(main())
