#!/usr/bin/env bats
# Hints for users who ask for something that does not exist: where it is, or what it is called.

load ../../lib/helpers
load ../../lib/shell

teardown() {
  [[ -z ${scheduler_pid-} ]] || kill "$scheduler_pid"
  [[ -z ${opt_place-} ]] || rm -rf "$opt_place"
}

# make_state DIRECTORY - the files of a scheduler.
make_state() {
  mkdir -p "$1/results" "$1/logs"
  echo '{"jobs": []}' >"$1/jobs.json"
}

# start_scheduler NAME [SCRIPT] - a process of that name in the current directory, which waits until it is ended.
start_scheduler() {
  ( exec -a "$1" bash -c 'mkfifo "$1" && : <"$1"' "${2-}" "$BATS_TEST_TMPDIR/fifo" ) 3>&- &
  scheduler_pid=$!
  until [[ -p $BATS_TEST_TMPDIR/fifo ]]; do kill -0 "$scheduler_pid"; done
}

# pasted - runs the printed lines in a shell, and prints the directories of results and logs, and the list of jobs, that
# they set. Lines about other schedulers of this machine are left out.
pasted() {
  (
    unset SCHEDULER_RESULTS_DIR SCHEDULER_LOGS_DIR SCHEDULER_JOBS_FILE
    eval "$(grep -F "$BATS_TEST_TMPDIR" <<<"$output" | grep -o 'export SCHEDULER_[A-Z_]*=.*')"
    printf '%s\n' "${SCHEDULER_RESULTS_DIR-}" "${SCHEDULER_LOGS_DIR-}" "${SCHEDULER_JOBS_FILE-}"
  )
}

# --- no results directory --------------------------------------------------------------------------------------------

@test "no results directory: every command prints lines to paste with a running scheduler's directory; none mentions SQL" {
  repository="$BATS_TEST_TMPDIR/it's a \$(touch forged)"
  make_state "$repository/.task-scheduler"
  mkdir "$repository/src"
  cd "$repository/src"
  start_scheduler task-scheduler-daemon
  cd "$BATS_TEST_TMPDIR"
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere
  state=$repository/.task-scheduler
  for arguments in list 'view a' 'view --all' stats 'stats a' errors rejects export follow sla metrics alerts \
    'report -o page' 'prune a --keep 1' doctor 'sql SELECT\ 1\ FROM\ task_results' 'run a -- true'; do
    eval "run taskresults $arguments"
    [[ $(pasted) == "$state/results"$'\n'"$state/logs"$'\n'"$state/jobs.json" ]] || { echo "$arguments: $output"; return 1; }
    [[ ! -e forged && ($arguments == sql* || $output != *'CREATE VIRTUAL'*) ]]
  done
  run view_results a
  [[ $status -eq 3 && $(pasted) == "$state/results"* && $output != *'CREATE VIRTUAL'* ]]
  # The commands did not use it by themselves.
  run taskresults list
  [[ $status -eq 3 && ! -e page ]]
}

@test "no results directory: a scheduler is found by its process's environment or script, by a systemd unit, or below /opt" {
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere
  run taskresults list
  [[ $status -eq 3 && $output == *'nowhere: No such file or directory'* ]]
  make_state "$BATS_TEST_TMPDIR/one/.task-scheduler"
  make_state "$BATS_TEST_TMPDIR/two"
  export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
  mkdir -p "$XDG_CONFIG_HOME/systemd/user"
  unit=$XDG_CONFIG_HOME/systemd/user/task-scheduler-x.service
  printf '[Service]\nExecStart=/usr/bin/python3 -u %s/bin/task_scheduler.py --loop\n' "$BATS_TEST_TMPDIR/one" >"$unit"
  run taskresults list
  [[ $output == *"$BATS_TEST_TMPDIR/one/.task-scheduler/results; to use them:"* ]]
  printf '[Service]\nEnvironment="SCHEDULER_RESULTS_DIR=%s" X=1\n' "$BATS_TEST_TMPDIR/two/results" >"$unit"
  run taskresults list
  [[ $output == *"$BATS_TEST_TMPDIR/two/results; to use them:"* && $output != *"$BATS_TEST_TMPDIR/one/"* ]]
  rm "$unit"
  # Logs that lie beside the results are used without a setting.
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/two/results run taskresults doctor
  [[ $(pasted) == $'\n\n'"$BATS_TEST_TMPDIR/two/jobs.json" && $output == *"ok    logs $BATS_TEST_TMPDIR/two/results/../logs"* ]]
  # One that is in use is not suggested, and doctor names the others.
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/two/results start_scheduler python3 "$BATS_TEST_TMPDIR/one/bin/task-scheduler.py"
  run taskresults list
  [[ $output == *"$BATS_TEST_TMPDIR/one/.task-scheduler/results; to use them:"*"$BATS_TEST_TMPDIR/two/results; to use them:"* ||
    $output == *"$BATS_TEST_TMPDIR/two/results; to use them:"*"$BATS_TEST_TMPDIR/one/.task-scheduler/results; to use them:"* ]]
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/one/.task-scheduler/../.task-scheduler/results run taskresults doctor
  [[ $output == *"note  "*"$BATS_TEST_TMPDIR/two/results"* && $output != *"export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/one"* ]]
  [[ -w /opt ]] || skip 'the rest needs to write into /opt'
  opt_place=$(mktemp -d /opt/taskresults-test.XXXXXX)
  make_state "$opt_place/.task-scheduler"
  run taskresults list
  [[ $output == *"$opt_place/.task-scheduler/results; to use them:"* ]]
}

@test "a missing list of jobs or directory of logs: the message names the variable, and no SQL" {
  make_job a 1
  SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/none.json run taskresults alerts --overdue
  [[ $status -eq 3 && $output == *none.json* && $output != *'CREATE VIRTUAL'* ]]
  SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/none run taskresults sql 'SELECT * FROM task_logs'
  [[ $status -eq 3 && $output == *'SCHEDULER_LOGS_DIR says where it is'* ]]
}

# --- no such job -----------------------------------------------------------------------------------------------------

# job_file NAME - a job with one record.
job_file() {
  printf '{"timestamp":"2026-01-01T00:00:00Z","success":true}\n' >"$results/$1.jsonl"
}

@test "no such job: every command that takes one names a job that differs only in case" {
  job_file my-backup
  job_file other
  for arguments in 'view My-Backup' 'view My-Backup --json' 'stats My-Backup' 'stats My-Backup --csv' 'errors My-Backup' \
    'rejects My-Backup' 'export My-Backup' 'export other My-Backup' 'sla My-Backup' 'sla other My-Backup' 'alerts My-Backup' \
    'prune My-Backup --keep 1' 'export --job My-Backup'; do
    # shellcheck disable=SC2086  # words
    XDG_STATE_HOME=$BATS_TEST_TMPDIR run taskresults $arguments
    [[ $output == *'taskresults: did you mean my-backup? That is another name'* ]] || { echo "$arguments: $output"; return 1; }
    [[ $(grep -c 'did you mean' <<<"$output") -eq 1 ]]
  done
  run view_results My-Backup
  [[ $status -eq 0 && ${lines[0]} == 'No results found for job: My-Backup' && ${lines[1]} == *'did you mean my-backup?'* ]]
  run view_results my-backup
  [[ $output != *'did you mean'* ]]
  run taskresults view other --errors
  [[ $status -eq 1 && $output == 'taskresults: no such record of job: other' ]]
  run taskresults view zebra
  [[ $status -eq 1 && $output == 'taskresults: no such record of job: zebra' ]]
}

@test "follow: for a job without a file, a message says that it waits, and names a similar job; then its records are shown" {
  job_file my-backup
  "$(tool taskresults)" follow My-Backup my-backup --interval 0.05 --jsonl >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  scheduler_pid=$!
  until grep -q 'did you mean' "$BATS_TEST_TMPDIR/err"; do kill -0 "$scheduler_pid"; done
  [[ $(<"$BATS_TEST_TMPDIR/err") == 'taskresults: job My-Backup has no file yet; waiting for one'$'\n''taskresults: did you mean my-backup? '* ]]
  job_file My-Backup
  until [[ $(<"$BATS_TEST_TMPDIR/out") == *'"job_id":"My-Backup"'* ]]; do kill -0 "$scheduler_pid"; done
}

@test "no such job: a hint for accents stored differently, blanks, a file's name, a path, a pattern, a typing mistake" {
  names() { # WANTED NAME WORDS - with the one job NAME, WANTED is answered by WORDS
    rm -f "$results"/*.jsonl
    job_file "$2"
    run taskresults stats -- "$1"
    [[ $status -eq 1 && $output == "taskresults: no such job: $1"$'\n'"taskresults: $3"* ]] || { echo "$1 / $2: $output"; return 1; }
  }
  nfc=$'caf\303\251' nfd=$'cafe\314\201'
  names "$nfc" "$nfd" "did you mean $nfd (\$'cafe\\314\\201')? That is another name"
  names "$nfd" "$nfc" "did you mean $nfc (\$'caf\\303\\251')? That is another name"
  names CAFE "$nfc" "did you mean $nfc ("
  names 'a b ' 'a b' 'did you mean a\ b? That is another name'
  names $'a\302\240b' 'a b' 'did you mean a\ b? That is another name'
  names b ' b' 'did you mean \ b? That is another name'
  names my-job.jsonl my-job 'did you mean my-job? A job is named as its file, without'
  names "$results/my-job.jsonl" my-job 'did you mean my-job? A job is named as its file, without'
  names results/my-job my-job 'did you mean my-job? A job is named as its file, without'
  names 'my-*' my-job 'a job is named in full; names like that are my-job'
  names 'A&%B' 'a&%b' 'did you mean a\&%b? That is another name'
  names mv-jbo my-job 'did you mean my-job?'
  names nightly-bakup nightly-backup 'did you mean nightly-backup?'
  for i in 1 2 3 4 5; do job_file "web-$i"; done
  run taskresults stats web-x
  [[ $output == *'did you mean web-1, web-2, web-3, and 2 more?' ]]
  run taskresults stats 'web-*'
  [[ $output == *'names like that are web-1, web-2, web-3, and 2 more' ]]
  run taskresults stats zebra
  [[ $output == 'taskresults: no such job: zebra' ]]
  run taskresults stats "$(printf 'x%.0s' {1..5000})"
  [[ $status -eq 1 && ${#lines[@]} -eq 1 ]]
}

# --- no such command or option ---------------------------------------------------------------------------------------

@test "a command or an option that does not exist: a similar one is named, and the help" {
  for words in bogus 'help bogus' '--bogus'; do
    behind=''
    [[ $words != --* ]] || behind=': the command comes first, then its options'
    # shellcheck disable=SC2086  # words
    run taskresults $words
    [[ $status -eq 2 && ${#lines[@]} -eq 2 && ${lines[0]} == "taskresults: no command '${words#help }'$behind" && ${lines[1]} == *'try: taskresults help' ]]
  done
  for words in exprot 'help exprot' EXPORT --export; do
    # shellcheck disable=SC2086  # words
    run taskresults $words
    [[ $status -eq 2 && ${lines[1]} == 'taskresults: did you mean export?' && ${lines[2]} == *'try: taskresults help' ]]
  done
  run taskresults view a --lates
  [[ $status -eq 2 && ${lines[0]} == *'unknown option: --lates' && ${lines[1]} == *'did you mean --latest?' && ${lines[2]} == *'help view' ]]
  run taskresults export --Max-Chars=3
  [[ $status -eq 2 && ${lines[1]} == *'did you mean --max-chars?' ]]
  run taskresults list -x
  [[ $status -eq 2 && ${#lines[@]} -eq 2 && ${lines[0]} == *'unknown option: -x' ]]
  run view_results a --limt 3
  [[ $status -eq 2 && ${lines[1]} == 'view_results: did you mean --limit?' ]]
}

@test "wrong usage: the message says what is right" {
  make_job a 1
  wrong() { # MESSAGE COMMAND...
    run taskresults "${@:2}"
    [[ $status -eq 2 && ${lines[0]} == "taskresults: "$1 ]] || { echo "${*:2}: $status $output"; return 1; }
  }
  wrong 'which job? It goes before the --' run -- true
  wrong 'which job? It goes before the --' run
  wrong 'the command goes after --' run a true
  wrong "'a/b' cannot be a job: *" run a/b -- true
  wrong "no column 'when': there are timestamp, job_id, *" export --columns when
  wrong '--bom is for CSV and TSV' export --format json --bom
  wrong '--delimiter wants *no letter, digit or blank*' export --delimiter x
  wrong '--mode wants one of box, list, csv, *' sql --mode xls 'SELECT 1'
  wrong '--mode wants one of *' sql --mode 'box list' 'SELECT 1'
  wrong '--window has to begin before it ends, *' sla --window 2026-02-10..2026-02-01
  wrong '--rate wants P/K: *' alerts --rate 5/3
  wrong '--interval has to be longer than 0 *' follow --interval 0
  for command in errors stats 'view a' export; do
    # shellcheck disable=SC2086  # words
    wrong '--since is later than --until: *' $command --since 2026-01-02 --until 2026-01-01
    # shellcheck disable=SC2086  # words
    run taskresults $command --since 2026-01-01 --until 2026-01-01
    [[ $status -le 1 && $output != *'is later than'* ]]
  done
  wrong "no command '--color=never': the command comes first, then its options" --color=never list
}

@test "a command to paste begins with this program's path; with its name only if the PATH finds this very program" {
  local place=$BATS_TEST_TMPDIR/"it's here" bin
  bin=$(dirname "$(tool taskresults)")
  PATH=${PATH//"$bin:"/} # which the helpers add
  ! type -P taskresults >/dev/null || skip 'a taskresults is installed here'
  job_file 'a b'
  append_raw 'a b' 'broken\n'
  hinted() { # EXPECTED PROGRAM [ARGUMENT...] - the first command that the messages offer
    run "${@:2}"
    pasted=$(sed -n 's/.*\(try\|to see them\): //p' <<<"$output" | head -n 1)
    [[ $pasted == "$1" ]] || { echo "${*:2}: $pasted, not $1"; return 1; }
  }
  mkdir "$place" "$place/other"
  ln -s "$bin"/{taskresults,view_results} "$place"
  ln -s "$(type -P true)" "$place/other/taskresults"
  # By a path, whatever else is on the PATH: that path.
  hinted "$bin/taskresults help view" "$bin/taskresults" view
  hinted "$bin/taskresults help run" "$bin/taskresults" run a --lock now -- true
  PATH=$place/other:$PATH hinted "$bin/taskresults rejects -- a\\ b" "$bin/taskresults" doctor
  hinted "$bin/taskresults rejects -- a\\ b" "$bin/view_results" 'a b'
  hinted "$bin/view_results --help" "$bin/view_results"
  # By a link, and by a relative path, with a quote in it.
  cd "$place"
  hinted './taskresults help' ./taskresults nonsense
  hinted "../it\\'s\\ here/taskresults help list" "../it's here/taskresults" list --nonsense
  hinted "../it\\'s\\ here/taskresults rejects -- a\\ b" "../it's here/view_results" 'a b'
  run bash -c "$pasted"
  [[ $status -eq 0 && $output == *'a b '*' broken'* ]]
  # By its name, on the PATH.
  PATH=$place:$PATH hinted 'taskresults help list' env taskresults list --nonsense
  PATH=$place:$PATH hinted 'taskresults help list' "$bin/taskresults" list --nonsense
  PATH=$place:$PATH hinted 'taskresults rejects -- a\ b' env view_results 'a b'
}

# --- a machine of the test's own ----------------------------------------------------------------------------------------

# found_below ROOT - the lines to paste on a machine whose /opt, /proc and units are below ROOT.
found_below() {
  # shellcheck disable=SC2016  # for that shell
  bash -c 'shell_home=$1 system=$2
    source "$shell_home/lib/load.bash"
    load lib/places hints/schedulers
    system_root=$system
    say_schedulers' - "$(dirname "$(readlink -f "$(tool taskresults)")")" "$1" 2>&1
}

@test "a scheduler is found below /opt, by a process and by a unit, also with hostile paths, which are printed quoted for the shell" {
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere
  cd "$BATS_TEST_TMPDIR"
  local machine=$BATS_TEST_TMPDIR/machine hostile=$'it\'s "a"\n$(touch forged); `touch forged` \e[31m\\ & b*'
  mkdir -p "$machine/proc/7" "$machine/etc/systemd/system"
  run found_below "$machine"
  [[ $output == "taskresults: SCHEDULER_RESULTS_DIR names $SCHEDULER_RESULTS_DIR, which is no directory: "* ]]
  # Below /opt.
  make_state "$machine/opt/$hostile/.task-scheduler"
  run found_below "$machine"
  [[ $(pasted) == "$machine/opt/$hostile/.task-scheduler/results"$'\n'"$machine/opt/$hostile/.task-scheduler/logs"* ]]
  [[ $output != *$'\e'* && ! -e forged ]]
  mv "$machine/opt/$hostile" "$machine/$hostile"
  # By the working directory of a process; a process with another name does not count.
  printf 'python3\0-u\0/srv/task-scheduler.py\0' >"$machine/proc/7/cmdline"
  ln -s "$machine/$hostile" "$machine/proc/7/cwd"
  run found_below "$machine"
  [[ $(pasted) == "$machine/$hostile/.task-scheduler/results"* && ! -e forged ]]
  printf 'vim\0task.txt\0' >"$machine/proc/7/cmdline"
  run found_below "$machine"
  [[ $(pasted) != *task-scheduler* ]]
  # By the environment of a process.
  printf 'task-scheduler\0' >"$machine/proc/7/cmdline"
  printf 'A=1\0SCHEDULER_RESULTS_DIR=%s\0' "$machine/$hostile/.task-scheduler/results" >"$machine/proc/7/environ"
  rm "$machine/proc/7/cwd"
  run found_below "$machine"
  [[ $(pasted) == "$machine/$hostile/.task-scheduler/results"* && ! -e forged ]]
  rm -r "$machine/proc/7"
  # By a systemd unit; a unit with another name does not count.
  mv "$machine/$hostile" "$machine/plain"
  printf '[Service]\nWorkingDirectory=%s\n' "$machine/plain/src" >"$machine/etc/systemd/system/other.service"
  run found_below "$machine"
  [[ $(pasted) != *task-scheduler* ]]
  mv "$machine/etc/systemd/system/other.service" "$machine/etc/systemd/system/task-scheduler.service"
  run found_below "$machine"
  [[ $(pasted) == "$machine/plain/.task-scheduler/results"* ]]
}
