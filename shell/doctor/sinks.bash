# sinks.bash - `doctor --ask-sink`: asks each sink whether another cursor ships under this host's name.

# shellcheck shell=bash

# The heartbeats of ship say it: each names its cursor, at least once an hour. A cursor that was seen last before ours
# was made is one that ours has replaced. If the clock was ahead then, only the last two hours count.
OTHERS_SQL="SELECT count(DISTINCT cursor), max(cursor) FROM files WHERE host = HOST AND cursor <> BASE
  AND seen > now() - 7200 AND (BASE > toUInt64(toUInt32(now())) * 1000000 OR
    toUInt64(toUInt32(seen)) * 1000000 > BASE) FORMAT TabSeparated"

CURSOR_SQL="SELECT (SELECT value FROM meta WHERE key = 'base'), (SELECT value FROM meta WHERE key = 'url'),
  (SELECT replace(replace(value, '\\', '\\\\'), '''', '\\''') FROM meta WHERE key = 'host');"

# ask_sink CURSOR - prints what the sink says; fails if it says nothing that can be used, and prints why.
ask_sink() {
  local base url host question said status http
  said=$(sqlite_database=$1 query "$CURSOR_SQL" 2>/dev/null)
  IFS=$'\037' read -r base url host < <(printf '%s\n' "$said")
  [[ $base =~ ^[0-9]+$ ]] || { echo 'the cursor cannot be read'; return 1; }
  state=${1%/*}
  read_sink "$url"
  check_config
  question=${OTHERS_SQL//BASE/"$base"} question=${question/HOST/"'$host'"}
  # What comes behind --config is ours: doctor has to end.
  said=$(curl -q --silent --show-error "${curl_config[@]}" --connect-timeout 5 --max-time 15 --max-filesize 100000 \
    --retry 0 --no-location --no-fail --no-include --globoff --output - --write-out '\n%{http_code}' \
    --data-binary "$question" --url "${sink_base%&}" 2>&1 </dev/null)
  status=$?
  http=${said##*$'\n'} said=${said%$'\n'*}
  ((status == 0)) || { plain_words "${said#curl: }"; return 1; }
  if [[ $http != 200 || ! $said =~ ^[0-9]+$'\t'[0-9]+[[:space:]]*$ ]]; then
    plain_words "it answered $http: $said"
    return 1
  fi
  printf '%s\n' "$said"
}

# plain_words WORDS - the beginning, in one line.
plain_words() {
  local words=${1:0:400}
  words=${words//[$'\001'-$'\037']/ }
  printf '%s\n' "${words%"${words##*[! ]}"}"
}

# check_sink CURSOR - prints the result as a line of doctor's. Whoever may write in the results directory can name any
# cursor in its marks, and so any sink: nobody else's cursor may make us send our password there.
check_sink() {
  local said others made_us made
  if [[ ! -r $1 ]]; then
    note "its sink is not asked: the cursor $1 cannot be read by $(id -un)" "run doctor as the user who ships"
    return
  fi
  if [[ ! -O $1 || ! -O ${1%/*} ]]; then
    note "its sink is not asked: the cursor $1, or its directory, belongs to another user" "run doctor as that user"
    return
  fi
  command -v curl >/dev/null || {
    note 'the sinks cannot be asked without the program curl' 'apt-get install curl'
    return
  }
  load lib/characters ship/{sink,state}
  if ! said=$(ask_sink "$1" 2>&1); then
    note "the sink of $1 does not say whether another machine ships under this host's name: $said" \
      "with a user who may read its table files, it can: $called doctor --ask-sink --config FILE"
    return
  fi
  read -r others made_us < <(printf '%s\n' "$said")
  if ((others == 0)); then
    ok "no other cursor ships to the sink of $1 under this host's name"
    return
  fi
  made=$(query "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', $made_us / 1000000, 'unixepoch');")
  if ((others == 1)); then others='another cursor'; else others+=' other cursors'; fi
  fail "$others sent to the sink of $1 under this host's name in the last two hours, the newest made at $made" \
    'find the other machine, or the other --state directory, and give each a --host name of its own'
}
