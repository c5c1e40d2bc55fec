# dialects.bash - what `doctor` looks for in files of other programs: which mapping would read them; and, with --map,
# what the mapping does not understand. As results.bash, whose functions it uses.

# shellcheck shell=bash

LOOK_AT=200 # records of each mapping

# recognise_dialect - true if it is told. Reads the first records as our scheduler's; if none of them says whether its
# run succeeded, by each mapping. The first that understands some is named: those before are the more particular ones.
recognise_dialect() {
  local names=(n8n gitlab openclaw runs) name sql='' select='' found mapping count quoted
  for name in "${names[@]}"; do
    sql+="CREATE VIRTUAL TABLE temp.by_$name USING task_results(map=$name);"
    select+=" UNION ALL SELECT '$name', count(*) FROM (SELECT ok, time_us FROM by_$name LIMIT $LOOK_AT)
      WHERE ok IS NOT NULL AND time_us IS NOT NULL"
  done
  found=$(query "$sql SELECT 'native', count(*) FROM (SELECT success FROM task_results LIMIT $LOOK_AT)
    WHERE success IS NOT NULL$select;") || return 1 # other checks say what is wrong
  while IFS=$'\x1f' read -r mapping count; do
    ((count)) || continue
    [[ $mapping != native ]] || return 1
    load lib/characters
    quoted=$(quoted "$results_dir")
    note "the files in $quoted look like those of another program: the mapping $mapping understands them" \
      "to read them: SCHEDULER_RESULTS_DIR=$quoted $called list --map $mapping"
    [[ $mapping != openclaw && $mapping != runs ]] || TASKRESULTS_MAP=$mapping check_jobs_in_records
    return
  done < <(printf '%s\n' "$found")
  return 1
}

# check_mapping - what is not understood, counted.
check_mapping() {
  local rows kind count value more last runs=0 others=0 nameless=0 jobs=0 files=0 both=0 decided='' key='' where=''
  rows=$(with_progress query "SELECT 'sum', coalesce(sum(runs), 0), coalesce(sum(others), 0),
      coalesce(sum(iif(job_id IS NULL, runs, 0)), 0), count(job_id) FROM task_stats;
    WITH file AS (SELECT DISTINCT job_id, rowid >> 40 AS number FROM task_results),
      both AS (SELECT count(*) AS files FROM file WHERE job_id IS NOT NULL GROUP BY job_id)
    SELECT 'files', count(DISTINCT number), (SELECT count(*) FROM both WHERE files > 1) FROM file;
    $(decided_map);") || {
    fail 'the results cannot be read' 'see the message above'
    return
  }
  while IFS=$'\x1f' read -r kind count value more last; do
    case $kind in
      sum) runs=$count others=$value nameless=$more jobs=$last ;;
      files) files=$count both=$value ;;
      decided) decided=$count ;;
      key) key=$count ;;
    esac
  done < <(printf '%s\n' "$rows")
  [[ -z $shared_files ]] || where=" in $files files, of which $both jobs are in more than one"
  ok "mapping $TASKRESULTS_MAP: $runs runs of $jobs jobs$where; $others other lines, which it does not want"
  ((runs)) || note 'no line is a run by this mapping' \
    'is it the one for these files? Its "files" and "where" say which'
  ((nameless == 0)) || note "records without a job: $nameless" \
    "to see them: $called sql$map_words 'SELECT record FROM task_results WHERE job_id IS NULL'"
  [[ -z $key ]] || check_truth "$key"
  [[ -z $decided ]] || TASKRESULTS_MAP=$decided check_outcomes
  check_copies
  [[ -n $shared_files ]] || check_jobs_in_records
}

# decided_map - SQL: the mapping under which `ok` is NULL only where no list has the run; or, if `success` is a key,
# that key.
decided_map() {
  printf '%s' "SELECT iif(json_type(map, '\$.success') = 'text', 'key', 'decided'),
      iif(json_type(map, '\$.success') = 'text', map ->> '\$.success',
        json_remove(json_set(map, '\$.success', json(cases)), '\$.failure', '\$.unknown'))
    FROM (SELECT map, (SELECT json_group_array(json(value)) FROM (SELECT value FROM json_each(map, '\$.success')
        WHERE type = 'object' UNION ALL SELECT value FROM json_each(map, '\$.failure')
        UNION ALL SELECT value FROM json_each(map, '\$.unknown'))) AS cases
      FROM (SELECT taskresults_mapping() AS map))"
}

# check_truth KEY - runs in which nothing says how they ended. They count as failures.
check_truth() {
  local path count
  load lib/sql_text
  set_sql_text path "\$.\"$1\""
  count=$(with_progress query "SELECT count(*) FROM task_results
    WHERE iif(json_valid(record), record ->> $path, '') IS NULL;") || return 0 # it was reported
  ((count == 0)) || note "runs without a value for $1, which count as failures: $count" \
    "to see them: $called view$map_words --errors"
}

# check_outcomes - under that mapping: runs of which no list says how they ended. Either a value is in no list; or a key
# is missing.
check_outcomes() {
  local rows kind count value
  rows=$(with_progress query "CREATE TEMP TABLE list AS SELECT tree.fullkey,
      '\$' || substr(tree.fullkey, instr(tree.fullkey, ']') + 1) AS path
    FROM (SELECT taskresults_mapping() AS text), json_tree(text, '\$.success') AS tree
    WHERE tree.type = 'array' AND instr(tree.fullkey, '].');
CREATE TEMP TABLE known AS SELECT DISTINCT list.path, one.value
  FROM (SELECT taskresults_mapping() AS text), list, json_each(text, list.fullkey) AS one WHERE one.value IS NOT NULL;
CREATE TEMP TABLE strange AS SELECT rowid AS place, iif(json_valid(record), record, '{}') AS record
  FROM task_results WHERE ok IS NULL;
CREATE TEMP TABLE new AS SELECT * FROM (SELECT place, path, record -> path AS source, record ->> path AS value
    FROM strange CROSS JOIN (SELECT DISTINCT path FROM list))
  WHERE value IS NOT NULL AND (path, value) NOT IN (SELECT path, value FROM known);
SELECT 'none', count(*), $(cell "(SELECT group_concat(path, ', ') FROM (SELECT DISTINCT substr(path, 3) AS path
  FROM list))") FROM strange WHERE place NOT IN (SELECT place FROM new);
SELECT 'value', count(*) AS times, $(cell "substr(path, 3) || ' ' || substr(source, 1, 100)") FROM new
  GROUP BY path, source ORDER BY times DESC, 3 LIMIT 10;") || {
    fail 'the results cannot be read' 'see the message above'
    return
  }
  while IFS=$'\x1f' read -r kind count value; do
    case $kind in
      none)
        ((count == 0)) || note "runs without a status: $count" \
          "no list of the mapping says how they ended, and a key is missing in them, of: $value. To see them:
      $called sql$map_words 'SELECT record FROM task_results WHERE ok IS NULL'"
        ;;
      value)
        note "a value that no list of the mapping has: $value ($count times)" \
          'these runs are neither successes nor failures; add the value to success, failure or unknown of a mapping of
      your own'
        ;;
    esac
  done < <(printf '%s\n' "$rows")
}

# check_copies - a file that was copied to another name counts twice.
check_copies() {
  local rows files hex job quoted first
  rows=$(with_progress query "SELECT count(*), hex(min(job_id)), hex(max(job_id))
    FROM (SELECT rowid >> 40 AS number, min(offset), job_id, record FROM task_results GROUP BY 1)
    GROUP BY record HAVING count(*) > 1 ORDER BY 2;") || return 0 # it was reported
  while IFS=$'\x1f' read -r files first hex; do
    [[ -n $files ]] || continue
    set_job "$first"
    first=$quoted
    set_job "$hex"
    [[ -z $shared_files ]] && first="those of $first and $quoted" || first="one of job $quoted"
    note "$files files begin with the same record: $first" \
      'if one is a copy of the other, its runs count twice: move it elsewhere'
  done < <(printf '%s\n' "$rows")
}

# check_jobs_in_records - with a file for each job, each has one name in its records. Looks at the beginning of each.
check_jobs_in_records() {
  local rows hex job quoted key count list
  printf -v list "'%s', " job jobId job_id jobName recipe recipeName task taskId task_id taskName workflowId class
  rows=$(with_progress query "SELECT hex(job_id), key, count(DISTINCT value) AS names
    FROM (SELECT job_id, record FROM task_results WHERE offset < 100000 AND json_valid(record)), json_each(record)
    WHERE key IN (${list%, }) GROUP BY 1, 2 HAVING names > 1 ORDER BY 1, names DESC, 2;") || return 0
  while IFS=$'\x1f' read -r hex key count; do
    [[ -n $hex ]] || continue
    set_job "$hex"
    note "one file, $quoted$file_after, has runs of $count jobs by its key $key: they count as one job" \
      "to tell them apart: a mapping of your own with \"job\": \"$key\" and \"files\": \"$file_before$job$file_after\""
  done < <(printf '%s\n' "$rows")
}
