# rows.bash - SQL for the status page: the text that replaces each of its marks.

# shellcheck shell=bash

load lib/times report/{expressions,plain,json}

# page_rows - SQL. Seconds are counted back from when the page was made.
page_rows() {
  local us="CAST(x'1f' AS TEXT)" ago="(SELECT now_us FROM clock) / 1000000 -"
  local generated zone_name
  set_sql_text zone_name "${page_zone:-UTC}"
  generated="strftime('%Y-%m-%dT%H:%M:%SZ', now_us / 1000000, 'unixepoch')"
  tally_table
  about_rows
  headline_rows
  summary_row
  plain_rows
  notes
  data_rows
}

tally_table() {
  printf '%s\n' "CREATE TEMP TABLE tally AS SELECT count(*) AS jobs, coalesce(sum(state = 'failing'), 0) AS failing,
  coalesce(sum(state = 'overdue'), 0) AS overdue, coalesce(sum(state = 'died'), 0) AS died,
  coalesce(sum(state = 'unreadable'), 0) AS unreadable, coalesce(sum(state = 'flaky'), 0) AS flaky,
  coalesce(sum(state = 'running'), 0) AS running, coalesce(sum(state = 'paused'), 0) AS paused,
  coalesce(sum(state = 'orphaned'), 0) AS orphaned, coalesce(sum(state = 'new'), 0) AS new,
  coalesce(sum(state = 'ok'), 0) AS ok FROM job;"
}

about_rows() {
  local words='Times are UTC'
  [[ -z $page_zone ]] || words="Times are those of $(text_as_html "$page_zone")"
  printf '%s\n' "SELECT 'generated' || $us || $generated FROM clock;
SELECT 'zone' || $us || $(sql_text "$words");
SELECT 'version' || $us || taskresults_version();"
}

headline_rows() {
  printf '%s\n' "SELECT 'health' || $us || CASE WHEN jobs = 0 THEN 'empty' WHEN died THEN 'died'
  WHEN failing THEN 'failing' WHEN unreadable THEN 'unreadable' WHEN overdue THEN 'overdue' WHEN flaky THEN 'flaky'
  WHEN ok + running = 0 THEN 'new' ELSE 'ok' END FROM tally;
SELECT 'headline' || $us || CASE WHEN jobs = 0 THEN 'No jobs yet'
  WHEN (failing > 0) + (unreadable > 0) + (overdue > 0) + (died > 0) > 1
    THEN (failing + unreadable + overdue + died) || ' of ' || jobs || ' jobs need attention'
  WHEN failing THEN failing || ' of ' || jobs || ' jobs failing'
  WHEN unreadable THEN unreadable || ' of ' || jobs || ' jobs cannot be read'
  WHEN overdue THEN overdue || ' of ' || jobs || ' jobs overdue'
  WHEN died THEN died || ' of ' || jobs || ' jobs died while running'
  WHEN flaky THEN flaky || ' of ' || jobs || ' jobs flaky'
  WHEN ok + running = 0 THEN 'No job has run' ELSE 'All jobs OK' END FROM tally;"
}

summary_row() {
  printf '%s\n' "SELECT 'summary' || $us || CASE
  WHEN jobs = 0 THEN 'As soon as the scheduler has written a result, its job is here.'
  ELSE substr(CASE WHEN failing THEN ', ' || failing || ' failing' ELSE '' END
    || CASE WHEN died THEN ', ' || died || ' died' ELSE '' END
    || CASE WHEN unreadable THEN ', ' || unreadable || ' unreadable' ELSE '' END
    || CASE WHEN overdue THEN ', ' || overdue || ' overdue' ELSE '' END
    || CASE WHEN flaky THEN ', ' || flaky || ' flaky' ELSE '' END
    || CASE WHEN running THEN ', ' || running || ' running' ELSE '' END
    || CASE WHEN ok THEN ', ' || ok || ' ok' ELSE '' END
    || CASE WHEN new THEN ', ' || new || ' without a run' ELSE '' END
    || CASE WHEN paused THEN ', ' || paused || ' paused' ELSE '' END
    || CASE WHEN orphaned THEN ', ' || orphaned || ' orphaned' ELSE '' END, 3) END FROM tally;"
}

# notes - SQL: what the page does not show, and why.
notes() {
  local missing='was not there'
  [[ -z $jobs_fault ]] || missing='could not be read'
  printf '%s\n' "SELECT 'notes';
SELECT '<li>Lines that are no records, and so in no count: ' || sum(lines) || ' (see taskresults rejects).'
  FROM reject WHERE NOT entry GROUP BY NULL;
SELECT '<li>Entries of the directory that cannot be read as a job''s file: '
  || sum(lines) || ' (see taskresults rejects).'
  FROM reject WHERE entry AND (job_id IN unreadable) IS NOT 1 GROUP BY NULL;
SELECT '<li>Jobs whose file cannot be read, and so in no count: ' || count(*)
  || ' (taskresults doctor says how to mend it).'
  FROM unreadable GROUP BY NULL;
SELECT '<li>Runs without a time that can be read, in the totals, but in no day and no rate: ' || sum(runs) || '.'
  FROM bucket WHERE cell = 0 GROUP BY NULL;
SELECT '<li>Runs that a prune has removed, in the days and rates, but not in the totals: ' || sum(pruned) || '.'
  FROM bucket GROUP BY NULL HAVING sum(pruned) > 0;
SELECT '<li>Of each job: the last ' || recent || ' runs, texts up to ' || characters
  || ' characters (fewer, if they are mostly not ASCII), the ' || causes || ' commonest causes of its failures.'
  FROM share;
$(notes_on_logs)
SELECT '<li>$( [[ -n $jobs_known ]] && echo "Paused, overdue and running are as of when the page was made." ||
  echo "The scheduler''s list of jobs $missing: what is paused, overdue or running is not known." )';"
}

# notes_on_logs - SQL: why missed runs or durations are not known.
notes_on_logs() {
  if [[ -z $logs_known ]]; then
    printf '%s' "SELECT '<li>The directory of the jobs'' logs is not there, or cannot be read: how long runs took, and '
  || 'which runs were missed, is not known.';"
    return
  fi
  printf '%s' "SELECT '<li>Jobs whose log cannot be read, so that it is not known how long their runs took, nor which '
  || 'were missed: ' || count(*) || '.' FROM closed_log GROUP BY NULL;"
  [[ -z $jobs_known ]] || printf '\n%s' "SELECT '<li>Runs that were missed: ' || CASE WHEN reach.days THEN
    'those of the last ' || reach.days || CASE reach.days WHEN 1 THEN ' day.' ELSE ' days.' END
  ELSE 'too many to be counted.' END FROM reach, clock WHERE reach.days < clock.days;"
}
