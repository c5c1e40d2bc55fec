#!/usr/bin/env bats
# Man pages and completions.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

setup_pages() {
  pages=$BATS_TEST_TMPDIR/man
  "$root/shell/man/make_man" "$pages" 1.2.3
}

@test "help starts no process: for the program and for each command, as `help COMMAND` and as --help" {
  require_strace
  local command words
  for command in '' $(cd "$root/shell/commands" && printf '%s\n' *.bash | sed 's/\.bash$//'); do
    for words in "help $command" "$command --help"; do
      # shellcheck disable=SC2086  # words
      strace -f -qq -o "$BATS_TEST_TMPDIR/calls" -e signal=none -e trace=clone,clone3,fork,vfork,execve \
        "$(tool taskresults)" $words \
        >"$BATS_TEST_TMPDIR/said"
      [[ -s $BATS_TEST_TMPDIR/said ]]
      # The installed program is a link, which bash alone cannot resolve.
      [[ ! -L $(tool taskresults) ]] || sed -i '/readlink/d; /execve/!d' "$BATS_TEST_TMPDIR/calls"
      [[ $(wc -l <"$BATS_TEST_TMPDIR/calls") -eq 1 ]] || { cat "$BATS_TEST_TMPDIR/calls"; return 1; }
    done
  done
}

@test "every command has a man page with its name, synopsis, options and examples" {
  setup_pages
  for file in "$root"/shell/commands/*.bash; do
    command=$(basename "$file" .bash)
    page=$pages/taskresults-$command.1
    grep -q '^\.SH NAME$' "$page"
    grep -q '^\.SH SYNOPSIS$' "$page"
    grep -q '^\.SH EXAMPLES$' "$page"
    grep -q '1\.2\.3' "$page"
    grep -q "^taskresults\\\\-$command " "$page"
    grep -q "taskresults-$command(1)\|taskresults\\\\-$command(1)" "$pages/taskresults.1"
    for option in $(taskresults help "$command" | sed -n 's/^  \(-., \)\{0,1\}--\([a-z-]*\).*/\2/p'); do
      grep -qF -- "\\-\\-${option//-/\\-}" "$page"
    done
  done
  [[ -s $pages/view_results.1 ]]
}

@test "groff finds no fault with the man pages" {
  command -v groff >/dev/null || missing_extra groff
  setup_pages
  for page in "$pages"/*.[17]; do
    complaints=$(groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null)
    [[ -z $complaints ]] || { echo "$page: $complaints"; return 1; }
  done
  run groff -man -Tascii "$pages/taskresults-export.1"
  [[ $(sed 's/\x1b\[[0-9;]*m//g; s/.\x08//g' <<<"$output") == *"put ' before each text"* ]]
}

# They have no date, so that every build is the same.
@test "mandoc finds no fault with the man pages" {
  command -v mandoc >/dev/null || missing_extra mandoc
  setup_pages
  run mandoc -Tlint -W warning "$pages"/*.[17]
  complaints=$(grep -v 'WARNING: missing date, using "": TH$' <<<"$output") || true
  [[ -z $complaints ]] || { echo "$complaints"; return 1; }
}

@test "man pages: each option is a tagged paragraph, also in lists of the description; SEE ALSO and FILES are there" {
  setup_pages
  for term in 'the window' success down uptime outages MTTR MTBF 'the budget' '\-\-target P'; do
    grep -qxF ".B $term" "$pages/taskresults-sla.1" || { echo "no term: $term"; return 1; }
  done
  for page in "$pages"/*; do
    [[ $(sed -n '/^\.SH SEE ALSO/,$p' "$page") == *taskresults* ]] || { echo "$page: no SEE ALSO"; return 1; }
    # Each page that SEE ALSO names exists.
    for name in $(sed 's/\\f[BR]//g; s/\\-/-/g' "$page" | grep -oE 'taskresults(-[a-z]+)?\([17]\)'); do
      name=${name%)} && [[ -s $pages/${name/\(/.} ]] || { echo "$page: $name"; return 1; }
    done
  done
  for file in results/JOB.jsonl logs/JOB.log jobs.json; do
    grep -qxF ".B /opt/.task\-scheduler/$file" <(sed -n '/^\.SH FILES/,$p' "$pages/taskresults.1")
  done
}

@test "the page of the tables describes every column of every table, the hidden ones too" {
  setup_pages
  tables=$(sql "SELECT name FROM pragma_module_list WHERE name GLOB 'task_*' ORDER BY name")
  [[ $tables == *task_jobs*task_results*task_stats* ]]
  for table in $tables; do
    sql "SELECT name, type, hidden FROM pragma_table_xinfo('$table')" >"$BATS_TEST_TMPDIR/columns"
    run python3 "$root/tests/oracles/columns.py" "$pages/taskresults-tables.7" "$table" <"$BATS_TEST_TMPDIR/columns"
    [[ $status -eq 0 ]] || { echo "$output"; return 1; }
  done
  # And the check fails if one is missing.
  for line in 'new|TEXT|0' 'job_id|TEXT|1' 'job_id|INTEGER|0'; do
    run python3 "$root/tests/oracles/columns.py" "$pages/taskresults-tables.7" task_results \
      < <(sql "SELECT name, type, hidden FROM pragma_table_xinfo('task_results')" | grep -v '^job_id'; echo "$line")
    [[ $status -eq 1 && $output == *"task_results.${line%%|*}: "* ]]
  done
}

# complete_line WORD... - the completions that bash offers for the last word.
complete_line() {
  # shellcheck source=shell/completions/taskresults.bash
  source "$root/shell/completions/taskresults.bash"
  PATH=$(dirname "$(tool taskresults)"):$PATH
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMP_LINE="$*"
  _taskresults
  printf '%s\n' "${COMPREPLY[@]}"
}

@test "bash completion: commands, options, values" {
  [[ $(complete_line taskresults 'rej') == rejects && $(complete_line taskresults 'ru') == run ]]
  [[ $(complete_line taskresults prune a '--keep' | tr '\n' ' ') == '--keep --keep-failures ' ]]
  [[ $(complete_line taskresults '' | wc -l) == $(find "$root"/shell/commands -name '*.bash' | wc -l) ]]
  [[ $(complete_line taskresults help 'd') == doctor ]]
  [[ $(complete_line taskresults view a '--li') == --limit ]]
  [[ $(complete_line taskresults export '--ou') == --output ]]
  [[ $(complete_line taskresults run a --lock '' | tr '\n' ' ') == 'skip wait ' && $(complete_line taskresults run a --ping e) == env ]]
  [[ $(complete_line taskresults run a '--no') == --no-log-command && $(complete_line taskresults run a '--ji') == --jitter ]]
  [[ $(complete_line taskresults export --format j | tr '\n' ' ') == 'json jsonl ' && $(complete_line taskresults export --format t) == tsv ]]
  make_job a 1
  [[ -z $(complete_line taskresults verify --heads '') && $(complete_line taskresults seal --heads '') == a ]]
  [[ $(complete_line taskresults list --col | tr '\n' ' ') == '--color --color=auto --color=always --color=never ' ]]
  [[ $(complete_line taskresults sla --of s) == success ]]
  [[ $(complete_line taskresults stats --tz lo) == local && $(complete_line taskresults list --tz Europe/Be) == *Europe/Berlin* ]]
  [[ $(complete_line taskresults alerts --silent) == --silent-for ]]
  [[ $(complete_line taskresults alerts mu) == mute && -z $(complete_line taskresults alerts mute mu) ]]
  [[ $(complete_line view_results a --l | tr '\n' ' ') == '--latest --limit ' ]]
}

@test "bash completion: job ids, quoted so that the shell reads them back" {
  make_hostile_jobs
  declare -A offered=()
  for prefix in '' '-'; do
    while IFS= read -r line; do
      eval "offered[\$(printf %s $line; echo .)]=1"
    done < <(complete_line taskresults view -- "$prefix")
  done
  for job in "${hostile_jobs[@]}"; do
    [[ -v offered["$job."] ]] || { printf 'not offered: %q\n' "$job"; return 1; }
  done
  [[ $(complete_line taskresults view "o\\'br") == "o\\'brien\\'s-\\\"job\\\"" ]]
  [[ $(complete_line taskresults view "'üb") == '' && $(complete_line taskresults view '"ün') == 'ünï-cödé' ]]
  [[ $(complete_line taskresults view '') != *$'\n-n'* ]]
  [[ $(complete_line view_results '-n') == '-n' ]]
  [[ $(complete_line taskresults export --job 1e) == 1e3 ]]
  [[ $(complete_line taskresults prune ünï) == 'ünï-cödé' && $(complete_line taskresults run ünï) == 'ünï-cödé' ]]
}

@test "bash completion: a colon in a job id, which ends a word for bash" {
  make_job 'db:main:backup' 1
  make_job 'db:other' 1
  [[ $(complete_line taskresults view db | tr '\n' ' ') == 'db:main:backup db:other ' ]]
  # bash splits db:ma into db, : and ma, and replaces only the last.
  COMP_LINE='taskresults view db:ma'
  # shellcheck source=shell/completions/taskresults.bash
  source "$root/shell/completions/taskresults.bash"
  COMP_WORDS=(taskresults view db : ma) COMP_CWORD=4
  _taskresults
  [[ ${COMPREPLY[*]} == main:backup ]]
}

@test "zsh reads its completion" {
  command -v zsh >/dev/null || skip 'no zsh here'
  zsh -n "$root/shell/completions/_taskresults"
}
