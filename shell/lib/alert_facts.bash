# alert_facts.bash - which alerts there are now, and which of them are news: one query over the ends of the jobs' files.
#
# Of each job only the last few records are read, however long its file is.

# shellcheck shell=bash

# How far back the length of a streak is counted, and how many runs --empty looks at.
LONGEST_STREAK=1000
EMPTY_RUNS=50

# find_jobs - sets `jobs`, those that have a file (and were asked for), and `unreadable`, of which it complains.
find_jobs() {
  local dir kind job
  local -A wanted=()
  dir=$results_dir
  [[ $dir == /* ]] || dir=./$dir
  [[ -d $dir ]] || no_results_dir "$dir"
  [[ -r $dir && -x $dir ]] || die "$EXIT_IO" "results directory $dir is not readable for $(id -un); no alerts at all"
  results_id=$(printf '%s' "$(realpath -- "$dir")" | od -An -v -tx1 | tr -d ' \n')
  jobs=() unreadable=()
  for job in "${args[@]}"; do wanted["=$job"]=1; done
  while IFS= read -rd '' job; do
    kind=${job:0:1} job=${job:1}
    job=${job%.jsonl}
    ((${#args[@]} == 0)) || [[ -v wanted["=$job"] ]] || continue
    if [[ $kind == r ]]; then jobs+=("$job"); else unreadable+=("$job"); fi
  done < <(LC_ALL=C find "$dir/" -maxdepth 1 -type f -name '*.jsonl' \
    \( -readable -printf 'r%f\0' -o -printf 'u%f\0' \) 2>/dev/null)
  ((${#unreadable[@]} == 0)) || say_unreadable_files
}

say_unreadable_files() {
  local job user messages=()
  user=$(id -un)
  for job in "${unreadable[@]}"; do messages+=("job $job: its file is not readable for $user; no alerts for it"); done
  say_each "${messages[@]}"
}

# each_text TABLE TEXT... - SQL: the texts go into the table.
each_text() {
  (($# == 1)) || printf '%s\0' "${@:2}" | sql_texts "INSERT OR IGNORE INTO $1 VALUES(" ');'
}

# --- the jobs ---------------------------------------------------------------------------------------------------------

# The tables of the query: what there is, what was told before, what fires.
tables="
CREATE TABLE has_file(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE unreadable(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE named(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE wanted(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE recent(id INTEGER PRIMARY KEY, job TEXT, place INTEGER, begins INTEGER, good INTEGER, at INTEGER, blank INTEGER,
  suspect INTEGER);
CREATE TABLE known(job TEXT PRIMARY KEY, enabled INTEGER, created INTEGER, due INTEGER, running INTEGER, every INTEGER,
  untold INTEGER)
  WITHOUT ROWID;
CREATE TABLE state_line(number INTEGER PRIMARY KEY, line TEXT);
CREATE TABLE told(job TEXT, alert TEXT, fired INTEGER, sent INTEGER, upto INTEGER, line TEXT, offset INTEGER, hash INTEGER,
  place INTEGER, is_refreshed INTEGER DEFAULT 0, PRIMARY KEY (job, alert));
CREATE TABLE firing(job TEXT, alert TEXT, since INTEGER, is_new INTEGER DEFAULT 0, words TEXT, PRIMARY KEY (job, alert));"

# known_jobs - SQL: the scheduler's list, if it is there. One that cannot be read, though it is, leaves out what depends on it:
# those alerts neither fire nor end.
known_jobs() {
  local schedule='CAST(schedule AS TEXT)' unit
  list_known=0 jobs_fault=
  if [[ ! -e $jobs_file && ! -L $jobs_file ]]; then
    [[ ! -v opt[overdue] ]] || die "$EXIT_IO" "--overdue wants the scheduler's list of jobs, and cannot read $jobs_file;" \
      'SCHEDULER_JOBS_FILE says where it is'
    return
  fi
  [[ -v opt[overdue] || -v opt[silent-for] || ${#args[@]} -gt 0 ]] || return 0
  look_at_jobs_file
  if [[ -v opt[overdue] || -v opt[silent-for] ]]; then
    say_unknown_jobs 'alerts of overdue and silent jobs are left out'
  else
    say_unknown_jobs 'jobs that have not run yet are left out'
  fi
  [[ -z $jobs_fault ]] || return 0
  list_known=1
  unit="CASE WHEN $schedule GLOB 'every [0-9]* second*' THEN 1 WHEN $schedule GLOB 'every [0-9]* minute*' THEN 60
    WHEN $schedule GLOB 'every [0-9]* hour*' THEN 3600 WHEN $schedule GLOB 'every [0-9]* day*' THEN 86400
    WHEN $schedule GLOB 'every [0-9]* week*' THEN 604800 END"
  sql+="INSERT OR REPLACE INTO known SELECT job_id, enabled IS NOT 0 AND enabled IS NOT NULL,
      created_us, next_run_us, state = 'running',
      CAST(substr($schedule, 7) AS INTEGER) * ($unit) * 1000000, state = 'unknown'
    FROM task_jobs WHERE record IS NOT NULL AND typeof(job_id) = 'text';"
}

# recent_records - SQL: the last records of each job, newest first. Sets `reach`, how many, and `pattern`, SQL, what is
# suspicious.
recent_records() {
  local blank=NULL suspect=NULL
  pattern=NULL
  reach=${opt[after]-1}
  ((reach >= ${rate_runs-1})) || reach=$rate_runs
  if [[ -v opt[empty] ]]; then
    blank="trim(coalesce(output, ''), ' ' || char(9, 10, 13)) = ''"
    ((reach >= EMPTY_RUNS)) || reach=$EMPTY_RUNS
  fi
  if [[ -v opt[suspicious] ]]; then
    pattern="'*' || $(sql_text "${opt[suspicious]}") || '*'"
    suspect="coalesce($(whole_text output), '') GLOB $pattern OR coalesce($(whole_text error), '') GLOB $pattern"
  fi
  sql+="
  -- begins: the place of the file's first byte.
  CREATE TEMP VIEW newest AS SELECT job_id AS job, rowid AS place, rowid - offset AS begins, ok AS good, time_us AS at,
    $blank AS blank, $suspect AS suspect FROM task_results;"$'\n'
  ((${#jobs[@]} == 0)) || sql+=$(printf '%s\0' "${jobs[@]}" | sql_texts \
    'INSERT INTO recent(job, place, begins, good, at, blank, suspect) SELECT * FROM newest WHERE job = ' \
    " ORDER BY place DESC LIMIT $reach;")$'\n'
}

# job_facts - SQL: a row for each job. A job's records have ids one after the other, from `head`, the newest.
job_facts() {
  # SQLite numbers rows as they come, so that this reads as far back as it is read.
  local numbered='SELECT good, at, place, row_number() OVER (ORDER BY place DESC) AS n FROM newest WHERE job = fact.job'
  sql+="
  CREATE TABLE fact AS
    SELECT job, count(id) AS seen, min(id) AS head, min(id) FILTER (WHERE good) AS good_id,
      coalesce(min(id) FILTER (WHERE good) - min(id), count(id)) AS streak, NULL AS since, NULL AS first, 0 AS bounded,
      min(id) FILTER (WHERE at IS NOT NULL) AS timed_id, NULL AS at
    FROM wanted LEFT JOIN recent USING (job) GROUP BY job;
  -- Failures as far back as was read: on to the success behind them, or as far as is counted.
  UPDATE fact SET (streak, bounded) = (SELECT n - 1, good FROM ($numbered) WHERE good OR n > $LONGEST_STREAK LIMIT 1)
    WHERE good_id IS NULL AND seen = $reach;
  UPDATE fact SET bounded = 0, streak = (SELECT count(*) FROM newest WHERE job = fact.job) WHERE streak IS NULL;
  UPDATE fact SET bounded = 1 WHERE good_id > head;
  UPDATE fact SET (since, first) = (SELECT at, place FROM recent WHERE id = head + streak - 1) WHERE streak BETWEEN 1 AND seen;
  UPDATE fact SET (since, first) = (SELECT at, place FROM ($numbered) WHERE n = fact.streak LIMIT 1) WHERE streak > seen;
  UPDATE fact SET at = (SELECT at FROM recent WHERE id = timed_id);
  CREATE UNIQUE INDEX fact_job ON fact(job);"$'\n'
}

# --- the alerts -------------------------------------------------------------------------------------------------------

# for_how_long SINCE - SQL: the time from then to now.
for_how_long() {
  duration "(($now - $1) / 1000000)"
}

# find_alerts - SQL: those of the kinds that were asked for.
find_alerts() {
  local enabled='1'
  kinds=()
  if [[ -v opt[after] ]]; then
    kinds+=(failing)
    sql+="INSERT INTO firing SELECT job, 'failing', since, 0, CASE streak WHEN 1 THEN 'failed' ELSE 'failed ' || streak ||
        ' times in a row' || coalesce(', since ' || nullif($(clock since), ''), '') END
      FROM fact WHERE streak >= ${opt[after]};"
  fi
  if [[ -v opt[rate] ]]; then
    kinds+=(rate)
    sql+="INSERT INTO firing SELECT fact.job, 'rate', fact.at, 0, 'failed ' || count(*) || ' of the last ' || min(seen, $rate_runs) || ' times'
      FROM fact JOIN recent ON id >= head AND id < head + min(seen, $rate_runs) WHERE NOT good
      GROUP BY fact.job HAVING count(*) >= $rate_failures;"
  fi
  if [[ -v opt[silent-for] && -z $jobs_fault ]]; then
    kinds+=(silent)
    ((!list_known)) || enabled='enabled'
    sql+="INSERT INTO firing SELECT job, 'silent', last, 0, CASE WHEN seen = 0 THEN 'never ran'
        WHEN last IS NULL THEN 'silent, for all one can tell: no record has a readable time'
        ELSE 'silent for ' || ($(for_how_long last)) || ', since ' || $(clock last) END
      FROM (SELECT *, coalesce(fact.at, CASE seen WHEN 0 THEN created END) AS last FROM fact LEFT JOIN known USING (job))
      WHERE $enabled AND (last IS NULL OR $now - last > ${opt[silent-for]});"
  fi
  if [[ -v opt[overdue] && -z $jobs_fault ]]; then
    kinds+=(overdue)
    sql+="INSERT INTO firing SELECT job, 'overdue', due, 0, CASE
        WHEN due IS NULL THEN 'overdue, for all one can tell: the time of its next run cannot be read'
        ELSE 'overdue for ' || ($(for_how_long due)) || ', since ' || $(clock due) END
      FROM (SELECT job, enabled, running, untold, coalesce(due, fact.at + every) AS due FROM fact JOIN known USING (job))
      WHERE enabled AND NOT running AND ($now - due > ${opt[grace]-300000000} OR (untold AND due IS NULL));"
  fi
  if [[ -v opt[suspicious] ]]; then
    kinds+=(suspicious)
    sql+="INSERT INTO firing SELECT fact.job, 'suspicious', recent.at, 0, 'succeeded, but looks suspicious'
      FROM fact JOIN recent ON id = head WHERE good AND suspect;"
  fi
  if [[ -v opt[empty] ]]; then
    kinds+=(empty)
    # Of the successes, those since the last that printed something are news; before it all must have printed something.
    sql+="INSERT INTO firing SELECT job, 'empty', fact.at, 0, 'succeeded, but printed nothing' FROM fact
      JOIN (SELECT job, min(id) FILTER (WHERE NOT blank) AS full_id, max(id) FILTER (WHERE blank) AS blank_id,
        count(*) FILTER (WHERE NOT blank) AS full FROM recent WHERE good GROUP BY job) USING (job)
      WHERE good_id = head AND blank_id >= head AND full_id > blank_id AND full >= 3;"
  fi
}

# told_before - SQL: the state file.
told_before() {
  local alerts='FROM state_line WHERE number > 1 AND json_valid(line)' whole=1
  [[ ! -v state || ! -s $state || -z $(tail -c 1 -- "$state" | tr '\0' x) ]] || whole=0
  [[ ! -v state || ! -s $state ]] || sql+=$(tr '\0\n' '\n\0' <"$state" |
    sql_texts 'INSERT INTO state_line(line) VALUES(' ');')$'\n'
  sql+="INSERT OR IGNORE INTO told SELECT line->>'\$.job', line->>'\$.alert', line->>'\$.fired_us', line->>'\$.sent_us',
    line->>'\$.upto_us', line, line->>'\$.offset', line->>'\$.hash', NULL, 0 $alerts;"
  fault="CASE
    WHEN NOT $whole THEN 'its last line is cut short'
    WHEN (SELECT count(*) FROM state_line) = 0 THEN 'it is empty'
    WHEN NOT coalesce((SELECT json_valid(line) FROM state_line WHERE number = 1), 0) THEN 'line 1 is not its beginning'
    WHEN (SELECT line->>'\$.taskresults_alerts' FROM state_line WHERE number = 1) IS NOT 1 THEN 'line 1 is not its beginning'
    WHEN (SELECT line->>'\$.alerts' FROM state_line WHERE number = 1) IS NOT (SELECT count(*) - 1 FROM state_line)
      THEN 'it does not have as many alerts as line 1 says'
    WHEN EXISTS (SELECT 1 FROM state_line WHERE NOT json_valid(line))
      THEN 'line ' || (SELECT min(number) FROM state_line WHERE NOT json_valid(line)) || ' is damaged'
    WHEN (SELECT count(*) FROM told WHERE job IS NOT NULL AND alert IS NOT NULL AND fired IS NOT NULL AND sent IS NOT NULL)
      <> (SELECT count(*) - 1 FROM state_line) THEN 'an alert in it is damaged'
    WHEN (SELECT line->>'\$.results' FROM state_line WHERE number = 1) IS NOT '$results_id'
      THEN 'it is of another directory of results' END"
  [[ -v state && -e $state ]] || fault=NULL
}

# find_news - SQL: which failing jobs are so anew, that is with a success behind what was told. Place in the file decides, for
# clocks are set back. The state has where the last line was that was told, and its hash; where a prune moved it (to the
# front), it is searched for. Of equal lines the first is taken: rather tell twice than not at all. If it is gone, or the
# state is from before it held places, time decides.
find_news() {
  local told_failing="told.alert = 'failing' AND told.job IN (SELECT job FROM firing WHERE alert = 'failing')"
  [[ -v opt[after] && -v state && -s $state ]] || return 0
  sql+="
  UPDATE told SET place = (SELECT r.rowid FROM fact CROSS JOIN recent ON id = head
      CROSS JOIN task_results AS r ON r.rowid = begins + told.offset WHERE fact.job = told.job AND taskresults_hash(r.record) = told.hash)
    WHERE $told_failing AND told.offset BETWEEN 0 AND 0xffffffffff;
  UPDATE told SET is_refreshed = 1, place = (SELECT min(rowid) FROM task_results
      WHERE job_id = told.job AND ok = 0 AND offset < told.offset AND taskresults_hash(record) = told.hash)
    WHERE $told_failing AND place IS NULL AND told.hash IS NOT NULL;
  UPDATE firing SET is_new = (SELECT CASE
        WHEN told.place IS NULL AND told.hash IS NULL THEN bounded AND coalesce(fact.since > upto, 0)
        WHEN told.place IS NULL THEN bounded AND coalesce(fact.since >= upto, 1)
        WHEN first <= told.place THEN 0
        WHEN bounded THEN 1
        ELSE (SELECT good FROM newest WHERE job = fact.job AND (good OR newest.place <= told.place) ORDER BY place DESC LIMIT 1) END
      FROM fact JOIN told USING (job) WHERE fact.job = firing.job AND told.alert = 'failing')
    WHERE alert = 'failing' AND job IN (SELECT job FROM told WHERE told.alert = 'failing');
  -- What is told of and goes on is found faster the next time by its newest line.
  UPDATE told SET is_refreshed = 1 WHERE $told_failing AND place IS NOT NULL AND place < (SELECT first FROM fact WHERE fact.job = told.job);
  UPDATE told SET is_refreshed = 1 WHERE $told_failing AND place IS NULL;"$'\n'
}

# telling_line TEXT ENDING - SQL: the line of an error that tells most: the last of a traceback, else the first.
telling_line() {
  printf '%s' "substr(CASE WHEN $1 GLOB 'Traceback*' THEN replace($2, rtrim($2, replace($2, char(10), '')), '')
    ELSE substr($1, 1, instr($1 || char(10), char(10)) - 1) END, 1, 200)"
}

# printable TEXT - SQL: the text with NUL, which neither a variable nor a line can hold, as its picture.
printable() {
  printf "replace(%s, CAST(x'ff' AS TEXT), '␀')" "$(whole_text "$1")"
}

# The rows of the answer: a notice each, in these columns.
NOTICE=(event alert job streak failures last_run since error message before after)

# notices - SQL: the first row has what is wrong with the state, a named job that does not exist, and the count of what
# fires; then a row for each alert that fires or was told.
notices() {
  local kind list='' evaluated ended row fe text quoted offset hash failures=NULL
  local ended_words="CASE alert WHEN 'rate' THEN 'failing too often' WHEN 'empty' THEN 'without output' ELSE alert END"
  [[ ! -v opt[rate] ]] ||
    failures="(SELECT count(*) FROM recent AS r WHERE NOT r.good AND r.id >= head AND r.id < head + min(seen, $rate_runs))"
  for kind in "${kinds[@]}"; do list+="${list:+, }'$kind'"; done
  # A job that was not looked at keeps its alerts.
  evaluated="told.alert IN ($list) AND told.job NOT IN (SELECT job FROM unreadable)"
  ((${#args[@]} == 0)) || evaluated+=' AND told.job IN (SELECT job FROM named)'
  ended="CASE WHEN told.alert = 'silent' THEN $now - fact.at <= ${opt[silent-for]-0}
    WHEN told.alert = 'overdue' THEN (SELECT enabled FROM known WHERE known.job = told.job) ELSE seen > 0 END"
  ended="CASE WHEN $ended THEN 'recovered' ELSE 'dropped' END"
  [[ -v opt[recovered] ]] || ended="'forgotten'"
  sql+="CREATE TABLE notice AS
    SELECT CASE WHEN told.job IS NULL OR is_new THEN 'fired'
        WHEN ${opt[cooldown]-NULL} <= $now - sent THEN 'repeated' ELSE 'kept' END AS event,
      firing.alert, job, firing.since, words, coalesce(line, '') AS before, fired AS fired_before, is_refreshed
    FROM firing LEFT JOIN told USING (job, alert)
    UNION ALL
    SELECT CASE WHEN $evaluated THEN $ended ELSE 'kept' END, told.alert, told.job, told.fired, '', line, fired, 0
    FROM told LEFT JOIN fact USING (job)
    WHERE NOT EXISTS (SELECT 1 FROM firing WHERE firing.job = told.job AND firing.alert = told.alert);"
  # What a notice quotes, and of which record.
  text="(CASE WHEN alert = 'suspicious' AND NOT coalesce(($(whole_text output)) GLOB $pattern, 0) THEN error
    WHEN ok THEN output ELSE error END)"
  # Where the last record is that is told of, and what it is.
  offset="CASE alert WHEN 'failing' THEN place - begins END"
  hash="CASE alert WHEN 'failing' THEN (SELECT taskresults_hash(record) FROM task_results WHERE rowid = place) END"
  # An unknown rowid would read every file.
  quoted="(CASE WHEN event NOT IN ('fired', 'repeated') THEN NULL WHEN alert IN ('failing', 'suspicious', 'empty') THEN place
    WHEN alert = 'rate' THEN (SELECT r.place FROM recent AS r WHERE NOT r.good AND r.id >= head AND r.id < head + seen ORDER BY r.id LIMIT 1) END)"
  sql+="CREATE TABLE answer AS
    SELECT event, alert, notice.job, CASE WHEN head THEN streak END AS streak,
      $failures AS failures,
      CASE WHEN place IS NOT NULL THEN (SELECT timestamp FROM task_results WHERE rowid = place) END AS last_run, notice.since, words, before,
      CASE WHEN $quoted IS NOT NULL THEN (SELECT substr($(printable "$text"), 1, 4000) FROM task_results WHERE rowid = $quoted) END AS error,
      CASE WHEN $quoted IS NOT NULL THEN (SELECT substr($(printable "$text"), -400) FROM task_results WHERE rowid = $quoted) END AS ending,
      CASE WHEN event IN ('fired', 'repeated') THEN json_object('job', notice.job, 'alert', alert,
        'fired_us', CASE event WHEN 'fired' THEN $now ELSE fired_before END, 'sent_us', $now, 'upto_us', fact.at,
          'offset', $offset, 'hash', $hash)
        WHEN event = 'kept' AND is_refreshed
          THEN json_set(before, '\$.upto_us', fact.at, '\$.offset', $offset, '\$.hash', $hash)
        WHEN event = 'kept' THEN before END AS after
    FROM notice LEFT JOIN fact USING (job) LEFT JOIN recent ON recent.id = head;"
  text=$(telling_line error "rtrim(ending, ' ' || char(9, 10, 13))")
  row="event, alert, job, streak, failures, $(printable last_run), $(clock since), error,
    $(cell job) || ': ' || CASE event WHEN 'repeated' THEN 'still: ' ELSE '' END ||
      CASE event WHEN 'recovered' THEN 'recovered: no longer ' || $ended_words
        WHEN 'dropped' THEN 'not looked at any more: no longer ' || $ended_words ELSE words ||
        CASE WHEN trim(error) <> '' THEN ': ' || $(cell "$text") ELSE '' END END,
    before, after"
  fe="CAST(x'fe' AS TEXT)"
  # shellcheck disable=SC1078  # it is closed
  sql+="SELECT coalesce($fault, '') || $fe || coalesce((SELECT job FROM named WHERE job NOT IN has_file
      AND job NOT IN unreadable AND job NOT IN (SELECT job FROM known) AND job NOT IN (SELECT job FROM told) LIMIT 1), '')
    || $fe || (SELECT count(*) FROM firing) || $fe || (SELECT count(*) FROM wanted) || $fe;"$'\n'
  sql+=$'.separator "\\376" "\\376\\n"\n'"SELECT $row FROM answer ORDER BY job, alert;"
}

# judge - runs the query; sets `state_fault`, `missing_job`, `firing_count`, `job_count`, and the columns of the notices,
# each an array.
judge() {
  local answer at fields
  now=$((EPOCHSECONDS * 1000000))
  sql=$tables$'\n'
  sql+=$(each_text has_file "${jobs[@]}"; each_text unreadable "${unreadable[@]}"; each_text named "${args[@]}")$'\n'
  known_jobs
  sql+="INSERT INTO wanted SELECT job FROM has_file;"
  if ((${#args[@]})); then
    sql+="INSERT OR IGNORE INTO wanted SELECT job FROM named WHERE job NOT IN unreadable;"
  else
    sql+="INSERT OR IGNORE INTO wanted SELECT job FROM known WHERE job NOT IN unreadable;"
  fi
  sql+=$'\n'
  recent_records
  job_facts
  find_alerts
  told_before
  find_news
  notices
  answer=$(query "$sql") || exit
  mapfile -td '' fields < <(printf '%s\n' "$answer" | LC_ALL=C tr '\376' '\000')
  ((${#fields[@]} >= 4)) || die "$EXIT_IO" 'no answer from sqlite3'
  state_fault=${fields[0]} missing_job=${fields[1]} firing_count=${fields[2]} job_count=${fields[3]}
  events=() alerts_of=() jobs_of=() streaks=() failures_of=() last_runs=() sinces=() errors_of=() messages=()
  lines_before=() lines_after=()
  for ((at = 4; at + ${#NOTICE[@]} <= ${#fields[@]}; at += ${#NOTICE[@]})); do
    events+=("${fields[at]#$'\n'}") alerts_of+=("${fields[at + 1]}") jobs_of+=("${fields[at + 2]}")
    streaks+=("${fields[at + 3]}") failures_of+=("${fields[at + 4]}") last_runs+=("${fields[at + 5]}")
    sinces+=("${fields[at + 6]}") errors_of+=("${fields[at + 7]}") messages+=("${fields[at + 8]}")
    lines_before+=("${fields[at + 9]}") lines_after+=("${fields[at + 10]}")
  done
  ((${#messages[@]} == 0)) ||
    mapfile -t messages < <(printf '%s\n' "${messages[@]}" | LC_ALL=C sed "$(visible_program)")
}
