# bench.bats - the report of a bench run, made from known figures. The measuring itself is not tested here.

load ../lib/helpers

# figures ANSWER AT_MOST - raw figures of one comparison. The ratios of its rounds are 0.5, 2 and 0.9; the ratio of the
# medians is 1.
figures() {
  cat <<EOF_JSON
{"date": "2026-01-01", "settings": {"bytes": 1000000, "runs": 3, "tasks": "T1"},
 "machine": {"processor": "P", "processors": 2, "memory_gib": 4, "system": "Linux", "file_system": "ext4",
             "file_system_of_prune": "ext4", "load_at_start": 0},
 "versions": {"grep": "3.8"},
 "comparisons": [{"task": "T1", "title": "count", "size": {"bytes": 1000000, "files": 1},
   "bars": [{"what": "ratio", "ours": "us", "at_most": $2, "rival": "a | b"}],
   "contenders": [
     {"name": "us", "ours": true, "failed": "", "answer": "the measure", "wall_s": [1, 2, 9], "cpu_s": [1, 2, 9], "peak_mib": [3, 5, 4]},
     {"name": "a | b", "ours": false, "failed": "", "answer": "$1", "wall_s": [2, 1, 10], "cpu_s": [1, 1, 1], "peak_mib": [1, 1, 1]},
     {"name": "dead", "ours": false, "failed": "exit status 3", "answer": "not compared", "wall_s": [], "cpu_s": [], "peak_mib": []}]}],
 "torn": {"cases": {"torn": 2}, "tools": {
   "fine": {"torn": {"answer": "2", "status": 0, "said": ""}}, "off": {"torn": {"answer": "3", "status": 0, "said": ""}},
   "stopped": {"torn": {"answer": "", "status": 5, "said": "parse error"}}}}}
EOF_JSON
}

report() {
  figures "$@" >"$BATS_TEST_TMPDIR/figures.json"
  "$root/tests/bench/report" "$BATS_TEST_TMPDIR/figures.json"
}

@test "a limit is judged by the median of the rounds' ratios; the report shows that and the ratio of the medians" {
  run report right 0.95
  [[ $output == *'| T1: count (1.0 MB) | us | 0.95 × a \| b | 0.90 | met |'* ]]
  [[ $output == *'| a \| b | 2.000 (1.000–10.000) | 1.000 | 1.0 | 1.00 | 0.90 | right |'* ]]
}

@test "the report names a limit that was exceeded, a wrong answer, and a rival that failed" {
  run report WRONG 0.85
  [[ $output == *'| 0.90 | **missed** |'* ]]
  [[ $output == *'| 0.90 | WRONG |'* ]]
  [[ $output == *'| dead |  |  |  |  |  | exit status 3 |'* ]]
}

@test "the table of torn lines says which program was right, which was wrong, and which stopped" {
  run report right 1
  [[ $output == *'| fine | right: 2, silently |'* ]]
  [[ $output == *'| off | **wrong: 3**, silently |'* ]]
  [[ $output == *'| stopped | stops, status 5 |'* ]]
}
