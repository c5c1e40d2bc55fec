# plain.bash - SQL for the status page: what a browser without JavaScript shows.

# shellcheck shell=bash

# plain_rows - SQL: the table for a browser without JavaScript. Rates are cut, not rounded, like those of page.js.
plain_rows() {
  local i runs failures cells=
  for i in 0 2 4 6; do
    runs="(counts->>'\$[$i]')" failures="(counts->>'\$[$((i + 1))]')"
    cells+=" || '<td>' || CASE WHEN 1000 * ($runs - $failures) < $runs AND $failures < $runs THEN '&lt;0.1'
      ELSE coalesce((1000 * ($runs - $failures) / $runs) / 10.0, '') END"
  done
  printf '%s\n' "SELECT 'rows';
SELECT '<tr><th scope=\"row\">' || $(html id) || '<td>' || CASE state WHEN 'new' THEN 'no runs yet' ELSE state END
  $cells ||
  '<td>' || $(clock last_run_us)
  FROM job LEFT JOIN window USING (number) ORDER BY $severity, id;"
}
