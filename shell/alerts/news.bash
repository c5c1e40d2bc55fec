# news.bash - SQL: what was reported before, and which alerts are new.

# shellcheck shell=bash

# The fault of a state file that is complete, but belongs to other results.
OTHER_RESULTS='is of another directory of results'

# told_before - SQL: reads the state file into `told`. Sets `fault`, SQL: what is wrong with the file.
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
    WHEN (SELECT line->>'\$.taskresults_alerts' FROM state_line WHERE number = 1) IS NOT 1
      THEN 'line 1 is not its beginning'
    WHEN (SELECT line->>'\$.alerts' FROM state_line WHERE number = 1) IS NOT (SELECT count(*) - 1 FROM state_line)
      THEN 'it does not have as many alerts as line 1 says'
    WHEN EXISTS (SELECT 1 FROM state_line WHERE NOT json_valid(line))
      THEN 'line ' || (SELECT min(number) FROM state_line WHERE NOT json_valid(line)) || ' is damaged'
    WHEN (SELECT count(*) FROM told
        WHERE job IS NOT NULL AND alert IS NOT NULL AND fired IS NOT NULL AND sent IS NOT NULL)
      <> (SELECT count(*) - 1 FROM state_line) THEN 'an alert in it is damaged'
    WHEN EXISTS (SELECT 1 FROM told WHERE alert = 'mute' AND typeof(line->>'\$.until_us') <> 'integer')
      THEN 'a mute in it is damaged'
    WHEN (SELECT line->>'\$.results' FROM state_line WHERE number = 1) IS NOT '$results_id'
      THEN '$OTHER_RESULTS' END"
  [[ -v state && -e $state ]] || fault=NULL
}

# find_news - SQL: marks `failing` alerts as new if there was a success after the failure that was reported. The place
# in the file decides, not the time, since clocks may be set back. The state has the offset and the hash of the last
# reported line. If a prune has moved it (towards the front), it is searched for; of equal lines the first is taken, as
# reporting twice is better than not at all. If the line is gone, a success before the failures makes them new: a prune
# removes the oldest lines first, so both are newer. A state of an older version has no places; then the time decides.
find_news() {
  local told_failing="told.alert = 'failing' AND told.job IN (SELECT job FROM firing WHERE alert = 'failing')"
  [[ -v opt[after] && -v state && -s $state ]] || return 0
  sql+="
  UPDATE told SET place = (SELECT r.rowid FROM fact CROSS JOIN recent ON id = head
      CROSS JOIN task_results AS r ON r.rowid = begins + told.offset
      WHERE fact.job = told.job AND taskresults_hash(r.record) = told.hash)
    WHERE $told_failing AND told.offset BETWEEN 0 AND 0xffffffffff;
  UPDATE told SET is_refreshed = 1, place = (SELECT min(rowid) FROM task_results
      WHERE $(of_job job_id told.job) AND ok = 0 AND offset < told.offset AND taskresults_hash(record) = told.hash)
    WHERE $told_failing AND place IS NULL AND told.hash IS NOT NULL;
  UPDATE firing SET is_new = (SELECT CASE
        WHEN told.place IS NULL AND told.hash IS NULL THEN bounded AND coalesce(fact.since > upto, 0)
        WHEN told.place IS NULL THEN bounded
        WHEN first <= told.place THEN 0
        WHEN bounded THEN 1
        ELSE (SELECT good FROM newest WHERE $(of_job job fact.job) AND (good OR newest.place <= told.place)
          ORDER BY place DESC LIMIT 1) END
      FROM fact JOIN told USING (job) WHERE fact.job = firing.job AND told.alert = 'failing')
    WHERE alert = 'failing' AND job IN (SELECT job FROM told WHERE told.alert = 'failing');
  -- If a reported streak goes on, the state gets its newest line, which is found faster next time.
  UPDATE told SET is_refreshed = 1 WHERE $told_failing AND place IS NOT NULL
    AND place < (SELECT first FROM fact WHERE fact.job = told.job);
  UPDATE told SET is_refreshed = 1 WHERE $told_failing AND place IS NULL;"$'\n'
}
