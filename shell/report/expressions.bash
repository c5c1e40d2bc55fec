# expressions.bash - SQL expressions of the status page.

# shellcheck shell=bash

load lib/{fields,of_job}

# budget TOTAL LEAST MOST - SQL: a job's share of the total. It is an expression because only SQL knows the number of
# jobs.
budget() {
  printf 'max(%s, min(%s, %s / max(1, (SELECT count(*) FROM job))))' "$2" "$3" "$1"
}

# html EXPRESSION - SQL: the text as HTML, on one line. NUL becomes U+FFFD, as HTML cannot contain it.
html() {
  local text character
  text="replace($(whole_text "coalesce($1, '')"), CAST(x'ff' AS TEXT), char(65533))"
  for character in '&/amp' '</lt' '>/gt' '"/quot'; do
    text="replace($text, '${character%%/*}', '&${character#*/};')"
  done
  printf "replace(replace(%s, char(10), ' '), char(13), ' ')" "$text"
}

# cut_text TEXT CHARACTERS - SQL: the beginning of a whole_text. One that JSON spells in more than two bytes a character
# (emoji, control characters) is cut to a third, so that no text costs more than was planned.
cut_text() {
  printf "CASE WHEN length(CAST(replace(json_quote(substr(%s, 1, %s)), '<', '123456') AS BLOB)) <= 2 * %s + 2
    THEN substr(%s, 1, %s) ELSE substr(%s, 1, %s / 3) END" "$1" "$2" "$2" "$1" "$2" "$1" "$2"
}

# newest CONDITION - SQL: the rowid of the job's newest record that meets the condition, searched from the end of the
# file.
newest() {
  printf '(SELECT rowid FROM task_results AS r WHERE %s AND %s ORDER BY rowid DESC LIMIT 1)' \
    "$(of_job r.job_id job.id)" "$1"
}

# Of the states that apply to a job, it gets the worst. A job that is paused or gone is neither failing nor overdue. If
# its file cannot be read, only the scheduler's list says something. A job that is ok here may become flaky in
# missed.bash.
state_of="CASE WHEN known.state = 'died' THEN 'died' WHEN id IN unreadable THEN 'unreadable'
  WHEN known.state IN ('paused', 'orphaned') THEN known.state
  WHEN stats.streak < 0 THEN 'failing' WHEN known.state IN ('overdue', 'running') THEN known.state
  WHEN coalesce(stats.runs, 0) = 0 THEN 'new' ELSE 'ok' END"
severity="CASE state WHEN 'died' THEN 0 WHEN 'failing' THEN 1 WHEN 'unreadable' THEN 2 WHEN 'overdue' THEN 3
  WHEN 'flaky' THEN 4 WHEN 'running' THEN 5 WHEN 'ok' THEN 6 WHEN 'new' THEN 7 WHEN 'paused' THEN 8 ELSE 9 END"
