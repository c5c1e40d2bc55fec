#!/usr/bin/env bats
# The index of results, for people: taskresults index, taskresults_index() and doctor. What is known, and when it is
# believed, tests/unit/index.c tries.
#
# shellcheck disable=SC2154,SC2030,SC2031  # helpers.bash sets root, results and extension; tests are subshells
load ../lib/helpers
load ../lib/shell

setup() {
  results=$BATS_TEST_TMPDIR/results
  mkdir -p "$results"
  export SCHEDULER_RESULTS_DIR=$results
  extension=$root/taskresults
  cache=$BATS_TEST_TMPDIR/cache
  export TASKRESULTS_INDEX=$cache
}

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# index_of JOB - the path of its index.
index_of() {
  printf '%s\n' "$(taskresults_place)/$1.jsonl"
}

taskresults_place() {
  sql "SELECT taskresults_index('status') ->> '\$.path'"
}

# state_of JOB
state_of() {
  sql "SELECT value ->> '\$.state' FROM json_each(taskresults_index('status'), '\$.jobs')
    WHERE value ->> '\$.job_id' = '$1'"
}

@test "index: shows for each job what is known; --rebuild makes it, --drop removes all of it" {
  make_job a 300
  make_job b 3
  run taskresults index
  [[ $status -eq 0 && $output =~ 'a    missing  '.*'b    needless '.*"$cache/"[0-9a-f]{16}'/1.1.1048576.native: 0 files, 0 bytes' ]]
  run taskresults index --rebuild
  [[ $status -eq 0 && $output =~ 'a    believed '.*'b    needless '.*': 1 files, '[0-9]+' bytes' ]]
  [[ $(taskresults index --jsonl | wc -l) -eq 2 ]]
  [[ $(taskresults index --json) == *'"job_id":"a","state":"believed","bytes":'*'"records":300,'* ]]
  size=$(stat -c %s "$results/a.jsonl")
  assert_rows "$size|$size" "SELECT value ->> '\$.bytes', value ->> '\$.known'
    FROM json_each(taskresults_index('status'), '\$.jobs') WHERE value ->> '\$.job_id' = 'a'"
  TASKRESULTS_MAX_LINE=5000 taskresults index --rebuild
  run taskresults index
  [[ $output == *'of other versions, limits or mappings: 1 files, '*' bytes (--drop removes them)' ]]
  run taskresults index --drop
  [[ $status -eq 0 && $output == 'removed: 1 files, '*' bytes' ]]
  [[ -z $(find "$cache" -type f) ]]
  run taskresults index --drop --verify
  [[ $status -eq 2 ]]
  # A place where no folder can be made.
  touch "$BATS_TEST_TMPDIR/file"
  TASKRESULTS_INDEX=$BATS_TEST_TMPDIR/file/under run taskresults index --rebuild
  [[ $status -eq 3 && $output == *"no index could be made: $BATS_TEST_TMPDIR/file: Not a directory" ]]
}

@test "index --verify names each range that was changed under an index that is believed, and nothing else" {
  make_job a 30000
  make_job b 300
  taskresults index --rebuild
  run taskresults index --verify
  [[ $status -eq 0 && $output != *changed* ]]
  # Edits that keep the length, far from both ends of what is known; and then the file grows. Every byte is tried that a
  # seed gives, and the oracle is the blocks of a megabyte that Python counts.
  run python3 - "$results/a.jsonl" "$root/shell/taskresults" <<'PYTHON'
import json, random, subprocess, sys
path, program = sys.argv[1:]
random.seed(20260214)
data = open(path, "rb").read()
ends, start = [], 0
while start < len(data):
    end = len(data) if len(data) - start <= 1 << 20 else data.index(b"\n", start + (1 << 20) - 1) + 1
    ends.append((start, end))
    start = end
assert len(ends) > 3, ends
with open(path, "ab") as file:
    file.write(b'{"success": true}\n')
for trial in range(6):
    places = [random.randrange(5000, len(data) - 5000) for _ in range(random.randrange(1, 4))]
    with open(path, "r+b") as file:
        for place in places:
            file.seek(place)
            file.write(bytes([data[place] ^ 1]))
    wrong = [block for block in ends if any(block[0] <= place < block[1] for place in places)]
    merged = []
    for low, high in wrong:
        if merged and merged[-1]["to"] == low:
            merged[-1]["to"] = high
        else:
            merged.append({"from": low, "to": high})
    done = subprocess.run([program, "index", "--verify", "--json"], capture_output=True, text=True)
    rows = {row["job_id"]: row for row in json.loads(done.stdout)}
    assert rows["b"]["state"] == "believed" and rows["b"]["changed"] == [], rows
    assert done.returncode == 1 and rows["a"]["changed"] == merged, (done, merged)
    with open(path, "r+b") as file:
        for place in places:
            file.seek(place)
            file.write(data[place:place + 1])
PYTHON
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
  run taskresults index --verify
  [[ $status -eq 0 ]]
}

@test "the index is outside of the results, for the user alone, and nothing is written unless it is asked for" {
  make_job a 300
  before=$(ls -lA "$results")
  umask 000
  taskresults index --rebuild >/dev/null
  [[ $(ls -lA "$results") == "$before" ]]
  [[ $(find "$cache" -type f -printf '%m\n' | sort -u) == 600 && $(find "$cache" -type d -printf '%m\n' | sort -u) == 700 ]]
  rm -rf "$cache"
  taskresults index >/dev/null
  taskresults index --verify >/dev/null
  TASKRESULTS_INDEX='' HOME=$BATS_TEST_TMPDIR/home sql "SELECT taskresults_index('rebuild')" >/dev/null
  [[ ! -e $cache && ! -e $BATS_TEST_TMPDIR/home ]]
  sqlite_words=$(sql 'PRAGMA query_only = 1' "SELECT taskresults_index('rebuild')" 2>&1) && false
  [[ $sqlite_words == *'query_only'* && ! -e $cache ]]
  HOME=$BATS_TEST_TMPDIR/home TASKRESULTS_INDEX='' taskresults index --rebuild >/dev/null
  [[ $(find "$BATS_TEST_TMPDIR/home/.cache/taskresults" -name a.jsonl | wc -l) -eq 1 ]]
  XDG_CACHE_HOME=relative TASKRESULTS_INDEX=auto run taskresults index
  [[ $status -eq 0 && $output == *'no index is used: there is no absolute XDG_CACHE_HOME, and no HOME' ]]
}

@test "an index in a folder of others, behind a link of others, or that is a link, a FIFO or another user's, is not used, and left alone" {
  ((EUID == 0)) || skip 'needs root, to be two users'
  open_results
  make_job a 300
  cache=$open_place/cache
  export TASKRESULTS_INDEX=$cache
  mkdir -m 777 "$cache"
  chmod 777 "$cache"
  run taskresults index --rebuild
  [[ $status -eq 3 && $output == *'no index is used: '*': other users may write to it' && -z $(ls -A "$cache") ]]
  chmod 755 "$cache"
  chown 65534 "$cache"
  run taskresults index --rebuild
  [[ $status -eq 3 && $output == *'no index is used: '*': it belongs to another user' && -z $(ls -A "$cache") ]]
  mkdir -m 700 "$open_place/ours"
  ln -s ours "$open_place/link"
  chown -h 65534 "$open_place/link"
  TASKRESULTS_INDEX=$open_place/link run taskresults index --rebuild
  [[ $status -eq 3 && $output == *'no index is used: '*': it is a link of another user' && -z $(ls -A "$open_place/ours") ]]
  export TASKRESULTS_INDEX=$open_place/ours
  taskresults index --rebuild >/dev/null
  [[ $(state_of a) == believed ]]
  path=$(index_of a)
  cp "$path" "$open_place/copy"
  for what in link fifo folder hard other; do
    rm -rf "$path"
    case $what in
      link) ln -s "$open_place/copy" "$path" ;;
      fifo) mkfifo "$path" ;;
      folder) mkdir "$path" ;;
      hard) ln "$open_place/copy" "$path" ;;
      other) cp "$open_place/copy" "$path" && chown 65534 "$path" ;;
    esac
    before=$(stat -c '%i %F %s %U %Y' "$path")
    [[ $(state_of a) == unusable ]] || { echo "$what"; return 1; }
    run taskresults doctor
    [[ $output == *'note  job a: what has the name of its index is no regular file of yours'* ]] || { echo "$what"; return 1; }
    [[ $(stat -c '%i %F %s %U %Y' "$path") == "$before" ]]
  done
}

@test "doctor says where the index is, what it knows, and what is outdated, foreign or not usable" {
  make_job a 300
  taskresults index --rebuild >/dev/null
  run taskresults doctor
  [[ $output =~ "ok    index $cache/"[0-9a-f]+'/1.1.1048576.native: 1 file, '[0-9]+' bytes; it knows 100 % of the results' ]]
  make_job a 300
  mv "$results/a.jsonl" "$results/x" && cp "$results/x" "$results/a.jsonl" && rm "$results/x"
  TASKRESULTS_MAX_LINE=9000 taskresults index --rebuild >/dev/null
  make_job b 300
  taskresults index --rebuild >/dev/null
  cp "$results/a.jsonl" "$results/x" && mv "$results/x" "$results/a.jsonl"
  run taskresults doctor
  [[ $output == *'note  1 index of files that were replaced or changed since'* ]]
  TASKRESULTS_MAX_LINE=9000 run taskresults doctor
  [[ $output == *'note  indexes of other versions, limits or mappings: 2 files, '* ]]
  chmod 777 "$cache"
  run taskresults doctor
  [[ $output == *'note  no index is used, so each question reads all lines: '*'other users may write to it'* ]]
  TASKRESULTS_INDEX=relative run taskresults doctor
  [[ $status -eq 1 && ${lines[0]} == 'FAIL  TASKRESULTS_INDEX is '*' neither off, nor auto, nor an absolute path' ]]
  [[ ${lines[1]} == '      fix: unset it,'* && $(grep -c '^FAIL' <<<"$output") -eq 1 && $output == *'ok    every line is a record'* ]]
  TASKRESULTS_INDEX=relative run taskresults index
  [[ $status -eq 3 && $output == *"'relative' is neither off, nor auto, nor an absolute path"* ]]
}

@test "an index that is cut or damaged at any byte never gives an error, and is made anew" {
  make_job a 300
  taskresults index --rebuild >/dev/null
  path=$(index_of a)
  /usr/bin/python3 - "$path" "$extension" "$results" <<'PYTHON'
import os, random, sqlite3, sys
path, extension, results = sys.argv[1:]
random.seed(7)
whole = open(path, "rb").read()
db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
db.load_extension(extension)
def ask():
    return db.execute("""SELECT value ->> '$.state', value ->> '$.known' FROM json_each(taskresults_index('status'), '$.jobs')""").fetchall()
assert ask()[0][0] == "believed"
for trial in range(60):
    damaged = bytearray(whole[:random.randrange(len(whole))] if trial % 2 else whole)
    if not trial % 2:
        damaged[random.randrange(len(whole))] ^= 1 << random.randrange(8)
    os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(damaged)
    assert ask() in ([("outdated", 0)], [("missing", 0)]), (trial, ask())
PYTHON
}

@test "a build without libxxhash has no index, and says so: index, its --rebuild, and doctor" {
  make_job a 300
  export TASKRESULTS_EXTENSION=$root/build/no_index/taskresults
  TASKRESULTS_INDEX=auto run taskresults index
  [[ $status -eq 0 && $output == *'no index is used: this build is without it (make WITH_INDEX=0)' ]]
  TASKRESULTS_INDEX=auto run taskresults index --rebuild
  [[ $status -eq 3 && $output == *'no index could be made: this build is without it (make WITH_INDEX=0)' ]]
  TASKRESULTS_INDEX=auto run taskresults doctor
  [[ $output == *'note  no index is used, so each question reads all lines: this build is without it (make WITH_INDEX=0)'* ]]
  run taskresults doctor
  [[ $status -eq 1 && $(grep -c '^FAIL' <<<"$output") -eq 1 ]]
  [[ $output == *'FAIL  TASKRESULTS_INDEX: there is no index: this build is without it (make WITH_INDEX=0)'* ]]
}
