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
    return
  done < <(printf '%s\n' "$found")
  return 1
}

# check_mapping - what is not understood, counted.
check_mapping() {
  local rows kind count value runs others nameless
  rows=$(with_progress query "SELECT 'sum', coalesce(sum(runs), 0), coalesce(sum(others), 0),
      coalesce(sum(iif(job_id IS NULL, runs, 0)), 0), coalesce(sum(rejects), 0) FROM task_stats;
    WITH map AS (SELECT taskresults_mapping() AS text),
      list AS (SELECT tree.fullkey, '\$' || substr(tree.fullkey, instr(tree.fullkey, ']') + 1) AS path
        FROM map, json_tree(text) AS tree WHERE tree.type = 'array' AND instr(tree.fullkey, '].') AND
          substr(tree.fullkey, 3, 7) IN ('success', 'failure', 'unknown')),
      known AS (SELECT DISTINCT list.path, one.value FROM map, list, json_each(text, list.fullkey) AS one),
      path AS MATERIALIZED (SELECT DISTINCT path FROM list),
      seen AS (SELECT path, iif(json_valid(record), record -> path, NULL) AS source,
          iif(json_valid(record), record ->> path, NULL) AS value, count(*) AS times
        FROM task_results CROSS JOIN path WHERE ok IS NULL GROUP BY 1, 2)
    SELECT 'value', times, $(cell "substr(path, 3) || ' ' || substr(source, 1, 100)") FROM seen
      WHERE value IS NOT NULL AND (path, value) NOT IN (SELECT path, value FROM known WHERE value IS NOT NULL)
      ORDER BY times DESC, 3 LIMIT 10;") || {
    fail 'the results cannot be read' 'see the message above'
    return
  }
  while IFS=$'\x1f' read -r kind count value nameless _; do
    case $kind in
      sum) runs=$count others=$value ;;
      value)
        note "a value that no list of the mapping has: $value ($count times)" \
          'these runs are neither successes nor failures; add the value to success, failure or unknown of a mapping of
      your own'
        continue
        ;;
      *) continue ;;
    esac
    ok "mapping $TASKRESULTS_MAP: $runs runs; $others other lines, which it does not want"
    ((runs)) || note 'no line is a run by this mapping' \
      'is it the one for these files? Its "files" and "where" say which'
    ((nameless == 0)) || note "records without a job: $nameless" \
      "to see them: $called sql 'SELECT record FROM task_results WHERE job_id IS NULL'"
  done < <(printf '%s\n' "$rows")
}
