#!/usr/bin/env bats
# Only the environment variables that the help names have an effect; the user's own commands get the environment unchanged.

load ../../lib/helpers
load ../../lib/shell

# every_command NAME=VALUE... - writes what every command prints in that environment to $BATS_TEST_TMPDIR/got. This takes
# seconds, so only one or two locales of each kind are tested below. `make locales` tests all.
every_command() {
  "$root/tests/environment/every_command" "$(dirname "$(tool taskresults)")" "$BATS_FILE_TMPDIR/work" \
    "$root/build/shim/clock.so" "$@" >"$BATS_TEST_TMPDIR/got" </dev/null
  ! grep -aq 'build/shim/clock.so.* cannot be preloaded' "$BATS_TEST_TMPDIR/got"
}

# expect - records what every command prints in a plain environment, once for all tests. assert_as_expected NAME=VALUE... -
# they print the same in that environment.
expect() {
  expected=$BATS_FILE_TMPDIR/expected
  [[ ! -e $expected ]] || return 0
  every_command LC_ALL=C.UTF-8
  (($(grep -ac '^status 0$' "$BATS_TEST_TMPDIR/got") > 50))
  mv "$BATS_TEST_TMPDIR/got" "$expected"
}

assert_as_expected() {
  every_command "$@"
  diff -a "$expected" "$BATS_TEST_TMPDIR/got" >"$BATS_TEST_TMPDIR/differences" || {
    echo "other output with ${*:0:3}:"
    head -n 20 "$BATS_TEST_TMPDIR/differences" | cut -c -200
    return 1
  }
}

# own_variables - the variables that our scripts assign, without those that they may read from the environment: words before
# a =, and all words of lines that declare or read variables. A few names too many do no harm.
own_variables() {
  local scripts=("$root"/shell/{taskresults,view_results} "$root"/shell/{lib,commands,report}/*.bash)
  {
    grep -ohE '\b[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\+?=' "${scripts[@]}" | grep -oE '^[A-Za-z0-9_]+'
    grep -hE '\b(local|declare|read|for|mapfile|printf -v|exec \{)' "${scripts[@]}" | grep -v '^ *#' |
      grep -oE '\b[A-Za-z_][A-Za-z0-9_]*'
  } | sort -u | grep -vE '^(PATH|HOME|TERM|COLUMNS|NO_COLOR|XDG_STATE_HOME|LC_ALL|BASH_.*|(TASKRESULTS|SCHEDULER)_.*)$'
}

@test "our scripts take no value of their own variables from the environment, and evaluate none" {
  expect
  mapfile -t words < <(own_variables)
  ((${#words[@]} > 300))
  # The same without a locale in the environment.
  # shellcheck disable=SC2016  # it is not to be evaluated
  assert_as_expected LC_ALL=C "${words[@]/%/=x[\$(touch evaluated)]}" 'x[$(touch evaluated)]=1'
  [[ ! -e $BATS_FILE_TMPDIR/work/evaluated ]]
}

@test "variables that change how bash and other programs work, such as POSIXLY_CORRECT, have no effect" {
  expect
  echo 'echo from the environment' >"$BATS_TEST_TMPDIR/junk.bash"
  functions=()
  for name in printf echo read exec source set unset trap local declare mapfile shift exit return cd test true kill \
    sed awk tr cat find head od sort sqlite3 readlink mktemp say query; do
    functions+=("BASH_FUNC_$name%%=() { builtin echo from the environment; }")
  done
  assert_as_expected "${functions[@]}" BASH_ENV="$BATS_TEST_TMPDIR/junk.bash" ENV="$BATS_TEST_TMPDIR/junk.bash" \
    SHELLOPTS=braceexpand:errexit:noglob:noexec:posix:xtrace BASHOPTS=nullglob:nocasematch:extglob:compat31 \
    BASH_COMPAT=3.1 CDPATH=/:/tmp IFS=a GLOBIGNORE='*' EXECIGNORE='*' FUNCNEST=1 \
    TMOUT=1 PS4='$(touch evaluated)' BASH_XTRACEFD=1 \
    PIPESTATUS=0 BASH_SOURCE=/junk FUNCNAME=junk REPLY=junk OPTIND=7 SECONDS=junk UID=junk
  assert_as_expected GREP_OPTIONS=-v GREP_COLORS='mt=01' AWKPATH=/junk TZ=Asia/Kathmandu \
    TIME_STYLE=iso BLOCK_SIZE=7 _POSIX2_VERSION=199209 LANGUAGE=de:tr TMPDIR=/nonexistent SHLVL=junk PWD=/junk OLDPWD=/junk \
    _=junk CHILD_MAX=1 POSIXLY_CORRECT=1 POSIX_PEDANTIC=1
}

# The environment for the user's commands. Each variable is one that our scripts or bash would change.
given() {
  printf '%s\n' "PATH=$PATH" LC_ALL=tr_TR.UTF-8 LANG=junk POSIXLY_CORRECT=1 args=1 job=2 opt=3 name=4 IFS=ab SHLVL=7 \
    PWD=/junk SHELLOPTS=braceexpand:noexec PIPESTATUS=5 BASH_ENV=/junk TMOUT=1 TZ=junk "SCHEDULER_RESULTS_DIR=$results"
}

@test "the command of run gets the environment byte for byte, and no descriptor of ours" {
  mapfile -t words < <(given)
  words+=('BASH_FUNC_f%%=() { :; }' 'a[0]=6' UID=junk SECONDS=8 BASH_XTRACEFD=99 two='line
break')
  env -i "${words[@]}" "$(tool taskresults)" run a -- cat /proc/self/environ >"$BATS_TEST_TMPDIR/environ"
  cmp "$BATS_TEST_TMPDIR/environ" <(printf '%s\0' "${words[@]}")
  # An empty environment; and one that is larger than a pipe's buffer.
  env -i "$(tool taskresults)" run a -- /bin/cat /proc/self/environ >"$BATS_TEST_TMPDIR/environ" 2>/dev/null ||
    [[ $? -eq 3 ]] # there may be no results
  [[ ! -s $BATS_TEST_TMPDIR/environ ]]
  words+=("big1=$(printf '%100000s' x)" "big2=$(printf '%100000s' y)")
  env -i "${words[@]}" "$(tool taskresults)" run a -- cat /proc/self/environ >"$BATS_TEST_TMPDIR/environ"
  cmp "$BATS_TEST_TMPDIR/environ" <(printf '%s\0' "${words[@]}")
  # A parent that ignores SIGPIPE makes the script start anew.
  mapfile -t words < <(given | grep -vE '^(SHELLOPTS|PIPESTATUS)')
  env --ignore-signal=PIPE env -i "${words[@]}" "$(tool taskresults)" run a -- cat /proc/self/environ |
    grep -zv '^_=' | sort -z >"$BATS_TEST_TMPDIR/environ"
  cmp "$BATS_TEST_TMPDIR/environ" <(printf '%s\0' "${words[@]}" | sort -z)
  [[ $(taskresults run a -- ls /proc/self/fd) == "$(ls /proc/self/fd)" ]]
}

@test "the commands of alerts --exec, and sqlite3 of sql, get the environment unchanged" {
  make_job a 2 1
  mapfile -t words < <(given)
  # A shell sets some itself.
  settled='^$|^(_|IFS|PWD|TASKRESULTS_[A-Z_]*|PIPESTATUS|SHELLOPTS|SHLVL)='
  printf '%s\n' "${words[@]}" | grep -vE "$settled" | sort >"$BATS_TEST_TMPDIR/expected"
  same() { diff <(tr '\0' '\n' <"$BATS_TEST_TMPDIR/got" | grep -vE "$settled" | sort) "$BATS_TEST_TMPDIR/expected"; }
  env -i "${words[@]}" "$(tool taskresults)" alerts --state "$BATS_TEST_TMPDIR/state" \
    --exec "cat /proc/self/environ >'$BATS_TEST_TMPDIR/got'; echo \"\$TASKRESULTS_JOB\" >'$BATS_TEST_TMPDIR/job'" ||
    [[ $? -eq 1 ]]
  [[ $(<"$BATS_TEST_TMPDIR/job") == a ]]
  same
  env -i "${words[@]}" "$(tool taskresults)" sql ".shell cat /proc/self/environ >'$BATS_TEST_TMPDIR/got'"
  same
}

# have_locales - those of Debian's locales-all; skips the test without them.
have_locales() {
  locale -a 2>/dev/null | grep -qx 'tr_TR.utf8' || missing_extra 'the locales (Debian: apt-get install locales-all)'
}

@test "every command prints the same under one or two locales of each kind" {
  have_locales
  expect
  for locale in tr_TR.UTF-8 de_DE.ISO-8859-1 fa_IR.UTF-8 zh_CN.GB18030; do
    [[ ${TASKRESULTS_LOCALES-} != all ]] || break # the next test has them all
    assert_as_expected "LC_ALL=$locale"
  done
  assert_as_expected LANG=tr_TR.UTF-8 LC_NUMERIC=de_DE.UTF-8 LC_TIME=hi_IN.UTF-8 LC_COLLATE=cs_CZ.UTF-8
}

# One locale of each encoding; and those of UTF-8 with special letters, order or digits. With make locales, all.
locales_to_try() {
  local all
  all=$(LC_ALL=C locale -a | grep '[.@]') # de_DE is another name of de_DE.iso88591
  if [[ ${TASKRESULTS_LOCALES-} == all ]]; then
    printf '%s\n' "$all"
    return
  fi
  awk -F . '!seen[$2]++' <<<"$all"
  grep -E '^(tr|az|ku|crh|tt|fa|ar|hi|my|th|ja|lt|et|cs|da|hu|sq|el|ps|ks)_.*utf8' <<<"$all" | awk -F _ '!seen[$1]++'
}

@test "list prints the same under a locale of every encoding; with make locales, every command does under every locale there is" {
  have_locales
  make_job INDIGO-ıI 4 2
  under() { env -i "PATH=$PATH" LC_ALL="$1" "SCHEDULER_RESULTS_DIR=$results" "$(tool taskresults)" list 2>&1; }
  expected=$(under C.UTF-8)
  [[ $expected == JOB*INDIGO-ıI* ]]
  [[ ${TASKRESULTS_LOCALES-} != all ]] || expect
  count=0
  for locale in $(locales_to_try); do
    if [[ ${TASKRESULTS_LOCALES-} == all ]]; then
      assert_as_expected "LC_ALL=$locale"
    else
      [[ $(under "$locale") == "$expected" ]] || { echo "under $locale:"; under "$locale"; return 1; }
    fi
    count=$((count + 1))
  done
  ((count > 20))
}

@test "options are completed in the Turkish locale, too" {
  have_locales
  completed=$(LC_ALL=tr_TR.UTF-8 PATH="$(dirname "$(tool taskresults)"):$PATH" bash -c '
    source "$0/shell/completions/taskresults.bash"
    COMP_WORDS=(taskresults view a --li) COMP_CWORD=3 COMP_LINE="${COMP_WORDS[*]}"
    _taskresults
    printf "%s\n" "${COMPREPLY[@]}"' "$root")
  [[ $completed == --limit ]]
}

@test "the commands work without PATH, with a umask that forbids everything, and with jobs that begin with -" {
  make_job -n 2 1
  (
    tool=$(tool taskresults)
    unset PATH
    [[ $("$tool" list) == *$'\n-n '* ]]
    "$tool" run -- -n -- /bin/true
  )
  (
    umask 777
    taskresults run --name=--help -- --help -- true
    taskresults export -o "$BATS_TEST_TMPDIR/out.csv" -- --help
    taskresults alerts --state "$BATS_TEST_TMPDIR/state" -- -n
  )
  [[ $(stat -c %a "$results/--help.jsonl" "$BATS_TEST_TMPDIR/out.csv") == $'0\n0' ]]
  [[ $(wc -l <"$results/-n.jsonl") -eq 3 ]]
  chmod 644 "$results/--help.jsonl"
  [[ $(taskresults view --csv -- --help) == *',--help,--help,1,"",""'* ]]
  for command in stats errors rejects view sla export; do taskresults $command -- -n >/dev/null; done
}
