# mutes.bash - jobs whose alerts are not reported for a while.
#
# A mute is a line of the state file, like an alert, of the kind `mute`. So older versions keep it, as they keep all
# kinds that they are not asked for. While it lasts, its jobs are not examined at all. When it ends, alerts that hold
# then are reported, and so are those that have ended meanwhile.

# shellcheck shell=bash

# The mutes in `told`, and until when they last.
MUTES="(SELECT job AS pattern, line->>'\$.until_us' AS until, line FROM told WHERE alert = 'mute')"

# mutes_that_last - SQL: the number of mutes that have not ended.
mutes_that_last() {
  printf '%s' "SELECT count(*) FROM $MUTES WHERE until > $now"
}

# leave_out_muted - SQL: removes muted jobs from `wanted`. A pattern is also compared as an id, since an id may contain
# characters that are special in a GLOB.
leave_out_muted() {
  sql+="
  INSERT INTO muted SELECT job FROM (SELECT job FROM wanted UNION SELECT job FROM told WHERE alert <> 'mute')
    WHERE EXISTS (SELECT 1 FROM $MUTES WHERE until > $now AND (job = pattern OR job GLOB pattern));
  DELETE FROM wanted WHERE job IN (SELECT job FROM muted);"
}

# change_mutes ARGUMENT... - `alerts mute` and `alerts unmute`: the first argument that is not an option says which.
change_mutes() {
  local now sql fault job what=$subcommand
  if [[ $what == mute ]]; then
    parse_options 'hosts= for= list tz= state= job=' "$@"
    exclusive for list
    span_options for
    [[ -v opt[list] || -v opt[for] ]] || usage_error 'mute wants --for, how long; or --list'
    ((${opt[for]-1} > 0)) || usage_error '--for wants some time'
  else
    parse_options 'hosts= state= job=' "$@"
  fi
  args=("${args[@]:1}")
  hosts_option
  zone_option
  [[ ! -v opt[job] ]] || args+=("${opt[job]}")
  for job in "${args[@]}"; do
    [[ -n $job ]] || usage_error "$what wants a JOB, or a GLOB, that is not empty"
  done
  [[ -z $hosts ]] || mute_on_each_host
  if [[ -v opt[list] ]]; then at_most 0; else ((${#args[@]})) || usage_error "$what wants a JOB, or a GLOB"; fi
  lock_state
  now=$((EPOCHSECONDS * 1000000)) unjudged=()
  find_results
  read_mutes
  if [[ -v opt[list] ]]; then list_mutes; else "${what}_jobs"; fi
}

# mute_on_each_host - with --hosts, a JOB without a host means that job of each.
mute_on_each_host() {
  local i
  for ((i = 0; i < ${#args[@]}; i++)); do
    [[ ${args[i]} == */* ]] || args[i]="*/${args[i]}"
  done
}

# read_mutes - begins `sql` with the content of the state, and the named jobs.
read_mutes() {
  local answer
  sql=$tables$'\n'
  told_before
  answer=$(query "$sql SELECT coalesce($fault, '');") || exit
  [[ -z $answer ]] || bad_state "$answer"
  sql+=$(each_text named "${args[@]}")$'\n'
}

list_mutes() {
  query "$sql SELECT $(cell pattern) || ': muted until ' || $(clock until) || ', for ' ||
    $(duration "((until - $now) / 1000000)") FROM $MUTES WHERE until > $now ORDER BY pattern;" |
    sed "$(visible_program)"
  finish "${PIPESTATUS[@]}"
}

# mute_jobs - an unknown name is an error: after a typing mistake, the alert would still come, at night.
mute_jobs() {
  local path found=() unknown readable unreadable
  if [[ -n $shared_files ]]; then
    set_shared_jobs found
  elif [[ -n $hosts ]]; then
    load lib/unreadable
    find_unreadable "$dir" "$file_after"
    found=("${readable[@]}" "${unreadable[@]}")
  else
    for path in "$dir"/"$file_before"*"$file_after" "$dir"/.*"$file_after"; do
      path=${path##*/} path=${path#"$file_before"}
      found+=("${path%"$file_after"}")
    done
  fi
  sql+=$(each_text has_file "${found[@]}")$'\n'
  known_jobs
  say_unjudged
  unknown=$(query "$sql SELECT job FROM named WHERE NOT EXISTS (SELECT 1 FROM (SELECT job AS id FROM has_file
      UNION ALL SELECT job FROM known UNION ALL SELECT job FROM told WHERE alert <> 'mute')
    WHERE id = named.job OR id GLOB named.job) LIMIT 1;") || exit
  [[ -z $unknown ]] || { load lib/jobs; no_job "$EXIT_USAGE" "$unknown"; }
  save_mutes "DELETE FROM told WHERE alert = 'mute' AND job IN (SELECT job FROM named);
    INSERT INTO told(job, alert, line) SELECT job, 'mute', json_object('job', job, 'alert', 'mute', 'fired_us', $now,
      'sent_us', $now, 'until_us', $((now + opt[for]))) FROM named;"
  query "$sql SELECT $(cell job) || ': muted until ' || $(clock "$((now + opt[for]))") FROM named;" |
    sed "$(visible_program)"
  finish "${PIPESTATUS[@]}"
}

unmute_jobs() {
  local unknown called
  unknown=$(query "$sql SELECT $(cell job) FROM named
    WHERE job NOT IN (SELECT pattern FROM $MUTES WHERE until > $now) LIMIT 1;") || exit
  [[ -z $unknown ]] || {
    load lib/called
    set_called
    die "$EXIT_NO" "there is no mute of $unknown; to see those there are: $called alerts mute --list"
  }
  save_mutes "DELETE FROM told WHERE alert = 'mute' AND job IN (SELECT job FROM named);"
}

# save_mutes CHANGE - runs the SQL, which changes `told`, and saves `told` as the state, without mutes that have ended.
save_mutes() {
  local answer lines
  answer=$(query "$sql $1
    DELETE FROM told WHERE alert = 'mute' AND coalesce(line->>'\$.until_us' <= $now, 0);
    SELECT line FROM told ORDER BY job, alert;") || exit
  mapfile -t lines < <(printf '%s\n' "$answer")
  save_state
}
