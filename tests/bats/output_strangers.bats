#!/usr/bin/env bats
# -o FILE and taskresults_export_csv() in another user's directory, as from root's crontab: whatever that user puts there,
# and whenever, we write, create and chmod nothing that the user could not have written without us.

load ../lib/helpers
load ../lib/shell

# The directory `theirs` belongs to the user nobody; `precious` is root's, and outside.
setup_theirs() {
  ((EUID == 0)) || skip 'only root can be led astray by another user'
  open_results
  make_job a 3
  theirs=$open_place/theirs precious=$open_place/private/precious
  mkdir "$theirs" "$open_place/private"
  chown 65534:65534 "$theirs"
  echo precious >"$precious"
  chmod 600 "$precious"
  as_owner=("${as_nobody[@]}")
  cd "$theirs" || return
}

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# all_ways FILE - writes it by each command and function that can; sets `statuses` and `output`.
all_ways() {
  local way outputs=''
  statuses=''
  for way in 'taskresults metrics -o' 'taskresults export -o' 'taskresults export --format json -o' 'taskresults report -o' by_sql; do
    run $way "$1"
    ((status == 0)) || status=refused
    statuses+=" $status" outputs+=$output$'\n'
  done
  output=$outputs
}

by_sql() {
  sql "SELECT taskresults_export_csv('$1', 'SELECT 1')"
}

nothing_precious_changed() {
  [[ $(<"$precious") == precious && $(stat -c '%a %u' "$precious") == '600 0' ]]
  [[ $(ls -A "$open_place/private") == precious ]]
}

@test "a link of the directory's owner is not followed to a file of root's, to a missing file, or through a directory" {
  setup_theirs
  "${as_owner[@]}" ln -s "$precious" x.prom
  "${as_owner[@]}" ln -s ../private/new ahead
  "${as_owner[@]}" ln -s ../private through
  "${as_owner[@]}" ln -s x.prom twice
  "${as_owner[@]}" ln -s /dev/null device
  mkdir root-owned
  "${as_owner[@]}" ln -s root-owned/ahead inside
  local path
  for path in x.prom ahead through/precious through/new through/../private/new twice device inside; do
    all_ways "$theirs/$path"
    [[ $statuses == ' refused refused refused refused refused' ]] || { echo "$path: $statuses $output"; return 1; }
    [[ $(grep -c "cannot write .*: a link of another user's leads there" <<<"$output") -eq 5 ]]
    nothing_precious_changed
    [[ -z $(ls root-owned) ]]
  done
}

@test "our own links and root's are followed, and so is the directory owner's link to a file of the same owner" {
  setup_theirs
  ln -s "$open_place/private/page" ours
  "${as_owner[@]}" ln -s later theirs-ahead
  "${as_owner[@]}" mkdir folder
  "${as_owner[@]}" ln -s folder/../folder through
  local path
  for path in ours theirs-ahead through/x; do
    all_ways "$path"
    [[ $statuses == ' 0 0 0 0 0' ]] || { echo "$path: $statuses $output"; return 1; }
  done
  [[ -L ours && -L theirs-ahead && -L through && -s "$open_place/private/page" && -s later && -s folder/x ]]
}

@test "a user other than root follows root's links, but no third user's" {
  setup_theirs
  "${as_owner[@]}" test -r "$extension.so" || skip 'nobody cannot get there'
  ln -s page roots
  chmod 777 "$open_place"
  setpriv --reuid=65533 --regid=65533 --clear-groups ln -s theirs/page "$open_place/thirds"
  by_owner() {
    run "${as_owner[@]}" sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: \
      "SELECT taskresults_export_csv('$1', 'SELECT 1')"
  }
  by_owner roots
  [[ $status -eq 0 && -L roots && -f page ]]
  rm page
  by_owner "$open_place/thirds"
  [[ $status -ne 0 && $output == *"a link of another user's leads there"* && ! -e page ]]
}

@test "a chain of two users' links is not followed, though each of them alone is; a link to our own standard output is" {
  setup_theirs
  mkdir "$open_place/third"
  chown 65533:65533 "$open_place/third"
  setpriv --reuid=65533 --regid=65533 --clear-groups ln -s page "$open_place/third/step"
  "${as_owner[@]}" ln -s ../third/step chain
  "${as_owner[@]}" ln -s /dev/stdout out
  all_ways chain
  [[ $statuses == ' refused refused refused refused refused' && ! -e $open_place/third/page ]]
  [[ $(grep -c "cannot write chain: a link of another user's leads there" <<<"$output") -eq 5 ]]
  all_ways "$open_place/third/step"
  [[ $statuses == ' 0 0 0 0 0' && -s $open_place/third/page ]]
  [[ $(by_sql out) == $'1\r\n1\r\n'* && $(find . -type f) == '' ]]
}

@test "if the temporary file is replaced by a link while it is written, that is an error, and the link's target stays as it was" {
  setup_theirs
  cat >"$BATS_TEST_TMPDIR/swaps" <<SCRIPT
#!/bin/bash
[[ \$* != *-version* ]] || exec sqlite3 "\$@"
until compgen -G '$theirs/.taskresults.*' >/dev/null; do sleep 0.02; done
for file in $theirs/.taskresults.*; do
  setpriv --reuid=65534 --regid=65534 --clear-groups bash -c 'rm -f "\$1" && ln -s "\$2" "\$1"' _ "\$file" "$precious"
done
exec sqlite3 "\$@"
SCRIPT
  chmod +x "$BATS_TEST_TMPDIR/swaps"
  local command
  for command in metrics export report; do
    TASKRESULTS_SQLITE3=$BATS_TEST_TMPDIR/swaps run taskresults "$command" -o "$theirs/x.prom"
    [[ $status -eq 3 && $output == *'the temporary file cannot take its place'* ]] || { echo "$status $output"; return 1; }
    nothing_precious_changed
    [[ ! -e $theirs/x.prom && ! -L $theirs/x.prom ]]
  done
}

# The owner can make any path lead elsewhere. So no call that creates, opens for writing, renames or changes the mode may
# take a path: only a single name below an open descriptor, and only for a new file.
@test "in that directory nothing is created, opened for writing, renamed or chmodded by its path" {
  require_strace
  setup_theirs
  cd /
  touch "$theirs/existing"
  chmod 604 "$theirs/existing"
  local program file
  program=$(tool taskresults)
  for file in existing new; do
    for way in "metrics -o $theirs/$file" "export -o $theirs/$file" "report -o $theirs/$file"; do
      # shellcheck disable=SC2086  # words
      rm -f "$BATS_TEST_TMPDIR"/trace.*
      strace -ff -y -o "$BATS_TEST_TMPDIR/trace" -e trace=%file,fchmod,fchown "$program" $way
      cat "$BATS_TEST_TMPDIR"/trace.* | grep -F -e "$theirs" -e .taskresults. | grep -v -e execve >"$BATS_TEST_TMPDIR/calls"
      python3 - "$BATS_TEST_TMPDIR/calls" <<'PYTHON'
import re, sys
opened = renamed = 0
for line in open(sys.argv[1]):
    name = re.match(r"(\w+)\(", line).group(1)
    writes = re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_APPEND|O_TRUNC", line)
    if name in ("open", "openat", "creat") and (writes or name == "creat"):
        assert re.search(r'openat\(\d+<[^>]*>, "[^/"]+", O_WRONLY\|O_CREAT\|O_EXCL\|O_NOFOLLOW', line), line
        opened += 1
    if name.startswith("rename"):
        assert re.search(r'renameat2?\(\d+<[^>]*>, "[^/"]+", \d+<[^>]*>, "[^/"]+"', line), line
        renamed += 1
    assert not re.match(r"(chmod|fchmodat|chown|lchown|fchownat|link|symlink|truncate|utime)", name), line
assert opened == renamed == 1, (opened, renamed)
PYTHON
    done
  done
  [[ $(stat -c %a "$theirs/existing") == 604 ]]
}

@test "the lock of the alerts' state does not create a file where the directory owner's link leads" {
  setup_theirs
  "${as_owner[@]}" ln -s ../private/made state.lock
  run taskresults alerts --state "$theirs/state"
  [[ $status -eq 3 && $output == *"a link of another user's leads there"* ]]
  nothing_precious_changed
  rm state.lock
  "${as_owner[@]}" ln -s ../private/made state
  run taskresults alerts --state "$theirs/state"
  [[ $status -eq 3 ]]
  nothing_precious_changed
}
