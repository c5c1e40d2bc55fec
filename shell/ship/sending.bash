# sending.bash - sends a request with curl, and decides from the answer what to do next.

# shellcheck shell=bash

# The columns are named, so that a table that lacks one says so before it sees a row.
declare -gA COLUMNS=(
  [records]='host,job_id,seq,hash,n,time_us,timestamp,job_name,success,ok,output,error,missing,signature,offset'
  [rejects]='host,job_id,seq,hash,n,offset,length,reason,line,hex'
  [files]='host,job_id,cursor'
)

# Settings that go with a request. Without the first one, a cluster acknowledges rows that are only in the queue of one
# server; newer servers call it distributed_foreground_insert. The sink need not know the others.
SETTINGS=(insert_distributed_sync=1 wait_for_async_insert=1 max_partitions_per_insert_block=0)
DEDUP_SETTING=insert_deduplication_token
declare -gA is_unknown=()

# ClickHouse's codes decide, whatever the status is: old servers answer 500 to everything. The first ones are about the
# request: password, user, rights, database, table, column, format. The second ones are about a row.
STOP_CODES=' 8 10 16 20 36 46 47 48 53 57 60 62 73 81 115 164 192 193 194 195 291 452 497 516 '
ROW_CODES=' 6 25 26 27 32 33 38 41 69 70 72 117 130 131 190 321 349 441 467 469 675 '

# set_request_url - the token makes a cluster drop a request that it has already. It is made of the bytes, because with
# other bytes under the same token these would be dropped silently.
set_request_url() {
  local setting
  request_url="${sink_base}query=INSERT%20INTO%20$request_stream%20(${COLUMNS[$request_stream]})%20FORMAT%20JSONEachRow"
  for setting in "${SETTINGS[@]}" "$DEDUP_SETTING=$cursor_base-$request_id-$request_hash"; do
    [[ -v is_unknown[${setting%%=*}] ]] || request_url+="&$setting"
  done
  [[ ! -v is_unknown[insert_distributed_sync] ]] || request_url+='&distributed_foreground_insert=1'
}

# send - sends the request; sets `verdict` to taken, again, refused, stop or changed (send it again at once), and
# `words` to what the sink or curl said. The options after --config override that file: a redirect, for example, would
# turn the request into one without rows, which succeeds.
send() {
  local report status
  set_request_url
  : >"$answer_file" || die "$EXIT_IO" "cannot write $answer_file"
  (leave_program; exec curl -q --silent --show-error --connect-timeout 10 --max-time 300 "${curl_config[@]}" \
    --no-location --no-fail --no-include --request POST --globoff --header 'Expect:' \
    --header 'Content-Type: application/x-ndjson' --header "Content-Length: $request_bytes" \
    --output "$answer_file" --write-out '%{http_code} %{redirect_url}\n' \
    --data-binary "@$body_file" --url "$request_url") >"$report_file" 2>&1 </dev/null &
  curl_pid=$!
  wait "$curl_pid"
  status=$?
  curl_pid=''
  mapfile -t report <"$report_file"
  judge_answer "$status" "${report[@]}"
}

# judge_answer STATUS REPORT... - REPORT is curl's messages, and then the status of the answer.
judge_answer() {
  local status=$1 report=("${@:2}") last=${*: -1} http
  set_words
  if ((status)); then
    words="curl: ${report[0]:-status $status}" words=${words#curl: }
    case $status in
      1 | 2 | 3 | 4 | 23 | 26 | 27 | 51 | 58 | 60 | 66 | 77 | 83 | 90 | 91 | 126 | 127) verdict=stop ;;
      *) verdict=again ;;
    esac
    return
  fi
  if [[ ! $last =~ ^([0-9]{3})\ (.*)$ ]] || ((${#report[@]} != 1)); then
    verdict=stop words="curl said more than the status: ${report[*]}; does its configuration name a URL?"
    return
  fi
  http=${BASH_REMATCH[1]}
  if [[ $http == 20[0-4] && ! -s $answer_file ]]; then
    verdict=taken
  elif [[ $words =~ Code:\ ([0-9]+) ]]; then
    judge_code "${BASH_REMATCH[1]}"
  else
    judge_status "$http" "${last#* }"
  fi
}

# set_words - sets `words` to the beginning of the answer, in one line.
set_words() {
  IFS= read -rd '' -n 2000 words <"$answer_file"
  words=${words//[$'\001'-$'\037']/ }
}

# judge_code CODE - ClickHouse says what is wrong. Code 252 is about too many parts, which will be merged, or about a
# request whose rows belong to too many partitions.
judge_code() {
  local setting
  verdict=again
  case $1 in
    115)
      for setting in "${SETTINGS[@]%%=*}" "$DEDUP_SETTING"; do
        [[ ! -v is_unknown[$setting] && $words == *"$setting"* ]] || continue
        is_unknown[$setting]=1 verdict=changed
        return
      done
      ;;
    252) [[ $words != *partitions* ]] || verdict=refused ;;
  esac
  [[ $ROW_CODES != *" $1 "* ]] || verdict=refused
  [[ $STOP_CODES != *" $1 "* ]] || verdict=stop
}

# judge_status STATUS REDIRECT - an answer without ClickHouse's code: from a proxy, or from another kind of sink.
judge_status() {
  verdict=again
  case $1 in
    20?) words="it answered $1, but with a text, as some proxy does: $words" ;;
    3??)
      verdict=stop
      words="it answered $1${2:+, and wants to be asked at $2}; redirects are not followed, as they lose rows"
      ;;
    408 | 425 | 429 | 5??) words="it answered $1: $words" ;;
    413) verdict=refused words="it answered 413: $words" ;;
    *) verdict=stop words="it answered $1: $words" ;;
  esac
}
