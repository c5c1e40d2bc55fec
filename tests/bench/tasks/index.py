"""index.py - the same questions without an index, with one that has to be made first, and asked again."""
import os
import shutil

import data
from measure import Comparison, bar, ours
from settings import WORK
from tasks import jobs, one_file
from tools import command, sqlite

CACHE = os.path.join(WORK, "index")
FIRST, AGAIN, WITHOUT = "the first question", "asked again", "without an index"
COUNT = "SELECT count(*) FROM task_results WHERE success = 0"
DAYS = "SELECT job_id, date(time_us / 1000000, 'unixepoch'), count(*), sum(ok) FROM task_results GROUP BY 1, 2 ORDER BY 1, 2"
LAST_DAY = ("SELECT job_id, timestamp, error FROM task_results WHERE ok = 0 AND "
            "time_us > (SELECT max(time_us) - 86400000000 FROM task_results) ORDER BY 1, 2")


def with_index(asked, place):
    return asked._replace(environment={**asked.environment, "TASKRESULTS_INDEX": place})


def prepare(contender):
    """Before the first question there is no index; before the others, there is one."""
    place = os.path.join(CACHE, "first")
    if contender.name == FIRST:
        shutil.rmtree(place, ignore_errors=True)
    for folder in (CACHE, place, os.path.join(CACHE, "kept")):
        os.makedirs(folder, mode=0o700, exist_ok=True)


def comparison(title, asked, size, at_most):
    """The first run of each, which is not counted, makes the index of AGAIN."""
    contenders = [ours(FIRST, with_index(asked, os.path.join(CACHE, "first"))),
                  ours(AGAIN, with_index(asked, os.path.join(CACHE, "kept"))),
                  ours(WITHOUT, with_index(asked, "off"))]
    return Comparison("index", title, contenders, size=size, before=prepare,
                      bars=[bar("ratio", AGAIN, at_most, WITHOUT), bar("ratio", FIRST, 1.15, WITHOUT)])


def questions():
    large, many, recent = data.large(), data.many(), data.recent()
    yield comparison("count the failures", sqlite(large, COUNT), one_file.size_of(large), 0.15)
    yield comparison("failures of each day", sqlite(large, DAYS), one_file.size_of(large), 0.6)
    yield comparison("statistics of each job", sqlite(many, "SELECT * FROM task_stats ORDER BY job_id"), jobs.size_of(many), 0.4)
    yield comparison("failures of the last day", sqlite(recent, LAST_DAY), jobs.size_of(recent), 0.4)
    yield comparison("taskresults list", command(many, "taskresults", "list"), jobs.size_of(many), 0.4)
