# prune JOB - removes old records while the scheduler runs, and loses none that it writes meanwhile
#
# Usage: taskresults prune JOB [OPTION...]
#        taskresults prune --all [OPTION...]
#        taskresults prune --policy FILE [JOB] [OPTION...]
#
# Give --keep, --since, both, or --max-bytes. With --keep and --since, a record stays if either of them keeps it. With
# --since, lines that are not valid records stay, as evidence, and so do records whose timestamp cannot be read. If an
# earlier prune was interrupted, it is finished first. For each job that was pruned, an empty file .taskresults-*.lock
# stays in the directory, and a receipt in .taskresults/prunes: what was removed, when and by which rule. The table
# task_prunes shows it. ext/PRUNING.md says what a prune guarantees, and what it refuses.
#
# Options:
#   --all           every job; if one cannot be pruned, the others still are
#   --keep N        keep the last N records
#   --since T       keep records of T and later: 7d, '90 days', 2026-02-14, 2026-02-14T09:30:00Z, yesterday and the
#                   like, in UTC; all forms: `taskresults help`
#   --keep-failures N  also keep the last N failures among those that would be removed
#   --max-bytes N   keep at most N bytes of each file: the newest of the lines that the other rules keep, or of all
#                   lines if there is no other rule; at least one line stays. N may have a unit: 500kB, 10MB, 2GB
#   --policy FILE   instead of these: the rules of each job, from a JSON file; ext/PRUNING.md has its form. Without a
#                   job, all jobs. A job without a rule is left alone. --dry-run shows which rule each job has
#   --archive       compress what goes, by zstd, into .taskresults/archive/JOB.jsonl/ beside the results; task_history,
#                   zstdcat and others read it. What goes is then always the beginning of the file: the newest line that
#                   the rules would remove, and all lines before it. Not with --keep-failures, --drop-rejects and
#                   --no-receipt. A policy has it as "archive": true
#   --drop-rejects  also remove lines that are not valid records
#   --dry-run       say what would be removed, and whether prune would refuse to; change nothing. Of a sealed file it
#                   says, too, whether it matches its seals, and reads it whole for that
#   --force         do what prune otherwise refuses as a likely mistake: a --since in the future; --keep 0 as the only
#                   rule; --max-bytes 0; and removing the records of all jobs in the directory
#   --count         count the dropped lines, and the kept records, for which the files are read whole
#   --unshipped     also remove lines that `taskresults ship` has not read yet; without this option they stay
#   --no-receipt    leave no receipt; then the lines that are removed need not be read. Also finishes an interrupted
#                   prune whose receipt cannot be written
#   --offline       you know that nothing writes to the files: then prune also works on file systems that have no
#                   leases, or cannot exchange two files
#   --quiet         print only what could not be pruned, for cron
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#
# The machine formats have job_id, result (pruned, unchanged, dry_run, refused, busy or failed), kept, dropped,
# bytes_freed, recovered (whether an interrupted prune was finished), reason, unshipped (how many lines stay only
# because they are not read yet), sink (for whom), archive (the file in which the lines are) and rule (its number in the
# policy). Values that do not apply are null.
#
# Exit status:
#   0 fine, even if there was nothing to remove; 1 no such job, or refused without --force; 2 usage; 3 a job could not
#   be pruned, or --dry-run says so; 75 a job was busy, because another program kept its file open: try again later.
#   Its line says what was done
#
# Examples:
#   taskresults prune my-job --keep 1000 --dry-run
#   taskresults prune --all --since 90d --keep-failures 50 --jsonl
#   taskresults prune my-job --max-bytes 10MB --archive

# shellcheck shell=bash

parse_options 'all keep= since= keep-failures= max-bytes= policy= drop-rejects dry-run force count unshipped no-receipt
  archive offline quiet raw json jsonl' "$@"
load lib/option_values lib/query lib/fields
# A command that deletes must not guess: if an option is given twice, either value may be the mistake.
[[ -z $repeated ]] || usage_error "--$repeated is given twice"
format_option json jsonl
for name in keep keep-failures; do number_option "$name"; done
time_options since
if [[ -v opt[policy] ]]; then
  for name in keep since keep-failures max-bytes archive; do
    [[ ! -v opt[$name] ]] || usage_error "--policy or --$name, not both"
  done
fi
if [[ -v opt[archive] ]]; then
  [[ ! -v opt[keep-failures] ]] ||
    usage_error '--archive or --keep-failures, not both: what is archived is always the beginning of the file'
  for name in drop-rejects no-receipt; do
    [[ ! -v opt[$name] ]] || usage_error "--archive or --$name, not both"
  done
fi
[[ -v opt[keep] || -v opt[since] || -v opt[max-bytes] || -v opt[policy] ]] ||
  usage_error 'say what to keep: --keep N or --since T, or both; or --max-bytes N; or --policy FILE'

# size_option NAME - the option's value is a number of bytes; units are powers of 1000, as in what is printed.
size_option() {
  local value=${opt[$1]} factor=1
  case $value in
    *kB) factor=1000 ;;
    *MB) factor=1000000 ;;
    *GB) factor=1000000000 ;;
  esac
  [[ $value =~ ^0*([0-9]{1,9})\ ?[kMG]B$ || $value =~ ^0*([0-9]{1,15})\ ?B?$ ]] ||
    usage_error "--$1 wants a number of bytes, such as 500000, 500kB, 10MB or 2GB, not '$value'"
  opt[$1]=$((BASH_REMATCH[1] * factor))
}

if [[ -v opt[max-bytes] ]]; then
  size_option max-bytes
  [[ -v opt[keep] || -v opt[since] || ! -v opt[keep-failures] ]] ||
    usage_error '--keep-failures needs --keep or --since: --max-bytes is a limit for all lines'
fi

rules=
[[ ! -v opt[keep] ]] || rules+=", 'keep', ${opt[keep]}"
[[ ! -v opt[since] ]] || rules+=", 'since', ${opt[since]}"
[[ ! -v opt[keep-failures] ]] || rules+=", 'keep_failures', ${opt[keep-failures]}"
[[ ! -v opt[max-bytes] ]] || rules+=", 'max_bytes', ${opt[max-bytes]}"
if [[ -v opt[policy] ]]; then
  load lib/sql_text
  policy=$(sql_text "${opt[policy]}")
  rules+=", 'policy', $policy"
  ((${#args[@]})) || opt[all]=
fi
for name in drop-rejects dry-run force count unshipped archive offline; do
  [[ ! -v opt[$name] ]] || rules+=", '${name//-/_}', 1"
done
[[ ! -v opt[no-receipt] ]] || rules+=", 'receipt', 0"

if [[ -v opt[all] ]]; then
  ((${#args[@]} == 0)) || usage_error '--all or a job, not both'
  reports="taskresults_prune_all(${rules#, })"
else
  ((${#args[@]})) || usage_error 'which job? (or --all)'
  at_most 1
  load lib/sql_text
  reports="json_array(json(taskresults_prune($(sql_text "${args[0]}")$rules)))"
fi

told=1
[[ ! -v opt[quiet] ]] || told="result IN ('busy', 'failed', 'refused')"

# The last line tells how many jobs were busy, how many failed, and what the run would have been refused for.
select_reports() {
  local row=$1
  printf '%s' "CREATE TEMP TABLE report AS SELECT key, value->>'\$.job_id' AS job_id, value->>'\$.result' AS result,
      value->>'\$.kept' AS kept, value->>'\$.dropped' AS dropped, value->>'\$.bytes_freed' AS bytes_freed,
      value->'\$.recovered' IS NOT NULL AS recovered, value->>'\$.reason' AS reason, value->>'\$.refused' AS refused,
      value->>'\$.unshipped' AS unshipped, value->>'\$.sink' AS sink, value->>'\$.rule' AS rule,
      value->>'\$.archive' AS archive
      FROM json_each($reports);
    $row FROM report WHERE $told ORDER BY key;
    SELECT count(*) FILTER (WHERE result = 'busy'), count(*) FILTER (WHERE result IN ('failed', 'refused')),
      $(cell "max(refused) FILTER (WHERE result <> 'refused')") FROM report;"
}

# human_size EXPRESSION - SQL: bytes as "1.2 MB".
human_size() {
  printf "CASE WHEN %s < 1000 THEN (%s) || ' B' WHEN %s < 1e6 THEN printf('%%.1f kB', (%s) / 1e3)
    WHEN %s < 1e9 THEN printf('%%.1f MB', (%s) / 1e6) ELSE printf('%%.1f GB', (%s) / 1e9) END" \
    "$1" "$1" "$1" "$1" "$1" "$1" "$1"
}

# rule_words - SQL: the rule that the policy has for the job; NULL without a policy.
rule_words() {
  if [[ ! -v opt[policy] ]]; then
    printf NULL
    return
  fi
  printf '%s' "coalesce('rule ' || rule || ': ' ||
    coalesce((SELECT group_concat(CASE WHEN key <> 'archive' THEN replace(key, '_', ' ') || ' ' || value
      WHEN value THEN key END, ', ')
      FROM json_each(taskresults_policy($policy, job_id), '\$.rule') WHERE key NOT IN ('jobs', 'target')),
      'keeps everything'), 'no rule')"
}

# note_words - SQL: all that there is to say about a job's report.
note_words() {
  printf '%s' "(SELECT coalesce(group_concat(column1, '; '), '') FROM (VALUES
    (iif(recovered, 'an interrupted prune was finished', NULL)), ($(rule_words)), (nullif($(cell reason), '')),
    (iif(archive IS NULL, NULL, 'archived in ' || $(cell archive))),
    (iif(unshipped AND reason IS NULL, unshipped || iif(unshipped = 1, ' line stays', ' lines stay')
      || ' that ' || $(cell sink) || ' has not read yet (--unshipped)', NULL))))"
}

if [[ -z $format ]]; then
  load terminal/colour
  would=
  [[ ! -v opt[dry-run] ]] || would='TO BE '
  statements="SELECT 'JOB', 'RESULT', 'KEPT', '${would}DROPPED', '${would}FREED', 'NOTE';
    $(select_reports "SELECT $(cell job_id), CASE
      WHEN result = 'dry_run' AND bytes_freed THEN 'would be pruned'
      WHEN result IN ('dry_run', 'unchanged') THEN 'nothing to drop'
      WHEN result = 'pruned' THEN $(paint green "'pruned'") ELSE $(paint red result) END, coalesce(kept, ''),
      coalesce(dropped, CASE WHEN result IN ('busy', 'failed') THEN '' ELSE 'not counted' END),
      CASE WHEN result IN ('busy', 'failed', 'refused') THEN '' ELSE $(human_size bytes_freed) END,
      $(note_words)")"
else
  statements=$(select_reports "SELECT json_object('job_id', job_id, 'result', result, 'kept', kept, 'dropped', dropped,
    'bytes_freed', bytes_freed, 'recovered', json(iif(recovered, 'true', 'false')), 'reason', reason,
    'unshipped', unshipped, 'sink', sink, 'archive', archive, 'rule', rule)")
fi

rows=$(with_progress query "$statements") || {
  (($? != EXIT_NO)) || exit "$EXIT_NO"
  dir=$results_dir
  [[ -v opt[all] || ! -x $dir || -e $dir/${args[0]}.jsonl || -L $dir/${args[0]}.jsonl ]] || {
    load lib/jobs
    suggest_job "${args[0]}"
    exit "$EXIT_NO"
  }
  exit "$EXIT_IO"
}
counts=${rows##*$'\n'}
rows=${rows%"$counts"}
busy=${counts%%$'\x1f'*} counts=${counts#*$'\x1f'}
failed=${counts%%$'\x1f'*} refused=${counts#*$'\x1f'}
if [[ -z $format ]]; then
  # Without a row, no headings.
  if [[ ! -v opt[quiet] || $rows == *$'\n'*$'\n'* ]]; then
    load terminal/table
    show_table "$rows" llrrrl '6:11 1:8' '5 3 4'
  fi
else
  printf '%s' "$rows" | json_lines "$format"
  finish "${PIPESTATUS[@]}"
fi
[[ -z $refused ]] || say "without --force that would be refused: $refused"
((busy == 0)) || say "$busy job$( ((busy == 1)) || echo s) busy: try again later;" \
  "each job's line says what is in the way, and what was done"
if ((failed)); then
  say "$failed job$( ((failed == 1)) || echo s) could not be pruned"
  exit "$EXIT_IO"
fi
((busy == 0)) || exit "$EXIT_BUSY"
