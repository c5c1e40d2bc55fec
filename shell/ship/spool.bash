# spool.bash - the requests that are on their way: one after the other, until each is acknowledged.

# shellcheck shell=bash

# step [SQL...] - in one transaction: records the outcome of the last request, and then runs the SQL. Sets `request` to
# the next one of the spool, if there is any, whose bytes are then in the body file: request_id, request_stream,
# request_rows (1, or more), request_hash. Sets `more` if files have more lines, `lost` to the files whose place was
# lost, `left` to how many requests there are, and `unreadable` if there are files that cannot be read. The largest
# comes first: if a row is refused, a half that is accepted soon shows that the sink does not refuse everything.
step() {
  local path kind first second third fourth rest
  set_sql_text path "$body_file"
  request_id='' left=0
  cursor_query "BEGIN IMMEDIATE; $outcome $* COMMIT;
    SELECT 'left', count(*) FROM spool;
    SELECT 'request', id, stream, iif(instr(body, char(10)), 2, 1), taskresults_hash(body),
        length(CAST(body AS BLOB)), writefile($path, CAST(body AS BLOB)) FROM spool
      WHERE id = (SELECT id FROM spool WHERE refused IS NULL ORDER BY ifnull(bytes, 1e9) DESC, id LIMIT 1);"
  outcome=''
  while IFS=$'\037' read -r kind first second third fourth rest; do
    case $kind in
      lost) lost+=("$first") ;;
      more) more=1 ;;
      left) left=$first ;;
      unreadable) has_unreadable=1 ;;
      request)
        request_id=$first request_stream=$second request_rows=$third request_hash=$fourth
        request_bytes=${rest%%$'\037'*}
        [[ $rest == "$request_bytes"$'\037'"$request_bytes" ]] || die "$EXIT_IO" "cannot write $body_file"
        ;;
    esac
  done < <(printf '%s\n' "$answer")
}

# acknowledge - the request arrived: its bytes are forgotten. Rows of its batch that were refused alone are themselves
# wrong, since the sink took others.
acknowledge() {
  outcome="INSERT OR REPLACE INTO meta VALUES ('took_$request_stream', 1);
    DELETE FROM spool WHERE id = $request_id; $(bury_sql)"
  left=$((left - 1))
}

# bury_sql - SQL: moves the refused rows of the request's stream to `dead`.
bury_sql() {
  printf '%s' "INSERT INTO dead(stream, at_s, reason, body) SELECT stream, unixepoch(), refused, body FROM spool
      WHERE stream = '$request_stream' AND refused IS NOT NULL ORDER BY id;
    DELETE FROM spool WHERE stream = '$request_stream' AND refused IS NOT NULL;"
}

# halve - the request was refused, and has several rows: it becomes two requests with half of its bytes each, cut after
# a row. They get new numbers, because their bytes are others.
halve() {
  local cut="length(body) / 2 - 1 + nullif(instr(substr(body, length(body) / 2), char(10)), 0)"
  outcome="CREATE TEMP TABLE half AS SELECT stream, body, ifnull($cut, instr(body, char(10))) AS cut FROM spool
      WHERE id = $request_id;
    INSERT INTO spool(stream, bytes, body) SELECT stream, length(CAST(body AS BLOB)), body FROM (
      SELECT stream, substr(body, 1, cut - 1) AS body FROM half
      UNION ALL SELECT stream, substr(body, cut + 1) FROM half);
    DELETE FROM spool WHERE id = $request_id;"
}

# set_aside REASON - the row was refused alone.
set_aside() {
  local reason
  set_sql_text reason "$1"
  has_unsaid_dead=1
  outcome="UPDATE spool SET refused = $reason WHERE id = $request_id;"
}

# end_refused - all that is left in the spool was refused. If the sink took rows of this stream before, the rows are
# wrong; otherwise the table is, and the rows wait.
end_refused() {
  local reason
  cursor_query "SELECT stream, refused, EXISTS (SELECT 1 FROM meta WHERE key = 'took_' || stream) FROM spool
    ORDER BY id LIMIT 1;"
  IFS=$'\037' read -r request_stream reason _ < <(printf '%s\n' "$answer")
  [[ $answer == *$'\037'1 ]] || stop_shipping "every row of '$request_stream' was refused: $reason"
  outcome=$(bury_sql)
}
