# verify [JOB...] - checks whether the sealed lines of jobs' files are still those that were sealed
#
# Usage: taskresults verify [JOB...] [OPTION...]
#
# Reads each file from its beginning and compares with its seals, which `taskresults seal` has made. It names the job
# and the first sealed stretch of bytes, [FROM, TO), that no longer matches: a line was changed, removed, inserted or
# moved there, or the file was cut, replaced or renamed. It also names files that are gone, seals that are damaged, and
# what is not sealed yet. Of lines that prunes have removed it says how many only receipts explain; what was archived is
# verified. It changes nothing, and needs only permission to read. Without JOB: all jobs.
#
# Without a head that was kept elsewhere, somebody who can write to the directory of results could have changed lines
# and sealed them anew, or removed the newest lines and seals. --head and --heads show that. ext/SEALS.md says more.
#
# Options:
#   --head JOB=HEAD  a head that was kept elsewhere: the job's seals must have it, and no prune since may be explained
#                    only by a receipt
#   --heads FILE     such heads, a line each, as `taskresults seal --heads` prints them. Their jobs are verified, too,
#                    if they are gone
#   --allowed-signers FILE  the newest signature of each sealed job must be valid, and of somebody in this file; else
#                    the job is unsigned. Its form is that of ssh-keygen ("ALLOWED SIGNERS" in its manual)
#   --quiet          print only jobs that do not match, for cron
#   --raw            print control characters unchanged (line breaks stay visible)
#   --json           a JSON array of objects
#   --jsonl          JSON, one object a line
#
# The machine formats have job_id, result (fine, tampered, unsigned, unsealed, busy or failed), lines, bytes and head
# (up to where the file is sealed and matches), unsealed_lines and unsealed_bytes (what comes behind), seals (how many
# there are), from and to (the stretch that does not match), reasons (an array of texts), removals (an array with an
# object for each prune: pruned_at, lines, bytes, receipt, archive, and proven, if the archive proves it), signed_head,
# signed_lines (of those in the file), signed_before (the prune that makes that head worthless, as only a receipt
# explains it) and signature; and with --allowed-signers, signer.
#
# Exit status:
#   0 fine: all that is sealed matches; 1 something does not match or is not signed, or a named job is not sealed;
#   2 usage; 3 a job could not be verified
#
# Examples:
#   taskresults verify
#   taskresults verify my-job --json
#   taskresults verify --heads heads.txt --quiet

# shellcheck shell=bash

parse_options 'head= heads= allowed-signers= quiet raw json jsonl' "$@"
load lib/option_values lib/query lib/fields lib/sql_text
[[ -z $repeated || $repeated == head ]] || usage_error "--$repeated is given twice"
[[ $repeated != head ]] || usage_error '--head is given twice: --heads FILE takes several'
format_option json jsonl

kept=
if [[ -v opt[head] ]]; then
  [[ ${opt[head]} =~ ^.+=[0-9a-f]{64}$ ]] ||
    usage_error "--head wants JOB=HEAD, as \`taskresults seal --heads\` prints it"
  kept=${opt[head]}$'\n'
fi
if [[ -v opt[heads] ]]; then
  lines=$(cat -- "${opt[heads]}") || { say "${opt[heads]}: the heads cannot be read"; exit "$EXIT_IO"; }
  ! grep -nvE '^(.+=[0-9a-f]{64})?$' <(printf '%s' "$lines") >/dev/null ||
    usage_error "${opt[heads]}: a line is not JOB=HEAD, as \`taskresults seal --heads\` prints it"
  [[ $lines == *=* ]] || usage_error "${opt[heads]}: there is no head in it"
  kept+=$lines
fi
options=
[[ -z $kept ]] || options="'heads', $(sql_text "$kept")"
if ((${#args[@]})); then
  reports=
  for job in "${args[@]}"; do
    reports+=", json(taskresults_verify($(sql_text "$job")${options:+, $options}))"
  done
  reports="json_array(${reports#, })"
else
  reports="taskresults_verify_all($options)"
fi

# not_verified - ends the command behind an error of the query, which has been printed.
not_verified() {
  local job
  for job in "${args[@]}"; do
    [[ -x $results_dir && ! -e $results_dir/$job.jsonl && ! -L $results_dir/$job.jsonl ]] || continue
    load lib/jobs
    suggest_job "$job"
    exit "$EXIT_NO"
  done
  exit "$EXIT_IO"
}

signers=
[[ ! -v opt[allowed-signers] ]] || { load seal/signers; check_signatures; }
told=1
[[ ! -v opt[quiet] ]] || told="result NOT IN ('fine', 'unsealed')"
if [[ -n $format ]]; then
  row="SELECT value FROM report WHERE $told ORDER BY key"
else
  load terminal/colour
  reasons="(SELECT group_concat(reason.value, '; ') FROM json_each(report.value, '\$.reasons') AS reason)"
  removed="(SELECT CASE WHEN count(*) THEN sum(removal.value->>'\$.lines') || ' lines went that only '
      || iif(count(*) = 1, 'a receipt explains', count(*) || ' receipts explain') END
    FROM json_each(report.value, '\$.removals') AS removal WHERE NOT removal.value->>'\$.proven')"
  signed="(SELECT signed || ' of ' || lines || iif(lines = 1, ' line is signed', ' lines are signed')
    FROM (SELECT value->>'\$.signed_lines' AS signed) WHERE signed < lines)"
  row="SELECT 'JOB', 'RESULT', 'LINES', 'UNSEALED', 'HEAD', 'NOTE';
    SELECT $(cell job_id), CASE result WHEN 'fine' THEN $(paint green result) WHEN 'unsealed' THEN result
        ELSE $(paint red result) END, coalesce(lines, ''), coalesce(unsealed_lines, ''), coalesce(head, ''),
      $(cell "coalesce(value->>'\$.reason', $reasons, $removed || '; ' || $signed, $removed, $signed)")
      FROM report WHERE $told ORDER BY key"
fi
statements="CREATE TEMP TABLE report AS SELECT key, value, value->>'\$.job_id' AS job_id,
    value->>'\$.result' AS result, value->>'\$.lines' AS lines, value->>'\$.unsealed_lines' AS unsealed_lines,
    value->>'\$.head' AS head FROM json_each($reports);
  $signers
  $row;
  SELECT count(*) FILTER (WHERE result = 'tampered'), count(*) FILTER (WHERE result = 'unsealed'),
    count(*) FILTER (WHERE result IN ('busy', 'failed')), count(*) FILTER (WHERE result = 'unsigned') FROM report;"

rows=$(with_progress query "$statements") || not_verified
counts=${rows##*$'\n'}
rows=${rows%"$counts"}
IFS=$'\x1f' read -r tampered unsealed failed unsigned < <(printf '%s\n' "$counts")
if [[ -n $format ]]; then
  printf '%s' "$rows" | json_lines "$format"
  finish "${PIPESTATUS[@]}"
elif [[ ! -v opt[quiet] || $rows == *$'\n'*$'\n'* ]]; then
  load terminal/table
  show_table "$rows" llrrll '6:12 1:8' '4 3'
fi
if ((failed)); then
  say "$failed job$( ((failed == 1)) || echo s) could not be verified"
  exit "$EXIT_IO"
fi
((tampered == 0)) || say "$tampered job$( ((tampered == 1)) || echo s) tampered with: what was sealed does not match"
((unsigned == 0)) || say "$unsigned job$( ((unsigned == 1)) || echo s) not signed by an allowed signer"
((tampered + unsigned == 0)) || exit "$EXIT_NO"
if ((unsealed && ${#args[@]})); then
  say "$unsealed of the named jobs not sealed"
  exit "$EXIT_NO"
fi
