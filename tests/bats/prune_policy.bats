#!/usr/bin/env bats
# A policy: a file with the rules of each job, for prune and sla.

# shellcheck disable=SC2154  # helpers.bash sets root, results and extension
load ../lib/helpers
load ../lib/host
load ../lib/shell

eval "helpers_$(declare -f setup)"
setup() {
  helpers_setup
  policy=$BATS_TEST_TMPDIR/policy.json
}

# write_policy RULES - the policy with these rules.
write_policy() {
  printf '{"rules": [%s]}\n' "$1" >"$policy"
}

# assert_untouched - no file of results is other than make_jobs left it.
assert_untouched() {
  diff -r "$BATS_TEST_TMPDIR/whole" "$results"
}

make_jobs() {
  make_job nightly-a 20 3
  make_job nightly-b 20
  make_job mail 20
  make_job audit 20
  cp -r "$results" "$BATS_TEST_TMPDIR/whole"
}

@test "random policies over generated directories: each job keeps what its first matching rule says" {
  require_host
  "$host_python" "$root/tests/prune/policies.py" "$extension" 200
}

@test "prune --policy: each job by its rule; a dry run says which, and changes nothing" {
  make_jobs
  write_policy '{"jobs": "nightly-*", "keep": 3, "keep_failures": 2}, {"jobs": ["mail", "x"], "max_bytes": 300}, {"jobs": "audit"}'
  make_job other 20
  rm -r "$BATS_TEST_TMPDIR/whole" && cp -r "$results" "$BATS_TEST_TMPDIR/whole"
  run taskresults prune --policy "$policy" --dry-run
  [[ $status -eq 0 && ${#lines[@]} -eq 6 ]]
  [[ ${lines[1]} == audit*'nothing to drop'*'rule 3: keeps everything' ]]
  [[ ${lines[2]} == mail*'would be pruned'*'rule 2: max bytes 300' ]]
  [[ ${lines[3]} == nightly-a*'would be pruned '*' 5 '*'rule 1: keep 3, keep failures 2' ]]
  [[ ${lines[5]} == other*'nothing to drop'*'no rule' ]]
  assert_untouched
  taskresults prune --policy "$policy"
  assert_rows $'audit|20\nmail|2\nnightly-a|5\nnightly-b|3\nother|20' "SELECT job_id, runs FROM task_stats"
  run taskresults prune other --policy "$policy" --jsonl
  [[ $status -eq 0 && $output == '{"job_id":"other","result":"unchanged","kept":null,"dropped":0,'*'"rule":null}' ]]
  run taskresults prune nobody --policy "$policy"
  [[ $status -eq 1 && $output == *'there is no such job'* ]]
}

@test "a policy that is not understood is refused: the message has the file, the rule and the cause; no file is touched" {
  make_jobs
  while IFS='|' read -r text words; do
    printf '%s' "$text" >"$policy"
    run taskresults prune --all --policy "$policy"
    [[ $status -eq 3 && $output == "taskresults: policy $policy: $words"* && $output != *$'\n'* ]] ||
      { echo "$text: $status $output"; return 1; }
    assert_untouched
  done <<'WRONG'
{"rules": [{"jobs": "*", "keeep": 3}]}|rule 1: unknown key 'keeep'; the keys are jobs, keep, since
{"rules": [{"jobs": "x"}, {"jobs": "*", "keep": 3, "keep": 30}]}|rule 2: 'keep' is given twice
{"rules": [{"keep": 3}]}|rule 1: it has no 'jobs'
{"rules": [{"jobs": 3, "keep": 3}]}|rule 1: 'jobs' has to be a text, or an array of texts
{"rules": [{"jobs": [], "keep": 3}]}|rule 1: 'jobs' is an empty array
{"rules": [{"jobs": ["a", "audit-[0-9"]}, {"jobs": "*", "keep": 3}]}|rule 1: no job can match the pattern 'audit-[0-9'
{"rules": [{"jobs": "x[]"}]}|rule 1: no job can match the pattern 'x[]'
{"rules": [{"jobs": "x[^"}]}|rule 1: no job can match the pattern 'x[^'
{"rules": [{"jobs": ""}]}|rule 1: no job can match the pattern ''
{"rules": [{"jobs": ["a", 3]}]}|rule 1: 'jobs' has to be a text, or an array of texts
{"rules": [{"jobs": "*", "keep": "3"}]}|rule 1: 'keep' has to be a whole number, 0 or more
{"rules": [{"jobs": "*", "keep": -1}]}|rule 1: 'keep' has to be a whole number, 0 or more
{"rules": [{"jobs": "*", "keep": 2.5}]}|rule 1: 'keep' has to be a whole number, 0 or more
{"rules": [{"jobs": "*", "max_bytes": 1e300}]}|rule 1: 'max_bytes' has to be a whole number, 0 or more
{"rules": [{"jobs": "*", "since": 90}]}|rule 1: 'since' has to be a text with a time: 2026-02-14,
{"rules": [{"jobs": "*", "since": "90 dayz"}]}|rule 1: 'since' has to be a text with a time: 2026-02-14,
{"rules": [{"jobs": "*", "keep": 9, "target": 101}]}|rule 1: 'target' has to be a percentage
{"rules": [{"jobs": "*", "keep": 9, "target": "99"}]}|rule 1: 'target' has to be a percentage
{"rules": [{"jobs": "*", "max_bytes": 9, "keep_failures": 3}]}|rule 1: 'keep_failures' needs 'keep' or 'since'
{"rules": ["*"]}|rule 1: it has to be an object
{"rules": {"jobs": "*", "keep": 3}}|it has to be {"rules": [...]}, and nothing else
{"rules": [], "keep": 3}|it has to be {"rules": [...]}, and nothing else
{}|it has to be {"rules": [...]}, and nothing else
[{"jobs": "*", "keep": 3}]|byte 26: JSON, but not an object
{"rules": [{"jobs": "*", "keep": 3}|byte 35: 
|byte 0: nothing in it
WRONG
  rm "$policy"
  run taskresults prune --policy "$policy"
  [[ $status -eq 3 && $output == "taskresults: policy $policy: No such file or directory"* ]]
  run taskresults prune --policy "$results"
  [[ $status -eq 3 && $output == "taskresults: policy $results: not a regular file, but a directory"* ]]
  assert_untouched
}

@test "a policy with a rule that is likely a mistake is refused as a whole, and so is one that leaves no record" {
  make_jobs
  while IFS='|' read -r rules words; do
    write_policy "$rules"
    run taskresults prune --policy "$policy"
    [[ $status -eq 1 && $output == "taskresults: refused: $words"* ]] || { echo "$rules: $status $output"; return 1; }
    assert_untouched
    run taskresults prune --policy "$policy" --dry-run
    [[ $status -eq 0 && ${lines[-1]} == "taskresults: without --force that would be refused: $words"* ]]
    assert_untouched
  done <<WRONG
{"jobs": "mail", "keep": 3}, {"jobs": "none", "keep": 0}|rule 2 of the policy: keep 0 keeps nothing, and no other rule does: 17 records of 1 job would go
{"jobs": "mail", "since": "2200-01-01"}|rule 1 of the policy: since is later than now (2200-01-01T00:00:00Z): 20 records
{"jobs": "mail", "max_bytes": 0}|rule 1 of the policy: max_bytes 0 keeps nothing: 20 records
{"jobs": "*", "since": "1d"}|no record would be left in any job of $results: 80 records of 4 jobs would go
WRONG
  write_policy '{"jobs": "audit"}, {"jobs": "*", "since": "1d"}'
  taskresults prune --policy "$policy"
  assert_rows $'audit|20\nmail|0\nnightly-a|0\nnightly-b|0' "SELECT job_id, runs FROM task_stats"
}

@test "a policy excludes rules of the call itself, in SQL and in the shell" {
  make_jobs
  write_policy '{"jobs": "*", "keep": 3}'
  for option in "'keep', 1" "'since', '90d'" "'max_bytes', 9" "'keep_failures', 1"; do
    assert_sql_error "give 'policy' or the rules themselves, not both" "SELECT taskresults_prune_all('policy', '$policy', $option)"
  done
  assert_sql_error "the value of 'policy' has to be the path of a file" "SELECT taskresults_prune_all('policy', 3)"
  for option in '--keep 1' '--since 90d' '--max-bytes 9' '--keep-failures 1'; do
    # shellcheck disable=SC2086  # words
    run taskresults prune --policy "$policy" $option
    [[ $status -eq 2 && $output == *"--policy or ${option%% *}, not both"* ]]
  done
  assert_untouched
}

@test "50 rules for 2,000 jobs: the policy is read once by a prune, and once by a query" {
  require_strace
  rules=
  for i in {1..49}; do rules+="{\"jobs\": [\"j$i??\", \"k$i\"], \"keep\": $i}, "; done
  write_policy "$rules{\"jobs\": \"*\", \"keep\": 1000}"
  echo '{"timestamp": "2026-01-01T00:00:00Z", "success": true}' >"$BATS_TEST_TMPDIR/record"
  for i in {1000..2999}; do cp "$BATS_TEST_TMPDIR/record" "$results/j$i.jsonl"; done
  opens() {
    strace -f -e trace=openat -o "$BATS_TEST_TMPDIR/trace" sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "$1" &&
      grep -c "policy.json" "$BATS_TEST_TMPDIR/trace"
  }
  run opens "SELECT json_array_length(taskresults_prune_all('policy', '$policy', 'dry_run', 1))"
  [[ $output == $'2000\n1' ]]
  run opens "SELECT count(*), count(DISTINCT taskresults_policy('$policy', job_id)->>'number') FROM task_stats"
  [[ $output == $'2000|20\n1' ]]
}

@test "sla --policy: each job has the target of its rule; one without a target misses none" {
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs # empty: no pauses
  mkdir "$SCHEDULER_LOGS_DIR"
  make_job good 10
  make_job bad 10 2
  make_job free 10 2
  write_policy '{"jobs": "bad", "target": 99.9}, {"jobs": "good", "target": 99.9, "keep": 3}, {"jobs": "*"}'
  run taskresults sla --policy "$policy" --of success --window 2026-01-01..2026-01-02 --jsonl
  [[ $status -eq 1 && ${#lines[@]} -eq 3 ]] || { echo "$status $output"; return 1; }
  [[ ${lines[*]} == *'"job_id":"bad",'*'"missed":true'*'"job_id":"free",'*'"budget_runs":null'*'"missed":false'*'"job_id":"good",'*'"missed":false'* ]]
  run taskresults sla good free --policy "$policy" --window 2026-01-01..2026-01-02
  [[ $status -eq 0 ]]
  run taskresults sla --policy "$policy" --target 99
  [[ $status -eq 2 && $output == *'--target or --policy, not both'* ]]
  run taskresults sla --policy "$BATS_TEST_TMPDIR/none"
  [[ $status -eq 3 && $output == *"policy $BATS_TEST_TMPDIR/none: No such file"* ]]
}

@test "no view or trigger can read a policy" {
  write_policy '{"jobs": "*"}'
  assert_sql_error "unsafe use of" "CREATE VIEW v AS SELECT taskresults_policy('$policy', 'j'); SELECT * FROM v"
  assert_rows NULL "SELECT taskresults_policy(NULL, 'j')"
  assert_rows NULL "SELECT taskresults_policy('$policy', NULL)"
}
