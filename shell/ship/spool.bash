# spool.bash - the requests that are on their way: one after the other, until each is acknowledged.

# shellcheck shell=bash

# set_choice NAME [BUT] - sets NAME to the SQL that writes the next request into the body file, and says which it is
# and how many there are, without the request BUT. The largest comes first: if a row is refused, a half that is accepted
# soon shows that the sink does not refuse everything. If bad rows are everywhere, so do the smallest.
set_choice() {
  local path_ but_="id IS NOT ${2:-NULL}" order_=DESC
  ((${refusals:-0} / TURN_REFUSALS % 2 == 0)) || order_=ASC
  set_sql_text path_ "$body_file"
  printf -v "$1" '%s' "SELECT 'left', count(*) FROM spool WHERE $but_;
    SELECT 'request', id, stream, iif(instr(body, char(10)), 2, 1), taskresults_hash(body),
        length(CAST(body AS BLOB)), writefile($path_, CAST(body AS BLOB))
      FROM (SELECT id, stream, body FROM spool WHERE id = (SELECT id FROM spool WHERE refused IS NULL AND $but_
        ORDER BY ifnull(bytes, 1e9) $order_, id LIMIT 1) LIMIT 1 OFFSET 0);"
}

# step [SQL...] - in one transaction: records the outcome of the last request, and then runs the SQL. Then it chooses
# the next request of the spool; see take_choice.
step() {
  local choice
  set_choice choice
  program "BEGIN IMMEDIATE; $outcome $* COMMIT; $choice"
  take_choice
}

# take_choice - reads `answer`. Sets request_id, request_stream, request_rows (1, or more), request_hash and
# request_bytes of the request whose body is in the body file now, if there is any. Sets `more` if files have more
# lines, `lost` to the files whose place was lost, `left` to how many requests there are, and `has_unreadable` if there
# are files that cannot be read.
take_choice() {
  local kind first second third fourth rest
  request_id='' left=0 outcome=''
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

# --- the next batch is read while the last request of this one is on its way ---
#
# All but the commit is done: that waits until the sink has acknowledged this batch, which is then forgotten in the same
# transaction. So the spool holds one batch at any time. If the request does not arrive at once, the next batch is
# dropped, and read again later.

BATCHES_A_CHECKPOINT=4 # the write-ahead log then holds about 20 MB; a checkpoint after each batch would cost more

# begin_next - lets the program begin with the next batch, if the one request that is left is the last of its batch.
begin_next() {
  local batch choice checkpoint=''
  [[ -z $is_begun && -n $more && $left == 1 && ${#lost[@]} == 0 ]] || return 0
  set_batch batch
  other_body_file
  set_choice choice "$request_id"
  ((++batches % BATCHES_A_CHECKPOINT)) || checkpoint='PRAGMA wal_checkpoint;'
  tell_program "$checkpoint BEGIN IMMEDIATE; $batch $choice"
  other_body_file
  is_begun=1
}

# end_next - the request arrived: the next batch counts.
end_next() {
  is_begun='' more=''
  other_body_file
  program "$outcome COMMIT;"
  take_choice
}

# drop_next - the request did not arrive at once.
drop_next() {
  [[ -n $is_begun ]] || return 0
  is_begun=''
  program "ROLLBACK; PRAGMA wal_checkpoint(TRUNCATE);"
}

# other_body_file - the body of the request that is on its way must stay while the next one is written.
other_body_file() {
  local other=$next_body_file
  next_body_file=$body_file body_file=$other
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
    DROP TABLE half; DELETE FROM spool WHERE id = $request_id;"
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
